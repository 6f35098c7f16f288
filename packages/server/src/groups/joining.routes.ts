/** Joining, leaving, handing over; and adding members, which shares its path with joining. */
import {
  AddOrJoin,
  MemberLists,
  MemberResults,
  Message,
  one,
  parseGuid,
  parseUid,
  Success,
  TransferOwnership,
} from '@confab/protocol'
import { Type } from 'typebox'
import { succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, type RouteRequest, route } from '../http/route.ts'
import { asUser } from '../kernel/actor.ts'
import { messageJson } from '../messages/message.ts'
import type { JoinGroups } from './join-groups.ts'
import { type ManageMembers, outcomesJson } from './manage-members.ts'

const tag = 'Members'

const LISTS = ['admins', 'moderators', 'participants', 'usersToBan'] as const

const groupOf = ({ app, actor, client, params }: RouteRequest<{ guid: string }>) => ({
  app,
  actor,
  client,
  guid: parseGuid(params.guid),
})

const add = async (members: ManageMembers, request: RouteRequest<{ guid: string }>, lists: MemberLists) =>
  new RawJson(`{"data":${outcomesJson(await members.add(groupOf(request), lists))}}`)

export const joiningRoutes = ({ join, members }: { join: JoinGroups; members: ManageMembers }): readonly Route[] => [
  route({
    method: 'POST',
    path: '/groups/:guid/members',
    isCore: true,
    tag,
    summary: 'Add members, each for themself; `usersToBan` are banned. Without lists the acting user joins',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    body: AddOrJoin,
    answer: one(Type.Union([MemberResults, Message])),
    handle: async (request) => {
      const { actor, body } = request
      const namesNobody = LISTS.every((list) => body[list] === undefined)
      if (actor.kind === 'app' || !namesNobody) return add(members, request, body)
      const action = await join.join({ ...groupOf(request), actor }, body.password)
      return new RawJson(`{"data":${messageJson(action)}}`)
    },
  }),
  route({
    method: 'PUT',
    path: '/groups/:guid/members',
    isCore: true,
    tag,
    summary: 'Add members, as with POST',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    body: MemberLists,
    answer: one(MemberResults),
    handle: (request) => add(members, request, request.body),
  }),
  route({
    method: 'DELETE',
    path: '/groups/:guid/members',
    isCore: true,
    tag,
    summary: 'Leave a group, as the acting user',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('guid'),
    answer: one(Success),
    handle: async (request) => {
      const input = groupOf(request)
      await join.leave({ ...input, actor: asUser(request.actor) })
      return succeeded(`The user has left the group with ${input.guid} successfully.`)
    },
  }),
  route({
    method: 'PATCH',
    path: '/groups/:guid/owner',
    tag: 'Groups',
    summary: 'Hand a group over to one of its members',
    forUsers: true,
    onBehalfOf: 'optional',
    params: pathOf('guid'),
    body: TransferOwnership,
    answer: one(Success),
    handle: async ({ actor, client, params, body }) => {
      const owner = parseUid(body.owner)
      await join.transfer({ actor, client, guid: parseGuid(params.guid), owner })
      return succeeded(`The ownership of the group has been transferred to the user with ${owner} successfully.`)
    },
  }),
]
