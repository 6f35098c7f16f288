/** Friends and blocked users. Friends are two rows, one from the side of each. */

import {
  type AppId,
  type BlockDirection,
  type ErrorCode,
  type Uid,
  type User,
  userConversationId,
} from '@confab/protocol'
import { nobodyTold, type Telling, type Told, userKey } from '../../../callbacks/tell.ts'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { userEntity } from '../../../users/user.ts'
import { tellWebhooks } from '../delivery/announce.ts'
import { contains, prefix } from '../lists.ts'
import { isFull } from '../quotas.ts'
import { areFriends } from '../roles/role-rows.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { blockedBy, blockersOf, friendsOf, pageSeenBy, usersOf } from './relation-rows.ts'
import { findActive, lockUser, requireUser, toUser } from './user-rows.ts'

type Pair = { app: string; uid: string; other: string }

const insertFriend = statement<Pair & { now: number }>(
  'friends.insert',
  'INSERT INTO friends (app_id, uid, friend_uid, created_at) VALUES (:app, :uid, :other, :now)',
)
const deleteFriend = statement<Pair>(
  'friends.delete',
  'DELETE FROM friends WHERE app_id = :app AND uid = :uid AND friend_uid = :other',
)
const countFriends = statement<{ app: string; uid: string }, { n: number }>(
  'friends.count',
  'SELECT count(*) AS n FROM friends WHERE app_id = :app AND uid = :uid',
)
const insertBlock = statement<Pair & { now: number }>(
  'blocked_users.insert',
  `INSERT INTO blocked_users (app_id, uid, blocked_uid, blocked_at) VALUES (:app, :uid, :other, :now)
   ON CONFLICT (app_id, uid, blocked_uid) DO NOTHING`,
)
const deleteBlock = statement<Pair>(
  'blocked_users.delete',
  'DELETE FROM blocked_users WHERE app_id = :app AND uid = :uid AND blocked_uid = :other',
)
const beginConversation = statement<{ app: string; id: string; a: string; b: string; now: number }>(
  'conversations.begin',
  `INSERT INTO conversations (app_id, id, type, user_a, user_b, created_at, updated_at)
   VALUES (:app, :id, 'user', :a, :b, :now, :now) ON CONFLICT (app_id, id) DO NOTHING`,
)

type Uids = ReturnType<typeof friendsOf | typeof blockedBy | typeof blockersOf>

/** Those who are there, of these uids. */
const usersThere = (tx: Tx, app: AppId, uids: Uids, searchKey: string | undefined) => {
  const query = usersOf(tx, app).where('users.deactivated_at', 'is', null).where('users.uid', 'in', uids)
  if (!searchKey) return query
  return query.where((eb) => eb.or([prefix('users.uid', searchKey), contains('users.name', searchKey)]))
}

/** What stands in the way, for each uid. */
export type UidOutcomes = readonly { readonly uid: Uid; readonly failure: ErrorCode | undefined }[]

interface Related {
  readonly appId: AppId
  readonly uid: Uid
  readonly others: readonly Uid[]
}

const assertOthers = ({ uid, others }: Related, code: ErrorCode): void => {
  if (others.includes(uid)) throw new AppError(code, { details: { uid } })
}

const hasAll = async (tx: Tx, app: AppId, uid: Uid): Promise<boolean> =>
  isFull(tx, 'friendsPerUser', (await tx.first(countFriends, { app, uid }))?.n ?? 0)

const befriend = async (tx: Tx, app: AppId, uid: Uid, other: Uid, now: number): Promise<ErrorCode | undefined> => {
  if ((await findActive(tx, app, other)) === undefined) return 'ERR_UID_NOT_FOUND'
  if (await areFriends(tx, app, uid, other)) return 'ERR_ALREADY_FRIEND'
  if ((await hasAll(tx, app, uid)) || (await hasAll(tx, app, other))) return 'ERR_PLAN_QUOTA_RESTRICTION'
  await tx.run(insertFriend, { app, uid, other, now })
  await tx.run(insertFriend, { app, uid: other, other: uid, now })
  return undefined
}

/**
 * In one order, whoever begins: so that nobody gets more friends than they may have, nobody waits in a circle, and a user
 * who is removed meanwhile leaves nothing behind.
 */
const lockUsers = async (tx: Tx, app: AppId, uids: readonly Uid[]): Promise<void> => {
  for (const uid of [...new Set(uids)].sort()) await tx.first(lockUser, { app, uid })
}

