/** Groups and memberships as rows: what every operation that touches a group reads. */
import { type AppId, type Group, type Guid, groupConversationId, type Scope, type Uid } from '@confab/protocol'
import type { Standing, Verdict } from '../../../groups/group.policy.ts'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { Schema } from '../schema.ts'
import { statement, type Tx } from '../seam.ts'

export type GroupRow = Schema['groups']

export interface Membership {
  readonly scope: Scope
  readonly joined_at: number
}

const COLUMNS =
  'app_id, guid, name, type, password_hash, icon, description, metadata, tags, owner, members_count, created_at, updated_at, updated_by, scope_permissions'

const findGroup = statement<{ app: string; guid: string }, GroupRow>(
  'groups.find',
  `SELECT ${COLUMNS} FROM groups WHERE app_id = :app AND guid = :guid`,
)
const lockGroupRow = statement<{ app: string; guid: string }, GroupRow>(
  'groups.lock',
  `SELECT ${COLUMNS} FROM groups WHERE app_id = :app AND guid = :guid {FOR_UPDATE}`,
)
const findMember = statement<{ app: string; guid: string; uid: string }, Membership>(
  'members.find',
  'SELECT scope, joined_at FROM members WHERE app_id = :app AND guid = :guid AND uid = :uid',
)
/** The group as the acting user sees it: with their own membership, if there is one. */
export const toGroup = (row: GroupRow, membership?: Membership | undefined): Group => ({
  guid: row.guid,
  name: row.name,
  ...(row.description !== null && { description: row.description }),
  ...(row.icon !== null && { icon: row.icon }),
  type: row.type,
  ...(row.metadata !== null && { metadata: JSON.parse(row.metadata) as Record<string, unknown> }),
  ...(membership !== undefined && { scope: membership.scope }),
  membersCount: row.members_count,
  ...(membership !== undefined && { joinedAt: membership.joined_at }),
  conversationId: groupConversationId(row.guid),
  hasJoined: membership !== undefined,
  createdAt: row.created_at,
  ...(row.updated_at !== null && { updatedAt: row.updated_at }),
  ...(row.updated_by !== null && { updatedBy: row.updated_by }),
  owner: row.owner,
  ...(row.tags !== null && { tags: JSON.parse(row.tags) as string[] }),
})

/** The group as messages and callbacks show it. */
export const groupEntity = (row: GroupRow, membership?: Membership | undefined): Group => {
  const { tags: _tags, ...entity } = toGroup(row, membership)
  return entity
}

export const findGroupRow = (tx: Tx, app: AppId, guid: Guid): Promise<GroupRow | undefined> =>
  tx.first(findGroup, { app, guid })

export const requireGroup = async (tx: Tx, app: AppId, guid: Guid): Promise<GroupRow> => {
  const row = await findGroupRow(tx, app, guid)
  if (row === undefined) throw new AppError('ERR_GUID_NOT_FOUND', { details: { guid } })
  return row
}

/** Whoever changes a group or its members holds its row until the transaction ends. */
export const lockGroup = async (tx: Tx, app: AppId, guid: Guid): Promise<GroupRow> => {
  const row = await tx.first(lockGroupRow, { app, guid })
  if (row === undefined) throw new AppError('ERR_GUID_NOT_FOUND', { details: { guid } })
  return row
}

export const membershipOf = (tx: Tx, app: AppId, guid: Guid, uid: Uid): Promise<Membership | undefined> =>
  tx.first(findMember, { app, guid, uid })

export const standingOf = async (tx: Tx, actor: Actor, guid: Guid): Promise<Standing> => {
  if (actor.kind === 'app') return 'app'
  return (await membershipOf(tx, actor.appId, guid, actor.uid))?.scope
}

/** A private group is for its members only; of others anybody may know. */
export const assertVisible = async (tx: Tx, actor: Actor, group: GroupRow): Promise<void> => {
  if (actor.kind === 'app' || group.type !== 'private') return
  const membership = await membershipOf(tx, actor.appId, group.guid, actor.uid)
  if (membership === undefined) throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid: group.guid } })
}

export const assertAllowed = (verdict: Verdict): void => {
  if (verdict !== undefined) throw new AppError(verdict)
}

export const membershipOfActor = async (tx: Tx, actor: Actor, guid: Guid): Promise<Membership | undefined> =>
  actor.kind === 'user' ? membershipOf(tx, actor.appId, guid, actor.uid) : undefined
