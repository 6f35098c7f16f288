/**
 * Updates: the deliveries of a bot that fetches them. The cursor is that of push, the pending deliveries: what is
 * acknowledged is delivered, what is not is handed out again, whichever way.
 *
 * Invariants: one consumer at a time; each update that is handed out gets a higher offset than all before, under the lock
 * of the consumer's row, so that an offset acknowledges nothing that its consumer has not seen; within a conversation
 * updates are handed out in the order of their sequences; the conversation that was handed out last is handed out last, so
 * that one whose updates are never acknowledged keeps none of the others waiting.
 */
import type { ConversationId, DeliveryId, Trigger } from '@confab/protocol'
import type { BotId } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { statement, type Tx, write } from '../seam.ts'
import { pulls, requireBot } from './bot-rows.ts'
import { emptyLane, headOf, lockLane, setDue } from './lane-rows.ts'

type Key = { app: string; bot: string }

const enterConsumer = statement<Key>(
  'consumers.enter',
  `INSERT INTO consumers (app_id, bot_uid, consumer, until_ms, last_offset) VALUES (:app, :bot, '', 0, 0)
   ON CONFLICT (app_id, bot_uid) DO NOTHING`,
)
const lockConsumer = statement<Key, { consumer: string; until_ms: number; last_offset: number }>(
  'consumers.lock',
  'SELECT consumer, until_ms, last_offset FROM consumers WHERE app_id = :app AND bot_uid = :bot {FOR_UPDATE}',
)
const holdConsumer = statement<Key & { consumer: string; untilMs: number; offset: number }>(
  'consumers.hold',
  `UPDATE consumers SET consumer = :consumer, until_ms = :untilMs, last_offset = :offset
   WHERE app_id = :app AND bot_uid = :bot`,
)
/** For an engine that one process owns: at its start every consumer is of a process that is gone. */
export const releaseConsumers = statement<Record<string, never>>(
  'consumers.release_all',
  "UPDATE consumers SET consumer = '', until_ms = 0 WHERE consumer <> ''",
)
const releaseConsumer = statement<Key & { consumer: string }>(
  'consumers.release',
  "UPDATE consumers SET consumer = '', until_ms = 0 WHERE app_id = :app AND bot_uid = :bot AND consumer = :consumer",
)
/** Whatever their next attempt would wait for; not those that have one under way. */
interface FreeLane {
  id: number
  conversation_id: ConversationId
  lease_id: string | null
  due_at_ms: number
}
const freeLanes = statement<Key & { nowMs: number; limit: number }, FreeLane>(
  'updates.lanes',
  `SELECT id, conversation_id, lease_id, due_at_ms FROM lanes
   WHERE app_id = :app AND bot_uid = :bot AND due_at_ms IS NOT NULL AND (lease_id IS NULL OR due_at_ms <= :nowMs)
   ORDER BY due_at_ms, id LIMIT :limit {FOR_UPDATE_SKIP_LOCKED}`,
)
interface PendingRow {
  id: DeliveryId
  sequence: number
  trigger: Trigger
  body: string
  attempts: number
  hop: number
}
const pendingOf = statement<{ lane: number; consumer: string; limit: number }, PendingRow>(
  'updates.pending',
  `SELECT id, sequence, trigger, body, attempts, hop FROM deliveries
   WHERE lane_id = :lane AND state = 'pending' AND (pulled_by IS NULL OR pulled_by <> :consumer)
   ORDER BY sequence LIMIT :limit`,
)
const handOut = statement<{ id: string; consumer: string; offset: number }>(
  'updates.hand_out',
  'UPDATE deliveries SET pulled_by = :consumer, pull_offset = :offset, attempts = attempts + 1 WHERE id = :id',
)
/** In the words of the partial index: what is over, by push or cancelled, is not handed out any more. */
const IS_OUT = "pulled_by IS NOT NULL AND state = 'pending' AND pull_offset IS NOT NULL"
const countOut = statement<Key & { consumer: string }, { n: number }>(
  'updates.count_out',
  `SELECT count(*) AS n FROM deliveries
   WHERE app_id = :app AND bot_uid = :bot AND ${IS_OUT} AND pulled_by = :consumer`,
)
const countOfLane = statement<{ lane: number; consumer: string }, { n: number }>(
  'updates.count_of_lane',
  `SELECT count(*) AS n FROM deliveries WHERE lane_id = :lane AND state = 'pending' AND pulled_by = :consumer`,
)
/** What was handed out to another consumer, which may never have got it, must not be acknowledged by this one. */
const dropStale = statement<Key & { consumer: string }>(
  'updates.drop_stale',
  `UPDATE deliveries SET pull_offset = NULL
   WHERE app_id = :app AND bot_uid = :bot AND ${IS_OUT} AND pulled_by <> :consumer`,
)
const handedOut = statement<Key & { offset: number; limit: number }, { id: DeliveryId; lane_id: number }>(
  'updates.handed_out',
  `SELECT id, lane_id FROM deliveries
   WHERE app_id = :app AND bot_uid = :bot AND ${IS_OUT} AND pull_offset <= :offset
   ORDER BY pull_offset LIMIT :limit`,
)
/** Named by itself: nothing that its consumer has not seen. */
const handedOutById = statement<Key & { id: string }, { id: DeliveryId; lane_id: number }>(
  'updates.handed_out_by_id',
  `SELECT id, lane_id FROM deliveries
   WHERE id = :id AND app_id = :app AND bot_uid = :bot AND state = 'pending' AND pulled_by IS NOT NULL`,
)
const acknowledgeOne = statement<{ id: string; offset: number; nowMs: number }>(
  'updates.acknowledge',
  `UPDATE deliveries SET state = 'delivered', finished_at_ms = :nowMs, pull_offset = NULL
   WHERE id = :id AND state = 'pending' AND pull_offset <= :offset`,
)
const acknowledgeById = statement<{ id: string; nowMs: number }>(
  'updates.acknowledge_by_id',
  `UPDATE deliveries SET state = 'delivered', finished_at_ms = :nowMs, pull_offset = NULL
   WHERE id = :id AND state = 'pending'`,
)
const leave = statement<{ id: number; n: number }>(
  'updates.leave',
  'UPDATE lanes SET pending = pending - :n WHERE id = :id',
)

