/**
 * Messages that are imported. They get their ids now, so that lists, which go by id, have them in the order in which they
 * came; times are those that they bring along. Nobody is told of them.
 */
import {
  type ConversationId,
  type Guid,
  groupConversationId,
  type MessageId,
  SYSTEM_UID,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import type * as rows from '../../../imports/import-row.ts'
import { AppError, badRequest } from '../../../kernel/app-error.ts'
import { messageJson, type StoredMessage } from '../../../messages/message.ts'
import { insertReceipt } from '../conversations/marks.ts'
import { membershipOf } from '../groups/group-rows.ts'
import { groupEntityJson, idOf, mentionsJson, toMessage, userEntityJson } from '../messages/message-rows.ts'
import { viewed } from '../messages/message-views.ts'
import { checkThread, ofMuidTo } from '../messages/messages.ts'
import { addReply } from '../messages/threads.ts'
import type { Bit } from '../schema.ts'
import { statement } from '../seam.ts'
import type { Batch, Outcome } from './import-batch.ts'
import { putGroup, putUser } from './import-people.ts'

/** As where messages are sent, but that the conversation is as old as its oldest message, and as new as its newest. */
const enterConversation = statement<{
  app: string
  id: string
  type: string
  a: string | null
  b: string | null
  moves: Bit
  at: number
}>(
  'imports.enter_conversation',
  `INSERT INTO conversations (app_id, id, type, user_a, user_b, created_at, updated_at)
   VALUES (:app, :id, :type, :a, :b, :at, :at)
   ON CONFLICT (app_id, id) DO UPDATE SET
     created_at = CASE WHEN excluded.created_at < conversations.created_at
       THEN excluded.created_at ELSE conversations.created_at END,
     updated_at = CASE WHEN :moves = 1 AND excluded.updated_at > conversations.updated_at
       THEN excluded.updated_at ELSE conversations.updated_at END`,
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
  muid: string
  parent: number | null
  sentAt: number
  updatedAt: number
  editedAt: number | null
  editedBy: string | null
  deletedAt: number | null
  deletedBy: string | null
}>(
  'imports.insert_message',
  `INSERT INTO messages (app_id, conversation_id, sender, receiver_type, receiver, category, type, data, text, tags, muid,
                         parent_id, sent_at, updated_at, edited_at, edited_by, deleted_at, deleted_by)
   VALUES (:app, :conversation, :sender, :receiverType, :receiver, :category, :type, :data, :text, :tags, :muid,
           :parent, :sentAt, :updatedAt, :editedAt, :editedBy, :deletedAt, :deletedBy) {RETURNING_ID}`,
)

interface Parties {
  readonly conversationId: ConversationId
  readonly senderJson: string
  readonly receiverJson: string
}

/** Nobody needs to be a member any more, or to be active: what was said was said. */
const partiesOf = async (batch: Batch, row: rows.MessageRow): Promise<Parties> => {
  const { tx, app, appCreatedAt } = batch
  const { sender, receiverType, receiver } = row
  const from = sender === SYSTEM_UID ? undefined : await batch.requireUser(sender, 'sender')
  const senderJson = userEntityJson(from, appCreatedAt)
  if (receiverType === 'group') {
    const guid = receiver as Guid
    const group = await batch.requireGroup(guid, 'receiver')
    const receiverJson = groupEntityJson(group, await membershipOf(tx, app, guid, sender))
    return { conversationId: groupConversationId(guid), senderJson, receiverJson }
  }
  const conversationId = userConversationId(sender, receiver as Uid)
  const to = await batch.requireUser(receiver as Uid, 'receiver')
  return { conversationId, senderJson, receiverJson: userEntityJson(to, appCreatedAt, conversationId) }
}

/** A muid means one message of a sender to a receiver, for ever: an import is repeated until it is done. */
const foundBy = ({ tx, app }: Batch, of: Pick<rows.MessageRow, 'sender' | 'muid' | 'receiverType' | 'receiver'>) => {
  const { sender, muid, receiverType, receiver } = of
  return tx.first(ofMuidTo, { app, sender, muid, since: -1, receiverType, receiver })
}

/** One to one the parent is of one of the two; in a group it must be said whose it is. */
const parentOf = async (batch: Batch, row: rows.MessageRow, conversationId: ConversationId) => {
  const { parent, sender, receiverType, receiver } = row
  if (parent === null) return null
  const { muid, sender: said } = parent
  const isOneToOne = receiverType === 'user'
  if (!isOneToOne && said === null) throw badRequest({ parentSender: 'is required in a group' })
  const senders = said === null ? [sender, receiver as Uid] : [said]
  for (const one of senders) {
    const to = isOneToOne ? (one === sender ? receiver : sender) : receiver
    const found = await foundBy(batch, { muid, sender: one, receiverType, receiver: to })
    if (found === undefined) continue
    await checkThread(batch.tx, batch.app, idOf(found.id), conversationId)
    return idOf(found.id)
  }
  throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { parentMuid: muid } })
}

