/** Messages as they are stored, and as the wire wants them. */
import type { ConversationId, MessageId, ReceiverType, Uid } from '@confab/protocol'

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
}

/** A message that was deleted keeps who took part and loses what was said. */
const dataOf = (message: StoredMessage): string => {
  if (message.deletedAt === null) return message.data
  const { entities } = JSON.parse(message.data) as { entities: unknown }
  return JSON.stringify({ entities })
}

/** The message on the wire. Stored text is embedded as it is: this runs for every message of every list. */
export const messageJson = (message: StoredMessage, options: { withTags: boolean } = { withTags: false }): string => {
  let json = `{"id":"${message.id}"`
  if (message.muid !== null) json += `,"muid":${JSON.stringify(message.muid)}`
  json +=
    `,"conversationId":"${message.conversationId}","sender":"${message.sender}","receiverType":"${message.receiverType}"` +
    `,"receiver":"${message.receiver}","category":"${message.category}","type":${JSON.stringify(message.type)}` +
    `,"data":${dataOf(message)},"sentAt":${message.sentAt}`
  if (message.editedAt !== null)
    json += `,"editedAt":${message.editedAt},"editedBy":${JSON.stringify(message.editedBy)}`
  if (message.deletedAt !== null)
    json += `,"deletedAt":${message.deletedAt},"deletedBy":${JSON.stringify(message.deletedBy)}`
  json += `,"updatedAt":${message.updatedAt}`
  if (message.parentId !== null) json += `,"parentId":"${message.parentId}"`
  if (options.withTags && message.tags !== null) json += `,"tags":${message.tags}`
  return `${json}}`
}
