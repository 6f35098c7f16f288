/** Deliveries, in whatever state a fault needs. */
import type { Json } from '../api.ts'
import { toUser } from '../scene.ts'
import { type Faults, fresh } from './fault.ts'
import type { World } from './world.ts'

/** A delivery to a bot that nobody reaches. */
export const deliveryOf = async (
  { api, ann }: Pick<World, 'api' | 'ann'>,
  kind: 'pending' | 'cancelled' | 'ownerless',
): Promise<string> => {
  const uid = fresh('away')
  // The quota of bots may be used up.
  const { data: bots } = await api.ok('GET', '/bots')
  const filler = bots.find((bot: Json) => bot.uid.startsWith('filler-'))
  if (filler !== undefined) await api.ok('DELETE', `/bots/${filler.uid}`)
  await api.ok('POST', '/users', { body: { uid, name: uid } })
  await api.ok('POST', '/bots', { body: { uid, webhookURL: 'http://127.0.0.1:1', enabled: true } })
  await api.ok('POST', '/messages', { body: toUser(uid), onBehalfOf: ann })
  const { id } = (await api.ok('GET', '/deliveries', { query: { bot: uid } })).data[0]
  if (kind === 'cancelled') await api.ok('POST', `/deliveries/${id}/cancel`)
  if (kind !== 'pending') await api.ok('DELETE', `/bots/${uid}`)
  return id
}

/** A delivery to a webhook that is gone. */
export const hookDelivery = async ({ api, ann, bob }: World): Promise<string> => {
  const id = fresh('away')
  const { data: hooks } = await api.ok('GET', '/webhooks')
  const filler = hooks.find((hook: Json) => hook.id.startsWith('filler-'))
  if (filler !== undefined) await api.ok('DELETE', `/webhooks/${filler.id}`)
  await api.ok('POST', '/webhooks', { body: { id, name: 'x', webhookURL: 'http://127.0.0.1:1' } })
  await api.ok('POST', `/webhooks/${id}/triggers`, { body: { triggerIds: ['message_sent'] } })
  await api.ok('POST', '/messages', { body: toUser(bob), onBehalfOf: ann })
  const [delivery] = (await api.ok('GET', '/deliveries', { query: { webhook: id } })).data
  await api.ok('DELETE', `/webhooks/${id}`)
  return delivery.id
}

export const deliveryFaults: Faults = {
  ERR_DELIVERY_NOT_FOUND: () => ({ names: { id: 'dlv_unknown' } }),
  ERR_DELIVERY_NOT_PENDING: async (world) => ({ names: { id: await deliveryOf(world, 'cancelled') } }),
  ERR_DELIVERY_PENDING: async (world) => ({ names: { id: await deliveryOf(world, 'pending') } }),
}
