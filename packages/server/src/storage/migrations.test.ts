import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freshDatabase } from '../testing/postgres.ts'
import { dumpPostgres, dumpSqlite } from '../testing/schema-dump.ts'
import { describeWithPostgres } from '../testing/services.ts'
import { postgresMigrations } from './postgres/migrate.ts'
import { openPostgresStore } from './postgres/postgres-store.ts'
import { loadMigrations, type Migration, pendingMigrations, SchemaTooNewError } from './sql/migrate.ts'
import { sqliteMigrations } from './sqlite/migrate.ts'
import { openSqliteStore } from './sqlite/sqlite-store.ts'

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const latest = loadMigrations(sqliteMigrations).length

const committed = (engine: 'sqlite' | 'postgres'): string =>
  readFileSync(new URL(`./${engine}/schema.sql`, import.meta.url), 'utf8')

const temporaryDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'confab-migrations-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

test('the engines have the same migrations', () => {
  const shared = ({ version, name, breaking }: Migration) => ({ version, name, breaking })
  const sqlite = loadMigrations(sqliteMigrations).map(shared)
  expect(sqlite.length).toBeGreaterThan(0)
  expect(loadMigrations(postgresMigrations).map(shared)).toEqual(sqlite)
})

describe('files', () => {
  const load = (files: Readonly<Record<string, string>>) => {
    const directory = temporaryDirectory()
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return loadMigrations(pathToFileURL(`${directory}/`))
  }
  const fine = '-- Why.\n-- breaking: no\nSELECT 1;\n'

  test('are numbered, named and headed', () => {
    const loaded = load({ '0001_one.sql': fine, '0002_two_b.sql': '-- Why.\n-- breaking: yes\n', 'notes.md': 'x' })
    expect(loaded.map(({ version, name, breaking }) => [version, name, breaking])).toEqual([
      [1, 'one', false],
      [2, 'two_b', true],
    ])
  })

  test.each([
    ['a gap', { '0001_one.sql': fine, '0003_three.sql': fine }, /without gaps/],
    ['a start from zero', { '0000_zero.sql': fine }, /without gaps/],
    ['a number twice', { '0001_one.sql': fine, '0001_two.sql': fine }, /without gaps/],
    ['a bad name', { '1_one.sql': fine }, /not named like/],
    ['an upper case name', { '0001_One.sql': fine }, /not named like/],
    ['no header', { '0001_one.sql': 'SELECT 1;' }, /breaking: yes/],
    ['a header that says neither', { '0001_one.sql': '-- breaking: maybe\n' }, /breaking: yes/],
  ])('are refused with %s', (_, files, message) => {
    expect(() => load(files)).toThrow(message)
  })
})

describe('what is left to apply', () => {
  const known = ['one', 'two', 'three'].map((name, index) => ({ version: index + 1, name, breaking: false, sql: '' }))
  const row = (version: number, name: string, breaking = false) => ({ version, name, breaking })
  const left = (...applied: ReturnType<typeof row>[]) => pendingMigrations(known, applied).map(({ name }) => name)

  test('follows what was applied', () => {
    expect(left()).toEqual(['one', 'two', 'three'])
    expect(left(row(1, 'one'), row(2, 'two'))).toEqual(['three'])
    expect(left(row(1, 'one'), row(2, 'two'), row(3, 'three'), row(4, 'newer'))).toEqual([])
  })

  test('is nothing for a schema that is newer and breaking, or has another history', () => {
    expect(() => left(row(4, 'newer', true))).toThrow(SchemaTooNewError)
    expect(() => left(row(4, 'newer', true), row(5, 'newest'))).toThrow(/version 5.*up to 3/)
    expect(() => left(row(1, 'one'), row(2, 'renamed'))).toThrow(/"renamed".*"two"/)
  })
})

