/**
 * Lanes: the ordered deliveries of (bot, conversation), and the right to work one.
 *
 * Invariants:
 * - A delivery is written in the transaction of its message, with the next sequence of its lane; the lane's row is
 *   locked meanwhile, so sequences follow the order of messages and have no gaps.
 * - `due_at_ms` is when the lane may next be claimed: when its head is due, or, while it is leased, when the lease
 *   lapses. NULL: it is empty. So one index finds both work and lapsed leases. Lanes of a disabled bot stay due and
 *   are not claimed until it is enabled again.
 * - Only the holder of the lease may finish the head. Every claim has a fresh lease id; a completion under an old one
 *   changes nothing but the list of attempts.
 * - `pending` counts the deliveries of the lane that are still to be made.
 * - The head is the pending delivery of the lowest sequence, whatever was made pending when: what is replayed is made
 *   again at its old place, before everything newer. A lease outlives a cancelled or replayed head: who holds it goes on
 *   with the head that is there then, so that a lane never has two attempts under way.
 * - An attempt decides only about a delivery that is pending, and one of before a replay nothing about it.
 */
import type { AppId, ConversationId, DeliveryId, DeliveryState, LeaseId, Trigger, Uid } from '@confab/protocol'
import type { Attempt, Delivery, StoredCallback } from '../../delivery/attempt.ts'
import { BOT_COLUMNS, type BotRow, findBotRow, toCallback } from './bots.ts'
import { read, statement, type Tx, write } from './seam.ts'

export interface StoredClaim {
  readonly leaseId: LeaseId
  readonly callback: StoredCallback
  readonly head: Delivery
}

/** Who claims, and until when. Lease ids are `leaseId` with a number behind it, one per lane. */
export interface Claimer {
  readonly node: string
  readonly leaseId: LeaseId
  readonly untilMs: number
  /** `appId/uid` → lanes of that bot that are claimed already; bots at `perBot` get no more, theirs wait in the store. */
  readonly busy: Readonly<Record<string, number>>
  readonly perBot: number
}

interface LaneRow {
  id: number
  app_id: AppId
  bot_uid: Uid
  conversation_id: ConversationId
}

interface HeadRow {
  id: DeliveryId
  sequence: number
  trigger: Trigger
  body: string
  attempts: number
  created_at_ms: number
}

const enterLane = statement<
  { app: string; bot: string; conversation: string; lease: string | null; node: string | null; dueMs: number },
  { id: number; sequence: number; lease_id: string | null; due_at_ms: number }
>(
  'lanes.enter',
  `INSERT INTO lanes (app_id, bot_uid, conversation_id, next_sequence, pending, due_at_ms, lease_id, lease_node)
   VALUES (:app, :bot, :conversation, 2, 1, :dueMs, :lease, :node)
   ON CONFLICT (app_id, bot_uid, conversation_id) DO UPDATE SET
     next_sequence = lanes.next_sequence + 1,
     pending = lanes.pending + 1,
     due_at_ms = CASE WHEN lanes.pending = 0 AND lanes.lease_id IS NULL THEN excluded.due_at_ms ELSE lanes.due_at_ms END,
     lease_id = CASE WHEN lanes.pending = 0 AND lanes.lease_id IS NULL THEN excluded.lease_id ELSE lanes.lease_id END,
     lease_node = CASE WHEN lanes.pending = 0 AND lanes.lease_id IS NULL THEN excluded.lease_node ELSE lanes.lease_node END
   RETURNING id, next_sequence - 1 AS sequence, lease_id, due_at_ms`,
)
const insertDelivery = statement<{
  id: string
  app: string
  bot: string
  lane: number
  sequence: number
  message: number
  trigger: string
  body: string
  nowMs: number
}>(
  'deliveries.insert',
  `INSERT INTO deliveries (id, app_id, bot_uid, lane_id, sequence, message_id, trigger, body, state, attempts, created_at_ms)
   VALUES (:id, :app, :bot, :lane, :sequence, :message, :trigger, :body, 'pending', 0, :nowMs)`,
)

