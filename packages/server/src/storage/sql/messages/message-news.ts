/** What happens to messages after they were sent, for the bots and webhooks that have asked to hear of it. */
import type { Guid, OptionalTrigger, Uid } from '@confab/protocol'
import { isForBot } from '../../../callbacks/relay.ts'
import type { Telling, Told } from '../../../callbacks/tell.ts'
import { type Actor, actorUid } from '../../../kernel/actor.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { announce } from '../delivery/announce.ts'
import type { BotRow } from '../delivery/bot-rows.ts'
import { botOf, subscribersIn } from '../delivery/outbox.ts'
import type { Tx } from '../seam.ts'

/** What was said, or the caption of what was shown. */
export const textOf = ({ data }: StoredMessage): string | null => {
  const { text } = JSON.parse(data) as { text?: unknown }
  return typeof text === 'string' ? text : null
}

/** Whose business the message is: its sender's, and by its old text or its new one; one to one, it is everybody's. */
const concerns = (message: StoredMessage, texts: readonly (string | null)[]) => (bot: BotRow) =>
  message.receiverType === 'user' ||
  message.sender === bot.uid ||
  texts.some((text) => isForBot({ uid: bot.uid, groupChatSetting: bot.group_chat_setting }, text))

export const tellOfMessage = async (
  tx: Tx,
  by: { actor: Actor; telling: Telling },
  news: {
    /** What it is about. */
    message: StoredMessage
    /** The message that tells of it, or the one it is about. */
    messageId: number
    trigger: OptionalTrigger
    /** JSON; asked for only if somebody listens. */
    data: () => string
    texts: readonly (string | null)[]
  },
): Promise<Told> => {
  const { actor, telling } = by
  const { message, messageId, trigger, data, texts } = news
  const app = actor.appId
  const { receiverType, receiver, sender, conversationId } = message
  const parties = receiverType === 'group' ? { guid: receiver as Guid } : { uids: [receiver as Uid, sender as Uid] }
  const subscribers = await subscribersIn(tx, { app, ...parties, trigger, by: actorUid(actor) })
  const bots = subscribers.filter(concerns(message, texts))
  return announce(tx, telling, {
    app,
    key: conversationId,
    messageId,
    forBots: { trigger, data, byBot: () => botOf(tx, actor), bots },
    what: [{ trigger, data }],
  })
}
