import type { AppId, AuthToken, Uid, User } from '@confab/protocol'
import { AppError } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { dropBot } from '../delivery/bots.ts'
import { countOf, pageOf } from '../lists.ts'
import { assertRoomInApp } from '../quotas.ts'
import { assertRoleExists } from '../roles/role-rows.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { findActive, lockUser, requireAnyUser, requireUser, toUser } from './user-rows.ts'

const insertUser = statement<{
  app: string
  uid: string
  name: string
  avatar: string | null
  link: string | null
  role: string
  statusMessage: string | null
  metadata: string | null
  tags: string | null
  now: number
}>(
  'users.insert',
  `INSERT INTO users (app_id, uid, name, avatar, link, role, status_message, metadata, tags, last_active_at, created_at)
   VALUES (:app, :uid, :name, :avatar, :link, :role, :statusMessage, :metadata, :tags, :now, :now)
   ON CONFLICT (app_id, uid) DO NOTHING`,
)
const deactivateUser = statement<{ app: string; uid: string; at: number | null }>(
  'users.deactivate',
  'UPDATE users SET deactivated_at = :at WHERE app_id = :app AND uid = :uid',
)
const deleteUser = statement<{ app: string; uid: string }>(
  'users.delete',
  'DELETE FROM users WHERE app_id = :app AND uid = :uid',
)
const leaveAll = statement<{ app: string; uid: string }>(
  'users.leave_groups_count',
  `UPDATE groups SET members_count = members_count - 1 WHERE app_id = :app
   AND guid IN (SELECT guid FROM members WHERE app_id = :app AND uid = :uid)`,
)
const deleteMemberships = statement<{ app: string; uid: string }>(
  'users.leave_groups',
  'DELETE FROM members WHERE app_id = :app AND uid = :uid',
)
const deleteBans = statement<{ app: string; uid: string }>(
  'users.delete_bans',
  'DELETE FROM banned_users WHERE app_id = :app AND uid = :uid',
)
const deleteFromFriends = statement<{ app: string; uid: string }>(
  'users.delete_from_friends',
  `DELETE FROM friends WHERE app_id = :app AND friend_uid = :uid
   AND uid IN (SELECT mine.friend_uid FROM friends AS mine WHERE mine.app_id = :app AND mine.uid = :uid)`,
)
const deleteFriends = statement<{ app: string; uid: string }>(
  'users.delete_friends',
  'DELETE FROM friends WHERE app_id = :app AND uid = :uid',
)
const deleteBlocks = statement<{ app: string; uid: string }>(
  'users.delete_blocks',
  'DELETE FROM blocked_users WHERE app_id = :app AND (uid = :uid OR blocked_uid = :uid)',
)
const disown = statement<{ app: string; uid: string; system: string }>(
  'users.disown_groups',
  'UPDATE groups SET owner = :system WHERE app_id = :app AND owner = :uid',
)
const deleteTokens = statement<{ app: string; uid: string }>(
  'tokens.flush',
  'DELETE FROM auth_tokens WHERE app_id = :app AND uid = :uid',
)

/** What is the user's alone: how their conversations stand, what they saved and follow, the calls that they are in, where they are. */
const OWN_TABLES = [
  ...(['user_conversations', 'saved_messages', 'thread_followers', 'call_participants', 'presences'] as const),
] as const

/** Profile fields as they are stored; JSON fields as text. */
export interface Profile {
  readonly name: string
  readonly avatar: string | null
  readonly link: string | null
  readonly role: string
  readonly statusMessage: string | null
  readonly metadata: string | null
  readonly tags: string | null
}

export const changeProfile = async (
  tx: Tx,
  input: Partial<Profile> & { appId: AppId; uid: Uid; now: number },
): Promise<void> => {
  const { appId, uid, now, statusMessage, ...set } = input
  const changes = {
    ...set,
    ...(statusMessage !== undefined && { status_message: statusMessage }),
    updated_at: now,
  }
  await tx.query(
    tx.build.updateTable('users').set(changes).where('app_id', '=', appId).where('uid', '=', uid).compile(),
  )
}