const dueBots = statement<Record<string, never>, BotRow & { due_ms: number | null }>(
  'lanes.due_bots',
  `SELECT ${BOT_COLUMNS.join(', ')}, (SELECT min(due_at_ms) FROM lanes
     WHERE lanes.app_id = bots.app_id AND lanes.bot_uid = bots.uid AND due_at_ms IS NOT NULL) AS due_ms
   FROM bots WHERE enabled = 1`,
)
const dueLanes = statement<{ app: string; bot: string; nowMs: number; limit: number }, LaneRow>(
  'lanes.due',
  `SELECT id, app_id, bot_uid, conversation_id FROM lanes
   WHERE app_id = :app AND bot_uid = :bot AND due_at_ms <= :nowMs ORDER BY due_at_ms LIMIT :limit {FOR_UPDATE_SKIP_LOCKED}`,
)
const leaseLane = statement<{ id: number; lease: string; node: string; untilMs: number }>(
  'lanes.lease',
  'UPDATE lanes SET lease_id = :lease, lease_node = :node, due_at_ms = :untilMs WHERE id = :id',
)
export const setDue = statement<{ id: number; dueMs: number | null }>(
  'lanes.set_due',
  'UPDATE lanes SET lease_id = NULL, lease_node = NULL, due_at_ms = :dueMs WHERE id = :id',
)
/** A lane without a head is empty, whatever was counted: the next message finds it idle. */
export const emptyLane = statement<{ id: number }>(
  'lanes.empty',
  'UPDATE lanes SET pending = 0, lease_id = NULL, lease_node = NULL, due_at_ms = NULL WHERE id = :id',
)
const nextDue = statement<{ app: string; bot: string; nowMs: number }, { due_ms: number | null }>(
  'lanes.next_due',
  `SELECT min(due_at_ms) AS due_ms FROM lanes WHERE app_id = :app AND bot_uid = :bot AND due_at_ms > :nowMs`,
)
/** The duty of what was replayed arose anew with that. */
export const headOf = statement<{ lane: number }, HeadRow>(
  'lanes.head',
  `SELECT id, sequence, trigger, body, attempts, coalesce(replayed_at_ms, created_at_ms) AS created_at_ms FROM deliveries
   WHERE lane_id = :lane AND state = 'pending' ORDER BY sequence LIMIT 1`,
)
export const lockLane = statement<{ id: number }, LaneRow & { lease_id: string | null }>(
  'lanes.lock',
  'SELECT id, app_id, bot_uid, conversation_id, lease_id FROM lanes WHERE id = :id {FOR_UPDATE}',
)
const readLane = statement<{ id: number; lease: string }, LaneRow>(
  'lanes.read',
  'SELECT id, app_id, bot_uid, conversation_id FROM lanes WHERE id = :id AND lease_id = :lease',
)
const insertAttempt = statement<{
  delivery: string
  number: number
  startedMs: number
  outcome: string
  status: number | null
  error: string | null
  address: string | null
  phases: string
  response: string | null
}>(
  'attempts.insert',
  `INSERT INTO attempts (delivery_id, number, started_at_ms, outcome, status, error, address, phases, response)
   VALUES (:delivery, :number, :startedMs, :outcome, :status, :error, :address, :phases, :response)`,
)
const updateDelivery = statement<{
  id: string
  state: string
  attempts: number
  finishedMs: number | null
  lease: string
  startedMs: number
}>(
  'deliveries.update',
  `UPDATE deliveries SET state = :state, attempts = :attempts, finished_at_ms = :finishedMs
   WHERE id = :id AND state = 'pending' AND NOT (coalesce(void_lease_id, '') = :lease AND :startedMs < replayed_at_ms)`,
)
/** Clocks of nodes may differ: no more than one attempt is taken for one of before the replay. */
const forgetVoid = statement<{ id: string }>(
  'deliveries.forget_void',
  'UPDATE deliveries SET void_lease_id = NULL WHERE id = :id',
)
const leaveLane = statement<{ id: number; dueMs: number | null }>(
  'lanes.leave',
  'UPDATE lanes SET pending = pending - 1, lease_id = NULL, lease_node = NULL, due_at_ms = :dueMs WHERE id = :id',
)
const passLease = statement<{ id: number; untilMs: number }>(
  'lanes.pass',
  'UPDATE lanes SET pending = pending - 1, due_at_ms = :untilMs WHERE id = :id',
)

