import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { readStore } from '../../src/testing/read-store.ts'
import { services } from '../../src/testing/services.ts'
import { describeEngines, type Engine } from '../support/server.ts'
import { type Environment, runConfab, startConfab, temporaryFolder } from './support.ts'

const here = { CONFAB_HOST: '127.0.0.1', CONFAB_PORT: '0' }

interface Place {
  readonly env: Environment
  readonly dataDir: string
  readonly databaseUrl: string | undefined
  /** Runs one statement with its values. */
  execute(sql: string, values: readonly (string | number)[]): Promise<void>
}

const placeOf = async (engine: Engine): Promise<Place> => {
  const dataDir = temporaryFolder()
  if (engine === 'sqlite') {
    return {
      env: { CONFAB_DATA_DIR: dataDir },
      dataDir,
      databaseUrl: undefined,
      execute: async (sql, values) => {
        const db = new DatabaseSync(join(dataDir, 'confab.sqlite'))
        db.prepare(sql).run(...values)
        db.close()
      },
    }
  }
  const { postgresUrl = '' } = services()
  const database = await freshDatabase(postgresUrl)
  onTestFinished(() => database.drop())
  return {
    env: { CONFAB_DATABASE_URL: database.url, CONFAB_DATA_DIR: dataDir },
    dataDir,
    databaseUrl: database.url,
    execute: async (sql, values) => {
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      await client.query(sql.replace(/\?(\d+)/g, '$$$1'), [...values]).finally(() => client.end())
    },
  }
}

interface Column {
  readonly tbl: string
  readonly name: string
  readonly isText: boolean
}

const columnsOf = async (place: Place): Promise<Map<string, readonly Column[]>> => {
  const rows = await readStore<Omit<Column, 'isText'> & { type: string }>(
    place,
    place.databaseUrl === undefined
      ? `SELECT t.name AS tbl, c.name, c.type FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`
      : `SELECT table_name AS tbl, column_name AS name, data_type AS type FROM information_schema.columns
         WHERE table_schema = 'public'`,
  )
  return Map.groupBy(
    rows.map(({ type, ...row }) => ({ ...row, isText: /text/i.test(type) })),
    ({ tbl }) => tbl,
  )
}

/** Tables that belong to the server; whatever else there is belongs to an app. */
const OF_THE_SERVER = ['master_keys', 'nodes', 'schema_migrations']

const ROWS = 3

/** What a row of an app holds: what is its own, and what binds it to the rows of the same number. */
const cellOf = ({ tbl, name, isText }: Column, app: string, n: number): string | number => {
  const number = (app === 'gone' ? 1000 : 2000) + n
  if (name === 'app_id' || (tbl === 'apps' && name === 'id')) return app
  if (name === 'delivery_id' || (tbl === 'deliveries' && name === 'id')) return `dlv_${app}_${n}`
  if (name === 'file_id' || (tbl === 'files' && name === 'id'))
    return createHash('sha1').update(`${number}`).digest('hex')
  return isText ? `${app}-${n}` : number
}

const furnish = async (place: Place, app: string): Promise<void> => {
  for (const [table, columns] of await columnsOf(place)) {
    if (OF_THE_SERVER.includes(table) || table === 'apps') continue
    for (let n = 0; n < ROWS; n++) {
      const names = columns.map(({ name }) => `"${name}"`).join(', ')
      const marks = columns.map((_, index) => `?${index + 1}`).join(', ')
      const identity = place.databaseUrl === undefined ? '' : 'OVERRIDING SYSTEM VALUE'
      await place.execute(
        `INSERT INTO ${table} (${names}) ${identity} VALUES (${marks})`,
        columns.map((column) => cellOf(column, app, n)),
      )
    }
  }
}

/** Every row of every table, as text. */
const dump = async (place: Place): Promise<Map<string, string[]>> => {
  const tables = [...(await columnsOf(place)).keys()].filter((table) => !OF_THE_SERVER.includes(table)).sort()
  const dumped = new Map<string, string[]>()
  for (const table of tables) {
    const rows = await readStore(place, `SELECT * FROM ${table}`)
    dumped.set(table, rows.map((row) => JSON.stringify(row)).sort())
  }
  return dumped
}

