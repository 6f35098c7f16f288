import { type ConversationId, type ListMessages, limits, parseUid } from '@confab/protocol'
import type { Actor } from '../kernel/actor.ts'
import { definedOf } from '../kernel/defined.ts'
import { uncounted } from '../kernel/paging.ts'
import type { MessageCursor, MessageFilter, MessageScope, MessageSlice } from '../storage/sql/message-lists.ts'
import type { Store } from '../storage/store.ts'
import { messageJson } from './message.ts'

export type ListMessagesOf = (actor: Actor, scope: MessageScope, query: ListMessages) => Promise<string>

const both = (list: readonly string[] | undefined, single: string | undefined): readonly string[] => [
  ...(list ?? []),
  ...(single ? [single] : []),
]

const filterOf = (query: ListMessages): MessageFilter => {
  const { receiverType, searchKey, fromTimestamp, toTimestamp, tags } = query
  return {
    ...definedOf({ receiverType, searchKey, fromTimestamp, toTimestamp, tags }),
    ...(query.conversationId && { conversationId: query.conversationId as ConversationId }),
    ...(query.sender && { sender: parseUid(query.sender) }),
    categories: both(query.categories, query.category),
    types: both(query.types, query.type),
    hideDeleted: query.hideDeleted ?? false,
    onlyDeleted: query.onlyDeleted ?? false,
    hideReplies: query.hideReplies ?? false,
  }
}

const cursorOf = (query: ListMessages): MessageCursor => ({
  affix: query.affix ?? 'append',
  ...(query.id !== undefined && { id: Number(query.id) }),
  ...(query.sentAt !== undefined && { sentAt: query.sentAt }),
  limit: query.per_page ?? query.perPage ?? query.limit ?? limits.pageSize,
})

/**
 * The union of the envelopes that the contract shows for lists of messages. `next` and `cursor` are where the next
 * page in the same direction begins. What is left is not counted: `total_pages` is 1 on the last page and 2 before.
 */
const metaJson = ({ rows, hasMore }: MessageSlice, { affix, limit }: MessageCursor): string => {
  const edge = affix === 'append' ? rows.at(-1) : rows[0]
  const count = rows.length
  return JSON.stringify({
    current: { limit, count },
    ...(edge !== undefined && { next: { affix, sentAt: edge.sentAt, id: edge.id } }),
    pagination: uncounted({ count, limit, hasMore }),
    cursor: { ...(edge !== undefined && { id: Number(edge.id), sentAt: edge.sentAt }), affix },
  })
}

export const makeListMessages =
  (deps: { store: Pick<Store, 'messages'> }): ListMessagesOf =>
  async (actor, scope, query) => {
    const cursor = cursorOf(query)
    const slice = await deps.store.messages.list({ actor, scope, filter: filterOf(query), cursor })
    const options = { withTags: query.withTags ?? false }
    const data = slice.rows.map((message) => messageJson(message, options)).join(',')
    return `{"data":[${data}],"meta":${metaJson(slice, cursor)}}`
  }
