/** Messages as rows, and the one way by which a message, of whatever kind, enters a conversation. */
import {
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  type MessageId,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
  type User,
} from '@confab/protocol'
import type { Selectable } from 'kysely'
import { rememberingFrozen } from '../../../kernel/remembering.ts'
import { type MessageView, messageJson, type StoredMessage } from '../../../messages/message.ts'
import { systemUser, userEntity, userEntityText } from '../../../users/user.ts'
import { findGroupRow, type GroupRow, groupEntity } from '../groups/group-rows.ts'
import type { Bit, Schema } from '../schema.ts'
import { statement, type Tx } from '../seam.ts'
import { findActive, toUser, type UserRow } from '../users/user-rows.ts'

export type MessageRow = Omit<Selectable<Schema['messages']>, 'app_id' | 'text' | 'last_reply_id'>

export const MESSAGE_COLUMNS = [
  'id',
  'conversation_id',
  'sender',
  'receiver_type',
  'receiver',
  'category',
  'type',
  'data',
  'tags',
  'muid',
  'parent_id',
  'sent_at',
  'updated_at',
  'edited_at',
  'edited_by',
  'deleted_at',
  'deleted_by',
  'reactions',
  'quoted_id',
  'pinned_at',
  'pinned_by',
  'reply_count',
] as const

export const idOf = (id: number): MessageId => String(id) as MessageId
const idOrNull = (id: number | null): MessageId | null => (id === null ? null : idOf(id))

export const toMessage = (row: MessageRow): StoredMessage => ({
  id: idOf(row.id),
  conversationId: row.conversation_id,
  sender: row.sender,
  receiverType: row.receiver_type,
  receiver: row.receiver,
  category: row.category,
  type: row.type,
  data: row.data,
  tags: row.tags,
  muid: row.muid,
  parentId: idOrNull(row.parent_id),
  sentAt: row.sent_at,
  updatedAt: row.updated_at,
  editedAt: row.edited_at,
  editedBy: row.edited_by,
  deletedAt: row.deleted_at,
  deletedBy: row.deleted_by,
  reactions: row.reactions,
  quotedId: idOrNull(row.quoted_id),
  pinnedAt: row.pinned_at,
  pinnedBy: row.pinned_by,
  replyCount: row.reply_count,
})

/**
 * Locks the conversation, also where there is nothing to write, until the transaction ends: messages get their ids, and
 * lanes their sequences, in one order. `moves`: the conversation goes to the top of lists.
 */
const enterConversation = statement<{
  app: string
  id: string
  type: string
  a: string | null
  b: string | null
  moves: Bit
  now: number
}>(
  'conversations.enter',
  `INSERT INTO conversations (app_id, id, type, user_a, user_b, created_at, updated_at)
   VALUES (:app, :id, :type, :a, :b, :now, :now)
   ON CONFLICT (app_id, id) DO UPDATE SET updated_at = excluded.updated_at
     WHERE :moves = 1 AND conversations.updated_at <> excluded.updated_at`,
)
const insertMessage = statement<{
  app: string
  conversation: string
  sender: string
  receiverType: string
  receiver: string
  category: string
  type: string
  data: string
  text: string | null
  tags: string | null
  muid: string | null
  parent: number | null
  quoted: number | null
  now: number
}>(
  'messages.insert',
  `INSERT INTO messages (app_id, conversation_id, sender, receiver_type, receiver, category, type, data, text, tags, muid,
                         parent_id, quoted_id, sent_at, updated_at)
   VALUES (:app, :conversation, :sender, :receiverType, :receiver, :category, :type, :data, :text, :tags, :muid,
           :parent, :quoted, :now, :now) {RETURNING_ID}`,
)

export interface NewMessage {
  readonly app: AppId
  readonly conversationId: ConversationId
  readonly sender: Uid
  readonly receiverType: ReceiverType
  readonly receiver: string
  readonly category: string
  readonly type: string
  /** JSON object, with entities. */
  readonly data: string
  readonly text: string | null
  readonly tags: string | null
  readonly muid: string | null
  readonly parentId: MessageId | null
  readonly quotedId?: MessageId | null
  readonly now: number
}

const numberOrNull = (id: MessageId | null): number | null => (id === null ? null : Number(id))

/** Replies stay in their thread, and edits where they are: neither moves the conversation. */
const movesConversation = ({ parentId, category, type }: NewMessage): Bit =>
  parentId === null && !(category === 'action' && type === 'message') ? 1 : 0

export const writeMessage = async (tx: Tx, message: NewMessage): Promise<StoredMessage> => {
  const { app, conversationId, receiverType, now, parentId, quotedId = null, text, ...shared } = message
  const [a, b] = receiverType === 'user' ? [message.sender, message.receiver] : [null, null]
  const moves = movesConversation(message)
  await tx.run(enterConversation, { app, id: conversationId, type: receiverType, a, b, moves, now })
  const id = await tx.insert(insertMessage, {
    app,
    conversation: conversationId,
    sender: message.sender,
    receiverType,
    receiver: message.receiver,
    category: message.category,
    type: message.type,
    data: message.data,
    text,
    tags: message.tags,
    muid: message.muid,
    parent: numberOrNull(parentId),
    quoted: numberOrNull(quotedId),
    now,
  })
  return {
    ...shared,
    id: idOf(id),
    conversationId,
    receiverType,
    parentId,
    quotedId,
    sentAt: now,
    updatedAt: now,
    editedAt: null,
    editedBy: null,
    deletedAt: null,
    deletedBy: null,
    reactions: null,
    pinnedAt: null,
    pinnedBy: null,
    replyCount: 0,
  }
}

