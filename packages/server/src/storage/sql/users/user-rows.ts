/** Users as rows: what every operation that names a user reads. */
import type { AppId, Uid, User } from '@confab/protocol'
import type { Selectable } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { RightsRow } from '../roles/role-rows.ts'
import type { Bit, Schema } from '../schema.ts'
import { statement, type Tx } from '../seam.ts'

export type UserRow = Omit<Selectable<Schema['users']>, 'app_id'>

const COLUMNS =
  'uid, name, avatar, link, role, status_message, metadata, tags, last_active_at, created_at, updated_at, deactivated_at, online'

const findUser = statement<{ app: string; uid: string }, UserRow>(
  'users.find',
  `SELECT ${COLUMNS} FROM users WHERE app_id = :app AND uid = :uid`,
)
export const lockUser = statement<{ app: string; uid: string }, { uid: Uid }>(
  'users.lock',
  'SELECT uid FROM users WHERE app_id = :app AND uid = :uid {FOR_UPDATE}',
)
const ROLE_OF_USER = 'FROM roles WHERE roles.app_id = users.app_id AND roles.role = users.role'
const findParticipant = statement<
  { app: string; uid: string },
  UserRow & { is_bot: Bit; role_settings: string | null; role_permissions: string | null }
>(
  'users.find_participant',
  `SELECT ${COLUMNS}, (SELECT count(*) FROM bots WHERE bots.app_id = users.app_id AND bots.uid = users.uid) AS is_bot,
     (SELECT settings ${ROLE_OF_USER}) AS role_settings, (SELECT permissions ${ROLE_OF_USER}) AS role_permissions
   FROM users WHERE app_id = :app AND uid = :uid`,
  { holdsUntil: ['users', 'bots', 'roles'] },
)
const touchUser = statement<{ app: string; uid: string; now: number }>(
  'users.touch',
  'UPDATE users SET last_active_at = :now WHERE app_id = :app AND uid = :uid',
)
export const toUser = (row: UserRow): User => ({
  uid: row.uid,
  name: row.name,
  ...(row.avatar !== null && { avatar: row.avatar }),
  ...(row.link !== null && { link: row.link }),
  ...(row.metadata !== null && { metadata: JSON.parse(row.metadata) as Record<string, unknown> }),
  status: row.online === 1 ? 'available' : 'offline',
  ...(row.status_message !== null && { statusMessage: row.status_message }),
  role: row.role,
  lastActiveAt: row.last_active_at,
  createdAt: row.created_at,
  ...(row.updated_at !== null && { updatedAt: row.updated_at }),
  ...(row.deactivated_at !== null && { deactivatedAt: row.deactivated_at }),
  ...(row.tags !== null && { tags: JSON.parse(row.tags) as string[] }),
})

/** Also who is deactivated. */
export const findUserRow = (tx: Tx, app: AppId, uid: Uid): Promise<UserRow | undefined> =>
  tx.first(findUser, { app, uid })

/** The user, if there is one who may take part. */
export const findActive = async (tx: Tx, app: AppId, uid: Uid): Promise<UserRow | undefined> => {
  const row = await findUserRow(tx, app, uid)
  return row?.deactivated_at === null ? row : undefined
}

/** Also one who is deactivated: they are still members, and may be removed. */
export const requireAnyUser = async (tx: Tx, app: AppId, uid: Uid): Promise<UserRow> => {
  const row = await findUserRow(tx, app, uid)
  if (row === undefined) throw new AppError('ERR_UID_NOT_FOUND', { details: { uid } })
  return row
}

export const requireUser = async (tx: Tx, app: AppId, uid: Uid, field = 'uid'): Promise<UserRow> => {
  const row = await findActive(tx, app, uid)
  if (row === undefined) throw new AppError('ERR_UID_NOT_FOUND', { details: { [field]: uid } })
  return row
}

/** Who sends or receives, whether a bot stands behind it, and what the role allows. */
export const requireParticipant = async (
  tx: Tx,
  app: AppId,
  uid: Uid,
  field: string,
): Promise<{ row: UserRow; isBot: boolean; role: RightsRow }> => {
  const found = await tx.first(findParticipant, { app, uid })
  if (found?.deactivated_at !== null) throw new AppError('ERR_UID_NOT_FOUND', { details: { [field]: uid } })
  const role = { settings: found.role_settings, permissions: found.role_permissions }
  return { row: found, isBot: found.is_bot === 1, role }
}

/** The user on whose behalf something is done must exist, whatever is done. */
export const requireActor = async (tx: Tx, actor: Actor): Promise<UserRow | undefined> =>
  actor.kind === 'user' ? requireUser(tx, actor.appId, actor.uid, 'onBehalfOf') : undefined

export const touch = async (tx: Tx, app: AppId, row: UserRow, now: number): Promise<UserRow> => {
  // A minute is precise enough for "last active", and keeps a busy sender from costing a write per message.
  if (now - row.last_active_at < 60) return row
  await tx.run(touchUser, { app, uid: row.uid, now })
  return { ...row, last_active_at: now }
}
