/** Webhooks, and the one that refuses messages. */
import type { Route } from '../../../src/http/route.ts'
import { type CallbackReceiver, startCallbackReceiver } from '../../../src/testing/callback-receiver.ts'
import type { Api } from '../api.ts'
import { toUser } from '../scene.ts'
import { hookDelivery } from './deliveries.ts'
import type { Fault, Faults } from './fault.ts'
import type { World } from './world.ts'

/** Named only where there shall be one. */
export const HOOK = 'hook'
const makeHook = async (api: Api): Promise<void> => {
  const { status } = await api.call('GET', `/webhooks/${HOOK}`)
  if (status === 200) return
  await api.ok('POST', '/webhooks', { body: { id: HOOK, name: 'x', webhookURL: 'https://hook.example' } })
}

const REFUSED = 'refuse me'
/** Refuses this one text, of every message that it is asked about. */
const startBlocker = (): Promise<CallbackReceiver> =>
  startCallbackReceiver({
    behave: ({ body }) => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: body.includes(REFUSED) ? '{"action":"do_not_propagate"}' : '{}',
    }),
  })
const blockers = new WeakMap<Api, Promise<CallbackReceiver>>()

const refusedText = async ({ api, ann, bob }: World, { path }: Route): Promise<Fault> => {
  if (!blockers.has(api)) {
    const blocker = startBlocker()
    blockers.set(api, blocker)
    const body = { id: 'blocker', name: 'x', webhookURL: (await blocker).url }
    await api.ok('POST', '/webhooks', { body })
    await api.ok('POST', '/webhooks/blocker/triggers', { body: { triggerIds: ['before_message'] } })
  }
  return { body: toUser(path.startsWith('/bots') ? ann : bob, REFUSED) }
}

export const webhookFaults: Faults = {
  ERR_WEBHOOK_NOT_FOUND: async (world, { path }) =>
    path.startsWith('/deliveries') ? { names: { id: await hookDelivery(world) } } : { names: { webhookId: 'unknown' } },
  ERR_WEBHOOK_ALREADY_EXISTS: async ({ api }) => {
    await makeHook(api)
    return {}
  },
  ERR_TRIGGER_NOT_FOUND: async ({ api }) => {
    await makeHook(api)
    return {}
  },
  ERR_BLOCKED_BY_WEBHOOK: refusedText,
}