const renewLease = statement<{ id: number; lease: string; untilMs: number }>(
  'lanes.renew',
  'UPDATE lanes SET due_at_ms = :untilMs WHERE id = :id AND lease_id = :lease',
)
const releaseLane = statement<{ id: number; lease: string; dueMs: number }>(
  'lanes.release',
  'UPDATE lanes SET lease_id = NULL, lease_node = NULL, due_at_ms = :dueMs WHERE id = :id AND lease_id = :lease',
)
const seizeLeases = statement<{ nowMs: number }>(
  'lanes.seize',
  'UPDATE lanes SET lease_id = NULL, lease_node = NULL, due_at_ms = :nowMs WHERE lease_id IS NOT NULL',
)
const backlog = statement<Record<string, never>, { pending: number; oldest_ms: number | null }>(
  'deliveries.backlog',
  `SELECT count(*) AS pending, min(coalesce(replayed_at_ms, created_at_ms)) AS oldest_ms FROM deliveries
   WHERE state = 'pending'`,
)
const stateOf = statement<{ id: string }, { state: DeliveryState }>(
  'deliveries.state',
  'SELECT state FROM deliveries WHERE id = :id',
)
const toHead = (lane: { id: number; conversation_id: ConversationId }, row: HeadRow): Delivery => ({
  id: row.id,
  laneId: lane.id,
  conversationId: lane.conversation_id,
  sequence: row.sequence,
  trigger: row.trigger,
  body: row.body,
  attempts: row.attempts,
  createdAtMs: row.created_at_ms,
})

/** What a message owes one bot. */
export interface Duty {
  readonly bot: BotRow
  readonly conversationId: ConversationId
  readonly deliveryId: DeliveryId
  readonly messageId: number
  readonly trigger: Trigger
  readonly body: string
  readonly nowMs: number
}

export interface Enqueued {
  readonly claim: StoredClaim | undefined
  /** The lane is due and nobody works it: somebody should look. */
  readonly isWaiting: boolean
}

/**
 * Writes the delivery into its lane. If the lane is idle and the caller wants it, the lane is claimed in the same
 * transaction: the caller may make the attempt without another read.
 */
export const enqueue = async (tx: Tx, duty: Duty, claimer: Claimer | undefined): Promise<Enqueued> => {
  const { bot, conversationId, nowMs } = duty
  const wanted = claimer !== undefined && roomOf(claimer, bot) > 0
  const leaseId = wanted ? (`${claimer.leaseId}_${bot.uid}` as LeaseId) : null
  const lane = await tx.first(enterLane, {
    app: bot.app_id,
    bot: bot.uid,
    conversation: conversationId,
    lease: leaseId,
    node: wanted ? claimer.node : null,
    dueMs: wanted ? claimer.untilMs : nowMs,
  })
  if (lane === undefined) throw new Error('lanes.enter returned no row')
  const { deliveryId: id, messageId: message, trigger, body } = duty
  const { app_id: app, uid } = bot
  const { id: laneId, sequence } = lane
  await tx.run(insertDelivery, { id, app, bot: uid, lane: laneId, sequence, message, trigger, body, nowMs })
  if (leaseId === null || lane.lease_id !== leaseId) {
    return { claim: undefined, isWaiting: lane.lease_id === null && lane.due_at_ms <= nowMs }
  }
  const head: HeadRow = { id, sequence: lane.sequence, trigger, body, attempts: 0, created_at_ms: nowMs }
  const claimed = {
    leaseId,
    callback: toCallback(bot),
    head: toHead({ id: lane.id, conversation_id: conversationId }, head),
  }
  return { claim: claimed, isWaiting: false }
}

/** What an attempt changes: the head is done with, one way or the other, or due again later. */
export type Disposition =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'dead' }
  | { readonly kind: 'retry'; readonly dueAtMs: number }

export interface RecordAttempt {
  readonly laneId: number
  readonly leaseId: LeaseId
  readonly deliveryId: DeliveryId
  readonly attempt: Attempt
  readonly disposition: Disposition
  /** Keep the lane and hand over its next head, if there is one; until then the lease runs. */
  readonly keepUntilMs: number | undefined
  readonly nowMs: number
}

export interface Recorded {
  /** The attempt is on record and decided nothing: the lease was lost, or the delivery cancelled or replayed meanwhile. */
  readonly fenced: boolean
  readonly next: StoredClaim | undefined
}

/** A bot may answer anything; that must not keep its attempt off the record. */
const storable = (text: string | undefined): string | null => text?.replaceAll('\0', '\uFFFD') ?? null

