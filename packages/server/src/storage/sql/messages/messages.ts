import {
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  type MessageId,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { isForBot, mayBeRelayed } from '../../../callbacks/relay.ts'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import { type Actor, actorUid } from '../../../kernel/actor.ts'
import { AppError, badRequest } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { type Draft, draftEdit } from '../../../messages/draft.ts'
import { messageJson, type StoredMessage, sharedView } from '../../../messages/message.ts'
import type { Rights } from '../../../roles/permission.policy.ts'
import { announce } from '../delivery/announce.ts'
import { type BotRow, botsOfGroup, findBotRow } from '../delivery/bot-rows.ts'
import { membershipOf, requireGroup } from '../groups/group-rows.ts'
import { assertMaySendToGroup, assertMaySendToUser } from '../roles/may-send.ts'
import { toRights } from '../roles/role-rows.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireActor, requireParticipant, touch, type UserRow } from '../users/user-rows.ts'
import { linkFiles, relinkFiles, unlinkFiles } from './files.ts'
import { assertTakesPart, findMessage, openForChange, requireMessage } from './message-access.ts'
import { tellOfMessage, textOf } from './message-news.ts'
import {
  groupEntityJson,
  MESSAGE_COLUMNS,
  type MessageRow,
  mentionsJson,
  toMessage,
  userEntityJson,
  writeMessage,
  writeMessageAction,
} from './message-rows.ts'
import { idsBetweenTimes } from './message-times.ts'
import { receiptsOf, type ViewedMessage, type ViewOptions, viewed } from './message-views.ts'
import { addReply, dropReply } from './threads.ts'

const COLUMNS = MESSAGE_COLUMNS.join(', ')

const OF_MUID = `SELECT ${COLUMNS} FROM messages
   WHERE app_id = :app AND sender = :sender AND muid = :muid AND sent_at > :since`
const ofMuid = statement<{ app: string; sender: string; muid: string; since: number }, MessageRow>(
  'messages.of_muid',
  `${OF_MUID} ORDER BY id`,
)
export const ofMuidTo = statement<
  { app: string; sender: string; muid: string; since: number; receiverType: string; receiver: string },
  MessageRow
>('messages.of_muid_to', `${OF_MUID} AND receiver_type = :receiverType AND receiver = :receiver ORDER BY id`)
/** Of two senders of one muid, the second waits here until the first's message is there. SQLite has one writer. */
const lockMuid = statement<{ key: string }, { locked: null }>(
  'messages.lock_muid',
  'SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)) AS locked',
)
const editMessage = statement<{
  id: number
  data: string
  text: string | null
  tags: string | null
  now: number
  by: string
}>(
  'messages.edit',
  `UPDATE messages SET data = :data, text = :text, tags = :tags, edited_at = :now, edited_by = :by, updated_at = :now
   WHERE id = :id`,
)
const markDeleted = statement<{ id: number; now: number; by: string }>(
  'messages.mark_deleted',
  'UPDATE messages SET deleted_at = :now, deleted_by = :by, updated_at = :now WHERE id = :id',
)
const actionsAt = statement<{ app: string; conversation: string; after: number; upTo: number; at: number }, MessageRow>(
  'messages.actions_at',
  `SELECT ${COLUMNS} FROM messages WHERE app_id = :app AND conversation_id = :conversation
   AND id > :after AND id <= :upTo AND category = 'action' AND type = 'message' AND sent_at = :at ORDER BY id`,
)
const someOfConversation = statement<{ app: string; conversation: string; limit: number }, { id: number }>(
  'messages.some_of_conversation',
  'SELECT id FROM messages WHERE app_id = :app AND conversation_id = :conversation ORDER BY id LIMIT :limit',
)
const someOfUser = statement<{ app: string; uid: string; limit: number }, { id: number }>(
  'messages.some_of_user',
  `SELECT id FROM messages WHERE app_id = :app AND (sender = :uid OR conversation_id IN (
     SELECT id FROM conversations WHERE app_id = :app AND user_a = :uid UNION ALL
     SELECT id FROM conversations WHERE app_id = :app AND user_b = :uid))
   LIMIT :limit`,
)

/** The messages with all that hangs on them. */
export const removeForGood = async (tx: Tx, ids: readonly number[], now: number): Promise<void> => {
  if (ids.length === 0) return
  for (const table of ['reactions', 'interactions', 'saved_messages', 'message_flags'] as const) {
    await tx.query(tx.build.deleteFrom(table).where('message_id', 'in', ids).compile())
  }
  await tx.query(tx.build.deleteFrom('thread_followers').where('root_id', 'in', ids).compile())
  await tx.query(tx.build.deleteFrom('messages').where('id', 'in', ids).compile())
  await unlinkFiles(tx, ids, now)
}

export interface AppendMessage {
  readonly actor: Actor
  /** Who the message is from: the acting user, a bot, or `app_system`. */
  readonly sender: Uid
  readonly appCreatedAt: number
  readonly receiverType: ReceiverType
  readonly receiver: string
  readonly draft: Draft
  /** JSON, or nothing. */
  readonly tags: string | null
  readonly muid: string | null
  /** The muid means one message whenever it comes again, not only for a day. */
  readonly muidForEver: boolean
  /** One call has several receivers: its muid stands for one message to each. */
  readonly toMany: boolean
  readonly parentId: MessageId | null
  readonly quotedId: MessageId | null
  readonly resource: string
  readonly telling: Telling
}

export interface Appended {
  readonly message: StoredMessage
  readonly quoted: StoredMessage | undefined
  /** False for the repetition of a muid: the message is the first one. */
  readonly isNew: boolean
  readonly told: Told
}

/** Who sends: the app itself is no user, and nothing is forbidden to it. */
interface Sender {
  readonly row: UserRow | undefined
  readonly isBot: boolean
  readonly rights: Rights | undefined
}

interface Receiver {
  readonly conversationId: ConversationId
  readonly json: string
  /** Those that may be asked whether they want to hear the message. */
  readonly bots: readonly BotRow[]
}

const receiverUser = async (tx: Tx, input: AppendMessage, { rights }: Sender): Promise<Receiver> => {
  const app = input.actor.appId
  const uid = input.receiver as Uid
  const conversationId = userConversationId(input.sender, uid)
  const { row, isBot } = await requireParticipant(tx, app, uid, 'receiver')
  if (rights !== undefined)
    await assertMaySendToUser(tx, { app, sender: input.sender, rights, draft: input.draft }, row)
  const bot = isBot && uid !== input.sender ? await findBotRow(tx, app, uid) : undefined
  return {
    conversationId,
    json: userEntityJson(row, input.appCreatedAt, conversationId),
    bots: bot?.enabled === 1 ? [bot] : [],
  }
}

const receiverGroup = async (tx: Tx, input: AppendMessage, { rights }: Sender): Promise<Receiver> => {
  const app = input.actor.appId
  const guid = input.receiver as Guid
  const row = await requireGroup(tx, app, guid)
  const membership = input.sender === SYSTEM_UID ? undefined : await membershipOf(tx, app, guid, input.sender)
  if (input.sender !== SYSTEM_UID && membership === undefined)
    throw new AppError('ERR_GROUP_NOT_JOINED', { details: { receiver: guid } })
  if (rights !== undefined) {
    const isReply = input.parentId !== null
    assertMaySendToGroup({ rights, draft: input.draft, isReply }, row, membership)
  }
  const bots = (await tx.all(botsOfGroup, { app, guid })).filter(
    (bot) =>
      bot.uid !== input.sender &&
      isForBot({ uid: bot.uid, groupChatSetting: bot.group_chat_setting }, input.draft.text),
  )
  return { conversationId: groupConversationId(guid), json: groupEntityJson(row, membership), bots }
}

const findQuoted = async (tx: Tx, app: AppId, id: MessageId | null): Promise<StoredMessage | undefined> => {
  const row = id === null ? undefined : await tx.first(findMessage, { app, id: Number(id) })
  return row && toMessage(row)
}

/** A reply goes where its thread is. */
export const checkThread = async (
  tx: Tx,
  app: AppId,
  parentId: MessageId,
  conversationId: ConversationId,
): Promise<void> => {
  const parent = await tx.first(findMessage, { app, id: Number(parentId) })
  if (parent === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { id: parentId } })
  if (parent.category === 'action' || parent.category === 'call')
    throw new AppError('ERR_WRONG_MESSAGE_THREAD_CATEGORY')
  if (parent.parent_id !== null) throw new AppError('ERR_MESSAGE_THREAD_NESTING')
  if (parent.conversation_id !== conversationId) throw new AppError('ERR_WRONG_MESSAGE_THREAD')
}

