/** Messages that are pinned, for everybody in their conversation, and those that a user has saved, for that user alone. */
import type { ErrorCode, MessageId } from '@confab/protocol'
import { type Actor, actorUid, type UserActor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { statement, type Tx, write } from '../seam.ts'
import { openLiving } from './message-access.ts'
import { type ViewedMessage, viewed } from './message-views.ts'

const setPinned = statement<{ id: number; at: number | null; by: string | null }>(
  'messages.set_pinned',
  'UPDATE messages SET pinned_at = :at, pinned_by = :by WHERE id = :id',
)
const countPinned = statement<{ app: string; conversation: string }, { n: number }>(
  'messages.count_pinned',
  `SELECT count(*) AS n FROM messages
   WHERE app_id = :app AND conversation_id = :conversation AND pinned_at IS NOT NULL`,
)
type Saved = { app: string; uid: string; message: number }
const insertSaved = statement<Saved & { now: number }>(
  'saved_messages.insert',
  `INSERT INTO saved_messages (app_id, uid, message_id, saved_at) VALUES (:app, :uid, :message, :now)
   ON CONFLICT (app_id, uid, message_id) DO NOTHING`,
)
const deleteSaved = statement<Saved>(
  'saved_messages.delete',
  'DELETE FROM saved_messages WHERE app_id = :app AND uid = :uid AND message_id = :message',
)
const countSaved = statement<{ app: string; uid: string }, { n: number }>(
  'saved_messages.count',
  'SELECT count(*) AS n FROM saved_messages WHERE app_id = :app AND uid = :uid',
)

export interface Marked extends ViewedMessage {
  /** False if it was so before. */
  readonly isNew: boolean
}

const assertRoom = (count: { n: number } | undefined, max: number, code: ErrorCode): void => {
  if ((count?.n ?? 0) >= max) throw new AppError(code, { details: { limit: String(max) } })
}

const answer = async (tx: Tx, actor: Actor, message: StoredMessage, isNew: boolean): Promise<Marked> => {
  const [shown] = await viewed(tx, actor, [message])
  return { message, view: shown?.view ?? {}, isNew }
}

export const pins = {
  pin: write(async (tx, input: { actor: Actor; id: MessageId; now: number }): Promise<Marked> => {
    const { actor, id, now } = input
    const { message } = await openLiving(tx, actor, id)
    if (message.pinnedAt !== null) return answer(tx, actor, message, false)
    const { conversationId: conversation } = message
    const pinned = await tx.first(countPinned, { app: actor.appId, conversation })
    assertRoom(pinned, tx.limits.pinnedPerConversation, 'ERR_PINNED_MESSAGES_LIMIT_EXCEEDED')
    const pin = { pinnedAt: now, pinnedBy: actorUid(actor) }
    await tx.run(setPinned, { id: Number(id), at: pin.pinnedAt, by: pin.pinnedBy })
    return answer(tx, actor, { ...message, ...pin }, true)
  }),

  unpin: write(async (tx, { actor, id }: { actor: Actor; id: MessageId }): Promise<Marked> => {
    const { message } = await openLiving(tx, actor, id)
    if (message.pinnedAt === null) return answer(tx, actor, message, false)
    await tx.run(setPinned, { id: Number(id), at: null, by: null })
    return answer(tx, actor, { ...message, pinnedAt: null, pinnedBy: null }, true)
  }),

  save: write(async (tx, input: { actor: UserActor; id: MessageId; now: number }): Promise<Marked> => {
    const { actor, id, now } = input
    const { appId: app, uid } = actor
    const { message } = await openLiving(tx, actor, id)
    const isNew = (await tx.run(insertSaved, { app, uid, message: Number(id), now })) > 0
    // One more than the limit is there by now, if there is one too many.
    const saved = isNew ? await tx.first(countSaved, { app, uid }) : undefined
    assertRoom(saved, tx.limits.savedPerUser + 1, 'ERR_SAVED_MESSAGES_LIMIT_EXCEEDED')
    return answer(tx, actor, message, isNew)
  }),

  unsave: write(async (tx, { actor, id }: { actor: UserActor; id: MessageId }): Promise<Marked> => {
    const { message } = await openLiving(tx, actor, id)
    const isNew = (await tx.run(deleteSaved, { app: actor.appId, uid: actor.uid, message: Number(id) })) > 0
    return answer(tx, actor, message, isNew)
  }),
}
