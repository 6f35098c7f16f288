/** Lists of messages: many filters, one order (by id), cursors instead of pages. */
import {
  type Affix,
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  type MessageId,
  mediaTypes,
  type ReceiverType,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { type Expression, type ExpressionBuilder, expressionBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../kernel/actor.ts'
import { AppError } from '../../kernel/app-error.ts'
import { messagesShown } from '../../roles/permission.policy.ts'
import { type ConversationState, stateOf } from './conversation-rows.ts'
import { membershipOf, requireGroup } from './group-rows.ts'
import { contains, holdsOneOf } from './lists.ts'
import { type MentionOptions, withMentions } from './mention-views.ts'
import { type Mark, merged, oneToOneSources, type Sources, sourcesOf } from './merged-lists.ts'
import { assertTakesPart, requireMessage } from './message-access.ts'
import { MESSAGE_COLUMNS, type MessageRow, toMessage } from './message-rows.ts'
import { idsBetweenTimes } from './message-times.ts'
import { type ViewedMessage, type ViewOptions, viewed } from './message-views.ts'
import { assertPermitted, rightsOf } from './role-rows.ts'
import type { Schema } from './schema.ts'
import { read, type Tx } from './seam.ts'
import { requireActor, requireUser } from './user-rows.ts'

/** Where to look. */
export type MessageScope =
  /** The whole app, or everything that the acting user takes part in. */
  | { readonly kind: 'all' }
  /** With an acting user: their conversation with `uid`. Without: all one-to-one messages of `uid`. */
  | { readonly kind: 'user'; readonly uid: Uid }
  | { readonly kind: 'group'; readonly guid: Guid }
  | { readonly kind: 'thread'; readonly parentId: MessageId }

export interface MessageFilter {
  readonly searchKey?: string
  readonly receiverType?: ReceiverType
  readonly conversationId?: ConversationId
  readonly sender?: Uid
  readonly categories?: readonly string[]
  readonly withoutCategories?: readonly string[]
  readonly types?: readonly string[]
  readonly tags?: readonly string[]
  readonly hideDeleted?: boolean
  readonly onlyDeleted?: boolean
  readonly hideReplies?: boolean
  readonly hideQuoted?: boolean
  readonly unread?: boolean
  readonly undelivered?: boolean
  readonly hideBlocked?: boolean
  /** Of these kinds; any, if there are none. */
  readonly attachments?: readonly string[]
  readonly hasLinks?: boolean
  readonly hasReactions?: boolean
  readonly hasMentions?: boolean
  readonly mentioned?: readonly Uid[]
  readonly pinned?: boolean
  readonly saved?: boolean
  /** What was changed after this time, and when it is left out, at all. */
  readonly changedSince?: number
  /** Interactive messages whose goal the acting user has reached. */
  readonly answered?: boolean
  readonly fromTimestamp?: number
  readonly toTimestamp?: number
}

export interface MessageCursor {
  readonly affix: Affix
  /** Exclusive. */
  readonly id?: number
  readonly sentAt?: number
  readonly limit: number
}

export interface MessageSlice {
  /** Oldest first, in both directions. */
  readonly rows: readonly ViewedMessage[]
  readonly hasMore: boolean
}

type Where = ExpressionBuilder<Schema, 'messages'>

/** What is looked through, and in which way: an engine that chooses by its estimates chooses wrong for some app or group. */
type Scoped =
  /** Everything that meets the condition; where that is one conversation, it is named. */
  | { readonly kind: 'plain'; readonly condition: Expression<SqlBool>; readonly conversation?: ConversationId }
  | { readonly kind: 'merged'; readonly sourcesBy: (marks: readonly Mark[]) => Sources }

const eb: Where = expressionBuilder<Schema, 'messages'>()

/**
 * In brackets of its own, so that PostgreSQL does not know beforehand that the conversation is a large one and walk through
 * all messages in search of it.
 */
const ofConversation = (app: AppId, conversation: ConversationId): Expression<SqlBool> =>
  sql<SqlBool>`messages.app_id = ${app} AND messages.conversation_id = (SELECT ${conversation})`

const only = (app: AppId, conversation: ConversationId): Scoped => ({
  kind: 'plain',
  condition: ofConversation(app, conversation),
  conversation,
})

/** By id, which no index of the app's is better at: SQLite would sort all that is of the app. */
const ofApp = (app: AppId): Expression<SqlBool> => sql<SqlBool>`(messages.app_id || '') = ${app}`

const everything = (actor: Actor, { conversationId, sender }: MessageFilter): Scoped => {
  const { appId: app } = actor
  if (actor.kind === 'user') {
    return { kind: 'merged', sourcesBy: (marks) => sourcesOf(app, actor.uid, marks, conversationId) }
  }
  if (conversationId !== undefined) return only(app, conversationId)
  return { kind: 'plain', condition: sender === undefined ? ofApp(app) : eb('app_id', '=', app) }
}

/** A thread is where its root is. */
const ofThread = async (tx: Tx, actor: Actor, parentId: MessageId): Promise<Scoped> => {
  const root = await requireMessage(tx, actor.appId, parentId)
  await assertTakesPart(tx, actor, root)
  const condition = sql<SqlBool>`messages.parent_id = (SELECT CAST(${Number(parentId)} AS BIGINT)) AND ${ofApp(actor.appId)}`
  return { kind: 'plain', condition, conversation: root.conversationId }
}

/** What the scope asks for, once it is known that the actor may ask. */
const scopeOf = async (tx: Tx, actor: Actor, scope: MessageScope, filter: MessageFilter): Promise<Scoped> => {
  const app = actor.appId
  switch (scope.kind) {
    case 'all':
      return everything(actor, filter)
    case 'user': {
      await requireUser(tx, app, scope.uid)
      if (actor.kind === 'user') return only(app, userConversationId(actor.uid, scope.uid))
      return { kind: 'merged', sourcesBy: () => oneToOneSources(app, scope.uid, filter.conversationId) }
    }
    case 'group': {
      await requireGroup(tx, app, scope.guid)
      if (actor.kind === 'user' && (await membershipOf(tx, app, scope.guid, actor.uid)) === undefined) {
        throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid: scope.guid } })
      }
      return only(app, groupConversationId(scope.guid))
    }
    case 'thread':
      return ofThread(tx, actor, scope.parentId)
    default:
      return scope satisfies never
  }
}

