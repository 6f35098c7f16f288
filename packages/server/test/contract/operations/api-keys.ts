/** API keys: one more than the server was made with. */
import { expect } from 'vitest'
import { expectKeys, expectPage, type Operations, SUCCESS } from './support.ts'

const KEY = ['apiKey', 'name', 'scope', 'createdAt']

export const apiKeyOperations: Operations = {
  'POST /apikeys': async (made) => {
    const { data } = await made.api.ok('POST', '/apikeys', { body: { name: 'Spare' } })
    expectKeys(data, KEY)
    expect(data).toMatchObject({ name: 'Spare', scope: 'authOnly', apiKey: expect.stringMatching(/^[0-9a-f]{40}$/) })
    made.apiKey = data.apiKey
  },
  'GET /apikeys': async ({ api }) => expectPage(await api.ok('GET', '/apikeys'), KEY),
  'GET /apikeys/:apiKey': async ({ api, apiKey }) => {
    expectKeys((await api.ok('GET', `/apikeys/${apiKey}`)).data, KEY)
  },
  'PUT /apikeys/:apiKey': async ({ api, apiKey }) => {
    const older = await api.ok('PUT', `/apikeys/${apiKey}`, { body: { scope: 'userauth' } })
    expect(older.data.scope).toBe('authOnly')
    expect((await api.ok('PUT', `/apikeys/${apiKey}`, { body: { scope: 'admin' } })).data.scope).toBe('fullAccess')
    const body = { name: 'Better', scope: 'fullAccess' }
    expectKeys((await api.ok('PUT', `/apikeys/${apiKey}`, { body })).data, KEY)
    expect((await api.ok('GET', '/users', { key: apiKey })).data.length).toBeGreaterThan(0)
  },
  'DELETE /apikeys/:apiKey': async ({ api, apiKey }) => {
    expectKeys((await api.ok('DELETE', `/apikeys/${apiKey}`)).data, SUCCESS)
    await api.fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/users', { key: apiKey })
  },
}
