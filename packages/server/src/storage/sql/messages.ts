import {
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  limits,
  type MessageId,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { isForBot, mayBeRelayed } from '../../callbacks/relay.ts'
import { nobodyTold, type Telling, type Told } from '../../callbacks/tell.ts'
import { type Actor, actorUid } from '../../kernel/actor.ts'
import { AppError } from '../../kernel/app-error.ts'
import { toSeconds } from '../../kernel/clock.ts'
import { type Draft, draftEdit } from '../../messages/draft.ts'
import { messageJson, type StoredMessage } from '../../messages/message.ts'
import { announce } from './announce.ts'
import { type BotRow, botsOfGroup, findBotRow } from './bot-rows.ts'
import { membershipOf, requireGroup } from './group-rows.ts'
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
import { botOf, subscribersIn } from './outbox.ts'
import { read, statement, type Tx, write } from './seam.ts'
import { requireActor, requireParticipant, touch, type UserRow } from './user-rows.ts'

const COLUMNS = MESSAGE_COLUMNS.join(', ')

const findMessage = statement<{ app: string; id: number }, MessageRow>(
  'messages.find',
  `SELECT ${COLUMNS} FROM messages WHERE id = :id AND app_id = :app`,
)
const lockMessage = statement<{ app: string; id: number }, MessageRow>(
  'messages.lock',
  `SELECT ${COLUMNS} FROM messages WHERE id = :id AND app_id = :app {FOR_UPDATE}`,
)
const FIRST_OF_MUID = `SELECT ${COLUMNS} FROM messages
   WHERE app_id = :app AND sender = :sender AND muid = :muid AND sent_at > :since`
const firstOfMuid = statement<{ app: string; sender: string; muid: string; since: number }, MessageRow>(
  'messages.first_of_muid',
  `${FIRST_OF_MUID} ORDER BY id LIMIT 1`,
)
const firstOfMuidTo = statement<
  { app: string; sender: string; muid: string; since: number; receiverType: string; receiver: string },
  MessageRow
>(
  'messages.first_of_muid_to',
  `${FIRST_OF_MUID} AND receiver_type = :receiverType AND receiver = :receiver ORDER BY id LIMIT 1`,
)
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
const deleteRow = statement<{ id: number }>('messages.delete', 'DELETE FROM messages WHERE id = :id')
const purgeConversation = statement<{ app: string; conversation: string; limit: number }>(
  'messages.purge_conversation',
  `DELETE FROM messages WHERE id IN
     (SELECT id FROM messages WHERE app_id = :app AND conversation_id = :conversation ORDER BY id LIMIT :limit)`,
)
const purgeUser = statement<{ app: string; uid: string; limit: number }>(
  'messages.purge_user',
  `DELETE FROM messages WHERE id IN
     (SELECT id FROM messages WHERE app_id = :app AND (sender = :uid OR conversation_id IN (
        SELECT id FROM conversations WHERE app_id = :app AND user_a = :uid UNION ALL
        SELECT id FROM conversations WHERE app_id = :app AND user_b = :uid))
      LIMIT :limit)`,
)

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
  readonly resource: string
  readonly telling: Telling
}

export interface Appended {
  readonly message: StoredMessage
  /** False for the repetition of a muid: the message is the first one. */
  readonly isNew: boolean
  readonly told: Told
}

interface Receiver {
  readonly conversationId: ConversationId
  readonly json: string
  /** Those that may be asked whether they want to hear the message. */
  readonly bots: readonly BotRow[]
}

const receiverUser = async (tx: Tx, input: AppendMessage): Promise<Receiver> => {
  const app = input.actor.appId
  const uid = input.receiver as Uid
  const conversationId = userConversationId(input.sender, uid)
  const { row, isBot } = await requireParticipant(tx, app, uid, 'receiver')
  const bot = isBot && uid !== input.sender ? await findBotRow(tx, app, uid) : undefined
  return {
    conversationId,
    json: userEntityJson(row, input.appCreatedAt, conversationId),
    bots: bot?.enabled === 1 ? [bot] : [],
  }
}

