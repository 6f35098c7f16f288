/** Deliveries as those see them who run bots: what is to be brought to a callback, what was tried, how it goes. */
import { type Static, Type } from 'typebox'
import { UnixSeconds } from './entities.ts'
import { Pagination } from './envelopes.ts'
import { limits, upTo } from './limits.ts'

export const deliveryStates = ['pending', 'delivered', 'dead', 'cancelled'] as const
export type DeliveryState = (typeof deliveryStates)[number]
const finishedStates = ['delivered', 'dead', 'cancelled'] as const

const summary = {
  id: Type.String({ description: '`webhook-id` of its callbacks.' }),
  bot: Type.Optional(Type.String({ description: 'Of a bot: its uid.' })),
  webhook: Type.Optional(Type.String({ description: 'Of a webhook: its id.' })),
  conversationId: Type.String({ description: 'Or `user_` and a uid, where what a webhook hears is about a user.' }),
  messageId: Type.Optional(Type.String({ description: 'Left out where no message tells of it.' })),
  sequence: Type.Integer({ description: 'Place in its lane: the conversation with this bot.' }),
  trigger: Type.String(),
  state: Type.Enum(deliveryStates),
  attempts: Type.Integer({
    description: 'How many were made, since the last replay if there was one; without those that failed for our fault.',
  }),
  hop: Type.Optional(Type.Integer({ description: 'How many bots spoke in turn before it; left out where none did.' })),
  reason: Type.Optional(
    Type.String({ description: 'Why it was cancelled, where nobody did: `hop-limit` ends a chain of bots.' }),
  ),
  isParked: Type.Optional(
    Type.Literal(true, { description: 'Its attempts are used up, and its conversation waits until somebody acts.' }),
  ),
  createdAt: UnixSeconds,
  finishedAt: Type.Optional(UnixSeconds),
  replayedAt: Type.Optional(UnixSeconds),
  dueAt: Type.Optional(
    Type.Integer({
      description: 'Unix seconds: when the next attempt is due. Only of the head of a lane that nobody works.',
    }),
  ),
}
export const Delivery = Type.Object(summary, { title: 'Delivery' })
export type Delivery = Static<typeof Delivery>

const Phase = Type.Optional(Type.Number())
/** Milliseconds since the start of the attempt, as far as it came. */
export const AttemptPhases = Type.Object({
  dns: Phase,
  connect: Phase,
  tls: Phase,
  firstByte: Phase,
  total: Type.Number(),
})

export const Attempt = Type.Object(
  {
    number: Type.Integer({ description: 'From 1; a replay begins anew.' }),
    startedAt: Type.Integer({ description: 'Unix milliseconds.' }),
    outcome: Type.String({
      description:
        '`delivered`, `gone`, `refused`, or `retry:` and the reason; `ours:` and the reason is no fault of the bot.',
    }),
    status: Type.Optional(Type.Integer({ description: 'HTTP status of the answer.' })),
    error: Type.Optional(Type.String()),
    address: Type.Optional(Type.String({ description: 'The address dialled, or refused.' })),
    phases: AttemptPhases,
    response: Type.Optional(Type.String({ description: 'First bytes of the answer, as text.' })),
  },
  { title: 'Attempt' },
)
export type Attempt = Static<typeof Attempt>

export const DeliveryDetail = Type.Object(
  {
    ...summary,
    body: Type.String({ description: 'What is sent, byte for byte.' }),
    history: Type.Array(Attempt, {
      description: `The attempts on record, oldest first; of more than ${limits.attemptsShown} the newest ${limits.attemptsShown}.`,
    }),
    attemptsOnRecord: Type.Integer({
      description: 'How many attempts are on record, with those of before a replay.',
    }),
  },
  { title: 'DeliveryDetail' },
)
export type DeliveryDetail = Static<typeof DeliveryDetail>

const Time = Type.Optional(Type.Integer({ minimum: 0, description: 'Unix seconds, of creation.' }))

export const ListDeliveries = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax'), default: limits.pageSize })),
  before: Type.Optional(
    Type.String({ maxLength: 64, pattern: '^dlv_\\w+$', description: 'Cursor: `meta.next.before` of the last page.' }),
  ),
  bot: Type.Optional(Type.String({ maxLength: limits.uidLength })),
  webhook: Type.Optional(Type.String({ maxLength: limits.webhookIdLength })),
  conversationId: Type.Optional(Type.String({ maxLength: 255 })),
  messageId: Type.Optional(Type.String({ maxLength: 20 })),
  state: Type.Optional(Type.Enum(deliveryStates)),
  since: Time,
  until: Time,
})
export type ListDeliveries = Static<typeof ListDeliveries>

