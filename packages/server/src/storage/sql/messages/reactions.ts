/** Reactions to messages, one of each kind per user; the counts stand with the message. */
import type { Affix, MessageId, Reaction } from '@confab/protocol'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import type { Actor, UserActor } from '../../../kernel/actor.ts'
import { badRequest } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { type ReactionCount, reactionsOf, type StoredMessage } from '../../../messages/message.ts'
import { userEntity } from '../../../users/user.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireActor, toUser, type UserRow } from '../users/user-rows.ts'
import { assertTakesPart, openLiving, requireMessage } from './message-access.ts'
import { tellOfMessage, textOf } from './message-news.ts'
import { idOf } from './message-rows.ts'
import { type ViewedMessage, viewed } from './message-views.ts'

type Key = { message: number; reaction: string; uid: string }

const insertReaction = statement<Key & { app: string; now: number }, { id: number }>(
  'reactions.insert',
  `INSERT INTO reactions (app_id, message_id, reaction, uid, reacted_at) VALUES (:app, :message, :reaction, :uid, :now)
   ON CONFLICT (message_id, reaction, uid) DO NOTHING RETURNING id`,
)
const deleteReaction = statement<Key, { id: number; reacted_at: number }>(
  'reactions.delete',
  `DELETE FROM reactions WHERE message_id = :message AND reaction = :reaction AND uid = :uid RETURNING id, reacted_at`,
)
const updateCounts = statement<{ id: number; counts: string | null }>(
  'messages.set_reactions',
  'UPDATE messages SET reactions = :counts WHERE id = :id',
)

export interface ReactTo {
  readonly actor: UserActor
  readonly id: MessageId
  readonly reaction: string
  readonly telling: Telling
}

export interface Reacted extends ViewedMessage {
  /** Nothing if it was so before. */
  readonly change: Reaction | undefined
  readonly told: Told
}

const plusOne = (tx: Tx, counts: readonly ReactionCount[], reaction: string): readonly ReactionCount[] => {
  if (counts.some((known) => known.reaction === reaction)) {
    return counts.map((known) => (known.reaction === reaction ? { reaction, count: known.count + 1 } : known))
  }
  if (counts.length >= tx.limits.reactionsPerMessage) {
    throw badRequest({ reaction: `a message has at most ${tx.limits.reactionsPerMessage} different reactions` })
  }
  return [...counts, { reaction, count: 1 }]
}

const minusOne = (counts: readonly ReactionCount[], reaction: string): readonly ReactionCount[] =>
  counts
    .map((known) => (known.reaction === reaction ? { reaction, count: known.count - 1 } : known))
    .filter(({ count }) => count > 0)

const setCounts = async (tx: Tx, message: StoredMessage, counts: readonly ReactionCount[]): Promise<StoredMessage> => {
  const reactions = counts.length === 0 ? null : JSON.stringify(counts)
  await tx.run(updateCounts, { id: Number(message.id), counts: reactions })
  return { ...message, reactions }
}

const toReaction = (
  row: { id: number; message_id: number; reaction: string; uid: string; reacted_at: number },
  user: UserRow | undefined,
): Reaction => ({
  id: String(row.id),
  messageId: idOf(row.message_id),
  reaction: row.reaction,
  uid: row.uid,
  reactedAt: row.reacted_at,
  ...(user !== undefined && { reactedBy: userEntity(toUser(user)) }),
})

const tell = (tx: Tx, input: ReactTo, message: StoredMessage, change: Reaction, gone: boolean): Promise<Told> =>
  tellOfMessage(tx, input, {
    message,
    messageId: Number(message.id),
    trigger: gone ? 'message_reaction_removed' : 'message_reaction_added',
    data: () => JSON.stringify({ reaction: change }),
    texts: [textOf(message)],
  })

const answer = async (tx: Tx, { actor }: ReactTo, message: StoredMessage): Promise<ViewedMessage> => {
  const [shown] = await viewed(tx, actor, [message])
  return shown ?? { message, view: {} }
}

export interface ReactionCursor {
  readonly affix: Affix
  readonly limit: number
  /** Of a reaction; exclusive. */
  readonly id?: number
}

export const reactions = {
  add: write(async (tx, input: ReactTo): Promise<Reacted> => {
    const { actor, id, reaction, telling } = input
    const now = toSeconds(telling.nowMs)
    const { message, by } = await openLiving(tx, actor, id)
    const key = { message: Number(id), reaction, uid: actor.uid }
    const row = await tx.first(insertReaction, { ...key, app: actor.appId, now })
    if (row === undefined) return { ...(await answer(tx, input, message)), change: undefined, told: nobodyTold }
    const changed = await setCounts(tx, message, plusOne(tx, reactionsOf(message), reaction))
    const change = toReaction({ id: row.id, message_id: Number(id), reaction, uid: actor.uid, reacted_at: now }, by)
    return { ...(await answer(tx, input, changed)), change, told: await tell(tx, input, changed, change, false) }
  }),

  remove: write(async (tx, input: ReactTo): Promise<Reacted> => {
    const { actor, id, reaction } = input
    const { message, by } = await openLiving(tx, actor, id)
    const row = await tx.first(deleteReaction, { message: Number(id), reaction, uid: actor.uid })
    if (row === undefined) return { ...(await answer(tx, input, message)), change: undefined, told: nobodyTold }
    const changed = await setCounts(tx, message, minusOne(reactionsOf(message), reaction))
    const change = toReaction({ ...row, message_id: Number(id), reaction, uid: actor.uid }, by)
    return { ...(await answer(tx, input, changed)), change, told: await tell(tx, input, changed, change, true) }
  }),

  /** In the order in which they were given; of `reaction` alone, if it is named. Oldest first in both directions. */
  list: read(
    async (
      tx,
      input: { actor: Actor; id: MessageId; reaction?: string; cursor: ReactionCursor },
    ): Promise<readonly Reaction[]> => {
      const { actor, id, reaction, cursor } = input
      await requireActor(tx, actor)
      await assertTakesPart(tx, actor, await requireMessage(tx, actor.appId, id))
      const forwards = cursor.affix === 'append'
      let query = tx.build
        .selectFrom('reactions')
        .leftJoin('users', (join) =>
          join.onRef('users.app_id', '=', 'reactions.app_id').onRef('users.uid', '=', 'reactions.uid'),
        )
        .selectAll('users')
        .select(['reactions.id', 'message_id', 'reaction', 'reactions.uid as reacted_by', 'reacted_at'])
        .where('message_id', '=', Number(id))
      if (reaction !== undefined) query = query.where('reaction', '=', reaction)
      if (cursor.id !== undefined) query = query.where('reactions.id', forwards ? '>' : '<', cursor.id)
      const sorted = query.orderBy('reactions.id', forwards ? 'asc' : 'desc').limit(cursor.limit)
      const rows = (await tx.query(sorted.compile())).map((row) =>
        toReaction({ ...row, uid: row.reacted_by }, row.uid === null ? undefined : (row as UserRow)),
      )
      return forwards ? rows : rows.reverse()
    },
  ),
}
