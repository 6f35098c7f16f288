/** Every error of every route, produced: a request that would be right, and what makes it fail. */
import type { Route } from '../../../src/http/route.ts'
import type { CallOptions } from '../api.ts'
import { botFaults } from './bots.ts'
import { callFaults } from './calls.ts'
import { conversationFaults } from './conversations.ts'
import { deliveryFaults } from './deliveries.ts'
import type { Faults } from './fault.ts'
import { groupFaults } from './groups.ts'
import { limitFaults, undoLast } from './limits.ts'
import { messageFaults } from './messages.ts'
import { rightActor, rightBody, rightNames } from './right.ts'
import { userFaults } from './users.ts'
import { webhookFaults } from './webhooks.ts'
import type { World } from './world.ts'

/** A code may be in one of the tables only: a spread would hide one of the two. */
const joined = (tables: readonly Faults[]): ReadonlyMap<string, Faults[string]> => {
  const all = new Map<string, Faults[string]>()
  for (const [code, fault] of tables.flatMap((table) => Object.entries(table))) {
    if (all.has(code)) throw new Error(`two tables have ${code}`)
    all.set(code, fault)
  }
  return all
}

const faults = joined([
  userFaults,
  groupFaults,
  messageFaults,
  conversationFaults,
  callFaults,
  botFaults,
  deliveryFaults,
  webhookFaults,
  limitFaults,
])

/** A request of the route that is answered with the code. */
export const requestOf = async (route: Route, code: string, world: World): Promise<[string, CallOptions]> => {
  await undoLast(world.api)
  const fault = await faults.get(code)?.(world, route)
  if (fault === undefined) throw new Error(`nothing here produces ${code}`)
  const names: Readonly<Record<string, string>> = { ...rightNames(route, world), ...fault.names }
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => names[name] ?? '')
  const wanted = fault.body ?? rightBody(route, world)
  const body = route.path === '/calls' ? { type: 'audio', ...(wanted as object) } : wanted
  return [
    path,
    {
      onBehalfOf: fault.isApp ? undefined : (fault.onBehalfOf ?? rightActor(route, world)),
      ...(body !== undefined && { body }),
    } as CallOptions,
  ]
}
