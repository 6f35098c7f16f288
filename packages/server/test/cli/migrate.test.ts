import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadMigrations } from '../../src/storage/sql/migrate.ts'
import { sqliteMigrations } from '../../src/storage/sqlite/migrate.ts'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { type Environment, runConfab, startConfab, temporaryFolder } from './support.ts'

const serveSettings = { CONFAB_HOST: '127.0.0.1', CONFAB_PORT: '0' }
const newer = "INSERT INTO schema_migrations (version, name, breaking) VALUES (9999, 'of_tomorrow', 1)"
const latest = loadMigrations(sqliteMigrations).length
const refusal =
  'confab: The store has schema version 9999; ' +
  `this program knows versions up to ${latest}. Run a newer version of Confab.\n`

/** A fresh store is brought up to date once; one of tomorrow is refused by everybody and left as it is. */
const migratesOnceAndRefusesTomorrow = async (env: Environment, execute: (sql: string) => Promise<void>) => {
  const first = await runConfab(['migrate'], env)
  expect(first).toEqual({ code: 0, stdout: `Schema migrated from version 0 to ${latest}.\n`, stderr: '' })
  const second = await runConfab(['migrate'], env)
  expect(second).toEqual({ code: 0, stdout: `Schema version ${latest}: up to date.\n`, stderr: '' })

  const server = startConfab(['serve'], { ...env, ...serveSettings })
  const url = await server.prints(/"url":"(http:[^"]+)"/)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  server.signal('SIGTERM')
  expect(await server.ended).toBe(0)
  expect(server.stdout).not.toContain('store.migrated')

  await execute(newer)
  expect(await runConfab(['migrate'], env)).toEqual({ code: 3, stdout: '', stderr: refusal })
  expect(await runConfab(['serve'], { ...env, ...serveSettings })).toEqual({ code: 3, stdout: '', stderr: refusal })
  const doctor = await runConfab(['doctor'], { ...env, ...serveSettings })
  expect(doctor.code).toBe(1)
  expect(doctor.stdout).toContain('FAIL  Store: The store has schema version 9999')
  // Nothing was begun on it, so the program of tomorrow finds it as it was; and this one, once it is of today again.
  await execute('DELETE FROM schema_migrations WHERE version = 9999')
  expect(await runConfab(['migrate'], env)).toEqual(second)
}

describe('confab migrate (SQLite)', () => {
  test('a fresh folder, the same again, one of a newer version', { timeout: 60_000 }, async () => {
    const folder = join(temporaryFolder(), 'not', 'there', 'yet')
    await migratesOnceAndRefusesTomorrow({ CONFAB_DATA_DIR: folder }, async (sql) => {
      const db = new DatabaseSync(join(folder, 'confab.sqlite'))
      db.exec(sql)
      db.close()
    })
  })

  test.runIf(existsSync('/proc/self'))('a folder that cannot be is named, and nobody waits for it', async () => {
    for (const folder of ['/proc/nope', '/proc/nope/deeper']) {
      for (const command of ['migrate', 'serve', 'dev']) {
        const ended = await runConfab([command], { CONFAB_DATA_DIR: folder, ...serveSettings })
        const stderr = "confab: ENOENT: no such file or directory, mkdir '/proc/nope'\n"
        expect({ command, ...ended }).toEqual({ command, code: 1, stdout: '', stderr })
      }
    }
  })

  test('a file that is no database is refused, and not touched', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'confab.sqlite')
    const text = 'my thesis, the only copy '.repeat(200)
    writeFileSync(file, text)
    const { code, stdout, stderr } = await runConfab(['migrate', '--data-dir', folder])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('not a database')
    const hash = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')
    expect(hash(readFileSync(file))).toBe(hash(text))
  })
})

describeWithPostgres('confab migrate (PostgreSQL)', (adminUrl) => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    database = await freshDatabase(adminUrl)
  })
  afterAll(() => database?.drop())

  test('a fresh database, the same again, one of a newer version', { timeout: 60_000 }, async () => {
    await migratesOnceAndRefusesTomorrow({ CONFAB_DATABASE_URL: database.url }, async (sql) => {
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      await client.query(sql)
      await client.end()
    })
  })

  test('a database that is not there is named', async () => {
    const url = new URL(database.url)
    url.pathname = '/confab_test_not_there'
    url.password = 'hunter2'
    const { code, stdout, stderr } = await runConfab(['migrate'], { CONFAB_DATABASE_URL: url.href })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('database "confab_test_not_there" does not exist')
    expect(stderr).not.toContain('hunter2')
  })
})

test('a server that cannot be reached is named, its password is not', async () => {
  const CONFAB_DATABASE_URL = 'postgres://confab:hunter2@127.0.0.1:1/confab'
  for (const command of ['migrate', 'serve']) {
    const { code, stdout, stderr } = await runConfab([command], { CONFAB_DATABASE_URL, ...serveSettings })
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'confab: connect ECONNREFUSED 127.0.0.1:1\n',
    })
  }
})