export const DeliveryListMeta = Type.Object({
  current: Type.Object({ limit: Type.Integer(), count: Type.Integer() }),
  next: Type.Optional(Type.Object({ before: Type.String() })),
  pagination: Pagination,
})
export const deliveryList: Type.TObject<{ data: Type.TArray<typeof Delivery>; meta: typeof DeliveryListMeta }> =
  Type.Object({ data: Type.Array(Delivery), meta: DeliveryListMeta })

export const ReplayDeliveries = Type.Object({
  since: Type.Integer({ minimum: 0, description: 'Unix seconds, of creation.' }),
  until: Time,
  states: Type.Optional(
    Type.Array(Type.Enum(finishedStates), { minItems: 1, maxItems: 3, description: '`dead` alone, unless told.' }),
  ),
  after: Type.Optional(
    Type.String({
      maxLength: 64,
      pattern: '^dlv_\\w+$',
      description: '`next.after` of the call before, where that did not come to the end.',
    }),
  ),
})
export type ReplayDeliveries = Static<typeof ReplayDeliveries>

export const Replayed = Type.Object(
  {
    replayed: Type.Integer({ description: 'How many deliveries are pending again.' }),
    next: Type.Optional(
      Type.Object({ after: Type.String() }, { description: 'There may be more: call again with this.' }),
    ),
  },
  { title: 'Replayed' },
)
export type Replayed = Static<typeof Replayed>

/** Of the deliveries that arose within it. */
export const StatsWindow = Type.Object({
  delivered: Type.Integer(),
  dead: Type.Integer(),
  cancelled: Type.Integer(),
  pending: Type.Integer(),
  successRate: Type.Optional(
    Type.Number({ description: '0 to 1: delivered of delivered and dead. Left out where there are none.' }),
  ),
  attemptMs: Type.Optional(
    Type.Object(
      { p50: Type.Number(), p95: Type.Number(), p99: Type.Number() },
      {
        description:
          'How long attempts took, but for those that failed for our fault. Left out where none is on record.',
      },
    ),
  ),
  isSample: Type.Boolean({ description: 'There was too much to count: the newest stand for all.' }),
})
export type StatsWindow = Static<typeof StatsWindow>

export const breakerStates = ['closed', 'open', 'half-open'] as const
export const Breaker = Type.Object(
  {
    state: Type.Enum(breakerStates),
    openedAt: Type.Optional(UnixSeconds),
    probeAt: Type.Optional(Type.Integer({ description: 'When one callback is tried, unix seconds.' })),
    failedProbes: Type.Optional(Type.Integer()),
  },
  { description: 'While it is open nothing is sent and nothing is lost.' },
)
export type Breaker = Static<typeof Breaker>

export const BotStats = Type.Object(
  {
    breaker: Breaker,
    slowedUntil: Type.Optional(
      Type.Integer({
        description: 'It has asked to be left alone until then, unix seconds: of five seconds and more.',
      }),
    ),
    parked: Type.Integer({ description: 'Conversations that wait until somebody acts.' }),
    pending: Type.Integer({ description: 'Deliveries that are still to be made.' }),
    oldestPendingAge: Type.Optional(Type.Number({ description: 'Seconds.' })),
    lastHour: StatsWindow,
    lastDay: StatsWindow,
  },
  { title: 'BotStats' },
)
export type BotStats = Static<typeof BotStats>

export const Resumed = Type.Object(
  { resumed: Type.Integer({ description: 'How many conversations are due at once that had to wait.' }) },
  { title: 'Resumed' },
)
export type Resumed = Static<typeof Resumed>

const TestCall = Type.Object({
  outcome: Type.String({ description: 'As of an attempt.' }),
  status: Type.Optional(Type.Integer()),
  error: Type.Optional(Type.String()),
  address: Type.Optional(Type.String()),
  phases: AttemptPhases,
  response: Type.Optional(Type.String()),
})
export const CallbackTest = Type.Object(
  {
    ok: Type.Boolean({ description: 'It answered 2xx in time.' }),
    verdict: Type.String({ description: 'For people.' }),
    reached: Type.Boolean({ description: 'A connection came about.' }),
    answered: Type.Boolean({ description: 'The answer was complete in time.' }),
    acceptsWrongSignature: Type.Optional(
      Type.Boolean({
        description:
          'It answered 2xx to a wrong signature too; false if it refused it, with 4xx. Left out where that was not ' +
          'asked, and where the answer does not tell: none in time, 408, 429, 3xx, 5xx.',
      }),
    ),
    ms: Type.Number({ description: 'How long the first call took.' }),
    call: TestCall,
    wrongSignatureCall: Type.Optional(TestCall),
  },
  { title: 'CallbackTest' },
)
export type CallbackTest = Static<typeof CallbackTest>
