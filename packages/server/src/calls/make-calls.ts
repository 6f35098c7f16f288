/** Signalling of calls: who calls whom, and what becomes of it. Each step is a message of its conversation. */
import {
  type CallStatus,
  type ChangeCall,
  callTypes,
  type InitiateCall,
  type Limits,
  parseCallStatus,
  parseGuid,
  parseUid,
} from '@confab/protocol'
import type { Teller } from '../callbacks/tell.ts'
import type { Actor, UserActor } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import { makeMetadataText } from '../kernel/json.ts'
import type { Live } from '../live/live.ts'
import type { StoredMessage } from '../messages/message.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { CallMoved, NewCall } from '../storage/sql/messages/calls.ts'
import type { Store } from '../storage/store.ts'

interface By {
  readonly app: App
  readonly actor: UserActor
  readonly client: Client
}

export interface MakeCalls {
  /** Answers the message that tells of it, as `change` does. */
  initiate(by: By, body: InitiateCall): Promise<StoredMessage>
  change(by: By, sessionId: string, body: ChangeCall): Promise<StoredMessage>
  /** As JSON. */
  find(actor: Actor, sessionId: string): Promise<string>
}

const isCallType = (type: string): type is NewCall['type'] => callTypes.some((known) => known === type)

/** What messages are told for the same reasons. */
const checked = (body: InitiateCall): Pick<NewCall, 'type' | 'receiverType' | 'receiver'> => {
  const { receiver = '', receiverType = '', type = '', category = 'call', status = 'initiated' } = body
  if (category !== 'call') {
    throw new AppError('ERR_INVALID_MESSAGE_CATEGORY', { details: { category: 'must be call' } })
  }
  if (status !== 'initiated') throw new AppError('ERR_CALL_INVALID_INIT', { details: { status: 'must be initiated' } })
  if (type.trim() === '') throw new AppError('ERR_EMPTY_MESSAGE_TYPE', { details: { type: 'must not be empty' } })
  if (!isCallType(type)) {
    throw new AppError('ERR_INVALID_MESSAGE_TYPE', { details: { type: `must be ${callTypes.join(' or ')}` } })
  }
  if (receiver.trim() === '') throw new AppError('ERR_EMPTY_RECEIVER', { details: { receiver: 'is required' } })
  if (receiverType !== 'user' && receiverType !== 'group') {
    throw new AppError('ERR_INVALID_RECEIVER_TYPE', { details: { receiverType: 'must be user or group' } })
  }
  return { type, receiverType, receiver: receiverType === 'group' ? parseGuid(receiver) : parseUid(receiver) }
}

const sessionOf = (text: string): string => {
  if (text.trim() === '') throw new AppError('ERR_EMPTY_CALL_SESSION_ID')
  return text
}

export const makeCalls = (deps: {
  store: Pick<Store, 'calls'>
  clock: Clock
  ids: Pick<Ids, 'call'>
  teller: Teller
  live: Pick<Live, 'said'>
  limits: Limits
}): MakeCalls => {
  const { store, clock, ids, teller, live, limits } = deps
  const metadataText = makeMetadataText(limits.messageDataBytes)
  const handOn = ({ actor, client }: By, { message, told }: CallMoved): StoredMessage => {
    teller.told(told, { appId: actor.appId, conversationId: message.conversationId, sender: actor.uid })
    live.said({ appId: actor.appId, deviceId: client.resource }, message)
    return message
  }
  const inputOf = ({ app, actor, client }: By) => ({
    actor,
    appCreatedAt: app.createdAt,
    telling: teller.telling(client),
  })
  return {
    initiate: async (by, body) => {
      const call = checked(body)
      const metadata = metadataText(body.data?.metadata ?? body.metadata)
      const sessionId = ids.call(toSeconds(clock.now()))
      return handOn(by, await store.calls.initiate({ ...call, metadata, sessionId, ...inputOf(by) }))
    },
    change: async (by, sessionId, body) => {
      const status: CallStatus = parseCallStatus(body.status)
      return handOn(by, await store.calls.change({ ...inputOf(by), sessionId: sessionOf(sessionId), status }))
    },
    find: (actor, sessionId) => store.calls.find({ actor, sessionId: sessionOf(sessionId) }),
  }
}
