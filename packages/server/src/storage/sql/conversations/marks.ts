/**
 * What users have received and read: in each conversation everything up to one message. Marks only move forward, but for
 * a user who says that something is unread again.
 */

import type { AppId, ConversationId, MessageId, Uid } from '@confab/protocol'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import type { UserActor } from '../../../kernel/actor.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { userEntity } from '../../../users/user.ts'
import { type OneNews, tellWebhooks } from '../delivery/announce.ts'
import { idOf } from '../messages/message-rows.ts'
import { statement, type Tx, write } from '../seam.ts'
import { isBlockedBetween } from '../users/relation-rows.ts'
import { requireActor, requireUser, toUser, type UserRow } from '../users/user-rows.ts'
import {
  type ConversationState,
  latestIdOf,
  type Partner,
  type Party,
  requireKnownParty,
  requireParty,
  stateOf,
} from './conversation-rows.ts'

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

/** Who wrote what is newly marked, the newest of it; most of them, if they are many. */
const sendersBetween = statement<
  { app: string; conversation: string; from: number; to: number; limit: number },
  { sender: Uid }
>(
  'marks.senders_between',
  `SELECT DISTINCT sender FROM (
     SELECT sender, category FROM messages
     WHERE app_id = :app AND conversation_id = :conversation AND id > :from AND id <= :to
     ORDER BY id DESC LIMIT :limit) AS marked
   WHERE category <> 'action'`,
)
interface NewestRow {
  readonly id: number
  readonly sender: Uid
  readonly receiver_type: string
  readonly receiver: string
}

/** What a mark is news of: the newest that somebody else has said of what is newly marked. */
const newestOfOthers = statement<
  { app: string; conversation: string; uid: string; from: number; to: number },
  NewestRow
>(
  'marks.newest_of_others',
  `SELECT id, sender, receiver_type, receiver FROM messages
   WHERE app_id = :app AND conversation_id = :conversation AND id > :from AND id <= :to
     AND sender <> :uid AND category <> 'action' ORDER BY id DESC LIMIT 1`,
)
/** Bots mark nothing: nobody waits for them. */
const lastBehind = (column: 'read_id' | 'delivered_id') =>
  statement<{ app: string; guid: string; conversation: string; sender: string; id: number }, { uid: string }>(
    `marks.behind_${column}`,
    `SELECT members.uid FROM members
     LEFT JOIN user_conversations AS state
       ON state.app_id = members.app_id AND state.conversation_id = :conversation AND state.uid = members.uid
     WHERE members.app_id = :app AND members.guid = :guid AND members.uid <> :sender
       AND COALESCE(state.${column}, 0) < :id
       AND NOT EXISTS (SELECT 1 FROM bots WHERE bots.app_id = members.app_id AND bots.uid = members.uid) LIMIT 1`,
  )
const someoneBehind = { delivered: lastBehind('delivered_id'), read: lastBehind('read_id') } as const

/** A mark, and up to which message it is one: the newest of what others have said. */
export interface MarkUpTo {
  readonly kind: MarkKind
  readonly upTo: MessageId
}

/** Who is to see what was marked. */
export interface Heard {
  /** Who wrote what is newly marked; nobody, where one of the two has blocked the other. */
  readonly by: readonly Uid[]
  /** The entity of who has marked, JSON. */
  readonly byJson: string
  readonly marks: readonly MarkUpTo[]
  /** Every other member of the group has received or read it with this. */
  readonly toAll: readonly MarkUpTo[]
}

/** How many of the messages that are newly marked are looked at for who wrote them. */
const MARKED_SEEN = 500
/** Of larger groups nobody is told that all have read something. */
const MEMBERS_SEEN = 300

export interface Marked {
  readonly conversationId: ConversationId
  /** Nothing if what is newly marked is news to nobody: it is one's own, or nothing at all. */
  readonly heard: Heard | undefined
  readonly told: Told
}

const TRIGGER_OF = { delivered: 'message_delivery_receipt', read: 'message_read_receipt' } as const

/** A mark that has moved over something that others have said. */
interface News {
  readonly kind: MarkKind
  readonly newest: NewestRow
}

interface Marking {
  readonly app: AppId
  readonly conversation: ConversationId
  readonly by: UserRow
  /** As it was before. */
  readonly state: ConversationState
  /** Up to which message. */
  readonly id: number
}

