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
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../kernel/actor.ts'
import { AppError } from '../../kernel/app-error.ts'
import { messagesShown } from '../../roles/permission.policy.ts'
import { type ConversationState, stateOf } from './conversation-rows.ts'
import { membershipOf, requireGroup } from './group-rows.ts'
import { contains, holdsOneOf } from './lists.ts'
import { conversationsOf, oneToOneOf } from './membership.ts'
import { type MentionOptions, withMentions } from './mention-views.ts'
import { MESSAGE_COLUMNS, toMessage } from './message-rows.ts'
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

interface Scoped {
  readonly condition: (eb: Where) => Expression<SqlBool>
  /** The one conversation that it is, if it is one. */
  readonly conversation?: ConversationId
}

const only = (conversation: ConversationId): Scoped => ({
  condition: (eb) => eb('conversation_id', '=', conversation),
  conversation,
})

/** What the scope asks for, once it is known that the actor may ask. */
const scopeOf = async (tx: Tx, actor: Actor, scope: MessageScope): Promise<Scoped> => {
  const app = actor.appId
  switch (scope.kind) {
    case 'all':
      return { condition: (eb) => (actor.kind === 'user' ? conversationsOf(eb, actor) : eb.lit(true)) }
    case 'user': {
      await requireUser(tx, app, scope.uid)
      if (actor.kind === 'user') return only(userConversationId(actor.uid, scope.uid))
      return { condition: (eb) => eb('conversation_id', 'in', oneToOneOf(eb, app, scope.uid)) }
    }
    case 'group': {
      await requireGroup(tx, app, scope.guid)
      if (actor.kind === 'user' && (await membershipOf(tx, app, scope.guid, actor.uid)) === undefined) {
        throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid: scope.guid } })
      }
      return only(groupConversationId(scope.guid))
    }
    case 'thread':
      return {
        condition: (eb) =>
          actor.kind === 'user'
            ? eb.and([eb('parent_id', '=', Number(scope.parentId)), conversationsOf(eb, actor)])
            : eb('parent_id', '=', Number(scope.parentId)),
      }
    default:
      return scope satisfies never
  }
}

const filtersOf = (eb: Where, filter: MessageFilter): Expression<SqlBool>[] => {
  const all: Expression<SqlBool>[] = []
  if (filter.receiverType !== undefined) all.push(eb('receiver_type', '=', filter.receiverType))
  if (filter.conversationId !== undefined) all.push(eb('conversation_id', '=', filter.conversationId))
  if (filter.sender !== undefined) all.push(eb('sender', '=', filter.sender))
  if (filter.categories?.length) all.push(eb('category', 'in', [...filter.categories]))
  if (filter.types?.length) all.push(eb('type', 'in', [...filter.types]))
  // Edits and deletions show on the messages themselves; who wants to follow them asks for category action, type message.
  else all.push(eb.or([eb('category', '!=', 'action'), eb('type', '!=', 'message')]))
  if (filter.tags?.length) all.push(holdsOneOf('tags', filter.tags))
  if (filter.searchKey) all.push(eb.and([contains('text', filter.searchKey), eb('deleted_at', 'is', null)]))
  if (filter.hideDeleted) all.push(eb('deleted_at', 'is', null))
  if (filter.onlyDeleted) all.push(eb('deleted_at', 'is not', null))
  if (filter.hideReplies) all.push(eb('parent_id', 'is', null))
  if (filter.hideQuoted) all.push(eb('quoted_id', 'is', null))
  all.push(...contentsOf(eb, filter))
  if (filter.fromTimestamp !== undefined) {
    all.push(eb('sent_at', '>=', filter.fromTimestamp))
    if (filter.toTimestamp !== undefined) all.push(eb('sent_at', '<=', filter.toTimestamp))
  }
  return all
}

const LINK = ['%http://%', '%https://%']

