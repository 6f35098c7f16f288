/**
 * What clients and the gateway say to each other over a WebSocket: one JSON object per text frame. Every frame has the
 * envelope `{appId, type, sender, receiver, receiverType, deviceId, body}`; these are the frames that clients send. What
 * they say of who they are (`sender`, `body.user`) is not believed: it is replaced by whose session it is.
 */
import { type Static, Type } from 'typebox'

const Id = Type.String({ maxLength: 255 })

export const presenceSubscriptions = ['ALL_USERS', 'ROLES', 'FRIENDS'] as const
export type PresenceSubscription = (typeof presenceSubscriptions)[number]

/** The first frame of a session. */
export const AuthFrame = Type.Object({
  type: Type.Literal('auth'),
  appId: Type.Optional(Id),
  deviceId: Type.Optional(Id),
  body: Type.Object({
    auth: Type.String({ maxLength: 4096, description: 'The `jwt` of the answer to `PUT /me`.' }),
    deviceId: Type.Optional(Id),
    presenceSubscription: Type.Optional(Type.Union([Type.Enum(presenceSubscriptions), Type.Null()])),
    roles: Type.Optional(
      Type.Array(Id, { maxItems: 100, description: 'Whose presence is wanted, with the subscription `ROLES`.' }),
    ),
    confab: Type.Optional(
      Type.Object({
        streams: Type.Optional(
          Type.Boolean({ description: 'Growing text of bots comes in frames of the type `stream`.' }),
        ),
        since: Type.Optional(
          Type.Union([Type.String({ maxLength: 20 }), Type.Integer({ minimum: 0 })], {
            description: 'The id of the newest message that the client has: what it has missed comes first.',
          }),
        ),
        seen: Type.Optional(
          Type.Record(Type.String(), Type.String({ maxLength: 20 }), {
            maxProperties: 2000,
            description: 'The newest message of each conversation that the client has, of those of late.',
          }),
        ),
      }),
    ),
  }),
})
export type AuthFrame = Static<typeof AuthFrame>

export const PingFrame = Type.Object({ action: Type.Literal('ping') })

const target = {
  receiver: Id,
  receiverType: Type.Enum(['user', 'group']),
  deviceId: Type.Optional(Id),
} as const

export const TypingFrame = Type.Object({
  type: Type.Literal('typing_indicator'),
  ...target,
  body: Type.Object({
    action: Type.Enum(['started', 'ended']),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
})

/** Everything up to the message, in its conversation, was received or read. */
export const ReceiptFrame = Type.Object({
  type: Type.Literal('receipts'),
  ...target,
  messageSender: Type.Optional(Id),
  body: Type.Object({
    action: Type.Enum(['delivered', 'read']),
    messageId: Type.Union([Type.String({ maxLength: 20 }), Type.Integer({ minimum: 1 })]),
  }),
})

/** Something for those who are online, which is not kept. */
export const TransientFrame = Type.Object({
  type: Type.Literal('transient_message'),
  ...target,
  body: Type.Object({ data: Type.Record(Type.String(), Type.Unknown()) }),
})

export const ClientFrame = Type.Union([PingFrame, TypingFrame, ReceiptFrame, TransientFrame])
export type ClientFrame = Static<typeof ClientFrame>