const filtersOf = (filter: MessageFilter): Expression<SqlBool>[] => {
  const all: Expression<SqlBool>[] = []
  if (filter.receiverType !== undefined) all.push(eb('receiver_type', '=', filter.receiverType))
  if (filter.conversationId !== undefined) all.push(eb('conversation_id', '=', filter.conversationId))
  if (filter.sender !== undefined) all.push(eb('sender', '=', filter.sender))
  if (filter.categories?.length) all.push(eb('category', 'in', [...filter.categories]))
  if (filter.withoutCategories?.length) all.push(eb('category', 'not in', [...filter.withoutCategories]))
  if (filter.types?.length) all.push(eb('type', 'in', [...filter.types]))
  // Edits and deletions show on the messages themselves; who wants to follow them asks for category action, type message.
  else all.push(eb.or([eb('category', '!=', 'action'), eb('type', '!=', 'message')]))
  if (filter.tags?.length) all.push(holdsOneOf('tags', filter.tags))
  if (filter.searchKey) all.push(eb.and([contains('text', filter.searchKey), eb('deleted_at', 'is', null)]))
  if (filter.hideDeleted) all.push(eb('deleted_at', 'is', null))
  if (filter.onlyDeleted) all.push(eb('deleted_at', 'is not', null))
  if (filter.hideReplies) all.push(eb('parent_id', 'is', null))
  if (filter.hideQuoted) all.push(eb('quoted_id', 'is', null))
  all.push(...contentsOf(filter))
  if (filter.fromTimestamp !== undefined) {
    all.push(eb('sent_at', '>=', filter.fromTimestamp))
    if (filter.toTimestamp !== undefined) all.push(eb('sent_at', '<=', filter.toTimestamp))
  }
  return all
}

const LINK = ['%http://%', '%https://%']

