/** Permissions as they are set: of a role, and of a scope in a group, both as JSON. What may be set is checked before. */
import type { AppId, Scope } from '@confab/protocol'
import { lockGroup, requireGroup } from '../groups/group-rows.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { type PermissionsOwner, requireRole } from './role-rows.ts'

type Values = Readonly<Record<string, string | string[]>>

const setOfRole = statement<{ app: string; role: string; permissions: string | null; now: number }>(
  'roles.set_permissions',
  'UPDATE roles SET permissions = :permissions, updated_at = :now WHERE app_id = :app AND role = :role',
)
const setOfScopes = statement<{ app: string; guid: string; permissions: string | null }>(
  'groups.set_scope_permissions',
  'UPDATE groups SET scope_permissions = :permissions WHERE app_id = :app AND guid = :guid',
)

interface Of {
  readonly appId: AppId
  readonly of: PermissionsOwner
}

interface Found {
  readonly values: Values
  readonly createdAt: number
  readonly updatedAt: number
}

const inText = <T extends object>(text: string | null): T | Record<string, never> =>
  text === null ? {} : (JSON.parse(text) as T)

const textOf = (values: object): string | null => (Object.keys(values).length === 0 ? null : JSON.stringify(values))

type ByScope = { readonly [S in Scope]?: Values }

const find = async (tx: Tx, { appId: app, of }: Of): Promise<Found> => {
  if ('role' in of) {
    const row = await requireRole(tx, app, of.role)
    const { created_at: createdAt, updated_at: updatedAt } = row
    return { values: inText<Values>(row.permissions), createdAt, updatedAt: updatedAt ?? createdAt }
  }
  const row = await requireGroup(tx, app, of.guid)
  const { created_at: createdAt, updated_at: updatedAt } = row
  const values = inText<ByScope>(row.scope_permissions)[of.scope] ?? {}
  return { values, createdAt, updatedAt: updatedAt ?? createdAt }
}

const change = async (
  tx: Tx,
  { appId: app, of, now }: Of & { now: number },
  next: (values: Values) => Values,
): Promise<Values> => {
  if ('role' in of) {
    const { permissions } = await requireRole(tx, app, of.role, { lock: true })
    const values = next(inText<Values>(permissions))
    await tx.run(setOfRole, { app, role: of.role, permissions: textOf(values), now })
    return values
  }
  const { scope_permissions: text } = await lockGroup(tx, app, of.guid)
  const { [of.scope]: before = {}, ...others } = inText<ByScope>(text)
  const values = next(before)
  const all = textOf(values) === null ? others : { ...others, [of.scope]: values }
  await tx.run(setOfScopes, { app, guid: of.guid, permissions: textOf(all) })
  return values
}

export const permissions = {
  find: read(find),

  /** What is not named stays; answers all that is set. */
  set: write(
    (tx, { values, ...input }: Of & { values: Values; now: number }): Promise<Values> =>
      change(tx, input, (before) => ({ ...before, ...values })),
  ),

  unset: write(
    (tx, { permission, ...input }: Of & { permission: string; now: number }): Promise<Values> =>
      change(tx, input, ({ [permission]: _gone, ...left }) => left),
  ),
}
