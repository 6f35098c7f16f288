/** Who is in a group and who is banned from it, as rows: whatever changes that goes through here. */
import type { AppId, ErrorCode, Guid, MemberLists, Scope, Uid } from '@confab/protocol'
import { AppError } from '../../../kernel/app-error.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { startReading, stopReading } from '../conversations/conversation-rows.ts'
import { hasAllGroups, holdMemberships, quotaReached } from '../quotas.ts'
import { statement, type Tx } from '../seam.ts'
import { findActive, findUserRow } from '../users/user-rows.ts'
import { membershipOf } from './group-rows.ts'

export type MemberList = keyof MemberLists

/** A uid in one of the lists of a call. */
export interface MemberChange {
  readonly list: MemberList
  readonly uid: Uid
}

/** What became of it. */
export interface MemberOutcome extends MemberChange {
  readonly failure: ErrorCode | undefined
  readonly action: StoredMessage | undefined
}

const SCOPE_OF: Readonly<Record<Exclude<MemberList, 'usersToBan'>, Scope>> = {
  admins: 'admin',
  moderators: 'moderator',
  participants: 'participant',
}

/** Of one who is, or is to be, a member. */
export type MemberKey = { app: AppId; guid: Guid; uid: Uid }
const insertMember = statement<MemberKey & { scope: string; now: number }>(
  'members.insert',
  `INSERT INTO members (app_id, guid, uid, scope, joined_at) VALUES (:app, :guid, :uid, :scope, :now)`,
)
const deleteMember = statement<MemberKey>(
  'members.delete',
  'DELETE FROM members WHERE app_id = :app AND guid = :guid AND uid = :uid',
)
export const updateScope = statement<MemberKey & { scope: string }>(
  'members.update_scope',
  'UPDATE members SET scope = :scope WHERE app_id = :app AND guid = :guid AND uid = :uid',
)
const leavePlace = statement<{ app: string; guid: string }>(
  'members.leave_place',
  'UPDATE groups SET members_count = members_count - 1 WHERE app_id = :app AND guid = :guid',
)
/** Changes nothing where the group is full. */
const takePlace = statement<{ app: string; guid: string; max: number }>(
  'members.take_place',
  `UPDATE groups SET members_count = members_count + 1
   WHERE app_id = :app AND guid = :guid AND (:max = 0 OR members_count < :max)`,
)
const findBan = statement<MemberKey, { banned_at: number }>(
  'bans.find',
  'SELECT banned_at FROM banned_users WHERE app_id = :app AND guid = :guid AND uid = :uid',
)
export const insertBan = statement<MemberKey & { now: number }>(
  'bans.insert',
  'INSERT INTO banned_users (app_id, guid, uid, banned_at) VALUES (:app, :guid, :uid, :now)',
)
export const deleteBan = statement<MemberKey>(
  'bans.delete',
  'DELETE FROM banned_users WHERE app_id = :app AND guid = :guid AND uid = :uid',
)

export const isBanned = async (tx: Tx, key: MemberKey): Promise<boolean> => (await tx.first(findBan, key)) !== undefined

export const leaveGroup = async (tx: Tx, key: MemberKey): Promise<boolean> => {
  if ((await tx.run(deleteMember, key)) === 0) return false
  await stopReading(tx, key.app, key.guid, key.uid)
  await tx.run(leavePlace, { app: key.app, guid: key.guid })
  return true
}

/** Whoever holds the group counts: of two that want the last place, one gets it. */
const joinGroup = async (tx: Tx, key: MemberKey, scope: Scope, now: number): Promise<ErrorCode | undefined> => {
  const { app, guid, uid } = key
  if ((await membershipOf(tx, app, guid, uid)) !== undefined) return 'ERR_ALREADY_JOINED'
  if (await hasAllGroups(tx, app, uid)) return 'ERR_PLAN_QUOTA_RESTRICTION'
  if ((await tx.run(takePlace, { app, guid, max: tx.limits.groupSize })) === 0) return 'ERR_NO_VACANCY'
  await tx.run(insertMember, { ...key, scope, now })
  await startReading(tx, app, guid, uid)
  return undefined
}

/** What a refusal names. */
export const refusalOf = (tx: Tx, failure: ErrorCode, guid: Guid): AppError => {
  if (failure === 'ERR_PLAN_QUOTA_RESTRICTION') return quotaReached(tx, 'groupsPerUser')
  const full = failure === 'ERR_NO_VACANCY' && { members: `at most ${tx.limits.groupSize}` }
  return new AppError(failure, { details: { guid, ...full } })
}

/** Joins or bans one user; answers what stands in the way. The caller holds the group, and the memberships of the user. */
export const putMember = async (
  tx: Tx,
  app: AppId,
  guid: Guid,
  change: MemberChange,
  now: number,
): Promise<ErrorCode | undefined> => {
  const key = { app, guid, uid: change.uid }
  // As with the ban of one: who is deactivated may come back, and is then to be out.
  const user = await (change.list === 'usersToBan' ? findUserRow : findActive)(tx, app, change.uid)
  if (user === undefined) return 'ERR_UID_NOT_FOUND'
  const banned = await isBanned(tx, key)
  if (change.list === 'usersToBan') {
    if (banned) return 'ERR_ALREADY_BANNED'
    await leaveGroup(tx, key)
    await tx.run(insertBan, { ...key, now })
    return undefined
  }
  if (banned) return 'ERR_BANNED_GROUPMEMBER'
  return joinGroup(tx, key, SCOPE_OF[change.list], now)
}

export const uidsOf = (changes: readonly MemberChange[]): Uid[] => changes.map(({ uid }) => uid)

/** Joins and bans without telling the group: for its creation. */
export const putMembers = async (
  tx: Tx,
  input: { app: AppId; guid: Guid; changes: readonly MemberChange[]; now: number },
): Promise<MemberOutcome[]> => {
  const outcomes: MemberOutcome[] = []
  await holdMemberships(tx, input.app, uidsOf(input.changes))
  for (const change of input.changes) {
    const failure = await putMember(tx, input.app, input.guid, change, input.now)
    outcomes.push({ ...change, failure, action: undefined })
  }
  return outcomes
}
