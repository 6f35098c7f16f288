/** Messages that somebody asks for by id: whether there are such, and who may read and change them. */
import type { AppId, Guid, MessageId, Uid } from '@confab/protocol'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { membershipOf } from '../groups/group-rows.ts'
import { assertMayChange } from '../roles/may-send.ts'
import { statement, type Tx } from '../seam.ts'
import { requireActor, type UserRow } from '../users/user-rows.ts'
import { MESSAGE_COLUMNS, type MessageRow, toMessage } from './message-rows.ts'

const COLUMNS = MESSAGE_COLUMNS.join(', ')

export const findMessage = statement<{ app: string; id: number }, MessageRow>(
  'messages.find',
  `SELECT ${COLUMNS} FROM messages WHERE id = :id AND app_id = :app`,
)
const lockMessage = statement<{ app: string; id: number }, MessageRow>(
  'messages.lock',
  `SELECT ${COLUMNS} FROM messages WHERE id = :id AND app_id = :app {FOR_UPDATE}`,
)
const findOneOfTwo = statement<{ app: string; id: string; uid: string }, { id: string }>(
  'conversations.one_of_two',
  'SELECT id FROM conversations WHERE app_id = :app AND id = :id AND (user_a = :uid OR user_b = :uid)',
)

export const requireMessage = async (tx: Tx, app: AppId, id: MessageId, lock = false): Promise<StoredMessage> => {
  const row = await tx.first(lock ? lockMessage : findMessage, { app, id: Number(id) })
  if (row === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { id } })
  return toMessage(row)
}

/** Of what tells of something, the app may be the sender. */
const isOneOfTwo = async (tx: Tx, app: AppId, { conversationId: id }: StoredMessage, uid: Uid): Promise<boolean> =>
  (await tx.first(findOneOfTwo, { app, id, uid })) !== undefined

/** A user reads what is said where they take part. */
export const assertTakesPart = async (tx: Tx, actor: Actor, message: StoredMessage): Promise<void> => {
  if (actor.kind === 'app') return
  const { appId: app, uid } = actor
  const takesPart =
    message.receiverType === 'group'
      ? (await membershipOf(tx, app, message.receiver as Guid, uid)) !== undefined
      : message.sender === uid || message.receiver === uid || (await isOneOfTwo(tx, app, message, uid))
  if (!takesPart) throw new AppError('ERR_MESSAGE_NO_ACCESS')
}

/** A message that the actor may read, held until the transaction ends; nothing can be done to what tells of something. */
export const openMessage = async (
  tx: Tx,
  actor: Actor,
  id: MessageId,
): Promise<{ message: StoredMessage; by: UserRow | undefined }> => {
  const by = await requireActor(tx, actor)
  const message = await requireMessage(tx, actor.appId, id, true)
  await assertTakesPart(tx, actor, message)
  if (message.category === 'action' || message.category === 'call') throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
  return { message, by }
}

/** The same for what is done to what was said: not to what was deleted. */
export const openLiving = async (tx: Tx, actor: Actor, id: MessageId): ReturnType<typeof openMessage> => {
  const opened = await openMessage(tx, actor, id)
  if (opened.message.deletedAt !== null) throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
  return opened
}

/** Edit and delete: by the app, or by the sender. */
export const openForChange = async (
  tx: Tx,
  actor: Actor,
  id: MessageId,
  may: 'edit' | 'delete',
): ReturnType<typeof openMessage> => {
  const opened = await openMessage(tx, actor, id)
  const { by, message } = opened
  if (actor.kind === 'user' && message.sender !== actor.uid) throw new AppError('ERR_MESSAGE_NOT_A_SENDER')
  if (by !== undefined) await assertMayChange(tx, { app: actor.appId, by, may }, message)
  return opened
}
