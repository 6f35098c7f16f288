import {
  BotStats,
  Delivery,
  DeliveryDetail,
  deliveryList,
  ListDeliveries,
  one,
  ReplayDeliveries,
  Replayed,
} from '@confab/protocol'
import type { Static } from 'typebox'
import { botUidOf } from '../bots/bot-uid.ts'
import { pathOf } from '../http/path.ts'
import { type Route, route } from '../http/route.ts'
import { uncounted } from '../kernel/paging.ts'
import type { DeliverySlice, ManageDeliveries } from './manage-deliveries.ts'

const tag = 'Deliveries'

/** What is left is not counted, as in lists of messages. */
const answerSlice = ({ rows, limit, before }: DeliverySlice): Static<typeof deliveryList> => {
  const count = rows.length
  const hasMore = before !== undefined
  return {
    data: [...rows],
    meta: {
      current: { limit, count },
      ...(hasMore && { next: { before } }),
      pagination: uncounted({ count, limit, hasMore }),
    },
  }
}

export const deliveryRoutes = (deliveries: ManageDeliveries): readonly Route[] => [
  route({
    method: 'GET',
    path: '/deliveries',
    tag,
    summary: 'List deliveries, newest first',
    query: ListDeliveries,
    answer: deliveryList,
    handle: async ({ app, query }) => answerSlice(await deliveries.list(app.id, query)),
  }),
  route({
    method: 'GET',
    path: '/deliveries/:id',
    tag,
    summary: 'Get a delivery with its body and its attempts',
    params: pathOf('id'),
    answer: one(DeliveryDetail),
    handle: async ({ app, params }) => ({ data: await deliveries.get(app.id, params.id) }),
  }),
  route({
    method: 'POST',
    path: '/deliveries/:id/cancel',
    tag,
    summary: 'Cancel a pending delivery; its lane goes on with the next one',
    params: pathOf('id'),
    answer: one(Delivery),
    handle: async ({ app, params }) => ({ data: await deliveries.cancel(app.id, params.id) }),
  }),
  route({
    method: 'POST',
    path: '/deliveries/:id/replay',
    tag,
    summary: 'Make a delivery again that is over: the same bytes under the same id, at its old place',
    params: pathOf('id'),
    answer: one(Delivery),
    handle: async ({ app, params }) => ({ data: await deliveries.replay(app.id, params.id) }),
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/replay',
    tag,
    summary: 'Make all deliveries of a bot again that arose since a time and are dead, or as told',
    params: pathOf('uid'),
    body: ReplayDeliveries,
    answer: one(Replayed),
    handle: async ({ app, params, body }) => ({
      data: await deliveries.replayAll(app.id, botUidOf(params.uid), body),
    }),
  }),
  route({
    method: 'GET',
    path: '/bots/:uid/stats',
    tag,
    summary: 'How the deliveries of a bot go',
    params: pathOf('uid'),
    answer: one(BotStats),
    handle: async ({ app, params }) => ({ data: await deliveries.stats(app.id, botUidOf(params.uid)) }),
  }),
]
