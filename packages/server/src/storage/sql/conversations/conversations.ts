/** Conversations as their users have them: with whom, what was said last, how much of it is unread. */
import {
  type AppId,
  type ConversationId,
  type ErrorCode,
  type Guid,
  groupConversationId,
  type MessageId,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
} from '@confab/protocol'
import type { Conversation, ConversationWith } from '../../../conversations/conversation.ts'
import { type Actor, actorUid, type UserActor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { goneUser, systemUser } from '../../../users/user.ts'
import { requireGroup, toGroup } from '../groups/group-rows.ts'
import { idOf } from '../messages/message-rows.ts'
import { messagesById, viewed } from '../messages/message-views.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { SEEN, toSeen, usersSeenBy, viewerOf } from '../users/relation-rows.ts'
import { requireActor } from '../users/user-rows.ts'
import { type ConversationFilter, listOf, type Row, rowOf, unreadRowsOf } from './conversation-lists.ts'
import { dropConversation, latestIdOf, type Partner, requireParty } from './conversation-rows.ts'

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
      : await tx.query(usersSeenBy(tx, app, viewerOf(actor)).select(SEEN).where('users.uid', 'in', uids).compile())
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
    users: new Map(users.map((row) => [row.uid, toSeen(viewerOf(actor), row)])),
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
  const withWhom = ({ type, id, partner, created_at: createdAt }: Row): ConversationWith | undefined => {
    if (type === 'group') return partners.groups.get(guidOf(id))
    if (partner === SYSTEM_UID) return { ...systemUser(appCreatedAt), conversationId: id }
    if (!isPresent(partner)) return undefined
    return { ...(partners.users.get(partner) ?? goneUser(partner, createdAt)), conversationId: id }
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

const findOf = async (
  tx: Tx,
  actor: Actor,
  appCreatedAt: number,
  id: ConversationId,
  unknown: ErrorCode = 'ERR_CONVERSATION_NOT_ACCESSIBLE',
): Promise<Conversation> => {
  const row = await rowOf(tx, actor, id)
  const [conversation] = row === undefined ? [] : await shown(tx, actor, appCreatedAt, [row])
  if (conversation === undefined) {
    throw new AppError(unknown, { details: { conversationId: id } })
  }
  return conversation
}

const assertRoomFor = (tx: Tx, pinned: { n: number } | undefined, code: ErrorCode): void => {
  const limit = tx.limits.pinnedConversations
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
      return findOf(tx, input.actor, input.appCreatedAt, input.id, 'ERR_CONVERSATION_NOT_FOUND')
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
    await findOf(tx, actor, 0, conversation, 'ERR_CONVERSATION_NOT_FOUND')
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
    assertRoomFor(tx, pinned, 'ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED')
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
      const before = await findOf(tx, { kind: 'app', appId: app }, appCreatedAt, conversation)
      if ((now === null) === (before.pinnedAt === undefined)) return before
      const pinned = now === null ? undefined : await tx.first(countPinnedForAll, { app })
      assertRoomFor(tx, pinned, 'ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED')
      await tx.run(setPinnedForAll, { app, conversation, at: now })
      return findOf(tx, { kind: 'app', appId: app }, appCreatedAt, conversation)
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
      await requireActor(tx, actor)
      const only = partner === undefined ? undefined : (await requireParty(tx, actor, partner)).conversationId
      const rows = await unreadRowsOf(tx, actor, { kind, only, type, hideBlocked })
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
