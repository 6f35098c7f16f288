/** Which messages a bot hears. Pure: the store asks inside the transaction that accepts the message. */
import type { GroupChatSetting, ReceiverType, Uid } from '@confab/protocol'

const MENTION = /<@uid:([A-Za-z0-9_-]+)>/g

/** The users that a text or caption mentions, each once, in order of appearance. */
export const mentionedUids = (text: string): readonly Uid[] => {
  if (!text.includes('<@uid:')) return []
  return [...new Set([...text.matchAll(MENTION)].map(([, uid = '']) => uid.toLowerCase() as Uid))]
}

/** A command: the first character that is not white space is a slash. */
export const isSlashed = (text: string): boolean => text.trimStart().startsWith('/')

export interface RelayedMessage {
  readonly receiverType: ReceiverType
  readonly category: string
  /** Text or caption. */
  readonly text: string | null
  readonly senderIsBot: boolean
}

/** What happened in a conversation is told by triggers of its own, not as a message. */
const RELAYED_CATEGORIES: ReadonlySet<string> = new Set(['message', 'custom', 'interactive'])

/** Bots do not hear bots: two that answer each other would never stop. */
export const mayBeRelayed = (message: RelayedMessage): boolean =>
  !message.senderIsBot && RELAYED_CATEGORIES.has(message.category)

/** Whether a group message is for this bot, a member of the group. */
export const isForBot = (bot: { uid: Uid; groupChatSetting: GroupChatSetting }, text: string | null): boolean => {
  switch (bot.groupChatSetting) {
    case 'none':
      return false
    case 'allMessages':
      return true
    case 'slashedMessages':
      return text !== null && isSlashed(text)
    case 'mentionedMessages':
      return text !== null && mentionedUids(text).includes(bot.uid)
    default:
      return bot.groupChatSetting satisfies never
  }
}