export const users = {
  create: write(
    async (tx, input: Profile & { appId: AppId; uid: Uid; authToken?: string; now: number }): Promise<User> => {
      const { appId: app, authToken, uid, now, ...profile } = input
      await assertRoleExists(tx, app, profile.role)
      await assertRoomInApp(tx, app, 'usersPerApp')
      if ((await tx.run(insertUser, { app, uid, now, ...profile })) === 0) {
        throw new AppError('ERR_UID_ALREADY_EXISTS', { details: { uid } })
      }
      const user = toUser(await requireUser(tx, app, uid))
      if (authToken === undefined) return user
      await tx.run(insertToken, { token: authToken, app, uid, platform: null, userAgent: null, appInfo: null, now })
      return { ...user, authToken }
    },
  ),

  find: read(async (tx, { appId, uid }: { appId: AppId; uid: Uid }): Promise<User | undefined> => {
    const row = await findActive(tx, appId, uid)
    return row && toUser(row)
  }),

  update: write(async (tx, input: Partial<Profile> & { appId: AppId; uid: Uid; now: number }): Promise<User> => {
    const { appId, uid, role } = input
    await requireUser(tx, appId, uid)
    if (role !== undefined) await assertRoleExists(tx, appId, role)
    await changeProfile(tx, input)
    return toUser(await requireUser(tx, appId, uid))
  }),

  /** Sets or clears the mark; answers the uids that exist. */
  setDeactivated: write(
    async (tx, input: { appId: AppId; uids: readonly Uid[]; at: number | null }): Promise<readonly Uid[]> => {
      const known: Uid[] = []
      for (const uid of input.uids) {
        if ((await tx.run(deactivateUser, { app: input.appId, uid, at: input.at })) > 0) known.push(uid)
      }
      return known
    },
  ),

  /**
   * The user goes, with memberships, tokens and bot; messages stay. Also for a user who is deactivated. Answers who they
   * were.
   */
  remove: write(
    async (
      tx,
      { appId: app, uid, system, nowMs }: { appId: AppId; uid: Uid; system: Uid; nowMs: number },
    ): Promise<User> => {
      await tx.first(lockUser, { app, uid })
      const row = await requireAnyUser(tx, app, uid)
      await dropBot(tx, app, uid, nowMs)
      await tx.run(leaveAll, { app, uid })
      await tx.run(deleteMemberships, { app, uid })
      await tx.run(deleteBans, { app, uid })
      await tx.run(deleteFromFriends, { app, uid })
      await tx.run(deleteFriends, { app, uid })
      await tx.run(deleteBlocks, { app, uid })
      await tx.run(disown, { app, uid, system })
      await tx.run(deleteTokens, { app, uid })
      for (const table of OWN_TABLES) {
        await tx.query(tx.build.deleteFrom(table).where('app_id', '=', app).where('uid', '=', uid).compile())
      }
      await tx.run(deleteUser, { app, uid })
      return toUser(row)
    },
  ),
}

// Auth tokens -----------------------------------------------------------------------------------------------------

interface TokenRow {
  token: string
  uid: string
  platform: string | null
  user_agent: string | null
  app_info: string | null
  created_at: number
}

const insertToken = statement<{
  token: string
  app: string
  uid: string
  platform: string | null
  userAgent: string | null
  appInfo: string | null
  now: number
}>(
  'tokens.insert',
  `INSERT INTO auth_tokens (token, app_id, uid, platform, user_agent, app_info, created_at)
   VALUES (:token, :app, :uid, :platform, :userAgent, :appInfo, :now)`,
)
const findToken = statement<{ app: string; uid: string; token: string }, TokenRow>(
  'tokens.find',
  `SELECT token, uid, platform, user_agent, app_info, created_at FROM auth_tokens
   WHERE token = :token AND app_id = :app AND uid = :uid`,
)
const newestToken = statement<{ app: string; uid: string }, TokenRow>(
  'tokens.newest',
  `SELECT token, uid, platform, user_agent, app_info, created_at FROM auth_tokens
   WHERE app_id = :app AND uid = :uid ORDER BY created_at DESC LIMIT 1`,
)
const updateToken = statement<{
  app: string
  uid: string
  token: string
  platform: string | null
  userAgent: string | null
  appInfo: string | null
}>(
  'tokens.update',
  `UPDATE auth_tokens SET platform = :platform, user_agent = :userAgent, app_info = :appInfo
   WHERE token = :token AND app_id = :app AND uid = :uid`,
)
const deleteToken = statement<{ app: string; uid: string; token: string }>(
  'tokens.delete',
  'DELETE FROM auth_tokens WHERE token = :token AND app_id = :app AND uid = :uid',
)

const ownerOfToken = statement<{ app: string; token: string }, { uid: Uid }>(
  'tokens.owner',
  'SELECT uid FROM auth_tokens WHERE token = :token AND app_id = :app',
)

