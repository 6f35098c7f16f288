/** Where the server says it is, and which web pages may call it. Nothing of this is of the store: one engine will do. */
import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Answer, Api } from '../support/api.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { loginBody, Sdk } from './sdk.ts'

const start = async (env: Readonly<Record<string, string>> = {}): Promise<Api> => {
  const server = await startServer({ engine: 'sqlite', env })
  const api = new Api(server)
  await api.ok('POST', '/users', { body: { uid: 'ann', name: 'Ann' } })
  return api
}

const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'chat.example' }

describe('where we are reached', () => {
  const started: TestServer[] = []
  const servers = new Map<string, Promise<Api>>()
  const serverWith = (env: Readonly<Record<string, string>>): Promise<Api> => {
    const key = JSON.stringify(env)
    const known = servers.get(key) ?? start(env)
    servers.set(key, known)
    return known.then((api) => {
      started.push(api.server)
      return api
    })
  }
  afterAll(async () => {
    for (const server of new Set(started)) await server.dispose()
  })

  const form = (origin: string): { body: string; headers: Record<string, string> } => {
    const boundary = 'xxBOUNDARYxx'
    const field = (name: string, value: string, more = ''): string =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
    return {
      body:
        field('receiver', 'ann') +
        field('receiverType', 'user') +
        field('type', 'file') +
        field('files[]', origin, '; filename="a.txt"') +
        `--${boundary}--\r\n`,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    }
  }

  /** Settings, login and links to files all name the same host. */
  const hostsIn = async (api: Api, headers: Record<string, string>): Promise<string> => {
    const { CLIENT_API_HOST, CHAT_WSS_PORT } = (await api.ok('GET', '/settings', { headers })).data
    const { settings } = (await api.ok('PUT', '/me', { onBehalfOf: 'ann', body: {}, headers })).data
    expect(settings.CLIENT_API_HOST).toBe(CLIENT_API_HOST)
    const { body, headers: types } = form('x')
    const sent = await api.ok('POST', '/messages', { rawBody: body, headers: { ...headers, ...types } })
    const { origin, host } = new URL(sent.data.data.attachments[0].url)
    expect(host).toBe(CLIENT_API_HOST)
    return `${origin} ${CHAT_WSS_PORT}`
  }

  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['by its host', {}, { host: 'chat.example:4000' }, 'http://chat.example:4000 4000'],
    ['by what somebody says', {}, { host: 'a.example', ...forwarded }, 'http://a.example 80'],
    ['by what a proxy says', { CONFAB_TRUSTED_PROXIES: '127.0.0.0/8' }, forwarded, 'https://chat.example 443'],
    [
      'by what a proxy says in the other form',
      { CONFAB_TRUSTED_PROXIES: '127.0.0.0/8' },
      { forwarded: 'for=192.0.2.1;host=chat.example;proto=https' },
      'https://chat.example 443',
    ],
    [
      'by a proxy elsewhere',
      { CONFAB_TRUSTED_PROXIES: '10.0.0.0/8' },
      { host: 'a.example', ...forwarded },
      'http://a.example 80',
    ],
    [
      'as it is set',
      { CONFAB_PUBLIC_URL: 'https://set.example', CONFAB_GATEWAY_PATH: '/ws' },
      forwarded,
      'https://set.example 443/ws',
    ],
  ])('%s', async (_, env, headers, expected) => {
    expect(await hostsIn(await serverWith(env), headers)).toBe(expected)
  })

  test('a host that is none is refused', async () => {
    const api = await serverWith({})
    const { status, json } = await api.call('GET', '/settings', { headers: { host: 'a/b' } })
    expect([status, json.error]).toMatchObject([
      400,
      { code: 'ERR_BAD_REQUEST', details: { host: 'must be a host name' } },
    ])
  })
})

const APP = 'https://app.example'
const EVIL = 'https://evil.example'

interface Seen {
  readonly status: number
  readonly headers: Answer['headers']
  readonly text: string
}

const ask = (server: TestServer, method: string, path: string, headers: Record<string, string>, body?: string) =>
  new Promise<Seen>((resolve, reject) => {
    const { hostname, port } = new URL(server.url)
    const asking = httpRequest({ hostname, port, method, path, headers, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }))
    })
    asking.on('error', reject)
    asking.end(body)
  })

const LOGIN = ['PUT', '/v3/me', 'appid,authtoken,content-type,resource,sdk'] as const
const PREFLIGHTS: readonly (readonly [string, string, string])[] = [
  LOGIN,
  ['POST', '/v3/users/ann/auth_tokens', 'apikey,appid,content-type,resource,sdk'],
  ['PATCH', '/v3/groups/g/owner', 'appid,authtoken,content-type,resource,sdk'],
  ['DELETE', '/v3/blockedusers', 'appid,authtoken,content-type,resource,sdk'],
  ['GET', '/v3/ai/x', 'appid,authtoken,content-type,onbehalfofuser,resource,sdk'],
  ['POST', '/v1/vote', 'appid,authorization,authtoken,chatapiversion,content-type,resource,sdk'],
]