const writeAttempt = (tx: Tx, { attempt, deliveryId }: RecordAttempt): Promise<number> =>
  tx.run(insertAttempt, {
    delivery: deliveryId,
    number: attempt.number,
    startedMs: attempt.startedAtMs,
    outcome: attempt.outcome.kind === 'retry' ? `retry:${attempt.outcome.reason}` : attempt.outcome.kind,
    status: attempt.status ?? null,
    error: storable(attempt.error),
    address: attempt.address ?? null,
    phases: JSON.stringify(attempt.phases),
    response: storable(attempt.response),
  })

/** The head is finished: on to the next one, or out of the lane. */
const advance = async (tx: Tx, lane: LaneRow, input: RecordAttempt): Promise<StoredClaim | undefined> => {
  const next = await tx.first(headOf, { lane: lane.id })
  const bot = next && (await findBotRow(tx, lane.app_id, lane.bot_uid))
  if (next === undefined || bot?.enabled !== 1 || input.keepUntilMs === undefined) {
    await tx.run(leaveLane, { id: lane.id, dueMs: next === undefined ? null : input.nowMs })
    return undefined
  }
  await tx.run(passLease, { id: lane.id, untilMs: input.keepUntilMs })
  return { leaseId: input.leaseId, callback: toCallback(bot), head: toHead(lane, next) }
}

/**
 * What was attempted is not the holder's to finish: it was recorded before, by a call whose answer was lost, or somebody
 * cancelled it, or replayed it. The holder goes on with the head that is there now, or lets go of the lane.
 */
const goOn = async (tx: Tx, lane: LaneRow, input: RecordAttempt): Promise<StoredClaim | undefined> => {
  const next = await nextOf(tx, lane, input.leaseId)
  if (next?.callback.enabled && input.keepUntilMs !== undefined) {
    await tx.run(renewLease, { id: lane.id, lease: input.leaseId, untilMs: input.keepUntilMs })
    return next
  }
  if (next === undefined) await tx.run(emptyLane, { id: lane.id })
  else await tx.run(setDue, { id: lane.id, dueMs: input.nowMs })
  return undefined
}

/** What was replayed meanwhile stands before the failed head, and does not wait for it. */
const repeatLater = async (tx: Tx, lane: LaneRow, { deliveryId, nowMs }: RecordAttempt, dueAtMs: number) => {
  const head = await tx.first(headOf, { lane: lane.id })
  await tx.run(setDue, { id: lane.id, dueMs: head === undefined || head.id === deliveryId ? dueAtMs : nowMs })
}

const nextOf = async (tx: Tx, lane: LaneRow, leaseId: LeaseId): Promise<StoredClaim | undefined> => {
  const next = await tx.first(headOf, { lane: lane.id })
  const bot = next && (await findBotRow(tx, lane.app_id, lane.bot_uid))
  return next && bot && { leaseId, callback: toCallback(bot), head: toHead(lane, next) }
}

const roomOf = (claimer: Claimer, bot: BotRow): number =>
  claimer.perBot - (claimer.busy[`${bot.app_id}/${bot.uid}`] ?? 0)

const claimOf = async (
  tx: Tx,
  bot: BotRow,
  limit: number,
  { claimer, nowMs }: { claimer: Claimer; nowMs: number },
): Promise<StoredClaim[]> => {
  const claims: StoredClaim[] = []
  for (const lane of await tx.all(dueLanes, { app: bot.app_id, bot: bot.uid, nowMs, limit })) {
    const head = await tx.first(headOf, { lane: lane.id })
    if (head === undefined) {
      await tx.run(emptyLane, { id: lane.id })
      continue
    }
    const leaseId = `${claimer.leaseId}_${lane.id}` as LeaseId
    await tx.run(leaseLane, { id: lane.id, lease: leaseId, node: claimer.node, untilMs: claimer.untilMs })
    claims.push({ leaseId, callback: toCallback(bot), head: toHead(lane, head) })
  }
  return claims
}

