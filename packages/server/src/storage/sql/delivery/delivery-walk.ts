/**
 * Walks over deliveries by an index, newest or oldest first, that look at no more than `scan` rows: a page costs the same
 * whatever it is asked for. A walk that ends there says where to go on, even if it has found nothing.
 */
import type { AppId, ConversationId, DeliveryId, DeliveryState, Uid } from '@confab/protocol'
import { sql } from 'kysely'
import type { Schema } from '../schema.ts'
import type { Tx } from '../seam.ts'

const CHUNK_MAX = 1000

export interface DeliveryFilter {
  readonly bot?: Uid
  readonly conversationId?: ConversationId
  readonly messageId?: number
  readonly states?: readonly DeliveryState[]
  readonly sinceMs?: number
  readonly untilMs?: number
}

/** Ids grow with time: what was made between two times stands between two ids. Exclusive. */
export interface IdRange {
  readonly before?: string
  readonly after?: string
}

/** With `deliveries` as d and `lanes` as l. */
export const ROW = `d.id, d.app_id, d.bot_uid, d.lane_id, d.sequence, d.message_id, d.trigger, d.state, d.attempts,
  d.created_at_ms, d.finished_at_ms, d.replayed_at_ms, d.hop, d.reason, l.conversation_id, l.lease_id, l.due_at_ms`

export type Row = Readonly<
  Omit<Schema['deliveries'], 'body' | 'void_lease_id' | 'due_at_ms'> &
    Pick<Schema['lanes'], 'conversation_id' | 'lease_id' | 'due_at_ms'>
>

/** The rows of the index that fits the question best; what the index does not know is sorted out by `fits`. */
const chunkOf = (
  tx: Tx,
  appId: AppId,
  filter: DeliveryFilter,
  range: IdRange,
  direction: 'asc' | 'desc',
  n: number,
) => {
  const { bot, messageId, states = [] } = filter
  const all = tx.build.selectFrom('deliveries as d').innerJoin('lanes as l', 'l.id', 'd.lane_id')
  // A message has few, and no index but its own may be tempting for being in the order of the answer.
  const app = messageId === undefined ? sql<AppId>`d.app_id` : sql<AppId>`(d.app_id || '')`
  let query = all.where(app, '=', appId)
  const failed = states.length === 1 && (states[0] === 'dead' || states[0] === 'cancelled') ? states[0] : undefined
  if (messageId !== undefined) query = query.where('d.message_id', '=', messageId)
  else if (failed !== undefined) {
    query = query
      .where('d.state', '=', failed)
      // In the words of the partial index, which is used for nothing else.
      .where(sql<boolean>`d.state IN ('dead', 'cancelled')`)
  } else if (bot !== undefined) query = query.where('d.bot_uid', '=', bot)
  if (range.before !== undefined) query = query.where('d.id', '<', range.before as DeliveryId)
  if (range.after !== undefined) query = query.where('d.id', '>', range.after as DeliveryId)
  return tx.query(
    query
      .select(sql.raw(ROW) as never)
      .$castTo<Row>()
      .orderBy('d.id', direction)
      .limit(n)
      .compile(),
  )
}

const fits = (row: Row, filter: DeliveryFilter): boolean =>
  (filter.bot === undefined || row.bot_uid === filter.bot) &&
  (filter.conversationId === undefined || row.conversation_id === filter.conversationId) &&
  (filter.states === undefined || filter.states.includes(row.state)) &&
  (filter.sinceMs === undefined || row.created_at_ms >= filter.sinceMs) &&
  (filter.untilMs === undefined || row.created_at_ms <= filter.untilMs)

export interface Walk {
  readonly appId: AppId
  readonly filter: DeliveryFilter
  readonly range: IdRange
  readonly direction: 'asc' | 'desc'
  readonly limit: number
  /** How many rows may be looked at. */
  readonly scan: number
}

/** `last`: where to go on, if the walk did not come to the end. */
export const walk = async (
  tx: Tx,
  { appId, filter, range, direction, limit, scan }: Walk,
): Promise<{ rows: Row[]; last?: string }> => {
  const rows: Row[] = []
  let left = scan
  let at = range
  let size = limit + 1
  while (left > 0) {
    const wanted = Math.min(size, left)
    const chunk = await chunkOf(tx, appId, filter, at, direction, wanted)
    for (const row of chunk) {
      if (!fits(row, filter)) continue
      const last = rows.at(-1)?.id
      if (rows.length === limit && last !== undefined) return { rows, last }
      rows.push(row)
    }
    const last = chunk.at(-1)?.id
    if (chunk.length < wanted || last === undefined) return { rows }
    at = direction === 'desc' ? { ...range, before: last } : { ...range, after: last }
    left -= wanted
    size = CHUNK_MAX
  }
  const last = direction === 'desc' ? at.before : at.after
  return { rows, ...(last !== undefined && { last }) }
}
