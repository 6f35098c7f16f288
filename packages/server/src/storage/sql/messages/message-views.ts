/** How messages stand for whoever looks at them: receipts, own reactions, what they quote. One round for a whole list. */
import type { AppId, Uid } from '@confab/protocol'
import { sql } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import type { MessageView, Receipt, StoredMessage } from '../../../messages/message.ts'
import { userEntity } from '../../../users/user.ts'
import type { Tx } from '../seam.ts'
import { toUser } from '../users/user-rows.ts'
import { idOf, MESSAGE_COLUMNS, toMessage } from './message-rows.ts'

export interface ViewedMessage {
  readonly message: StoredMessage
  readonly view: MessageView
}

export interface ViewOptions {
  readonly withThreadSubscribed?: boolean
}

interface StandingRow {
  id: number
  delivered_at: number | null
  read_at: number | null
  saved_at: number | null
  subscribed: number | null
}

/** The receiver's receipt one to one, the viewer's in groups: the first at or after the message says when. */
const receiptAt = (kind: 'delivered' | 'read', viewer: Uid | null) =>
  sql<number | null>`(SELECT receipts.at FROM receipts
    WHERE receipts.app_id = messages.app_id AND receipts.conversation_id = messages.conversation_id
      AND receipts.uid = CASE WHEN messages.receiver_type = 'user' THEN messages.receiver ELSE ${viewer ?? ''} END
      AND receipts.kind = ${sql.lit(kind)} AND receipts.up_to_id >= messages.id
    ORDER BY receipts.up_to_id LIMIT 1)`

const standingsOf = async (
  tx: Tx,
  viewer: Uid | null,
  ids: readonly number[],
): Promise<ReadonlyMap<string, StandingRow>> => {
  const own = viewer ?? ''
  const rows = await tx.query(
    sql<StandingRow>`SELECT messages.id, ${receiptAt('delivered', viewer)} AS delivered_at, ${receiptAt('read', viewer)} AS read_at,
        (SELECT saved_at FROM saved_messages
         WHERE saved_messages.app_id = messages.app_id AND uid = ${own} AND message_id = messages.id) AS saved_at,
        (SELECT subscribed FROM thread_followers
         WHERE thread_followers.app_id = messages.app_id AND uid = ${own} AND root_id = messages.id) AS subscribed
      FROM messages WHERE messages.id IN (${sql.join([...ids])})`.compile(tx.build),
  )
  return new Map(rows.map((row) => [idOf(row.id), row]))
}

/** By message, in the order in which they were given. */
const grouped = <R extends { message_id: number }, V>(rows: readonly R[], pick: (row: R) => V): Map<string, V[]> => {
  const found = new Map<string, V[]>()
  for (const row of rows) {
    const id = idOf(row.message_id)
    const values = found.get(id)
    if (values === undefined) found.set(id, [pick(row)])
    else values.push(pick(row))
  }
  return found
}

const myReactions = async (tx: Tx, viewer: Uid, messages: readonly StoredMessage[]) => {
  const ids = messages.filter(({ reactions }) => reactions !== null).map(({ id }) => Number(id))
  if (ids.length === 0) return new Map<string, string[]>()
  const query = tx.build.selectFrom('reactions').select(['message_id', 'reaction']).orderBy('id')
  const rows = await tx.query(query.where('message_id', 'in', ids).where('uid', '=', viewer).compile())
  return grouped(rows, ({ reaction }) => reaction)
}

const myInteractions = async (tx: Tx, viewer: Uid, messages: readonly StoredMessage[]) => {
  const ids = messages.filter(({ category }) => category === 'interactive').map(({ id }) => Number(id))
  if (ids.length === 0) return new Map<string, { elementId: string; interactedAt: number }[]>()
  const query = tx.build
    .selectFrom('interactions')
    .select(['message_id', 'element_id', 'interacted_at'])
    .orderBy('interacted_at')
    .orderBy('element_id')
  const rows = await tx.query(query.where('message_id', 'in', ids).where('uid', '=', viewer).compile())
  return grouped(rows, (row) => ({ elementId: row.element_id, interactedAt: row.interacted_at }))
}

/** Also those that were deleted since: they show that they were. */
export const messagesById = async (
  tx: Tx,
  ids: readonly (string | null)[],
): Promise<ReadonlyMap<string, StoredMessage>> => {
  const wanted = [...new Set(ids.flatMap((id) => (id === null ? [] : [Number(id)])))]
  if (wanted.length === 0) return new Map()
  const query = tx.build.selectFrom('messages').select(MESSAGE_COLUMNS).where('id', 'in', wanted)
  const rows = await tx.query(query.compile())
  return new Map(rows.map((row) => [idOf(row.id), toMessage(row)]))
}