export interface StoredUpdate extends Omit<PendingRow, 'attempts'> {
  readonly offset: number
  readonly attempt: number
  readonly conversationId: ConversationId
}

/** More than anybody has handed out at once; the rest is acknowledged by the next call. */
const ACKNOWLEDGE_MAX = 2000
/** Bodies that one call hands out: one update more than this at most. */
const BYTES_MAX = 1024 * 1024

const requirePulling = async (tx: Tx, { appId, bot }: BotId) => {
  const row = await requireBot(tx, appId, bot)
  if (!pulls(row)) throw new AppError('ERR_BOT_NOT_PULLING', { details: { uid: bot } })
  return row
}

/** @param finish makes one of them delivered, if it still is to be: answers 1 or 0 */
const finishAll = async (
  tx: Tx,
  found: readonly { id: DeliveryId; lane_id: number }[],
  finish: (id: DeliveryId) => Promise<number>,
): Promise<number> => {
  const byLane = Map.groupBy(found, (row) => row.lane_id)
  let total = 0
  for (const [laneId, rows] of [...byLane].sort(([a], [b]) => a - b)) {
    const lane = await tx.first(lockLane, { id: laneId })
    let n = 0
    for (const { id } of rows) n += await finish(id)
    if (n === 0) continue
    total += n
    await tx.run(leave, { id: laneId, n })
    // Who holds a lease comes to what is left by itself.
    const isLast = lane?.lease_id === null && (await tx.first(headOf, { lane: laneId })) === undefined
    if (isLast) await tx.run(emptyLane, { id: laneId })
  }
  return total
}

const acknowledge = async (tx: Tx, { appId, bot }: BotId, offset: number, nowMs: number): Promise<number> => {
  const found = await tx.all(handedOut, { app: appId, bot, offset, limit: ACKNOWLEDGE_MAX })
  return finishAll(tx, found, (id) => tx.run(acknowledgeOne, { id, offset, nowMs }))
}

const acknowledgeIds = async (
  tx: Tx,
  { appId, bot }: BotId,
  ids: readonly string[],
  nowMs: number,
): Promise<number> => {
  const found: { id: DeliveryId; lane_id: number }[] = []
  for (const id of new Set(ids)) {
    const row = await tx.first(handedOutById, { app: appId, bot, id })
    if (row !== undefined) found.push(row)
  }
  return finishAll(tx, found, (id) => tx.run(acknowledgeById, { id, nowMs }))
}

interface Take extends BotId {
  readonly consumer: string
  /** Until then the consumer is this one, unless it is released. */
  readonly untilMs: number
  readonly limit: number
  /** How many the consumer may have in hand. */
  readonly window?: number
  /** And how many of them of one conversation: what cannot be handled must not fill the window. */
  readonly laneWindow?: number
  /** Acknowledges what was handed out up to there. */
  readonly offset: number | undefined
  readonly nowMs: number
}

