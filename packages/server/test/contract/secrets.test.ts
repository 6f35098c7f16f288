/**
 * Nothing secret leaves the server by a way that is not its own: not in the log, at its most talkative and when something
 * breaks, not in errors, metrics or documents, not in answers that are about something else. Every secret here is also
 * seen to work, so that looking for it can find something.
 */
import { scryptSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { services } from '../../src/testing/services.ts'
import { query, signatureOf } from '../delivery/support.ts'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { type PasswordGate, startPasswordGate } from '../support/password-gate.ts'
import { nameOf, operationOf } from '../support/routes.ts'
import { toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { CUT_OFF, execute, fresh, mine, Vault } from '../support/vault.ts'

interface Answered {
  readonly operation: string
  readonly status: number
  readonly text: string
}

const TOKENS = ['GET /users/:uid/auth_tokens', 'POST /users/:uid/auth_tokens', 'GET /users/:uid/auth_tokens/:authToken']
const KEYS = ['GET /apikeys', 'GET /apikeys/:apiKey']
const SAID = ['POST /messages', 'GET /messages']
const URLS = ['POST /bots', 'GET /bots', 'GET /bots/:uid', 'PUT /bots/:uid']

describeEngines('secrets', (engine) => {
  const vault = new Vault()
  const answers: Answered[] = []
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let gate: PasswordGate | undefined
  let database: Awaited<ReturnType<typeof freshDatabase>> | undefined

  const note = (method: string, path: string, status: number, text: string): void => {
    const route = operationOf(method, path)?.route
    answers.push({ operation: route === undefined ? '' : nameOf(route), status, text })
  }
  const ask = async (method: string, path: string, options: CallOptions = {}): Promise<Json> => {
    const { status, text, json } = await api.call(method, path, options)
    note(method, path, status, text)
    return { status, code: json?.error?.code, data: json?.data }
  }
  const ok = async (method: string, path: string, options: CallOptions = {}): Promise<Json> => {
    const { status, data } = await ask(method, path, options)
    expect([method, path, status]).toEqual([method, path, 200])
    return data
  }
  const fails = async (code: string, method: string, path: string, options: CallOptions = {}): Promise<void> => {
    expect([method, path, (await ask(method, path, options)).code]).toEqual([method, path, code])
  }
  /** `Api` takes none of our own failures. */
  const breaks = async (method: string, path: string, body: object): Promise<void> => {
    const response = await fetch(`${server.url}/v3${path}`, {
      method,
      headers: { apikey: server.restApiKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    note(method, path, response.status, text)
    expect([path, response.status, JSON.parse(text).error?.code]).toEqual([path, 500, 'ERR_EXCEPTION'])
  }

  beforeAll(async () => {
    receiver = await startCallbackReceiver()
    const { postgresUrl } = services()
    if (engine === 'postgres' && postgresUrl !== undefined) {
      database = await freshDatabase(postgresUrl)
      const password = new URL(postgresUrl).password || fresh()
      gate = await startPasswordGate(database.url, vault.keep('password of the database', password))
    }
    server = await startServer({
      engine,
      restApiKey: vault.make('REST API key', KEYS),
      authKey: vault.make('auth key', KEYS),
      env: { CONFAB_LOG_LEVEL: 'trace', CONFAB_RETRY_SCHEDULE: '50ms', CONFAB_RETRY_FOR: '200ms' },
      ...(gate && { databaseUrl: gate.url }),
    })
    api = new Api(server)
  })
  afterAll(async () => {
    await server?.dispose()
    await gate?.close()
    await database?.drop()
    await receiver?.close()
  })

  test('keys', async () => {
    for (const uid of ['ann', 'bob', 'bot', 'broken']) await ok('POST', '/users', { body: { uid, name: uid } })
    await ok('POST', '/users', { key: server.authKey, body: { uid: 'cara', name: 'Cara' } })
    await ok('GET', '/apikeys')
    vault.use('REST API key', 'auth key')
    const { apiKey } = await ok('POST', '/apikeys', { body: { name: 'Spare', scope: 'fullAccess' } })
    vault.keep('spare key', apiKey, [...KEYS, 'POST /apikeys', 'PUT /apikeys/:apiKey'])
    await ok('GET', '/users', { key: apiKey })
    vault.use('spare key')
    await ok('GET', `/apikeys/${apiKey}`)
    await fails('AUTH_ERR_NO_ACCESS', 'GET', '/users', { key: server.authKey })
    await fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/users', { key: vault.make('wrong key') })
    const bearer = { authorization: `Bearer ${vault.make('key in a header')}` }
    await fails('AUTH_ERR_EMPTY_APIKEY', 'GET', '/users', { key: null, headers: bearer })
    await fails('AUTH_ERR_EMPTY_APIKEY', 'GET', '/users', {
      key: null,
      query: { apikey: vault.make('key in a query') },
    })
    await fails('ERR_APIKEY_NOT_FOUND', 'GET', `/apikeys/${vault.make('key in a path')}`)
    await fails('ERR_API_NOT_FOUND', 'GET', `/nothing/${vault.make('key in an unknown path')}`)
    vault.use('wrong key', 'key in a header', 'key in a query', 'key in a path', 'key in an unknown path')
  })

  test('auth tokens', async () => {
    const body = { uid: 'dan', name: 'Dan', withAuthToken: true }
    const { authToken: first } = await ok('POST', '/users', { body })
    vault.keep('first token', first, [...TOKENS, 'POST /users'])
    const { authToken: second } = await ok('POST', '/users/dan/auth_tokens', { body: { force: true } })
    vault.keep('second token', second, [...TOKENS, 'PUT /users/:uid/auth_tokens/:authToken'])
    expect((await ok('GET', `/users/dan/auth_tokens/${first}`)).uid).toBe('dan')
    expect((await ok('PUT', `/users/dan/auth_tokens/${second}`, { body: { platform: 'web' } })).uid).toBe('dan')
    expect(await ok('GET', '/users/dan/auth_tokens')).toHaveLength(2)
    await ok('GET', '/users/dan')
    await fails('ERR_AUTH_TOKEN_NOT_FOUND', 'GET', `/users/dan/auth_tokens/${vault.make('wrong token')}`)
    await fails('ERR_AUTHTOKEN_NOT_ACCESSIBLE', 'DELETE', `/users/ann/auth_tokens/${first}`)
    vault.use('first token', 'second token', 'wrong token')
  })

  test('passwords of groups', async () => {
    const body = { guid: 'club', name: 'Club', type: 'password', password: vault.make('password of the group') }
    await ok('POST', '/groups', { body })
    await ok('PUT', '/groups/club', { body: { name: 'The Club' } })
    await ok('GET', '/groups/club', { onBehalfOf: 'ann' })
    await ok('GET', '/groups')
    const [row] = await query<{ password_hash: string }>(server, `SELECT password_hash FROM groups WHERE guid = 'club'`)
    const hash = vault.keep('hash of the password of the group', row?.password_hash.split('$')[2] ?? '')
    const salt = Buffer.from(row?.password_hash.split('$')[1] ?? '', 'base64')
    expect(scryptSync(body.password, salt, 32).toString('base64')).toBe(hash)
    vault.use('password of the group', 'hash of the password of the group')
  })

  test('what a bot is called with', async () => {
    const password = vault.make('password of the bot')
    const webhookURL = `${receiver.url}?token=${vault.make('token in the callback URL', URLS)}`
    const login = { useBasicAuth: true, username: 'confab', password }
    const bot = await ok('POST', '/bots', { body: { uid: 'bot', webhookURL, enabled: true, ...login } })
    const secret = vault.keep('signing secret', bot.signingSecret, ['POST /bots'])
    const basic = vault.keep('Basic credentials', Buffer.from(`confab:${password}`).toString('base64'))
    // A bot that is none too careful with what it is told.
    receiver.setBehaviour(({ headers }) => ({
      status: 500,
      headers: { 'x-echo': String(headers.authorization) },
      body: `no: ${headers.authorization} ${password} ${secret}`,
    }))
    await ok('POST', '/messages', { body: toUser('bot', vault.make('what was said', SAID)), onBehalfOf: 'ann' })
    const [first] = await receiver.waitFor(2, 5000)
    expect(first?.headers.authorization).toBe(`Basic ${basic}`)
    expect(first?.path).toContain(webhookURL.split('token=')[1])
    expect(first?.headers['webhook-signature']).toBe(signatureOf(secret, first!))
    for (const path of ['/bots', '/bots/bot', '/users/bot', '/messages']) await ok('GET', path)
    await ok('PUT', '/bots/bot', { body: { enabled: true, password } })
    vault.use(
      'password of the bot',
      'token in the callback URL',
      'signing secret',
      'Basic credentials',
      'what was said',
    )
  })

  test('callbacks that cannot be made', async () => {
    const token = vault.make('token in a broken URL', URLS)
    const userinfo = vault.make('password in a URL')
    const url = `http://confab:${userinfo}@127.0.0.1:1/`
    await fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid: 'broken', webhookURL: url } })
    await ok('POST', '/bots', {
      body: { uid: 'broken', webhookURL: `http://127.0.0.1:1/?token=${token}`, enabled: true },
    }).then(({ signingSecret }) => vault.keep('signing secret of the broken bot', signingSecret, ['POST /bots']))
    await fails('ERR_BAD_REQUEST', 'PUT', '/bots/broken', { body: { webhookURL: url } })
    await ok('POST', '/messages', { body: toUser('broken'), onBehalfOf: 'ann' })
    for (const host of ['no-such-host.invalid', '169.254.169.254', '10.0.0.1:1']) {
      await ok('PUT', '/bots/broken', { body: { webhookURL: `http://${host}/?token=${token}` } })
      await ok('POST', '/messages', { body: toUser('broken', host), onBehalfOf: 'bob' })
    }
    receiver.setBehaviour(() => ({ kind: 'redirect', location: `http://127.0.0.1:1/?token=${token}` }))
    await ok('PUT', '/bots/broken', { body: { webhookURL: `${receiver.url}?token=${token}` } })
    await ok('POST', '/messages', { body: toUser('broken'), onBehalfOf: 'cara' })
    await vi.waitFor(() => {
      const outcomes = attempts()
        .filter(({ bot }) => bot === 'broken')
        .map(({ outcome }) => outcome)
      expect(outcomes).toEqual(expect.arrayContaining(['connect', 'redirect']))
    }, 5000)
    vault.use('token in a broken URL', 'password in a URL', 'signing secret of the broken bot')
  })

  test('what a webhook is called with', async () => {
    const password = vault.make('password of the webhook')
    const login = { useBasicAuth: true, username: 'confab', password }
    // Of its own: others may still be calling the bots.
    const own = await startCallbackReceiver()
    onTestFinished(() => own.close())
    const body = { id: 'hook', name: 'Hook', webhookURL: own.url, ...login }
    const { signingSecret } = await ok('POST', '/webhooks', { body })
    const secret = vault.keep('signing secret of the webhook', signingSecret, ['POST /webhooks'])
    await ok('POST', '/webhooks/hook/triggers', { body: { triggerIds: ['group_updated', 'before_message'] } })
    own.setBehaviour(({ headers }) => ({
      status: 500,
      body: `no: ${headers.authorization} ${password} ${secret}`,
    }))
    await ok('PUT', '/groups/club', { body: { name: 'Club' } })
    await ok('POST', '/messages', { body: toUser('bob'), onBehalfOf: 'ann' })
    for (const one of await own.waitFor(2, 5000)) {
      expect(one.headers.authorization).toBe(`Basic ${btoa(`confab:${password}`)}`)
      expect(one.headers['webhook-signature']).toBe(signatureOf(secret, one))
    }
    await vi.waitFor(async () => {
      const [delivery] = await ok('GET', '/deliveries', { query: { webhook: 'hook', state: 'dead' } })
      expect((await ok('GET', `/deliveries/${delivery.id}`)).history[0].response).toContain('[hidden]')
    }, 5000)
    await ok('PUT', '/webhooks/hook', { body: { password } })
    for (const path of ['/webhooks', '/webhooks/hook']) await ok('GET', path)
    await ok('POST', '/webhooks/hook/test')
    await ok('DELETE', '/webhooks/hook')
    vault.use('password of the webhook', 'signing secret of the webhook')
  })

  test('what administrators did', async () => {
    expect((await ok('GET', '/audit')).length).toBeGreaterThan(5)
  })

  test('requests that are wrong', async () => {
    const text = vault.make('secret in a wrong body')
    const uid = 'ann'
    const bodies: readonly [code: string, options: CallOptions][] = [
      ['ERR_BAD_REQUEST', { rawBody: `{"uid":"ann","password":"${text}` }],
      ['ERR_BAD_REQUEST', { rawBody: `${text}` }],
      ['ERR_BAD_REQUEST', { rawBody: `{"password":"${text}","__proto__":{"x":"${text}"}}` }],
      ['ERR_BAD_REQUEST', { rawBody: `{"password":"${text}\\u0000"}` }],
      ['ERR_BAD_REQUEST', { body: [text] }],
      ['ERR_BAD_REQUEST', { body: { uid, webhookURL: text } }],
      ['ERR_BAD_REQUEST', { body: { uid, webhookURL: `ftp://x:${text}@x.example` } }],
      ['ERR_BAD_REQUEST', { body: { uid, webhookURL: 'https://x.example', password: text.repeat(2) } }],
      ['ERR_BAD_REQUEST', { body: { uid, webhookURL: 'https://x.example', password: { text } } }],
      ['ERR_BAD_REQUEST', { body: { uid, webhookURL: 'https://x.example', groupChatSetting: text } }],
      ['ERR_BAD_REQUEST', { body: { uid, webhookURL: 'https://x.example', [text]: text, enabled: text } }],
      ['ERR_PAYLOAD_TOO_LARGE', { rawBody: JSON.stringify({ password: text.repeat(20_000) }) }],
      ['ERR_UNSUPPORTED_MEDIA_TYPE', { rawBody: `password=${text}`, headers: { 'content-type': 'text/plain' } }],
    ]
    for (const [code, options] of bodies) await fails(code, 'POST', '/bots', options)
    const group = { guid: 'x', name: 'x', type: 'password' }
    await fails('ERR_BAD_REQUEST', 'POST', '/groups', { body: { ...group, password: text.repeat(10) } })
    await fails('ERR_BAD_REQUEST', 'POST', '/groups', { body: { ...group, password: [text] } })
    await fails('ERR_BAD_REQUEST', 'POST', '/apikeys', { body: { name: [text], scope: text } })
    await fails('ERR_BAD_REQUEST', 'POST', `/users/ann/auth_tokens?x=${text}`, { body: { force: text } })
    vault.use('secret in a wrong body')
  })

  test('a store that fails', async () => {
    await execute(server, database?.url, mine(engine))
    const [bot, token, key] = ['password of the bot', 'second token', 'spare key'].map(
      (name) => vault.secrets.get(name)?.text,
    )
    const password = vault.make('password that was not stored')
    await breaks('PUT', '/bots/bot', { username: 'boom', password: bot })
    await breaks('PUT', '/bots/bot', { username: 'boom', password })
    await breaks('PUT', `/apikeys/${key}`, { name: 'boom' })
    await breaks('PUT', `/users/dan/auth_tokens/${token}`, { platform: 'boom' })
    await breaks('PUT', '/groups/club', { name: 'boom', password })
    const data = { customData: { private: vault.make('what could not be said') } }
    await breaks('POST', '/messages', { receiver: 'ann', receiverType: 'user', category: 'custom', type: 'boom', data })
    const metadata = { '@private': { email: vault.make('private metadata', ['PUT /users/:uid', 'GET /users']) } }
    await ok('PUT', '/users/bob', { body: { metadata } })
    await ok('GET', '/users')
    await breaks('PUT', '/users/bob', { name: 'boom' })
    vault.use('password that was not stored', 'what could not be said', 'private metadata')
    await vi.waitFor(() => expect(events('http.request', { code: 'ERR_EXCEPTION' })).toHaveLength(7), 5000)
  })

  if (engine === 'postgres')
    test('a store that is lost', async () => {
      expect(gate?.shown.length).toBeGreaterThan(0)
      expect(new Set(gate?.shown)).toEqual(new Set([vault.secrets.get('password of the database')?.text]))
      vault.use('password of the database')
      await execute(server, database?.url, [CUT_OFF])
      await vi.waitFor(() => expect(events('store.connection_lost').length).toBeGreaterThan(0), 5000)
      await vi.waitFor(() => expect(events('bus.down').length).toBeGreaterThan(0), 5000)
      await vi.waitFor(() => ok('GET', '/users'), 5000)
    })

  describe('when all is said and done', () => {
    let log = ''
    beforeAll(async () => {
      for (const path of ['/metrics', '/openapi.json', '/healthz', '/readyz']) {
        const response = await fetch(server.url + path)
        const text = await response.text()
        expect([path, response.status, vault.foundIn(text)]).toEqual([path, 200, []])
      }
      await server.stop()
      log = server.log.join('\n')
    })

    test('every secret was used', () => {
      expect([...vault.secrets].filter(([, { used }]) => !used).map(([name]) => name)).toEqual([])
      expect(vault.secrets.size).toBeGreaterThan(20)
      for (const { text } of vault.secrets.values()) expect(text.length).toBeGreaterThan(15)
    })

    test('the log tells of all of it, and holds none', () => {
      expect(events('http.request').length).toBeGreaterThanOrEqual(answers.length)
      expect(new Set(attempts().map(({ bot, webhook }) => bot ?? webhook))).toEqual(new Set(['bot', 'broken', 'hook']))
      expect(log).toContain('ERR_EXCEPTION')
      const leaks = server.log.flatMap((line) =>
        vault.foundIn(line).map((name) => ({ name, line: line.slice(0, 4000) })),
      )
      expect(leaks).toEqual([])
    })

    test('no error says one', () => {
      const errors = answers.filter(({ status }) => status !== 200)
      expect(errors.length).toBeGreaterThan(30)
      expect(errors.filter(({ text }) => vault.foundIn(text).length > 0)).toEqual([])
    })

    test('answers show one only where that is what they are for', () => {
      const shown = answers.filter(({ status }) => status === 200)
      expect(
        shown.flatMap(({ operation, text }) => vault.foundIn(text, operation).map((name) => [operation, name])),
      ).toEqual([])
      // What may be shown was shown: the search does find.
      const showing = [...vault.secrets].filter(([, { shownBy }]) => shownBy.length > 0)
      const unseen = showing.filter(([, { text }]) => !shown.some((answer) => answer.text.includes(text)))
      expect(unseen.map(([name]) => name)).toEqual([])
    })

    test('no callback carries one in its body, but for what was said', () => {
      expect(receiver.received.length).toBeGreaterThan(2)
      const found = receiver.received.flatMap(({ body }) => vault.foundIn(body))
      expect(new Set(found)).toEqual(new Set(['what was said']))
    })
  })

  const events = (msg: string, fields: object = {}): Json[] =>
    server.lines.filter(
      (line) => line.msg === msg && Object.entries(fields).every(([name, value]) => line[name] === value),
    )
  const attempts = (): Json[] => events('delivery.attempted')
})