// Entities: who took part, as they are at this moment -------------------------------------------------------------

const entityJson = (entity: string, entityType: 'user' | 'group'): string =>
  `{"entity":${entity},"entityType":"${entityType}"}`

/** Rows that an engine remembers are frozen, and come again with every message of their user. */
const entityTextOf = rememberingFrozen((row: UserRow) => userEntityText(toUser(row)))

/** The user as an entity, or the app if nobody is named. */
export const userEntityJson = (
  user: UserRow | undefined,
  appCreatedAt: number,
  conversationId?: ConversationId,
): string =>
  entityJson(
    user === undefined
      ? JSON.stringify(userEntity(systemUser(appCreatedAt), conversationId))
      : entityTextOf(user)(conversationId),
    'user',
  )

export const groupEntityJson = (group: GroupRow, membership?: Parameters<typeof groupEntity>[1]): string =>
  entityJson(JSON.stringify(groupEntity(group, membership)), 'group')

/** `data.mentions`: the mentioned users that exist, by uid. */
export const mentionsJson = async (tx: Tx, app: AppId, mentions: readonly Uid[]): Promise<string | undefined> => {
  const found: [Uid, User][] = []
  for (const uid of mentions) {
    const user = await findActive(tx, app, uid)
    if (user !== undefined) found.push([uid, userEntity(toUser(user))])
  }
  return found.length === 0 ? undefined : JSON.stringify(Object.fromEntries(found))
}

// Action messages: what happened in a conversation ----------------------------------------------------------------

export type GroupAction = 'joined' | 'left' | 'added' | 'kicked' | 'banned' | 'unbanned' | 'scopeChanged'

/** Tells the group what happened to a member. `by` is undefined when the app itself acts. */
export const writeGroupAction = async (
  tx: Tx,
  input: {
    app: AppId
    appCreatedAt: number
    group: GroupRow
    action: GroupAction
    by: UserRow | undefined
    on: UserRow
    scopes?: { old: string; new: string }
    now: number
  },
): Promise<StoredMessage> => {
  const { app, appCreatedAt, by, on, now, scopes } = input
  const group = (await findGroupRow(tx, app, input.group.guid)) ?? input.group
  const extras = scopes === undefined ? '' : `"extras":${JSON.stringify({ scope: scopes })},`
  return writeMessage(tx, {
    app,
    conversationId: groupConversationId(group.guid),
    sender: by?.uid ?? SYSTEM_UID,
    receiverType: 'group',
    receiver: group.guid,
    category: 'action',
    type: 'groupMember',
    data:
      `{"action":"${input.action}",${extras}"entities":{"by":${userEntityJson(by, appCreatedAt)}` +
      `,"on":${userEntityJson(on, appCreatedAt)},"for":${groupEntityJson(group)}}}`,
    text: null,
    tags: null,
    muid: null,
    parentId: null,
    now,
  })
}

/** Tells the conversation that a message was edited or deleted; `message` is as it is after that, `view` as all see it. */
export const writeMessageAction = async (
  tx: Tx,
  input: {
    app: AppId
    appCreatedAt: number
    action: 'edited' | 'deleted'
    by: UserRow | undefined
    message: StoredMessage
    view: MessageView
    now: number
  },
): Promise<StoredMessage> => {
  const { app, appCreatedAt, action, message, view, now } = input
  // What the app changes is told as its author's own; `editedBy` and `deletedBy` say who did it.
  const by = input.by ?? (message.sender === SYSTEM_UID ? undefined : await findActive(tx, app, message.sender as Uid))
  const forJson =
    message.receiverType === 'group'
      ? await findGroupRow(tx, app, message.receiver as Guid).then((row) => row && groupEntityJson(row))
      : await findActive(tx, app, message.receiver as Uid).then(
          (row) => row && userEntityJson(row, appCreatedAt, message.conversationId),
        )
  return writeMessage(tx, {
    app,
    conversationId: message.conversationId,
    sender: by?.uid ?? SYSTEM_UID,
    receiverType: message.receiverType,
    receiver: message.receiver,
    category: 'action',
    type: 'message',
    data:
      `{"action":"${action}","entities":{"by":${userEntityJson(by, appCreatedAt)}` +
      `${forJson === undefined ? '' : `,"for":${forJson}`}` +
      `,"on":{"entity":${messageJson(message, { withTags: true, view })},"entityType":"message"}}}`,
    text: null,
    tags: null,
    muid: null,
    parentId: null,
    now,
  })
}
