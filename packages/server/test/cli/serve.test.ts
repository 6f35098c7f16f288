import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { type Confab, runConfab, startConfab, temporaryFolder } from './support.ts'

const KEY = 'sesame-sesame-sesame'
const settings = {
  CONFAB_HOST: '127.0.0.1',
  CONFAB_PORT: '0',
  CONFAB_APP_ID: 'my-app',
  CONFAB_REST_API_KEY: KEY,
  CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8',
}
const urlOf = (server: Confab): Promise<string> => server.prints(/"url":"(http:[^"]+)"/)

const post = async (url: string, path: string, body: unknown, onBehalfOf?: string): Promise<void> => {
  const response = await fetch(`${url}/v3${path}`, {
    method: 'POST',
    headers: {
      apikey: KEY,
      'content-type': 'application/json',
      ...(onBehalfOf !== undefined && { onbehalfof: onBehalfOf }),
    },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
}

describe('confab serve', () => {
  test('a data directory has one process; the second is told so', async () => {
    const folder = temporaryFolder()
    const server = startConfab(['serve'], { ...settings, CONFAB_DATA_DIR: folder })
    const url = await urlOf(server)
    const expected = {
      code: 4,
      stdout: '',
      stderr: `confab: The data directory ${folder} is in use by another Confab process.\n`,
    }
    for (const command of ['serve', 'dev', 'migrate']) {
      expect(await runConfab([command], { ...settings, CONFAB_DATA_DIR: folder })).toEqual(expected)
    }
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    // However it ends, the directory is free again.
    await server.kill()
    const next = startConfab(['serve'], { ...settings, CONFAB_DATA_DIR: folder })
    await urlOf(next)
    next.signal('SIGINT')
    expect(await next.ended).toBe(0)
    expect(next.stdout).toContain('server.stopped')
  })

  test('a port that is in use is named', async () => {
    const other = createServer()
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => {
        const address = other.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
    onTestFinished(() => void other.close())
    const env = { ...settings, CONFAB_DATA_DIR: temporaryFolder(), CONFAB_PORT: String(port) }
    for (const command of ['serve', 'dev']) {
      const { code, stderr } = await runConfab([command], env)
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `confab: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
      })
    }
    // It has let the directory go.
    expect((await runConfab(['migrate'], { CONFAB_DATA_DIR: env.CONFAB_DATA_DIR })).code).toBe(0)
  })

  test('without any app it says how to make one', async () => {
    const server = startConfab(['serve', '--port', '0', '--host', '127.0.0.1', '--data-dir', temporaryFolder()])
    const line = JSON.parse(await server.prints(/^(.*server\.no_app.*)$/m))
    expect(line.fix).toMatch(/CONFAB_APP_ID.*CONFAB_REST_API_KEY/)
  })

  test('flags win over the environment', async () => {
    const server = startConfab(['serve', '--port', '0', '--log-level=info'], {
      ...settings,
      CONFAB_PORT: '1',
      CONFAB_LOG_LEVEL: 'silent',
      CONFAB_DATA_DIR: temporaryFolder(),
    })
    expect(new URL(await urlOf(server)).port).not.toBe('1')
  })

  test('the second signal does not wait for what is under way', async () => {
    const receiver = await startCallbackReceiver({ behave: () => ({ kind: 'hang' }) })
    onTestFinished(() => receiver.close())
    const patience = { CONFAB_SHUTDOWN_GRACE: '1m', CONFAB_CALLBACK_TIMEOUT: '1m' }
    const server = startConfab(['serve'], { ...settings, ...patience, CONFAB_DATA_DIR: temporaryFolder() })
    const url = await urlOf(server)
    for (const uid of ['ann', 'helper']) await post(url, '/users', { uid, name: uid })
    await post(url, '/bots', { uid: 'helper', webhookURL: receiver.url, enabled: true })
    await post(url, '/messages', { receiver: 'helper', receiverType: 'user', data: { text: 'Hello!' } }, 'ann')
    await receiver.waitFor(1, 5000)
    server.signal('SIGTERM')
    await server.prints(/server\.stopping/)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(server.hasEnded).toBe(false)
    server.signal('SIGTERM')
    await vi.waitFor(() => expect(server.hasEnded).toBe(true), 3000)
    expect(await server.ended).toBe(0)
    expect(server.stdout).toContain('server.aborting')
    expect(server.stdout + server.stderr).not.toContain(KEY)
  })
})

test('what the system refuses is said in one line', async () => {
  const env = { ...settings, CONFAB_DATA_DIR: temporaryFolder() }
  const elsewhere = await runConfab(['serve', '--host', '192.0.2.1'], env)
  expect([elsewhere.code, elsewhere.stderr.split('\n').slice(1)]).toEqual([1, ['']])
  expect(elsewhere.stderr).toMatch(/^confab: listen EADDRNOTAVAIL/)
  const file = `${env.CONFAB_DATA_DIR}/file`
  writeFileSync(file, '')
  const noFolder = await runConfab(['serve', '--data-dir', file], env)
  expect([noFolder.code, noFolder.stderr.split('\n').slice(1)]).toEqual([1, ['']])
  expect(noFolder.stderr).toMatch(/^confab: EEXIST/)
})

describeWithPostgres('confab serve with PostgreSQL', (adminUrl) => {
  test('a database that is not there is named', async () => {
    const url = new URL(adminUrl)
    url.pathname = '/no_such_database'
    const { code, stderr } = await runConfab(['serve', '--port', '0'], { CONFAB_DATABASE_URL: url.href })
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'confab: database "no_such_database" does not exist\n' })
  })

  test('once it says that it listens, it can be told to stop, however slow the database is', async () => {
    const database = await freshDatabase(adminUrl)
    onTestFinished(() => database.drop())
    const env = { CONFAB_DATABASE_URL: database.url }
    expect((await runConfab(['migrate'], env)).code).toBe(0)
    const slow = new pg.Client({ connectionString: database.url })
    await slow.connect()
    await slow.query('BEGIN')
    await slow.query('LOCK TABLE apps IN ACCESS EXCLUSIVE MODE')
    const server = startConfab(['serve', '--port', '0', '--host', '127.0.0.1'], env)
    const released = new Promise((resolve) => setTimeout(resolve, 2500)).then(() => slow.end())
    await server.prints(/server\.listening/)
    server.signal('SIGTERM')
    await released
    expect(await server.ended).toBe(0)
  })
})
