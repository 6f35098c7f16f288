/** The tables of permissions at work: what is set is checked against them, and shown with them. */
import { type Permission, rolePermissions, type SetPermissions, scopePermissions } from '@confab/protocol'
import { badRequest } from '../kernel/app-error.ts'

export type PermissionType = Permission['type']
export type PermissionValues = SetPermissions['permissions']

interface Row {
  readonly dataType: Permission['dataType']
  readonly values: readonly string[]
  readonly initial: string | readonly string[]
  readonly title: string
}

const tables: Readonly<Record<PermissionType, Readonly<Record<string, Row>>>> = {
  role: rolePermissions,
  scope: scopePermissions,
}

const rowOf = (type: PermissionType, id: string): Row | undefined =>
  Object.hasOwn(tables[type], id) ? tables[type][id] : undefined

export const assertPermission = (type: PermissionType, id: string): void => {
  if (rowOf(type, id) === undefined) throw badRequest({ permission: `must be a permission of a ${type}` })
}

/** Texts stand for lists of one where a list is due: published examples write them so. */
const checked = (type: PermissionType, id: string, value: string | readonly string[]): string | string[] => {
  const field = `permissions.${id}`
  const row = rowOf(type, id)
  if (row === undefined) throw badRequest({ [field]: `is no permission of a ${type}` })
  if (row.dataType === 'string' && typeof value !== 'string') throw badRequest({ [field]: 'must be a text' })
  // Roles are folded wherever they come in.
  const given = [value].flat().map((one) => (id.endsWith('Roles') ? one.toLowerCase() : one))
  const values = [...new Set(given)]
  if (row.values.length > 0 && !values.every((one) => row.values.includes(one))) {
    throw badRequest({ [field]: `must be ${row.dataType === 'string' ? 'one' : 'some'} of ${row.values.join(', ')}` })
  }
  return row.dataType === 'stringArray' ? values : (values[0] ?? '')
}

/** The values as they are stored, or the first that is wrong. */
export const checkPermissions = (type: PermissionType, values: PermissionValues): PermissionValues => {
  if (Object.keys(values).length === 0) throw badRequest({ permissions: 'name at least one permission' })
  return Object.fromEntries(Object.entries(values).map(([id, value]) => [id, checked(type, id, value)]))
}

/** Every permission there is, each with what is set of it. */
export const describePermissions = (
  type: PermissionType,
  set: PermissionValues,
  times: { createdAt: number; updatedAt: number },
): Permission[] =>
  Object.entries(tables[type]).map(([id, { dataType, values, initial, title }]) => ({
    id,
    type,
    title,
    description: title,
    dataType,
    availableValues: [...values],
    defaultValue: typeof initial === 'string' ? initial : [...initial],
    ...(Object.hasOwn(set, id) && { value: set[id] ?? [] }),
    ...times,
  }))
