import {
  Acknowledged,
  AcknowledgeUpdates,
  one,
  PullUpdates,
  StreamUpdates,
  Update,
  UpdateList,
  UpdatesFrame,
} from '@confab/protocol'
import { makeCheck } from '../http/check.ts'
import { pathOf } from '../http/path.ts'
import { EventStream, RawJson, type Route, route, type StreamEvent } from '../http/route.ts'
import type { BotId } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import { parseSafely } from '../kernel/json-text.ts'
import { botUidOf } from './bot-uid.ts'
import type { FetchUpdates, StreamedUpdate } from './pull-updates.ts'

const tag = 'Updates'

async function* eventsOf(updates: AsyncIterable<StreamedUpdate | 'quiet'>): AsyncGenerator<StreamEvent | 'quiet'> {
  for await (const update of updates) {
    yield update === 'quiet' ? update : { id: `${update.offset}`, event: 'update', data: update.json }
  }
}

const jsonOf = (text: string): unknown => {
  const { value, problem } = parseSafely(text)
  if (problem !== undefined) throw badRequest({ frame: problem })
  return value
}

export const updateRoutes = (updates: FetchUpdates): readonly Route[] => {
  const checkFrame = makeCheck(UpdatesFrame, 'frame')

  const hear = async (of: BotId, text: string): Promise<string> => {
    const { acknowledge } = checkFrame(jsonOf(text)) as UpdatesFrame
    return JSON.stringify({ acknowledged: await updates.acknowledge(of, acknowledge) })
  }

  return [
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
      summary: 'The same as a stream of events, or as a WebSocket; each is to be acknowledged',
      params: pathOf('uid'),
      query: StreamUpdates,
      answer: Update,
      isStream: true,
      handle: async ({ app, params, query, signal }) => {
        const of = { appId: app.id, bot: botUidOf(params.uid) }
        return new EventStream(eventsOf(await updates.stream(of, query.offset, signal)), (text) => hear(of, text))
      },
    }),
    route({
      method: 'POST',
      path: '/bots/:uid/updates/acknowledge',
      tag,
      summary: 'Acknowledge updates up to an offset, or by their ids',
      params: pathOf('uid'),
      body: AcknowledgeUpdates,
      answer: one(Acknowledged),
      handle: async ({ app, params, body }) => {
        const of = { appId: app.id, bot: botUidOf(params.uid) }
        return { data: { acknowledged: await updates.acknowledge(of, body) } }
      },
    }),
  ]
}