const receiverGroup = async (tx: Tx, input: AppendMessage): Promise<Receiver> => {
  const app = input.actor.appId
  const guid = input.receiver as Guid
  const row = await requireGroup(tx, app, guid)
  const membership = input.sender === SYSTEM_UID ? undefined : await membershipOf(tx, app, guid, input.sender)
  if (input.sender !== SYSTEM_UID && membership === undefined)
    throw new AppError('ERR_GROUP_NOT_JOINED', { details: { receiver: guid } })
  const bots = (await tx.all(botsOfGroup, { app, guid })).filter(
    (bot) =>
      bot.uid !== input.sender &&
      isForBot({ uid: bot.uid, groupChatSetting: bot.group_chat_setting }, input.draft.text),
  )
  return { conversationId: groupConversationId(guid), json: groupEntityJson(row, membership), bots }
}

/** A reply goes where its thread is. */
const checkThread = async (tx: Tx, app: AppId, parentId: MessageId, conversationId: ConversationId): Promise<void> => {
  const parent = await tx.first(findMessage, { app, id: Number(parentId) })
  if (parent === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { id: parentId } })
  if (parent.category === 'action' || parent.category === 'call')
    throw new AppError('ERR_WRONG_MESSAGE_THREAD_CATEGORY')
  if (parent.parent_id !== null) throw new AppError('ERR_MESSAGE_THREAD_NESTING')
  if (parent.conversation_id !== conversationId) throw new AppError('ERR_WRONG_MESSAGE_THREAD')
}

/** The message that the muid stands for already. */
const sentBefore = async (tx: Tx, input: AppendMessage, now: number): Promise<StoredMessage | undefined> => {
  const { sender, muid, muidForEver, receiverType, receiver } = input
  if (muid === null) return undefined
  const app = input.actor.appId
  if (tx.dialect === 'postgres') await tx.first(lockMuid, { key: JSON.stringify([app, sender, muid]) })
  const key = { app, sender, muid, since: muidForEver ? 0 : now - limits.muidWindowSeconds }
  const row = await (input.toMany
    ? tx.first(firstOfMuidTo, { ...key, receiverType, receiver })
    : tx.first(firstOfMuid, key))
  return row && toMessage(row)
}

const senderOf = async (
  tx: Tx,
  input: AppendMessage,
  now: number,
): Promise<{ row: UserRow | undefined; isBot: boolean }> => {
  if (input.sender === SYSTEM_UID) return { row: undefined, isBot: false }
  const app = input.actor.appId
  const { row, isBot } = await requireParticipant(tx, app, input.sender, 'sender')
  return { row: await touch(tx, app, row, now), isBot }
}

const append = async (tx: Tx, input: AppendMessage): Promise<Appended> => {
  const { actor, draft, receiverType, sender } = input
  const app = actor.appId
  const now = toSeconds(input.telling.nowMs)
  const first = await sentBefore(tx, input, now)
  if (first !== undefined) return { message: first, isNew: false, told: nobodyTold }
  const from = await senderOf(tx, input, now)
  const to = receiverType === 'group' ? await receiverGroup(tx, input) : await receiverUser(tx, input)
  if (input.parentId !== null) await checkThread(tx, app, input.parentId, to.conversationId)
  const mentions = await mentionsJson(tx, app, draft.mentions)
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
    now,
  })
  if (!mayBeRelayed(draft.category)) return { message, isNew: true, told: nobodyTold }
  const bare = (): string => messageJson(message)
  const wrapped = (): string => `{"message":${messageJson(message)}}`
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
  return { message, isNew: true, told }
}

const requireMessage = async (tx: Tx, app: AppId, id: MessageId, lock = false): Promise<StoredMessage> => {
  const row = await tx.first(lock ? lockMessage : findMessage, { app, id: Number(id) })
  if (row === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { id } })
  return toMessage(row)
}

/** A user reads what is said where they take part. */
const assertTakesPart = async (tx: Tx, actor: Actor, message: StoredMessage): Promise<void> => {
  if (actor.kind === 'app') return
  const takesPart =
    message.receiverType === 'group'
      ? (await membershipOf(tx, actor.appId, message.receiver as Guid, actor.uid)) !== undefined
      : message.sender === actor.uid || message.receiver === actor.uid
  if (!takesPart) throw new AppError('ERR_MESSAGE_NO_ACCESS')
}

