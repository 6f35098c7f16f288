/** Groups, and who may what in them. */
import type { Api } from '../api.ts'
import { toGroup } from '../scene.ts'
import { type Faults, fresh, sends } from './fault.ts'

/** A group that nobody of the scene is in. */
const closedGroup = async (api: Api, type: 'password' | 'private'): Promise<string> => {
  const guid = fresh('closed')
  await api.ok('POST', '/groups', {
    body: { guid, name: guid, type, ...(type === 'password' && { password: 'open' }) },
  })
  return guid
}

export const groupFaults: Faults = {
  ERR_GUID_NOT_FOUND: (_, route) => (sends(route) ? { body: toGroup('nowhere') } : { names: { guid: 'nowhere' } }),
  ERR_GUID_ALREADY_EXISTS: ({ group }) => ({ body: { guid: group, name: 'x' } }),
  ERR_EMPTY_GROUP_PASS: async ({ api, outsider }, { path }) =>
    !path.endsWith('/members')
      ? { body: { guid: 'x', name: 'x', type: 'password' } }
      : { onBehalfOf: outsider, names: { guid: await closedGroup(api, 'password') }, body: {} },
  ERR_WRONG_GROUP_PASS: async ({ api, outsider }) => ({
    onBehalfOf: outsider,
    names: { guid: await closedGroup(api, 'password') },
    body: { password: 'wrong' },
  }),
  ERR_GROUP_JOIN_NOT_ALLOWED: async ({ api, outsider }) => ({
    onBehalfOf: outsider,
    names: { guid: await closedGroup(api, 'private') },
    body: {},
  }),
  ERR_ALREADY_JOINED: ({ cara }) => ({ onBehalfOf: cara, body: {} }),
  ERR_BANNED_GROUPMEMBER: ({ banned }, { method }) =>
    method === 'PUT' ? { isApp: true, body: { owner: banned } } : { onBehalfOf: banned, body: {} },
  ERR_GROUP_NO_CLEARANCE: ({ bob, cara }) => ({ onBehalfOf: bob, body: { owner: cara } }),
  ERR_GROUP_NOT_JOINED: async ({ api, outsider, quiet }, route) => {
    if (sends(route)) return { body: toGroup(quiet) }
    const isLookedAt = route.method === 'GET' && /:guid(\/members|\/bannedusers)?$/.test(route.path)
    return { onBehalfOf: outsider, ...(isLookedAt && { names: { guid: await closedGroup(api, 'private') } }) }
  },
  ERR_GROUP_NO_ADMIN_SCOPE: ({ bob }) => ({ onBehalfOf: bob }),
  ERR_GROUP_NO_MODERATOR_SCOPE: ({ bob, cara }) => ({ onBehalfOf: cara, names: { uid: bob } }),
  ERR_GROUP_NO_SCOPE_CLEARANCE: ({ ann, bob }) => ({ onBehalfOf: bob, names: { uid: ann } }),
  ERR_GROUP_NO_SELF_ACTION: ({ ann }) => ({ onBehalfOf: ann, names: { uid: ann } }),
  ERR_NOT_A_MEMBER: ({ outsider }, { path }) =>
    path.endsWith('/owner') ? { body: { owner: outsider } } : { names: { uid: outsider } },
  ERR_SAME_SCOPE: () => ({ body: { scope: 'participant' } }),
  ERR_ALREADY_BANNED: ({ banned }) => ({ names: { uid: banned } }),
  ERR_NOT_A_BANNED_USER: () => ({}),
}