/** What stands in a message, as far as it says so. */
const contentsOf = (filter: MessageFilter): Expression<SqlBool>[] => {
  const all: Expression<SqlBool>[] = []
  const { attachments, mentioned } = filter
  if (attachments !== undefined) {
    all.push(
      eb('category', '=', 'message'),
      eb('type', 'in', attachments.length > 0 ? [...attachments] : [...mediaTypes]),
    )
  }
  if (filter.hasLinks) all.push(eb.or(LINK.map((link) => eb('text', 'like', link))))
  if (filter.hasReactions) all.push(eb('reactions', 'is not', null))
  if (filter.hasMentions) all.push(eb('text', 'like', '%<@uid:%'))
  if (mentioned?.length) all.push(eb.or(mentioned.map((uid) => contains('text', `<@uid:${uid}>`))))
  if (filter.pinned) all.push(eb('pinned_at', 'is not', null))
  if (filter.changedSince !== undefined) {
    all.push(eb('updated_at', '>', eb.ref('sent_at')), eb('updated_at', '>', filter.changedSince))
  }
  return all
}

/** Up to where messages of a conversation are not shown to a user. */
const marksOf = ({ unread, undelivered }: MessageFilter): readonly Mark[] => [
  'hidden_id',
  ...(unread ? (['read_id'] as const) : []),
  ...(undelivered ? (['delivered_id'] as const) : []),
]

/** @param rare then another index than that by id is to be taken */
const beyondMarks = (state: ConversationState, filter: MessageFilter, rare: boolean): Expression<SqlBool> =>
  sql<SqlBool>`${rare ? sql`+messages.id` : sql`messages.id`} > ${Math.max(...marksOf(filter).map((mark) => state[mark]))}`

/** What depends on who asks, but for the marks. */
const personal = (actor: Actor, filter: MessageFilter): Expression<SqlBool>[] => {
  if (actor.kind === 'app') return []
  const { appId: app, uid } = actor
  const all: Expression<SqlBool>[] = []
  if (filter.unread || filter.undelivered) {
    all.push(eb('sender', '!=', uid), eb('category', '!=', 'action'), eb('deleted_at', 'is', null))
  }
  if (filter.hideBlocked) all.push(eb('sender', 'not in', blockedBy(app, uid)))
  if (filter.saved) all.push(eb('messages.id', 'in', savedBy(app, uid)))
  if (filter.answered) all.push(eb('messages.id', 'in', answeredBy(uid)))
  return all
}

const blockedBy = (app: AppId, uid: Uid) =>
  eb.selectFrom('blocked_users').select('blocked_uid').where('app_id', '=', app).where('uid', '=', uid)

const savedBy = (app: AppId, uid: Uid) =>
  eb.selectFrom('saved_messages').select('message_id').where('app_id', '=', app).where('uid', '=', uid)

const answeredBy = (uid: Uid) =>
  eb.selectFrom('interactions').select('message_id').where('uid', '=', uid).where('completes', '=', 1)

/** What the role of whoever asks lets them see; what happened in a conversation is told to everybody in it. */
const allowedOf = (allowed: ReturnType<typeof messagesShown> | undefined): Expression<SqlBool>[] => {
  const isAction = eb('category', '=', 'action')
  const oneOf = (column: 'category' | 'type', values: readonly string[] | undefined): Expression<SqlBool>[] => {
    if (values === undefined) return []
    return [values.length === 0 ? isAction : eb.or([isAction, eb(column, 'in', [...values])])]
  }
  return [...oneOf('category', allowed?.categories), ...oneOf('type', allowed?.types)]
}

const cursorOf = ({ affix, id, sentAt }: MessageCursor): Expression<SqlBool>[] => {
  const beyond = affix === 'append' ? '>' : '<'
  if (id !== undefined) return [eb('messages.id', beyond, id)]
  return sentAt === undefined ? [] : [eb('sent_at', beyond, sentAt)]
}

interface Look {
  readonly actor: Actor
  readonly scoped: Scoped
  readonly filter: MessageFilter
  readonly cursor: MessageCursor
  readonly condition: Expression<SqlBool>
}

/** What a user has saved or answered is found by its ids, and what is pinned or was changed by an index of its own. */
const isChosen = ({ actor, filter }: Look): boolean =>
  actor.kind === 'user' && ((filter.saved ?? false) || (filter.answered ?? false))
const isRare = ({ filter }: Look): boolean => (filter.pinned ?? false) || filter.changedSince !== undefined

