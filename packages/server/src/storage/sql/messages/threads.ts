/** Threads: a root with its replies, and who follows it. A root counts its replies that are not deleted. */

import { type Affix, type AppId, type ConversationId, limits, type MessageId } from '@confab/protocol'
import { type Expression, type SqlBool, sql } from 'kysely'
import type { UserActor } from '../../../kernel/actor.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { type Partner, requireParty, stateOf } from '../conversations/conversation-rows.ts'
import { ID_MAX, merged, type Range, sourcesOf } from '../conversations/merged-lists.ts'
import type { Bit } from '../schema.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireActor } from '../users/user-rows.ts'
import { assertTakesPart, requireMessage } from './message-access.ts'
import { toMessage } from './message-rows.ts'
import { messagesById, type ViewedMessage, viewed } from './message-views.ts'

type Follower = { app: string; uid: string; root: number }

const countReply = statement<{ root: number; reply: number }>(
  'threads.count_reply',
  'UPDATE messages SET reply_count = reply_count + 1, last_reply_id = :reply WHERE id = :root',
)
const uncountReply = statement<{ root: number }>(
  'threads.uncount_reply',
  `UPDATE messages SET reply_count = CASE WHEN reply_count > 0 THEN reply_count - 1 ELSE 0 END,
     last_reply_id = (SELECT max(replies.id) FROM messages AS replies
                      WHERE replies.parent_id = messages.id AND replies.deleted_at IS NULL)
   WHERE id = :root`,
)
const takePart = statement<Follower>(
  'threads.take_part',
  `INSERT INTO thread_followers (app_id, uid, root_id, participated, subscribed) VALUES (:app, :uid, :root, 1, 1)
   ON CONFLICT (app_id, uid, root_id) DO UPDATE SET participated = 1`,
)
/** Who began it hears of it, unless they have said that they do not want to. */
const followRoot = statement<{ app: string; root: number }>(
  'threads.follow_root',
  `INSERT INTO thread_followers (app_id, uid, root_id, participated, subscribed)
     SELECT app_id, sender, id, 0, 1 FROM messages WHERE id = :root AND app_id = :app
   ON CONFLICT (app_id, uid, root_id) DO NOTHING`,
)
const setSubscribed = statement<Follower & { subscribed: Bit }>(
  'threads.set_subscribed',
  `INSERT INTO thread_followers (app_id, uid, root_id, participated, subscribed) VALUES (:app, :uid, :root, 0, :subscribed)
   ON CONFLICT (app_id, uid, root_id) DO UPDATE SET subscribed = excluded.subscribed`,
)

export const addReply = async (
  tx: Tx,
  { app, rootId, reply }: { app: AppId; rootId: MessageId; reply: StoredMessage },
): Promise<void> => {
  const root = Number(rootId)
  await tx.run(countReply, { root, reply: Number(reply.id) })
  await tx.run(followRoot, { app, root })
  await tx.run(takePart, { app, uid: reply.sender, root })
}

/** Call it after the reply is marked or gone. */
export const dropReply = async (tx: Tx, rootId: MessageId): Promise<void> => {
  await tx.run(uncountReply, { root: Number(rootId) })
}

export interface ThreadCursor {
  readonly affix: Affix
  readonly limit: number
  /** Of the last root that was seen, which comes again. */
  readonly id?: number
}

const unreadReplies = async (tx: Tx, actor: UserActor, root: StoredMessage): Promise<number> => {
  const { read_id } = await stateOf(tx, actor.appId, root.conversationId, actor.uid)
  const [row] = await tx.query(
    sql<{ n: number }>`SELECT count(*) AS n FROM (SELECT 1 FROM messages
      WHERE parent_id = ${Number(root.id)} AND id > ${read_id} AND sender <> ${actor.uid} AND deleted_at IS NULL
      LIMIT ${sql.lit(limits.countMax)}) AS unread`.compile(tx.build),
  )
  return row?.n ?? 0
}

const withThread = async (tx: Tx, actor: UserActor, roots: readonly (ViewedMessage & { lastReplyId: string })[]) => {
  const replies = await messagesById(
    tx,
    roots.map(({ lastReplyId }) => lastReplyId),
  )
  const threads: ViewedMessage[] = []
  for (const { message, view, lastReplyId } of roots) {
    const lastReply = replies.get(lastReplyId)
    const thread = { lastReply, unreadReplies: await unreadReplies(tx, actor, message) }
    // Clients go on from the thread that was updated first of those that they have.
    const updatedAt = lastReply?.sentAt ?? message.updatedAt
    threads.push({ message: { ...message, updatedAt }, view: { ...view, thread } })
  }
  return threads
}

const conversationOf = async (
  tx: Tx,
  actor: UserActor,
  partner: Partner | undefined,
): Promise<ConversationId | undefined> =>
  partner === undefined ? undefined : (await requireParty(tx, actor, partner)).conversationId

export const threads = {
  /** Roots with replies, those that were last replied to first. `partner`: of one conversation. */
  list: read(
    async (
      tx,
      input: { actor: UserActor; partner?: Partner; participatedByMe: boolean; cursor: ThreadCursor },
    ): Promise<readonly ViewedMessage[]> => {
      const { actor, partner, participatedByMe, cursor } = input
      await requireActor(tx, actor)
      const conversation = await conversationOf(tx, actor, partner)
      const { id, affix, limit } = cursor
      const forwards = affix === 'append'
      const rows = await merged(tx, {
        actor,
        sources: sourcesOf(actor.appId, actor.uid, [], conversation),
        by: 'last_reply_id',
        direction: forwards ? 'asc' : 'desc',
        range: id === undefined ? {} : since(id, forwards),
        condition: sql<SqlBool>`messages.last_reply_id IS NOT NULL ${participatedByMe ? sql`AND ${takesPartIn(actor)}` : sql``}`,
        limit,
      })
      const shown = await viewed(tx, actor, rows.map(toMessage), { withThreadSubscribed: true })
      return withThread(
        tx,
        actor,
        shown.map((root, index) => ({ ...root, lastReplyId: String(rows[index]?.last_reply_id) })),
      )
    },
  ),

  subscribe: write(async (tx, input: { actor: UserActor; id: MessageId; subscribed: boolean }): Promise<void> => {
    const { actor, id, subscribed } = input
    await requireActor(tx, actor)
    const message = await requireMessage(tx, actor.appId, id)
    await assertTakesPart(tx, actor, message)
    const root = Number(message.parentId ?? message.id)
    await tx.run(setSubscribed, { app: actor.appId, uid: actor.uid, root, subscribed: subscribed ? 1 : 0 })
  }),
}

/** From a root on; of a message that is none, nothing. */
const since = (id: number, forwards: boolean): Range => {
  const edge = sql<number>`(SELECT last_reply_id FROM messages WHERE messages.id = ${id})`
  return forwards
    ? { after: sql<number>`coalesce(${edge} - 1, ${sql.lit(ID_MAX)})` }
    : { upTo: sql<number>`coalesce(${edge}, 0)` }
}

/** Who began it, has replied to it, or follows it. */
const takesPartIn = ({ appId, uid }: UserActor): Expression<SqlBool> =>
  sql<SqlBool>`(messages.sender = ${uid} OR EXISTS (SELECT 1 FROM thread_followers
    WHERE thread_followers.app_id = ${appId} AND thread_followers.uid = ${uid} AND thread_followers.root_id = messages.id
      AND (thread_followers.participated = 1 OR thread_followers.subscribed = 1)))`
