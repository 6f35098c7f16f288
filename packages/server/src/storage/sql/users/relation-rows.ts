/** How users stand to each other, as rows: what every operation reads that shows one user to another. */
import { type AppId, SYSTEM_UID, type Uid, type User, userConversationId } from '@confab/protocol'
import { type SelectQueryBuilder, sql } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { countOf, pageIn } from '../lists.ts'
import type { Schema } from '../schema.ts'
import { statement, type Tx } from '../seam.ts'
import { toUser, type UserRow } from './user-rows.ts'

interface BlockRow {
  readonly uid: Uid
  readonly blocked_at: number
}

/** At most two rows: one for each of the two who has blocked the other. */
const firstBlock = statement<{ app: string; one: string; other: string }, BlockRow>(
  'blocked_users.first_between',
  `SELECT uid, blocked_at FROM blocked_users
   WHERE app_id = :app AND ((uid = :one AND blocked_uid = :other) OR (uid = :other AND blocked_uid = :one))
   ORDER BY CASE WHEN uid = :one THEN 0 ELSE 1 END LIMIT 1`,
  { holdsUntil: ['blocked_users'] },
)
const blocksBetween = statement<{ app: string; one: string; other: string }, BlockRow>(
  'blocked_users.between',
  `SELECT uid, blocked_at FROM blocked_users
   WHERE app_id = :app AND ((uid = :one AND blocked_uid = :other) OR (uid = :other AND blocked_uid = :one))`,
)

/** Whether one of the two has blocked the other. */
export const isBlockedBetween = async (tx: Tx, app: AppId, one: Uid, other: Uid): Promise<boolean> =>
  (await tx.first(firstBlock, { app, one, other })) !== undefined

/** One to one, nobody is heard by whom they have blocked, nor by who has blocked them. */
export const assertNotBlocked = async (tx: Tx, app: AppId, sender: Uid, receiver: Uid): Promise<void> => {
  const block = await tx.first(firstBlock, { app, one: sender, other: receiver })
  if (block === undefined) return
  const code = block.uid === sender ? 'ERR_BLOCKED_RECEIVER' : 'ERR_BLOCKED_SENDER'
  throw new AppError(code, { details: { receiver } })
}

/** When each of the two has blocked the other; null for not. */
export interface Blocks {
  readonly mine: number | null
  readonly theirs: number | null
}

export const blocksOf = async (tx: Tx, app: AppId, viewer: Uid, other: Uid): Promise<Blocks> => {
  const rows = await tx.all(blocksBetween, { app, one: viewer, other })
  const by = (uid: Uid): number | null => rows.find((row) => row.uid === uid)?.blocked_at ?? null
  return { mine: by(viewer), theirs: by(other) }
}

/** What somebody's metadata says in private is for the app and for themself. */
const withoutPrivate = ({ metadata, ...user }: User): User => {
  if (metadata === undefined) return user
  const { '@private': _private, ...open } = metadata
  return Object.keys(open).length === 0 ? user : { ...user, metadata: open }
}

/** Who looks, if it is not the app. */
export const viewerOf = (actor: Actor): Uid | undefined => (actor.kind === 'user' ? actor.uid : undefined)

/** The user as somebody else sees them; nobody in particular sees all. */
export const shownTo = (viewer: Uid | undefined, user: User): User =>
  viewer === undefined || viewer === user.uid ? user : withoutPrivate(user)

/** The user as somebody sees them, with how the two stand to each other. */
export const relativeUser = (viewer: Uid, row: UserRow, { mine, theirs }: Blocks): User => {
  const user = shownTo(viewer, toUser(row))
  if (row.uid === viewer) return user
  const blockedAt = mine ?? theirs
  return {
    ...user,
    conversationId: userConversationId(viewer, row.uid),
    ...(mine !== null && { blockedByMe: true as const, blockedByMeAt: mine }),
    ...(blockedAt !== null && { blockedAt }),
    ...(theirs !== null && { hasBlockedMe: true as const }),
  }
}

// Lists of users as somebody sees them ----------------------------------------------------------------------------

