/**
 * Lanes: the ordered deliveries of (bot, conversation), and the right to work one. Webhooks of the app are called in the
 * same way: `bot` here is whoever is called, by the uid of a bot or the key of a webhook.
 *
 * Invariants:
 * - A delivery is written in the transaction of its message, with the next sequence of its lane; the lane's row is
 *   locked meanwhile, so sequences follow the order of messages and have no gaps.
 * - `due_at_ms` of a lane is when it may next be claimed: when its head is due, or, while it is leased, when the lease
 *   lapses. NULL: it is empty. So one index finds both work and lapsed leases. Lanes of a disabled bot, and of one whose
 *   circuit breaker is open, stay due and are not claimed until that changes. A parked lane is due at the end of time.
 * - `due_at_ms` of a delivery is when its wait is over: for a retry, or, parked, at the end of time. NULL: it does not
 *   wait. Whoever gives the lane another head makes it due when that head is.
 * - Only the holder of the lease may finish the head. Every claim has a fresh lease id; a completion under an old one
 *   changes nothing but the list of attempts.
 * - `pending` counts the deliveries of the lane that are still to be made.
 * - The head is the pending delivery of the lowest sequence, whatever was made pending when: what is replayed is made
 *   again at its old place, before everything newer. A lease outlives a cancelled or replayed head: who holds it goes on
 *   with the head that is there then, so that a lane never has two attempts under way.
 * - An attempt decides only about a delivery that is pending, and one of before a replay nothing about it.
 */
import type { AppId, DeliveryId, DeliveryState, LeaseId, Uid } from '@confab/protocol'
import type { StoredClaim } from '../../../delivery/attempt.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { type MadeAttempt, writeAttempt } from './attempt-rows.ts'
import { BOT_COLUMNS, type BotRow, callbackJsonOf, findBotRow, isCalled, requireCalled } from './bot-rows.ts'
import { closeBreaker, isOpen, isSlowed, mayProbe, noteProbe, openUntil, type ProbeResult } from './breakers.ts'
import {
  type Claimer,
  dueMsOf,
  emptyLane,
  headOf,
  type LaneRow,
  lockLane,
  PARKED_MS,
  type PendingHead,
  roomOf,
  setDue,
  toHead,
} from './lane-rows.ts'
import { releaseConsumers } from './updates.ts'

/**
 * From bot to bot by the index of what is due: costs as much as there are bots that have something waiting, however many
 * there are, and however much waits. (SQLite compares columns with an index by the first of a row alone; not so expressions.)
 */