/** What is quoted stands in the same conversation, and was said. */
const checkQuoted = async (
  tx: Tx,
  app: AppId,
  quotedId: MessageId,
  conversationId: ConversationId,
): Promise<StoredMessage> => {
  const quoted = await findQuoted(tx, app, quotedId)
  if (quoted === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { quotedMessageId: quotedId } })
  if (quoted.conversationId !== conversationId || quoted.category === 'action' || quoted.deletedAt !== null) {
    throw badRequest({ quotedMessageId: 'must be a message of the same conversation that is not deleted' })
  }
  return quoted
}

/** A uid is free when its user is gone: what whoever had it before has sent shows a user of another age. */
const isOf =
  (sender: UserRow | undefined) =>
  ({ data }: StoredMessage): boolean => {
    if (sender === undefined) return true
    const { entities } = JSON.parse(data) as { entities: { sender: { entity: { createdAt: number } } } }
    return entities.sender.entity.createdAt === sender.created_at
  }

/** The message that the muid stands for already. */
const sentBefore = async (
  tx: Tx,
  input: AppendMessage,
  { muid, by, now }: { muid: string; by: UserRow | undefined; now: number },
): Promise<StoredMessage | undefined> => {
  const { sender, muidForEver, receiverType, receiver } = input
  const app = input.actor.appId
  if (tx.dialect === 'postgres') await tx.first(lockMuid, { key: JSON.stringify([app, sender, muid]) })
  const key = { app, sender, muid, since: muidForEver ? 0 : now - tx.limits.muidWindowSeconds }
  const rows = await (input.toMany ? tx.all(ofMuidTo, { ...key, receiverType, receiver }) : tx.all(ofMuid, key))
  return rows.map(toMessage).find(isOf(by))
}

