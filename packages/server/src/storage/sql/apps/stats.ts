/**
 * What was sent, received and read between two times. Receipts have an index by time. Messages have none, which every
 * message would pay for: their ids grow with the time at which they came, and a few rows between the first and the last
 * tell where a time lies.
 *
 * What is imported bears older times than its neighbours. So only this is certain: what bears a time came at that time or
 * later; and what was sent here came at the time that it bears. A range that was found by these two holds all that was sent here
 * between the times, and where imports lie at its edges, more; who counts looks at the times again.
 */
import type { AppId, Uid } from '@confab/protocol'
import { sql } from 'kysely'
import { read, statement, type Tx } from '../seam.ts'

interface Probe {
  readonly id: number
  readonly sent_at: number
  readonly data: string
  readonly category: string
}

const lastId = statement<Record<string, never>, { id: number | null }>(
  'stats.last_id',
  'SELECT max(id) AS id FROM messages',
)
const firstFrom = statement<{ id: number; upTo: number }, Probe>(
  'stats.first_from',
  'SELECT id, sent_at, data, category FROM messages WHERE id >= :id AND id <= :upTo ORDER BY id LIMIT 1',
)

/** Clocks of several nodes differ, and seconds are coarse. */
const SLACK_SECONDS = 60
const PROBES = 15
/** Closer than that is not worth the looking. */
const CLOSE = 200

/** What was sent here says from what; what tells of something was made here. */
const isOurs = ({ data, category }: Probe): boolean =>
  category === 'action' || (JSON.parse(data) as { resource?: unknown }).resource !== undefined

interface Edges {
  /** Came before the time. */
  readonly before: number
  /** Came at the time or later, as all behind it. */
  readonly from: number
}

const narrowed = async (tx: Tx, { before, from }: Edges, time: number): Promise<Edges> => {
  const width = (from - before) / (PROBES + 1)
  let edges = { before, from }
  for (let n = 1; n <= PROBES; n++) {
    const id = before + Math.ceil(n * width)
    if (id >= edges.from) break
    const probe = await tx.first(firstFrom, { id, upTo: edges.from - 1 })
    // Nothing from here to the edge: it may as well lie here.
    if (probe === undefined) return { ...edges, from: id }
    if (probe.sent_at >= time) return { ...edges, from: probe.id }
    if (isOurs(probe)) edges = { ...edges, before: probe.id }
  }
  return edges
}

const edgesOf = async (tx: Tx, time: number, last: number): Promise<Edges> => {
  let edges: Edges = { before: 0, from: last + 1 }
  while (edges.from - edges.before > CLOSE) {
    const next = await narrowed(tx, edges, time)
    // What is left between was imported, or nearly all of it.
    if ((next.from - next.before) * 8 > (edges.from - edges.before) * 7) return next
    edges = next
  }
  return edges
}

interface Window {
  readonly appId: AppId
  readonly from: number
  readonly to: number
}

interface Step extends Window {
  readonly after: number
  readonly upTo: number
}

const senders = statement<{ app: string; after: number; upTo: number; from: number; to: number }, { uid: Uid }>(
  'stats.senders',
  `SELECT DISTINCT sender AS uid FROM messages
   WHERE id > :after AND id <= :upTo AND app_id = :app AND sent_at >= :from AND sent_at < :to AND sender <> 'app_system'`,
)
const readers = statement<{ app: string; from: number; to: number }, { uid: Uid }>(
  'stats.readers',
  'SELECT DISTINCT uid FROM receipts WHERE app_id = :app AND at >= :from AND at < :to',
)

/** Which data point: whole numbers, on both engines. */
const pointOf = (column: string, from: number, seconds: number) =>
  sql<number>`(${sql.ref(column)} - ${sql.lit(from)}) / ${sql.lit(seconds)}`

export const stats = {
  /** Ids after the one, up to the other: all that was sent here between the times is among them. */
  idRange: read(async (tx, { from, to }: { from: number; to: number }): Promise<{ after: number; upTo: number }> => {
    const last = (await tx.first(lastId, {}))?.id ?? 0
    const { before } = await edgesOf(tx, from - SLACK_SECONDS, last)
    const { from: end } = await edgesOf(tx, to + SLACK_SECONDS, last)
    return { after: before, upTo: Math.max(before, end - 1) }
  }),

  senders: read(async (tx, { appId: app, after, upTo, from, to }: Step): Promise<readonly Uid[]> => {
    const rows = await tx.all(senders, { app, after, upTo, from, to })
    return rows.map(({ uid }) => uid)
  }),

  /** Who has received or read something. */
  readers: read(async (tx, { appId: app, from, to }: Window): Promise<readonly Uid[]> => {
    const rows = await tx.all(readers, { app, from, to })
    return rows.map(({ uid }) => uid)
  }),

  /** By data point. What tells of something was not sent by anybody. */
  sent: read(async (tx, input: Step & { seconds: number }): Promise<readonly { point: number; n: number }[]> => {
    const { appId, after, upTo, from, to, seconds } = input
    const query = tx.build
      .selectFrom('messages')
      .select([pointOf('sent_at', from, seconds).as('point'), sql<number>`count(*)`.as('n')])
      .where('id', '>', after)
      .where('id', '<=', upTo)
      .where('app_id', '=', appId)
      .where('category', '<>', 'action')
      .where('sent_at', '>=', from)
      .where('sent_at', '<', to)
      .groupBy(pointOf('sent_at', from, seconds))
    return tx.query(query.compile())
  }),

  receipts: read(
    async (tx, input: Window & { seconds: number }): Promise<readonly { point: number; kind: string; n: number }[]> => {
      const { appId, from, to, seconds } = input
      const query = tx.build
        .selectFrom('receipts')
        .select([pointOf('at', from, seconds).as('point'), 'kind', sql<number>`count(*)`.as('n')])
        .where('app_id', '=', appId)
        .where('at', '>=', from)
        .where('at', '<', to)
        .groupBy([pointOf('at', from, seconds), 'kind'])
      return tx.query(query.compile())
    },
  ),
}
