import { Acknowledged, AcknowledgeUpdates, one, PullUpdates, StreamUpdates, Update, UpdateList } from '@confab/protocol'
import { pathOf } from '../http/path.ts'
import { EventStream, RawJson, type Route, route } from '../http/route.ts'
import { botUidOf } from './bot-uid.ts'
import type { FetchUpdates } from './pull-updates.ts'

const tag = 'Updates'

export const updateRoutes = (updates: FetchUpdates): readonly Route[] => [
  route({
    method: 'GET',
    path: '/bots/:uid/updates',
    tag,
    summary: 'Fetch what a bot is to hear, and acknowledge what it has heard; waits if it is told to',
    params: pathOf('uid'),
    query: PullUpdates,
    answer: UpdateList,
    handle: async ({ app, params, query, signal }) => {
      const found = await updates.poll({ appId: app.id, bot: botUidOf(params.uid) }, query, signal)
      return new RawJson(`{"data":[${found.updates.join(',')}],"meta":{"next":{"offset":${found.offset}}}}`)
    },
  }),
  route({
    method: 'GET',
    path: '/bots/:uid/updates/stream',
    tag,
    summary: 'The same as a stream of events; each is to be acknowledged',
    params: pathOf('uid'),
    query: StreamUpdates,
    answer: Update,
    isStream: true,
    handle: async ({ app, params, query, signal }) =>
      new EventStream(await updates.stream({ appId: app.id, bot: botUidOf(params.uid) }, query.offset, signal)),
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/updates/acknowledge',
    tag,
    summary: 'Acknowledge updates up to an offset',
    params: pathOf('uid'),
    body: AcknowledgeUpdates,
    answer: one(Acknowledged),
    handle: async ({ app, params, body }) => {
      const of = { appId: app.id, bot: botUidOf(params.uid) }
      return { data: { acknowledged: await updates.acknowledge(of, body.offset) } }
    },
  }),
]