const FIRST_BEHIND = `SELECT id FROM lanes WHERE due_at_ms IS NOT NULL AND (app_id, bot_uid) >`
const dueBots = statement<Record<string, never>, BotRow & { due_ms: number }>(
  'lanes.due_bots',
  `WITH RECURSIVE waiting (app_id, bot_uid, due_ms) AS (
     SELECT app_id, bot_uid, due_at_ms FROM lanes
     WHERE id = (${FIRST_BEHIND} ('', '') ORDER BY app_id, bot_uid, due_at_ms LIMIT 1)
     UNION ALL
     SELECT lanes.app_id, lanes.bot_uid, lanes.due_at_ms FROM waiting JOIN lanes
     ON lanes.id = (${FIRST_BEHIND} (waiting.app_id || '', waiting.bot_uid || '') ORDER BY app_id, bot_uid, due_at_ms LIMIT 1)
   )
   SELECT ${BOT_COLUMNS.map((column) => `bots.${column}`).join(', ')}, due_ms
   FROM waiting CROSS JOIN bots WHERE bots.app_id = waiting.app_id AND bots.uid = waiting.bot_uid AND bots.enabled = 1`,
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
const nextDue = statement<{ app: string; bot: string; nowMs: number }, { due_ms: number | null }>(
  'lanes.next_due',
  `SELECT min(due_at_ms) AS due_ms FROM lanes WHERE app_id = :app AND bot_uid = :bot AND due_at_ms > :nowMs`,
)
const readLane = statement<{ id: number; lease: string }, LaneRow & { due_at_ms: number | null }>(
  'lanes.read',
  'SELECT id, app_id, bot_uid, conversation_id, due_at_ms FROM lanes WHERE id = :id AND lease_id = :lease',
)
const countOverdue = statement<{ app: string; bot: string; nowMs: number }, { n: number }>(
  'lanes.count_overdue',
  `SELECT count(*) AS n FROM lanes
   WHERE app_id = :app AND bot_uid = :bot AND due_at_ms <= :nowMs AND lease_id IS NULL`,
)
const laterLanes = statement<{ app: string; bot: string; nowMs: number; limit: number }, { id: number }>(
  'lanes.later',
  `SELECT id FROM lanes WHERE app_id = :app AND bot_uid = :bot AND due_at_ms > :nowMs AND lease_id IS NULL
   ORDER BY due_at_ms LIMIT :limit {FOR_UPDATE}`,
)
/** It may be swept, or its app removed: no attempt outlives its delivery. */
const findKept = statement<{ id: string }, { state: DeliveryState }>(
  'deliveries.find_kept',
  'SELECT state FROM deliveries WHERE id = :id {FOR_UPDATE}',
)
const updateDelivery = statement<{
  id: string
  state: string
  attempts: number
  finishedMs: number | null
  dueMs: number | null
  lease: string
  startedMs: number
}>(
  'deliveries.update',
  `UPDATE deliveries SET state = :state, attempts = :attempts, finished_at_ms = :finishedMs, due_at_ms = :dueMs
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
/** What waited for its turn may have been cancelled meanwhile. */
const releaseLane = statement<{ id: number; lease: string; dueMs: number }>(
  'lanes.release',
  `UPDATE lanes SET lease_id = NULL, lease_node = NULL, due_at_ms = CASE WHEN pending > 0 THEN CAST(:dueMs AS BIGINT) END
   WHERE id = :id AND lease_id = :lease`,
)
const bringLanesForward = statement<{ byMs: number; nowMs: number; parkedMs: number }>(
  'lanes.bring_forward',
  `UPDATE lanes SET due_at_ms = CASE WHEN due_at_ms - :byMs < :nowMs THEN :nowMs ELSE due_at_ms - :byMs END
   WHERE due_at_ms > :nowMs AND due_at_ms < :parkedMs AND lease_id IS NULL`,
)
/** Bot by bot, by the index of what waits: not through the backlog. */
const bringDeliveriesForward = statement<{ byMs: number; nowMs: number; parkedMs: number }>(
  'deliveries.bring_forward',
  `UPDATE deliveries SET due_at_ms = CASE WHEN due_at_ms - :byMs < :nowMs THEN :nowMs ELSE due_at_ms - :byMs END
   WHERE id IN (SELECT d.id FROM bots CROSS JOIN deliveries d
     WHERE d.app_id = bots.app_id AND d.bot_uid = bots.uid AND d.state = 'pending' AND d.due_at_ms IS NOT NULL
       AND d.due_at_ms > :nowMs AND d.due_at_ms < :parkedMs)`,
)
const waitingDeliveries = statement<{ app: string; bot: string }, { id: DeliveryId; lane_id: number }>(
  'deliveries.waiting_of_bot',
  `SELECT id, lane_id FROM deliveries
   WHERE app_id = :app AND bot_uid = :bot AND due_at_ms IS NOT NULL AND state = 'pending'`,
)
/** What is parked has its attempts before it again. */
const endWait = statement<{ id: string; nowMs: number; parkedMs: number }>(
  'deliveries.end_wait',
  `UPDATE deliveries SET attempts = CASE WHEN due_at_ms = :parkedMs THEN 0 ELSE attempts END,
     replayed_at_ms = CASE WHEN due_at_ms = :parkedMs THEN :nowMs ELSE replayed_at_ms END, due_at_ms = NULL
   WHERE id = :id AND state = 'pending' AND due_at_ms IS NOT NULL`,
)
const bringBreakersForward = statement<{ byMs: number; nowMs: number }>(
  'bots.bring_breakers_forward',
  `UPDATE bots SET breaker_until_ms = CASE WHEN breaker_until_ms - :byMs < :nowMs THEN :nowMs ELSE breaker_until_ms - :byMs END
   WHERE breaker_until_ms > :nowMs`,
)
/** A lane that is leased is due when its lease lapses: the index of what is due finds it. */
const seizeLeases = statement<{ nowMs: number }>(
  'lanes.seize',
  `UPDATE lanes SET lease_id = NULL, lease_node = NULL, due_at_ms = :nowMs
   WHERE due_at_ms IS NOT NULL AND lease_id IS NOT NULL`,
)
const backlog = statement<Record<string, never>, { pending: number; oldest_ms: number | null }>(
  'deliveries.backlog',
  `SELECT count(*) AS pending, min(coalesce(replayed_at_ms, created_at_ms)) AS oldest_ms FROM deliveries
   WHERE state = 'pending'`,
)
/** What an attempt changes: the head is done with, one way or the other, or due again later. */
export type Disposition =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'dead' }
  /** `isFree`: for our fault, which costs the bot none of its attempts. */
  | { readonly kind: 'retry'; readonly dueAtMs: number; readonly isFree?: boolean }
  /** The lane waits until somebody acts. */
  | { readonly kind: 'park' }

export interface RecordAttempt extends MadeAttempt {
  readonly laneId: number
  readonly leaseId: LeaseId
  readonly disposition: Disposition
  /** Keep the lane and hand over its next head, if there is one; until then the lease runs. */
  readonly keepUntilMs: number | undefined
  /** What it says of the bot's breaker, if the claim was a probe. */
  readonly probe?: ProbeResult
  readonly nowMs: number
}

export interface Recorded {
  /** The attempt decided nothing: the lease was lost, or the delivery cancelled or replayed meanwhile. */
  readonly fenced: boolean
  readonly next: StoredClaim | undefined
}

const dueAgainOf = (disposition: Disposition): number | undefined => {
  if (disposition.kind === 'retry') return disposition.dueAtMs
  return disposition.kind === 'park' ? PARKED_MS : undefined
}

/** An attempt that decides nothing. Answers how its delivery stands, if that is there. */
const writeLate = async (tx: Tx, input: RecordAttempt): Promise<DeliveryState | undefined> => {
  const found = await tx.first(findKept, { id: input.deliveryId })
  if (found !== undefined) await writeAttempt(tx, input)
  return found?.state
}

/** Another node may have found out that the bot is to be left alone. */
const mayGoOn = (bot: BotRow): boolean => isCalled(bot) && !isOpen(bot)

/** What stood before it, replayed, is done with; its own wait is not over. */
const isWaiting = ({ due_at_ms: dueMs }: PendingHead, nowMs: number): boolean => dueMs !== null && dueMs > nowMs

/** The head is finished: on to the next one, or out of the lane. */
const advance = async (tx: Tx, lane: LaneRow, input: RecordAttempt): Promise<StoredClaim | undefined> => {
  const { keepUntilMs, nowMs } = input
  const next = await tx.first(headOf, { lane: lane.id })
  const bot = next && (await findBotRow(tx, lane.app_id, lane.bot_uid))
  const mayKeep = next !== undefined && bot !== undefined && mayGoOn(bot) && !isWaiting(next, nowMs)
  if (!mayKeep || keepUntilMs === undefined) {
    await tx.run(leaveLane, { id: lane.id, dueMs: next === undefined ? null : dueMsOf(next, nowMs) })
    return undefined
  }
  await tx.run(passLease, { id: lane.id, untilMs: keepUntilMs })
  return { leaseId: input.leaseId, untilMs: keepUntilMs, callbackJson: callbackJsonOf(bot), head: toHead(lane, next) }
}

/**
 * What was attempted is not the holder's to finish: it was recorded before, by a call whose answer was lost, or somebody
 * cancelled it, or replayed it. The holder goes on with the head that is there now, or lets go of the lane.
 */
const goOn = async (
  tx: Tx,
  lane: LaneRow & { due_at_ms: number | null },
  input: RecordAttempt,
): Promise<StoredClaim | undefined> => {
  const next = await nextOf(tx, lane, input.leaseId)
  const mayKeep = next !== undefined && mayGoOn(next.bot) && !isWaiting(next.head, input.nowMs)
  if (mayKeep && input.keepUntilMs !== undefined) {
    await tx.run(renewLease, { id: lane.id, lease: input.leaseId, untilMs: input.keepUntilMs })
    return { ...next.claim, untilMs: input.keepUntilMs }
  }
  if (next === undefined) await tx.run(emptyLane, { id: lane.id })
  else await tx.run(setDue, { id: lane.id, dueMs: dueMsOf(next.head, input.nowMs) })
  return undefined
}

/** What was replayed meanwhile stands before the failed head, and does not wait for it. */
const repeatLater = async (tx: Tx, lane: LaneRow, nowMs: number): Promise<void> => {
  const head = await tx.first(headOf, { lane: lane.id })
  await tx.run(setDue, { id: lane.id, dueMs: head === undefined ? null : dueMsOf(head, nowMs) })
}

const nextOf = async (
  tx: Tx,
  lane: LaneRow & { due_at_ms: number | null },
  leaseId: LeaseId,
): Promise<{ claim: StoredClaim; bot: BotRow; head: PendingHead } | undefined> => {
  const next = await tx.first(headOf, { lane: lane.id })
  const bot = next && (await findBotRow(tx, lane.app_id, lane.bot_uid))
  if (next === undefined || bot === undefined) return undefined
  const untilMs = lane.due_at_ms ?? 0
  return { claim: { leaseId, untilMs, callbackJson: callbackJsonOf(bot), head: toHead(lane, next) }, bot, head: next }
}

/** Its lane is due by a lease: of what stood before it, replayed, and was cancelled. */
const isParked = ({ due_at_ms: dueMs }: PendingHead): boolean => dueMs === PARKED_MS

const leaveAlone = async (tx: Tx, lane: number, head: PendingHead | undefined): Promise<void> => {
  if (head === undefined) await tx.run(emptyLane, { id: lane })
  else await tx.run(setDue, { id: lane, dueMs: PARKED_MS })
}

const claimOf = async (
  tx: Tx,
  bot: BotRow,
  limit: number,
  { claimer, nowMs }: { claimer: Claimer; nowMs: number },
): Promise<StoredClaim[]> => {
  const claims: StoredClaim[] = []
  const callbackJson = callbackJsonOf(bot)
  for (const lane of await tx.all(dueLanes, { app: bot.app_id, bot: bot.uid, nowMs, limit })) {
    const head = await tx.first(headOf, { lane: lane.id })
    if (head === undefined || isParked(head)) {
      await leaveAlone(tx, lane.id, head)
      continue
    }
    const { node, untilMs } = claimer
    const leaseId = `${claimer.leaseId}_${lane.id}` as LeaseId
    await tx.run(leaseLane, { id: lane.id, lease: leaseId, node, untilMs })
    claims.push({ leaseId, untilMs, callbackJson, head: toHead(lane, head) })
  }
  return claims
}

interface ClaimDue {
  readonly claimer: Claimer
  readonly limit: number
  readonly nowMs: number
}

/** What a bot has to claim: nothing while its breaker is open or it has asked for that, one lane when that is over. */
const dueOf = async (tx: Tx, bot: BotRow, room: number, input: ClaimDue): Promise<StoredClaim[]> => {
  if (!isOpen(bot)) return claimOf(tx, bot, room, input)
  if (!(await mayProbe(tx, bot, input.claimer.untilMs))) return []
  const claims = await claimOf(tx, bot, 1, input)
  const probe = { failedBefore: bot.breaker_failed_probes, ...(isSlowed(bot) && { isSlowed: true as const }) }
  return claims.map((claim) => ({ ...claim, probe }))
}

/** Of what is no head, or whose lane is worked: its lane is due by itself. */
const endWaits = async (tx: Tx, { appId, bot, nowMs }: { appId: AppId; bot: Uid; nowMs: number }): Promise<void> => {
  const rows = await tx.all(waitingDeliveries, { app: appId, bot })
  for (const { id, lane_id: laneId } of rows.toSorted((a, b) => a.lane_id - b.lane_id)) {
    const lane = await tx.first(lockLane, { id: laneId })
    await tx.run(endWait, { id, nowMs, parkedMs: PARKED_MS })
    // It came to wait only now.
    if (lane?.lease_id === null && (lane.due_at_ms ?? 0) > nowMs) await tx.run(setDue, { id: laneId, dueMs: nowMs })
  }
}

interface LanesResumed {
  readonly madeDue: number
  readonly heldBack: number
}

export const lanes = {
  /**
   * Claims lanes whose head is due, or whose lease has lapsed, bot by bot: what one bot has waiting never hides what
   * another has. Answers also when the next lane of a bot with room is due.
   */
  claimDue: write(
    async (
      tx,
      input: ClaimDue,
    ): Promise<{ claims: readonly StoredClaim[]; hasMore: boolean; nextDueMs: number | undefined }> => {
      const { nowMs, claimer, limit } = input
      const claims: StoredClaim[] = []
      let hasMore = false
      let nextDueMs: number | undefined
      const lookAgainAt = (ms: number): void => {
        nextDueMs = Math.min(nextDueMs ?? ms, ms)
      }
      const waiting = (await tx.all(dueBots, {})).filter(isCalled)
      waiting.sort((a, b) => a.due_ms - b.due_ms)
      for (const { due_ms: dueMs, ...bot } of waiting) {
        const untilMs = openUntil(bot, nowMs)
        if (dueMs > nowMs || untilMs !== undefined) {
          lookAgainAt(Math.max(dueMs, untilMs ?? 0))
          continue
        }
        const room = Math.min(roomOf(claimer, bot, claims.length), limit - claims.length)
        const claimed = room <= 0 ? [] : await dueOf(tx, bot, room, input)
        claims.push(...claimed)
        if (isOpen(bot)) lookAgainAt(claimer.untilMs)
        else if (claimed.length >= room) hasMore = true
        else {
          const next = await tx.first(nextDue, { app: bot.app_id, bot: bot.uid, nowMs })
          if (next?.due_ms != null) lookAgainAt(next.due_ms)
        }
      }
      return { claims, hasMore, nextDueMs }
    },
  ),

  /** Puts the attempt on record and moves its lane. */
  record: write(async (tx, input: RecordAttempt): Promise<Recorded> => {
    const lane = await tx.first(lockLane, { id: input.laneId })
    if (lane?.lease_id !== input.leaseId) {
      await writeLate(tx, input)
      return { fenced: true, next: undefined }
    }
    const { disposition, deliveryId: id, leaseId: lease, nowMs } = input
    const { number, startedAtMs: startedMs } = input.attempt
    const attempts = disposition.kind === 'retry' && disposition.isFree ? number - 1 : number
    const again = dueAgainOf(disposition)
    const state = disposition.kind === 'delivered' || disposition.kind === 'dead' ? disposition.kind : 'pending'
    const finishedMs = again === undefined ? nowMs : null
    if (input.probe !== undefined) await noteProbe(tx, { appId: lane.app_id, bot: lane.bot_uid }, input.probe)
    if (
      (await tx.run(updateDelivery, { id, state, attempts, finishedMs, dueMs: again ?? null, lease, startedMs })) === 0
    ) {
      const found = await writeLate(tx, input)
      if (found === 'pending') await tx.run(forgetVoid, { id })
      return { fenced: found !== 'delivered' && found !== 'dead', next: await goOn(tx, lane, input) }
    }
    // What was changed is there, and stays until this is over.
    await writeAttempt(tx, input)
    if (again === undefined) return { fenced: false, next: await advance(tx, lane, input) }
    await repeatLater(tx, lane, input.nowMs)
    return { fenced: false, next: undefined }
  }),

  /**
   * The claim as it is now: the bot may have changed since, or the lease been lost. A lane whose deliveries were all
   * cancelled meanwhile is given back, so that the next message finds it idle; so is one that is parked behind them.
   */
  reread: write(
    async (tx, { laneId, leaseId }: { laneId: number; leaseId: LeaseId }): Promise<StoredClaim | undefined> => {
      const found = await tx.first(readLane, { id: laneId, lease: leaseId })
      if (found === undefined) return undefined
      const next = await nextOf(tx, found, leaseId)
      if (next !== undefined && !isParked(next.head)) return next.claim
      const lane = await tx.first(lockLane, { id: laneId })
      if (lane?.lease_id !== leaseId) return undefined
      const head = await tx.first(headOf, { lane: laneId })
      if (head === undefined || isParked(head)) await leaveAlone(tx, laneId, head)
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

  /**
   * "I am back": closes the breaker of the bot, and makes due what waits for a retry or is parked. One step; there may be
   * more while it answers `limit` lanes that were made due. Those that only the breaker held back are counted beside.
   */
  resume: write(async (tx, input: { appId: AppId; bot: Uid; limit: number; nowMs: number }): Promise<LanesResumed> => {
    const { appId, bot, limit, nowMs } = input
    await requireCalled(tx, appId, bot)
    const wasOpen = (await closeBreaker(tx, { appId, bot })) > 0
    const held = wasOpen ? await tx.first(countOverdue, { app: appId, bot, nowMs }) : undefined
    const waiting = await tx.all(laterLanes, { app: appId, bot, nowMs, limit })
    for (const { id } of waiting) {
      const head = await tx.first(headOf, { lane: id })
      if (head !== undefined) await tx.run(endWait, { id: head.id, nowMs, parkedMs: PARKED_MS })
      await tx.run(setDue, { id, dueMs: nowMs })
    }
    // The rest is little: what stands behind a replay, or is under way.
    if (waiting.length < limit) await endWaits(tx, input)
    return { madeDue: waiting.length, heldBack: held?.n ?? 0 }
  }),

  /**
   * The clock was set back: what was planned by the old time comes when it was meant to. Leases are renewed by the new
   * time, or lapse by the old one. Answers how many lanes that were.
   */
  bringForward: write(async (tx, { byMs, nowMs }: { byMs: number; nowMs: number }): Promise<number> => {
    await tx.run(bringBreakersForward, { byMs, nowMs })
    await tx.run(bringDeliveriesForward, { byMs, nowMs, parkedMs: PARKED_MS })
    return tx.run(bringLanesForward, { byMs, nowMs, parkedMs: PARKED_MS })
  }),

  /** For an engine that one process owns: at its start every lease is of a process that is gone, and every consumer's place. */
  seizeAll: write(async (tx, { nowMs }: { nowMs: number }): Promise<number> => {
    await tx.run(releaseConsumers, {})
    return tx.run(seizeLeases, { nowMs })
  }),

  backlog: read(async (tx, _: Record<string, never>): Promise<{ pending: number; oldestMs: number | undefined }> => {
    const row = await tx.first(backlog, {})
    return { pending: row?.pending ?? 0, oldestMs: row?.oldest_ms ?? undefined }
  }),
}
