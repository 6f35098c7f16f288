import {
  type ConversationId,
  type Guid,
  type ListConversations,
  type MessageId,
  parseMessageId,
} from '@confab/protocol'
import type { Actor, UserActor } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import { jsonText } from '../kernel/json.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Live } from '../live/live.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { ConversationFilter } from '../storage/sql/conversations/conversation-lists.ts'
import type { Partner } from '../storage/sql/conversations/conversation-rows.ts'
import type { MarkKind } from '../storage/sql/conversations/marks.ts'
import type { Store } from '../storage/store.ts'
import { PURGE_STEP } from '../users/manage-users.ts'
import type { Conversation } from './conversation.ts'
import type { MarkMessages } from './mark-messages.ts'

interface OfUser {
  readonly app: App
  readonly actor: UserActor
  readonly partner: Partner
}

export interface ManageConversations {
  list(input: { app: App; actor: Actor; page: PageRequest }, query: ListConversations): Promise<Page<Conversation>>
  get(input: OfUser): Promise<Conversation>
  getById(input: { app: App; actor: UserActor; id: string }): Promise<Conversation>
  tag(input: OfUser, tags: readonly string[]): Promise<Conversation>
  /** For the user alone; `forEverybody` removes what was said for good. Answers which conversation it was. */
  reset(input: OfUser, options: { forEverybody: boolean }): Promise<ConversationId>
  resetById(input: { actor: UserActor; id: string }): Promise<void>
  mark(input: OfUser & { client: Client }, kind: MarkKind, messageId: string | number | undefined): Promise<void>
  /** Answers the conversation as it is then. */
  markUnread(input: OfUser, messageId: string | number): Promise<Conversation>
  pin(input: OfUser & { client: Client }, pinned: boolean): Promise<Conversation>
  /** By the app: for every member. */
  pinForAll(input: { app: App; guid: Guid; client: Client }, pinned: boolean): Promise<Conversation>
}

const filterOf = (query: ListConversations): ConversationFilter => {
  const { conversationType: type, searchKey, tags, userTags, groupTags, pinnedBy } = query
  return {
    ...definedOf({ type, searchKey, tags, userTags, groupTags, pinnedBy }),
    unread: query.unread ?? false,
    includeBlockedUsers: query.includeBlockedUsers ?? false,
    hideAgentic: query.hideAgentic ?? false,
    onlyAgentic: query.onlyAgentic ?? false,
  }
}

const messageIdOf = (given: string | number): MessageId => {
  const parsed = parseMessageId(String(given))
  if (parsed === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { messageId: String(given) } })
  return parsed
}

export const makeManageConversations = (deps: {
  store: Pick<Store, 'conversations' | 'marks' | 'messages'>
  clock: Clock
  mark: MarkMessages
  live: Pick<Live, 'conversationPinned'>
}): ManageConversations => {
  const { store, clock, mark, live } = deps
  const { conversations } = store
  const of = ({ app, actor, partner }: OfUser) => ({ actor, appCreatedAt: app.createdAt, partner })
  const purge = async (appId: App['id'], conversationId: ConversationId): Promise<void> => {
    while (
      (await store.messages.purge({
        appId,
        of: { conversationId },
        limit: PURGE_STEP,
        now: toSeconds(clock.now()),
      })) === PURGE_STEP
    );
    await conversations.remove({ appId, id: conversationId })
  }
  return {
    list: ({ app, actor, page }, query) =>
      conversations.list({ actor, appCreatedAt: app.createdAt, filter: filterOf(query), page }),
    get: (input) => conversations.find(of(input)),
    getById: ({ app, actor, id }) =>
      conversations.findById({ actor, appCreatedAt: app.createdAt, id: id.toLowerCase() as ConversationId }),
    tag: (input, tags) => conversations.tag({ ...of(input), tags: jsonText(tags) ?? '[]' }),
    reset: async (input, { forEverybody }) => {
      const { conversationId } = await conversations.find(of(input))
      if (forEverybody) await purge(input.app.id, conversationId)
      else await conversations.hide({ actor: input.actor, id: conversationId })
      return conversationId
    },
    resetById: ({ actor, id }) => conversations.hide({ actor, id: id.toLowerCase() as ConversationId }),
    mark: ({ app, actor: { uid }, client, partner }, kind, messageId) => {
      const upTo = messageId === undefined ? {} : { upTo: messageIdOf(messageId) }
      return mark({ ...{ app, uid, client, partner, kind }, ...upTo })
    },
    markUnread: async (input, messageId) => {
      await store.marks.unread({ actor: input.actor, partner: input.partner, from: messageIdOf(messageId) })
      return conversations.find(of(input))
    },
    pin: async (input, pinned) => {
      const conversation = await conversations.pin({ ...of(input), now: pinned ? toSeconds(clock.now()) : null })
      const { appId, uid } = input.actor
      live.conversationPinned({ appId, deviceId: input.client.resource }, uid, conversation)
      return conversation
    },
    pinForAll: async ({ app, guid, client }, pinned) => {
      const conversation = await conversations.pinForAll({
        appId: app.id,
        appCreatedAt: app.createdAt,
        guid,
        now: pinned ? toSeconds(clock.now()) : null,
      })
      live.conversationPinned({ appId: app.id, deviceId: client.resource }, undefined, conversation)
      return conversation
    },
  }
}