const senderOf = async (tx: Tx, input: AppendMessage): Promise<Sender> => {
  if (input.sender === SYSTEM_UID) return { row: undefined, isBot: false, rights: undefined }
  const { row, isBot, role } = await requireParticipant(tx, input.actor.appId, input.sender, 'sender')
  return { row, isBot, rights: toRights(role) }
}

const append = async (tx: Tx, input: AppendMessage): Promise<Appended> => {
  const { actor, draft, receiverType, sender } = input
  const app = actor.appId
  const now = toSeconds(input.telling.nowMs)
  const by = await senderOf(tx, input)
  const first = input.muid === null ? undefined : await sentBefore(tx, input, { muid: input.muid, by: by.row, now })
  if (first !== undefined) {
    const quoted = await findQuoted(tx, app, first.quotedId)
    return { message: first, quoted, isNew: false, told: nobodyTold }
  }
  const from = { ...by, row: by.row && (await touch(tx, app, by.row, now)) }
  const to = receiverType === 'group' ? await receiverGroup(tx, input, from) : await receiverUser(tx, input, from)
  if (input.parentId !== null) await checkThread(tx, app, input.parentId, to.conversationId)
  const quoted = input.quotedId === null ? undefined : await checkQuoted(tx, app, input.quotedId, to.conversationId)
  const mentions = draft.mentions.length === 0 ? undefined : await mentionsJson(tx, app, draft.mentions)
  const message = await writeMessage(tx, {
    app,
    conversationId: to.conversationId,
    sender,
    receiverType,
    receiver: input.receiver,
    category: draft.category,
    type: draft.type,
    data:
      `${draft.dataHead},"resource":${JSON.stringify(input.resource)}${mentions === undefined ? '' : `,"mentions":${mentions}`}` +
      `,"entities":{"sender":${userEntityJson(from.row, input.appCreatedAt)},"receiver":${to.json}}}`,
    text: draft.text,
    tags: input.tags,
    muid: input.muid,
    parentId: input.parentId,
    quotedId: input.quotedId,
    now,
  })
  if (draft.files !== undefined) await linkFiles(tx, { app, message: Number(message.id), ids: draft.files, now })
  if (input.parentId !== null) await addReply(tx, { app, rootId: input.parentId, reply: message })
  if (!mayBeRelayed(draft.category)) return { message, quoted, isNew: true, told: nobodyTold }
  const bare = (): string => messageJson(message, { withTags: true, ...(quoted && { view: { quoted } }) })
  const wrapped = (): string => `{"message":${bare()}}`
  const told = await announce(tx, input.telling, {
    app,
    key: message.conversationId,
    messageId: Number(message.id),
    forBots: { trigger: 'after_message', data: bare, byBot: () => (from.isBot ? sender : undefined), bots: to.bots },
    what: [
      { trigger: 'message_sent', data: wrapped },
      { trigger: 'after_message', data: bare },
      ...(mentions === undefined ? [] : [{ trigger: 'user_mentioned' as const, data: wrapped }]),
    ],
  })
  return { message, quoted, isNew: true, told }
}

