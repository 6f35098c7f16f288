import {
  DeleteOptions,
  EditMessage,
  GetMessage,
  ListMessages,
  Message,
  messageList,
  one,
  parseGuid,
  parseUid,
  SendMessage,
  UnreadCount,
} from '@confab/protocol'
import { Type } from 'typebox'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, route } from '../http/route.ts'
import { definedOf } from '../kernel/defined.ts'
import type { ChangeMessages } from './change-message.ts'
import type { ListMessagesOf } from './list-messages.ts'
import { messageJson, type StoredMessage } from './message.ts'
import { answerSent, SendAnswer, type SendMessageAs } from './send-message.ts'

const tag = 'Messages'

/** With `count` how much is unread, in place of messages. */
const MessagesOrCounts = Type.Union([messageList(Message), Type.Object({ data: Type.Array(UnreadCount) })])

const answerOne = (message: StoredMessage): RawJson =>
  new RawJson(`{"data":${messageJson(message, { withTags: true })}}`)

export const messageRoutes = (deps: {
  send: SendMessageAs
  change: ChangeMessages
  list: ListMessagesOf
}): readonly Route[] => [
  route({
    method: 'POST',
    path: '/messages',
    tag,
    summary: 'Send a message, as the app or on behalf of a user',
    forUsers: true,
    onBehalfOf: 'optional',
    body: SendMessage,
    takesForm: true,
    answer: SendAnswer,
    handle: async (request) => new RawJson(answerSent(await deps.send(request))),
  }),
  route({
    method: 'GET',
    path: '/messages',
    tag,
    summary: 'List messages of the app, or of everything that a user takes part in',
    forUsers: true,
    onBehalfOf: 'optional',
    query: ListMessages,
    answer: MessagesOrCounts,
    handle: async ({ actor, client, query }) => new RawJson(await deps.list({ actor, client }, { kind: 'all' }, query)),
  }),
  route({
    method: 'GET',
    path: '/messages/:id',
    tag,
    summary: 'Get a message',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('id'),
    query: GetMessage,
    answer: one(Message),
    handle: async ({ app, actor, params, query }) => {
      const { message, view } = await deps.change.get({ app, actor, id: params.id, ...definedOf(query) })
      return new RawJson(`{"data":${messageJson(message, { withTags: true, view })}}`)
    },
  }),
  route({
    method: 'PUT',
    path: '/messages/:id',
    tag,
    summary: 'Edit a message; answers the action message that tells of it',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('id'),
    body: EditMessage,
    answer: one(Message),
    handle: async ({ app, actor, client, params, body }) =>
      answerOne(await deps.change.edit({ app, actor, client, id: params.id }, body)),
  }),
  route({
    method: 'DELETE',
    path: '/messages/:id',
    tag,
    summary: 'Delete a message; answers the action message that tells of it',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('id'),
    body: DeleteOptions,
    answer: one(Message),
    handle: async ({ app, actor, client, params, body }) =>
      answerOne(
        await deps.change.remove({ app, actor, client, id: params.id }, { permanent: body?.permanent ?? false }),
      ),
  }),
  route({
    method: 'GET',
    path: '/users/:uid/messages',
    tag,
    summary: 'List the conversation of a user with the acting user, or all one-to-one messages of the user',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('uid'),
    query: ListMessages,
    answer: MessagesOrCounts,
    handle: async ({ actor, client, params, query }) =>
      new RawJson(await deps.list({ actor, client }, { kind: 'user', uid: parseUid(params.uid) }, query)),
  }),
  route({
    method: 'GET',
    path: '/groups/:guid/messages',
    tag,
    summary: 'List the messages of a group',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    query: ListMessages,
    answer: MessagesOrCounts,
    handle: async ({ actor, client, params, query }) =>
      new RawJson(await deps.list({ actor, client }, { kind: 'group', guid: parseGuid(params.guid) }, query)),
  }),
]
