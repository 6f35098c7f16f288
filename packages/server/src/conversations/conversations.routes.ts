import {
  Conversation,
  ListConversations,
  MarkConversation,
  MarkUnread,
  one,
  page,
  parseGuid,
  parseUid,
  ResetConversation,
  Success,
  TagConversation,
} from '@confab/protocol'
import { Type } from 'typebox'
import { answerPage, pageRequestOf, succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, type RouteRequest, route } from '../http/route.ts'
import { asUser } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Partner } from '../storage/sql/conversations/conversation-rows.ts'
import type { MarkKind } from '../storage/sql/conversations/marks.ts'
import { conversationJson, type Conversation as Shown } from './conversation.ts'
import type { ManageConversations } from './manage-conversations.ts'

const tag = 'Conversations'

const answerOne = (conversation: Shown): RawJson =>
  new RawJson(`{"data":${conversationJson(conversation, { withTags: true })}}`)

/** The same operations twice: for the conversation with a user, and for that of a group. */
interface Side {
  readonly path: string
  readonly params: ReturnType<typeof pathOf<'uid'>> | ReturnType<typeof pathOf<'guid'>>
  readonly isGroup: boolean
  readonly noun: string
  readonly partnerOf: (params: Partial<Record<'uid' | 'guid', string>>) => Partner
}

const sides: readonly Side[] = [
  {
    path: '/users/:uid/conversation',
    params: pathOf('uid'),
    isGroup: false,
    noun: 'the conversation with a user',
    partnerOf: ({ uid = '' }) => ({ kind: 'user', uid: parseUid(uid) }),
  },
  {
    path: '/groups/:guid/conversation',
    params: pathOf('guid'),
    isGroup: true,
    noun: 'the conversation of a group',
    partnerOf: ({ guid = '' }) => ({ kind: 'group', guid: parseGuid(guid) }),
  },
]

const inputOf = (side: Side, { app, actor, params }: RouteRequest<object>) => ({
  app,
  actor: asUser(actor),
  partner: side.partnerOf(params),
})

const shared = { tag, forUsers: true, onBehalfOf: 'required' } as const

const markRoute = (conversations: ManageConversations, side: Side, kind: MarkKind): Route =>
  route({
    ...shared,
    method: 'POST',
    path: `${side.path}/${kind}`,
    summary: `Mark ${side.noun} as ${kind}, up to a message or as a whole`,
    params: side.params,
    body: MarkConversation,
    answer: one(Success),
    handle: async (request) => {
      await conversations.mark({ ...inputOf(side, request), client: request.client }, kind, request.body?.messageId)
      return succeeded(`The conversation has been marked as ${kind} successfully.`)
    },
  })

const pinRoute = (conversations: ManageConversations, side: Side, method: 'POST' | 'DELETE'): Route =>
  route({
    ...shared,
    method,
    path: `${side.path}/pin`,
    onBehalfOf: side.isGroup ? 'optional' : 'required',
    summary: `${method === 'POST' ? 'Pin' : 'Unpin'} ${side.noun}, for the acting user${side.isGroup ? '; as the app, for every member' : ''}`,
    params: side.params,
    answer: one(Conversation),
    handle: async (request) => {
      const { app, actor, params } = request
      const partner = side.partnerOf(params)
      const isPinned = method === 'POST'
      if (actor.kind === 'app' && partner.kind === 'group') {
        return answerOne(await conversations.pinForAll({ app, guid: partner.guid, client: request.client }, isPinned))
      }
      return answerOne(await conversations.pin({ ...inputOf(side, request), client: request.client }, isPinned))
    },
  })

