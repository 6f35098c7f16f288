/** How conversations stand for their users, as rows. */
import {
  type AppId,
  type ConversationId,
  type Guid,
  groupConversationId,
  SYSTEM_UID,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import type { UserActor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { type GroupRow, type Membership, membershipOf, requireGroup } from '../groups/group-rows.ts'
import { statement, type Tx } from '../seam.ts'
import { findActive, requireUser, type UserRow } from '../users/user-rows.ts'

type Key = { app: string; conversation: string; uid: string }

/** Whose conversation it is, beside the acting user's. */
export type Partner = { readonly kind: 'user'; readonly uid: Uid } | { readonly kind: 'group'; readonly guid: Guid }

export interface ConversationState {
  readonly read_id: number
  readonly delivered_id: number
  readonly hidden_id: number
}

const findState = statement<Key, ConversationState>(
  'user_conversations.find',
  `SELECT read_id, delivered_id, hidden_id FROM user_conversations
   WHERE app_id = :app AND conversation_id = :conversation AND uid = :uid`,
)
const findLatest = statement<{ app: string; conversation: string }, { id: number | null }>(
  'messages.latest_id',
  'SELECT max(id) AS id FROM messages WHERE app_id = :app AND conversation_id = :conversation',
)
const startState = statement<Key & { id: number }>(
  'user_conversations.start',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id, hidden_id)
   VALUES (:app, :conversation, :uid, :id, :id, 0)
   ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET read_id = excluded.read_id, delivered_id = excluded.delivered_id`,
)
const deleteState = statement<Key>(
  'user_conversations.delete',
  'DELETE FROM user_conversations WHERE app_id = :app AND conversation_id = :conversation AND uid = :uid',
)
const deleteStates = statement<{ app: string; conversation: string }>(
  'user_conversations.delete_all',
  'DELETE FROM user_conversations WHERE app_id = :app AND conversation_id = :conversation',
)
const deleteReceipts = statement<{ app: string; conversation: string }>(
  'receipts.delete_all',
  'DELETE FROM receipts WHERE app_id = :app AND conversation_id = :conversation',
)
const deleteCallers = statement<{ app: string; conversation: string }>(
  'call_participants.delete_all',
  `DELETE FROM call_participants WHERE app_id = :app AND session_id IN
     (SELECT session_id FROM calls WHERE app_id = :app AND conversation_id = :conversation)`,
)
const deleteCalls = statement<{ app: string; conversation: string }>(
  'calls.delete_all',
  'DELETE FROM calls WHERE app_id = :app AND conversation_id = :conversation',
)
const deleteConversation = statement<{ app: string; conversation: string }>(
  'conversations.delete',
  'DELETE FROM conversations WHERE app_id = :app AND id = :conversation',
)

const untouched: ConversationState = { read_id: 0, delivered_id: 0, hidden_id: 0 }

export const stateOf = async (tx: Tx, app: AppId, conversation: ConversationId, uid: Uid): Promise<ConversationState> =>
  (await tx.first(findState, { app, conversation, uid })) ?? untouched

/** The newest message, of whatever kind; 0 without any. */
export const latestIdOf = async (tx: Tx, app: AppId, conversation: ConversationId): Promise<number> =>
  (await tx.first(findLatest, { app, conversation }))?.id ?? 0

/** Whoever joins has nothing to catch up with: what was said before is not unread. */
export const startReading = async (tx: Tx, app: AppId, guid: Guid, uid: Uid): Promise<void> => {
  const conversation = groupConversationId(guid)
  const id = await latestIdOf(tx, app, conversation)
  if (id > 0) await tx.run(startState, { app, conversation, uid, id })
}

export const stopReading = async (tx: Tx, app: AppId, guid: Guid, uid: Uid): Promise<void> => {
  await tx.run(deleteState, { app, conversation: groupConversationId(guid), uid })
}

/** The conversation with what each user has of it; its messages are purged in steps of their own. */
export const dropConversation = async (tx: Tx, app: AppId, conversation: ConversationId): Promise<void> => {
  await tx.run(deleteStates, { app, conversation })
  await tx.run(deleteReceipts, { app, conversation })
  await tx.run(deleteCallers, { app, conversation })
  await tx.run(deleteCalls, { app, conversation })
  await tx.run(deleteConversation, { app, conversation })
}

/** A conversation as one of its users has it. */
export type Party =
  /** Without a user: the app itself, or, where nothing is asked of the partner, somebody who is not there any more. */
  | { readonly kind: 'user'; readonly conversationId: ConversationId; readonly user: UserRow | undefined }
  | {
      readonly kind: 'group'
      readonly conversationId: ConversationId
      readonly group: GroupRow
      readonly membership: Membership
    }

/** The conversation of a user with the partner, whether or not anything has been said in it. */
export const requireParty = async (tx: Tx, { appId: app, uid }: UserActor, partner: Partner): Promise<Party> => {
  if (partner.kind === 'user') {
    const conversationId = userConversationId(uid, partner.uid)
    const user = partner.uid === SYSTEM_UID ? undefined : await requireUser(tx, app, partner.uid)
    return { kind: 'user', conversationId, user }
  }
  const group = await requireGroup(tx, app, partner.guid)
  const membership = await membershipOf(tx, app, partner.guid, uid)
  if (membership === undefined) throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid: partner.guid } })
  return { kind: 'group', conversationId: groupConversationId(partner.guid), group, membership }
}

/** The same where nothing is asked of the partner: who is gone, or deactivated, has said what they have said. */
export const requireKnownParty = async (tx: Tx, actor: UserActor, partner: Partner): Promise<Party> => {
  if (partner.kind === 'group' || partner.uid === SYSTEM_UID) return requireParty(tx, actor, partner)
  const { appId: app, uid } = actor
  const conversationId = userConversationId(uid, partner.uid)
  const user = await findActive(tx, app, partner.uid)
  if (user === undefined && (await latestIdOf(tx, app, conversationId)) === 0) {
    throw new AppError('ERR_UID_NOT_FOUND', { details: { uid: partner.uid } })
  }
  return { kind: 'user', conversationId, user }
}
