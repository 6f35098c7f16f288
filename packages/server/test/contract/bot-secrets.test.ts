/**
 * Secrets of bots at rest: what lies in the store, which key opens it, and what becomes of a server that has another one
 * or none. What is stored is read past the server; that it works is shown by callbacks.
 */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { newMasterKey, parseMasterKey } from '../../src/kernel/vault.ts'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { type FreshDatabase, freshDatabase } from '../../src/testing/postgres.ts'
import { services } from '../../src/testing/services.ts'
import { type Ended, runConfab, temporaryFolder } from '../cli/support.ts'
import { attemptsOf, makeBot, makeUsers, query, say, signatureOf } from '../delivery/support.ts'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { execute } from '../support/vault.ts'

// Most of these start the program several times.
vi.setConfig({ testTimeout: 120_000 })

const WAIT_MS = 15_000
const PASSWORD = 'hush-hush-hush-hush'
const SECRETS = /^whsec_/

interface Row {
  readonly uid: string
  readonly signing_secret: string
  readonly previous_secret: string | null
  readonly password: string | null
}

const idOf = (key: string): string => parseMasterKey(key)?.id ?? 'no key'

describeEngines('secrets at rest', (engine) => {
  let folder: string
  let database: FreshDatabase | undefined
  let receiver: CallbackReceiver
  let server: TestServer | undefined
  /** The app stays the same from one server to the next. */
  const app = { appId: 'my-app', restApiKey: 'sesame-sesame-sesame', authKey: 'barley-barley-barley' }

  beforeEach(async () => {
    folder = temporaryFolder()
    const { postgresUrl } = services()
    if (engine === 'postgres' && postgresUrl !== undefined) database = await freshDatabase(postgresUrl)
    receiver = await startCallbackReceiver()
  })
  afterEach(async () => {
    await server?.dispose()
    await receiver.close()
    await database?.drop()
    server = undefined
    database = undefined
  })

  const start = async (env: Readonly<Record<string, string>> = {}): Promise<TestServer> => {
    await server?.stop()
    server = await startServer({ engine, ...app, env, dataDir: folder, ...(database && { databaseUrl: database.url }) })
    return server
  }
  const storage = (): Record<string, string> => ({
    CONFAB_DATA_DIR: folder,
    ...(database && { CONFAB_DATABASE_URL: database.url }),
  })
  /** A command on the same store, to its end. */
  const run = async (command: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    await server?.stop()
    return runConfab([command], { ...storage(), CONFAB_HOST: '127.0.0.1', CONFAB_PORT: '0', ...env })
  }
  const rows = (of: TestServer): Promise<readonly Row[]> =>
    query<Row>(of, 'SELECT uid, signing_secret, previous_secret, password FROM bots ORDER BY uid')
  const keyFile = (): string => join(folder, 'master.key')
  const newBot = async (of: TestServer, uid: string): Promise<string> =>
    makeBot(of, uid, { webhookURL: `${receiver.url}/${uid}`, useBasicAuth: true, username: 'me', password: PASSWORD })
  const values = (all: readonly Row[]): string[] =>
    all.flatMap(({ signing_secret, previous_secret, password }) =>
      [signing_secret, previous_secret, password].filter((value) => value !== null),
    )

  /** A callback arrives, signed with these secrets, and with the password. */
  const expectWorking = async (of: TestServer, bot: string, ...secrets: readonly string[]): Promise<void> => {
    const before = receiver.received.length
    await say(of, 'ann', bot, 'hello')
    const received = (await receiver.waitFor(before + 1, WAIT_MS))[before]!
    expect(received.path).toContain(`/${bot}`)
    expect(received.headers['webhook-signature']).toBe(secrets.map((one) => signatureOf(one, received)).join(' '))
    const basic = Buffer.from(`me:${PASSWORD}`).toString('base64')
    expect(received.headers.authorization).toBe(`Basic ${basic}`)
  }
  /** One line says what is wrong; nothing listens, nothing secret is shown. */
  const expectRefusal = ({ code, stdout, stderr }: Ended, message: RegExp): void => {
    expect({ code, listens: stdout.includes('server.listening') }).toEqual({ code: 2, listens: false })
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toMatch(/CONFAB_MASTER_KEY/)
  }

  test('with a key nothing of them lies in the store, and everything works', async () => {
    const CONFAB_MASTER_KEY = newMasterKey()
    const of = await start({ CONFAB_MASTER_KEY })
    await makeUsers(of, 'ann')
    const first = await newBot(of, 'bot')
    await expectWorking(of, 'bot', first)
    const { data } = await new Api(of).ok('POST', '/bots/bot/secret/rotate', { body: { overlapSeconds: 600 } })
    await of.client.request('PUT', '/bots/bot', { body: { password: PASSWORD, username: 'me' } })
    const stored = values(await rows(of))
    expect(stored).toHaveLength(3)
    for (const value of stored) expect(value).toMatch(new RegExp(`^v1:${idOf(CONFAB_MASTER_KEY)}:`))
    await of.restart()
    await expectWorking(of, 'bot', data.signingSecret, first)
    expect(of.log.join('\n')).not.toContain(CONFAB_MASTER_KEY.slice(0, 20))
    expect(of.lines.filter((line) => line.msg === 'secrets.in_clear')).toEqual([])
    if (engine === 'sqlite') {
      expect(existsSync(keyFile())).toBe(false)
      await of.stop()
      const file = readFileSync(join(folder, 'confab.sqlite'), 'latin1')
      expect(file).toContain(stored[0])
      for (const text of [first, data.signingSecret, PASSWORD, CONFAB_MASTER_KEY]) expect(file).not.toContain(text)
    }
  })

  test('a value that was moved to another bot, or was changed, signs nothing', async () => {
    const of = await start({ CONFAB_MASTER_KEY: newMasterKey() })
    await makeUsers(of, 'ann')
    const secrets = [await newBot(of, 'bot-a'), await newBot(of, 'bot-b'), await newBot(of, 'bot-c')]
    const [a, b] = await rows(of)
    await execute(of, database?.url, [
      `UPDATE bots SET signing_secret = '${b?.signing_secret}' WHERE uid = 'bot-a'`,
      `UPDATE bots SET password = '${a?.signing_secret}' WHERE uid = 'bot-b'`,
    ])
    await of.restart()
    for (const bot of ['bot-a', 'bot-b']) {
      await say(of, 'ann', bot, 'hello')
      await vi.waitFor(async () => {
        const [attempt] = await attemptsOf(of, bot)
        expect(attempt).toMatchObject({ outcome: 'ours:secrets', status: null, address: null })
        expect(attempt?.error).toMatch(/cannot be read/)
      }, WAIT_MS)
    }
    await expectWorking(of, 'bot-c', secrets[2]!)
    expect(receiver.received).toHaveLength(1)
    expect(JSON.stringify(await attemptsOf(of, 'bot-a'))).not.toMatch(/whsec_|hush/)
  })

  test('a wrong key, or none, is found out at the start', async () => {
    const CONFAB_MASTER_KEY = newMasterKey()
    const of = await start({ CONFAB_MASTER_KEY })
    await makeUsers(of, 'ann')
    const secret = await newBot(of, 'bot')
    const before = values(await rows(of))
    const wrong = newMasterKey()
    for (const command of ['serve', 'migrate']) {
      const refused = await run(command, { CONFAB_MASTER_KEY: wrong })
      expectRefusal(refused, new RegExp(`master key of id ${idOf(CONFAB_MASTER_KEY)}; given: ${idOf(wrong)}\\.`))
      expect(refused.stderr + refused.stdout).not.toContain(wrong.slice(0, 20))
    }
    expectRefusal(await run('dev'), new RegExp(`master key of id ${idOf(CONFAB_MASTER_KEY)}; none is given\\.`))
    const doctor = await run('doctor', { CONFAB_MASTER_KEY: wrong })
    expect(doctor.code).toBe(1)
    expect(doctor.stdout).toContain(`FAIL  Store: The store holds secrets that are encrypted with the master key`)
    // None of them has made or changed anything.
    expect(existsSync(keyFile())).toBe(false)
    expect(values(await rows(of))).toEqual(before)
    await expectWorking(await start({ CONFAB_MASTER_KEY }), 'bot', secret)
  })

  test('the key is changed: read with the old one, then sealed with the new one, which alone is needed', async () => {
    const [old, next] = [newMasterKey(), newMasterKey()]
    const of = await start({ CONFAB_MASTER_KEY: old })
    await makeUsers(of, 'ann')
    const first = await newBot(of, 'bot')
    const { data } = await new Api(of).ok('POST', '/bots/bot/secret/rotate', { body: { overlapSeconds: 600 } })
    const both = { CONFAB_MASTER_KEY: next, CONFAB_MASTER_KEY_PREVIOUS: old }
    const between = await start(both)
    await expectWorking(between, 'bot', data.signingSecret, first)
    // Several nodes may not have the new key yet: PostgreSQL's values wait for `migrate`.
    const idsNow = async () => new Set(values(await rows(between)).map((value) => value.split(':')[1]))
    expect(await idsNow()).toEqual(new Set([idOf(engine === 'sqlite' ? next : old)]))
    if (engine === 'postgres') expectRefusal(await run('serve', { CONFAB_MASTER_KEY: next }), new RegExp(idOf(old)))
    const migrated = await run('migrate', both)
    expect(migrated).toMatchObject({ code: 0, stderr: '' })
    expect(migrated.stdout.includes(`Secrets encrypted with the master key ${idOf(next)}: 3.`)).toBe(
      engine === 'postgres',
    )
    expect(await idsNow()).toEqual(new Set([idOf(next)]))
    await expectWorking(await start({ CONFAB_MASTER_KEY: next }), 'bot', data.signingSecret, first)
    expectRefusal(await run('serve', { CONFAB_MASTER_KEY: old }), new RegExp(`given: ${idOf(old)}`))
  })

  test('what an older version stored in clear is read, and encrypted', async () => {
    const of = await start(engine === 'sqlite' ? { CONFAB_MASTER_KEY: newMasterKey() } : {})
    await makeUsers(of, 'ann')
    const bots = ['bot-a', 'bot-b']
    const secrets: string[] = []
    for (const bot of bots) secrets.push(await newBot(of, bot))
    await of.stop()
    await execute(of, database?.url, [
      'DELETE FROM master_keys',
      ...bots.map(
        (bot, at) => `UPDATE bots SET signing_secret = '${secrets[at]}', password = '${PASSWORD}' WHERE uid = '${bot}'`,
      ),
    ])
    const CONFAB_MASTER_KEY = newMasterKey()
    if (engine === 'postgres') {
      const still = await start({ CONFAB_MASTER_KEY })
      await expectWorking(still, 'bot-a', secrets[0]!)
      expect(values(await rows(still)).filter((value) => SECRETS.test(value))).toHaveLength(2)
      // The next write encrypts what it writes.
      await still.client.request('PUT', '/bots/bot-b', { body: { password: PASSWORD } })
      expect((await rows(still))[1]?.password).toMatch(/^v1:/)
      const { stdout } = await run('migrate', { CONFAB_MASTER_KEY })
      expect(stdout).toContain(`Secrets encrypted with the master key ${idOf(CONFAB_MASTER_KEY)}: 3.`)
      expect((await run('migrate', { CONFAB_MASTER_KEY })).stdout).not.toContain('Secrets')
    }
    const now = await start({ CONFAB_MASTER_KEY })
    const said = now.lines.filter((line) => line.msg === 'secrets.encrypted').map(({ sealed }) => sealed)
    expect(said).toEqual(engine === 'sqlite' ? [4] : [])
    expect(values(await rows(now))).toHaveLength(4)
    for (const value of values(await rows(now))) expect(value).toMatch(/^v1:/)
    for (const [at, bot] of bots.entries()) await expectWorking(now, bot, secrets[at]!)
  })

  if (engine === 'postgres')
    test('without a key they lie in clear, and a warning says so', async () => {
      const of = await start()
      await makeUsers(of, 'ann')
      const secret = await newBot(of, 'bot')
      await expectWorking(of, 'bot', secret)
      expect(values(await rows(of)).sort()).toEqual([PASSWORD, secret].sort())
      await of.stop()
      const [warning, ...more] = of.lines.filter((line) => line.msg === 'secrets.in_clear')
      expect([warning?.level, more]).toEqual([40, []])
      expect(warning?.fix).toMatch(/CONFAB_MASTER_KEY/)
      expect(existsSync(keyFile())).toBe(false)
    })
  else
    describe('the key file', () => {
      test('is made once, for its owner alone; without it the store does not open', async () => {
        const of = await start()
        await makeUsers(of, 'ann')
        const secret = await newBot(of, 'bot')
        const key = readFileSync(keyFile(), 'utf8')
        expect(statSync(keyFile()).mode & 0o777).toBe(0o600)
        for (const value of values(await rows(of))) expect(value).toMatch(new RegExp(`^v1:${idOf(key.trim())}:`))
        await of.restart()
        await expectWorking(of, 'bot', secret)
        expect(readFileSync(keyFile(), 'utf8')).toBe(key)
        expect((await run('doctor')).stdout).toMatch(/ok {4}Store: sqlite/)

        renameSync(keyFile(), `${keyFile()}.elsewhere`)
        expectRefusal(await run('serve'), /none is given.*master\.key/)
        expect(existsSync(keyFile())).toBe(false)
        writeFileSync(keyFile(), 'not a key\n')
        const damaged = await run('serve')
        expect(damaged).toMatchObject({ code: 2, stderr: expect.stringMatching(/master\.key holds no master key/) })
        expect(readFileSync(keyFile(), 'utf8')).toBe('not a key\n')
        renameSync(`${keyFile()}.elsewhere`, keyFile())
        await expectWorking(await start(), 'bot', secret)
      })

      test('yields to the setting, and is then of no use any more', async () => {
        const of = await start()
        await makeUsers(of, 'ann')
        const secret = await newBot(of, 'bot')
        const CONFAB_MASTER_KEY = newMasterKey()
        const now = await start({ CONFAB_MASTER_KEY })
        for (const value of values(await rows(now))) expect(value).toContain(idOf(CONFAB_MASTER_KEY))
        await now.stop()
        renameSync(keyFile(), `${keyFile()}.elsewhere`)
        await now.start()
        await expectWorking(now, 'bot', secret)
        // And back again, to a file that is made anew.
        const back = await start({ CONFAB_MASTER_KEY_PREVIOUS: CONFAB_MASTER_KEY })
        expect(existsSync(keyFile())).toBe(true)
        await expectWorking(back, 'bot', secret)
        await expectWorking(await start(), 'bot', secret)
      })
    })
})

