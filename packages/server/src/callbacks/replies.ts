/**
 * Replies in the answer to a callback: what a bot says is posted as its message, on the way that every message takes.
 *
 * Invariant: a callback has each of its replies posted at most once, however often it is made: the nth reply to a
 * delivery has one muid for ever. They are posted before the delivery is put on record, so that none is forgotten.
 */
import { type Callback, limits, type SendMessage } from '@confab/protocol'
import type { Attempt, Delivery } from '../delivery/attempt.ts'
import type { Streamed } from '../delivery/streamed-answer.ts'
import type { BotId } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { parseIfJson } from '../kernel/json-text.ts'
import type { SendMessageAs } from '../messages/send-message.ts'
import type { Store } from '../storage/store.ts'

type Answer = Pick<Attempt, 'json' | 'streamed'>

/** Answers what is wrong with the replies, if they cannot be posted: one line for people. Rejects if it is to be done again. */
export type PostReplies = (bot: BotId, delivery: Delivery, answer: Answer) => Promise<string | undefined>

export interface PostRepliesDeps {
  readonly store: Pick<Store, 'apps' | 'bots'>
  readonly send: SendMessageAs
  /** @throws {AppError} if it is not the body of a message */
  readonly checkMessage: (value: unknown) => unknown
}

export const RESOURCE = 'callback-reply'

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Replies to be posted, in their order, or why none of them can be. */
export type Asked = { readonly replies: readonly unknown[] } | { readonly problem: string }

const repliesOf = ({ reply, replies }: Readonly<Record<string, unknown>>): readonly unknown[] => {
  const first = reply === undefined || reply === null ? [] : [reply]
  return replies === undefined || replies === null
    ? first
    : [...first, ...(Array.isArray(replies) ? replies : [replies])]
}

/** May be nested however deeply: nothing but its surface is looked at. */
const asksForReplies = (json: string): boolean => {
  const answer: unknown = JSON.parse(json)
  return isObject(answer) && repliesOf(answer).length > 0
}

/** What the answer asks to be said. Other JSON asks for nothing; of what no body may hold, nothing is said. */
export const repliesIn = (json: string): Asked => {
  const { value, problem } = parseIfJson(json) ?? {}
  if (problem !== undefined) return asksForReplies(json) ? { problem: `the answer ${problem}` } : { replies: [] }
  return { replies: isObject(value) ? repliesOf(value) : [] }
}

/** What broke off is marked, so that whoever reads it knows that there was more to say. */
const streamedReply = ({ text, reply, isWhole }: Streamed): Asked => {
  if (reply?.problem !== undefined) return { problem: `the reply ${reply.problem}` }
  if (reply !== undefined) return { replies: [reply.value] }
  return { replies: [{ data: { text, ...(!isWhole && { metadata: { '@confab': { stream: 'aborted' } } }) } }] }
}

/** Which of them are posted, if there are not too many. */
const askedIn = ({ json, streamed }: Answer): Asked => {
  const asked = streamed === undefined ? repliesIn(json ?? '') : streamedReply(streamed)
  const isTooMany = 'replies' in asked && asked.replies.length > limits.repliesPerCallback
  return isTooMany ? { problem: `there are more than ${limits.repliesPerCallback}` } : asked
}

/** Where the message came from: to the sender, or in the group; in its thread, if it is of one. */
export const placeOf = ({ data }: Callback): SendMessage => ({
  receiver: data.receiverType === 'group' ? data.receiver : data.sender,
  receiverType: data.receiverType,
  ...(data.parentId !== undefined && { parentMessageId: data.parentId }),
})

const clientOf = (hop: number): Client => ({
  resource: RESOURCE,
  origin: { platform: 'API', language: 'http', resource: RESOURCE },
  hop,
})

const wordsOf = ({ code, details }: AppError): string => {
  const why = Object.entries(details ?? {}).map(([field, what]) => `${field} ${what}`)
  return [code, ...why].join(': ')
}

export const makePostReplies = ({ store, send, checkMessage }: PostRepliesDeps): PostReplies => {
  const bodyOf = (reply: unknown, delivery: Delivery, n: number): SendMessage => {
    if (typeof reply !== 'string' && !isObject(reply)) throw badRequest({ reply: 'must be a text or a message' })
    // What a message callback carries is a message of ours.
    const defaults = delivery.trigger === 'after_message' ? placeOf(JSON.parse(delivery.body) as Callback) : {}
    const message = checkMessage(typeof reply === 'string' ? { data: { text: reply } } : reply) as SendMessage
    if (message.multipleReceivers !== undefined) throw badRequest({ multipleReceivers: 'is not for replies' })
    const { receiver: _, receiverType: __, ...inPlace } = message
    const isElsewhere = message.receiver !== undefined || message.receiverType !== undefined
    return { ...(isElsewhere ? message : { ...defaults, ...inPlace }), muid: `${delivery.id}:${n}` }
  }

  const postOne = async (bot: BotId, delivery: Delivery, reply: unknown, n: number) => {
    const app = await store.apps.find({ id: bot.appId })
    if (app === undefined) throw new AppError('AUTH_ERR_INVALID_APPID')
    await store.bots.find({ appId: bot.appId, uid: bot.bot })
    await send({
      app,
      actor: { kind: 'user', appId: bot.appId, uid: bot.bot },
      body: bodyOf(reply, delivery, n),
      client: clientOf(delivery.hop),
      muidForEver: true,
    })
  }

  return async (bot, delivery, answer) => {
    const asked = askedIn(answer)
    if ('problem' in asked) return `the replies were not posted: ${asked.problem}`
    const problems: string[] = []
    for (const [index, reply] of asked.replies.entries()) {
      try {
        await postOne(bot, delivery, reply, index + 1)
      } catch (error) {
        // What is wrong with a reply stays wrong; what is wrong with us does not.
        if (!(error instanceof AppError) || error.status >= 500) throw error
        problems.push(`reply ${index + 1} was not posted: ${wordsOf(error)}`)
      }
    }
    return problems.length === 0 ? undefined : problems.join('; ')
  }
}
