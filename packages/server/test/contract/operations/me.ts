/** What somebody does as themselves, and the settings that every client reads. */
import { expect } from 'vitest'
import { expectKeys, type Operations, PLAIN_USER, SUCCESS } from './support.ts'

export const meOperations: Operations = {
  'GET /me': async ({ api }) => {
    const { data } = await api.ok('GET', '/me', { onBehalfOf: 'bob' })
    expectKeys(data, [...PLAIN_USER, 'settings'])
    expect(data.uid).toBe('bob')
  },
  'PUT /me': async ({ api }) => {
    const body = { statusMessage: 'here', role: 'teacher', uid: 'eve' }
    const { data } = await api.ok('PUT', '/me', { onBehalfOf: 'bob', body })
    expectKeys(data, [...PLAIN_USER, 'statusMessage', 'updatedAt', 'settings'])
    expect(data).toMatchObject({ uid: 'bob', role: 'default', statusMessage: 'here' })
  },
  'DELETE /me': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/me', { onBehalfOf: 'bob' })).data, SUCCESS)
  },
  'GET /settings': async ({ api }) => {
    const { data } = await api.ok('GET', '/settings', { key: api.server.authKey })
    expect(data.CLIENT_API_HOST).toBe(new URL(api.server.url).host)
  },
}
