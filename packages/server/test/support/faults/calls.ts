/** Calls, each among people of its own. */
import type { ErrorCode } from '@confab/protocol'
import type { Route } from '../../../src/http/route.ts'
import type { CallOptions } from '../api.ts'
import { call, callBody, change, makeCaller, type Status, sessionIn } from '../calling.ts'
import type { Fault } from './fault.ts'
import type { World } from './world.ts'

type CallWorld = Pick<World, 'api' | 'ann' | 'bob'>

/** A call between two, or in a group, as it is after these steps; then somebody wants something of it. */
const calling =
  (
    to: 'user' | 'group',
    steps: readonly (readonly ['ann' | 'bob' | 'cara', Status])[],
    [who, status]: readonly ['ann' | 'bob' | 'cara', Status],
  ) =>
  async ({ api }: CallWorld): Promise<Fault> => {
    const caller = await makeCaller(api)
    const receiver = to === 'group' ? caller.group : caller.bob
    const sessionId = sessionIn(await call(api, caller.ann, callBody(receiver, to)))
    for (const [name, step] of steps) await change(api, sessionId, caller[name], step)
    return { onBehalfOf: caller[who], names: { sessionId }, body: { status } }
  }

/** Whoever is called has blocked who calls, or is blocked by them, since it rings. */
export const blockedSince = async (world: World, by: 'ann' | 'bob'): Promise<Fault> => {
  const { api } = world
  const caller = await makeCaller(api)
  const sessionId = sessionIn(await call(api, caller.ann, callBody(caller.bob)))
  const blockedUids = [by === 'ann' ? caller.bob : caller.ann]
  await api.ok('POST', `/users/${caller[by]}/blockedusers`, { body: { blockedUids } })
  return { onBehalfOf: caller.bob, names: { sessionId }, body: { status: 'ongoing' } }
}

/** In a call, and wants to come into another. */
const busyWith = async ({ api }: CallWorld, { method }: Pick<Route, 'method'>): Promise<Fault> => {
  const { ann, bob, cara } = await makeCaller(api)
  const first = sessionIn(await call(api, ann, callBody(bob)))
  await change(api, first, bob, 'ongoing')
  if (method === 'POST') return { onBehalfOf: ann, body: callBody(cara) }
  // Bob is in a call by now, and was called by cara before that.
  await change(api, first, bob, 'ended')
  const other = sessionIn(await call(api, cara, callBody(bob)))
  const mine = sessionIn(await call(api, ann, callBody(bob)))
  await change(api, mine, bob, 'ongoing')
  return { onBehalfOf: bob, names: { sessionId: other }, body: { status: 'ongoing' } }
}

export const callFaults: Readonly<
  Record<string, (world: CallWorld, route: Pick<Route, 'method'>) => Fault | Promise<Fault>>
> = {
  ERR_CALLING_SELF: ({ ann }) => ({ body: callBody(ann) }),
  ERR_CALL_BUSY_SELF: busyWith,
  ERR_CALL_BUSY_USER: async ({ api }) => {
    const { ann, bob, cara } = await makeCaller(api)
    await call(api, ann, callBody(bob))
    return { onBehalfOf: cara, body: callBody(ann) }
  },
  ERR_CALL_BUSY_GROUP: async ({ api }) => {
    const { ann, bob, group } = await makeCaller(api)
    await call(api, ann, callBody(group, 'group'))
    return { onBehalfOf: bob, body: callBody(group, 'group') }
  },
  ERR_EMPTY_CALL_SESSION_ID: () => ({ names: { sessionId: '%20' } }),
  ERR_CALL_SESSION_NOT_FOUND: () => ({ names: { sessionId: 'unknown' } }),
  ERR_CALL_NOT_A_PART: ({ ann }) => ({ onBehalfOf: ann }),
  ERR_CALL_TERMINATED: calling('user', [['bob', 'rejected']], ['bob', 'ongoing']),
  ERR_CALL_NOT_STARTED: calling('user', [], ['ann', 'ended']),
  ERR_CALL_INVALID_INIT: async (world, route) =>
    route.method === 'POST'
      ? { body: callBody(world.bob, 'user', { status: 'ongoing' }) }
      : calling('user', [], ['bob', 'cancelled'])(world),
  ERR_CALL_ONGOING_TO_INVALID: calling('user', [['bob', 'ongoing']], ['ann', 'cancelled']),
  ERR_CALL_USER_ALREADY_JOINED: calling('user', [], ['ann', 'ongoing']),
  ERR_CALL_GROUP_ALREADY_JOINED: calling('group', [['bob', 'ongoing']], ['bob', 'ongoing']),
  ERR_CALL_GROUP_ALREADY_LEFT: calling(
    'group',
    [
      ['bob', 'ongoing'],
      ['bob', 'ended'],
    ],
    ['bob', 'ended'],
  ),
  ERR_CALL_GROUP_INVALID_STATUS: calling('group', [], ['bob', 'cancelled']),
}

/** A request about a call that is answered with the code. */
export const failingCall = async (world: CallWorld, code: ErrorCode): Promise<[string, string, CallOptions]> => {
  const method = /CALLING_SELF|_BUSY_/.test(code) ? 'POST' : 'PUT'
  const fault = await callFaults[code]?.(world, { method })
  if (fault === undefined) throw new Error(`nothing here produces ${code}`)
  const { onBehalfOf = world.ann, body = { status: 'ended' }, names } = fault
  if (method === 'POST') return [method, '/calls', { onBehalfOf, body }]
  const { ann, bob } = await makeCaller(world.api)
  const sessionId = names?.sessionId ?? sessionIn(await call(world.api, ann, callBody(bob)))
  return [method, `/calls/${sessionId}`, { onBehalfOf, body }]
}
