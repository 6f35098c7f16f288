/**
 * Deliveries for those who look after bots: found, cancelled, made again, swept. What works them is in `lanes.ts`, whose
 * invariants hold here too: whoever changes a delivery holds the lock of its lane, and nobody takes a lease away.
 */
import type { AppId, Breaker, Delivery, DeliveryDetail, DeliveryId, Uid } from '@confab/protocol'
import { calledOf } from '../../../delivery/attempt.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { definedOf } from '../../../kernel/defined.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { historyOf } from './attempt-rows.ts'
import { type BotRow, requireCalled } from './bot-rows.ts'
import { isSlowed, openUntil } from './breakers.ts'
import { windowOf } from './delivery-stats.ts'
import { type DeliveryFilter, type IdRange, ROW, type Row, type Walk, walk } from './delivery-walk.ts'
import { dueMsOf, emptyLane, headOf, lockLane, PARKED_MS, setDue, unpark } from './lane-rows.ts'

const findDelivery = statement<{ id: string; app: string }, Row & { body: string }>(
  'deliveries.find',
  `SELECT ${ROW}, d.body FROM deliveries d JOIN lanes l ON l.id = d.lane_id WHERE d.id = :id AND d.app_id = :app`,
)
const cancelOne = statement<{ id: string; nowMs: number }>(
  'deliveries.cancel',
  "UPDATE deliveries SET state = 'cancelled', finished_at_ms = :nowMs WHERE id = :id AND state = 'pending'",
)
const replayOne = statement<{ id: string; nowMs: number; lease: string | null }>(
  'deliveries.replay',
  `UPDATE deliveries SET state = 'pending', attempts = 0, finished_at_ms = NULL, replayed_at_ms = :nowMs,
     reason = NULL, due_at_ms = NULL, void_lease_id = :lease, pulled_by = NULL, pull_offset = NULL
   WHERE id = :id AND state <> 'pending'`,
)
const countInLane = statement<{ id: number; change: number }>(
  'lanes.count',
  'UPDATE lanes SET pending = pending + :change WHERE id = :id',
)
const waitingOf = statement<{ app: string; bot: string }, { pending: number; oldest_ms: number | null }>(
  'deliveries.waiting',
  `SELECT CAST(coalesce(sum(pending), 0) AS BIGINT) AS pending, min((SELECT coalesce(d.replayed_at_ms, d.created_at_ms) FROM deliveries d
     WHERE d.lane_id = lanes.id AND d.state = 'pending' ORDER BY d.sequence LIMIT 1)) AS oldest_ms
   FROM lanes WHERE app_id = :app AND bot_uid = :bot AND due_at_ms IS NOT NULL`,
)
const countParked = statement<{ app: string; bot: string; dueMs: number }, { n: number }>(
  'lanes.count_parked',
  'SELECT count(*) AS n FROM lanes WHERE app_id = :app AND bot_uid = :bot AND due_at_ms = :dueMs',
)
const sweepable = statement<{ beforeMs: number; limit: number }, { id: DeliveryId }>(
  'deliveries.sweepable',
  `SELECT id FROM deliveries WHERE finished_at_ms < :beforeMs ORDER BY finished_at_ms LIMIT :limit {FOR_UPDATE_SKIP_LOCKED}`,
)

const summaryOf = async (tx: Tx, row: Row): Promise<Delivery> => {
  const isIdle = row.state === 'pending' && row.lease_id === null && row.due_at_ms !== null
  const isHead = isIdle && (await tx.first(headOf, { lane: row.lane_id }))?.id === row.id
  const seconds = (ms: number | null): number | undefined => (ms === null ? undefined : toSeconds(ms))
  return {
    id: row.id,
    ...calledOf(row.bot_uid),
    conversationId: row.conversation_id,
    ...(row.message_id !== 0 && { messageId: String(row.message_id) }),
    sequence: row.sequence,
    trigger: row.trigger,
    state: row.state,
    attempts: row.attempts,
    createdAt: toSeconds(row.created_at_ms),
    ...definedOf({
      finishedAt: seconds(row.finished_at_ms),
      replayedAt: seconds(row.replayed_at_ms),
      hop: row.hop === 0 ? undefined : row.hop,
      reason: row.reason ?? undefined,
      isParked: isHead && row.due_at_ms === PARKED_MS ? (true as const) : undefined,
      dueAt: isHead && row.due_at_ms !== PARKED_MS ? seconds(row.due_at_ms) : undefined,
    }),
  }
}

const requireDelivery = async (tx: Tx, appId: AppId, id: string): Promise<Row & { body: string }> => {
  const row = await tx.first(findDelivery, { id, app: appId })
  if (row === undefined) throw new AppError('ERR_DELIVERY_NOT_FOUND', { details: { id } })
  return row
}

// Changes ---------------------------------------------------------------------------------------------------------

/** With the lane locked. */
const makeAnew = async (
  tx: Tx,
  { id, lane_id: laneId }: Pick<Row, 'id' | 'lane_id'>,
  nowMs: number,
): Promise<boolean> => {
  const lane = await tx.first(lockLane, { id: laneId })
  if ((await tx.run(replayOne, { id, nowMs, lease: lane?.lease_id ?? null })) > 0) {
    await tx.run(countInLane, { id: laneId, change: 1 })
  } else if ((await tx.run(unpark, { id, nowMs, parkedMs: PARKED_MS })) === 0) return false
  // Who holds the lease comes to it by itself.
  const head = lane?.lease_id === null ? await tx.first(headOf, { lane: laneId }) : undefined
  if (head !== undefined) await tx.run(setDue, { id: laneId, dueMs: dueMsOf(head, nowMs) })
  return true
}

