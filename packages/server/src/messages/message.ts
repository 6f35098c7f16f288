/** Messages as they are stored, and as the wire wants them. */
import type { ConversationId, MessageId, ReceiverType, Uid, User } from '@confab/protocol'
import { definedOf } from '../kernel/defined.ts'

export interface StoredMessage {
  readonly id: MessageId
  readonly conversationId: ConversationId
  readonly sender: Uid
  readonly receiverType: ReceiverType
  readonly receiver: string
  readonly category: string
  readonly type: string
  /** JSON: the sender's data with the entities as they were when it was sent. */
  readonly data: string
  /** JSON, or nothing. */
  readonly tags: string | null
  readonly muid: string | null
  readonly parentId: MessageId | null
  readonly sentAt: number
  readonly updatedAt: number
  readonly editedAt: number | null
  readonly editedBy: string | null
  readonly deletedAt: number | null
  readonly deletedBy: string | null
  /** JSON: how often each reaction was given, in the order of their first; nothing without reactions. */
  readonly reactions: string | null
  readonly quotedId: MessageId | null
  readonly pinnedAt: number | null
  readonly pinnedBy: string | null
  /** Replies in its thread that are not deleted. */
  readonly replyCount: number
}

export interface ReactionCount {
  readonly reaction: string
  readonly count: number
}

/** When somebody had received and read a message. */
export interface Receipt {
  readonly deliveredAt?: number
  readonly readAt?: number
}

/** How a message stands for whoever looks at it, beyond what is stored with it. */
export interface MessageView extends Receipt {
  readonly quoted?: StoredMessage
  /** What the viewer has reacted with. */
  readonly myReactions?: readonly string[]
  readonly myReceipt?: Receipt
  readonly myInteractions?: readonly { readonly elementId: string; readonly interactedAt: number }[]
  readonly savedAt?: number
  readonly threadSubscribed?: boolean
  readonly receipts?: readonly (Receipt & { readonly recipient: User })[]
  /** Of the root of a thread. */
  readonly thread?: { readonly lastReply: StoredMessage | undefined; readonly unreadReplies: number }
}

/** What of it is the same for all who take part: what frames may show that go to all of them. */
export const sharedView = ({ quoted, deliveredAt, readAt }: MessageView): MessageView =>
  definedOf({ quoted, deliveredAt, readAt })

export const reactionsOf = ({ reactions }: Pick<StoredMessage, 'reactions'>): readonly ReactionCount[] =>
  reactions === null ? [] : (JSON.parse(reactions) as ReactionCount[])

/** What stands in `data` beside what the sender said. `data` is an object that is never empty: it has entities. */
const withExtras = (
  data: string,
  message: StoredMessage,
  { myReactions = [], myInteractions }: MessageView,
): string => {
  let extras = ''
  if (message.reactions !== null) {
    const shown = reactionsOf(message).map(({ reaction, count }) => ({
      reaction,
      count,
      ...(myReactions.includes(reaction) && { reactedByMe: true }),
    }))
    extras += `,"reactions":${JSON.stringify(shown)}`
  }
  if (myInteractions?.length) extras += `,"interactions":${JSON.stringify(myInteractions)}`
  return extras === '' ? data : `${data.slice(0, -1)}${extras}}`
}

/** A message that was deleted keeps who took part and loses what was said. */
const dataOf = (message: StoredMessage, view: MessageView): string => {
  if (message.deletedAt === null) return withExtras(message.data, message, view)
  const { entities } = JSON.parse(message.data) as { entities: unknown }
  return JSON.stringify({ entities })
}

const noView: MessageView = {}

/** What only few messages have. */
const rareJson = (message: StoredMessage, view: MessageView): string => {
  let json = ''
  if (message.quotedId !== null) {
    json += `,"quotedMessageId":"${message.quotedId}"`
    if (view.quoted !== undefined) json += `,"quotedMessage":${messageJson(view.quoted)}`
  }
  if (message.replyCount > 0) json += `,"replyCount":${message.replyCount}`
  if (message.pinnedAt !== null)
    json += `,"pinnedAt":${message.pinnedAt},"pinnedBy":${JSON.stringify(message.pinnedBy)}`
  const { savedAt, threadSubscribed, myReceipt, receipts, thread } = view
  if (savedAt !== undefined) json += `,"savedAt":${savedAt}`
  if (threadSubscribed !== undefined) json += `,"threadSubscribed":${threadSubscribed}`
  if (myReceipt !== undefined) json += `,"myReceipt":${JSON.stringify(myReceipt)}`
  if (receipts !== undefined) json += `,"receipts":${JSON.stringify({ data: receipts })}`
  if (thread !== undefined) {
    json += `,"subscribed":${threadSubscribed ?? false},"unreadRepliesCount":${thread.unreadReplies}`
    if (thread.lastReply !== undefined) json += `,"lastReply":${messageJson(thread.lastReply)}`
  }
  return json
}

/** The message on the wire. Stored text is embedded as it is: this runs for every message of every list. */
export const messageJson = (
  message: StoredMessage,
  { withTags = false, view = noView }: { withTags?: boolean; view?: MessageView } = {},
): string => {
  let json = `{"id":"${message.id}"`
  if (message.muid !== null) json += `,"muid":${JSON.stringify(message.muid)}`
  json +=
    `,"conversationId":"${message.conversationId}","sender":"${message.sender}","receiverType":"${message.receiverType}"` +
    `,"receiver":"${message.receiver}","category":"${message.category}","type":${JSON.stringify(message.type)}` +
    `,"data":${dataOf(message, view)},"sentAt":${message.sentAt}`
  if (view.deliveredAt !== undefined) json += `,"deliveredAt":${view.deliveredAt}`
  if (view.readAt !== undefined) json += `,"readAt":${view.readAt}`
  if (message.editedAt !== null)
    json += `,"editedAt":${message.editedAt},"editedBy":${JSON.stringify(message.editedBy)}`
  if (message.deletedAt !== null)
    json += `,"deletedAt":${message.deletedAt},"deletedBy":${JSON.stringify(message.deletedBy)}`
  json += `,"updatedAt":${message.updatedAt}`
  if (message.parentId !== null) json += `,"parentId":"${message.parentId}"`
  json += rareJson(message, view)
  if (withTags && message.tags !== null) json += `,"tags":${message.tags}`
  return `${json}}`
}
