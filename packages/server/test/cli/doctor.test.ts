import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../src/testing/free-port.ts'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { describeWithNats, describeWithPostgres, services } from '../../src/testing/services.ts'
import { type Ended, type Environment, runConfab, startConfab, temporaryFolder } from './support.ts'

const here = { CONFAB_HOST: '127.0.0.1', CONFAB_PORT: '0' }

const doctor = (env: Environment): Promise<Ended> => runConfab(['doctor'], { ...here, ...env })

/** What it says of each thing that it looked at. */
const findings = ({ stdout }: Ended): Record<string, string> =>
  Object.fromEntries(
    [...stdout.matchAll(/^(ok|FAIL) +([\w.]+): (.*)$/gm)].map(([, verdict, name, text]) => [
      name,
      `${verdict} ${text}`,
    ]),
  )

const failing = (ended: Ended): string[] =>
  Object.entries(findings(ended))
    .filter(([, text]) => text.startsWith('FAIL'))
    .map(([name]) => name)

const everything = ['Node.js', 'Address', 'TLS', 'Store', 'Files', 'Bus', 'Names', 'Callbacks']

const listening = (): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
    onTestFinished(() => void server.close())
  })

describe('confab doctor', () => {
  test('finds everything in order, and shows the settings without secrets', async () => {
    const folder = join(temporaryFolder(), 'data')
    const port = await freePort()
    const ended = await doctor({
      CONFAB_DATA_DIR: folder,
      CONFAB_PORT: String(port),
      CONFAB_APP_ID: 'my-app',
      CONFAB_REST_API_KEY: 'sesame-sesame-sesame',
      CONFAB_CALLBACK_ALLOW_CIDRS: '10.0.0.0/8',
    })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(Object.keys(findings(ended))).toEqual(everything)
    expect(failing(ended)).toEqual([])
    expect(findings(ended)).toMatchObject({
      'Node.js': `ok ${process.version}`,
      Address: `ok 127.0.0.1:${port} is free`,
      Store: expect.stringMatching(/^ok sqlite, schema version \d+, apps: 0, callbacks pending: 0 \(\d+ ms\)$/),
      Bus: 'ok within the process',
      Callbacks: 'ok to public addresses, and to 10.0.0.0/8',
    })
    expect(ended.stdout).toContain(`CONFAB_DATA_DIR=${folder}\n`)
    expect(ended.stdout).toContain('CONFAB_REST_API_KEY=(set)\n')
    expect(ended.stdout).toContain('CONFAB_AUTH_KEY=(unset)\n')
    expect(ended.stdout).not.toContain('sesame')
    expect(ended.stdout).toMatch(/Everything is in order\.\n$/)
    // It promises to change nothing but the schema.
    expect(existsSync(join(folder, 'confab.sqlite'))).toBe(true)
    expect(findings(await doctor({ CONFAB_DATA_DIR: folder })).Store).toContain('apps: 0')
  })

  test('finds a running server in its way, and leaves it alone', async () => {
    const folder = temporaryFolder()
    const server = startConfab(['serve'], { ...here, CONFAB_DATA_DIR: folder })
    const url = await server.prints(/"url":"(http:[^"]+)"/)
    const ended = await doctor({ CONFAB_DATA_DIR: folder, CONFAB_PORT: new URL(url).port })
    expect(ended.code).toBe(1)
    expect(failing(ended)).toEqual(['Address', 'Store'])
    expect(findings(ended).Address).toBe(`FAIL port ${new URL(url).port} is in use`)
    expect(findings(ended).Store).toBe(`FAIL The data directory ${folder} is in use by another Confab process.`)
    expect(ended.stdout).toContain('2 of 8 checks failed.')
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
  })

  test('names a port that somebody else has', async () => {
    const address = (await listening()).address()
    const port = typeof address === 'object' ? address?.port : undefined
    const ended = await doctor({ CONFAB_DATA_DIR: temporaryFolder(), CONFAB_PORT: String(port) })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 1, failing: ['Address'] })
  })

  test('names a database and a bus that cannot be reached, and no password', async () => {
    const ended = await doctor({
      CONFAB_DATA_DIR: temporaryFolder(),
      CONFAB_DATABASE_URL: 'postgres://confab:hunter2@127.0.0.1:1/confab?sslpassword=hunter3',
      CONFAB_BUS_URL: 'nats://token-of-mine@127.0.0.1:1,nats://confab:hunter4@127.0.0.1:2',
    })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 1, failing: ['Store', 'Bus'] })
    expect(findings(ended).Store).toContain('ECONNREFUSED 127.0.0.1:1')
    expect(findings(ended).Bus).toContain('no connection')
    expect(ended.stdout).toContain('CONFAB_DATABASE_URL=postgres://confab:***@127.0.0.1:1/confab')
    expect(ended.stdout + ended.stderr).not.toMatch(/hunter|token-of-mine/)
  })

  test('names a folder that is none', async () => {
    const ended = await doctor({ CONFAB_DATA_DIR: '/dev/null/data' })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 1, failing: ['Store', 'Files'] })
    expect(findings(ended).Store).toContain('/dev/null')
    expect(findings(ended).Files).toContain('/dev/null')
  })

  test('names a folder of files that takes none', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'files'), 'in the way')
    const ended = await doctor({ CONFAB_DATA_DIR: folder })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 1, failing: ['Files'] })
  })

  test('names a bucket that cannot be reached, and no secret', async () => {
    const ended = await doctor({
      CONFAB_DATA_DIR: temporaryFolder(),
      CONFAB_FILES_S3_ENDPOINT: 'http://127.0.0.1:1',
      CONFAB_FILES_S3_BUCKET: 'bucket',
      CONFAB_FILES_S3_ACCESS_KEY: 'hunter1',
      CONFAB_FILES_S3_SECRET_KEY: 'hunter2',
    })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 1, failing: ['Files'] })
    expect(findings(ended).Files).toContain('ECONNREFUSED')
    expect(ended.stdout + ended.stderr).not.toContain('hunter')
  })
})

describeWithPostgres('confab doctor with PostgreSQL', (adminUrl) => {
  test('finds the store and the bus that it carries', async () => {
    const database = await freshDatabase(adminUrl)
    onTestFinished(() => database.drop())
    const ended = await doctor({ CONFAB_DATA_DIR: temporaryFolder(), CONFAB_DATABASE_URL: database.url })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 0, failing: [] })
    expect(findings(ended).Store).toMatch(/^ok postgres, schema version \d+, /)
    expect(findings(ended).Bus).toBe('ok PostgreSQL carries it')
  })
})

describeWithNats('confab doctor with NATS', () => {
  test('finds that it answers', async () => {
    const ended = await doctor({ CONFAB_DATA_DIR: temporaryFolder(), CONFAB_BUS_URL: services().natsUrl ?? '' })
    expect({ code: ended.code, failing: failing(ended) }).toEqual({ code: 0, failing: [] })
    expect(findings(ended).Bus).toBe('ok NATS answers')
  })
})
