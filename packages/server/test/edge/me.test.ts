/** How a client SDK logs in, changes its user and logs out. */
import { defaultLimits } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/storage/open-store.ts'
import { makeCheckPass } from '../../src/users/pass.ts'
import { Api } from '../support/api.ts'
import { toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { APP_INFO, loginBody, Sdk, userNoise } from './sdk.ts'

const PROFILE = { avatar: 'https://e.example/a.png', link: 'https://e.example', metadata: { a: 1 }, tags: ['x'] }

describeEngines('me', (engine) => {
  let server: TestServer
  let api: Api
  let sdk: Sdk
  let ann: string

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_REGION: 'eu' } })
    api = new Api(server)
    sdk = new Sdk(api)
    for (const uid of ['ann', 'bob', 'eve']) await api.ok('POST', '/users', { body: { uid, name: uid } })
    ann = await sdk.login('ann')
  })
  afterAll(() => server?.dispose())

  const tokenOfAnn = async () => (await api.ok('GET', `/users/ann/auth_tokens/${ann}`)).data

  describe('login', () => {
    test('the auth key gives a token, which keeps what the device says', async () => {
      const { status, json } = await sdk.withKey('POST', '/users/Bob/auth_tokens', loginBody(server.appId))
      expect(status).toBe(200)
      expect(json.data).toMatchObject({ uid: 'bob', authToken: expect.any(String), createdAt: expect.any(Number) })
      expect((await sdk.withKey('POST', '/users/nobody/auth_tokens', loginBody(server.appId))).json.error.code).toBe(
        'ERR_UID_NOT_FOUND',
      )
    })

    test('the token answers the user, the pass, the settings and itself', async () => {
      const { status, json } = await sdk.as(ann, 'PUT', '/me', loginBody(server.appId))
      expect(status).toBe(200)
      const { host, port } = new URL(server.url)
      expect(json.data).toMatchObject({
        ...{ uid: 'ann', name: 'ann', role: 'default', status: 'offline', authToken: ann },
        jwt: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{43}$/),
        settings: {
          ...{ CLIENT_API_HOST: host, ADMIN_API_HOST: host, CHAT_HOST: '127.0.0.1', CHAT_WSS_PORT: port },
          ...{ REGION: 'eu', CHAT_API_VERSION: 'v3', EXTENSION_DOMAIN: host },
        },
      })
      expect(json.data).not.toHaveProperty('updatedAt')
      expect(await tokenOfAnn()).toMatchObject({
        platform: 'WEB',
        appInfo: { ...APP_INFO, deviceId: expect.stringContaining(server.appId) },
      })
    })

    test('again it is the same, as GET /me and GET /settings say it', async () => {
      const { json: login } = await sdk.as(ann, 'PUT', '/me', loginBody(server.appId))
      const { json: me } = await sdk.as(ann, 'GET', '/me')
      expect(me.data.jwt).toBe(login.data.jwt)
      expect(me.data.authToken).toBe(ann)
      const { json: settings } = await sdk.as(ann, 'GET', '/settings')
      expect(settings.data.settingsHash).toBe(me.data.settings.settingsHash)
      expect({ ...settings.data, settingsHashReceivedAt: 0 }).toEqual({
        ...me.data.settings,
        settingsHashReceivedAt: 0,
      })
    })

    test('a token that is none is refused by the one code that logs SDKs out', async () => {
      for (const [method, body] of [
        ['PUT', {}],
        ['GET', undefined],
        ['DELETE', undefined],
      ] as const) {
        const { json } = await sdk.as('nonsense', method, '/me', body)
        expect(json.error.code).toBe('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
      }
    })

    test('a registration for push notifications is kept, whatever the next login says', async () => {
      const pushNotification = { fcmToken: 'push-to-me', platform: 'web' }
      expect((await sdk.as(ann, 'PUT', '/me', { appInfo: { pushNotification } })).status).toBe(200)
      await sdk.as(ann, 'PUT', '/me', loginBody(server.appId))
      expect((await tokenOfAnn()).appInfo).toMatchObject({ ...APP_INFO, pushNotification })
    })

    test('with a key the same is answered for the user it acts for, without what needs a token', async () => {
      const { data } = await api.ok('PUT', '/me', { onBehalfOf: 'ann', body: loginBody(server.appId) })
      expect(data).toMatchObject({ uid: 'ann', settings: { REGION: 'eu' } })
      expect(Object.keys(data)).not.toContain('jwt')
      expect(Object.keys(data)).not.toContain('authToken')
      await api.fails('ERR_BAD_REQUEST', 'GET', '/me')
      await api.fails('ERR_UID_NOT_FOUND', 'GET', '/me', { onBehalfOf: 'nobody' })
      await api.fails('AUTH_ERR_NO_ACCESS', 'GET', '/me', { onBehalfOf: 'ann', key: server.authKey })
    })
  })

  describe('what a user changes of themself', () => {
    test('the profile, and never role or uid, whatever noise comes along', async () => {
      const body = { ...userNoise, uid: 'eve', role: 'admin', authToken: 'x', createdAt: 1, name: 'Ann!', ...PROFILE }
      const { json } = await sdk.as(ann, 'PUT', '/me', { ...body, statusMessage: 'busy' })
      expect(json.data).toMatchObject({ uid: 'ann', name: 'Ann!', role: 'default', statusMessage: 'busy', ...PROFILE })
      expect(json.data.createdAt).toBeGreaterThan(1)
      expect(json.data.authToken).toBe(ann)
      expect((await api.ok('GET', '/users/eve')).data).toMatchObject({ uid: 'eve', name: 'eve' })
      expect((await api.ok('GET', '/users/ann')).data).toMatchObject({ name: 'Ann!', ...PROFILE })
    })

    test('what is empty is taken away, what is not named stays', async () => {
      const { json } = await sdk.as(ann, 'PUT', '/me', { avatar: '', link: null, statusMessage: '' })
      expect(json.data).toMatchObject({ name: 'Ann!', metadata: { a: 1 }, tags: ['x'] })
      for (const key of ['avatar', 'link', 'statusMessage']) expect(json.data).not.toHaveProperty(key)
    })

    test('what is wrong is said, and nothing is changed', async () => {
      const before = [(await api.ok('GET', '/users/ann')).data, await tokenOfAnn()]
      const wrong: [object, string][] = [
        [{ name: '' }, 'name'],
        [{ name: 'B', avatar: 'no url' }, 'avatar'],
        [{ name: 'B', metadata: 'x' }, 'metadata'],
        [{ name: 'B', metadata: { x: 'x'.repeat(6000) } }, 'metadata'],
        [{ name: 'B', platform: 1 }, 'platform'],
        [{ name: 'B', appInfo: [] }, 'appInfo'],
        [{ name: 'B', appInfo: { x: 'x'.repeat(6000) } }, 'appInfo'],
        [{ name: 'B', tags: [1] }, 'tags.0'],
      ]
      for (const [body, field] of wrong) {
        const { json } = await sdk.as(ann, 'PUT', '/me', body)
        expect([json.error?.code, Object.keys(json.error?.details ?? {})]).toEqual(['ERR_BAD_REQUEST', [field]])
      }
      expect([(await api.ok('GET', '/users/ann')).data, await tokenOfAnn()]).toEqual(before)
    })
  })

  describe('the auth key, as SDKs use it', () => {
    test('creates users and changes them', async () => {
      const body = { uid: 'Dora', name: 'Dora', ...userNoise }
      const { status, json } = await sdk.withKey('POST', '/users', body)
      expect([status, json.data]).toMatchObject([200, { uid: 'dora', name: 'Dora', status: 'offline' }])
      expect(json.data).not.toHaveProperty('deactivatedAt')
      const changed = await sdk.withKey('PUT', '/users/dora', { ...body, name: 'D.', ...PROFILE })
      expect([changed.status, changed.json.data]).toMatchObject([200, { uid: 'dora', name: 'D.', ...PROFILE }])
      const { json: me } = await sdk.as(await sdk.login('dora'), 'GET', '/me')
      expect(me.data).toMatchObject({ uid: 'dora', name: 'D.' })
    })

    test('and nothing else', async () => {
      for (const [method, path] of [
        ['GET', '/users/ann'],
        ['DELETE', '/users/ann'],
        ['GET', '/users/ann/auth_tokens'],
      ] as const) {
        const { json } = await sdk.withKey(method, path, {})
        expect(json.error.code).toBe('AUTH_ERR_NO_ACCESS')
      }
    })
  })

  describe('measurements of sessions', () => {
    const post = (body: string, headers: Record<string, string> = {}) =>
      fetch(`${server.url}/v3/user_sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
    const body = JSON.stringify({ sessionId: 's', data: { took: 1 }, generatedAt: 1_700_000_000 })

    test('are taken from anybody', async () => {
      for (const headers of [{ authtoken: ann }, { authtoken: 'gone', appid: 'other' }, {}] as Record<
        string,
        string
      >[]) {
        const answer = await post(body, headers)
        expect([answer.status, await answer.json()]).toEqual([200, { data: { success: true } }])
      }
    })

    test('and are small', async () => {
      const answer = await post(JSON.stringify({ x: 'x'.repeat(20_000) }))
      const { error } = (await answer.json()) as { error: { code: string } }
      expect([answer.status, error.code]).toEqual([413, 'ERR_PAYLOAD_TOO_LARGE'])
    })
  })

  test('who has logged out can come back with the same token', async () => {
    const { status, json } = await sdk.as(ann, 'DELETE', '/me')
    expect([status, json.data]).toEqual([200, { success: true, message: expect.any(String) }])
    expect((await sdk.as(ann, 'PUT', '/me', loginBody(server.appId))).status).toBe(200)
    expect((await sdk.as(ann, 'POST', '/messages', toUser('bob'))).status).toBe(200)
  })

  test('the pass holds across restarts, and goes with its token and its user', async () => {
    const pass = async (token: string): Promise<string> => (await sdk.as(token, 'PUT', '/me', {})).json.data.jwt
    const other = (await api.ok('POST', '/users/ann/auth_tokens', { body: { force: true } })).data.authToken
    const eve = await sdk.login('eve')
    const passes = { ann: await pass(ann), other: await pass(other), eve: await pass(eve) }
    expect(new Set(Object.values(passes)).size).toBe(3)
    await server.restart()
    expect(await pass(ann)).toBe(passes.ann)
    await api.ok('DELETE', `/users/ann/auth_tokens/${other}`)
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: ['eve'] } })
    await server.stop()
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
    const { dataDir = '', databaseUrl } = server
    const { store } = await openStore({ dataDir, databaseUrl, limits: defaultLimits, log })
    try {
      const check = makeCheckPass({ store })
      expect(await check(passes.ann)).toEqual({ appId: server.appId, uid: 'ann', authToken: ann })
      expect([await check(passes.other), await check(passes.eve)]).toEqual([undefined, undefined])
    } finally {
      await store.close()
    }
    await server.start()
  })

  test('neither tokens nor passes stand in the log', async () => {
    const { json } = await sdk.as(ann, 'GET', '/me')
    await server.stop()
    const log = server.log.join('\n')
    expect(log).toContain('/v3/me')
    for (const secret of [ann, json.data.jwt]) expect(log).not.toContain(secret)
    await server.start()
  })
})