const receiptOf = ({ delivered_at, read_at }: StandingRow): Receipt => ({
  ...(delivered_at !== null && { deliveredAt: delivered_at }),
  ...(read_at !== null && { readAt: read_at }),
})

const isEmpty = (receipt: Receipt): boolean => receipt.deliveredAt === undefined && receipt.readAt === undefined

/** What receipts are kept of. */
const isSaid = ({ category }: StoredMessage): boolean => category !== 'action'

const viewOf = (
  message: StoredMessage,
  viewer: Uid | null,
  row: StandingRow | undefined,
  { withThreadSubscribed = false }: ViewOptions,
): MessageView => {
  if (row === undefined) return {}
  const receipt = isSaid(message) ? receiptOf(row) : {}
  const isOneToOne = message.receiverType === 'user'
  const isMine = message.sender !== viewer && (!isOneToOne || message.receiver === viewer)
  return {
    ...(isOneToOne && receipt),
    ...(viewer !== null && isMine && !isEmpty(receipt) && { myReceipt: receipt }),
    ...(row.saved_at !== null && { savedAt: row.saved_at }),
    ...(withThreadSubscribed && viewer !== null && { threadSubscribed: row.subscribed === 1 }),
  }
}

/** @param actor the app sees what nobody in particular does */
export const viewed = async (
  tx: Tx,
  actor: Actor,
  messages: readonly StoredMessage[],
  options: ViewOptions = {},
): Promise<readonly ViewedMessage[]> => {
  if (messages.length === 0) return []
  const viewer = actor.kind === 'user' ? actor.uid : null
  const ids = messages.map(({ id }) => Number(id))
  const standings = await standingsOf(tx, viewer, ids)
  const reactions = viewer === null ? undefined : await myReactions(tx, viewer, messages)
  const interactions = viewer === null ? undefined : await myInteractions(tx, viewer, messages)
  const quotes = await messagesById(
    tx,
    messages.map(({ quotedId }) => quotedId),
  )
  return messages.map((message) => {
    const { id, quotedId } = message
    const [mine, used] = [reactions?.get(id), interactions?.get(id)]
    const quoted = quotedId === null ? undefined : quotes.get(quotedId)
    return {
      message,
      view: {
        ...viewOf(message, viewer, standings.get(id), options),
        ...(mine !== undefined && { myReactions: mine }),
        ...(used !== undefined && { myInteractions: used }),
        ...(quoted !== undefined && { quoted }),
      },
    }
  })
}

/** More than anybody looks at; a group may have many members. */
const RECIPIENTS_MAX = 1000

/** Who has received and read one message, by user. */
export const receiptsOf = async (
  tx: Tx,
  app: AppId,
  message: StoredMessage,
): Promise<NonNullable<MessageView['receipts']>> => {
  const id = Number(message.id)
  const at = (kind: 'delivered' | 'read') =>
    sql<number | null>`(SELECT receipts.at FROM receipts
      WHERE receipts.app_id = user_conversations.app_id AND receipts.conversation_id = user_conversations.conversation_id
        AND receipts.uid = user_conversations.uid AND receipts.kind = ${sql.lit(kind)} AND receipts.up_to_id >= ${id}
      ORDER BY receipts.up_to_id LIMIT 1)`
  const rows = await tx.query(
    tx.build
      .selectFrom('user_conversations')
      .innerJoin('users', (join) =>
        join.onRef('users.app_id', '=', 'user_conversations.app_id').onRef('users.uid', '=', 'user_conversations.uid'),
      )
      .where('user_conversations.app_id', '=', app)
      .where('user_conversations.conversation_id', '=', message.conversationId)
      .where('user_conversations.delivered_id', '>=', id)
      .where('user_conversations.uid', '!=', message.sender)
      .selectAll('users')
      .select([at('delivered').as('delivered_at'), at('read').as('read_at')])
      .orderBy('users.uid')
      .limit(RECIPIENTS_MAX)
      .compile(),
  )
  return rows.map((row) => ({
    recipient: userEntity(toUser(row)),
    ...(row.delivered_at !== null && { deliveredAt: row.delivered_at }),
    ...(row.read_at !== null && { readAt: row.read_at }),
  }))
}
