/** Users, groups and members that are imported. Each is checked before anything of it is written. */
import { SYSTEM_UID } from '@confab/protocol'
import type * as rows from '../../../imports/import-row.ts'
import { startReading } from '../conversations/conversation-rows.ts'
import { lockGroup, membershipOf, toGroup } from '../groups/group-rows.ts'
import { assertRoleExists } from '../roles/role-rows.ts'
import { statement } from '../seam.ts'
import { toUser } from '../users/user-rows.ts'
import { type Batch, failed, type Outcome } from './import-batch.ts'

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
  lastActiveAt: number
  createdAt: number
  updatedAt: number | null
  deactivatedAt: number | null
}>(
  'imports.insert_user',
  `INSERT INTO users (app_id, uid, name, avatar, link, role, status_message, metadata, tags, last_active_at, created_at,
                      updated_at, deactivated_at)
   VALUES (:app, :uid, :name, :avatar, :link, :role, :statusMessage, :metadata, :tags, :lastActiveAt, :createdAt,
           :updatedAt, :deactivatedAt)
   ON CONFLICT (app_id, uid) DO NOTHING`,
)
const insertGroup = statement<{
  app: string
  guid: string
  name: string
  type: string
  passwordHash: string | null
  icon: string | null
  description: string | null
  metadata: string | null
  tags: string | null
  owner: string
  createdAt: number
  updatedAt: number | null
}>(
  'imports.insert_group',
  `INSERT INTO groups (app_id, guid, name, type, password_hash, icon, description, metadata, tags, owner, members_count,
                       created_at, updated_at)
   VALUES (:app, :guid, :name, :type, :passwordHash, :icon, :description, :metadata, :tags, :owner, 0, :createdAt, :updatedAt)
   ON CONFLICT (app_id, guid) DO NOTHING`,
)
type Key = { app: string; guid: string; uid: string }
const insertMember = statement<Key & { scope: string; joinedAt: number }>(
  'imports.insert_member',
  'INSERT INTO members (app_id, guid, uid, scope, joined_at) VALUES (:app, :guid, :uid, :scope, :joinedAt)',
)
const updateMember = statement<Key & { scope: string; joinedAt: number }>(
  'imports.update_member',
  'UPDATE members SET scope = :scope, joined_at = :joinedAt WHERE app_id = :app AND guid = :guid AND uid = :uid',
)
const countMember = statement<{ app: string; guid: string }>(
  'imports.count_member',
  'UPDATE groups SET members_count = members_count + 1 WHERE app_id = :app AND guid = :guid',
)
const findBan = statement<Key, { banned_at: number }>(
  'imports.find_ban',
  'SELECT banned_at FROM banned_users WHERE app_id = :app AND guid = :guid AND uid = :uid',
)
const insertBan = statement<Key & { at: number }>(
  'imports.insert_ban',
  'INSERT INTO banned_users (app_id, guid, uid, banned_at) VALUES (:app, :guid, :uid, :at)',
)

/** Makes sure that there is such a user; answers whether there was. */
export const putUser = async (batch: Batch, user: rows.UserRow): Promise<{ existed: boolean }> => {
  const { tx, app } = batch
  if ((await batch.user(user.uid)) !== undefined) return { existed: true }
  await assertRoleExists(tx, app, user.role)
  return { existed: (await tx.run(insertUser, { app, ...user })) === 0 }
}

const addMember = async (
  { tx, app }: Batch,
  { guid, uid, scope, joinedAt }: Pick<rows.MemberRow, 'guid' | 'uid' | 'scope' | 'joinedAt'>,
): Promise<void> => {
  await tx.run(insertMember, { app, guid, uid, scope, joinedAt })
  await startReading(tx, app, guid, uid)
  await tx.run(countMember, { app, guid })
}

/** Its owner is an admin from its beginning; a row of their own may still say since when, and as what. */
export const putGroup = async (batch: Batch, group: rows.GroupRow): Promise<{ existed: boolean }> => {
  const { tx, app } = batch
  const { ownerDetails, ...row } = group
  const { guid, owner, createdAt } = row
  if ((await batch.group(guid)) !== undefined) return { existed: true }
  if (ownerDetails !== null) await putUser(batch, ownerDetails)
  if (owner !== SYSTEM_UID) await batch.requireUser(owner, 'owner')
  if ((await tx.run(insertGroup, { app, ...row })) === 0) return { existed: true }
  if (owner !== SYSTEM_UID) await addMember(batch, { guid, uid: owner, scope: 'admin', joinedAt: createdAt })
  return { existed: false }
}

export const importUser = async (batch: Batch, row: rows.UserRow): Promise<Outcome> => {
  const { existed } = await putUser(batch, row)
  const json = batch.withRows ? JSON.stringify({ data: toUser(await batch.requireUser(row.uid, 'uid')) }) : null
  return { ok: true, id: row.uid, existed, json }
}

export const importGroup = async (batch: Batch, row: rows.GroupRow): Promise<Outcome> => {
  const { existed } = await putGroup(batch, row)
  batch.groupChanged(row.guid)
  const json = batch.withRows ? JSON.stringify({ data: toGroup(await batch.requireGroup(row.guid, 'guid')) }) : null
  return { ok: true, id: row.guid, existed, json }
}

const memberOutcome = (
  { withRows }: Batch,
  row: rows.MemberRow,
  is: { existed: boolean; scope: string; joinedAt: number },
): Outcome => {
  const { guid, uid, isBanned } = row
  const { existed, scope, joinedAt } = is
  const json = withRows ? JSON.stringify({ data: { guid, uid, scope, joinedAt, ...(isBanned && { isBanned }) } }) : null
  return { ok: true, id: `${guid}_member_${uid}`, existed, json }
}

export const importMember = async (batch: Batch, row: rows.MemberRow): Promise<Outcome> => {
  const { tx, app } = batch
  const { guid, uid, scope, joinedAt, isBanned } = row
  if (row.user !== null) await putUser(batch, row.user)
  if (row.group !== null) await putGroup(batch, row.group)
  await batch.requireUser(uid, 'uid')
  const group = await lockGroup(tx, app, guid)
  batch.groupChanged(guid)
  const key = { app, guid, uid }
  const ban = await tx.first(findBan, key)
  const membership = await membershipOf(tx, app, guid, uid)
  if (isBanned) {
    if (membership !== undefined) return failed('ERR_ALREADY_JOINED', { uid })
    if (ban === undefined) await tx.run(insertBan, { ...key, at: joinedAt })
    return memberOutcome(batch, row, { existed: ban !== undefined, scope, joinedAt: ban?.banned_at ?? joinedAt })
  }
  if (ban !== undefined) return failed('ERR_BANNED_GROUPMEMBER', { uid })
  if (membership === undefined) {
    await addMember(batch, row)
    return memberOutcome(batch, row, { existed: false, scope, joinedAt })
  }
  const cameWithGroup = uid === group.owner && membership.joined_at === group.created_at
  if (cameWithGroup && (membership.scope !== scope || membership.joined_at !== joinedAt)) {
    await tx.run(updateMember, { ...key, scope, joinedAt })
    return memberOutcome(batch, row, { existed: false, scope, joinedAt })
  }
  return memberOutcome(batch, row, { existed: true, scope: membership.scope, joinedAt: membership.joined_at })
}
