import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { clonesOf, rowOf } from './rows.ts'

const open = (): DatabaseSync => {
  const db = new DatabaseSync(':memory:')
  db.exec(
    "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT); INSERT INTO things VALUES (1, 'a', NULL)",
  )
  return db
}

it('clones a row with what is changed, and leaves the row alone', () => {
  const db = open()
  const template = rowOf(db, 'things')
  const clone = clonesOf(db, 'things', template)
  clone({ id: 2, note: 'second' })
  clone({ id: 3, name: 'c' })
  expect(
    db
      .prepare('SELECT id, name, note FROM things ORDER BY id')
      .all()
      .map((row) => Object.values(row)),
  ).toEqual([
    [1, 'a', null],
    [2, 'a', 'second'],
    [3, 'c', null],
  ])
  db.close()
})

it('takes no row for the one that was meant', () => {
  const db = open()
  expect(() => rowOf(db, 'things', { name: 'b' })).toThrow('does not hold one such row')
  clonesOf(db, 'things', rowOf(db, 'things'))({ id: 2 })
  expect(() => rowOf(db, 'things')).toThrow('does not hold one such row')
  expect(rowOf(db, 'things', { id: 2 })).toMatchObject({ name: 'a' })
  expect(() => clonesOf(db, 'things', rowOf(db, 'things', { id: 2 }))({ nmae: 'b', id: 3 })).toThrow()
  db.close()
})
