import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { statement } from '../sql/seam.ts'
import { SqliteDatabase } from './database.ts'

const directory = mkdtempSync(join(tmpdir(), 'confab-remembered-'))
const db = new SqliteDatabase(join(directory, 'db.sqlite'))
db.exec('CREATE TABLE cats (id INTEGER PRIMARY KEY, name TEXT) STRICT; CREATE TABLE dogs (name TEXT) STRICT')
afterAll(() => {
  db.close()
  rmSync(directory, { recursive: true })
})

const findCat = statement<{ id: number }, { name: string }>('cats.find', 'SELECT name FROM cats WHERE id = :id', {
  holdsUntil: ['cats'],
})
const addCat = statement<{ name: string }>('cats.add', 'INSERT INTO cats (name) VALUES (:name) {RETURNING_ID}')
const renameCat = statement<{ id: number; name: string }, { id: number }>(
  'cats.rename',
  'UPDATE cats SET name = :name WHERE id = :id RETURNING id',
)
const removeCat = statement<{ id: number }>('cats.remove', 'DELETE FROM cats WHERE id = :id')
const addDog = statement<{ name: string }>('dogs.add', 'INSERT INTO dogs (name) VALUES (:name)')

const nameOf = async (id: number): Promise<string | undefined> => (await db.first(findCat, { id }))?.name
/** Behind the back of the database, so that only what is not remembered shows. */
const secretlyRename = (name: string): void => db.exec(`UPDATE cats SET name = '${name}'`)

let cat: number
beforeEach(async () => {
  cat = await db.insert(addCat, { name: 'Tom' })
  expect(await nameOf(cat)).toBe('Tom')
})

test('what was found is remembered, also that there was nothing, and cannot be changed', async () => {
  expect(await nameOf(cat + 1)).toBeUndefined()
  secretlyRename('Secret')
  db.exec(`INSERT INTO cats VALUES (${cat + 1}, 'Secret')`)
  expect(await nameOf(cat)).toBe('Tom')
  expect(await nameOf(cat + 1)).toBeUndefined()
  expect(Object.isFrozen(await db.first(findCat, { id: cat }))).toBe(true)
  await db.run(removeCat, { id: cat + 1 })
})

test.each<[string, () => Promise<unknown>]>([
  ['run', () => db.run(removeCat, { id: -1 })],
  ['insert', () => db.insert(addCat, { name: 'Kit' })],
  ['first', () => db.first(renameCat, { id: -1, name: 'x' })],
  ['all', () => db.all(renameCat, { id: -1, name: 'x' })],
  [
    'query',
    () =>
      db.query(
        db.build
          .updateTable('cats' as never)
          .set({ name: 'Built' } as never)
          .compile(),
      ),
  ],
  ['rollback', async () => db.step('ROLLBACK')],
  ['rollback to a savepoint', async () => db.step('ROLLBACK TO call')],
])('a write by %s ends it', async (what, write) => {
  if (what.startsWith('rollback')) db.step('BEGIN')
  db.step('SAVEPOINT call')
  secretlyRename('Seen')
  if (what.startsWith('rollback')) {
    await db.run(removeCat, { id: cat })
    expect(await nameOf(cat)).toBeUndefined()
  }
  await write()
  expect(await nameOf(cat)).toBe(what.startsWith('rollback') ? 'Tom' : what === 'query' ? 'Built' : 'Seen')
  if (what !== 'rollback') db.step('RELEASE call')
  if (what === 'rollback to a savepoint') db.step('COMMIT')
})

test('a write to another table does not end it', async () => {
  secretlyRename('Secret')
  await db.run(addDog, { name: 'Rex' })
  expect(await nameOf(cat)).toBe('Tom')
})

test('a statement of which it cannot be seen what it writes is refused', async () => {
  const replace = statement<Record<string, never>>('cats.replace', "REPLACE INTO cats VALUES (1, 'x')")
  await expect(db.run(replace, {})).rejects.toThrow('what does this statement write?')
})