const plainly = (tx: Tx, look: Look, condition: Expression<SqlBool>): Promise<readonly MessageRow[]> => {
  const { cursor, filter, scoped } = look
  const ofSender = filter.sender !== undefined && scoped.kind === 'plain' && scoped.conversation === undefined
  const isSorted = isRare(look) || isChosen(look) || ofSender
  const query = tx.build
    .selectFrom('messages')
    .select(MESSAGE_COLUMNS)
    .where(() => eb.and([condition, look.condition]))
    .orderBy(isSorted ? sql`+messages.id` : 'messages.id', cursor.affix === 'append' ? 'asc' : 'desc')
    .limit(cursor.limit + 1)
  return tx.query(query.compile())
}

/** Few messages, each with a look whether the user takes part where it is. */
const chosen = (tx: Tx, look: Look, sources: Sources): Promise<readonly MessageRow[]> =>
  plainly(
    tx,
    look,
    sql<SqlBool>`${ofApp(look.actor.appId)} AND EXISTS (SELECT 1 FROM (${sources}) AS sources
      WHERE sources.conversation = messages.conversation_id AND sources.low < messages.id)`,
  )

/** So that what was sent at other times is not read to find that out. */
const withinTimes = async (tx: Tx, { actor, filter, cursor }: Look, conversation: ConversationId) => {
  const { affix, id, sentAt } = cursor
  const at = id === undefined ? sentAt : undefined
  const { fromTimestamp = 0, toTimestamp } = filter
  const from = Math.max(fromTimestamp, affix === 'append' ? (at ?? 0) : 0)
  const to = affix === 'prepend' && at !== undefined ? at : filter.fromTimestamp === undefined ? undefined : toTimestamp
  if (from === 0 && to === undefined) return []
  const times = { ...(from > 0 && { from }), ...(to !== undefined && { to }) }
  const { after, upTo } = await idsBetweenTimes(tx, { app: actor.appId, conversation }, times)
  return [
    ...(after === undefined ? [] : [eb('messages.id', '>', after)]),
    ...(upTo === undefined ? [] : [eb('messages.id', '<=', upTo)]),
  ]
}

const find = async (tx: Tx, look: Look): Promise<readonly MessageRow[]> => {
  const { actor, scoped, filter, cursor, condition } = look
  switch (scoped.kind) {
    case 'plain': {
      const { conversation } = scoped
      const timely = conversation === undefined ? [] : await withinTimes(tx, look, conversation)
      if (actor.kind === 'app' || conversation === undefined)
        return plainly(tx, look, eb.and([scoped.condition, ...timely]))
      const state = await stateOf(tx, actor.appId, conversation, actor.uid)
      return plainly(
        tx,
        look,
        eb.and([scoped.condition, ...timely, beyondMarks(state, filter, isRare(look) || isChosen(look))]),
      )
    }
    case 'merged': {
      const sources = scoped.sourcesBy(marksOf(filter))
      if (isChosen(look)) return chosen(tx, look, sources)
      const direction = cursor.affix === 'append' ? 'asc' : 'desc'
      const page = { by: 'id' as const, direction, limit: cursor.limit + 1, isRare: isRare(look) } as const
      return merged(tx, { actor, sources, condition, ...page })
    }
    default:
      return scoped satisfies never
  }
}

export const messageLists = {
  list: read(
    async (
      tx,
      input: {
        actor: Actor
        scope: MessageScope
        filter: MessageFilter
        cursor: MessageCursor
        options: ViewOptions & MentionOptions
      },
    ): Promise<MessageSlice> => {
      const { actor, scope, filter, cursor, options } = input
      const by = await requireActor(tx, actor)
      const allowed = by && messagesShown(await rightsOf(tx, actor.appId, by))
      assertPermitted(allowed?.denial)
      const scoped = await scopeOf(tx, actor, scope, filter)
      const condition = eb.and([
        ...filtersOf(filter),
        ...allowedOf(allowed),
        ...personal(actor, filter),
        ...cursorOf(cursor),
      ])
      const found = (await find(tx, { actor, scoped, filter, cursor, condition })).map(toMessage)
      const hasMore = found.length > cursor.limit
      const shown = found.slice(0, cursor.limit)
      if (cursor.affix === 'prepend') shown.reverse()
      const rows = await viewed(tx, actor, shown, options)
      return { rows: await withMentions(tx, actor, rows, options), hasMore }
    },
  ),
}