const editedData = async (tx: Tx, app: AppId, message: StoredMessage, draft: Draft): Promise<string> => {
  const stored = JSON.parse(message.data) as { resource?: string; entities: unknown }
  const mentions = await mentionsJson(tx, app, draft.mentions)
  return (
    draft.dataHead +
    (stored.resource === undefined ? '' : `,"resource":${JSON.stringify(stored.resource)}`) +
    (mentions === undefined ? '' : `,"mentions":${mentions}`) +
    `,"entities":${JSON.stringify(stored.entities)}}`
  )
}

interface ChangeMessage {
  readonly actor: Actor
  readonly appCreatedAt: number
  readonly id: MessageId
  readonly telling: Telling
}

export interface MessageChanged {
  /** The action message that tells of it. */
  readonly action: StoredMessage
  /** False where it was so already: the action message is the first one. */
  readonly isNew: boolean
  readonly told: Told
}

/** Writes the action message that tells of the change, and tells the bots that have asked for it. */
const tellOfChange = async (
  tx: Tx,
  input: ChangeMessage,
  change: {
    action: 'edited' | 'deleted'
    by: UserRow | undefined
    message: StoredMessage
    texts: readonly (string | null)[]
  },
): Promise<MessageChanged> => {
  const { actor, appCreatedAt, telling } = input
  const { action: what, by, message, texts } = change
  const app = actor.appId
  const now = toSeconds(telling.nowMs)
  const [seen] = await viewed(tx, { kind: 'app', appId: app }, [message])
  const view = sharedView(seen?.view ?? {})
  const action = await writeMessageAction(tx, { app, appCreatedAt, action: what, by, message, view, now })
  const told = await tellOfMessage(tx, input, {
    message,
    messageId: Number(action.id),
    trigger: what === 'edited' ? 'message_edited' : 'message_deleted',
    data: () => `{"message":${messageJson(action)}}`,
    texts,
  })
  return { action, isNew: true, told }
}

const isDeletionOf =
  ({ id }: StoredMessage) =>
  ({ data }: StoredMessage): boolean => {
    const { action, entities } = JSON.parse(data) as { action: string; entities: { on: { entity: { id: string } } } }
    return action === 'deleted' && entities.on.entity.id === id
  }

