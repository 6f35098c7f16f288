/** Limits: there is as much as may be. */
import { defaultLimits } from '@confab/protocol'
import type { Route } from '../../../src/http/route.ts'
import type { Api } from '../api.ts'
import { type Fault, type Faults, fresh } from './fault.ts'
import type { World } from './world.ts'

/** With which the server runs that is asked for every error: else they would not come. */
const loweredLimits = { groupSize: 30, groupsPerUser: 30, usersPerApp: 200 }
export const loweredEnv = {
  CONFAB_LIMIT_GROUP_SIZE: String(loweredLimits.groupSize),
  CONFAB_LIMIT_GROUPS_PER_USER: String(loweredLimits.groupsPerUser),
  CONFAB_LIMIT_USERS_PER_APP: String(loweredLimits.usersPerApp),
}

const uidsOf = (what: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${what}-${n}`)

/** An import asks for no quota. */
const importUsers = async (api: Api, uids: readonly string[]): Promise<void> => {
  for (let start = 0; start < uids.length; start += defaultLimits.importRows) {
    const users = uids.slice(start, start + defaultLimits.importRows).map((uid) => ({ uid, name: uid }))
    await api.ok('POST', '/data_import/users', { body: { users } })
  }
}

/** What a fault leaves behind that others would stumble over: undone before the next one. */
const undoing = new WeakMap<Api, () => Promise<void>>()

export const undoLast = async (api: Api): Promise<void> => {
  await undoing.get(api)?.()
  undoing.delete(api)
}

const fullApp = async ({ api }: World): Promise<Fault> => {
  const { total } = (await api.ok('GET', '/users', { query: { withDeactivated: true } })).meta.pagination
  const uids = uidsOf('crowd', loweredLimits.usersPerApp - total)
  await importUsers(api, uids)
  undoing.set(api, async () => {
    for (const uid of uids) await api.ok('DELETE', `/users/${uid}`)
  })
  return { body: { uid: 'one-more', name: 'x' } }
}

/** A group in which nobody has room any more. */
const fullGroup = async ({ api, outsider }: World, { method }: Route): Promise<Fault> => {
  const guid = fresh('full')
  const uids = uidsOf('packed', loweredLimits.groupSize)
  await importUsers(api, uids)
  await api.ok('POST', '/groups', { body: { guid, name: guid } })
  for (const some of [uids.slice(0, 20), uids.slice(20)]) {
    await api.ok('POST', `/groups/${guid}/members`, { body: { participants: some } })
  }
  if (method === 'PUT') return { isApp: true, names: { guid }, body: { owner: outsider } }
  return { names: { guid }, onBehalfOf: outsider, body: {} }
}

/** Somebody who is in as many groups as they may be. */
const joiner = async ({ api, quiet }: World, { method, path }: Route): Promise<Fault> => {
  const uid = fresh('joiner')
  await api.ok('POST', '/users', { body: { uid, name: uid } })
  for (const guid of uidsOf(`of-${uid}`, loweredLimits.groupsPerUser)) {
    await api.ok('POST', '/groups', { body: { guid, name: guid, owner: uid } })
  }
  if (path === '/groups') return { isApp: true, body: { guid: 'one-more', name: 'x', owner: uid } }
  if (method === 'PUT') return { isApp: true, names: { guid: quiet }, body: { owner: uid } }
  return { names: { guid: quiet }, onBehalfOf: uid, body: {} }
}

const filling = (path: string, make: (api: Api, number: number) => Promise<unknown>) => async (world: World) => {
  const { total } = (await world.api.ok('GET', path)).meta.pagination
  for (let number = total; number < 25; number++) await make(world.api, number)
  return {}
}
const makeBot = async (api: Api, number: number): Promise<void> => {
  const uid = `filler-${number}`
  await api.ok('POST', '/users', { body: { uid, name: uid } })
  await api.ok('POST', '/bots', { body: { uid, webhookURL: 'https://bot.example' } })
}

const overQuota = async (world: World, route: Route): Promise<Fault> => {
  const { path } = route
  if (path === '/users') return fullApp(world)
  if (path.startsWith('/groups')) return joiner(world, route)
  if (path === '/roles') {
    const make = (api: Api, number: number) => api.ok('POST', path, { body: { role: `filler-${number}`, name: 'x' } })
    return { ...(await filling(path, make)(world)), body: { role: 'one-more', name: 'x' } }
  }
  if (path.endsWith('/webhooks')) {
    await filling('/webhooks', (api, number) =>
      api.ok('POST', '/webhooks', { body: { id: `filler-${number}`, name: 'x', webhookURL: 'https://hook.example' } }),
    )(world)
    return { body: { id: 'one-more', name: 'x', webhookURL: 'https://hook.example' } }
  }
  if (path === '/apikeys') return filling(path, (api) => api.ok('POST', path, { body: { name: 'x' } }))(world)
  await filling(path, makeBot)(world)
  return { body: { uid: world.outsider, webhookURL: 'https://bot.example' } }
}

export const limitFaults: Faults = {
  ERR_PLAN_QUOTA_RESTRICTION: overQuota,
  ERR_NO_VACANCY: fullGroup,
}
