/** Calls between users, and in groups: that they ring, are taken and end. What is said in them goes elsewhere. */
import { type Static, Type } from 'typebox'
import { Entity, JsonObject, receiverTypes, UnixSeconds } from './entities.ts'
import { limits } from './limits.ts'

export const callTypes = ['audio', 'video'] as const
export type CallType = (typeof callTypes)[number]

/** `initiated`, then `ongoing`, unless it comes to nothing: `rejected`, `cancelled`, `busy`, `unanswered`; at last `ended`. */
export const callStatuses = [
  ...(['initiated', 'ongoing', 'rejected', 'cancelled', 'busy', 'unanswered', 'ended'] as const),
] as const
export type CallStatus = (typeof callStatuses)[number]

/** The documents spell it in both ways. */
const CANCELED = 'canceled'
export const parseCallStatus = (text: CallStatus | typeof CANCELED): CallStatus =>
  text === CANCELED ? 'cancelled' : text

const Text = Type.Optional(Type.String({ maxLength: limits.messageTypeLength }))
const data = Type.Optional(Type.Object({ metadata: Type.Optional(JsonObject) }))

/** Receiver, type and category have documented codes of their own. */
export const InitiateCall = Type.Object({
  receiver: Type.Optional(Type.String({ maxLength: limits.uidLength })),
  receiverType: Type.Optional(Type.String()),
  type: Type.Optional(Type.String({ maxLength: limits.messageTypeLength, description: '`audio` or `video`.' })),
  category: Text,
  status: Text,
  metadata: Type.Optional(JsonObject),
  data,
})
export type InitiateCall = Static<typeof InitiateCall>

export const ChangeCall = Type.Object({
  status: Type.Enum([...callStatuses, CANCELED], { description: 'What becomes of the call.' }),
})
export type ChangeCall = Static<typeof ChangeCall>

export const Call = Type.Object(
  {
    sessionid: Type.String(),
    status: Type.Enum(callStatuses),
    type: Type.Enum(callTypes),
    sender: Type.String({ description: 'Who calls.' }),
    receiverType: Type.Enum(receiverTypes),
    receiver: Type.String({ description: 'Who is called: a user, or a group.' }),
    conversationId: Type.String(),
    initiatedAt: UnixSeconds,
    startedAt: Type.Optional(UnixSeconds),
    endedAt: Type.Optional(UnixSeconds),
    joinedAt: Type.Optional(Type.Integer({ minimum: 0, description: 'When the acting user came into the call.' })),
    data: Type.Object({
      entities: Type.Object(
        { sender: Entity, receiver: Entity },
        { description: 'As they were when it was initiated.' },
      ),
      metadata: Type.Optional(JsonObject),
    }),
  },
  { title: 'Call' },
)
