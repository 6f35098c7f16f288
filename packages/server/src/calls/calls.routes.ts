import { Call, ChangeCall, InitiateCall, Message, one } from '@confab/protocol'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, type RouteRequest, route } from '../http/route.ts'
import { asUser } from '../kernel/actor.ts'
import { messageJson } from '../messages/message.ts'
import type { MakeCalls } from './make-calls.ts'

const tag = 'Calls'

const byOf = ({ app, actor, client }: Pick<RouteRequest, 'app' | 'actor' | 'client'>) => ({
  app,
  actor: asUser(actor),
  client,
})

export const callRoutes = (calls: MakeCalls): readonly Route[] => [
  route({
    method: 'POST',
    path: '/calls',
    tag,
    summary: 'Call a user or a group; answers the message that tells of it',
    forUsers: true,
    onBehalfOf: 'required',
    body: InitiateCall,
    answer: one(Message),
    handle: async (request) =>
      new RawJson(`{"data":${messageJson(await calls.initiate(byOf(request), request.body))}}`),
  }),
  route({
    method: 'PUT',
    path: '/calls/:sessionId',
    tag,
    summary: 'Take a call, turn it down, cancel or end it; answers the message that tells of it',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('sessionId'),
    body: ChangeCall,
    answer: one(Message),
    handle: async (request) => {
      const message = await calls.change(byOf(request), request.params.sessionId, request.body)
      return new RawJson(`{"data":${messageJson(message)}}`)
    },
  }),
  route({
    method: 'GET',
    path: '/calls/:sessionId',
    tag,
    summary: 'Get a call as it is now',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('sessionId'),
    answer: one(Call),
    handle: async ({ actor, params }) => new RawJson(`{"data":${await calls.find(actor, params.sessionId)}}`),
  }),
]
