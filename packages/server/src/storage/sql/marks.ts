/**
 * What users have received and read: in each conversation everything up to one message. Marks only move forward, but for
 * a user who says that something is unread again.
 */

import type { AppId, ConversationId, MessageId, Uid } from '@confab/protocol'
import type { UserActor } from '../../kernel/actor.ts'
import { toSeconds } from '../../kernel/clock.ts'
import { type ConversationState, latestIdOf, type Partner, requireParty, stateOf } from './conversation-rows.ts'
import { idOf } from './message-rows.ts'
import { statement, type Tx, write } from './seam.ts'
import { requireActor } from './user-rows.ts'

export type MarkKind = 'delivered' | 'read'

type Key = { app: string; conversation: string; uid: string }

const setMarks = statement<Key & { read: number; delivered: number }>(
  'marks.set',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id)
   VALUES (:app, :conversation, :uid, :read, :delivered)
   ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET read_id = excluded.read_id, delivered_id = excluded.delivered_id`,
)
export const insertReceipt = statement<Key & { kind: string; id: number; now: number }>(
  'receipts.insert',
  `INSERT INTO receipts (app_id, conversation_id, uid, kind, up_to_id, at)
   VALUES (:app, :conversation, :uid, :kind, :id, :now)
   ON CONFLICT (app_id, conversation_id, uid, kind, up_to_id) DO NOTHING`,
)
const deleteReceipts = statement<Key & { id: number }>(
  'receipts.delete_read',
  `DELETE FROM receipts WHERE app_id = :app AND conversation_id = :conversation AND uid = :uid AND kind = 'read'
     AND up_to_id >= :id`,
)
/** Two marks of one user in one conversation, one after the other. SQLite has one writer. */
export const lockMarks = statement<{ key: string }, { locked: null }>(
  'marks.lock',
  'SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)) AS locked',
)

export interface Marked {
  readonly conversationId: ConversationId
  /** Up to which message it is marked now; nothing where nothing has been said. */
  readonly upTo: MessageId | undefined
  /** Which marks have moved. */
  readonly moved: readonly MarkKind[]
}

const move = async (
  tx: Tx,
  key: { app: AppId; conversation: ConversationId; uid: Uid },
  state: ConversationState,
  to: { kind: MarkKind; id: number; now: number },
): Promise<readonly MarkKind[]> => {
  const { kind, id, now } = to
  const isRead = kind === 'read' && id > state.read_id
  const isDelivered = id > state.delivered_id
  const moved: MarkKind[] = [...(isDelivered ? ['delivered' as const] : []), ...(isRead ? ['read' as const] : [])]
  if (moved.length === 0) return moved
  await tx.run(setMarks, {
    ...key,
    read: isRead ? id : state.read_id,
    delivered: isDelivered ? id : state.delivered_id,
  })
  for (const one of moved) await tx.run(insertReceipt, { ...key, kind: one, id, now })
  return moved
}

export const marks = {
  /** `upTo`: a message of the conversation; the newest one if it is left out, or lies beyond. What is read is delivered. */
  set: write(
    async (
      tx,
      input: { actor: UserActor; partner: Partner; kind: MarkKind; upTo?: MessageId; nowMs: number },
    ): Promise<Marked> => {
      const { actor, partner, kind, upTo, nowMs } = input
      const { appId: app, uid } = actor
      await requireActor(tx, actor)
      const { conversationId: conversation } = await requireParty(tx, actor, partner)
      if (tx.dialect === 'postgres') await tx.first(lockMarks, { key: JSON.stringify([app, conversation, uid]) })
      const latest = await latestIdOf(tx, app, conversation)
      const id = upTo === undefined ? latest : Math.min(Number(upTo), latest)
      const state = await stateOf(tx, app, conversation, uid)
      const moved = await move(tx, { app, conversation, uid }, state, { kind, id, now: toSeconds(nowMs) })
      return { conversationId: conversation, upTo: id === 0 ? undefined : idOf(id), moved }
    },
  ),

  /** The message, and what came after it, counts as unread again. */
  unread: write(async (tx, input: { actor: UserActor; partner: Partner; from: MessageId }): Promise<ConversationId> => {
    const { actor, partner, from } = input
    const { appId: app, uid } = actor
    await requireActor(tx, actor)
    const { conversationId: conversation } = await requireParty(tx, actor, partner)
    const key = { app, conversation, uid }
    if (tx.dialect === 'postgres') await tx.first(lockMarks, { key: JSON.stringify([app, conversation, uid]) })
    const state = await stateOf(tx, app, conversation, uid)
    const read = Math.min(state.read_id, Number(from) - 1)
    await tx.run(setMarks, { ...key, read, delivered: state.delivered_id })
    await tx.run(deleteReceipts, { ...key, id: Number(from) })
    return conversation
  }),
}
