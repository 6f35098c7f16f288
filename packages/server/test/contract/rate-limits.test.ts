/** Requests a minute: of an app, of its core operations, of a token. A minute may end at any time, so limits are tried until one holds. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, Api, type CallOptions } from '../support/api.ts'
import { digestOf, makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

const headersOf = ({ headers }: Answer) => ({
  limit: headers['x-rate-limit'],
  remaining: headers['x-rate-limit-remaining'],
})

/** A test needs some seconds of one minute. */
const earlyInAMinute = async (): Promise<void> => {
  const left = 60_000 - (Date.now() % 60_000)
  if (left < 15_000) await new Promise((resolve) => setTimeout(resolve, left + 200))
}

describeEngines('rate limits', (engine) => {
  let server: TestServer
  let limited: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_RATE_LIMIT_TOKEN: '5' } })
    api = new Api(server)
    scene = await makeScene(api)
    limited = await startServer({
      engine,
      env: { CONFAB_RATE_LIMIT_APP: '8', CONFAB_RATE_LIMIT_APP_CORE: '3', CONFAB_RATE_LIMIT_TOKEN: '0' },
    })
  }, 60_000)
  afterAll(async () => {
    await server?.dispose()
    await limited?.dispose()
  })

  const tokenOf = async (uid: string): Promise<string> =>
    (await api.ok('POST', `/users/${uid}/auth_tokens`, { body: { force: true } })).data.authToken

  test('a token has so many, then nothing of what it asks is done', { timeout: 60_000 }, async () => {
    await earlyInAMinute()
    const [token, other] = [await tokenOf(scene.ann), await tokenOf(scene.ann)]
    const send: CallOptions = { token, body: toUser(scene.bob) }
    const first = await api.call('POST', '/messages', send)
    expect([first.status, headersOf(first)]).toEqual([200, { limit: '5', remaining: '4' }])
    // What is refused for another reason counts too.
    expect(headersOf(await api.call('GET', '/apikeys', { token }))).toEqual({ limit: '5', remaining: '3' })
    for (const remaining of ['2', '1', '0']) {
      expect(headersOf(await api.call('POST', '/messages', send))).toEqual({ limit: '5', remaining })
    }
    const before = await digestOf(api)
    const now = Math.floor(Date.now() / 1000)
    // Its body would be wrong: it is not read.
    const refused = await api.call('POST', '/messages', { token, rawBody: '{' })
    expect(refused.json.error.code).toBe('ERR_TOO_MANY_REQUESTS')
    expect([refused.status, headersOf(refused)]).toEqual([429, { limit: '5', remaining: '0' }])
    const reset = Number(refused.headers['x-rate-limit-reset'])
    expect(reset % 60).toBe(0)
    expect(reset - now).toBeLessThanOrEqual(60)
    expect(Math.abs(Number(refused.headers['retry-after']) - (reset - now))).toBeLessThanOrEqual(2)
    await api.fails('ERR_TOO_MANY_REQUESTS', 'POST', '/messages', send)
    expect(await digestOf(api)).toBe(before)
    expect((await api.call('GET', '/groups', { token: other })).status).toBe(200)
  })

  test('keys have no limit unless one is set', async () => {
    const { headers } = await api.call('GET', '/users')
    expect(Object.keys(headers).filter((name) => name.includes('rate') || name === 'retry-after')).toEqual([])
    const unknown = await api.call('GET', '/users', { key: 'unknown' })
    expect(headersOf(unknown)).toEqual({ limit: undefined, remaining: undefined })
  })

  test('an app has so many, and so many core operations', { timeout: 60_000 }, async () => {
    await earlyInAMinute()
    const their = new Api(limited)
    const make = (uid: string) => their.call('POST', '/users', { body: { uid, name: uid } })
    for (const [uid, remaining] of [
      ['one', '2'],
      ['two', '1'],
      ['three', '0'],
    ] as const) {
      expect(headersOf(await make(uid))).toEqual({ limit: '3', remaining })
    }
    expect((await make('four')).json.error.code).toBe('ERR_TOO_MANY_REQUESTS')
    await their.fails('ERR_TOO_MANY_REQUESTS', 'DELETE', '/users/one')
    await their.fails('ERR_TOO_MANY_REQUESTS', 'POST', '/groups', { body: { guid: 'g', name: 'g' } })
    await their.fails('ERR_TOO_MANY_REQUESTS', 'POST', '/groups/g/members', { body: { participants: ['one'] } })
    await their.fails('ERR_TOO_MANY_REQUESTS', 'PUT', '/me', { onBehalfOf: 'one', body: {} })
    const listed = await their.call('GET', '/users')
    expect([listed.json.data.length, headersOf(listed)]).toEqual([3, { limit: '8', remaining: '7' }])
    for (let n = 7; n > 0; n--) await their.ok('GET', '/users', { key: limited.restApiKey })
    await their.fails('ERR_TOO_MANY_REQUESTS', 'GET', '/users')
  })
})
