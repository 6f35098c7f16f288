import {
  AllowFeatures,
  CreateRole,
  ListRoles,
  Outcomes,
  one,
  page,
  RestrictedFeature,
  RestrictFeatures,
  Role,
  Success,
  UpdateRole,
} from '@confab/protocol'
import { answerPage, pageRequestOf, succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, route } from '../http/route.ts'
import type { ManageRoles } from './manage-roles.ts'

const tag = 'Roles'

/** Folded, as wherever roles come in. */
const roleOf = ({ role }: { role: string }): string => role.toLowerCase()

const featureRoutes = (roles: ManageRoles): readonly Route[] => [
  route({
    method: 'POST',
    path: '/roles/:role/restrictedfeatures',
    tag,
    summary: 'Keep a role from features',
    params: pathOf('role'),
    body: RestrictFeatures,
    answer: one(Outcomes),
    handle: async ({ app, params, body }) => {
      const keys = await roles.restrict(app.id, roleOf(params), body.featuresToRestrict)
      const entries = keys.map((key) => [
        key,
        { success: true, message: `The feature ${key} has been restricted successfully.` },
      ])
      return { data: Object.fromEntries(entries) }
    },
  }),
  route({
    method: 'GET',
    path: '/roles/:role/restrictedfeatures',
    tag,
    summary: 'List the features that a role is kept from',
    params: pathOf('role'),
    query: ListRoles,
    answer: page(RestrictedFeature),
    handle: async ({ app, params, query }) => {
      const request = pageRequestOf(query)
      return answerPage(await roles.restricted(app.id, roleOf(params), request), request)
    },
  }),
  route({
    method: 'DELETE',
    path: '/roles/:role/restrictedfeatures',
    tag,
    summary: 'Allow a role features that it was kept from',
    params: pathOf('role'),
    body: AllowFeatures,
    answer: one(Success),
    handle: async ({ app, params, body }) => {
      await roles.allow(app.id, roleOf(params), body)
      return succeeded('The feature has been allowed successfully.')
    },
  }),
]

export const roleRoutes = (roles: ManageRoles): readonly Route[] => [
  route({
    method: 'POST',
    path: '/roles',
    tag,
    summary: 'Create a role',
    body: CreateRole,
    answer: one(Role),
    handle: async ({ app, body }) => ({ data: await roles.create(app.id, body) }),
  }),
  route({
    method: 'GET',
    path: '/roles',
    tag,
    summary: 'List the roles, newest first',
    query: ListRoles,
    answer: page(Role),
    handle: async ({ app, query }) => {
      const request = pageRequestOf(query)
      return answerPage(await roles.list(app.id, request), request)
    },
  }),
  route({
    method: 'GET',
    path: '/roles/:role',
    tag,
    summary: 'Get a role',
    params: pathOf('role'),
    answer: one(Role),
    handle: async ({ app, params }) => ({ data: await roles.get(app.id, roleOf(params)) }),
  }),
  route({
    method: 'PUT',
    path: '/roles/:role',
    tag,
    summary: 'Change a role; `unset` empties what it names',
    params: pathOf('role'),
    body: UpdateRole,
    answer: one(Role),
    handle: async ({ app, params, body }) => ({ data: await roles.update(app.id, roleOf(params), body) }),
  }),
  route({
    method: 'DELETE',
    path: '/roles/:role',
    tag,
    summary: 'Delete a role; its users get the role default',
    params: pathOf('role'),
    answer: one(Success),
    handle: async ({ app, params }) => {
      const role = roleOf(params)
      await roles.remove(app.id, role)
      return succeeded(`Role ${role} has been deleted successfully.`)
    },
  }),
  ...featureRoutes(roles),
]
