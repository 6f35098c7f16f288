/** Updates: what a bot hears, when it fetches it instead of being called. */
import { type Static, Type } from 'typebox'
import { Callback, triggers } from './callback.ts'
import { limits } from './limits.ts'

const Offset = Type.Integer({
  minimum: 0,
  maximum: limits.updateOffset,
  description: 'Acknowledges all updates up to this offset.',
})

export const Update = Type.Object(
  {
    offset: Type.Integer({
      description: 'Acknowledges this update and all before it. A new one each time it is handed out.',
    }),
    id: Type.String({ description: 'As `webhook-id`: the same update has the same id, however often it comes.' }),
    attempt: Type.Integer({ description: 'How often it was handed out, since it arose or was replayed.' }),
    conversationId: Type.String(),
    sequence: Type.Integer({ description: 'Place in its conversation with the bot, gap-free from 1.' }),
    previousSequence: Type.Integer(),
    trigger: Type.Enum(triggers),
    hop: Type.Integer(),
    callback: Type.Union([Callback, Type.Record(Type.String(), Type.Unknown())], {
      description: 'What would be posted to the callback URL.',
    }),
  },
  { title: 'Update' },
)
export type Update = Static<typeof Update>

export const UpdateList = Type.Object({
  data: Type.Array(Update),
  meta: Type.Object({
    next: Type.Object(
      { offset: Type.Integer() },
      { description: 'For the next call: acknowledges what this one answered.' },
    ),
  }),
})

const acknowledge = Type.Optional(Offset)
export const PullUpdates = Type.Object({
  offset: acknowledge,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.updatesPerCall, default: 100 })),
  timeoutSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: limits.updatesTimeoutSeconds,
      default: 0,
      description: 'How long to wait for the first update if there is none.',
    }),
  ),
})
export type PullUpdates = Static<typeof PullUpdates>

export const StreamUpdates = Type.Object({ offset: acknowledge })
export const AcknowledgeUpdates = Type.Object(
  {
    offset: Type.Optional(Offset),
    ids: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
        minItems: 1,
        maxItems: limits.updatesPerCall,
        description: 'Acknowledges these updates, whatever was handed out before them.',
      }),
    ),
  },
  { description: 'By `offset` or by `ids`.' },
)
export type AcknowledgeUpdates = Static<typeof AcknowledgeUpdates>
export const Acknowledged = Type.Object({ acknowledged: Type.Integer() }, { title: 'Acknowledged' })

/** What a bot says over the WebSocket of its updates. */
export const UpdatesFrame = Type.Object({ acknowledge: AcknowledgeUpdates }, { title: 'UpdatesFrame' })
export type UpdatesFrame = Static<typeof UpdatesFrame>