describe('SQLite', () => {
  const change = (dataDir: string, sql: string): void => {
    const db = new DatabaseSync(join(dataDir, 'confab.sqlite'))
    db.exec(sql)
    db.close()
  }
  const newer = (breaking: 0 | 1): string =>
    `INSERT INTO schema_migrations (version, name, breaking) VALUES (${latest + 1}, 'newer', ${breaking})`
  const opened = async () => {
    const dataDir = temporaryDirectory()
    const { store, migration } = await openSqliteStore({ dataDir })
    await store.close()
    return { dataDir, migration }
  }

  test('a new directory is brought up to date, an old one is as it was', async () => {
    const { dataDir, migration } = await opened()
    expect(migration).toEqual({ before: 0, after: latest })
    const again = await openSqliteStore({ dataDir })
    expect(again.migration).toEqual({ before: latest, after: latest })
    await again.store.close()
  })

  test('a newer schema is used unless it is breaking', async () => {
    const { dataDir } = await opened()
    change(dataDir, newer(0))
    const fine = await openSqliteStore({ dataDir })
    expect(fine.migration).toEqual({ before: latest + 1, after: latest + 1 })
    await fine.store.close()
    change(dataDir, 'UPDATE schema_migrations SET breaking = 1')
    await expect(openSqliteStore({ dataDir })).rejects.toBeInstanceOf(SchemaTooNewError)
    change(dataDir, `DELETE FROM schema_migrations WHERE version > ${latest}`)
    await (await openSqliteStore({ dataDir })).store.close()
  })

  test('another history is refused', async () => {
    const { dataDir } = await opened()
    change(dataDir, "UPDATE schema_migrations SET name = 'renamed' WHERE version = 1")
    await expect(openSqliteStore({ dataDir })).rejects.toThrow(/"renamed"/)
  })

  test('a file that is no database is refused, and the directory let go', async () => {
    const dataDir = temporaryDirectory()
    writeFileSync(join(dataDir, 'confab.sqlite'), 'not a database, whatever its name says '.repeat(100))
    await expect(openSqliteStore({ dataDir })).rejects.toThrow(/not a database/)
    rmSync(join(dataDir, 'confab.sqlite'))
    await (await openSqliteStore({ dataDir })).store.close()
  })

  test('what waits when deliveries come to have due times of their own waits on', async () => {
    const dataDir = temporaryDirectory()
    const before = loadMigrations(sqliteMigrations).filter(({ name }) => name !== 'waiting_deliveries')
    const columns = 'id, lane_id, sequence, message_id, trigger, body, state, attempts, created_at_ms'
    change(
      dataDir,
      [
        'CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, breaking INTEGER NOT NULL) STRICT',
        ...before.map(({ version, name }) => `INSERT INTO schema_migrations VALUES (${version}, '${name}', 0)`),
        ...before.map(({ sql }) => sql),
        `INSERT INTO lanes (id, app_id, bot_uid, conversation_id, next_sequence, pending, due_at_ms, lease_id) VALUES
           (1, 'a', 'b', 'waits', 4, 2, 5000, NULL), (2, 'a', 'b', 'is worked', 2, 1, 6000, 'lse')`,
        `INSERT INTO deliveries (${columns}) VALUES ('d1', 1, 1, 1, '', '', 'delivered', 1, 1),
           ('d2', 1, 2, 1, '', '', 'pending', 1, 1), ('d3', 1, 3, 1, '', '', 'pending', 0, 1),
           ('d4', 2, 1, 1, '', '', 'pending', 0, 1)`,
      ].join(';\n'),
    )
    await (await openSqliteStore({ dataDir })).store.close()
    const db = new DatabaseSync(join(dataDir, 'confab.sqlite'))
    const waiting = db.prepare('SELECT id, due_at_ms FROM deliveries WHERE due_at_ms IS NOT NULL').all()
    db.close()
    expect(waiting.map((row) => ({ ...row }))).toEqual([{ id: 'd2', due_at_ms: 5000 }])
  })

  test('the committed schema is what the migrations make', async () => {
    expect((await dumpSqlite()).text).toBe(committed('sqlite'))
  })
})

describeWithPostgres('PostgreSQL', (adminUrl) => {
  const fresh = async (): Promise<string> => {
    const database = await freshDatabase(adminUrl)
    onTestFinished(() => database.drop())
    return database.url
  }
  const open = (databaseUrl: string) => openPostgresStore({ databaseUrl, log })
  const change = async (databaseUrl: string, sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    await client.query(sql)
    await client.end()
  }

  test('servers that start at once on an empty database take turns', async () => {
    const url = await fresh()
    const opened = await Promise.all(Array.from({ length: 5 }, () => open(url)))
    await Promise.all(opened.map(({ store }) => store.close()))
    const before = opened.map(({ migration }) => migration.before)
    expect(before.toSorted()).toEqual([0, latest, latest, latest, latest])
    expect(opened.every(({ migration }) => migration.after === latest)).toBe(true)
  })

  test('a newer schema is used unless it is breaking; another history is refused', async () => {
    const url = await fresh()
    await (await open(url)).store.close()
    await change(url, `INSERT INTO schema_migrations (version, name, breaking) VALUES (${latest + 1}, 'newer', 0)`)
    await (await open(url)).store.close()
    await change(url, 'UPDATE schema_migrations SET breaking = 1')
    await expect(open(url)).rejects.toBeInstanceOf(SchemaTooNewError)
    await change(url, `DELETE FROM schema_migrations WHERE version > ${latest}`)
    await change(url, "UPDATE schema_migrations SET name = 'renamed'")
    await expect(open(url)).rejects.toThrow(/"renamed"/)
  })

  test('the committed schema is what the migrations make, and the same as SQLite’s', async () => {
    const dump = await dumpPostgres(await fresh())
    expect(dump.text).toBe(committed('postgres'))
    const sqlite = await dumpSqlite()
    expect(Object.keys(sqlite.tables).length).toBeGreaterThan(10)
    expect(dump.tables).toEqual(sqlite.tables)
  })
})
