/** What is put into a message, or refuses it, before it is accepted. */
import {
  type AppId,
  type Guid,
  groupConversationId,
  type ReceiverType,
  type SendMessage,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { AppError } from '../kernel/app-error.ts'
import { type Draft, draftMessage, type MessageLimits } from './draft.ts'

export type JsonObject = Readonly<Record<string, unknown>>
type Injected = Readonly<Record<string, JsonObject>>

export interface AskBefore {
  isAsked(appId: AppId): boolean | Promise<boolean>
  /**
   * @param input `messageWith`: the message as JSON with what those before have put into it
   * @throws {AppError} ERR_BLOCKED_BY_WEBHOOK
   */
  ask(input: { appId: AppId; origin: string; messageWith: (injected: Injected) => string }): Promise<Injected>
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a sender says in this place counts for nothing. */
const withInjected = (body: SendMessage, injected: Injected): SendMessage => {
  const data: JsonObject = isObject(body.data) ? body.data : {}
  const { '@injected': _, ...metadata } = isObject(data.metadata) ? data.metadata : {}
  const isEmpty = Object.keys(injected).length === 0
  if (isEmpty && !isObject(data.metadata)) return body
  return {
    ...body,
    data: { ...data, metadata: isEmpty ? metadata : { ...metadata, '@injected': { webhooks: injected } } },
  }
}

/** The draft with what was put into it; without it, where that would make it too large. */
export const draftAfterAsking = async (
  asking: AskBefore,
  input: {
    appId: AppId
    body: SendMessage
    sender: Uid
    receiverType: ReceiverType
    receiver: string
    origin: string
    now: number
    limits: MessageLimits
  },
): Promise<Draft> => {
  const { appId, body, sender, receiverType, receiver, origin, now, limits } = input
  const conversationId =
    receiverType === 'group' ? groupConversationId(receiver as Guid) : userConversationId(sender, receiver as Uid)
  const draftWith = (injected: Injected): Draft => {
    try {
      return draftMessage(withInjected(body, injected), limits)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'ERR_INVALID_MESSAGE_DATA') throw error
      return draftMessage(withInjected(body, {}), limits)
    }
  }
  const messageWith = (injected: Injected): string => {
    const { category, type, dataHead } = draftWith(injected)
    const head = JSON.stringify({
      ...(body.muid && { muid: body.muid }),
      conversationId,
      sender,
      receiverType,
      receiver,
    })
    return `${head.slice(0, -1)},"category":"${category}","type":${JSON.stringify(type)},"data":${dataHead}},"sentAt":${now},"updatedAt":${now}}`
  }
  return draftWith(await asking.ask({ appId, origin, messageWith }))
}