/** Of what others said: a mark on one's own message, or on what tells of an edit, is news to nobody. */
const newsOf = async (
  tx: Tx,
  { app, conversation, by: { uid }, state, id }: Marking,
  moved: readonly MarkKind[],
): Promise<readonly News[]> => {
  const news: News[] = []
  for (const kind of moved) {
    const from = kind === 'read' ? state.read_id : state.delivered_id
    const newest = await tx.first(newestOfOthers, { app, conversation, uid, from, to: id })
    if (newest !== undefined) news.push({ kind, newest })
  }
  return news
}

const tellOfReceipts = async (
  tx: Tx,
  telling: Telling,
  { app, conversation: key, by }: Marking,
  news: readonly News[],
): Promise<Told> => {
  if (news.length === 0) return nobodyTold
  const what = news.map(({ kind: action, newest }): OneNews => {
    const { receiver_type: receiverType, receiver, sender: messageSender } = newest
    const data = (): string =>
      JSON.stringify({
        receiver: receiverType === 'group' ? receiver : messageSender,
        receiverType,
        type: 'receipts',
        sender: by.uid,
        messageSender,
        body: { action, messageId: idOf(newest.id), user: userEntity(toUser(by)), timestamp: toSeconds(telling.nowMs) },
      })
    return { trigger: TRIGGER_OF[action], data }
  })
  const messageId = Math.max(...news.map(({ newest }) => newest.id))
  return tellWebhooks(tx, telling, { app, key, messageId, what })
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

const markOf = ({ kind, newest }: News): MarkUpTo => ({ kind, upTo: idOf(newest.id) })

const heardBy = async (
  tx: Tx,
  { app, conversation, by, state, id }: Marking,
  party: Party,
  news: readonly News[],
): Promise<Heard | undefined> => {
  if (news.length === 0) return undefined
  const shared = { byJson: JSON.stringify(userEntity(toUser(by))), marks: news.map(markOf) }
  if (party.kind === 'user') {
    const { user } = party
    const isHeard = user !== undefined && !(await isBlockedBetween(tx, app, by.uid, user.uid))
    return { ...shared, by: isHeard ? [user.uid] : [], toAll: [] }
  }
  const from = news.some(({ kind }) => kind === 'delivered') ? state.delivered_id : state.read_id
  const rows = await tx.all(sendersBetween, { app, conversation, from, to: id, limit: MARKED_SEEN })
  const toAll: MarkUpTo[] = []
  if (party.group.members_count <= MEMBERS_SEEN) {
    const { guid } = party.group
    for (const one of news) {
      const { sender, id: upTo } = one.newest
      const behind = await tx.first(someoneBehind[one.kind], { app, guid, conversation, sender, id: upTo })
      if (behind === undefined) toAll.push(markOf(one))
    }
  }
  return { ...shared, by: rows.map((row) => row.sender).filter((uid) => uid !== by.uid), toAll }
}

export const marks = {
  /** `upTo`: a message of the conversation; the newest one if it is left out, or lies beyond. What is read is delivered. */
  set: write(
    async (
      tx,
      input: { actor: UserActor; partner: Partner; kind: MarkKind; upTo?: MessageId; telling: Telling },
    ): Promise<Marked> => {
      const { actor, partner, kind, upTo, telling } = input
      const now = toSeconds(telling.nowMs)
      const { appId: app, uid } = actor
      const by = await requireUser(tx, app, uid, 'onBehalfOf')
      const party = await requireKnownParty(tx, actor, partner)
      const { conversationId: conversation } = party
      if (tx.dialect === 'postgres') await tx.first(lockMarks, { key: JSON.stringify([app, conversation, uid]) })
      const latest = await latestIdOf(tx, app, conversation)
      const id = upTo === undefined ? latest : Math.min(Number(upTo), latest)
      const state = await stateOf(tx, app, conversation, uid)
      const moved = await move(tx, { app, conversation, uid }, state, { kind, id, now })
      const marking = { app, conversation, by, state, id }
      const news = await newsOf(tx, marking, moved)
      const told = await tellOfReceipts(tx, telling, marking, news)
      return { conversationId: conversation, heard: await heardBy(tx, marking, party, news), told }
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
