/** Who may do what in a group. Pure: the store asks inside the transaction that does it. */
import type { ErrorCode, Scope } from '@confab/protocol'

/** The app may do everything; a user who has not joined has no scope. */
export type Standing = 'app' | Scope | undefined

/** The code that forbids it, or nothing. */
export type Verdict = ErrorCode | undefined

export const mayUpdateGroup = (actor: Standing): Verdict => {
  if (actor === undefined) return 'ERR_GROUP_NOT_JOINED'
  return actor === 'participant' ? 'ERR_GROUP_NO_MODERATOR_SCOPE' : undefined
}

export const mayDeleteGroup = (actor: Standing): Verdict => {
  if (actor === undefined) return 'ERR_GROUP_NOT_JOINED'
  return actor === 'app' || actor === 'admin' ? undefined : 'ERR_GROUP_NO_ADMIN_SCOPE'
}

export const mayAddMembers = (actor: Standing): Verdict => mayDeleteGroup(actor)

/** Kick, ban, unban and change the scope of somebody else. `target` is undefined for a user who is no member. */
export const mayManageMember = (actor: Standing, target: Scope | undefined, isSelf: boolean): Verdict => {
  if (actor === 'app') return undefined
  if (actor === undefined) return 'ERR_GROUP_NOT_JOINED'
  if (isSelf) return 'ERR_GROUP_NO_SELF_ACTION'
  if (actor === 'admin') return undefined
  if (actor === 'participant') return 'ERR_GROUP_NO_MODERATOR_SCOPE'
  return target === undefined || target === 'participant' ? undefined : 'ERR_GROUP_NO_SCOPE_CLEARANCE'
}

/** A group is handed over by who owns it, or by the app. */
export const mayTransfer = (actor: 'app' | 'owner' | undefined): Verdict =>
  actor === undefined ? 'ERR_GROUP_NO_CLEARANCE' : undefined

/** A moderator raises nobody to admin. */
export const mayGiveScope = (actor: Standing, scope: Scope): Verdict =>
  actor === 'moderator' && scope === 'admin' ? 'ERR_GROUP_NO_SCOPE_CLEARANCE' : undefined