describeEngines('passwords in answers', (engine) => {
  test('are shown only if the operator says so', async () => {
    const webhookURL = 'https://bot.example/callback'
    const server = await startServer({ engine, env: { CONFAB_COMPAT_SHOW_BOT_PASSWORD: 'true' } })
    try {
      const api = new Api(server)
      for (const uid of ['bot', 'constructor', 'empty']) {
        await api.ok('POST', '/users', { body: { uid, name: uid } })
        await api.ok('POST', '/bots', { body: { uid, webhookURL } })
      }
      expect((await api.ok('GET', '/bots/bot')).data).not.toHaveProperty('password')
      const login = { useBasicAuth: true, username: 'me', password: PASSWORD }
      expect((await api.ok('PUT', '/bots/bot', { body: login })).data).toMatchObject(login)
      await api.ok('PUT', '/bots/empty', { body: { ...login, password: '' } })
      expect((await api.ok('GET', '/bots/BOT')).data.password).toBe(PASSWORD)
      const list = (await api.ok('GET', '/bots')).data
      expect(list.map(({ uid, password }: { uid: string; password?: string }) => [uid, password])).toEqual([
        ['bot', PASSWORD],
        ['constructor', undefined],
        ['empty', undefined],
      ])
      expect((await api.ok('GET', '/bots', { query: { searchKey: 'nobody' } })).data).toEqual([])
      await api.ok('DELETE', '/bots/bot')
      const made = (await api.ok('POST', '/bots', { body: { uid: 'bot', webhookURL, ...login } })).data
      expect(made).toMatchObject({ password: PASSWORD, signingSecret: expect.stringMatching(SECRETS) })
      expect((await api.ok('POST', '/bots/bot/secret/rotate')).data.password).toBe(PASSWORD)
      await server.stop()
      expect(server.log.join('\n')).not.toContain(PASSWORD)
    } finally {
      await server.dispose()
    }
  })
})
