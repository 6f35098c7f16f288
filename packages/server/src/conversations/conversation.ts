/** Conversations as a user has them, and as the wire wants them. */
import type { ConversationId, Group, MessageId, ReceiverType, User } from '@confab/protocol'
import { type MessageView, messageJson, type StoredMessage } from '../messages/message.ts'

export type ConversationWith = User | Group

export interface Conversation {
  readonly conversationId: ConversationId
  readonly conversationType: ReceiverType
  /** Said by others, not read, not deleted, no reply; counted up to a limit. */
  readonly unreadMessageCount: number
  readonly unreadMentionsCount: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastReadMessageId: MessageId | undefined
  readonly latestMessageId: MessageId | undefined
  readonly lastMessage: { readonly message: StoredMessage; readonly view: MessageView } | undefined
  /** Nothing if the group is gone. */
  readonly conversationWith: ConversationWith | undefined
  /** JSON, or nothing. */
  readonly tags: string | null
  readonly pinnedAt?: number
  readonly pinnedBy?: 'me' | 'system'
}

const json = (key: string, value: unknown): string => (value === undefined ? '' : `,"${key}":${JSON.stringify(value)}`)

export interface ConversationOptions {
  readonly withTags?: boolean
  /** Of the user or group that it is with. */
  readonly withPartnerTags?: boolean
  /** Of the last message: one that the client cannot show is left out. */
  readonly unknownCategories?: readonly string[]
}

/** Counts are strings, as the contract has them. */
export const conversationJson = (
  conversation: Conversation,
  { withTags = false, withPartnerTags = false, unknownCategories = [] }: ConversationOptions = {},
): string => {
  const { lastMessage, conversationWith, tags } = conversation
  const { tags: partnerTags, ...partner } = conversationWith ?? {}
  const shown = conversationWith && { ...partner, ...(withPartnerTags && partnerTags && { tags: partnerTags }) }
  return (
    `{"conversationId":${JSON.stringify(conversation.conversationId)}` +
    json('conversationType', conversation.conversationType) +
    json('unreadMessageCount', String(conversation.unreadMessageCount)) +
    json('unreadMentionsCount', String(conversation.unreadMentionsCount)) +
    json('createdAt', conversation.createdAt) +
    json('updatedAt', conversation.updatedAt) +
    json('lastReadMessageId', conversation.lastReadMessageId) +
    json('latestMessageId', conversation.latestMessageId) +
    (lastMessage === undefined || unknownCategories.includes(lastMessage.message.category)
      ? ''
      : `,"lastMessage":${messageJson(lastMessage.message, { view: lastMessage.view })}`) +
    json('conversationWith', shown) +
    (withTags && tags !== null ? `,"tags":${tags}` : '') +
    json('pinnedAt', conversation.pinnedAt) +
    json('pinnedBy', conversation.pinnedBy) +
    '}'
  )
}
