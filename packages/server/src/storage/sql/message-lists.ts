/** Lists of messages: many filters, one order (by id), cursors instead of pages. */
import {
  type Affix,
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  type MessageId,
  type ReceiverType,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../kernel/actor.ts'
import { AppError } from '../../kernel/app-error.ts'
import type { StoredMessage } from '../../messages/message.ts'
import { messagesShown } from '../../roles/permission.policy.ts'
import { membershipOf, requireGroup } from './group-rows.ts'
import { contains, holdsOneOf } from './lists.ts'
import { MESSAGE_COLUMNS, toMessage } from './message-rows.ts'
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
  readonly hideDeleted: boolean
  readonly onlyDeleted: boolean
  readonly hideReplies: boolean
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
  readonly rows: readonly StoredMessage[]
  readonly hasMore: boolean
}

type Where = ExpressionBuilder<Schema, 'messages'>

const oneToOneOf = (eb: Where, app: AppId, uid: Uid) => {
  const conversations = eb
    .selectFrom('conversations')
    .select('conversations.id')
    .where('conversations.app_id', '=', app)
  return conversations
    .where('conversations.user_a', '=', uid)
    .unionAll(conversations.where('conversations.user_b', '=', uid))
}

const groupsOf = (eb: Where, app: AppId, uid: Uid) =>
  eb
    .selectFrom('members')
    .select(sql<ConversationId>`'group_' || members.guid`.as('id'))
    .where('members.app_id', '=', app)
    .where('members.uid', '=', uid)

/** The conversations in which the user takes part. */
const ofUser = (eb: Where, app: AppId, uid: Uid): Expression<SqlBool> =>
  eb('conversation_id', 'in', oneToOneOf(eb, app, uid).unionAll(groupsOf(eb, app, uid)))

/** What the scope asks for, once it is known that the actor may ask. */
const scopeOf = async (tx: Tx, actor: Actor, scope: MessageScope): Promise<(eb: Where) => Expression<SqlBool>> => {
  const app = actor.appId
  switch (scope.kind) {
    case 'all':
      return (eb) => (actor.kind === 'user' ? ofUser(eb, app, actor.uid) : eb.lit(true))
    case 'user': {
      await requireUser(tx, app, scope.uid)
      if (actor.kind === 'app') return (eb) => eb('conversation_id', 'in', oneToOneOf(eb, app, scope.uid))
      return (eb) => eb('conversation_id', '=', userConversationId(actor.uid, scope.uid))
    }
    case 'group': {
      await requireGroup(tx, app, scope.guid)
      if (actor.kind === 'user' && (await membershipOf(tx, app, scope.guid, actor.uid)) === undefined) {
        throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid: scope.guid } })
      }
      return (eb) => eb('conversation_id', '=', groupConversationId(scope.guid))
    }
    case 'thread':
      return (eb) =>
        actor.kind === 'user'
          ? eb.and([eb('parent_id', '=', Number(scope.parentId)), ofUser(eb, app, actor.uid)])
          : eb('parent_id', '=', Number(scope.parentId))
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
  if (filter.fromTimestamp !== undefined) {
    all.push(eb('sent_at', '>=', filter.fromTimestamp))
    if (filter.toTimestamp !== undefined) all.push(eb('sent_at', '<=', filter.toTimestamp))
  }
  return all
}

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
      input: { actor: Actor; scope: MessageScope; filter: MessageFilter; cursor: MessageCursor },
    ): Promise<MessageSlice> => {
      const { actor, scope, filter, cursor } = input
      const by = await requireActor(tx, actor)
      const allowed = by && messagesShown(await rightsOf(tx, actor.appId, by))
      assertPermitted(allowed?.denial)
      const inScope = await scopeOf(tx, actor, scope)
      const query = tx.build
        .selectFrom('messages')
        .select(MESSAGE_COLUMNS)
        .where('app_id', '=', actor.appId)
        .where((eb) =>
          eb.and([inScope(eb), ...filtersOf(eb, filter), ...allowedOf(eb, allowed), ...cursorOf(eb, cursor)]),
        )
        .orderBy('id', cursor.affix === 'append' ? 'asc' : 'desc')
        .limit(cursor.limit + 1)
      const rows = (await tx.query(query.compile())).map(toMessage)
      const hasMore = rows.length > cursor.limit
      const shown = rows.slice(0, cursor.limit)
      return { rows: cursor.affix === 'append' ? shown : shown.reverse(), hasMore }
    },
  ),
}