/** What one consumer has in hand of a lane; not counted where nothing limits it. */
const inHandOf = async (tx: Tx, lane: number, { consumer, laneWindow }: Take): Promise<number> =>
  laneWindow === undefined ? 0 : ((await tx.first(countOfLane, { lane, consumer }))?.n ?? 0)

const collect = async (tx: Tx, input: Take, last: number, outstanding: number): Promise<StoredUpdate[]> => {
  const { appId, bot, consumer, nowMs, laneWindow, window = Number.MAX_SAFE_INTEGER } = input
  const limit = Math.min(input.limit, window - outstanding)
  const updates: StoredUpdate[] = []
  let bytes = 0
  const isFull = (): boolean => updates.length >= limit || bytes >= BYTES_MAX
  /** Answers whether the lane took a place for nothing: it has no head, and is not due any more. */
  const isEmptied = async (lane: FreeLane): Promise<boolean> => {
    const inHand = await inHandOf(tx, lane.id, input)
    const room = Math.min(limit - updates.length, (laneWindow ?? Number.MAX_SAFE_INTEGER) - inHand)
    const pending = room > 0 ? await tx.all(pendingOf, { lane: lane.id, consumer, limit: room }) : []
    if (pending.length === 0 && inHand === 0 && (await tx.first(headOf, { lane: lane.id })) === undefined) {
      await tx.run(emptyLane, { id: lane.id })
      return true
    }
    // To the end of the row, so that the next look begins with others; not what is to wait, or is parked.
    const isTouched = pending.length > 0 || lane.lease_id !== null
    if (isTouched && lane.due_at_ms <= nowMs) await tx.run(setDue, { id: lane.id, dueMs: nowMs })
    for (const row of pending) {
      const offset = last + updates.length + 1
      await tx.run(handOut, { id: row.id, consumer, offset })
      const { attempts, ...rest } = row
      updates.push({ ...rest, offset, attempt: attempts + 1, conversationId: lane.conversation_id })
      bytes += row.body.length
      if (isFull()) break
    }
    return false
  }
  for (let emptied = 1; emptied > 0 && !isFull(); ) {
    emptied = 0
    // Lanes of what is handed out already may stand before the others.
    for (const lane of await tx.all(freeLanes, { app: appId, bot, nowMs, limit: limit + outstanding })) {
      if (isFull()) break
      if (await isEmptied(lane)) emptied++
    }
  }
  return updates
}

export const updates = {
  /**
   * What the bot has not acknowledged and this consumer has not been given, oldest lanes first; also how much the
   * consumer has now.
   */
  take: write(
    async (tx, input: Take): Promise<{ updates: readonly StoredUpdate[]; outstanding: number; offset: number }> => {
      const { appId, bot, consumer, untilMs, offset, nowMs } = input
      const key = { app: appId, bot }
      const row = await requirePulling(tx, input)
      await tx.run(enterConsumer, key)
      const held = await tx.first(lockConsumer, key)
      if (held === undefined) throw new Error('consumers.lock found no row')
      if (held.consumer !== consumer && held.until_ms > nowMs) {
        throw new AppError('ERR_BOT_ALREADY_CONSUMED', { details: { uid: bot } })
      }
      if (offset !== undefined) await acknowledge(tx, input, offset, nowMs)
      await tx.run(dropStale, { ...key, consumer })
      const before = (await tx.first(countOut, { ...key, consumer }))?.n ?? 0
      const found = row.enabled === 1 ? await collect(tx, input, held.last_offset, before) : []
      const last = held.last_offset + found.length
      await tx.run(holdConsumer, { ...key, consumer, untilMs, offset: last })
      return { updates: found, outstanding: before + found.length, offset: last }
    },
  ),

  /** Answers how many updates are delivered by that. */
  acknowledge: write(async (tx, input: BotId & { offset: number; nowMs: number }): Promise<number> => {
    await requirePulling(tx, input)
    return acknowledge(tx, input, input.offset, input.nowMs)
  }),

  /** What was handed out, to whomever, by its id; answers how many updates are delivered by that. */
  acknowledgeIds: write(async (tx, input: BotId & { ids: readonly string[]; nowMs: number }): Promise<number> => {
    await requirePulling(tx, input)
    return acknowledgeIds(tx, input, input.ids, input.nowMs)
  }),

  /** Another consumer may take its place at once. */
  release: write(async (tx, { appId, bot, consumer }: BotId & { consumer: string }): Promise<void> => {
    await tx.run(releaseConsumer, { app: appId, bot, consumer })
  }),
}
