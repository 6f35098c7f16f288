/** What is done to messages without changing what they say: reactions, interactions, pins, saves. */
import {
  AddReaction,
  Flag,
  FlagMessage,
  ListReactions,
  MarkInteracted,
  Message,
  one,
  Reaction,
  Success,
} from '@confab/protocol'
import { Type } from 'typebox'
import { succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, type RouteRequest, route } from '../http/route.ts'
import { asUser } from '../kernel/actor.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { ViewedMessage } from '../storage/sql/messages/message-views.ts'
import type { Store } from '../storage/store.ts'
import { messageIdOf } from './change-message.ts'
import type { Interact } from './interact.ts'
import type { KeepMessages } from './keep-messages.ts'
import { messageJson } from './message.ts'
import type { React, ReactionPage } from './react.ts'

const answerViewed = ({ message, view }: ViewedMessage): RawJson =>
  new RawJson(`{"data":${messageJson(message, { withTags: true, view })}}`)

// Reactions -------------------------------------------------------------------------------------------------------

const Edge = Type.Object({ affix: Type.String(), id: Type.String(), sentAt: Type.Integer() })
const ReactionList = Type.Object({
  data: Type.Array(Reaction),
  meta: Type.Object({
    current: Type.Object({ limit: Type.Integer(), count: Type.Integer() }),
    next: Type.Optional(Edge),
    previous: Type.Optional(Edge),
  }),
})

const edgeOf = (row: Reaction | undefined, affix: string) => row && { affix, id: row.id, sentAt: row.reactedAt }

const answerReactions = ({ rows, limit }: ReactionPage) => {
  const [next, previous] = [edgeOf(rows.at(-1), 'append'), edgeOf(rows[0], 'prepend')]
  const edges = next && previous ? { next, previous } : {}
  return { data: rows, meta: { current: { limit, count: rows.length }, ...edges } }
}

const reactionRoutes = (react: React): readonly Route[] => {
  const tag = 'Reactions'
  const one_ = '/messages/:id/reactions/:reaction'
  const input = ({ actor, client, params }: RouteRequest<{ id: string; reaction: string }>) => ({
    actor: asUser(actor),
    client,
    ...params,
  })
  return [
    route({
      method: 'POST',
      path: one_,
      tag,
      summary: 'React to a message',
      forUsers: true,
      onBehalfOf: 'required',
      params: pathOf('id', 'reaction'),
      answer: one(Message),
      handle: async (request) => answerViewed(await react.add(input(request))),
    }),
    route({
      method: 'POST',
      path: '/messages/:id/reactions',
      tag,
      summary: 'React to a message, with the reaction in the body',
      forUsers: true,
      onBehalfOf: 'required',
      params: pathOf('id'),
      body: AddReaction,
      answer: one(Message),
      handle: async ({ actor, client, params, body }) =>
        answerViewed(await react.add({ actor: asUser(actor), client, ...params, ...body })),
    }),
    route({
      method: 'DELETE',
      path: one_,
      tag,
      summary: 'Take a reaction back',
      forUsers: true,
      onBehalfOf: 'required',
      params: pathOf('id', 'reaction'),
      answer: one(Message),
      handle: async (request) => answerViewed(await react.remove(input(request))),
    }),
    route({
      method: 'GET',
      path: '/messages/:id/reactions',
      tag,
      summary: 'List the reactions to a message, oldest first',
      forUsers: true,
      onBehalfOf: 'optional',
      params: pathOf('id'),
      query: ListReactions,
      answer: ReactionList,
      handle: async ({ actor, params, query }) => answerReactions(await react.list({ actor, ...params }, query)),
    }),
    route({
      method: 'GET',
      path: one_,
      tag,
      summary: 'List who has reacted to a message in this way',
      forUsers: true,
      onBehalfOf: 'optional',
      params: pathOf('id', 'reaction'),
      query: ListReactions,
      answer: ReactionList,
      handle: async ({ actor, params, query }) => answerReactions(await react.list({ actor, ...params }, query)),
    }),
  ]
}

// Pins and saves --------------------------------------------------------------------------------------------------

type KeepOne = (request: RouteRequest<{ id: string }>) => Promise<ViewedMessage>

const keepRoute = (method: 'POST' | 'DELETE', what: 'pin' | 'save', summary: string, keep: KeepOne): Route =>
  route({
    method,
    path: `/messages/:id/${what}`,
    tag: what === 'pin' ? 'Pinned messages' : 'Saved messages',
    summary,
    forUsers: true,
    onBehalfOf: what === 'pin' ? 'optional' : 'required',
    params: pathOf('id'),
    answer: one(Message),
    handle: async (request) => answerViewed(await keep(request)),
  })

const keepRoutes = (keep: KeepMessages): readonly Route[] => {
  const which = ({ actor, client, params }: RouteRequest<{ id: string }>) => ({ actor, client, id: params.id })
  const own = (request: RouteRequest<{ id: string }>) => ({ ...which(request), actor: asUser(request.actor) })
  return [
    keepRoute('POST', 'pin', 'Pin a message, for everybody in its conversation', (request) => keep.pin(which(request))),
    keepRoute('DELETE', 'pin', 'Unpin a message', (request) => keep.unpin(which(request))),
    keepRoute('POST', 'save', 'Save a message, for the acting user alone', (request) => keep.save(own(request))),
    keepRoute('DELETE', 'save', 'Remove a message from those that the acting user has saved', (request) =>
      keep.unsave(own(request)),
    ),
  ]
}

export const messageMarkRoutes = (deps: {
  store: Pick<Store, 'flags'>
  clock: Clock
  react: React
  keep: KeepMessages
  interact: Interact
}): readonly Route[] => [
  ...reactionRoutes(deps.react),
  route({
    method: 'PATCH',
    path: '/messages/:id/interacted',
    tag: 'Interactions',
    summary: 'Mark elements of an interactive message as used by the acting user',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('id'),
    body: MarkInteracted,
    answer: one(Success),
    handle: async ({ actor, client, params, body }) => {
      await deps.interact({ actor: asUser(actor), client, id: params.id, elements: body.interactions })
      return succeeded(`The message ${params.id} has been marked as interacted successfully.`)
    },
  }),
  ...keepRoutes(deps.keep),
  route({
    method: 'POST',
    path: '/messages/:id/flagged',
    tag: 'Flagged messages',
    summary: 'Report a message to those who run the app',
    forUsers: true,
    onBehalfOf: 'required',
    params: pathOf('id'),
    body: FlagMessage,
    answer: one(Success),
    handle: async ({ actor, params, body }) => {
      const { id: reason, remark = null } = body
      const now = toSeconds(deps.clock.now())
      await deps.store.flags.put({ actor: asUser(actor), id: messageIdOf(params.id), reason, remark, now })
      return succeeded(`The message ${params.id} has been flagged successfully.`)
    },
  }),
  route({
    method: 'GET',
    path: '/messages/:id/flags',
    tag: 'Flagged messages',
    summary: 'List who has reported a message, and why',
    params: pathOf('id'),
    answer: one(Type.Array(Flag)),
    handle: async ({ app, params }) => {
      const actor = { kind: 'app' as const, appId: app.id }
      return { data: await deps.store.flags.list({ actor, id: messageIdOf(params.id) }) }
    },
  }),
]