export const lanes = {
  /**
   * Claims lanes whose head is due, or whose lease has lapsed, bot by bot: what one bot has waiting never hides what
   * another has. Answers also when the next lane of a bot with room is due.
   */
  claimDue: write(
    async (
      tx,
      input: { claimer: Claimer; limit: number; nowMs: number },
    ): Promise<{ claims: readonly StoredClaim[]; hasMore: boolean; nextDueMs: number | undefined }> => {
      const claims: StoredClaim[] = []
      let hasMore = false
      let nextDueMs: number | undefined
      const waiting = (await tx.all(dueBots, {})).filter((bot) => bot.due_ms !== null)
      waiting.sort((a, b) => (a.due_ms ?? 0) - (b.due_ms ?? 0))
      for (const bot of waiting) {
        const room = Math.min(roomOf(input.claimer, bot), input.limit - claims.length)
        let dueMs = bot.due_ms ?? undefined
        if (room <= 0) {
          hasMore ||= dueMs !== undefined && dueMs <= input.nowMs
          continue
        }
        if (dueMs !== undefined && dueMs <= input.nowMs) {
          const claimed = await claimOf(tx, bot, room, input)
          claims.push(...claimed)
          if (claimed.length === room) {
            hasMore = true
            continue
          }
          const next = await tx.first(nextDue, { app: bot.app_id, bot: bot.uid, nowMs: input.nowMs })
          dueMs = next?.due_ms ?? undefined
        }
        if (dueMs !== undefined) nextDueMs = Math.min(nextDueMs ?? dueMs, dueMs)
      }
      return { claims, hasMore, nextDueMs }
    },
  ),

  /** Puts the attempt on record and moves its lane. */
  record: write(async (tx, input: RecordAttempt): Promise<Recorded> => {
    const lane = await tx.first(lockLane, { id: input.laneId })
    await writeAttempt(tx, input)
    if (lane?.lease_id !== input.leaseId) return { fenced: true, next: undefined }
    const { disposition, deliveryId: id, leaseId: lease, nowMs } = input
    const { number: attempts, startedAtMs: startedMs } = input.attempt
    const isRetry = disposition.kind === 'retry'
    const state = isRetry ? 'pending' : disposition.kind
    const finishedMs = isRetry ? null : nowMs
    if ((await tx.run(updateDelivery, { id, state, attempts, finishedMs, lease, startedMs })) === 0) {
      const found = (await tx.first(stateOf, { id }))?.state
      if (found === 'pending') await tx.run(forgetVoid, { id })
      return { fenced: found === 'pending' || found === 'cancelled', next: await goOn(tx, lane, input) }
    }
    if (!isRetry) return { fenced: false, next: await advance(tx, lane, input) }
    await repeatLater(tx, lane, input, disposition.dueAtMs)
    return { fenced: false, next: undefined }
  }),

  /**
   * The claim as it is now: the bot may have changed since, or the lease been lost. A lane whose deliveries were all
   * cancelled meanwhile is given back, so that the next message finds it idle.
   */
  reread: write(
    async (tx, { laneId, leaseId }: { laneId: number; leaseId: LeaseId }): Promise<StoredClaim | undefined> => {
      const found = await tx.first(readLane, { id: laneId, lease: leaseId })
      if (found === undefined) return undefined
      const claim = await nextOf(tx, found, leaseId)
      if (claim !== undefined) return claim
      const lane = await tx.first(lockLane, { id: laneId })
      if (lane?.lease_id !== leaseId) return undefined
      const head = await tx.first(headOf, { lane: laneId })
      if (head === undefined) await tx.run(emptyLane, { id: laneId })
      return undefined
    },
  ),

  /** Answers the lanes that are still the caller's. */
  renew: write(
    async (
      tx,
      input: { leases: readonly { laneId: number; leaseId: LeaseId }[]; untilMs: number },
    ): Promise<readonly number[]> => {
      const kept: number[] = []
      for (const { laneId, leaseId } of [...input.leases].sort((a, b) => a.laneId - b.laneId)) {
        const changed = await tx.run(renewLease, { id: laneId, lease: leaseId, untilMs: input.untilMs })
        if (changed > 0) kept.push(laneId)
      }
      return kept
    },
  ),

  /** Gives lanes back with their head undelivered. */
  release: write(
    async (tx, input: { leases: readonly { laneId: number; leaseId: LeaseId }[]; dueAtMs: number }): Promise<void> => {
      for (const { laneId, leaseId } of [...input.leases].sort((a, b) => a.laneId - b.laneId)) {
        await tx.run(releaseLane, { id: laneId, lease: leaseId, dueMs: input.dueAtMs })
      }
    },
  ),

  /** For an engine that one process owns: at its start every lease is of a process that is gone. */
  seizeAll: write(async (tx, { nowMs }: { nowMs: number }): Promise<number> => tx.run(seizeLeases, { nowMs })),

  backlog: read(async (tx, _: Record<string, never>): Promise<{ pending: number; oldestMs: number | undefined }> => {
    const row = await tx.first(backlog, {})
    return { pending: row?.pending ?? 0, oldestMs: row?.oldest_ms ?? undefined }
  }),
}
