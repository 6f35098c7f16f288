/** Which conversations a user has, or an app, and how they stand: built here, shown in `conversations.ts`. */
import { type AppId, type ConversationId, limits, type ReceiverType, type Uid } from '@confab/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Actor, UserActor } from '../../../kernel/actor.ts'
import type { PageRequest } from '../../../kernel/paging.ts'
import { contains, holdsOneOf, prefix, TOTAL_MAX } from '../lists.ts'
import type { Tx } from '../seam.ts'

export interface ConversationFilter {
  readonly type?: ReceiverType
  readonly searchKey?: string
  readonly tags?: readonly string[]
  readonly userTags?: readonly string[]
  readonly groupTags?: readonly string[]
  readonly unread: boolean
  readonly includeBlockedUsers: boolean
  readonly hideAgentic: boolean
  readonly onlyAgentic: boolean
  readonly pinnedBy?: readonly string[]
}

interface PageRow {
  id: ConversationId
  type: ReceiverType
  partner: Uid | null
  created_at: number
  updated_at: number
  system_pinned_at: number | null
  read_id: number
  hidden_id: number
  tags: string | null
  pinned_at: number | null
}

export interface Row extends PageRow {
  /** What is shown as said last: neither replies, which stay in their threads, nor what tells of edits. */
  last_id: number | null
  latest_id: number | null
  unread: number
  unread_mentions: number
}

type Sql<T> = RawBuilder<T>

const ofConversation = (id: Sql<unknown>, app: AppId): Sql<SqlBool> =>
  sql<SqlBool>`messages.app_id = ${app} AND messages.conversation_id = ${id}`

/** What a user has not read: said by others, not deleted, and no reply. */
const unreadOf = (app: AppId, uid: Uid, id: Sql<unknown>, readId: Sql<unknown>): Sql<SqlBool> =>
  sql<SqlBool>`${ofConversation(id, app)} AND messages.id > ${readId} AND messages.sender <> ${uid}
    AND messages.category <> 'action' AND messages.parent_id IS NULL AND messages.deleted_at IS NULL`

const countOf = (condition: Sql<SqlBool>): Sql<number> =>
  sql<number>`(SELECT count(*) FROM (SELECT 1 FROM messages WHERE ${condition} LIMIT ${sql.lit(limits.countMax)}) AS few)`

/** Of the newest that are counted: or a user who never reads a busy group would have all of it searched. */
const mentionsOf = (unread: Sql<SqlBool>, mention: string): Sql<number> =>
  sql<number>`(SELECT count(*) FROM (SELECT messages.text FROM messages WHERE ${unread}
    ORDER BY messages.id DESC LIMIT ${sql.lit(limits.countMax)}) AS few WHERE few.text LIKE ${mention})`

/** Only for the rows of the page: what follows costs a look at the messages of each. */
const withMessages = (app: AppId, uid: Uid | '', page: Sql<unknown>): Sql<Row> => {
  const id = sql`page.id`
  const unread = unreadOf(app, uid as Uid, id, sql`page.read_id`)
  return sql<Row>`SELECT page.*,
      (SELECT max(messages.id) FROM messages WHERE ${ofConversation(id, app)} AND messages.parent_id IS NULL
         AND (messages.category <> 'action' OR messages.type <> 'message')) AS last_id,
      (SELECT max(messages.id) FROM messages WHERE ${ofConversation(id, app)}) AS latest_id,
      ${uid === '' ? sql.lit(0) : countOf(unread)} AS unread,
      ${uid === '' ? sql.lit(0) : mentionsOf(unread, `%<@uid:${uid}>%`)} AS unread_mentions
    FROM (${page}) AS page`
}

const partnerOf = (uid: Uid): Sql<Uid | null> =>
  sql<Uid | null>`CASE WHEN c.user_a = ${uid} THEN c.user_b ELSE c.user_a END`

const mine = (app: AppId, uid: Uid): Sql<unknown> => sql`
  FROM conversations AS c
  LEFT JOIN user_conversations AS s ON s.app_id = c.app_id AND s.conversation_id = c.id AND s.uid = ${uid}
  WHERE c.app_id = ${app} AND c.id IN (
    SELECT id FROM conversations WHERE app_id = ${app} AND user_a = ${uid}
    UNION ALL SELECT id FROM conversations WHERE app_id = ${app} AND user_b = ${uid}
    UNION ALL SELECT 'group_' || guid FROM members WHERE app_id = ${app} AND uid = ${uid})`

