/** Which messages a list is asked for: as a condition on each, whatever it is looked for among. */
import { type AppId, type ConversationId, mediaTypes, type ReceiverType, type Uid } from '@confab/protocol'
import { type Expression, type ExpressionBuilder, expressionBuilder, type SqlBool } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import type { messagesShown } from '../../../roles/permission.policy.ts'
import { contains, holdsOneOf } from '../lists.ts'
import type { Schema } from '../schema.ts'

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
  /** Also the messages that tell of edits and deletions. */
  readonly withEdits?: boolean
  readonly fromTimestamp?: number
  readonly toTimestamp?: number
}

type Where = ExpressionBuilder<Schema, 'messages'>

const eb: Where = expressionBuilder<Schema, 'messages'>()

export const filtersOf = (filter: MessageFilter): Expression<SqlBool>[] => {
  const all: Expression<SqlBool>[] = []
  if (filter.receiverType !== undefined) all.push(eb('receiver_type', '=', filter.receiverType))
  if (filter.conversationId !== undefined) all.push(eb('conversation_id', '=', filter.conversationId))
  if (filter.sender !== undefined) all.push(eb('sender', '=', filter.sender))
  if (filter.categories?.length) all.push(eb('category', 'in', [...filter.categories]))
  if (filter.withoutCategories?.length) all.push(eb('category', 'not in', [...filter.withoutCategories]))
  if (filter.types?.length) all.push(eb('type', 'in', [...filter.types]))
  // Edits and deletions show on the messages themselves; who wants to follow them asks for category action, type message.
  else if (!filter.withEdits) all.push(eb.or([eb('category', '!=', 'action'), eb('type', '!=', 'message')]))
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

/** What depends on who asks, but for the marks. */
export const personal = (actor: Actor, filter: MessageFilter): Expression<SqlBool>[] => {
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
export const allowedOf = (allowed: ReturnType<typeof messagesShown> | undefined): Expression<SqlBool>[] => {
  const isAction = eb('category', '=', 'action')
  const oneOf = (column: 'category' | 'type', values: readonly string[] | undefined): Expression<SqlBool>[] => {
    if (values === undefined) return []
    return [values.length === 0 ? isAction : eb.or([isAction, eb(column, 'in', [...values])])]
  }
  return [...oneOf('category', allowed?.categories), ...oneOf('type', allowed?.types)]
}
