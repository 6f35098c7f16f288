import {
  type AppId,
  type ConversationId,
  type DeliveryId,
  type Guid,
  groupConversationId,
  limits,
  type MessageId,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import { callbackBody } from '../../callbacks/payload.ts'
import { isForBot, mayBeRelayed } from '../../callbacks/relay.ts'
import { type Actor, actorUid } from '../../kernel/actor.ts'
import { AppError } from '../../kernel/app-error.ts'
import { type Draft, draftEdit } from '../../messages/draft.ts'
import { messageJson, type StoredMessage } from '../../messages/message.ts'
import { BOT_COLUMNS, type BotRow, findBotRow } from './bots.ts'
import { membershipOf, requireGroup } from './group-rows.ts'
import { type Claimer, enqueue, type StoredClaim } from './lanes.ts'
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
import { read, statement, type Tx, write } from './seam.ts'
import { requireActor, requireUser, touch, type UserRow } from './user-rows.ts'

const COLUMNS = MESSAGE_COLUMNS.join(', ')

const findMessage = statement<{ app: string; id: number }, MessageRow>(
  'messages.find',
  `SELECT ${COLUMNS} FROM messages WHERE id = :id AND app_id = :app`,
)
const lockMessage = statement<{ app: string; id: number }, MessageRow>(
  'messages.lock',
  `SELECT ${COLUMNS} FROM messages WHERE id = :id AND app_id = :app {FOR_UPDATE}`,
)
/** Takes the muid, unless it stands for a message within the window. A second sender of the same waits here. */
const takeMuid = statement<
  { app: string; sender: string; muid: string; now: number; since: number },
  { message_id: number }
>(
  'muids.take',
  `INSERT INTO muids (app_id, sender, muid, message_id, created_at) VALUES (:app, :sender, :muid, 0, :now)
   ON CONFLICT (app_id, sender, muid) DO UPDATE SET message_id = 0, created_at = excluded.created_at
     WHERE muids.created_at <= :since
   RETURNING message_id`,
)
const findMuid = statement<{ app: string; sender: string; muid: string }, { message_id: number }>(
  'muids.find',
  'SELECT message_id FROM muids WHERE app_id = :app AND sender = :sender AND muid = :muid',
)
const setMuid = statement<{ app: string; sender: string; muid: string; id: number }>(
  'muids.set',
  'UPDATE muids SET message_id = :id WHERE app_id = :app AND sender = :sender AND muid = :muid',
)
const sweepMuids = statement<{ before: number; limit: number }>(
  'muids.sweep',
  `DELETE FROM muids WHERE (app_id, sender, muid) IN
     (SELECT app_id, sender, muid FROM muids WHERE created_at <= :before ORDER BY created_at LIMIT :limit)`,
)
const botsInGroup = statement<{ app: string; guid: string }, BotRow>(
  'bots.in_group',
  `SELECT ${BOT_COLUMNS.map((column) => `bots.${column}`).join(', ')} FROM bots
   JOIN members ON members.app_id = bots.app_id AND members.guid = :guid AND members.uid = bots.uid
   WHERE bots.app_id = :app AND bots.enabled = 1 AND bots.group_chat_setting <> 'none'`,
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
     (SELECT id FROM messages WHERE app_id = :app AND (sender = :uid OR (receiver_type = 'user' AND receiver = :uid))
      ORDER BY id LIMIT :limit)`,
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
  /** What the muid is remembered under: the muid itself, or with the receiver where one call has several. */
  readonly muidKey: string | null
  readonly parentId: MessageId | null
  readonly resource: string
  /** JSON. */
  readonly origin: string
  readonly region: string
  /** Of the first bot; others get it with a number behind. */
  readonly deliveryId: DeliveryId
  readonly claimer: Claimer | undefined
  readonly nowMs: number
}

export interface Appended {
  readonly message: StoredMessage
  /** False for the repetition of a muid: the message is the first one. */
  readonly isNew: boolean
  /** Lanes that were idle and are now the caller's. */
  readonly claims: readonly StoredClaim[]
  /** Lanes that are due and that nobody works: somebody should look. */
  readonly waiting: number
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
  const row = await requireUser(tx, app, uid, 'receiver')
  const bot = uid === input.sender ? undefined : await findBotRow(tx, app, uid)
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
  const bots = (await tx.all(botsInGroup, { app, guid })).filter(
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

/** The message that the muid stands for already, or nothing: then the muid is taken. */
const firstOfMuid = async (tx: Tx, input: AppendMessage, now: number): Promise<StoredMessage | undefined> => {
  if (input.muidKey === null) return undefined
  const key = { app: input.actor.appId, sender: input.sender, muid: input.muidKey }
  const taken = await tx.first(takeMuid, { ...key, now, since: now - limits.muidWindowSeconds })
  if (taken !== undefined) return undefined
  const stored = await tx.first(findMuid, key)
  const first = stored && (await tx.first(findMessage, { app: key.app, id: stored.message_id }))
  return first && toMessage(first)
}

const senderOf = async (
  tx: Tx,
  input: AppendMessage,
  now: number,
): Promise<{ row: UserRow | undefined; isBot: boolean }> => {
  if (input.sender === SYSTEM_UID) return { row: undefined, isBot: false }
  const app = input.actor.appId
  const row = await touch(tx, app, await requireUser(tx, app, input.sender, 'sender'), now)
  return { row, isBot: (await findBotRow(tx, app, input.sender)) !== undefined }
}

/** One delivery per bot that is to hear the message, in the transaction of the message. */
const enqueueAll = async (
  tx: Tx,
  input: AppendMessage,
  message: StoredMessage,
  bots: readonly BotRow[],
): Promise<{ claims: readonly StoredClaim[]; waiting: number }> => {
  if (bots.length === 0) return { claims: [], waiting: 0 }
  const json = messageJson(message)
  const claims: StoredClaim[] = []
  let waiting = 0
  for (const [index, bot] of bots.entries()) {
    const { origin, region, nowMs } = input
    const duty = {
      bot,
      conversationId: message.conversationId,
      deliveryId: (index === 0 ? input.deliveryId : `${input.deliveryId}_${index}`) as DeliveryId,
      messageId: Number(message.id),
      trigger: 'after_message' as const,
      body: callbackBody({
        trigger: 'after_message',
        messageJson: json,
        appId: input.actor.appId,
        origin,
        region,
        bot: bot.uid,
      }),
      nowMs,
    }
    const { claim, isWaiting } = await enqueue(tx, duty, input.claimer)
    if (claim !== undefined) claims.push(claim)
    if (isWaiting) waiting++
  }
  return { claims, waiting }
}

const append = async (tx: Tx, input: AppendMessage): Promise<Appended> => {
  const { actor, draft, receiverType, sender } = input
  const app = actor.appId
  const now = Math.floor(input.nowMs / 1000)
  const first = await firstOfMuid(tx, input, now)
  if (first !== undefined) return { message: first, isNew: false, claims: [], waiting: 0 }
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
  if (input.muidKey !== null) await tx.run(setMuid, { app, sender, muid: input.muidKey, id: Number(message.id) })
  const relayed = mayBeRelayed({ receiverType, category: draft.category, text: draft.text, senderIsBot: from.isBot })
  return { message, isNew: true, ...(await enqueueAll(tx, input, message, relayed ? to.bots : [])) }
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
  readonly now: number
}

export const messages = {
  append: write(append),

  find: read(async (tx, { actor, id }: { actor: Actor; id: MessageId }): Promise<StoredMessage> => {
    await requireActor(tx, actor)
    const message = await requireMessage(tx, actor.appId, id)
    await assertTakesPart(tx, actor, message)
    return message
  }),

  /** Answers the action message that tells of it. */
  edit: write(
    async (tx, input: ChangeMessage & { data: unknown; tags: string | undefined }): Promise<StoredMessage> => {
      const { actor, appCreatedAt, id, now } = input
      const app = actor.appId
      const { message, by } = await openForChange(tx, actor, id)
      if (message.deletedAt !== null) throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
      const draft = draftEdit(message, input.data ?? {})
      const data = await editedData(tx, app, message, draft)
      const tags = input.tags ?? message.tags
      const editor = actorUid(actor)
      await tx.run(editMessage, { id: Number(id), data, text: draft.text, tags, now, by: editor })
      const edited: StoredMessage = { ...message, data, tags, updatedAt: now, editedAt: now, editedBy: editor }
      return writeMessageAction(tx, { app, appCreatedAt, action: 'edited', by, message: edited, now })
    },
  ),

  /** Marks the message, or removes its row for good. Answers the action message that tells of it. */
  remove: write(async (tx, input: ChangeMessage & { permanent: boolean }): Promise<StoredMessage> => {
    const { actor, appCreatedAt, id, now, permanent } = input
    const { message, by } = await openForChange(tx, actor, id)
    const deleter = actorUid(actor)
    if (permanent) await tx.run(deleteRow, { id: Number(id) })
    else await tx.run(markDeleted, { id: Number(id), now, by: deleter })
    const deleted: StoredMessage = { ...message, updatedAt: now, deletedAt: now, deletedBy: deleter }
    return writeMessageAction(tx, { app: actor.appId, appCreatedAt, action: 'deleted', by, message: deleted, now })
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

  /** Forgets muids whose window is over; answers how many. */
  sweepMuids: write(
    async (tx, input: { now: number; limit: number }): Promise<number> =>
      tx.run(sweepMuids, { before: input.now - limits.muidWindowSeconds, limit: input.limit }),
  ),
}
