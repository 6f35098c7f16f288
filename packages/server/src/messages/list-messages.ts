import { type ConversationId, type ListMessages, limits, parseUid } from '@confab/protocol'
import type { Actor } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { definedOf } from '../kernel/defined.ts'
import { uncounted } from '../kernel/paging.ts'
import type { MessageFilter } from '../storage/sql/messages/message-filters.ts'
import type { MessageCursor, MessageScope, MessageSlice } from '../storage/sql/messages/message-lists.ts'
import type { Store } from '../storage/store.ts'
import { messageJson } from './message.ts'

export type ListMessagesOf = (
  asking: { readonly actor: Actor; readonly client: Client },
  scope: MessageScope,
  query: ListMessages,
) => Promise<string>

/** How far pages by number reach: what they leave out is read all the same. */
const PAGED_MAX = 10_000

const both = (list: readonly string[] | undefined, single: string | undefined): readonly string[] => [
  ...(list ?? []),
  ...(single ? [single] : []),
]

/** Those that are named alike in the query and in the store. */
const SAME = [
  ...(['receiverType', 'searchKey', 'toTimestamp', 'tags', 'hideDeleted', 'onlyDeleted'] as const),
  ...(['hideReplies', 'unread', 'undelivered', 'hasLinks', 'hasReactions', 'hasMentions', 'pinned', 'saved'] as const),
] as const

/** Of everything an end of the time says nothing without a beginning; of one conversation it does. */
const beginningOf = ({ fromTimestamp, toTimestamp }: ListMessages, { kind }: MessageScope): number | undefined =>
  fromTimestamp ?? (kind === 'all' || toTimestamp === undefined ? undefined : 0)

const filterOf = (query: ListMessages, scope: MessageScope, { unknownCategories = [] }: Client): MessageFilter => {
  const { attachmentTypes = [] } = query
  return {
    ...definedOf(
      Object.fromEntries(SAME.map((name) => [name, query[name]])) as Pick<ListMessages, (typeof SAME)[number]>,
    ),
    ...definedOf({ fromTimestamp: beginningOf(query, scope) }),
    ...(query.conversationId && { conversationId: query.conversationId as ConversationId }),
    ...(query.sender && { sender: parseUid(query.sender) }),
    categories: both(query.categories, query.category),
    withoutCategories: unknownCategories,
    types: both(query.types, query.type),
    hideQuoted: query.hideQuotedMessages ?? false,
    hideBlocked: query.hideMessagesFromBlockedUsers ?? false,
    answered: query.onlyInteractionGoalCompleted ?? false,
    ...((query.hasAttachments || attachmentTypes.length > 0) && { attachments: attachmentTypes }),
    ...(query.mentionedUids && { mentioned: query.mentionedUids.map(parseUid) }),
    ...((query.onlyUpdates || query.updatedAt !== undefined) && { changedSince: query.updatedAt ?? 0 }),
  }
}

const cursorOf = (query: ListMessages): MessageCursor & { readonly page: number } => {
  const limit = query.per_page ?? query.perPage ?? query.limit ?? limits.pageSize
  const { affix = 'append', page = 1 } = query
  const skip = (page - 1) * limit
  if (skip >= PAGED_MAX) throw badRequest({ page: `goes beyond the first ${PAGED_MAX} messages: go on with a cursor` })
  return {
    affix,
    ...(query.id !== undefined && { id: Number(query.id) }),
    ...(query.sentAt !== undefined && { sentAt: query.sentAt }),
    ...{ limit, page, skip },
  }
}

/**
 * The union of the envelopes that the contract shows for lists of messages. `next` and `cursor` are where the next
 * page in the same direction begins. What is left is not counted: there is one page more, or none.
 */
const metaJson = ({ rows, hasMore }: MessageSlice, { affix, limit, page }: ReturnType<typeof cursorOf>): string => {
  const edge = (affix === 'append' ? rows.at(-1) : rows[0])?.message
  const count = rows.length
  return JSON.stringify({
    current: { limit, count },
    ...(edge !== undefined && { next: { affix, sentAt: edge.sentAt, id: edge.id } }),
    pagination: uncounted({ count, limit, hasMore, page }),
    cursor: { ...(edge !== undefined && { id: Number(edge.id), sentAt: edge.sentAt }), affix },
  })
}

const optionsOf = ({ withThreadSubscribed, mentionsWithTagInfo, mentionsWithBlockedInfo }: ListMessages) =>
  definedOf({ withThreadSubscribed, mentionsWithTagInfo, mentionsWithBlockedInfo })

/** Counts of what is unread, or was not delivered, in place of the messages. */
const countsOf = async (
  store: Pick<Store, 'conversations'>,
  actor: Actor,
  scope: MessageScope,
  query: ListMessages,
): Promise<string> => {
  if (actor.kind === 'app') throw badRequest({ onBehalfOf: 'is required for counts: they are those of a user' })
  const partner = scope.kind === 'user' || scope.kind === 'group' ? { partner: scope } : {}
  const counts = await store.conversations.unread({
    actor,
    kind: query.undelivered ? 'delivered' : 'read',
    ...partner,
    ...(query.receiverType && { type: query.receiverType }),
    hideBlocked: query.hideMessagesFromBlockedUsers ?? false,
  })
  return JSON.stringify({ data: counts })
}

export const makeListMessages =
  (deps: { store: Pick<Store, 'messages' | 'conversations'> }): ListMessagesOf =>
  async ({ actor, client }, scope, query) => {
    if (query.count && scope.kind !== 'thread') return countsOf(deps.store, actor, scope, query)
    const cursor = cursorOf(query)
    const input = { actor, scope, filter: filterOf(query, scope, client), cursor, options: optionsOf(query) }
    const slice = await deps.store.messages.list(input)
    const withTags = query.withTags ?? false
    const data = slice.rows.map(({ message, view }) => messageJson(message, { withTags, view })).join(',')
    return `{"data":[${data}],"meta":${metaJson(slice, cursor)}}`
  }