const takeOut = async (tx: Tx, { id, lane_id: laneId }: Row, nowMs: number): Promise<boolean> => {
  const lane = await tx.first(lockLane, { id: laneId })
  const before = await tx.first(headOf, { lane: laneId })
  if ((await tx.run(cancelOne, { id, nowMs })) === 0) return false
  await tx.run(countInLane, { id: laneId, change: -1 })
  if (lane?.lease_id !== null) return true
  const head = await tx.first(headOf, { lane: laneId })
  if (head === undefined) await tx.run(emptyLane, { id: laneId })
  // The wait was for the one that is gone.
  else if (head.id !== before?.id) await tx.run(setDue, { id: laneId, dueMs: dueMsOf(head, nowMs) })
  return true
}

interface StatsQuestion {
  readonly appId: AppId
  readonly bot: Uid
  /** Ids of an hour and of a day ago. */
  readonly hour: string
  readonly day: string
  readonly nowMs: number
}

const breakerOf = (row: BotRow, nowMs: number): Breaker => {
  const { breaker_until_ms: untilMs, breaker_opened_at_ms: openedMs, breaker_failed_probes: failedProbes } = row
  if (untilMs === null || openedMs === null) return { state: 'closed' }
  return {
    state: untilMs > nowMs ? 'open' : 'half-open',
    openedAt: toSeconds(openedMs),
    probeAt: toSeconds(untilMs),
    failedProbes,
  }
}

export const deliveries = {
  list: read(
    async (
      tx,
      input: { appId: AppId; filter: DeliveryFilter; range: IdRange; limit: number; scan: number },
    ): Promise<{ rows: readonly Delivery[]; before: string | undefined }> => {
      const { rows, last } = await walk(tx, { ...input, direction: 'desc' })
      const shown: Delivery[] = []
      for (const row of rows) shown.push(await summaryOf(tx, row))
      return { rows: shown, before: last }
    },
  ),

  get: read(async (tx, { appId, id }: { appId: AppId; id: string }): Promise<DeliveryDetail> => {
    const row = await requireDelivery(tx, appId, id)
    const { history, onRecord } = await historyOf(tx, row.id)
    return { ...(await summaryOf(tx, row)), body: row.body, history, attemptsOnRecord: onRecord }
  }),

  /** The lane goes on with its next head; an attempt that is under way is recorded and decides nothing. */
  cancel: write(async (tx, { appId, id, nowMs }: { appId: AppId; id: string; nowMs: number }): Promise<Delivery> => {
    const row = await requireDelivery(tx, appId, id)
    const isDone = await takeOut(tx, row, nowMs)
    const now = await requireDelivery(tx, appId, id)
    if (!isDone) throw new AppError('ERR_DELIVERY_NOT_PENDING', { details: { state: now.state } })
    return summaryOf(tx, now)
  }),

  replay: write(async (tx, { appId, id, nowMs }: { appId: AppId; id: string; nowMs: number }): Promise<Delivery> => {
    const row = await requireDelivery(tx, appId, id)
    await requireCalled(tx, appId, row.bot_uid)
    const isDone = await makeAnew(tx, row, nowMs)
    const now = await requireDelivery(tx, appId, id)
    if (!isDone) throw new AppError('ERR_DELIVERY_PENDING', { details: { id } })
    return summaryOf(tx, now)
  }),

  /** One step, oldest first: `after` is where the next one begins, if there may be more. */
  replaySome: write(
    async (
      tx,
      input: Omit<Walk, 'direction'> & { bot: Uid; nowMs: number },
    ): Promise<{ replayed: number; after: string | undefined }> => {
      const { appId, bot, nowMs, filter, range, limit, scan } = input
      await requireCalled(tx, appId, bot)
      const { rows, last } = await walk(tx, { appId, filter: { ...filter, bot }, range, direction: 'asc', limit, scan })
      let replayed = 0
      for (const row of rows.toSorted((a, b) => a.lane_id - b.lane_id)) {
        if (await makeAnew(tx, row, nowMs)) replayed += 1
      }
      return { replayed, after: last }
    },
  ),

  stats: read(async (tx, { appId, bot, hour, day, nowMs }: StatsQuestion) => {
    const row = await requireCalled(tx, appId, bot)
    const parked = await tx.first(countParked, { app: appId, bot, dueMs: PARKED_MS })
    const waiting = await tx.first(waitingOf, { app: appId, bot })
    return {
      breaker: breakerOf(row, nowMs),
      slowedUntilMs: isSlowed(row) ? openUntil(row, nowMs) : undefined,
      parked: parked?.n ?? 0,
      pending: waiting?.pending ?? 0,
      oldestMs: waiting?.oldest_ms ?? undefined,
      lastHour: await windowOf(tx, { appId, bot, after: hour }),
      lastDay: await windowOf(tx, { appId, bot, after: day }),
    }
  }),

  /** What is over since before then, with its attempts; one step. Answers how many deliveries went. */
  sweep: write(async (tx, { beforeMs, limit }: { beforeMs: number; limit: number }): Promise<number> => {
    const ids = (await tx.all(sweepable, { beforeMs, limit })).map(({ id }) => id)
    if (ids.length === 0) return 0
    await tx.query(tx.build.deleteFrom('attempts').where('delivery_id', 'in', ids).compile())
    await tx.query(tx.build.deleteFrom('deliveries').where('id', 'in', ids).compile())
    return ids.length
  }),
}