const resetRoute = (conversations: ManageConversations, side: Side): Route =>
  route({
    ...shared,
    method: 'DELETE',
    path: side.path,
    summary: `Delete ${side.noun} for the acting user; with \`deleteMessagesPermanently\` for everybody`,
    params: side.params,
    body: ResetConversation,
    answer: one(Success),
    handle: async (request) => {
      const forEverybody = request.body?.deleteMessagesPermanently ?? false
      // What others have said is not one user's to remove.
      if (forEverybody && request.caller.kind === 'user') throw new AppError('AUTH_ERR_NO_ACCESS')
      const input = inputOf(side, request)
      const id = await conversations.reset(input, { forEverybody })
      return succeeded(`The conversation ${id} has been deleted successfully for UID ${input.actor.uid}.`)
    },
  })

const MarkedUnread = Type.Object({ ...Success.properties, conversation: Conversation })

const routesOf = (conversations: ManageConversations, side: Side): readonly Route[] => [
  route({
    ...shared,
    method: 'GET',
    path: side.path,
    summary: `Get ${side.noun}`,
    params: side.params,
    answer: one(Conversation),
    handle: async (request) => answerOne(await conversations.get(inputOf(side, request))),
  }),
  route({
    ...shared,
    method: 'PUT',
    path: side.path,
    summary: `Tag ${side.noun}, for the acting user`,
    params: side.params,
    body: TagConversation,
    answer: one(Conversation),
    handle: async (request) => answerOne(await conversations.tag(inputOf(side, request), request.body.tags)),
  }),
  resetRoute(conversations, side),
  markRoute(conversations, side, 'delivered'),
  markRoute(conversations, side, 'read'),
  route({
    ...shared,
    method: 'DELETE',
    path: `${side.path}/read`,
    summary: `Mark a message of ${side.noun}, and what came after it, as unread`,
    params: side.params,
    body: MarkUnread,
    answer: one(MarkedUnread),
    handle: async (request) => {
      const conversation = await conversations.markUnread(inputOf(side, request), request.body.messageId)
      const message = 'The conversation has been marked as unread successfully.'
      return new RawJson(
        `{"data":{"success":true,"message":"${message}","conversation":${conversationJson(conversation, { withTags: true })}}}`,
      )
    },
  }),
  pinRoute(conversations, side, 'POST'),
  pinRoute(conversations, side, 'DELETE'),
]

export const conversationRoutes = (conversations: ManageConversations): readonly Route[] => [
  route({
    ...shared,
    method: 'GET',
    path: '/conversations',
    onBehalfOf: 'optional',
    summary: 'List the conversations of the acting user, newest first; without one, those of the app by id',
    query: ListConversations,
    answer: page(Conversation),
    handle: async ({ app, actor, client, query }) => {
      const request = pageRequestOf(query)
      const { unknownCategories } = client
      const found = await conversations.list({ app, actor, page: request }, query)
      const options = {
        ...(unknownCategories && { unknownCategories }),
        withTags: query.withTags ?? false,
        withPartnerTags: (query.withUserAndGroupTags || query.withTags) ?? false,
      }
      const rows = found.rows.map((row) => conversationJson(row, options))
      const { meta } = answerPage(found, request)
      return new RawJson(`{"data":[${rows.join(',')}],"meta":${JSON.stringify(meta)}}`)
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/conversations/:conversationId',
    summary: 'Get a conversation of the acting user by its id',
    params: pathOf('conversationId'),
    answer: one(Conversation),
    handle: async ({ app, actor, params }) =>
      answerOne(await conversations.getById({ app, actor: asUser(actor), id: params.conversationId })),
  }),
  route({
    ...shared,
    method: 'DELETE',
    path: '/conversations/:conversationId',
    summary: 'Delete a conversation for the acting user, by its id',
    params: pathOf('conversationId'),
    answer: one(Success),
    handle: async ({ actor, params }) => {
      const { conversationId: id } = params
      await conversations.resetById({ actor: asUser(actor), id })
      return succeeded(`The conversation ${id} has been deleted successfully for UID ${asUser(actor).uid}.`)
    },
  }),
  ...sides.flatMap((side) => routesOf(conversations, side)),
]
