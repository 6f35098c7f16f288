/** Users, their roles and relations, and what lets them in: keys and tokens. */
import { toUser } from '../scene.ts'
import { blockedSince } from './calls.ts'
import { type Faults, sends } from './fault.ts'

export const userFaults: Faults = {
  ERR_APIKEY_NOT_FOUND: () => ({ names: { apiKey: 'unknown' } }),
  ERR_APIKEY_NO_SELF_ACTION: ({ api }) => ({ names: { apiKey: api.server.restApiKey } }),
  ERR_AUTH_TOKEN_NOT_FOUND: () => ({ names: { authToken: 'unknown' } }),
  ERR_AUTHTOKEN_NOT_ACCESSIBLE: async ({ api, bob }) => ({
    names: { authToken: (await api.ok('POST', `/users/${bob}/auth_tokens`)).data.authToken },
  }),
  ERR_ROLE_NOT_FOUND: (_, { path }) =>
    path.startsWith('/users') ? { body: { uid: 'fresh', name: 'x', role: 'none' } } : { names: { role: 'none' } },
  ERR_ROLE_ALREADY_EXISTS: () => ({ body: { role: 'default', name: 'x' } }),
  ERR_ROLE_DELETE_DENIED: () => ({}),
  ERR_NOT_A_FRIEND: ({ bob }) => ({ body: { friends: [bob] } }),
  ERR_CANNOT_FORM_SELF_RELATION: ({ ann }) => ({ body: { accepted: [ann], friends: [ann] } }),
  ERR_CANNOT_BLOCK_SELF: ({ ann }) => ({ onBehalfOf: ann, body: { blockedUids: [ann] } }),
  ERR_BLOCKED_RECEIVER: (world, { method }) =>
    method === 'PUT' ? blockedSince(world, 'bob') : { body: toUser(world.shunned) },
  ERR_BLOCKED_SENDER: (world, { method }) =>
    method === 'PUT' ? blockedSince(world, 'ann') : { body: toUser(world.shunner) },
  ERR_UID_ALREADY_EXISTS: ({ ann }) => ({ body: { uid: ann, name: 'x' } }),
  ERR_UID_NOT_FOUND: (_, route) => {
    if (route.onBehalfOf !== 'none') return { onBehalfOf: 'nobody' }
    if (route.path.startsWith('/users/')) return { names: { uid: 'nobody' } }
    return { body: sends(route) ? toUser('nobody') : { uid: 'nobody', webhookURL: 'https://bot.example' } }
  },
}
