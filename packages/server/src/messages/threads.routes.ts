import {
  ListMessages,
  ListThreads,
  limits,
  Message,
  messageList,
  one,
  parseGuid,
  parseUid,
  SendMessage,
  Success,
} from '@confab/protocol'
import { Type } from 'typebox'
import { succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, type RouteRequest, route } from '../http/route.ts'
import { asUser, type UserActor } from '../kernel/actor.ts'
import type { Partner } from '../storage/sql/conversations/conversation-rows.ts'
import type { Store } from '../storage/store.ts'
import { messageIdOf } from './change-message.ts'
import type { ListMessagesOf } from './list-messages.ts'
import { messageJson } from './message.ts'
import { answerSent, SendAnswer, type SendMessageAs } from './send-message.ts'

const tag = 'Threads'

interface Deps {
  readonly store: Pick<Store, 'threads'>
  readonly send: SendMessageAs
  readonly list: ListMessagesOf
}

const ThreadList = Type.Object({
  data: Type.Array(Message),
  meta: Type.Object({ current: Type.Object({ limit: Type.Integer(), count: Type.Integer() }) }),
})

/** The cursor is inclusive: the last root comes again, and is left out by who asks. */
const listThreads = async (
  { store }: Deps,
  actor: UserActor,
  partner: Partner | undefined,
  { affix = 'prepend', limit = limits.pageSize, id, participatedByMe = false }: ListThreads,
): Promise<RawJson> => {
  const rows = await store.threads.list({
    actor,
    ...(partner && { partner }),
    participatedByMe,
    cursor: { affix, limit, ...(id !== undefined && { id: Number(id) }) },
  })
  const data = rows.map(({ message, view }) => messageJson(message, { view }))
  return new RawJson(`{"data":[${data.join(',')}],"meta":{"current":{"limit":${limit},"count":${rows.length}}}}`)
}

const followRoute = (deps: Deps, method: 'POST' | 'DELETE', summary: string): Route =>
  route({
    method,
    path: '/messages/:id/thread/subscription',
    tag,
    summary,
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('id'),
    answer: one(Success),
    handle: async ({ actor, params }: RouteRequest<{ id: string }>) => {
      const subscribed = method === 'POST'
      await deps.store.threads.subscribe({ actor: asUser(actor), id: messageIdOf(params.id), subscribed })
      return succeeded(`The thread has been ${subscribed ? 'subscribed' : 'unsubscribed'} successfully.`)
    },
  })

export const threadRoutes = (deps: Deps): readonly Route[] => [
  route({
    method: 'POST',
    path: '/messages/:id/thread',
    tag,
    summary: 'Send a reply in the thread of a message',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('id'),
    body: SendMessage,
    takesForm: true,
    answer: SendAnswer,
    handle: async ({ app, actor, client, params, body }) =>
      new RawJson(answerSent(await deps.send({ app, actor, client, body, parentId: messageIdOf(params.id) }))),
  }),
  route({
    method: 'GET',
    path: '/messages/:id/thread',
    tag,
    summary: 'List the replies of a thread',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('id'),
    query: ListMessages,
    answer: messageList(Message),
    handle: async ({ actor, client, params, query }) =>
      new RawJson(await deps.list({ actor, client }, { kind: 'thread', parentId: messageIdOf(params.id) }, query)),
  }),
  followRoute(deps, 'POST', 'Follow the thread of a message'),
  followRoute(deps, 'DELETE', 'No longer follow the thread of a message'),
  route({
    method: 'GET',
    path: '/threads',
    tag,
    summary: 'List the threads in all conversations of the acting user, those with the newest replies first',
    forUsers: true,
    onBehalfOf: 'required',
    query: ListThreads,
    answer: ThreadList,
    handle: ({ actor, query }) => listThreads(deps, asUser(actor), undefined, query),
  }),
  route({
    method: 'GET',
    path: '/users/:uid/threads',
    tag,
    summary: 'List the threads of the conversation with a user',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('uid'),
    query: ListThreads,
    answer: ThreadList,
    handle: ({ actor, params, query }) =>
      listThreads(deps, asUser(actor), { kind: 'user', uid: parseUid(params.uid) }, query),
  }),
  route({
    method: 'GET',
    path: '/groups/:guid/threads',
    tag,
    summary: 'List the threads of a group',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('guid'),
    query: ListThreads,
    answer: ThreadList,
    handle: ({ actor, params, query }) =>
      listThreads(deps, asUser(actor), { kind: 'group', guid: parseGuid(params.guid) }, query),
  }),
]