const putDetails = async (batch: Batch, row: rows.MessageRow): Promise<void> => {
  if (row.senderDetails !== null) await putUser(batch, row.senderDetails)
  if (row.receiverUser !== null) await putUser(batch, row.receiverUser)
  if (row.receiverGroup !== null) await putGroup(batch, row.receiverGroup)
}

const dataOf = async ({ tx, app }: Batch, { draft }: rows.MessageRow, { senderJson, receiverJson }: Parties) => {
  const mentions = await mentionsJson(tx, app, draft.mentions)
  return (
    `${draft.dataHead}${mentions === undefined ? '' : `,"mentions":${mentions}`}` +
    `,"entities":{"sender":${senderJson},"receiver":${receiverJson}}}`
  )
}

const write = async (
  { tx, app }: Batch,
  row: rows.MessageRow,
  of: { conversationId: ConversationId; parentId: MessageId | null; data: string },
): Promise<StoredMessage> => {
  const { conversationId, parentId, data } = of
  const { draft, sender, receiverType, receiver, muid, tags, sentAt, updatedAt } = row
  const { editedAt, editedBy, deletedAt, deletedBy } = row
  const [a, b] = receiverType === 'user' ? [sender, receiver] : [null, null]
  const moves = parentId === null ? 1 : 0
  await tx.run(enterConversation, { app, id: conversationId, type: receiverType, a, b, moves, at: sentAt })
  const shared = { sender, receiverType, receiver, tags, muid, data, category: draft.category, type: draft.type }
  const times = { sentAt, updatedAt, editedAt, editedBy, deletedAt, deletedBy }
  const parent = parentId === null ? null : Number(parentId)
  const { text } = draft
  const id = await tx.insert(insertMessage, { app, conversation: conversationId, text, parent, ...shared, ...times })
  const untouched = { reactions: null, quotedId: null, pinnedAt: null, pinnedBy: null, replyCount: 0 }
  return { id: idOf(id), conversationId, parentId, ...shared, ...times, ...untouched }
}

/** One to one, when the receiver had it; in a group, that everybody who is in it has, without a time. */
const writeReceipts = async (batch: Batch, row: rows.MessageRow, message: StoredMessage): Promise<void> => {
  const { deliveredAt, readAt, receiverType, receiver } = row
  if (deliveredAt === null) return
  const { tx, app } = batch
  const { conversationId: conversation } = message
  const id = Number(message.id)
  const marks = { delivered: id, read: readAt === null ? 0 : id }
  if (receiverType === 'group') {
    batch.mark(conversation, { guid: receiver as Guid }, marks)
    return
  }
  const uid = receiver as Uid
  await tx.run(insertReceipt, { app, conversation, uid, kind: 'delivered', id, now: deliveredAt })
  if (readAt !== null) await tx.run(insertReceipt, { app, conversation, uid, kind: 'read', id, now: readAt })
  batch.mark(conversation, { uid }, marks)
}

const existing = async (batch: Batch, message: StoredMessage): Promise<Outcome> => {
  const { tx, app, withRows } = batch
  const [shown] = withRows ? await viewed(tx, { kind: 'app', appId: app }, [message]) : []
  const json = shown === undefined ? null : messageJson(message, { withTags: true, view: shown.view })
  return { ok: true, id: message.id, existed: true, json }
}

export const importMessage = async (batch: Batch, row: rows.MessageRow): Promise<Outcome> => {
  const { app, tx, withRows } = batch
  const before = await foundBy(batch, row)
  if (before !== undefined) return existing(batch, toMessage(before))
  await putDetails(batch, row)
  const parties = await partiesOf(batch, row)
  const { conversationId } = parties
  const parentId = await parentOf(batch, row, conversationId)
  const message = await write(batch, row, { conversationId, parentId, data: await dataOf(batch, row, parties) })
  if (parentId !== null && row.deletedAt === null) await addReply(tx, { app, rootId: parentId, reply: message })
  await writeReceipts(batch, row, message)
  const view =
    row.receiverType === 'user' && row.deliveredAt !== null
      ? { deliveredAt: row.deliveredAt, ...(row.readAt !== null && { readAt: row.readAt }) }
      : {}
  const json = withRows ? messageJson(message, { withTags: true, view }) : null
  return { ok: true, id: message.id, existed: false, json }
}
