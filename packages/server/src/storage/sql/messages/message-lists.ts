/** Lists of messages: many filters, one order (by id), by cursor or by page. */
import {
  type Affix,
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  type MessageId,
  SYSTEM_UID,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { type Expression, type ExpressionBuilder, expressionBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { messagesShown } from '../../../roles/permission.policy.ts'
import { stateOf } from '../conversations/conversation-rows.ts'
import { type Mark, merged, oneToOneSources, type Sources, sourcesOf } from '../conversations/merged-lists.ts'
import { membershipOf, requireGroup } from '../groups/group-rows.ts'
import { assertPermitted, rightsOf } from '../roles/role-rows.ts'
import type { Schema } from '../schema.ts'
import { read, type Tx } from '../seam.ts'
import { requireActor, requireUser } from '../users/user-rows.ts'
import { type MentionOptions, withMentions } from './mention-views.ts'
import { assertTakesPart, requireMessage } from './message-access.ts'
import { allowedOf, filtersOf, type MessageFilter, personal } from './message-filters.ts'
import { MESSAGE_COLUMNS, type MessageRow, toMessage } from './message-rows.ts'
import { idsBetweenTimes } from './message-times.ts'
import { type ViewedMessage, type ViewOptions, viewed } from './message-views.ts'

/** Where to look. */
export type MessageScope =
  /** The whole app, or everything that the acting user takes part in. */
  | { readonly kind: 'all' }
  /** With an acting user: their conversation with `uid`. Without: all one-to-one messages of `uid`. */
  | { readonly kind: 'user'; readonly uid: Uid }
  | { readonly kind: 'group'; readonly guid: Guid }
  | { readonly kind: 'thread'; readonly parentId: MessageId }

export interface MessageCursor {
  readonly affix: Affix
  /** Exclusive. */
  readonly id?: number
  readonly sentAt?: number
  readonly limit: number
  /** How many of those beyond the cursor are left out: the pages before. */
  readonly skip?: number
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
      if (scope.uid !== SYSTEM_UID) await requireUser(tx, app, scope.uid)
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

/** Up to where messages of a conversation are not shown to a user. */
const marksOf = ({ unread, undelivered }: MessageFilter): readonly Mark[] => [
  'hidden_id',
  ...(unread ? (['read_id'] as const) : []),
  ...(undelivered ? (['delivered_id'] as const) : []),
]

/** Where only a time is said: ids tell it but roughly. */
const timeOf = ({ affix, id, sentAt }: MessageCursor): Expression<SqlBool>[] =>
  id !== undefined || sentAt === undefined ? [] : [eb('sent_at', affix === 'append' ? '>' : '<', sentAt)]

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

/** `after` excluded, `upTo` included. */
interface IdRange {
  readonly after?: number
  readonly upTo?: number
}

const cursorOf = ({ affix, id }: MessageCursor): IdRange =>
  id === undefined ? {} : affix === 'append' ? { after: id } : { upTo: id - 1 }

/** What lies in all of them, so that the engine is told one bound at either end (`merged` says why). */
const common = (...ranges: readonly IdRange[]): IdRange => {
  const afters = ranges.flatMap(({ after }) => after ?? [])
  const upTos = ranges.flatMap(({ upTo }) => upTo ?? [])
  return {
    ...(afters.length > 0 && { after: Math.max(...afters) }),
    ...(upTos.length > 0 && { upTo: Math.min(...upTos) }),
  }
}

const plainly = (
  tx: Tx,
  look: Look,
  condition: Expression<SqlBool>,
  { after, upTo }: IdRange,
): Promise<readonly MessageRow[]> => {
  const { cursor, filter, scoped } = look
  const ofSender = filter.sender !== undefined && scoped.kind === 'plain' && scoped.conversation === undefined
  const isSorted = isRare(look) || isChosen(look) || ofSender
  // Then another index than that by id is to be taken.
  const id = isSorted ? sql<number>`+messages.id` : sql<number>`messages.id`
  const bounds = [
    ...(after === undefined ? [] : [sql<SqlBool>`${id} > ${after}`]),
    ...(upTo === undefined ? [] : [sql<SqlBool>`${id} <= ${upTo}`]),
  ]
  const query = tx.build
    .selectFrom('messages')
    .select(MESSAGE_COLUMNS)
    .where(() => eb.and([condition, ...bounds, look.condition]))
    .orderBy(id, cursor.affix === 'append' ? 'asc' : 'desc')
    .limit(cursor.limit + 1)
    .offset(cursor.skip ?? 0)
  return tx.query(query.compile())
}

/** Few messages, each with a look whether the user takes part where it is. */
const chosen = (tx: Tx, look: Look, sources: Sources): Promise<readonly MessageRow[]> =>
  plainly(
    tx,
    look,
    sql<SqlBool>`${ofApp(look.actor.appId)} AND EXISTS (SELECT 1 FROM (${sources}) AS sources
      WHERE sources.conversation = messages.conversation_id AND sources.low < messages.id)`,
    cursorOf(look.cursor),
  )

/** So that what was sent at other times is not read to find that out. */
const withinTimes = async (tx: Tx, { actor, filter, cursor }: Look, conversation: ConversationId): Promise<IdRange> => {
  const { affix, id, sentAt } = cursor
  const at = id === undefined ? sentAt : undefined
  const { fromTimestamp = 0, toTimestamp } = filter
  const from = Math.max(fromTimestamp, affix === 'append' ? (at ?? 0) : 0)
  const to = affix === 'prepend' && at !== undefined ? at : filter.fromTimestamp === undefined ? undefined : toTimestamp
  if (from === 0 && to === undefined) return {}
  const times = { ...(from > 0 && { from }), ...(to !== undefined && { to }) }
  return idsBetweenTimes(tx, { app: actor.appId, conversation }, times)
}

/** What the acting user has not deleted, nor read if that is asked for. */
const beyondMarks = async (tx: Tx, { actor, filter }: Look, conversation: ConversationId): Promise<IdRange> => {
  if (actor.kind === 'app') return {}
  const state = await stateOf(tx, actor.appId, conversation, actor.uid)
  return { after: Math.max(...marksOf(filter).map((mark) => state[mark])) }
}

const find = async (tx: Tx, look: Look): Promise<readonly MessageRow[]> => {
  const { actor, scoped, filter, cursor, condition } = look
  const range = cursorOf(cursor)
  switch (scoped.kind) {
    case 'plain': {
      const { conversation } = scoped
      if (conversation === undefined) return plainly(tx, look, scoped.condition, range)
      const times = await withinTimes(tx, look, conversation)
      return plainly(tx, look, scoped.condition, common(range, times, await beyondMarks(tx, look, conversation)))
    }
    case 'merged': {
      const sources = scoped.sourcesBy(marksOf(filter))
      if (isChosen(look)) return chosen(tx, look, sources)
      const direction = cursor.affix === 'append' ? 'asc' : 'desc'
      const { limit, skip = 0 } = cursor
      const page = { by: 'id' as const, direction, limit: skip + limit + 1, isRare: isRare(look) } as const
      return (await merged(tx, { actor, sources, range, condition, ...page })).slice(skip)
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
        ...timeOf(cursor),
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