/** Edit and delete: by the app, or by the sender. */
const openForChange = async (
  tx: Tx,
  actor: Actor,
  id: MessageId,
): Promise<{ message: StoredMessage; by: UserRow | undefined }> => {
  const by = await requireActor(tx, actor)
  const message = await requireMessage(tx, actor.appId, id, true)
  await assertTakesPart(tx, actor, message)
  if (message.category === 'action' || message.category === 'call') throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
  if (actor.kind === 'user' && message.sender !== actor.uid) throw new AppError('ERR_MESSAGE_NOT_A_SENDER')
  return { message, by }
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
  readonly told: Told
}

/** What was said, or the caption of what was shown. */
const textOf = ({ data }: StoredMessage): string | null => {
  const { text } = JSON.parse(data) as { text?: unknown }
  return typeof text === 'string' ? text : null
}

/** Whose business the message is, be it by its old text or by its new one; one to one, it is everybody's. */
const concerns = (message: StoredMessage, texts: readonly (string | null)[]) => (bot: BotRow) =>
  message.receiverType === 'user' ||
  texts.some((text) => isForBot({ uid: bot.uid, groupChatSetting: bot.group_chat_setting }, text))

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
  const action = await writeMessageAction(tx, { app, appCreatedAt, action: what, by, message, now })
  const { receiverType, receiver, sender, conversationId } = message
  const trigger = what === 'edited' ? ('message_edited' as const) : ('message_deleted' as const)
  const parties = receiverType === 'group' ? { guid: receiver as Guid } : { uids: [receiver as Uid, sender as Uid] }
  const subscribers = await subscribersIn(tx, { app, ...parties, trigger, by: actorUid(actor) })
  const data = (): string => `{"message":${messageJson(action)}}`
  const bots = subscribers.filter(concerns(message, texts))
  const told = await announce(tx, telling, {
    app,
    key: conversationId,
    messageId: Number(action.id),
    forBots: { trigger, data, byBot: () => botOf(tx, actor), bots },
    what: [{ trigger, data }],
  })
  return { action, told }
}

export const messages = {
  append: write(append),

  find: read(async (tx, { actor, id }: { actor: Actor; id: MessageId }): Promise<StoredMessage> => {
    await requireActor(tx, actor)
    const message = await requireMessage(tx, actor.appId, id)
    await assertTakesPart(tx, actor, message)
    return message
  }),

  edit: write(
    async (tx, input: ChangeMessage & { data: unknown; tags: string | undefined }): Promise<MessageChanged> => {
      const { actor, id } = input
      const app = actor.appId
      const now = toSeconds(input.telling.nowMs)
      const { message, by } = await openForChange(tx, actor, id)
      if (message.deletedAt !== null) throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
      const draft = draftEdit(message, input.data ?? {})
      const data = await editedData(tx, app, message, draft)
      const tags = input.tags ?? message.tags
      const editor = actorUid(actor)
      await tx.run(editMessage, { id: Number(id), data, text: draft.text, tags, now, by: editor })
      const edited: StoredMessage = { ...message, data, tags, updatedAt: now, editedAt: now, editedBy: editor }
      const texts = [textOf(message), draft.text]
      return tellOfChange(tx, input, { action: 'edited', by, message: edited, texts })
    },
  ),

  /** Marks the message, or removes its row for good. */
  remove: write(async (tx, input: ChangeMessage & { permanent: boolean }): Promise<MessageChanged> => {
    const { actor, id, permanent } = input
    const now = toSeconds(input.telling.nowMs)
    const { message, by } = await openForChange(tx, actor, id)
    const deleter = actorUid(actor)
    if (permanent) await tx.run(deleteRow, { id: Number(id) })
    else await tx.run(markDeleted, { id: Number(id), now, by: deleter })
    const deleted: StoredMessage = { ...message, updatedAt: now, deletedAt: now, deletedBy: deleter }
    return tellOfChange(tx, input, { action: 'deleted', by, message: deleted, texts: [textOf(message)] })
  }),

  /** Removes up to `limit` messages of a conversation or of a user for good; answers how many. */
  purge: write(
    async (
      tx,
      input: { appId: AppId; of: { conversationId: ConversationId } | { uid: Uid }; limit: number },
    ): Promise<number> => {
      const { appId: app, of, limit } = input
      return 'uid' in of
        ? tx.run(purgeUser, { app, uid: of.uid, limit })
        : tx.run(purgeConversation, { app, conversation: of.conversationId, limit })
    },
  ),
}