const userIs = (app: AppId, uid: Uid, condition: Sql<SqlBool>): Sql<SqlBool> => sql<SqlBool>`EXISTS (
  SELECT 1 FROM users WHERE users.app_id = ${app} AND users.uid = ${partnerOf(uid)} AND ${condition})`

const groupIs = (app: AppId, condition: Sql<SqlBool>): Sql<SqlBool> => sql<SqlBool>`(c.type = 'group' AND EXISTS (
  SELECT 1 FROM groups WHERE groups.app_id = ${app} AND groups.guid = substr(c.id, 7) AND ${condition}))`

const isAgentic = (app: AppId, uid: Uid): Sql<SqlBool> => sql<SqlBool>`EXISTS (
  SELECT 1 FROM bots WHERE bots.app_id = ${app} AND bots.uid = ${partnerOf(uid)} AND bots.is_ai_bot = 1)`

const pinnedBy = (who: readonly string[]): Sql<SqlBool> => {
  const ways = [
    ...(who.includes('me') ? [sql<SqlBool>`s.pinned_at IS NOT NULL`] : []),
    ...(who.includes('system') ? [sql<SqlBool>`c.pinned_at IS NOT NULL`] : []),
  ]
  return ways.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`(${sql.join(ways, sql` OR `)})`
}

/** What a user has deleted is back with the next message. */
const isShown = (app: AppId): Sql<SqlBool> => {
  const latest = sql`(SELECT max(messages.id) FROM messages WHERE ${ofConversation(sql`c.id`, app)})`
  return sql<SqlBool>`(coalesce(s.hidden_id, 0) = 0 OR s.hidden_id < ${latest})`
}

const conditionsOf = (app: AppId, uid: Uid, filter: ConversationFilter): Sql<SqlBool>[] => {
  const { searchKey, tags, userTags, groupTags } = filter
  return [
    isShown(app),
    ...(filter.type ? [sql<SqlBool>`c.type = ${filter.type}`] : []),
    ...(searchKey
      ? [
          sql<SqlBool>`(${userIs(app, uid, anyOf(contains('users.name', searchKey), prefix('users.uid', searchKey)))} OR
            ${groupIs(app, anyOf(contains('groups.name', searchKey), prefix('groups.guid', searchKey)))})`,
        ]
      : []),
    ...(tags?.length ? [holdsOneOf('s.tags', tags)] : []),
    ...(userTags?.length ? [userIs(app, uid, holdsOneOf('users.tags', userTags))] : []),
    ...(groupTags?.length ? [groupIs(app, holdsOneOf('groups.tags', groupTags))] : []),
    ...(filter.unread
      ? [
          sql<SqlBool>`EXISTS (SELECT 1 FROM messages WHERE ${unreadOf(app, uid, sql`c.id`, sql`coalesce(s.read_id, 0)`)})`,
        ]
      : []),
    ...(filter.includeBlockedUsers
      ? []
      : [
          sql<SqlBool>`NOT EXISTS (SELECT 1 FROM blocked_users
            WHERE blocked_users.app_id = ${app} AND blocked_users.uid = ${uid} AND blocked_users.blocked_uid = ${partnerOf(uid)})`,
        ]),
    ...(filter.hideAgentic ? [sql<SqlBool>`NOT ${isAgentic(app, uid)}`] : []),
    ...(filter.onlyAgentic ? [isAgentic(app, uid)] : []),
    ...(filter.pinnedBy?.length ? [pinnedBy(filter.pinnedBy)] : []),
  ]
}

const anyOf = (one: Sql<SqlBool>, other: Sql<SqlBool>): Sql<SqlBool> => sql<SqlBool>`(${one} OR ${other})`

const columnsOf = (uid: Uid): Sql<PageRow> => sql<PageRow>`SELECT c.id, c.type, ${partnerOf(uid)} AS partner,
  c.created_at, c.updated_at, c.pinned_at AS system_pinned_at,
  coalesce(s.read_id, 0) AS read_id, coalesce(s.hidden_id, 0) AS hidden_id, s.tags, s.pinned_at`

/** The app sees each conversation once; of two users it is the second whose conversation it is with. */
const ofApp = (app: AppId, { type }: Pick<ConversationFilter, 'type'>): Sql<unknown> => sql`FROM conversations AS c
  WHERE c.app_id = ${app} ${type ? sql`AND c.type = ${type}` : sql``}`

