/** `confab import`: a file into the store, as often as one likes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { type Environment, runConfab, startConfab, temporaryFolder } from './support.ts'

const settings = {
  CONFAB_APP_ID: 'shop',
  CONFAB_REST_API_KEY: 'f'.repeat(40),
  CONFAB_PORT: '0',
  CONFAB_HOST: '127.0.0.1',
}

const fileOf = (rows: readonly unknown[]): string => {
  const file = join(temporaryFolder(), 'rows.ndjson')
  writeFileSync(file, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  return file
}

const users = Array.from({ length: 1000 }, (_, n) => ({ user: { uid: `u${n}`, name: `U ${n}`, createdAt: 5 } }))

/** What the server says after the import. */
const servedName = async (env: Environment): Promise<unknown> => {
  const server = startConfab(['serve'], { ...env, ...settings })
  const url = await server.prints(/"url":"(http:[^"]+)"/)
  const answer = await fetch(`${url}/v3/users/u999`, { headers: { apikey: settings.CONFAB_REST_API_KEY } })
  server.signal('SIGTERM')
  await server.ended
  return ((await answer.json()) as { data: { name: string } }).data.name
}

const importsAndResumes = async (store: Environment): Promise<void> => {
  const env = { ...store, ...settings }
  const file = fileOf([...users, 'not JSON'])
  const first = await runConfab(['import', file], env)
  expect([first.code, first.stderr]).toEqual([1, 'Line 1001: 1000 imported, 0 were there, 1 failed.\n'])
  expect(JSON.parse(first.stdout)).toMatchObject({ line: 1001, success: false, error: { code: 'ERR_BAD_REQUEST' } })
  const rest = await runConfab(['import', file, '--from-line', '991', '--log-level', 'warn'], env)
  expect(rest.stderr).toBe('Line 1001: 0 imported, 10 were there, 1 failed.\n')
  const good = await runConfab(['import', fileOf(users.slice(0, 5)), '--from-line=3'], env)
  expect(good).toEqual({ code: 0, stdout: '', stderr: 'Line 5: 0 imported, 3 were there, 0 failed.\n' })
  expect(await servedName(store)).toBe('U 999')
}

describe('confab import (SQLite)', () => {
  test('imports, again, and from a line on', { timeout: 60_000 }, () =>
    importsAndResumes({ CONFAB_DATA_DIR: temporaryFolder() }),
  )

  test('not beside a server, not without an app, not without a file', { timeout: 60_000 }, async () => {
    const env = { CONFAB_DATA_DIR: temporaryFolder() }
    const file = fileOf(users)
    expect(await runConfab(['import', file], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('which app?'),
    })
    expect(await runConfab(['import'], env)).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage') })
    expect(await runConfab(['import', file, '--from-line', '0'], env)).toMatchObject({ code: 2 })
    expect(await runConfab(['import', '/nowhere'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^confab: ENOENT.*\n$/),
    })
    const server = startConfab(['serve'], { ...env, ...settings })
    await server.prints(/server\.listening/)
    expect(await runConfab(['import', file], { ...env, ...settings })).toMatchObject({ code: 4 })
  })
})

describeWithPostgres('confab import (PostgreSQL)', (adminUrl) => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    database = await freshDatabase(adminUrl)
  })
  afterAll(() => database?.drop())

  test('imports, again, and from a line on', { timeout: 60_000 }, () =>
    importsAndResumes({ CONFAB_DATABASE_URL: database.url }),
  )
})
