import {
  ChangeScope,
  ListMembers,
  one,
  pageWithCursor,
  parseGuid,
  parseUid,
  Scope,
  Success,
  UnixSeconds,
  User,
} from '@confab/protocol'
import { Type } from 'typebox'
import { answerPage, pageRequestOf, statusOf, succeeded, withoutTags, withTimeCursor } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, type RouteRequest, route } from '../http/route.ts'
import { definedOf } from '../kernel/defined.ts'
import type { ManageMembers } from './manage-members.ts'

const tag = 'Members'

const memberOf = ({ app, actor, client, params }: RouteRequest<{ guid: string; uid: string }>) => ({
  app,
  client,
  actor,
  guid: parseGuid(params.guid),
  uid: parseUid(params.uid),
})

const memberRoutesOfGroup = (members: ManageMembers): readonly Route[] => [
  route({
    method: 'GET',
    path: '/groups/:guid/members',
    tag,
    summary: 'List the members of a group',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    query: ListMembers,
    answer: pageWithCursor(User),
    handle: async ({ actor, params, query }) => {
      const request = pageRequestOf(query)
      const { scopes, searchKey } = query
      const status = statusOf(query)
      const guid = parseGuid(params.guid)
      const found = await members.list({ actor, guid, page: request, ...definedOf({ scopes, searchKey, status }) })
      return withTimeCursor(answerPage({ ...found, rows: withoutTags(found.rows) }, request))
    },
  }),
  route({
    method: 'PUT',
    path: '/groups/:guid/members/:uid',
    tag,
    summary: 'Change the scope of a member',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid', 'uid'),
    body: ChangeScope,
    answer: one(Type.Object({ guid: Type.String(), uid: Type.String(), scope: Scope, joinedAt: UnixSeconds })),
    handle: async (request) => ({
      data: await members.changeScope(memberOf(request), request.body?.scope ?? 'participant'),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/groups/:guid/members/:uid',
    tag,
    summary: 'Kick a member',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid', 'uid'),
    answer: one(Success),
    handle: async (request) => {
      const { guid, uid } = memberOf(request)
      await members.kick(memberOf(request))
      return succeeded(`The member with ${uid} has been kicked from the Group with ${guid}.`)
    },
  }),
]

const banRoutes = (members: ManageMembers): readonly Route[] => [
  route({
    method: 'POST',
    path: '/groups/:guid/bannedusers/:uid',
    tag,
    summary: 'Ban a user from a group',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid', 'uid'),
    answer: one(Success),
    handle: async (request) => {
      const { guid, uid } = memberOf(request)
      await members.ban(memberOf(request))
      return succeeded(`The user with uid ${uid} has been banned from the Group with ${guid}.`)
    },
  }),
  route({
    method: 'DELETE',
    path: '/groups/:guid/bannedusers/:uid',
    tag,
    summary: 'Unban a user from a group',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid', 'uid'),
    answer: one(Success),
    handle: async (request) => {
      const { guid, uid } = memberOf(request)
      await members.unban(memberOf(request))
      return succeeded(`The user with uid ${uid} has been unbanned from the Group with ${guid}.`)
    },
  }),
  route({
    method: 'GET',
    path: '/groups/:guid/bannedusers',
    tag,
    summary: 'List the users who are banned from a group',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    query: ListMembers,
    answer: pageWithCursor(User),
    handle: async ({ actor, params, query }) => {
      const request = pageRequestOf(query)
      const { searchKey } = query
      const found = await members.listBanned({
        actor,
        guid: parseGuid(params.guid),
        page: request,
        ...definedOf({ searchKey }),
      })
      return withTimeCursor(answerPage({ ...found, rows: withoutTags(found.rows) }, request))
    },
  }),
]

export const memberRoutes = (members: ManageMembers): readonly Route[] => [
  ...memberRoutesOfGroup(members),
  ...banRoutes(members),
]