const columnsOfApp = sql<PageRow>`SELECT c.id, c.type, c.user_b AS partner, c.created_at, c.updated_at,
  c.pinned_at AS system_pinned_at, 0 AS read_id, 0 AS hidden_id, NULL AS tags, NULL AS pinned_at`

interface Listed {
  readonly rows: readonly Row[]
  readonly total: number
}

const firstNumber = (rows: readonly { n: number }[]): number => rows[0]?.n ?? 0

export const listOf = async (tx: Tx, actor: Actor, filter: ConversationFilter, page: PageRequest): Promise<Listed> => {
  const { appId: app } = actor
  const limit = sql`LIMIT ${page.perPage} OFFSET ${(page.page - 1) * page.perPage}`
  if (actor.kind === 'app') {
    const from = ofApp(app, filter)
    const rows = await tx.query(
      withMessages(app, '', sql`${columnsOfApp} ${from} ORDER BY c.id ${limit}`).compile(tx.build),
    )
    const counted = sql<{ n: number }>`SELECT count(*) AS n FROM (SELECT 1 ${from} LIMIT ${sql.lit(TOTAL_MAX)}) AS few`
    return { rows, total: firstNumber(await tx.query(counted.compile(tx.build))) }
  }
  const { uid } = actor
  const from = sql`${mine(app, uid)} AND ${sql.join(conditionsOf(app, uid, filter), sql` AND `)}`
  const selected = sql`${columnsOf(uid)} ${from} ORDER BY c.updated_at DESC, c.id ${limit}`
  const rows = await tx.query(withMessages(app, uid, selected).compile(tx.build))
  const total = await tx.query(sql<{ n: number }>`SELECT count(*) AS n ${from}`.compile(tx.build))
  return { rows: sorted(rows), total: firstNumber(total) }
}

/** The engines may lose the order of what is within. */
const sorted = (rows: readonly Row[]): readonly Row[] =>
  [...rows].sort((a, b) => b.updated_at - a.updated_at || (a.id < b.id ? -1 : 1))

/** One conversation, if the actor has it. */
export const rowOf = async (tx: Tx, actor: Actor, id: ConversationId): Promise<Row | undefined> => {
  const { appId: app } = actor
  const selected =
    actor.kind === 'app'
      ? sql`${columnsOfApp} ${ofApp(app, {})} AND c.id = ${id}`
      : sql`${columnsOf(actor.uid)} ${mine(app, actor.uid)} AND c.id = ${id} AND ${isShown(app)}`
  const viewer = actor.kind === 'app' ? '' : actor.uid
  const [row] = await tx.query(withMessages(app, viewer, selected).compile(tx.build))
  return row
}

export interface UnreadFilter {
  /** What has not been read, or not been received. */
  readonly kind: 'read' | 'delivered'
  readonly only: ConversationId | undefined
  readonly type: ReceiverType | undefined
  readonly hideBlocked: boolean
}

interface UnreadRow {
  id: ConversationId
  type: ReceiverType
  partner: Uid | null
  n: number
}

export const unreadRowsOf = (
  tx: Tx,
  { appId: app, uid }: UserActor,
  { kind, only, type, hideBlocked }: UnreadFilter,
): Promise<readonly UnreadRow[]> => {
  const since = kind === 'read' ? sql`coalesce(s.read_id, 0)` : sql`coalesce(s.delivered_id, 0)`
  const unblocked = hideBlocked
    ? sql` AND messages.sender NOT IN (SELECT blocked_uid FROM blocked_users
        WHERE blocked_users.app_id = ${app} AND blocked_users.uid = ${uid})`
    : sql``
  const condition = sql<SqlBool>`${unreadOf(app, uid, sql`c.id`, since)}${unblocked}`
  const counted = sql<UnreadRow>`SELECT * FROM (
      SELECT c.id, c.type, ${partnerOf(uid)} AS partner, ${countOf(condition)} AS n ${mine(app, uid)}
        ${only === undefined ? sql`` : sql`AND c.id = ${only}`}
        ${type === undefined ? sql`` : sql`AND c.type = ${type}`}) AS counted
    WHERE n > 0 ORDER BY id`
  return tx.query(counted.compile(tx.build))
}