/** Who deletes again, since the answer was lost, is answered the same: it was written in the second of the deletion. */
const deletedBefore = async (tx: Tx, app: AppId, message: StoredMessage, at: number): Promise<MessageChanged> => {
  const where = { app, conversation: message.conversationId }
  const { after = 0, upTo = Number.MAX_SAFE_INTEGER } = await idsBetweenTimes(tx, where, { from: at, to: at })
  const rows = await tx.all(actionsAt, { ...where, after, upTo, at })
  const action = rows.map(toMessage).find(isDeletionOf(message))
  // What was imported as deleted: nothing tells of it.
  if (action === undefined) throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
  return { action, isNew: false, told: nobodyTold }
}

export const messages = {
  append: write(append),

  /** With who has received and read it. */
  find: read(
    async (tx, { actor, id, ...options }: { actor: Actor; id: MessageId } & ViewOptions): Promise<ViewedMessage> => {
      await requireActor(tx, actor)
      const message = await requireMessage(tx, actor.appId, id)
      await assertTakesPart(tx, actor, message)
      const [found] = await viewed(tx, actor, [message], options)
      const receipts = await receiptsOf(tx, actor.appId, message)
      return { message, view: { ...found?.view, receipts } }
    },
  ),

  edit: write(
    async (tx, input: ChangeMessage & { data: unknown; tags: string | undefined }): Promise<MessageChanged> => {
      const { actor, id } = input
      const app = actor.appId
      const now = toSeconds(input.telling.nowMs)
      const { message, by } = await openForChange(tx, actor, id, 'edit')
      if (message.deletedAt !== null) throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
      const draft = input.data === undefined ? undefined : draftEdit(message, input.data, tx.limits)
      const data = draft === undefined ? message.data : await editedData(tx, app, message, draft)
      const text = draft === undefined ? textOf(message) : draft.text
      const tags = input.tags ?? message.tags
      const editor = actorUid(actor)
      await tx.run(editMessage, { id: Number(id), data, text, tags, now, by: editor })
      if (draft !== undefined) await relinkFiles(tx, { app, message: Number(id), ids: draft.files ?? [], now })
      const edited: StoredMessage = { ...message, data, tags, updatedAt: now, editedAt: now, editedBy: editor }
      const texts = [textOf(message), text]
      return tellOfChange(tx, input, { action: 'edited', by, message: edited, texts })
    },
  ),

  /** Marks the message, once, or removes its row for good. */
  remove: write(async (tx, input: ChangeMessage & { permanent: boolean }): Promise<MessageChanged> => {
    const { actor, id, permanent } = input
    const now = toSeconds(input.telling.nowMs)
    const { message, by } = await openForChange(tx, actor, id, 'delete')
    if (!permanent && message.deletedAt !== null) return deletedBefore(tx, actor.appId, message, message.deletedAt)
    const deleter = actorUid(actor)
    if (permanent) await removeForGood(tx, [Number(id)], now)
    else await tx.run(markDeleted, { id: Number(id), now, by: deleter })
    if (message.parentId !== null && message.deletedAt === null) await dropReply(tx, message.parentId)
    const deleted: StoredMessage = { ...message, updatedAt: now, deletedAt: now, deletedBy: deleter }
    return tellOfChange(tx, input, { action: 'deleted', by, message: deleted, texts: [textOf(message)] })
  }),

  /** Removes up to `limit` messages of a conversation or of a user for good; answers how many. */
  purge: write(
    async (
      tx,
      input: { appId: AppId; of: { conversationId: ConversationId } | { uid: Uid }; limit: number; now: number },
    ): Promise<number> => {
      const { appId: app, of, limit, now } = input
      const rows = await ('uid' in of
        ? tx.all(someOfUser, { app, uid: of.uid, limit })
        : tx.all(someOfConversation, { app, conversation: of.conversationId, limit }))
      const ids = rows.map(({ id }) => id)
      await removeForGood(tx, ids, now)
      return ids.length
    },
  ),
}