const app = async (place: Place, ...args: string[]) => {
  const { code, stdout, stderr } = await runConfab(['app', ...args, '--json'], place.env)
  return { code, stderr, json: stdout === '' ? undefined : JSON.parse(stdout) }
}

describeEngines('confab app', (engine) => {
  test('apps are made, listed, opened by their keys alone, and get new keys', { timeout: 180_000 }, async () => {
    const place = await placeOf(engine)
    expect(await app(place, 'list')).toEqual({ code: 0, stderr: '', json: [] })
    const made = await app(place, 'create', '--id', 'Shop', '--name', 'The Shop')
    expect(made.json).toMatchObject({ id: 'shop', name: 'The Shop', createdAt: expect.any(Number) })
    const [rest, auth] = made.json.keys
    expect(rest).toEqual({ name: 'Rest API Key', scope: 'fullAccess', apiKey: expect.stringMatching(/^[0-9a-f]{40}$/) })
    expect(auth).toEqual({ name: 'Auth Key', scope: 'authOnly', apiKey: expect.stringMatching(/^[0-9a-f]{40}$/) })
    const again = await app(place, 'create', '--id=shop')
    expect([again.code, again.stderr]).toEqual([1, 'confab app: there is an app shop already\n'])

    const plain = await runConfab(['app', 'create'], place.env)
    const [, id] = /app id +(\w{16})/.exec(plain.stdout) ?? []
    expect(plain.stdout).toMatch(/Rest API Key +[0-9a-f]{40} +\(fullAccess\)\n +Auth Key +[0-9a-f]{40} +\(authOnly\)/)
    const listed = await app(place, 'list')
    expect(listed.json.map((row: { id: string }) => row.id).sort()).toEqual(['shop', id].sort())
    expect(JSON.stringify(listed.json)).not.toMatch(/[0-9a-f]{40}/)

    const kept = await app(place, 'rotate-key', 'shop', '--keep-old')
    expect(kept.json).toMatchObject({ id: 'shop', removed: 0, keys: [{ name: 'Rest API Key', scope: 'fullAccess' }] })
    const rotated = await app(place, 'rotate-key', 'shop')
    expect(rotated.json.removed).toBe(2)
    const rotatedAuth = await app(place, 'rotate-key', 'SHOP', '--scope', 'authOnly')
    expect(rotatedAuth.json).toMatchObject({ removed: 1, keys: [{ name: 'Auth Key', scope: 'authOnly' }] })

    const server = startConfab(['serve'], { ...place.env, ...here })
    const url = await server.prints(/"url":"(http:[^"]+)"/)
    const ask = async (apikey: string, appid = 'shop') => {
      const response = await fetch(`${url}/v3/users`, { headers: { apikey, appid } })
      const { error } = (await response.json()) as { error?: { code: string } }
      return error?.code ?? response.status
    }
    const [newKey] = rotated.json.keys
    expect(await ask(newKey.apiKey)).toBe(200)
    expect(await ask(newKey.apiKey, id)).toBe('AUTH_ERR_APIKEY_NOT_FOUND')
    expect(await ask(rest.apiKey)).toBe('AUTH_ERR_APIKEY_NOT_FOUND')
    expect(await ask(kept.json.keys[0].apiKey)).toBe('AUTH_ERR_APIKEY_NOT_FOUND')
    expect(await ask(auth.apiKey)).toBe('AUTH_ERR_APIKEY_NOT_FOUND')
    expect(await ask(rotatedAuth.json.keys[0].apiKey)).toBe('AUTH_ERR_NO_ACCESS')

    const beside = await app(place, 'list')
    if (engine === 'sqlite') {
      expect(beside.code).toBe(4)
      expect(beside.stderr).toContain('With the embedded store, stop the server first')
    } else expect(beside).toEqual({ ...listed, stderr: '' })
  })

  test('an app is deleted with all that it has, and another is as it was', { timeout: 180_000 }, async () => {
    const place = await placeOf(engine)
    for (const id of ['gone', 'stays']) {
      expect((await app(place, 'create', '--id', id)).code).toBe(0)
      await furnish(place, id)
    }
    const fileOf = (id: string): string => {
      const file = String(cellOf({ tbl: 'files', name: 'id', isText: true }, id, 0))
      return join(place.dataDir, 'files', 'stored', id, file.slice(0, 2), file)
    }
    for (const id of ['gone', 'stays']) {
      mkdirSync(dirname(fileOf(id)), { recursive: true })
      writeFileSync(fileOf(id), 'x')
    }
    const before = await dump(place)
    for (const [table, rows] of before) {
      const has = (id: string): boolean => rows.some((row) => row.includes(id))
      const isBound = rows.length === 2 * ROWS && /message_id|delivery_id/.test(rows[0] ?? '')
      expect([table, isBound || (has('gone') && has('stays'))]).toEqual([table, true])
    }
    const unsaid = await app(place, 'delete', 'gone')
    expect([unsaid.code, unsaid.stderr.includes('--yes')]).toEqual([2, true])
    const named = await runConfab(['app', 'delete', 'gone', '--yes'], { ...place.env, CONFAB_APP_ID: 'gone' })
    expect([named.code, named.stderr]).toMatchObject([1, expect.stringContaining('CONFAB_APP_ID names the app gone')])
    expect(await dump(place)).toEqual(before)

    // Killed on its way: what was begun is brought to its end by the next one.
    const killed = startConfab(['app', 'delete', 'gone', '--yes'], place.env)
    await new Promise((resolve) => setTimeout(resolve, 700))
    await killed.kill()
    const ended = await app(place, 'delete', 'gone', '--yes')
    const isThereNoMore = ended.code === 1 && ended.stderr === 'confab app: there is no app gone\n'
    expect(isThereNoMore || ended.code).toBe(isThereNoMore ? true : 0)

    const numberOfGone = /":100[0-2]\b/
    const expected = new Map(
      [...before].map(([table, rows]) => [table, rows.filter((row) => !/gone/.test(row) && !numberOfGone.test(row))]),
    )
    const after = await dump(place)
    const deletions = after.get('audit_log')?.filter((row) => row.includes('"app delete"')) ?? []
    expect(deletions.every((row) => row.includes('"app_id":""') && row.includes('"target":"gone"'))).toBe(true)
    after.set('audit_log', after.get('audit_log')?.filter((row) => !deletions.includes(row)) ?? [])
    expect(after).toEqual(expected)
    expect([existsSync(fileOf('gone')), existsSync(fileOf('stays'))]).toEqual([false, true])
    expect((await app(place, 'delete', 'gone', '--yes')).stderr).toBe('confab app: there is no app gone\n')
    expect((await app(place, 'rotate-key', 'gone')).code).toBe(1)
  })
})

