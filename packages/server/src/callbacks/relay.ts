/** Which messages a bot hears. Pure: the store asks inside the transaction that accepts the message. */
import { type GroupChatSetting, saidCategories, type Uid } from '@confab/protocol'

const MENTION = /<@uid:([A-Za-z0-9_-]+)>/g

/** The users that a text or caption mentions, each once, in order of appearance. */
export const mentionedUids = (text: string): readonly Uid[] => {
  if (!text.includes('<@uid:')) return []
  return [...new Set([...text.matchAll(MENTION)].map(([, uid = '']) => uid.toLowerCase() as Uid))]
}

/** A command: the first character that is not white space is a slash. */
export const isSlashed = (text: string): boolean => text.trimStart().startsWith('/')

/** What happened in a conversation is told by triggers of its own, not as a message. */
const RELAYED_CATEGORIES: ReadonlySet<string> = new Set(saidCategories)

export const mayBeRelayed = (category: string): boolean => RELAYED_CATEGORIES.has(category)

/** What a bot says within this time of what it heard is taken for an answer to it. */
export const HOP_MEMORY_MS = 5 * 60_000

/** Why a callback is not made although the bot asked for it: bots that answer each other would never stop. */
export const HOP_LIMIT_REASON = 'hop-limit'

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
