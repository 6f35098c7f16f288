import {
  CreateUser,
  DeactivateUsers,
  DeleteOptions,
  ListUsers,
  one,
  pageWithCursor,
  parseUid,
  ReactivateUsers,
  Success,
  UpdateUser,
  User,
} from '@confab/protocol'
import { Type } from 'typebox'
import { answerPage, pageRequestOf, statusOf, succeeded, withoutTags, withTimeCursor } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, route } from '../http/route.ts'
import type { Actor } from '../kernel/actor.ts'
import { definedOf } from '../kernel/defined.ts'
import type { UserFilter } from '../storage/sql/users/user-lists.ts'
import type { ManageUsers } from './manage-users.ts'

const tag = 'Users'

const deactivatedOf = (query: ListUsers): UserFilter['deactivated'] => {
  if (query.onlyDeactivated) return 'only'
  return query.withDeactivated ? 'with' : 'without'
}

/** Who is deactivated is there for the app only. */
const filterOf = (query: ListUsers, actor: Actor): UserFilter => {
  const roles = [...(query.roles ?? []), ...(query.role ? [query.role] : [])].map((role) => role.toLowerCase())
  const { searchKey, tags } = query
  const status = statusOf(query)
  const searchIn = query.searchIn?.filter((column) => column === 'uid' || column === 'name')
  return {
    ...definedOf({ searchKey, status, tags, searchIn: searchIn?.length ? searchIn : undefined }),
    roles,
    uids: (query.uids ?? []).map(parseUid),
    friendsOnly: query.friendsOnly ?? false,
    hideBlockedUsers: query.hideBlockedUsers ?? false,
    sortBy: query.sortBy ?? 'uid',
    descending: query.sortOrder === 'desc',
    deactivated: actor.kind === 'user' ? 'without' : deactivatedOf(query),
  }
}

export const userRoutes = (users: ManageUsers): readonly Route[] => [
  route({
    method: 'POST',
    path: '/users',
    isCore: true,
    tag,
    summary: 'Create a user',
    access: 'authOnly',
    body: CreateUser,
    answer: one(User),
    handle: async ({ app, body }) => ({ data: await users.create(app.id, body) }),
  }),
  route({
    method: 'GET',
    path: '/users',
    tag,
    summary: 'List users by uid, with search and filters; the acting user is not among them',
    forUsers: true,
    onBehalfOf: 'optional',
    query: ListUsers,
    answer: pageWithCursor(User),
    handle: async ({ actor, query }) => {
      const page = pageRequestOf(query)
      const found = await users.list({ actor, filter: filterOf(query, actor), page })
      return withTimeCursor(answerPage({ ...found, rows: withoutTags(found.rows, query.withTags) }, page))
    },
  }),
  route({
    method: 'PUT',
    path: '/users',
    tag,
    summary: 'Reactivate users',
    body: ReactivateUsers,
    answer: one(Type.Object({ nonDeactivatedUids: Type.Array(Type.String()) })),
    handle: async ({ app, body }) => ({
      data: { nonDeactivatedUids: await users.reactivate(app.id, body.uidsToActivate) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/users',
    tag,
    summary: 'Deactivate users',
    body: DeactivateUsers,
    answer: one(Type.Object({ deactivatedUids: Type.Array(Type.String()) })),
    handle: async ({ app, body }) => ({
      data: { deactivatedUids: await users.deactivate(app.id, body.uidsToDeactivate) },
    }),
  }),
  route({
    method: 'GET',
    path: '/users/:uid',
    tag,
    summary: 'Get a user',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('uid'),
    answer: one(User),
    handle: async ({ actor, params }) => ({ data: await users.getAs(actor, parseUid(params.uid)) }),
  }),
  route({
    method: 'PUT',
    path: '/users/:uid',
    tag,
    summary: 'Change a user; `unset` empties what it names',
    access: 'authOnly',
    params: pathOf('uid'),
    body: UpdateUser,
    answer: one(User),
    handle: async ({ app, params, body }) => ({ data: await users.update(app.id, parseUid(params.uid), body) }),
  }),
  route({
    method: 'DELETE',
    path: '/users/:uid',
    isCore: true,
    tag,
    summary: 'Delete a user; with `permanent` also their messages',
    params: pathOf('uid'),
    body: DeleteOptions,
    answer: one(Success),
    handle: async ({ app, params, body }) => {
      const uid = parseUid(params.uid)
      await users.remove(app.id, uid, { permanent: body?.permanent ?? false })
      return succeeded(`User with ${uid} has been deleted successfully.`)
    },
  }),
]