export const friends = {
  /** Each uid for itself. */
  add: write(async (tx, input: Related & { addToConversations: boolean; now: number }): Promise<UidOutcomes> => {
    const { appId: app, uid, others, addToConversations, now } = input
    await lockUsers(tx, app, [uid, ...others])
    await requireUser(tx, app, uid)
    assertOthers(input, 'ERR_CANNOT_FORM_SELF_RELATION')
    const outcomes: { uid: Uid; failure: ErrorCode | undefined }[] = []
    for (const other of others) {
      const failure = await befriend(tx, app, uid, other, now)
      outcomes.push({ uid: other, failure })
      if (failure !== undefined || !addToConversations) continue
      await tx.run(beginConversation, { app, id: userConversationId(uid, other), a: uid, b: other, now })
    }
    return outcomes
  }),

  /** All of them, or none: whoever is no friend is named. */
  remove: write(async (tx, input: Related): Promise<void> => {
    const { appId: app, uid, others } = input
    await lockUsers(tx, app, [uid, ...others])
    await requireUser(tx, app, uid)
    assertOthers(input, 'ERR_CANNOT_FORM_SELF_RELATION')
    for (const other of others) {
      if ((await tx.run(deleteFriend, { app, uid, other })) === 0) {
        throw new AppError('ERR_NOT_A_FRIEND', { details: { uid: other } })
      }
      await tx.run(deleteFriend, { app, uid: other, other: uid })
    }
  }),

  list: read(
    async (tx, input: { appId: AppId; uid: Uid; searchKey?: string; page: PageRequest }): Promise<Page<User>> => {
      const { appId: app, uid, searchKey, page } = input
      await requireUser(tx, app, uid)
      return pageSeenBy(tx, usersThere(tx, app, friendsOf(tx, app, uid), searchKey), { app, viewer: uid, page })
    },
  ),
}

// Blocked users ---------------------------------------------------------------------------------------------------

interface Blocking {
  readonly actor: Actor
  readonly telling: Telling
}

export interface Blocked {
  readonly outcomes: UidOutcomes
  readonly told: Told
}

const tellOfBlocks = async (
  tx: Tx,
  { appId: app, uid }: Related,
  telling: Telling,
  { trigger, outcomes }: { trigger: 'user_blocked' | 'user_unblocked'; outcomes: UidOutcomes },
): Promise<Told> => {
  const done = outcomes.filter(({ failure }) => failure === undefined)
  if (done.length === 0) return nobodyTold
  const shown = async (who: Uid): Promise<User | undefined> => {
    const row = await findActive(tx, app, who)
    return row && userEntity(toUser(row))
  }
  const data = async (): Promise<string> => {
    const users: Record<string, User | undefined> = {}
    for (const one of done) users[one.uid] = await shown(one.uid)
    return JSON.stringify({ users, by: await shown(uid) })
  }
  return tellWebhooks(tx, telling, { app, key: userKey(uid), what: [{ trigger, data }] })
}

export const blocks = {
  /** Each uid for itself. Whoever is blocked already is so since then. */
  add: write(async (tx, { actor, telling, ...input }: Related & Blocking): Promise<Blocked> => {
    const { appId: app, uid, others } = input
    const now = toSeconds(telling.nowMs)
    await lockUsers(tx, app, [uid, ...others])
    await requireUser(tx, app, uid, actor.kind === 'user' ? 'onBehalfOf' : 'uid')
    assertOthers(input, 'ERR_CANNOT_BLOCK_SELF')
    const outcomes: { uid: Uid; failure: ErrorCode | undefined }[] = []
    for (const other of others) {
      const isThere = (await findActive(tx, app, other)) !== undefined
      if (isThere) await tx.run(insertBlock, { app, uid, other, now })
      outcomes.push({ uid: other, failure: isThere ? undefined : 'ERR_UID_NOT_FOUND' })
    }
    return { outcomes, told: await tellOfBlocks(tx, input, telling, { trigger: 'user_blocked', outcomes }) }
  }),

  /** Each uid for itself. Whoever was not blocked is not, after it. */
  remove: write(async (tx, { actor, telling, ...input }: Related & Blocking): Promise<Blocked> => {
    const { appId: app, uid, others } = input
    await requireUser(tx, app, uid, actor.kind === 'user' ? 'onBehalfOf' : 'uid')
    assertOthers(input, 'ERR_CANNOT_BLOCK_SELF')
    const outcomes: { uid: Uid; failure: ErrorCode | undefined }[] = []
    for (const other of others) {
      const wasBlocked = (await tx.run(deleteBlock, { app, uid, other })) > 0
      const isThere = wasBlocked || (await findActive(tx, app, other)) !== undefined
      outcomes.push({ uid: other, failure: isThere ? undefined : 'ERR_UID_NOT_FOUND' })
    }
    return { outcomes, told: await tellOfBlocks(tx, input, telling, { trigger: 'user_unblocked', outcomes }) }
  }),

  list: read(
    async (
      tx,
      input: { actor: Actor; appId: AppId; uid: Uid; direction: BlockDirection; searchKey?: string; page: PageRequest },
    ): Promise<Page<User>> => {
      const { actor, appId: app, uid, direction, searchKey, page } = input
      await requireUser(tx, app, uid, actor.kind === 'user' ? 'onBehalfOf' : 'uid')
      const [mine, theirs] = [blockedBy(tx, app, uid), blockersOf(tx, app, uid)]
      const uids = { blockedByMe: mine, hasBlockedMe: theirs, both: mine.union(theirs) }[direction]
      return pageSeenBy(tx, usersThere(tx, app, uids, searchKey), { app, viewer: uid, page })
    },
  ),
}