const toToken = (row: TokenRow): AuthToken => ({
  uid: row.uid,
  authToken: row.token,
  createdAt: row.created_at,
  ...(row.platform !== null && { platform: row.platform }),
  ...(row.user_agent !== null && { userAgent: row.user_agent }),
  ...(row.app_info !== null && { appInfo: JSON.parse(row.app_info) as Record<string, unknown> }),
})

export interface Device {
  readonly platform: string | null
  readonly userAgent: string | null
  readonly appInfo: string | null
}

const requireToken = async (tx: Tx, app: AppId, uid: Uid, token: string): Promise<TokenRow> => {
  await requireUser(tx, app, uid)
  const row = await tx.first(findToken, { app, uid, token })
  if (row !== undefined) return row
  const owner = await tx.first(ownerOfToken, { app, token })
  throw new AppError(owner === undefined ? 'ERR_AUTH_TOKEN_NOT_FOUND' : 'ERR_AUTHTOKEN_NOT_ACCESSIBLE')
}

const identifyToken = statement<{ token: string }, { app_id: AppId; uid: Uid }>(
  'tokens.identify',
  `SELECT auth_tokens.app_id, auth_tokens.uid FROM auth_tokens
   JOIN users ON users.app_id = auth_tokens.app_id AND users.uid = auth_tokens.uid
   WHERE token = :token AND users.deactivated_at IS NULL`,
)

const tokensOfUser = statement<{ app: string; uid: string }, { token: string }>(
  'tokens.of_user',
  `SELECT token FROM auth_tokens JOIN users ON users.app_id = auth_tokens.app_id AND users.uid = auth_tokens.uid
   WHERE auth_tokens.app_id = :app AND auth_tokens.uid = :uid AND users.deactivated_at IS NULL`,
)

export const authTokens = {
  /** Whose it is; nobody's if the user is deactivated. */
  identify: read(async (tx, input: { token: string }): Promise<{ appId: AppId; uid: Uid } | undefined> => {
    const row = await tx.first(identifyToken, input)
    return row && { appId: row.app_id, uid: row.uid }
  }),

  /** Every token that opens the user's door; none if the user is deactivated, or not there. */
  ofUser: read(async (tx, { appId: app, uid }: { appId: AppId; uid: Uid }): Promise<readonly string[]> => {
    const rows = await tx.all(tokensOfUser, { app, uid })
    return rows.map(({ token }) => token)
  }),

  /** A new token, or the newest there is where none has to be fresh. `token` is used only if one is made. */
  create: write(
    async (
      tx,
      input: Device & { appId: AppId; uid: Uid; token: string; fresh: boolean; now: number },
    ): Promise<AuthToken> => {
      const { appId: app, fresh, uid, token, now, ...device } = input
      await requireUser(tx, app, uid)
      const existing = fresh ? undefined : await tx.first(newestToken, { app, uid })
      if (existing !== undefined) return toToken(existing)
      await tx.run(insertToken, { app, uid, token, now, ...device })
      return toToken(await requireToken(tx, app, uid, token))
    },
  ),

  find: read(
    async (tx, input: { appId: AppId; uid: Uid; token: string }): Promise<AuthToken> =>
      toToken(await requireToken(tx, input.appId, input.uid, input.token)),
  ),

  list: read(async (tx, input: { appId: AppId; uid: Uid; page: PageRequest }): Promise<Page<AuthToken>> => {
    await requireUser(tx, input.appId, input.uid)
    const query = tx.build.selectFrom('auth_tokens').where('app_id', '=', input.appId).where('uid', '=', input.uid)
    const rows = await pageOf(tx, query.selectAll().orderBy('created_at', 'desc').orderBy('token'), input.page)
    return { rows: rows.map(toToken), total: await countOf(tx, query) }
  }),

  update: write(async (tx, input: Partial<Device> & { appId: AppId; uid: Uid; token: string }): Promise<AuthToken> => {
    const { appId: app, uid, token } = input
    const row = await requireToken(tx, app, uid, token)
    const { platform = row.platform, userAgent = row.user_agent, appInfo = row.app_info } = input
    await tx.run(updateToken, { app, uid, token, platform, userAgent, appInfo })
    return toToken(await requireToken(tx, app, uid, token))
  }),

  remove: write(async (tx, { appId: app, uid, token }: { appId: AppId; uid: Uid; token: string }): Promise<void> => {
    await requireToken(tx, app, uid, token)
    await tx.run(deleteToken, { app, uid, token })
  }),

  removeAll: write(async (tx, { appId: app, uid }: { appId: AppId; uid: Uid }): Promise<void> => {
    await requireUser(tx, app, uid)
    await tx.run(deleteTokens, { app, uid })
  }),
}
