/** Where in a conversation a time is: an index has its messages by id, none by time, and the two tell almost the same order. */
import type { AppId, ConversationId } from '@confab/protocol'
import { statement, type Tx } from '../seam.ts'

/** How much later a message with a lower id may have been sent: clocks of nodes differ, and messages wait for their turn. */
const SKEW_S = 600

const PROBE = `(SELECT sent_at FROM messages WHERE app_id = :app AND conversation_id = (SELECT CAST(:conversation AS TEXT))
  AND id >= (low + high + 1) / 2 ORDER BY id LIMIT 1)`

/** By halves: the message at `low` was sent before, the one after `high` was not. */
const lastBefore = statement<{ app: string; conversation: string; at: number }, { id: number }>(
  'messages.last_before',
  `WITH RECURSIVE span(low, high) AS (
     SELECT CAST(0 AS BIGINT), coalesce((SELECT max(id) FROM messages WHERE app_id = :app AND conversation_id = :conversation), 0)
     UNION ALL
     SELECT CASE WHEN ${PROBE} < :at THEN (low + high + 1) / 2 ELSE low END,
       CASE WHEN ${PROBE} < :at THEN high ELSE (low + high + 1) / 2 - 1 END
     FROM span WHERE low < high)
   SELECT max(low) AS id FROM span`,
)

const idBefore = async (tx: Tx, app: AppId, conversation: ConversationId, at: number): Promise<number> =>
  (await tx.first(lastBefore, { app, conversation, at }))?.id ?? 0

/** Ids between which everything is that was sent from `from` to `to`; with some more, which their times tell. */
export const idsBetweenTimes = async (
  tx: Tx,
  { app, conversation }: { app: AppId; conversation: ConversationId },
  { from, to }: { from?: number; to?: number },
): Promise<{ after?: number; upTo?: number }> => ({
  ...(from !== undefined && { after: await idBefore(tx, app, conversation, from - SKEW_S) }),
  ...(to !== undefined && { upTo: await idBefore(tx, app, conversation, to + SKEW_S + 1) }),
})
