/** Lanes as rows: what is asked and changed of them wherever deliveries are written, worked or looked after. */
import type { AppId, ConversationId, DeliveryId, LeaseId, Uid, WebhookTrigger } from '@confab/protocol'
import type { Delivery } from '../../../delivery/attempt.ts'
import { type Room, shareOf } from '../../../delivery/share.ts'
import { statement } from '../seam.ts'
import { type BotRow, settingsOf } from './bot-rows.ts'

/** When a parked lane is due: later than any clock. */
export const PARKED_MS = Date.UTC(9999, 11, 31)

/** Who claims, and until when. Lease ids are `leaseId` with a number behind it, one per lane. */
export interface Claimer {
  readonly node: string
  readonly leaseId: LeaseId
  readonly untilMs: number
  /** `appId/uid` → lanes of that bot that are claimed already; bots that have all they may get no more, theirs wait in the store. */
  readonly busy: Readonly<Record<string, number>>
  /** Lanes of one bot, where the bot does not say otherwise. */
  readonly perBot: number
  /** Lanes per attempt that a bot may have under way, where it does. */
  readonly perSlot: number
  /** For lanes, of whatever bot. */
  readonly room: Room
}

export interface LaneRow {
  id: number
  app_id: AppId
  bot_uid: Uid
  conversation_id: ConversationId
}

export interface HeadRow {
  id: DeliveryId
  sequence: number
  trigger: WebhookTrigger
  body: string
  attempts: number
  hop: number
  created_at_ms: number
}

export const setDue = statement<{ id: number; dueMs: number | null }>(
  'lanes.set_due',
  'UPDATE lanes SET lease_id = NULL, lease_node = NULL, due_at_ms = :dueMs WHERE id = :id',
)
/** A lane without a head is empty, whatever was counted: the next message finds it idle. */
export const emptyLane = statement<{ id: number }>(
  'lanes.empty',
  'UPDATE lanes SET pending = 0, lease_id = NULL, lease_node = NULL, due_at_ms = NULL WHERE id = :id',
)
export interface PendingHead extends HeadRow {
  /** NULL: at once. */
  due_at_ms: number | null
}
/** The duty of what was replayed arose anew with that. */
export const headOf = statement<{ lane: number }, PendingHead>(
  'lanes.head',
  `SELECT id, sequence, trigger, body, attempts, hop, coalesce(replayed_at_ms, created_at_ms) AS created_at_ms, due_at_ms
   FROM deliveries WHERE lane_id = :lane AND state = 'pending' ORDER BY sequence LIMIT 1`,
)
export const lockLane = statement<{ id: number }, LaneRow & { lease_id: string | null; due_at_ms: number | null }>(
  'lanes.lock',
  'SELECT id, app_id, bot_uid, conversation_id, lease_id, due_at_ms FROM lanes WHERE id = :id {FOR_UPDATE}',
)
/** What is parked has its attempts before it again. Answers whether it was. */
export const unpark = statement<{ id: string; nowMs: number; parkedMs: number }>(
  'deliveries.unpark',
  `UPDATE deliveries SET attempts = 0, replayed_at_ms = :nowMs, due_at_ms = NULL
   WHERE id = :id AND state = 'pending' AND due_at_ms = :parkedMs`,
)
/** When a lane is due that nobody works. */
export const dueMsOf = ({ due_at_ms: dueMs }: PendingHead, nowMs: number): number => Math.max(dueMs ?? 0, nowMs)
export const toHead = (lane: { id: number; conversation_id: ConversationId }, row: HeadRow): Delivery => ({
  id: row.id,
  laneId: lane.id,
  conversationId: lane.conversation_id,
  sequence: row.sequence,
  trigger: row.trigger,
  body: row.body,
  attempts: row.attempts,
  hop: row.hop,
  createdAtMs: row.created_at_ms,
})

/** How many lanes more the claimer may have of the bot, `taken` of others having been taken since. */
export const roomOf = ({ perBot, perSlot, busy, room }: Claimer, bot: BotRow, taken = 0): number => {
  const { maxConcurrency } = settingsOf(bot)
  const most = maxConcurrency === undefined ? perBot : maxConcurrency * perSlot
  const has = busy[`${bot.app_id}/${bot.uid}`] ?? 0
  return Math.min(most - has, shareOf({ ...room, free: room.free - taken }, has))
}
