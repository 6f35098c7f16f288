import {
  CreateGroup,
  Group,
  ListGroups,
  MemberResults,
  one,
  pageWithCursor,
  parseGuid,
  Success,
  UpdateGroup,
} from '@confab/protocol'
import { Type } from 'typebox'
import { answerPage, pageRequestOf, succeeded, withoutTags, withTimeCursor } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, route } from '../http/route.ts'
import { definedOf } from '../kernel/defined.ts'
import type { GroupFilter } from '../storage/sql/groups/groups.ts'
import type { ManageGroups } from './manage-groups.ts'
import { outcomesJson } from './manage-members.ts'

const tag = 'Groups'

const SORT_COLUMNS = { name: 'name', guid: 'guid', createdAt: 'created_at' } as const

/** By time where one is named, or a direction in it, unless another order is asked for. Pages by number do not overlap. */
const byTimeOf = ({ affix, updatedAt, sortBy, page }: ListGroups): GroupFilter['byTime'] =>
  (affix === undefined && updatedAt === undefined) || sortBy !== undefined
    ? undefined
    : { affix: affix ?? 'append', wholeSeconds: page === undefined }

const filterOf = (query: ListGroups): GroupFilter => {
  const { searchKey, tags, updatedAt, affix = 'append' } = query
  const byTime = byTimeOf(query)
  const searchIn = query.searchIn?.filter((column) => column === 'guid' || column === 'name')
  const types = [...(query.types ?? []), ...(query.type ? [query.type] : [])]
    // Clients call the groups that ask for a password by either name.
    .map((type) => (type === 'protected' ? 'password' : type))
  return {
    ...definedOf({ searchKey, tags, searchIn: searchIn?.length ? searchIn : undefined }),
    types,
    hasJoined: query.hasJoined ?? false,
    ...(updatedAt !== undefined && { updatedAt: { affix, at: updatedAt } }),
    ...definedOf({ byTime }),
    sortBy: SORT_COLUMNS[query.sortBy ?? 'guid'],
    descending: query.sortOrder === 'desc',
  }
}

export const groupRoutes = (groups: ManageGroups): readonly Route[] => [
  route({
    method: 'POST',
    path: '/groups',
    isCore: true,
    tag,
    summary: 'Create a group, with members if there are any',
    forUsers: true,
    onBehalfOf: 'optional',
    body: CreateGroup,
    answer: one(Type.Intersect([Group, Type.Object({ members: Type.Optional(one(MemberResults)) })])),
    handle: async ({ actor, body, client }) => {
      const { group, outcomes } = await groups.create(actor, body, client)
      const json = JSON.stringify(group)
      if (body.members === undefined) return new RawJson(`{"data":${json}}`)
      return new RawJson(`{"data":${json.slice(0, -1)},"members":{"data":${outcomesJson(outcomes)}}}}`)
    },
  }),
  route({
    method: 'GET',
    path: '/groups',
    tag,
    summary: 'List groups, with search and filters',
    forUsers: true,
    onBehalfOf: 'optional',
    query: ListGroups,
    answer: pageWithCursor(Group),
    handle: async ({ actor, query }) => {
      const page = pageRequestOf(query)
      const found = await groups.list({ actor, filter: filterOf(query), page })
      const rows = withoutTags(found.rows, query.withTags)
      return withTimeCursor(answerPage({ ...found, rows }, page), byTimeOf(query)?.affix)
    },
  }),
  route({
    method: 'GET',
    path: '/groups/:guid',
    tag,
    summary: 'Get a group',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    answer: one(Group),
    handle: async ({ actor, params }) => ({ data: await groups.get(actor, parseGuid(params.guid)) }),
  }),
  route({
    method: 'PUT',
    path: '/groups/:guid',
    tag,
    summary: 'Change a group; `unset` empties what it names',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    body: UpdateGroup,
    answer: one(Group),
    handle: async ({ actor, params, body, client }) => ({
      data: await groups.update(actor, parseGuid(params.guid), body, client),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/groups/:guid',
    tag,
    summary: 'Delete a group with its members and messages',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    answer: one(Success),
    handle: async ({ actor, params, client }) => {
      const guid = parseGuid(params.guid)
      await groups.remove(actor, guid, client)
      return succeeded(`Group with guid ${guid} has been deleted successfully.`)
    },
  }),
]
