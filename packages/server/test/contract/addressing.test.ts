/** How a request says which API, which app and who: versions, host names, headers. And two apps beside each other. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { routes } from '../support/routes.ts'
import { idsOf, makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('a request for the only app', (engine) => {
  let server: TestServer
  let api: Api
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())

  test.each(['/v3', '/v3.0'])('is served under %s', async (prefix) => {
    expect((await api.ok('GET', '/users', { prefix })).data).toEqual([])
  })

  test.each(['/v2', '/v4', '/v3.1', '/v30', '/v1.0/x'])('is not served under %s', async (prefix) => {
    await api.fails('ERR_INVALID_API_VERSION', 'GET', '/users', { prefix })
  })

  test.each([
    ['GET', '/nothing'],
    ['PATCH', '/users'],
    ['POST', '/users/ann'],
    ['DELETE', '/bots'],
    ['GET', '/users/ann/messages/1'],
  ])('%s %s is no operation', (method, path) => api.fails('ERR_API_NOT_FOUND', method, path))

  test('a slash at the end does not matter', () => api.ok('GET', '/users/'))

  describe('on behalf of app_system', () => {
    const pathOf = ({ path }: { path: string }): string => path.replace(/:\w+/g, '1')

    test('is one of the app itself, wherever the app may act', async () => {
      for (const onBehalfOf of ['app_system', 'App_System']) {
        const body = { guid: onBehalfOf, name: 'x', owner: 'nobody' }
        await api.fails('ERR_UID_NOT_FOUND', 'POST', '/groups', { body, onBehalfOf })
        for (const route of routes.filter((one) => one.method === 'GET' && one.onBehalfOf === 'optional')) {
          const [named, unnamed] = [
            await api.call('GET', pathOf(route), { onBehalfOf }),
            await api.call('GET', pathOf(route)),
          ]
          expect([route.path, named.status, named.json.error?.code]).toEqual([
            route.path,
            unnamed.status,
            unnamed.json.error?.code,
          ])
        }
      }
      const body = { guid: 'mine', name: 'x' }
      const { data } = await api.ok('POST', '/groups', { body, onBehalfOf: 'app_system' })
      expect(data).toMatchObject({ owner: 'app_system', membersCount: 0, hasJoined: false })
      await api.ok('PUT', '/groups/mine', { body: { name: 'y' }, onBehalfOf: 'app_system' })
    })

    test('is refused where a user has to act', async () => {
      for (const route of routes.filter((one) => one.method === 'GET' && one.onBehalfOf === 'required')) {
        await api.fails('ERR_UID_NOT_FOUND', 'GET', pathOf(route), { onBehalfOf: 'app_system' })
      }
      await api.fails('ERR_UID_NOT_FOUND', 'POST', '/users/1/conversation/read', { onBehalfOf: 'app_system' })
    })
  })

  test('needs no app id while there is one app', () => api.ok('GET', '/users', { appId: null }))

  test.each(['api-local.example', 'apiclient-eu.example.org', 'api-eu.example:4000'])(
    'the host <appId>.%s',
    async (rest) => {
      const at = (label: string) => ({ appId: null, headers: { host: `${label}.${rest}` } })
      await api.ok('GET', '/users', at(server.appId))
      await api.ok('GET', '/users', at(server.appId.toUpperCase()))
      await api.fails('AUTH_ERR_INVALID_APPID', 'GET', '/users', at('other'))
    },
  )

  test('the management host has no version, and other names for what opens it', async () => {
    const path = `/apps/${server.appId}/webhooks`
    const basic = (secret: string) => `Basic ${Buffer.from(`account:${secret}`).toString('base64')}`
    const open = (headers: Record<string, string>) => ({ prefix: '', key: null, appId: null, headers })
    for (const secret of [server.restApiKey, server.authKey, 'unknown']) {
      for (const headers of [{ key: 'account', secret }, { authorization: basic(secret) }, { apikey: secret }]) {
        const options = open(headers)
        if (secret === server.restApiKey) expect((await api.ok('GET', path, options)).data).toEqual([])
        else if (secret === 'unknown') await api.fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', path, options)
        else await api.fails('AUTH_ERR_NO_ACCESS', 'GET', path, options)
      }
    }
    for (const headers of [{ key: 'account' }, { authorization: basic('') }, { authorization: 'Bearer x' }]) {
      await api.fails('AUTH_ERR_EMPTY_AUTH_HEADER', 'GET', path, open(headers))
    }
    await api.fails('AUTH_ERR_INVALID_APPID', 'GET', '/apps/other/webhooks', open({ secret: server.restApiKey }))
    // Anywhere else they open nothing.
    for (const headers of [{ secret: server.restApiKey }, { authorization: basic(server.restApiKey) }]) {
      await api.fails('AUTH_ERR_EMPTY_APIKEY', 'GET', '/webhooks', { key: null, headers })
      await api.fails('AUTH_ERR_EMPTY_APIKEY', 'GET', '/users', { key: null, headers })
    }
  })

  test('the header appId wins over the host name', async () => {
    const headers = { host: 'other.api-local.example' }
    await api.ok('GET', '/users', { appId: server.appId, headers })
    await api.fails('AUTH_ERR_INVALID_APPID', 'GET', '/users', {
      appId: 'other',
      headers: { host: `${server.appId}.api-local.example` },
    })
  })

  test.each([
    ['apikey', 'appid', 'onbehalfof'],
    ['apiKey', 'appId', 'onBehalfOf'],
    ['APIKEY', 'APPID', 'ONBEHALFOF'],
  ])('headers are %s, %s and %s', async (apikey, appid, onbehalfof) => {
    const headers = { [apikey]: ` ${server.restApiKey} `, [appid]: server.appId.toUpperCase(), [onbehalfof]: 'NOBODY' }
    const error = await api.fails('ERR_UID_NOT_FOUND', 'GET', '/messages', { key: null, appId: null, headers })
    expect(error.details).toEqual({ onBehalfOf: 'nobody' })
  })
})

describeEngines('two apps on one store', (engine) => {
  let first: TestServer
  let both: TestServer
  let mine: Api
  let scene: Scene
  beforeAll(async () => {
    first = await startServer({ engine })
    mine = new Api(first)
    scene = await makeScene(mine)
    // A data folder belongs to one process.
    await first.stop()
    const { dataDir, databaseUrl } = first
    both = await startServer({ engine, ...(dataDir && { dataDir }), ...(databaseUrl && { databaseUrl }) })
  })
  afterAll(async () => {
    await both?.dispose()
    await first?.dispose()
  })

  const theirs = (): Api => new Api(both)
  const asFirst = () => ({ appId: first.appId, key: first.restApiKey })

  test('a request must say which', async () => {
    await theirs().fails('AUTH_ERR_EMPTY_APPID', 'GET', '/users', { appId: null })
    const headers = { host: `${first.appId}.api-local.example` }
    await theirs().ok('GET', '/users', { appId: null, key: first.restApiKey, headers })
  })

  test('a key opens its own app only', async () => {
    await theirs().fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/users', { appId: first.appId })
    await theirs().fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/users', { key: first.restApiKey })
    await theirs().fails('ERR_APIKEY_NOT_FOUND', 'GET', `/apikeys/${first.restApiKey}`)
    await theirs().fails('ERR_APIKEY_NOT_FOUND', 'DELETE', `/apikeys/${first.authKey}`)
  })

  test('an auth token is good for its own app only', async () => {
    const { data } = await theirs().ok('POST', `/users/${scene.ann}/auth_tokens`, asFirst())
    const as = (appId: string | null) => ({ token: data.authToken, appId })
    await theirs().ok('GET', '/groups', as(first.appId))
    await theirs().fails('AUTH_ERR_AUTH_TOKEN_NOT_FOUND', 'GET', '/groups', as(both.appId))
    await theirs().fails('AUTH_ERR_EMPTY_APPID', 'GET', '/groups', as(null))
  })

  test('nothing of one is seen from the other, and names are free', async () => {
    const api = theirs()
    for (const list of ['/users', '/groups', '/bots', '/messages']) expect((await api.ok('GET', list)).data).toEqual([])
    await api.fails('ERR_UID_NOT_FOUND', 'GET', `/users/${scene.ann}`)
    await api.fails('ERR_GUID_NOT_FOUND', 'GET', `/groups/${scene.group}`)
    await api.fails('ERR_UID_NOT_FOUND', 'POST', '/messages', { body: toUser(scene.ann) })
    await api.ok('POST', '/users', { body: { uid: scene.ann, name: 'Another Ann' } })
    const { data: message } = await api.ok('POST', '/messages', { body: toUser(scene.ann) })
    await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'GET', `/messages/${message.id}`, asFirst())
    expect((await api.ok('GET', `/users/${scene.ann}`, asFirst())).data.name).toBe(scene.ann.toUpperCase())
  })

  describe('what no schema names is not taken for something of ours', () => {
    const internals = () => ({
      appId: first.appId,
      app_id: first.appId,
      app: first.appId,
      actor: { kind: 'app', appId: first.appId },
      uid: scene.bob,
      key: 'k'.repeat(40),
      by: 'nobody',
      now: 1,
      nowMs: 1,
      created_at: 1,
      createdAt: 1,
      deactivated_at: 1,
      password_hash: 'x',
      callbackUrl: 'http://169.254.169.254/',
      callback_url: 'http://169.254.169.254/',
      is_ai_bot: 1,
      sender: scene.bob,
      nonsense: { x: [1] },
    })

    test('in the changes of a user', async () => {
      const api = theirs()
      await api.ok('POST', '/users', { body: { ...internals(), uid: 'extra', name: 'Extra' } })
      const before = await api.ok('GET', '/users', asFirst())
      const { data } = await api.ok('PUT', '/users/extra', { body: { ...internals(), name: 'New' } })
      expect(data).toMatchObject({ uid: 'extra', name: 'New' })
      expect(data.createdAt).toBeGreaterThan(1)
      expect(await api.ok('GET', '/users', asFirst())).toEqual(before)
      expect((await api.ok('GET', '/users/extra')).data).toEqual(data)
    })

    test('in API keys', async () => {
      const api = theirs()
      const before = await api.ok('GET', '/apikeys', asFirst())
      const { data } = await api.ok('POST', '/apikeys', { body: { ...internals(), name: 'x', scope: 'fullAccess' } })
      await api.fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/users', { appId: first.appId, key: data.apiKey })
      await api.ok('PUT', `/apikeys/${data.apiKey}`, { body: { ...internals(), key: first.authKey, name: 'y' } })
      expect(await api.ok('GET', '/apikeys', asFirst())).toEqual(before)
    })

    test('in bots', async () => {
      const api = theirs()
      const webhookURL = 'https://bot.example/callback'
      await api.ok('POST', '/bots', { body: { ...internals(), uid: 'extra', webhookURL } })
      const { data } = await api.ok('PUT', '/bots/extra', { body: { ...internals(), enabled: true } })
      expect(data).toMatchObject({ uid: 'extra', webhookURL, enabled: true })
      expect(data).not.toHaveProperty('isAIBot')
      expect(idsOf(await api.ok('GET', '/bots', asFirst()))).toEqual([scene.bot])
    })

    test('in groups, tokens and messages', async () => {
      const api = theirs()
      const body = { ...internals(), guid: 'extra', name: 'Extra', type: 'public' }
      await api.ok('POST', '/groups', { body })
      const change = { ...internals(), guid: scene.group, name: 'New' }
      expect((await api.ok('PUT', '/groups/extra', { body: change })).data).toMatchObject({
        guid: 'extra',
        name: 'New',
      })
      expect((await api.ok('GET', `/groups/${scene.group}`, asFirst())).data.name).toBe('Group')
      const { data: token } = await api.ok('POST', '/users/extra/auth_tokens', { body: internals() })
      const path = `/users/extra/auth_tokens/${token.authToken}`
      const appInfo = { x: 1 }
      expect((await api.ok('PUT', path, { body: { ...internals(), appInfo } })).data).toEqual({ ...token, appInfo })
      const { data: sent } = await api.ok('POST', '/messages', { body: toUser('extra', 'hi', internals()) })
      expect(sent).toMatchObject({ sender: 'app_system', receiver: 'extra' })
    })
  })
})
