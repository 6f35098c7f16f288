/** What users have done with the elements of interactive messages. */

import type { MessageId, Uid, User } from '@confab/protocol'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import type { UserActor } from '../../../kernel/actor.ts'
import { AppError, badRequest } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { elementIdsOf, isGoalReached, maySenderInteract } from '../../../messages/interactive.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { userEntity } from '../../../users/user.ts'
import type { Bit } from '../schema.ts'
import { statement, type Tx, write } from '../seam.ts'
import { toUser, type UserRow } from '../users/user-rows.ts'
import { openLiving } from './message-access.ts'
import { tellOfMessage, textOf } from './message-news.ts'

type Key = { message: number; uid: string }

const insertInteraction = statement<Key & { element: string; now: number; completes: Bit }>(
  'interactions.insert',
  `INSERT INTO interactions (message_id, uid, element_id, interacted_at, completes)
   VALUES (:message, :uid, :element, :now, :completes)
   ON CONFLICT (message_id, uid, element_id) DO NOTHING`,
)
const findInteractions = statement<Key, { element_id: string; interacted_at: number }>(
  'interactions.find',
  `SELECT element_id, interacted_at FROM interactions WHERE message_id = :message AND uid = :uid
   ORDER BY interacted_at, element_id`,
)

export interface Interacted {
  readonly message: StoredMessage
  /** Whoever did it. */
  readonly by: User | undefined
  /** All that the user has done with the message. */
  readonly interactions: readonly { readonly elementId: string; readonly interactedAt: number }[]
  /** The goal of the message is reached with this. */
  readonly completed: boolean
  readonly told: Told
}

const interactionsOf = async (tx: Tx, message: number, uid: Uid): Promise<Interacted['interactions']> =>
  (await tx.all(findInteractions, { message, uid })).map((row) => ({
    elementId: row.element_id,
    interactedAt: row.interacted_at,
  }))

const check = (message: StoredMessage, uid: Uid, elements: readonly string[]): void => {
  if (message.category !== 'interactive') {
    throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED', { details: { id: 'is not an interactive message' } })
  }
  if (message.sender === uid && !maySenderInteract(message)) {
    throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED', { details: { id: 'does not let its sender interact' } })
  }
  const known = elementIdsOf(message)
  const unknown = elements.filter((element) => !known.has(element))
  if (unknown.length > 0) throw badRequest({ interactions: `the message has no elements ${unknown.join(', ')}` })
}

export const interactions = {
  /** Each element counts once. */
  mark: write(
    async (
      tx,
      input: { actor: UserActor; id: MessageId; elements: readonly string[]; telling: Telling },
    ): Promise<Interacted> => {
      const { actor, id, elements, telling } = input
      const { uid } = actor
      const { message, by } = await openLiving(tx, actor, id)
      check(message, uid, elements)
      const key = { message: Number(id), uid }
      const now = toSeconds(telling.nowMs)
      const done = new Set((await interactionsOf(tx, key.message, uid)).map(({ elementId }) => elementId))
      const wasReached = isGoalReached(message, done)
      let completed = false
      const fresh = [...new Set(elements)].filter((element) => !done.has(element))
      for (const element of fresh) {
        done.add(element)
        const completes: boolean = !wasReached && !completed && isGoalReached(message, done)
        completed ||= completes
        await tx.run(insertInteraction, { ...key, element, now, completes: completes ? 1 : 0 })
      }
      const all = await interactionsOf(tx, key.message, uid)
      const told = fresh.length === 0 ? nobodyTold : await tell(tx, input, { message, by, interactions: all })
      return { message, by: by && userEntity(toUser(by)), interactions: all, completed, told }
    },
  ),
}

const tell = (
  tx: Tx,
  input: { actor: UserActor; telling: Telling },
  news: { message: StoredMessage; by: UserRow | undefined; interactions: Interacted['interactions'] },
): Promise<Told> => {
  const { message, by, interactions: done } = news
  const data = { messageId: message.id, user: by && userEntity(toUser(by)), interactions: done }
  return tellOfMessage(tx, input, {
    message,
    messageId: Number(message.id),
    trigger: 'message_interacted',
    data: () => JSON.stringify(data),
    texts: [textOf(message)],
  })
}
