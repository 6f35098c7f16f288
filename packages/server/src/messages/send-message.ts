/** The accept path: every message that somebody sends enters here, whoever they are and however it came. */
import {
  type ErrorCode,
  errorCodes,
  type Limits,
  MemberResult,
  Message,
  type MessageId,
  one,
  parseGuid,
  parseMessageId,
  parseUid,
  type ReceiverType,
  type SendMessage,
} from '@confab/protocol'
import { Type } from 'typebox'
import type { Teller } from '../callbacks/tell.ts'
import { type Actor, actorUid } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { toSeconds } from '../kernel/clock.ts'
import { jsonText } from '../kernel/json.ts'
import type { Live } from '../live/live.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Store } from '../storage/store.ts'
import { type AskBefore, draftAfterAsking } from './ask-before.ts'
import { draftMessage } from './draft.ts'
import { messageJson, type StoredMessage } from './message.ts'

export interface SendInput {
  readonly app: App
  /** The sender: a user, a bot's user, or the app. */
  readonly actor: Actor
  readonly body: SendMessage
  readonly client: Client
  /** The thread that the path of the request names. */
  readonly parentId?: MessageId
  /** Its muid means one message whenever it comes again, not only for a day. */
  readonly muidForEver?: boolean
}

interface Receiver {
  readonly type: ReceiverType
  readonly id: string
}

interface SentMessage {
  readonly message: StoredMessage
  readonly quoted: StoredMessage | undefined
}

/** What became of the message for one of several receivers. */
export interface SentTo extends Receiver {
  readonly result: SentMessage | AppError
}

export type Sent = ({ readonly kind: 'one' } & SentMessage) | { readonly kind: 'many'; readonly to: readonly SentTo[] }

export type SendMessageAs = (input: SendInput) => Promise<Sent>

const singleReceiver = (body: SendMessage): Receiver => {
  const { receiver = '', receiverType = '' } = body
  if (receiver.trim() === '') throw new AppError('ERR_EMPTY_RECEIVER', { details: { receiver: 'is required' } })
  if (receiverType !== 'user' && receiverType !== 'group') {
    throw new AppError('ERR_INVALID_RECEIVER_TYPE', { details: { receiverType: 'must be user or group' } })
  }
  return { type: receiverType, id: receiverType === 'group' ? parseGuid(receiver) : parseUid(receiver) }
}

/** All receivers, each once; `receiver` counts among them if it is there too. */
const manyReceivers = (body: SendMessage, most: number): Receiver[] => {
  const { uids = [], guids = [] } = body.multipleReceivers ?? {}
  const all: Receiver[] = [
    ...(body.receiver ? [singleReceiver(body)] : []),
    ...uids.map((uid): Receiver => ({ type: 'user', id: parseUid(uid) })),
    ...guids.map((guid): Receiver => ({ type: 'group', id: parseGuid(guid) })),
  ]
  const unique = [...new Map(all.map((receiver) => [`${receiver.type} ${receiver.id}`, receiver])).values()]
  if (unique.length === 0) throw new AppError('ERR_EMPTY_RECEIVER', { details: { multipleReceivers: 'names nobody' } })
  if (unique.length > most) {
    throw badRequest({ multipleReceivers: `must not name more than ${most} receivers` })
  }
  return unique
}

const idIn = (body: SendMessage, field: 'parentMessageId' | 'quotedMessageId'): MessageId | null => {
  const given = body[field]
  if (given === undefined) return null
  const parsed = parseMessageId(String(given))
  if (parsed === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { [field]: String(given) } })
  return parsed
}

export const makeSendMessage = (deps: {
  store: Pick<Store, 'messages'>
  teller: Teller
  live: Pick<Live, 'said'>
  asking: AskBefore
  limits: Limits
  onAccepted?: () => void
}): SendMessageAs => {
  const { store, teller, live, asking, limits } = deps

  const appendFor = (input: SendInput) => {
    const { app, actor, body, client } = input
    const shared = {
      actor,
      sender: actorUid(actor),
      appCreatedAt: app.createdAt,
      draft: draftMessage(body, limits),
      tags: jsonText(body.tags),
      muid: body.muid ?? null,
      muidForEver: input.muidForEver ?? false,
      parentId: input.parentId ?? idIn(body, 'parentMessageId'),
      quotedId: idIn(body, 'quotedMessageId'),
      resource: client.resource,
    }
    return async (receiver: Receiver, { toMany }: { toMany: boolean }): Promise<SentMessage> => {
      const telling = teller.telling(client)
      const draft = (await asking.isAsked(app.id))
        ? await draftAfterAsking(asking, {
            ...{ appId: app.id, body, sender: shared.sender, receiverType: receiver.type, receiver: receiver.id },
            origin: telling.origin,
            now: toSeconds(telling.nowMs),
            limits,
          })
        : shared.draft
      const { message, quoted, isNew, told } = await store.messages.append({
        ...shared,
        draft,
        receiverType: receiver.type,
        receiver: receiver.id,
        toMany,
        // The room that was promised may be another's by now.
        telling: draft === shared.draft ? telling : teller.telling(client),
      })
      const { conversationId, sender } = message
      teller.told(told, { appId: app.id, conversationId, sender })
      if (isNew) {
        live.said({ appId: app.id, deviceId: client.resource }, message, quoted)
        deps.onAccepted?.()
      }
      return { message, quoted }
    }
  }

  return async (input) => {
    const { body } = input
    if (body.multipleReceivers === undefined) {
      const receiver = singleReceiver(body)
      return { kind: 'one', ...(await appendFor(input)(receiver, { toMany: false })) }
    }
    const receivers = manyReceivers(body, limits.receiversPerMessage)
    const append = appendFor(input)
    const to = await Promise.all(
      receivers.map(async (receiver): Promise<SentTo> => {
        const result = await append(receiver, { toMany: true }).catch((error: unknown) => {
          if (error instanceof AppError && error.status < 500) return error
          throw error
        })
        return { ...receiver, result }
      }),
    )
    return { kind: 'many', to }
  }
}

const failureJson = (code: ErrorCode): string =>
  `{"success":false,"error":${JSON.stringify({ code, message: errorCodes[code].meaning })}}`

const sentJson = ({ message, quoted }: SentMessage, withTags = false): string =>
  messageJson(message, { withTags, view: quoted === undefined ? {} : { quoted } })

const resultsJson = (to: readonly SentTo[], type: ReceiverType): string =>
  to
    .filter((sent) => sent.type === type)
    .map(({ id, result }) => {
      const text = result instanceof AppError ? failureJson(result.code) : `{"success":true,"data":${sentJson(result)}}`
      return `${JSON.stringify(id)}:${text}`
    })
    .join(',')

const ResultsByReceiver = Type.Record(Type.String(), MemberResult)

/** The message; with `multipleReceivers`, what became of it for each. */
export const SendAnswer = one(Type.Union([Message, Type.Object({ uids: ResultsByReceiver, guids: ResultsByReceiver })]))

/** One message, or per receiver what became of it, in the form in which the contract answers lists of members. */
export const answerSent = (sent: Sent): string =>
  sent.kind === 'one'
    ? `{"data":${sentJson(sent, true)}}`
    : `{"data":{"uids":{${resultsJson(sent.to, 'user')}},"guids":{${resultsJson(sent.to, 'group')}}}}`
