/** What a bot's handlers are given. */
import type { Callback, Message } from '@confab/protocol'
import type { VerifiedCallback } from './callback.ts'
import { type ConfabClient, type Outgoing, outgoing, type Receiver } from './client.ts'
import type { TriggerCallback } from './triggers.ts'

export interface Incoming extends VerifiedCallback {
  readonly message: Message
  /** Text or caption; empty where there is none. */
  readonly text: string
  /**
   * Answers where the message came from: to the sender, or in the group. Sent once, also if the callback is repeated:
   * the nth reply to a callback has one muid.
   */
  reply(message: Outgoing): Promise<Message>
  /** Shows there that the bot is about to say something, or is not any more. */
  typing(action?: 'started' | 'ended'): Promise<void>
}

type Heard<C extends TriggerCallback> = C extends TriggerCallback
  ? VerifiedCallback<C> & Pick<C, 'trigger' | 'data'>
  : never

/**
 * Something else than a message; `trigger` says what, and of which form `data` is. What the bot says because of it
 * should hand on its `hop`.
 */
export type IncomingTrigger = Heard<TriggerCallback>

const answerTo = (message: Message): Receiver =>
  message.receiverType === 'group'
    ? { receiver: message.receiver, receiverType: 'group' }
    : { receiver: message.sender, receiverType: 'user' }

export const incomingOf = (
  received: VerifiedCallback<Callback>,
  { client, uid }: { client: ConfabClient; uid: string },
): Incoming => {
  const { data: message } = received.callback
  const { id, hop } = received
  let replies = 0
  return {
    ...received,
    message,
    text: message.data.text ?? '',
    typing: (action) => client.sendBotTyping(uid, answerTo(message), action),
    reply: (answer) =>
      client.sendBotMessage(uid, answerTo(message), { muid: `${id}_${++replies}`, ...outgoing(answer) }, { hop }),
  }
}

export const incomingTriggerOf = (received: VerifiedCallback<TriggerCallback>): IncomingTrigger => {
  const { trigger, data } = received.callback
  // One and the same callback: its data is of the form that its trigger says, which the type cannot know.
  return { ...received, trigger, data } as IncomingTrigger
}