const COLUMNS = [
  ...(['uid', 'name', 'avatar', 'link', 'role', 'status_message', 'metadata', 'tags'] as const),
  ...(['last_active_at', 'created_at', 'updated_at', 'deactivated_at', 'online'] as const),
] as const
export const SEEN = [
  ...COLUMNS.map((column) => `users.${column}` as const),
  'mine.blocked_at as mine',
  'theirs.blocked_at as theirs',
] as const

type SeenRow = UserRow & { mine: number | null; theirs: number | null }

/** To nobody in particular, as they are. */
export const toSeen = (viewer: Uid | undefined, { mine, theirs, ...row }: SeenRow): User =>
  viewer === undefined ? toUser(row) : relativeUser(viewer, row, { mine, theirs })

/** The users of the app, each with how they and the viewer stand to each other. The app has blocked nobody. */
export const usersSeenBy = (tx: Tx, app: AppId, viewer: Uid = SYSTEM_UID) =>
  tx.build
    .selectFrom('users')
    .leftJoin('blocked_users as mine', (join) =>
      join
        .onRef('mine.app_id', '=', 'users.app_id')
        .onRef('mine.blocked_uid', '=', 'users.uid')
        .on('mine.uid', '=', viewer),
    )
    .leftJoin('blocked_users as theirs', (join) =>
      join
        .onRef('theirs.app_id', '=', 'users.app_id')
        .onRef('theirs.uid', '=', 'users.uid')
        .on('theirs.blocked_uid', '=', viewer),
    )
    .where('users.app_id', '=', app)

/** The same without: what lists choose from. */
export const usersOf = (tx: Tx, app: AppId): SelectQueryBuilder<Schema, 'users', object> =>
  tx.build.selectFrom('users').where('users.app_id', '=', app)

export const friendsOf = (tx: Tx, app: AppId, uid: Uid) =>
  tx.build
    .selectFrom('friends')
    .select('friends.friend_uid as uid')
    .where('friends.app_id', '=', app)
    .where('friends.uid', '=', uid)

export const blockedBy = (tx: Tx, app: AppId, uid: Uid) =>
  tx.build
    .selectFrom('blocked_users')
    .select('blocked_users.blocked_uid as uid')
    .where('blocked_users.app_id', '=', app)
    .where('blocked_users.uid', '=', uid)

export const blockersOf = (tx: Tx, app: AppId, uid: Uid) =>
  tx.build
    .selectFrom('blocked_users')
    .select('blocked_users.uid as uid')
    .where('blocked_users.app_id', '=', app)
    .where('blocked_users.blocked_uid', '=', uid)

export type UserOrder = 'uid' | 'name' | 'status'

/** One page of them. How they stand to the viewer is looked up for what is shown, not for every row that a page skips. */
export const pageSeenBy = async (
  tx: Tx,
  users: SelectQueryBuilder<Schema, 'users', object>,
  input: { app: AppId; viewer: Uid | undefined; page: PageRequest; sortBy?: UserOrder; descending?: boolean },
): Promise<Page<User>> => {
  const { app, viewer, page, sortBy = 'uid', descending } = input
  const order = sql.raw(descending ? 'desc' : 'asc')
  const uid = sql`users.uid ${order}`
  // `available` comes before `offline`.
  const byStatus = sql`users.online ${sql.raw(descending ? 'asc' : 'desc')}, ${uid}`
  const chosenBy = { uid, name: sql`lower(users.name) ${order}, ${uid}`, status: byStatus }[sortBy]
  const chosen = pageIn(users.select('users.uid').orderBy(chosenBy), page)
  // Not as it stands in the index of names: SQLite would walk all of that for the few it has chosen.
  const sorted = sortBy === 'name' ? sql`(lower(users.name) || '') ${order}, ${uid}` : chosenBy
  const rows = await tx.query(
    usersSeenBy(tx, app, viewer).where('users.uid', 'in', chosen).select(SEEN).orderBy(sorted).compile(),
  )
  return { rows: rows.map((row) => toSeen(viewer, row)), total: await countOf(tx, users) }
}
