/** Roles, and scopes in groups, as rows: what every operation reads that asks what somebody may do. */
import {
  type AppId,
  DEFAULT_ROLE,
  type Guid,
  type Role,
  type RolePermissions,
  type RoleSettings,
  type Scope,
  type ScopePermissions,
  type Uid,
} from '@confab/protocol'
import { AppError } from '../../../kernel/app-error.ts'
import { remembering } from '../../../kernel/remembering.ts'
import type { Denial, Rights } from '../../../roles/permission.policy.ts'
import type { Schema } from '../schema.ts'
import { statement, type Tx } from '../seam.ts'

export type RoleRow = Schema['roles']

const COLUMNS =
  'app_id, role, name, description, metadata, settings, restricted_features, permissions, created_at, updated_at'

const findRole = statement<{ app: string; role: string }, RoleRow>(
  'roles.find',
  `SELECT ${COLUMNS} FROM roles WHERE app_id = :app AND role = :role`,
)
const lockRoleRow = statement<{ app: string; role: string }, RoleRow>(
  'roles.lock',
  `SELECT ${COLUMNS} FROM roles WHERE app_id = :app AND role = :role {FOR_UPDATE}`,
)
/** Whoever gives the role to a user keeps it from being deleted at the same time; many may do that at once. */
const shareRoleRow = statement<{ app: string; role: string }, { role: string }>(
  'roles.share',
  'SELECT role FROM roles WHERE app_id = :app AND role = :role {FOR_SHARE}',
)
const findRights = statement<{ app: string; role: string }, RightsRow>(
  'roles.rights',
  'SELECT settings, permissions FROM roles WHERE app_id = :app AND role = :role',
  { holdsUntil: ['roles'] },
)
const findFriend = statement<{ app: string; uid: string; friend: string }, { created_at: number }>(
  'friends.find',
  'SELECT created_at FROM friends WHERE app_id = :app AND uid = :uid AND friend_uid = :friend',
  { holdsUntil: ['friends'] },
)

export const toRole = (row: RoleRow): Role => ({
  role: row.role,
  name: row.name,
  ...(row.description !== null && { description: row.description }),
  ...(row.metadata !== null && { metadata: JSON.parse(row.metadata) as Record<string, unknown> }),
  ...(row.settings !== null && { settings: settingsIn(row.settings) }),
  createdAt: row.created_at,
  ...(row.updated_at !== null && { updatedAt: row.updated_at }),
})

const assertFound = <T>(row: T | undefined, role: string): T => {
  if (row === undefined) throw new AppError('ERR_ROLE_NOT_FOUND', { details: { role } })
  return row
}

export const requireRole = async (tx: Tx, app: AppId, role: string, { lock = false } = {}): Promise<RoleRow> =>
  assertFound(await tx.first(lock ? lockRoleRow : findRole, { app, role }), role)

/** The role may be given to a user. That of whoever has no other cannot go. */
export const assertRoleExists = async (tx: Tx, app: AppId, role: string): Promise<void> => {
  if (role !== DEFAULT_ROLE) assertFound(await tx.first(shareRoleRow, { app, role }), role)
}

// What roles allow ------------------------------------------------------------------------------------------------

export interface RightsRow {
  readonly settings: string | null
  readonly permissions: string | null
}

const NOTHING_SET = {}
// Written by us, from what was checked; read again and again.
const settingsIn = remembering((text) => JSON.parse(text) as RoleSettings)
const permissionsIn = remembering((text) => JSON.parse(text) as RolePermissions)
const scopePermissionsIn = remembering((text) => JSON.parse(text) as { readonly [S in Scope]?: ScopePermissions })

export const toRights = ({ settings, permissions }: RightsRow): Rights => ({
  settings: settings === null ? NOTHING_SET : settingsIn(settings),
  permissions: permissions === null ? NOTHING_SET : permissionsIn(permissions),
})

/** What the role of a user allows. A role that is not there forbids nothing. */
export const rightsOf = async (tx: Tx, app: AppId, { role }: { role: string }): Promise<Rights> =>
  toRights((await tx.first(findRights, { app, role })) ?? { settings: null, permissions: null })

/** What a scope allows in the group. */
export const scopePermissionsOf = (
  { scope_permissions: text }: Pick<Schema['groups'], 'scope_permissions'>,
  scope: Scope,
): ScopePermissions => (text === null ? NOTHING_SET : (scopePermissionsIn(text)[scope] ?? NOTHING_SET))

export const assertPermitted = (denial: Denial): void => {
  if (denial !== undefined) throw new AppError('ERR_PERMISSION_DENIED', { details: { permission: denial } })
}

export const areFriends = async (tx: Tx, app: AppId, uid: Uid, other: Uid): Promise<boolean> =>
  (await tx.first(findFriend, { app, uid, friend: other })) !== undefined

/** Whose permissions are set: those of a role, or of a scope in a group. */
export type PermissionsOwner = { readonly role: string } | { readonly guid: Guid; readonly scope: Scope }