/** What stands in a message, as far as it says so. */
const contentsOf = (eb: Where, filter: MessageFilter): Expression<SqlBool>[] => {
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

/** What depends on who asks. */
const personal = async (tx: Tx, actor: Actor, filter: MessageFilter, { conversation }: Scoped) => {
  if (actor.kind === 'app') return (): Expression<SqlBool>[] => []
  const { appId: app, uid } = actor
  const state = conversation === undefined ? undefined : await stateOf(tx, app, conversation, uid)
  return (eb: Where): Expression<SqlBool>[] => {
    const all: Expression<SqlBool>[] = [beyond(app, uid, 'hidden_id', state)]
    if (filter.unread || filter.undelivered) {
      all.push(eb('sender', '!=', uid), eb('category', '!=', 'action'), eb('deleted_at', 'is', null))
    }
    if (filter.unread) all.push(beyond(app, uid, 'read_id', state))
    if (filter.undelivered) all.push(beyond(app, uid, 'delivered_id', state))
    if (filter.hideBlocked) all.push(eb('sender', 'not in', blockedBy(eb, app, uid)))
    if (filter.saved) all.push(eb('id', 'in', savedBy(eb, app, uid)))
    if (filter.answered) all.push(eb('id', 'in', answeredBy(eb, uid)))
    return all
  }
}

/** Of one conversation the mark is known, and bounds what is looked at. */
const beyond = (
  app: AppId,
  uid: Uid,
  mark: 'hidden_id' | 'read_id' | 'delivered_id',
  state: ConversationState | undefined,
): Expression<SqlBool> =>
  state === undefined
    ? sql<SqlBool>`NOT EXISTS (SELECT 1 FROM user_conversations
        WHERE user_conversations.app_id = ${app} AND user_conversations.conversation_id = messages.conversation_id
          AND user_conversations.uid = ${uid} AND ${sql.ref(`user_conversations.${mark}`)} >= messages.id)`
    : sql<SqlBool>`messages.id > ${state[mark]}`

const blockedBy = (eb: Where, app: AppId, uid: Uid) =>
  eb.selectFrom('blocked_users').select('blocked_uid').where('app_id', '=', app).where('uid', '=', uid)

const savedBy = (eb: Where, app: AppId, uid: Uid) =>
  eb.selectFrom('saved_messages').select('message_id').where('app_id', '=', app).where('uid', '=', uid)

const answeredBy = (eb: Where, uid: Uid) =>
  eb.selectFrom('interactions').select('message_id').where('uid', '=', uid).where('completes', '=', 1)

/** What the role of whoever asks lets them see; what happened in a conversation is told to everybody in it. */
const allowedOf = (eb: Where, allowed: ReturnType<typeof messagesShown> | undefined): Expression<SqlBool>[] => {
  const isAction = eb('category', '=', 'action')
  const oneOf = (column: 'category' | 'type', values: readonly string[] | undefined): Expression<SqlBool>[] => {
    if (values === undefined) return []
    return [values.length === 0 ? isAction : eb.or([isAction, eb(column, 'in', [...values])])]
  }
  return [...oneOf('category', allowed?.categories), ...oneOf('type', allowed?.types)]
}

const cursorOf = (eb: Where, { affix, id, sentAt }: MessageCursor): Expression<SqlBool>[] => {
  const beyond = affix === 'append' ? '>' : '<'
  if (id !== undefined) return [eb('id', beyond, id)]
  return sentAt === undefined ? [] : [eb('sent_at', beyond, sentAt)]
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
      const scoped = await scopeOf(tx, actor, scope)
      const forActor = await personal(tx, actor, filter, scoped)
      const query = tx.build
        .selectFrom('messages')
        .select(MESSAGE_COLUMNS)
        .where('app_id', '=', actor.appId)
        .where((eb) =>
          eb.and([
            scoped.condition(eb),
            ...filtersOf(eb, filter),
            ...allowedOf(eb, allowed),
            ...forActor(eb),
            ...cursorOf(eb, cursor),
          ]),
        )
        .orderBy('id', cursor.affix === 'append' ? 'asc' : 'desc')
        .limit(cursor.limit + 1)
      const found = (await tx.query(query.compile())).map(toMessage)
      const hasMore = found.length > cursor.limit
      const shown = found.slice(0, cursor.limit)
      if (cursor.affix === 'prepend') shown.reverse()
      const rows = await viewed(tx, actor, shown, options)
      return { rows: await withMentions(tx, actor, rows, options), hasMore }
    },
  ),
}
