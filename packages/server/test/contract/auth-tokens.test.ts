/** A user with an auth token in place of a key: acts as themself, and reaches what is for users. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('an auth token', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const tokenOf = async (uid: string): Promise<string> =>
    (await api.ok('POST', `/users/${uid}/auth_tokens`, { body: { force: true } })).data.authToken

  test('makes its user the one who acts, whatever onBehalfOf says', async () => {
    const { ann, bob, cara } = scene
    const token = await tokenOf(ann)
    const sent = await api.ok('POST', '/messages', { token, onBehalfOf: cara, body: toUser(bob, 'as ann') })
    expect(sent.data).toMatchObject({ sender: ann, data: { text: 'as ann' } })
    const { id } = sent.data
    await api.ok('GET', `/messages/${id}`, { token: await tokenOf(bob) })
    await api.fails('ERR_MESSAGE_NO_ACCESS', 'GET', `/messages/${id}`, { token: await tokenOf(cara) })
    await api.fails('ERR_MESSAGE_NOT_A_SENDER', 'PUT', `/messages/${id}`, {
      token: await tokenOf(bob),
      body: { data: { text: 'x' } },
    })
  })

  test('needs no key, no app id where there is one app, and is read in any case of the header', async () => {
    const token = await tokenOf(scene.ann)
    await api.ok('GET', '/groups', { token, appId: null })
    await api.ok('GET', '/groups', { key: null, headers: { AuthToken: ` ${token} ` } })
    await api.fails('AUTH_ERR_EMPTY_AUTH_TOKEN', 'GET', '/groups', { key: null, headers: { authtoken: ' ' } })
  })

  test('opens nothing that is not for users, and counts for nothing beside a key', async () => {
    const token = await tokenOf(scene.ann)
    await api.fails('AUTH_ERR_NO_ACCESS', 'GET', '/apikeys', { token })
    await api.fails('AUTH_ERR_NO_ACCESS', 'POST', '/bots', { token, body: {} })
    await api.ok('GET', '/apikeys', { headers: { authtoken: token } })
    await api.fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/groups', { key: 'x', headers: { authtoken: token } })
  })

  test('ends at once when it is deleted, when its user is deactivated, and when the user is deleted', async () => {
    const gone = (token: string) => api.fails('AUTH_ERR_AUTH_TOKEN_NOT_FOUND', 'GET', '/groups', { token })
    await api.ok('POST', '/users', { body: { uid: 'leaver', name: 'Leaver' } })
    const [one, two] = [await tokenOf('leaver'), await tokenOf('leaver')]
    for (const token of [one, two]) await api.ok('GET', '/groups', { token })
    await api.ok('DELETE', `/users/leaver/auth_tokens/${one}`)
    await gone(one)
    await api.ok('GET', '/groups', { token: two })
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: ['leaver'] } })
    await gone(two)
    await api.ok('PUT', '/users', { body: { uidsToActivate: ['leaver'] } })
    await api.ok('GET', '/groups', { token: two })
    await api.ok('DELETE', '/users/leaver')
    await gone(two)
  })
})
