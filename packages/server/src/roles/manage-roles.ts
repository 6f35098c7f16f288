import {
  type AllowFeatures,
  type AppId,
  type CreateRole,
  DEFAULT_ROLE,
  type Guid,
  type Limits,
  type Permission,
  type RestrictedFeature,
  type Role,
  type RoleSettings,
  type Scope,
  type UpdateRole,
} from '@confab/protocol'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import { makeMetadataText } from '../kernel/json.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Store } from '../storage/store.ts'
import { type FeatureKey, features, parseFeature, shownKey, shownPath } from './features.ts'
import { assertPermission, checkPermissions, describePermissions, type PermissionValues } from './permissions.ts'

/** Whose permissions: those of a role, or of a scope in a group. */
export type PermissionsOf = { readonly role: string } | { readonly guid: Guid; readonly scope: Scope }

export interface ManageRoles {
  create(appId: AppId, body: CreateRole): Promise<Role>
  get(appId: AppId, role: string): Promise<Role>
  list(appId: AppId, page: PageRequest): Promise<Page<Role>>
  update(appId: AppId, role: string, body: UpdateRole): Promise<Role>
  /** Its users get the default role. */
  remove(appId: AppId, role: string): Promise<void>
  /** Answers the keys as they are shown. */
  restrict(appId: AppId, role: string, keys: readonly string[]): Promise<readonly string[]>
  allow(appId: AppId, role: string, body: AllowFeatures): Promise<void>
  restricted(appId: AppId, role: string, page: PageRequest): Promise<Page<RestrictedFeature>>
  permissions(appId: AppId, of: PermissionsOf, page: PageRequest): Promise<Page<Permission>>
  /** Answers all that is set after it. */
  setPermissions(appId: AppId, of: PermissionsOf, values: PermissionValues): Promise<PermissionValues>
  unsetPermission(appId: AppId, of: PermissionsOf, permission: string): Promise<PermissionValues>
}

/** What is not said is `all`. */
const allSettings = (settings: RoleSettings | undefined): string | null =>
  settings === undefined ? null : JSON.stringify({ listUsers: 'all', sendMessagesTo: 'all', ...settings })

const parseFeatures = (field: string, keys: readonly string[]): FeatureKey[] => {
  const parsed = keys.map((key) => {
    const feature = parseFeature(key)
    if (feature === undefined) throw badRequest({ [field]: `there is no feature ${key}` })
    return feature
  })
  return [...new Set(parsed)]
}

const pageOf = <T>(rows: readonly T[], { page, perPage }: PageRequest): Page<T> => ({
  rows: rows.slice((page - 1) * perPage, page * perPage),
  total: rows.length,
})

const typeOf = (of: PermissionsOf): Permission['type'] => ('role' in of ? 'role' : 'scope')

const manageFeatures = (deps: {
  store: Pick<Store, 'roles'>
  clock: Clock
  onRestrictionsChanged: () => void
}): Pick<ManageRoles, 'restrict' | 'allow' | 'restricted'> => {
  const { store, clock, onRestrictionsChanged } = deps
  return {
    restrict: async (appId, role, keys) => {
      const wanted = parseFeatures('featuresToRestrict', keys)
      await store.roles.restrict({ appId, role, features: wanted, now: toSeconds(clock.now()) })
      onRestrictionsChanged()
      return wanted.map(shownKey)
    },
    allow: async (appId, role, { featuresToAllow, allowAll = false }) => {
      if (featuresToAllow === undefined && !allowAll) {
        throw badRequest({ featuresToAllow: 'or allowAll is required' })
      }
      const wanted = allowAll ? 'all' : parseFeatures('featuresToAllow', featuresToAllow ?? [])
      await store.roles.allow({ appId, role, features: wanted })
      onRestrictionsChanged()
    },
    restricted: async (appId, role, page) => {
      const rows = await store.roles.restricted({ appId, role })
      const shown = rows.flatMap(({ feature, since }): RestrictedFeature[] => {
        const key = parseFeature(feature)
        if (key === undefined) return []
        const { title, description } = features[key]
        return [{ title, description, key: shownKey(key), path: shownPath(key), createdAt: since }]
      })
      return pageOf(shown, page)
    },
  }
}

const managePermissions = (deps: {
  store: Pick<Store, 'permissions'>
  clock: Clock
}): Pick<ManageRoles, 'permissions' | 'setPermissions' | 'unsetPermission'> => {
  const { store, clock } = deps
  return {
    permissions: async (appId, of, page) => {
      const { values, ...times } = await store.permissions.find({ appId, of })
      return pageOf(describePermissions(typeOf(of), values, times), page)
    },
    setPermissions: (appId, of, values) =>
      store.permissions.set({
        appId,
        of,
        values: checkPermissions(typeOf(of), values),
        now: toSeconds(clock.now()),
      }),
    unsetPermission: async (appId, of, permission) => {
      assertPermission(typeOf(of), permission)
      return store.permissions.unset({ appId, of, permission, now: toSeconds(clock.now()) })
    },
  }
}

export const makeManageRoles = (deps: {
  store: Pick<Store, 'roles' | 'permissions'>
  clock: Clock
  limits: Limits
  /** Called when roles are kept from something, or are not any more. */
  onRestrictionsChanged: () => void
}): ManageRoles => {
  const { store, clock, onRestrictionsChanged } = deps
  const metadataText = makeMetadataText(deps.limits.metadataBytes)
  return {
    create: (appId, { role, name, description, metadata, settings }) =>
      store.roles.create({
        appId,
        role: role.toLowerCase(),
        name,
        description: description ?? null,
        metadata: metadataText(metadata),
        settings: allSettings(settings),
        now: toSeconds(clock.now()),
      }),
    get: (appId, role) => store.roles.find({ appId, role }),
    list: (appId, page) => store.roles.list({ appId, page }),
    update: (appId, role, { unset = [], metadata, settings, ...body }) =>
      store.roles.update({
        ...definedOf(body),
        appId,
        role,
        now: toSeconds(clock.now()),
        ...(metadata !== undefined && { metadata: metadataText(metadata) }),
        ...(settings !== undefined && { settings }),
        unset,
      }),
    remove: async (appId, role) => {
      if (role === DEFAULT_ROLE) throw new AppError('ERR_ROLE_DELETE_DENIED', { details: { role } })
      await store.roles.remove({ appId, role })
      onRestrictionsChanged()
    },
    ...manageFeatures(deps),
    ...managePermissions(deps),
  }
}
