import {
  AddFriends,
  BlockUsers,
  ListBlockedUsers,
  ListFriends,
  Outcomes,
  one,
  parseUid,
  RelatedUsers,
  RemoveFriends,
  Success,
  type User,
} from '@confab/protocol'
import { Type } from 'typebox'
import { answerPage, pageRequestOf, succeeded, withoutTags, withTimeCursor } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, type RouteRequest, route } from '../http/route.ts'
import { actorUid } from '../kernel/actor.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { ManageRelations } from './manage-relations.ts'

const FRIENDS = 'Friends'
const BLOCKED = 'Blocked users'

const ofPath = ({ app, params }: Pick<RouteRequest<{ uid: string }>, 'app' | 'params'>) => ({
  appId: app.id,
  uid: parseUid(params.uid),
})

/** These lists carry their cursor within `meta`. */
const answerRelated = (found: Page<User>, request: PageRequest) => {
  const { data, meta, cursor } = withTimeCursor(answerPage({ ...found, rows: withoutTags(found.rows) }, request))
  return { data, meta: cursor === undefined ? meta : { ...meta, cursor } }
}

const friendRoutes = (relations: ManageRelations): readonly Route[] => [
  route({
    method: 'POST',
    path: '/users/:uid/friends',
    tag: FRIENDS,
    summary: 'Make users friends of a user, each for themself',
    params: pathOf('uid'),
    body: AddFriends,
    answer: one(Type.Object({ accepted: Outcomes })),
    handle: async ({ app, params, body }) => {
      const { accepted, addToConversations = false } = body
      const outcomes = await relations.addFriends(ofPath({ app, params }), accepted, { addToConversations })
      return { data: { accepted: outcomes } }
    },
  }),
  route({
    method: 'GET',
    path: '/users/:uid/friends',
    tag: FRIENDS,
    summary: 'List the friends of a user, as that user sees them',
    params: pathOf('uid'),
    query: ListFriends,
    answer: RelatedUsers,
    handle: async ({ app, params, query }) => {
      const page = pageRequestOf(query)
      const { searchKey } = query
      const found = await relations.listFriends({ ...ofPath({ app, params }), ...definedOf({ searchKey }), page })
      return answerRelated(found, page)
    },
  }),
  route({
    method: 'DELETE',
    path: '/users/:uid/friends',
    tag: FRIENDS,
    summary: 'End friendships: all that are named, or none',
    params: pathOf('uid'),
    body: RemoveFriends,
    answer: one(Success),
    handle: async ({ app, params, body }) => {
      await relations.removeFriends(ofPath({ app, params }), body.friends)
      return succeeded('Deleted the friend relations successfully.')
    },
  }),
]

/** Of the user in the path, by the app; or of whoever acts. */
const blockRoutesAt = (
  relations: ManageRelations,
  path: '/users/:uid/blockedusers' | '/blockedusers',
): readonly Route[] => {
  const isOwn = path === '/blockedusers'
  const words = isOwn ? 'the acting user' : 'a user'
  const shared = {
    path,
    tag: BLOCKED,
    ...(isOwn && { forUsers: true, onBehalfOf: 'required' as const }),
    params: isOwn ? pathOf() : pathOf('uid'),
  }
  const blockerOf = ({ app, actor, params }: Pick<RouteRequest<object>, 'app' | 'actor' | 'params'>) => ({
    appId: app.id,
    actor,
    uid: 'uid' in params ? parseUid(String(params.uid)) : actorUid(actor),
  })
  return [
    route({
      ...shared,
      method: 'POST',
      summary: `Block users in the name of ${words}, each for themself`,
      body: BlockUsers,
      answer: one(Outcomes),
      handle: async (request) => ({
        data: await relations.block({ ...blockerOf(request), client: request.client }, request.body.blockedUids),
      }),
    }),
    route({
      ...shared,
      method: 'GET',
      summary: `List whom ${words} has blocked, or who has blocked them`,
      query: ListBlockedUsers,
      answer: RelatedUsers,
      handle: async (request) => {
        const { query } = request
        const page = pageRequestOf(query)
        const { searchKey, direction = 'blockedByMe' } = query
        const found = await relations.listBlocked({
          ...blockerOf(request),
          direction,
          ...definedOf({ searchKey }),
          page,
        })
        return answerRelated(found, page)
      },
    }),
    route({
      ...shared,
      method: 'DELETE',
      summary: `Unblock users in the name of ${words}, each for themself`,
      body: BlockUsers,
      answer: one(Outcomes),
      handle: async (request) => ({
        data: await relations.unblock({ ...blockerOf(request), client: request.client }, request.body.blockedUids),
      }),
    }),
  ]
}

export const relationRoutes = (relations: ManageRelations): readonly Route[] => [
  ...friendRoutes(relations),
  ...blockRoutesAt(relations, '/users/:uid/blockedusers'),
  ...blockRoutesAt(relations, '/blockedusers'),
]