test.each([
  [[], 'say what to do'],
  [['crate'], 'there is no command app crate. Did you mean create?'],
  [['create', 'shop'], 'there are too many words'],
  [['create', '--id', 'not an id', '--name', ''], '--id must be 1 to 63 characters'],
  [['create', '--name', 'x'.repeat(101)], '--name must be 1 to 100 characters'],
  [['list', '--yes'], '--yes is not for list'],
  [['delete', '--yes'], 'the id of the app is missing'],
  [['rotate-key', 'shop', '--scope', 'all'], '--scope must be one of authOnly, fullAccess'],
])('confab app %j ends with exit code 2, and nothing has begun', async (args, problem) => {
  const folder = join(temporaryFolder(), 'none')
  const { code, stdout, stderr } = await runConfab(['app', ...args], { CONFAB_DATA_DIR: folder })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(problem)
  expect(stderr).toContain('Usage: confab app create')
  expect(existsSync(folder)).toBe(false)
})

test('a key that the configuration names comes back at the next start: that is said', async () => {
  const env = { CONFAB_DATA_DIR: temporaryFolder(), CONFAB_APP_ID: 'shop', CONFAB_REST_API_KEY: 'sesame-sesame-sesame' }
  expect((await runConfab(['app', 'create', '--id', 'shop'], env)).code).toBe(0)
  const { code, stderr } = await runConfab(['app', 'rotate-key', 'shop'], env)
  expect(code).toBe(0)
  expect(stderr).toContain('CONFAB_REST_API_KEY is set; set it to the new key')
  expect(stderr).not.toContain('sesame')
})
