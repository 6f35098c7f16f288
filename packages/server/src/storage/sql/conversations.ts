/** Conversations as their users have them: with whom, what was said last, how much of it is unread. */
import {
  type AppId,
  type ConversationId,
  type ErrorCode,
  type Guid,
  groupConversationId,
  limits,
  type MessageId,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
} from '@confab/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Conversation, ConversationWith } from '../../conversations/conversation.ts'
import { type Actor, actorUid, type UserActor } from '../../kernel/actor.ts'
import { AppError } from '../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import { systemUser } from '../../users/user.ts'
import { dropConversation, latestIdOf, type Partner, requireParty } from './conversation-rows.ts'
import { requireGroup, toGroup } from './group-rows.ts'
import { contains, holdsOneOf, prefix } from './lists.ts'
import { idOf } from './message-rows.ts'
import { messagesById, viewed } from './message-views.ts'
import { read, statement, type Tx, write } from './seam.ts'
import { requireActor, toUser } from './user-rows.ts'

type Key = { app: string; conversation: string; uid: string }

const setTags = statement<Key & { tags: string }>(
  'user_conversations.set_tags',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, tags) VALUES (:app, :conversation, :uid, :tags)
   ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET tags = excluded.tags`,
)
const hide = statement<Key & { id: number }>(
  'user_conversations.hide',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id, hidden_id)
   VALUES (:app, :conversation, :uid, :id, :id, :id)
   ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET
     read_id = excluded.read_id, delivered_id = excluded.delivered_id, hidden_id = excluded.hidden_id,
     tags = NULL, pinned_at = NULL`,
)
const setPinned = statement<Key & { at: number | null }>(
  'user_conversations.set_pinned',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, pinned_at) VALUES (:app, :conversation, :uid, :at)
   ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET pinned_at = excluded.pinned_at`,
)
const countPinned = statement<{ app: string; uid: string }, { n: number }>(
  'user_conversations.count_pinned',
  'SELECT count(*) AS n FROM user_conversations WHERE app_id = :app AND uid = :uid AND pinned_at IS NOT NULL',
)

const setPinnedForAll = statement<{ app: string; conversation: string; at: number | null }>(
  'conversations.set_pinned',
  'UPDATE conversations SET pinned_at = :at WHERE app_id = :app AND id = :conversation',
)
const countPinnedForAll = statement<{ app: string }, { n: number }>(
  'conversations.count_pinned',
  'SELECT count(*) AS n FROM conversations WHERE app_id = :app AND pinned_at IS NOT NULL',
)
const someOfUser = statement<{ app: string; uid: string; limit: number }, { id: ConversationId }>(
  'conversations.some_of_user',
  `SELECT id FROM conversations WHERE app_id = :app AND user_a = :uid
   UNION SELECT id FROM conversations WHERE app_id = :app AND user_b = :uid LIMIT :limit`,
)

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

interface Row extends PageRow {
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

/** Only for the rows of the page: what follows costs a look at the messages of each. */
const withMessages = (app: AppId, uid: Uid | '', page: Sql<unknown>): Sql<Row> => {
  const id = sql`page.id`
  const unread = unreadOf(app, uid as Uid, id, sql`page.read_id`)
  const mention = `%<@uid:${uid}>%`
  return sql<Row>`SELECT page.*,
      (SELECT max(messages.id) FROM messages WHERE ${ofConversation(id, app)} AND messages.parent_id IS NULL
         AND (messages.category <> 'action' OR messages.type <> 'message')) AS last_id,
      (SELECT max(messages.id) FROM messages WHERE ${ofConversation(id, app)}) AS latest_id,
      ${uid === '' ? sql.lit(0) : countOf(unread)} AS unread,
      ${uid === '' ? sql.lit(0) : countOf(sql<SqlBool>`${unread} AND messages.text LIKE ${mention}`)} AS unread_mentions
    FROM (${page}) AS page`
}

// What is listed --------------------------------------------------------------------------------------------------

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

const listOf = async (tx: Tx, actor: Actor, filter: ConversationFilter, page: PageRequest): Promise<Listed> => {
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

// What is shown ---------------------------------------------------------------------------------------------------

const isPresent = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined

const guidOf = (id: ConversationId): Guid => id.slice('group_'.length) as Guid

const partnersOf = async (tx: Tx, actor: Actor, rows: readonly Row[]) => {
  const app = actor.appId
  const uids = rows
    .filter(({ type }) => type === 'user')
    .map(({ partner }) => partner)
    .filter(isPresent)
  const guids = rows.filter(({ type }) => type === 'group').map(({ id }) => guidOf(id))
  const users =
    uids.length === 0
      ? []
      : await tx.query(
          tx.build.selectFrom('users').selectAll().where('app_id', '=', app).where('uid', 'in', uids).compile(),
        )
  const groups =
    guids.length === 0
      ? []
      : await tx.query(
          tx.build
            .selectFrom('groups')
            .leftJoin('members', (join) =>
              join
                .onRef('members.app_id', '=', 'groups.app_id')
                .onRef('members.guid', '=', 'groups.guid')
                .on('members.uid', '=', actorUid(actor)),
            )
            .selectAll('groups')
            .select(['members.scope', 'members.joined_at'])
            .where('groups.app_id', '=', app)
            .where('groups.guid', 'in', guids)
            .compile(),
        )
  return {
    users: new Map(users.map((row) => [row.uid, toUser(row)])),
    groups: new Map(
      groups.map(({ scope, joined_at, ...row }) => [
        row.guid,
        toGroup(row, isPresent(scope) && isPresent(joined_at) ? { scope, joined_at } : undefined),
      ]),
    ),
  }
}

const shown = async (tx: Tx, actor: Actor, appCreatedAt: number, rows: readonly Row[]): Promise<Conversation[]> => {
  const partners = await partnersOf(tx, actor, rows)
  const lastIds = rows.map(({ last_id, hidden_id }) =>
    last_id !== null && last_id > hidden_id ? String(last_id) : null,
  )
  const messages = await messagesById(tx, lastIds)
  const views = new Map(
    (await viewed(tx, actor, [...messages.values()])).map((message) => [message.message.id, message]),
  )
  const withWhom = ({ type, id, partner }: Row): ConversationWith | undefined => {
    if (type === 'group') return partners.groups.get(guidOf(id))
    if (partner === SYSTEM_UID) return { ...systemUser(appCreatedAt), conversationId: id }
    const user = isPresent(partner) ? partners.users.get(partner) : undefined
    return user && { ...user, conversationId: id }
  }
  return rows.map((row, index) => ({
    conversationId: row.id,
    conversationType: row.type,
    unreadMessageCount: row.unread,
    unreadMentionsCount: row.unread_mentions,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastReadMessageId: row.read_id === 0 ? undefined : idOf(row.read_id),
    latestMessageId: row.latest_id === null ? undefined : idOf(row.latest_id),
    lastMessage: views.get(lastIds[index] as MessageId),
    conversationWith: withWhom(row),
    tags: row.tags,
    ...(row.system_pinned_at !== null
      ? { pinnedAt: row.system_pinned_at, pinnedBy: 'system' as const }
      : row.pinned_at !== null && { pinnedAt: row.pinned_at, pinnedBy: 'me' as const }),
  }))
}

const findOf = async (tx: Tx, actor: UserActor, appCreatedAt: number, id: ConversationId): Promise<Conversation> => {
  const { appId: app, uid } = actor
  const selected = sql`${columnsOf(uid)} ${mine(app, uid)} AND c.id = ${id} AND ${isShown(app)}`
  const rows = await tx.query(withMessages(app, uid, selected).compile(tx.build))
  const [conversation] = await shown(tx, actor, appCreatedAt, rows)
  if (conversation === undefined) {
    throw new AppError('ERR_CONVERSATION_NOT_ACCESSIBLE', { details: { conversationId: id } })
  }
  return conversation
}

const findAsApp = async (tx: Tx, appId: AppId, appCreatedAt: number, id: ConversationId): Promise<Conversation> => {
  const selected = sql`${columnsOfApp} ${ofApp(appId, {})} AND c.id = ${id}`
  const rows = await tx.query(withMessages(appId, '', selected).compile(tx.build))
  const [conversation] = await shown(tx, { kind: 'app', appId }, appCreatedAt, rows)
  if (conversation === undefined) throw new AppError('ERR_CONVERSATION_NOT_ACCESSIBLE')
  return conversation
}

const assertRoomFor = (pinned: { n: number } | undefined, code: ErrorCode): void => {
  const limit = limits.pinnedConversations
  if ((pinned?.n ?? 0) >= limit) throw new AppError(code, { details: { limit: String(limit) } })
}

interface OfUser {
  readonly actor: UserActor
  readonly appCreatedAt: number
  readonly partner: Partner
}

export const conversations = {
  list: read(
    async (
      tx,
      input: { actor: Actor; appCreatedAt: number; filter: ConversationFilter; page: PageRequest },
    ): Promise<Page<Conversation>> => {
      const { actor, appCreatedAt, filter, page } = input
      await requireActor(tx, actor)
      const { rows, total } = await listOf(tx, actor, filter, page)
      return { rows: await shown(tx, actor, appCreatedAt, rows), total }
    },
  ),

  /** There is a conversation once something has been said. */
  find: read(async (tx, { actor, appCreatedAt, partner }: OfUser): Promise<Conversation> => {
    await requireActor(tx, actor)
    const { conversationId } = await requireParty(tx, actor, partner)
    return findOf(tx, actor, appCreatedAt, conversationId)
  }),

  /** By its id, for those who know no better. */
  findById: read(
    async (tx, input: { actor: UserActor; appCreatedAt: number; id: ConversationId }): Promise<Conversation> => {
      await requireActor(tx, input.actor)
      return findOf(tx, input.actor, input.appCreatedAt, input.id)
    },
  ),

  /** @param input `tags`: JSON, the user's own labels of it */
  tag: write(async (tx, { actor, appCreatedAt, partner, tags }: OfUser & { tags: string }): Promise<Conversation> => {
    const { appId: app, uid } = actor
    await requireActor(tx, actor)
    const { conversationId: conversation } = await requireParty(tx, actor, partner)
    await findOf(tx, actor, appCreatedAt, conversation)
    await tx.run(setTags, { app, conversation, uid, tags })
    return findOf(tx, actor, appCreatedAt, conversation)
  }),

  /** For this user alone: nothing that was said is shown any more, in this conversation, until something new is. */
  hide: write(async (tx, input: { actor: UserActor; id: ConversationId }): Promise<void> => {
    const { actor, id: conversation } = input
    const { appId: app, uid } = actor
    await requireActor(tx, actor)
    await findOf(tx, actor, 0, conversation)
    await tx.run(hide, { app, conversation, uid, id: await latestIdOf(tx, app, conversation) })
  }),

  /** Up to `limit` one-to-one conversations of a user who is gone; answers how many. */
  removeOf: write(
    async (tx, { appId: app, uid, limit }: { appId: AppId; uid: Uid; limit: number }): Promise<number> => {
      const rows = await tx.all(someOfUser, { app, uid, limit })
      for (const { id } of rows) await dropConversation(tx, app, id)
      return rows.length
    },
  ),

  /** For everybody: call it after its messages are purged. */
  remove: write(async (tx, { appId, id }: { appId: AppId; id: ConversationId }): Promise<void> => {
    await dropConversation(tx, appId, id)
  }),

  pin: write(async (tx, input: OfUser & { now: number | null }): Promise<Conversation> => {
    const { actor, appCreatedAt, partner, now } = input
    const { appId: app, uid } = actor
    await requireActor(tx, actor)
    const { conversationId: conversation } = await requireParty(tx, actor, partner)
    const before = await findOf(tx, actor, appCreatedAt, conversation)
    if (before.pinnedBy === 'system') throw new AppError('ERR_SYSTEM_PINNED_CONVERSATION')
    if ((now === null) === (before.pinnedAt === undefined)) return before
    const pinned = now === null ? undefined : await tx.first(countPinned, { app, uid })
    assertRoomFor(pinned, 'ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED')
    await tx.run(setPinned, { app, conversation, uid, at: now })
    return findOf(tx, actor, appCreatedAt, conversation)
  }),

  /** For every member, by the app. `now`: null to unpin. */
  pinForAll: write(
    async (
      tx,
      input: { appId: AppId; appCreatedAt: number; guid: Guid; now: number | null },
    ): Promise<Conversation> => {
      const { appId: app, appCreatedAt, guid, now } = input
      await requireGroup(tx, app, guid)
      const conversation = groupConversationId(guid)
      const before = await findAsApp(tx, app, appCreatedAt, conversation)
      if ((now === null) === (before.pinnedAt === undefined)) return before
      const pinned = now === null ? undefined : await tx.first(countPinnedForAll, { app })
      assertRoomFor(pinned, 'ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED')
      await tx.run(setPinnedForAll, { app, conversation, at: now })
      return findAsApp(tx, app, appCreatedAt, conversation)
    },
  ),

  /** How much a user has not read, or not received, by conversation; those with nothing are left out. */
  unread: read(
    async (
      tx,
      input: {
        actor: UserActor
        kind: 'read' | 'delivered'
        partner?: Partner
        type?: ReceiverType
        hideBlocked: boolean
      },
    ): Promise<readonly UnreadCount[]> => {
      const { actor, kind, partner, type, hideBlocked } = input
      const { appId: app, uid } = actor
      await requireActor(tx, actor)
      const only = partner === undefined ? undefined : (await requireParty(tx, actor, partner)).conversationId
      const since = kind === 'read' ? sql`coalesce(s.read_id, 0)` : sql`coalesce(s.delivered_id, 0)`
      const unblocked = hideBlocked
        ? sql<SqlBool>` AND messages.sender NOT IN (SELECT blocked_uid FROM blocked_users
            WHERE blocked_users.app_id = ${app} AND blocked_users.uid = ${uid})`
        : sql<SqlBool>``
      const condition = sql<SqlBool>`${unreadOf(app, uid, sql`c.id`, since)}${unblocked}`
      const rows = await tx.query(
        sql<{ id: ConversationId; type: ReceiverType; partner: Uid | null; n: number }>`SELECT * FROM (
            SELECT c.id, c.type, ${partnerOf(uid)} AS partner, ${countOf(condition)} AS n ${mine(app, uid)}
              ${only === undefined ? sql`` : sql`AND c.id = ${only}`}
              ${type === undefined ? sql`` : sql`AND c.type = ${type}`}) AS counted
          WHERE n > 0 ORDER BY id`.compile(tx.build),
      )
      return rows.map((row) => ({
        entityType: row.type,
        entityId: row.type === 'group' ? guidOf(row.id) : (row.partner ?? ''),
        count: row.n,
      }))
    },
  ),
}

export interface UnreadCount {
  readonly entityType: ReceiverType
  readonly entityId: string
  readonly count: number
}

/** Beyond it, the number of all conversations of an app is not counted. */
const TOTAL_MAX = 10_000
