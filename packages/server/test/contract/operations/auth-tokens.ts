/** Auth tokens, of bob. */
import { expect } from 'vitest'
import { expectKeys, expectPage, type Operations, SUCCESS } from './support.ts'

const TOKEN = ['uid', 'authToken', 'createdAt']

export const authTokenOperations: Operations = {
  'POST /users/:uid/auth_tokens': async (made) => {
    const { data } = await made.api.ok('POST', '/users/bob/auth_tokens', { body: { force: true } })
    expectKeys(data, TOKEN)
    expect(data.authToken).toMatch(/^bob_\d{10}[0-9a-f]{30}$/)
    made.token = data.authToken
  },
  'GET /users/:uid/auth_tokens': async ({ api }) => {
    expectPage(await api.ok('GET', '/users/bob/auth_tokens'), TOKEN)
  },
  'GET /users/:uid/auth_tokens/:authToken': async ({ api, token }) => {
    expectKeys((await api.ok('GET', `/users/bob/auth_tokens/${token}`)).data, TOKEN)
  },
  'PUT /users/:uid/auth_tokens/:authToken': async ({ api, token }) => {
    const body = { platform: 'web', userAgent: 'Browser', appInfo: { version: '1' } }
    const { data } = await api.ok('PUT', `/users/bob/auth_tokens/${token}`, { body })
    expectKeys(data, [...TOKEN, ...Object.keys(body)])
    expect(data).toMatchObject(body)
  },
  'DELETE /users/:uid/auth_tokens/:authToken': async ({ api, token }) => {
    expectKeys((await api.ok('DELETE', `/users/bob/auth_tokens/${token}`)).data, SUCCESS)
    await api.fails('ERR_AUTH_TOKEN_NOT_FOUND', 'GET', `/users/bob/auth_tokens/${token}`)
  },
  'DELETE /users/:uid/auth_tokens': async ({ api }) => {
    await api.ok('POST', '/users/bob/auth_tokens')
    expectKeys((await api.ok('DELETE', '/users/bob/auth_tokens')).data, SUCCESS)
    expect((await api.ok('GET', '/users/bob/auth_tokens')).data).toEqual([])
  },
}
