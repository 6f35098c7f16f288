import {
  JsonObject,
  ListRoles,
  one,
  Permission,
  PermissionValues,
  page,
  parseGuid,
  type Scope,
  SetPermissions,
  scopes,
} from '@confab/protocol'
import { Type } from 'typebox'
import { answerPage, pageRequestOf } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, route } from '../http/route.ts'
import { badRequest } from '../kernel/app-error.ts'
import type { ManageRoles, PermissionsOf } from './manage-roles.ts'

const tag = 'Permissions'

type Names = Readonly<Record<string, string>>

const ofRole = ({ role = '' }: Names): PermissionsOf => ({ role: role.toLowerCase() })

const scopeOf = (text: string): Scope => {
  const scope = scopes.find((one) => one === text.toLowerCase())
  if (scope === undefined) throw badRequest({ scope: `must be one of ${scopes.join(', ')}` })
  return scope
}
const ofScope = ({ guid = '', scope = '' }: Names): PermissionsOf => ({
  guid: parseGuid(guid),
  scope: scopeOf(scope),
})

const SetAnswer = one(Type.Intersect([Type.Object({ permissions: PermissionValues }), JsonObject]))
const Left = one(Type.Object({ permissions: PermissionValues }))

/** What became of each permission, and beside that, under their own name, all that is set now. */
const answerSet = (of: PermissionsOf, asked: readonly string[], permissions: object): RawJson => {
  const target = 'role' in of ? `role ${of.role}` : `scope ${of.scope} on group ${of.guid}`
  const entries = asked.map((id) => [
    id,
    { success: true, message: `Permission with id ${id} have been mapped successfully to ${target}.` },
  ])
  return new RawJson(JSON.stringify({ data: { ...Object.fromEntries(entries), permissions } }))
}

const routesOf = (
  roles: ManageRoles,
  path: string,
  whose: { names: readonly string[]; of: (params: Names) => PermissionsOf; words: string },
): readonly Route[] => [
  route({
    method: 'GET',
    path,
    tag,
    summary: `List the permissions, each with what is set for ${whose.words}`,
    params: pathOf(...whose.names),
    query: ListRoles,
    answer: page(Permission),
    handle: async ({ app, params, query }) => {
      const request = pageRequestOf(query)
      return answerPage(await roles.permissions(app.id, whose.of(params), request), request)
    },
  }),
  route({
    method: 'PUT',
    path,
    tag,
    summary: `Set permissions of ${whose.words}; others stay as they are`,
    params: pathOf(...whose.names),
    body: SetPermissions,
    answer: SetAnswer,
    handle: async ({ app, params, body }) => {
      const of = whose.of(params)
      const permissions = await roles.setPermissions(app.id, of, body.permissions)
      return answerSet(of, Object.keys(body.permissions), permissions)
    },
  }),
  route({
    method: 'DELETE',
    path: `${path}/:permission`,
    tag,
    summary: `Unset a permission of ${whose.words}: it is as by default`,
    params: pathOf(...whose.names, 'permission'),
    answer: Left,
    handle: async ({ app, params }) => {
      const permissions = await roles.unsetPermission(app.id, whose.of(params), params.permission ?? '')
      return { data: { permissions } }
    },
  }),
]

export const permissionRoutes = (roles: ManageRoles): readonly Route[] => [
  ...routesOf(roles, '/roles/:role/permissions', { names: ['role'], of: ofRole, words: 'a role' }),
  ...routesOf(roles, '/groups/:guid/scopes/:scope/permissions', {
    names: ['guid', 'scope'],
    of: ofScope,
    words: 'a scope in a group',
  }),
]
