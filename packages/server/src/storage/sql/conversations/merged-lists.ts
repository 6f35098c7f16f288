/**
 * The newest, or oldest, messages of many conversations together, for what it costs to show one page, however much has been
 * said in them: each conversation is read from its own end of the index, and no further than the page may need.
 *
 * If in m conversations the q-th message lies before some edge, then q * m messages do; and if that is a page, then no page
 * goes beyond the edge. Of all edges with q * m = a page, a few are looked for: the first messages of all conversations (q = 1) are
 * one look each, and bound the others; and where few conversations are left, or one is busy, those with larger q are nearer.
 */
import type { AppId, Uid } from '@confab/protocol'
import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import { MESSAGE_COLUMNS, type MessageRow } from '../messages/message-rows.ts'
import type { Tx } from '../seam.ts'

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

/** How many messages are looked at in each conversation, step by step, for a page of `limit`. */
const stepsOf = (limit: number): readonly number[] => [...new Set([1, Math.ceil(Math.sqrt(limit)), limit])]

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
    AND messages.conversation_id = ${sql.ref(`${of}.conversation`)} AND ${condition}
    AND ${key} > ${sql.ref(`${of}.low`)} AND ${key} <= ${sql.ref(`${of}.high`)}`
  const [low, high] = [sql<number>`low`, sql<number>`high`]
  const edge = sql<number>`edge`
  const within = forwards
    ? sql`low, CASE WHEN edge IS NULL THEN high ELSE ${least(high, edge)} END AS high`
    : sql`CASE WHEN edge IS NULL THEN low ELSE ${greatest(low, sql<number>`edge - 1`)} END AS low, high`
  /** Left are the conversations that have something before the edge, and what of them is before it. */
  const step = (from: string, to: string, each: number): Sql<unknown> => {
    const [marks, edges] = [sql.ref(`${to}_marks`), sql.ref(`${to}_edge`)]
    const mark = sql`SELECT ${key} FROM messages WHERE ${said(from)} ORDER BY ${key} ${order} LIMIT 1 OFFSET ${sql.lit(each - 1)}`
    const isLeft = forwards ? sql`mark <= edge` : sql`mark >= edge`
    return sql`${marks} AS MATERIALIZED (SELECT conversation, low, high, (${mark}) AS mark FROM ${sql.ref(from)}),
      ${edges} AS MATERIALIZED (SELECT (SELECT mark FROM ${marks} WHERE mark IS NOT NULL ORDER BY mark ${order}
        LIMIT 1 OFFSET ${sql.lit(Math.ceil(limit / each) - 1)}) AS edge),
      ${sql.ref(to)} AS MATERIALIZED (SELECT conversation, ${within} FROM ${marks} CROSS JOIN ${edges}
        ${each === 1 ? sql`WHERE mark IS NOT NULL AND (edge IS NULL OR ${isLeft})` : sql``})`
  }
  const steps = stepsOf(limit).map((each, n, { length }) =>
    step(n === 0 ? 'sources' : `step${n}`, n + 1 === length ? 'bounds' : `step${n + 1}`, each),
  )
  // Materialized: or each look at a column would search again.
  const found = sql<MergedRow>`WITH sources AS MATERIALIZED (
      SELECT conversation, ${greatest(low, bigint(range.after ?? 0))} AS low, ${bigint(range.upTo ?? ID_MAX)} AS high
      FROM (${sources}) AS taken),
    ${sql.join(steps)}
    SELECT ${sql.join(MESSAGE_COLUMNS.map((column) => sql.ref(`messages.${column}`)))}, messages.last_reply_id
    FROM bounds CROSS JOIN messages WHERE ${said('bounds')}
    ORDER BY +${sql.ref(`messages.${by}`)} ${order} LIMIT ${sql.lit(limit)}`
  return tx.query(found.compile(tx.build))
}
