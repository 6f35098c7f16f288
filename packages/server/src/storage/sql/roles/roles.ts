import { type AppId, DEFAULT_ROLE, type Role, type RoleSettings, type Uid } from '@confab/protocol'
import { AppError } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { lockApp } from '../apps/apps.ts'
import { countOf, pageOf } from '../lists.ts'
import { assertQuota } from '../quotas.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { findActive } from '../users/user-rows.ts'
import { type RoleRow, requireRole, toRole } from './role-rows.ts'

const insertRole = statement<{
  app: string
  role: string
  name: string
  description: string | null
  metadata: string | null
  settings: string | null
  now: number
}>(
  'roles.insert',
  `INSERT INTO roles (app_id, role, name, description, metadata, settings, created_at)
   VALUES (:app, :role, :name, :description, :metadata, :settings, :now)
   ON CONFLICT (app_id, role) DO NOTHING`,
)
const countRoles = statement<{ app: string }, { n: number }>(
  'roles.count',
  'SELECT count(*) AS n FROM roles WHERE app_id = :app',
)
const updateRole = statement<{
  app: string
  role: string
  name: string
  description: string | null
  metadata: string | null
  settings: string | null
  now: number
}>(
  'roles.update',
  `UPDATE roles SET name = :name, description = :description, metadata = :metadata, settings = :settings,
     updated_at = :now WHERE app_id = :app AND role = :role`,
)
const deleteRole = statement<{ app: string; role: string }>(
  'roles.delete',
  'DELETE FROM roles WHERE app_id = :app AND role = :role',
)
const moveUsers = statement<{ app: string; from: string; to: string }>(
  'roles.move_users',
  'UPDATE users SET role = :to WHERE app_id = :app AND role = :from',
)
const restrictFeatures = statement<{ app: string; role: string; features: string | null }>(
  'roles.restrict_features',
  'UPDATE roles SET restricted_features = :features WHERE app_id = :app AND role = :role',
)
const restrictedRoles = statement<{ app: string }, { role: string; restricted_features: string }>(
  'roles.restricted',
  `SELECT role, restricted_features FROM roles
   WHERE app_id = :app AND restricted_features IS NOT NULL ORDER BY role`,
)

interface RoleProfile {
  readonly name: string
  readonly description: string | null
  readonly metadata: string | null
}

/** Since when, by feature. */
type Restricted = Readonly<Record<string, number>>

const restrictedIn = ({ restricted_features: text }: Pick<RoleRow, 'restricted_features'>): Restricted =>
  text === null ? {} : (JSON.parse(text) as Restricted)

const writeRestricted = (tx: Tx, app: AppId, role: string, restricted: Restricted): Promise<number> => {
  const features = Object.keys(restricted).length === 0 ? null : JSON.stringify(restricted)
  return tx.run(restrictFeatures, { app, role, features })
}

interface RoleOf {
  readonly appId: AppId
  readonly role: string
}

export const roles = {
  create: write(async (tx, input: RoleProfile & RoleOf & { settings: string | null; now: number }): Promise<Role> => {
    const { appId: app, role, ...profile } = input
    await tx.first(lockApp, { id: app })
    if ((await tx.run(insertRole, { app, role, ...profile })) === 0) {
      throw new AppError('ERR_ROLE_ALREADY_EXISTS', { details: { role } })
    }
    assertQuota(tx, 'rolesPerApp', ((await tx.first(countRoles, { app }))?.n ?? 0) - 1)
    return toRole(await requireRole(tx, app, role))
  }),

  find: read(async (tx, { appId, role }: RoleOf): Promise<Role> => toRole(await requireRole(tx, appId, role))),

  list: read(async (tx, { appId, page }: { appId: AppId; page: PageRequest }): Promise<Page<Role>> => {
    const query = tx.build.selectFrom('roles').where('app_id', '=', appId)
    const rows = await pageOf(tx, query.selectAll().orderBy('created_at', 'desc').orderBy('role'), page)
    return { rows: rows.map(toRole), total: await countOf(tx, query) }
  }),

  /** Settings that are not named stay as they are. */
  update: write(
    async (
      tx,
      input: Partial<RoleProfile> & RoleOf & { settings?: RoleSettings; unset: readonly string[]; now: number },
    ): Promise<Role> => {
      const { appId: app, role, now, unset } = input
      const row = await requireRole(tx, app, role, { lock: true })
      const { settings: before } = toRole(row)
      const settings =
        input.settings === undefined
          ? row.settings
          : JSON.stringify({ listUsers: 'all', sendMessagesTo: 'all', ...before, ...input.settings })
      const { name = row.name, description = row.description, metadata = row.metadata } = input
      await tx.run(updateRole, {
        app,
        role,
        name,
        description: unset.includes('description') ? null : description,
        metadata: unset.includes('metadata') ? null : metadata,
        settings: unset.includes('settings') ? null : settings,
        now,
      })
      return toRole(await requireRole(tx, app, role))
    },
  ),

  /** Its users, also those who are deactivated, get the default role. */
  remove: write(async (tx, { appId: app, role }: RoleOf): Promise<void> => {
    await requireRole(tx, app, role, { lock: true })
    if (role === DEFAULT_ROLE) throw new AppError('ERR_ROLE_DELETE_DENIED', { details: { role } })
    await tx.run(moveUsers, { app, from: role, to: DEFAULT_ROLE })
    await tx.run(deleteRole, { app, role })
  }),

  /** What is restricted already keeps its time. */
  restrict: write(
    async (tx, { appId: app, role, features, now }: RoleOf & { features: readonly string[]; now: number }) => {
      const before = restrictedIn(await requireRole(tx, app, role, { lock: true }))
      const added = Object.fromEntries(features.map((feature) => [feature, now]))
      await writeRestricted(tx, app, role, { ...added, ...before })
    },
  ),

  allow: write(async (tx, { appId: app, role, features }: RoleOf & { features: 'all' | readonly string[] }) => {
    const before = restrictedIn(await requireRole(tx, app, role, { lock: true }))
    const left = Object.entries(before).filter(([feature]) => features !== 'all' && !features.includes(feature))
    await writeRestricted(tx, app, role, Object.fromEntries(left))
  }),

  restricted: read(async (tx, { appId, role }: RoleOf): Promise<readonly { feature: string; since: number }[]> => {
    const restricted = Object.entries(restrictedIn(await requireRole(tx, appId, role)))
    return restricted.map(([feature, since]) => ({ feature, since })).sort((a, b) => (a.feature < b.feature ? -1 : 1))
  }),

  /** Every role of the app that is kept from something. */
  restrictions: read(
    async (tx, { appId }: { appId: AppId }): Promise<readonly { role: string; features: readonly string[] }[]> =>
      (await tx.all(restrictedRoles, { app: appId })).map((row) => ({
        role: row.role,
        features: Object.keys(restrictedIn(row)),
      })),
  ),

  ofUser: read(
    async (tx, { appId, uid }: { appId: AppId; uid: Uid }): Promise<string | undefined> =>
      (await findActive(tx, appId, uid))?.role,
  ),
}