describe('web pages', () => {
  let any: Api
  let some: Api
  let none: Api
  beforeAll(async () => {
    any = await start({ CONFAB_CORS_ORIGINS: '*' })
    some = await start({ CONFAB_CORS_ORIGINS: `${APP},http://localhost:3000` })
    none = await start()
  })
  afterAll(async () => {
    for (const api of [any, some, none]) await api?.server.dispose()
  })

  const allowed = ({ headers }: Seen): string | undefined => headers['access-control-allow-origin']
  const preflight = (
    api: Api,
    origin: string,
    [method, path, headers]: readonly [string, string, string] = LOGIN,
  ): Promise<Seen> =>
    ask(api.server, 'OPTIONS', path, {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': headers,
    })

  test.each(PREFLIGHTS)('%s %s may be called with %s', async (...call) => {
    const seen = await preflight(some, APP, call)
    expect(seen).toMatchObject({ status: 204, text: '' })
    expect(allowed(seen)).toBe(APP)
    expect(seen.headers['access-control-allow-methods']?.split(', ')).toContain(call[0])
    expect(seen.headers['access-control-allow-headers']).toBe(call[2])
    expect(Number(seen.headers['access-control-max-age'])).toBeGreaterThanOrEqual(7200)
    expect(seen.headers.vary).toBe('origin')
  })

  test('only those that are named, any of them, or the own one', async () => {
    const pages = [APP, 'http://localhost:3000', EVIL, 'null', 'https://app.example.evil.example']
    const found = async (api: Api) => {
      const seen = await Promise.all(pages.map((page) => preflight(api, page)))
      return seen.map((one) => [one.status, allowed(one)])
    }
    expect(await found(some)).toEqual([
      ...[
        [204, APP],
        [204, 'http://localhost:3000'],
      ],
      ...[
        [204, undefined],
        [204, undefined],
        [204, undefined],
      ],
    ])
    expect(await found(none)).toEqual(pages.map(() => [204, undefined]))
    expect(await found(any)).toEqual(pages.map(() => [204, '*']))
    expect(allowed(await preflight(none, none.server.url))).toBe(none.server.url)
    // Whoever claims by Host to be reached there is no browser: it says Host itself.
    const headers = { origin: EVIL, 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
    expect(allowed(await ask(none.server, 'GET', '/v3/me', headers))).toBeUndefined()
  })

  test('a refused page is told nothing, and its call is none the less what it is', async () => {
    const seen = await preflight(some, EVIL)
    expect(Object.keys(seen.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    const sdk = new Sdk(none)
    const { status, headers } = await sdk.withKey('POST', '/users/ann/auth_tokens', loginBody(sdk.appId))
    expect([status, headers['access-control-allow-origin']]).toEqual([200, undefined])
  })

  const errors: readonly (readonly [string, string, string, number, string, string?])[] = [
    ['without a key', 'GET', '/v3/users', 401, 'AUTH_ERR_EMPTY_APIKEY'],
    ['unknown paths', 'GET', '/v3/ai/agents', 404, 'ERR_API_NOT_FOUND'],
    ['unknown paths of settings', 'GET', '/v3/notifications/preferences', 404, 'ERR_API_NOT_FOUND'],
    ['unknown paths of campaigns', 'POST', '/v3/campaigns/feed', 404, 'ERR_API_NOT_FOUND', '{}'],
    ['extensions', 'POST', '/v1/vote', 404, 'ERR_INVALID_API_VERSION', '{"vote":1}'],
    ['extensions elsewhere', 'POST', '/vote', 404, 'ERR_API_NOT_FOUND', '{"vote":1}'],
    ['a body that is none', 'POST', '/v3/user_sessions', 400, 'ERR_BAD_REQUEST', '{'],
    ['a path that is none', 'GET', '/v3/%E0%A4%A', 400, 'ERR_BAD_REQUEST'],
    ['NUL in a path', 'GET', '/v3/users/x%00', 400, 'ERR_BAD_REQUEST'],
    ['a body that is too large', 'POST', '/v3/user_sessions', 413, 'ERR_PAYLOAD_TOO_LARGE', `"${'x'.repeat(20_000)}"`],
  ]
  test.each(errors.map((row) => [row[0], row] as const))('can read errors: %s', async (_, row) => {
    const [, method, path, status, code, body] = row
    const seen = await ask(some.server, method, path, { origin: APP, 'content-type': 'application/json' }, body)
    expect([seen.status, allowed(seen), JSON.parse(seen.text).error.code]).toEqual([status, APP, code])
  })

  test('find no extension at the host of one', async () => {
    const host = `polls-local.${new URL(some.server.url).host}`
    const seen = await ask(
      some.server,
      'POST',
      '/v1/vote',
      { origin: APP, host, 'content-type': 'application/json' },
      '{}',
    )
    expect([seen.status, allowed(seen)]).toEqual([404, APP])
    expect(JSON.parse(seen.text).error).toMatchObject({ code: expect.any(String), message: expect.any(String) })
  })

  test('show files, whichever they are', async () => {
    const path = `/files/${none.server.appId}/${randomBytes(20).toString('hex')}/a.txt`
    const missing = await ask(none.server, 'GET', path, { origin: EVIL })
    expect([missing.status, allowed(missing)]).toEqual([404, '*'])
    const asked = await ask(none.server, 'OPTIONS', path, { origin: EVIL, 'access-control-request-method': 'GET' })
    expect([asked.status, allowed(asked)]).toEqual([204, '*'])
  })

  test('may read how many requests are left', async () => {
    const sdk = new Sdk(some)
    const { headers } = await sdk.as(await sdk.login('ann'), 'GET', '/me')
    expect(headers['access-control-allow-origin']).toBe(APP)
    expect(headers['access-control-expose-headers']).toContain('x-rate-limit-remaining')
    expect(headers['x-rate-limit-remaining']).toBeDefined()
  })

  test('behind a proxy the own origin is the one that the proxy names', async () => {
    const api = await start({ CONFAB_TRUSTED_PROXIES: '127.0.0.0/8' })
    onTestFinished(() => api.server.dispose())
    const headers = { ...forwarded, origin: 'https://chat.example' }
    expect(allowed(await ask(api.server, 'GET', '/v3/me', headers))).toBe('https://chat.example')
    expect(allowed(await ask(api.server, 'GET', '/v3/me', { ...headers, origin: EVIL }))).toBeUndefined()
  })
})
