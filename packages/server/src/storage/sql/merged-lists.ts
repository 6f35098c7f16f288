/**
 * The newest, or oldest, messages of many conversations together, for what it costs to show one page, however much has been
 * said in them: each conversation is read from its own end of the index, and no further than the page may need.
 *
 * With a page of n: the n conversations whose first message comes first are enough (`few`); what comes after the first
 * message of the last of these is on no such page (the edge); and of none are more than n messages needed (`edge`).
 */
import type { AppId, Uid } from '@confab/protocol'
import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../kernel/actor.ts'
import { MESSAGE_COLUMNS, type MessageRow } from './message-rows.ts'
import type { Tx } from './seam.ts'

type Sql<T> = RawBuilder<T>

/** Rows of `conversation`, and `low`: what is at or before it is not shown. */
export type Sources = Sql<{ conversation: string; low: number }>

export type Mark = 'hidden_id' | 'read_id' | 'delivered_id'

const greatest = (one: Sql<number>, other: Sql<number>): Sql<number> =>
  sql<number>`CASE WHEN ${one} > ${other} THEN ${one} ELSE ${other} END`

const oneToOneOf = (app: AppId, uid: Uid): Sql<unknown> => sql`
  SELECT id FROM conversations WHERE app_id = ${app} AND user_a = ${uid}
  UNION SELECT id FROM conversations WHERE app_id = ${app} AND user_b = ${uid}`

const least = (one: Sql<number>, other: Sql<number>): Sql<number> =>
  sql<number>`CASE WHEN ${one} < ${other} THEN ${one} ELSE ${other} END`

/** Beyond every id. */
export const ID_MAX = 9_007_199_254_740_991

/** What may be shown, by the column that orders it. */
export interface Range {
  /** Exclusive. */
  readonly after?: number | Sql<number>
  /** Inclusive. */
  readonly upTo?: number | Sql<number>
}

/** All that the user takes part in. @param marks the highest of them is what is not shown */
export const sourcesOf = (app: AppId, uid: Uid, marks: readonly Mark[], only?: string): Sources => {
  const low = marks
    .map((mark) => sql<number>`coalesce(${sql.ref(`standing.${mark}`)}, 0)`)
    .reduce<Sql<number>>(greatest, sql<number>`0`)
  return sql`SELECT taken.id AS conversation, ${low} AS low
    FROM (${oneToOneOf(app, uid)} UNION SELECT 'group_' || guid FROM members WHERE app_id = ${app} AND uid = ${uid}) AS taken
    LEFT JOIN user_conversations AS standing
      ON standing.app_id = ${app} AND standing.conversation_id = taken.id AND standing.uid = ${uid}
    ${only === undefined ? sql`` : sql`WHERE taken.id = ${only}`}`
}

/** What the user says and hears one to one, for the app. */
export const oneToOneSources = (app: AppId, uid: Uid, only?: string): Sources =>
  sql`SELECT taken.id AS conversation, 0 AS low FROM (${oneToOneOf(app, uid)}) AS taken
    ${only === undefined ? sql`` : sql`WHERE taken.id = ${only}`}`

export interface Merge {
  readonly actor: Actor
  readonly sources: Sources
  /** The column that orders them: each conversation has an index by it, and `low` is a value of it. */
  readonly by: 'id' | 'last_reply_id'
  readonly direction: 'asc' | 'desc'
  readonly range: Range
  /** Of a message that is to be shown, whatever conversation it is of. */
  readonly condition: Expression<SqlBool>
  readonly limit: number
  /** Few messages meet the condition, and an index has just these: then it is better than the order. */
  readonly isRare?: boolean
}

export type MergedRow = MessageRow & { last_reply_id: number | null }

const bigint = (value: number | Sql<number>): Sql<number> => sql<number>`CAST(${value} AS BIGINT)`

/**
 * The steps narrow each conversation down to `low < key <= high`, with one condition at either end: of two, SQLite begins
 * at the one that was said first, and walks from there to the other.
 */
export const merged = (tx: Tx, merge: Merge): Promise<readonly MergedRow[]> => {
  const { actor, sources, by, direction, range, condition, limit, isRare = false } = merge
  const forwards = direction === 'asc'
  const order = sql.raw(direction)
  // Not as it stands in the index: so the engine takes another.
  const key = isRare ? sql<number>`+${sql.ref(`messages.${by}`)}` : sql<number>`${sql.ref(`messages.${by}`)}`
  const said = (of: string): Sql<SqlBool> => sql<SqlBool>`messages.app_id = ${actor.appId}
    AND messages.conversation_id = ${sql.ref(`${of}.conversation`)} AND ${key} > ${sql.ref(`${of}.low`)}
    AND ${key} <= ${sql.ref(`${of}.high`)} AND ${condition}`
  const [low, high] = [sql<number>`low`, sql<number>`high`]
  /** What comes after `edge` in this direction is left out. */
  const upTo = (edge: Sql<number>): Sql<unknown> =>
    forwards ? sql`low, ${least(high, edge)} AS high` : sql`${greatest(low, sql<number>`${edge} - 1`)} AS low, high`
  const count = sql.lit(limit)
  const farthest = forwards ? sql`max(head)` : sql`min(head)`
  const last = sql<number>`SELECT ${key} FROM messages WHERE ${said('near')}
    ORDER BY ${key} ${order} LIMIT 1 OFFSET ${sql.lit(limit - 1)}`
  // Materialized: or each look at a column would search again.
  const found = sql<MergedRow>`WITH sources AS MATERIALIZED (
      SELECT conversation, ${greatest(low, bigint(range.after ?? 0))} AS low, ${bigint(range.upTo ?? ID_MAX)} AS high
      FROM (${sources}) AS taken),
    heads AS MATERIALIZED (
      SELECT conversation, low, high, (SELECT ${key} FROM messages WHERE ${said('sources')} ORDER BY ${key} ${order} LIMIT 1) AS head
      FROM sources),
    few AS MATERIALIZED (SELECT * FROM heads WHERE head IS NOT NULL ORDER BY head ${order} LIMIT ${count}),
    edge AS MATERIALIZED (
      SELECT CASE WHEN count(*) < ${count} THEN ${sql.lit(forwards ? ID_MAX : 0)} ELSE ${farthest} END AS farthest FROM few),
    near AS MATERIALIZED (SELECT conversation, ${upTo(sql<number>`edge.farthest`)} FROM few CROSS JOIN edge),
    lasts AS MATERIALIZED (SELECT conversation, low, high, (${last}) AS last FROM near),
    bounds AS MATERIALIZED (SELECT conversation, ${upTo(sql<number>`coalesce(last, ${forwards ? high : sql`low + 1`})`)} FROM lasts)
    SELECT ${sql.join(MESSAGE_COLUMNS.map((column) => sql.ref(`messages.${column}`)))}, messages.last_reply_id
    FROM bounds CROSS JOIN messages WHERE ${said('bounds')}
    ORDER BY +${sql.ref(`messages.${by}`)} ${order} LIMIT ${count}`
  return tx.query(found.compile(tx.build))
}
