/**
 * The circuit breaker of each bot, which all nodes share. Nodes count for themselves and open it; it is here that it is
 * open. While it is, none of the bot's lanes is claimed; when its time is over, one node at a time gets one lane, to
 * probe with, and what comes of that closes it or leaves it open for longer.
 *
 * A bot that has asked to be left alone is in the same place, with a time and nothing that says when its breaker opened.
 */
import type { BotId } from '../../../kernel/actor.ts'
import { statement, type Tx, write } from '../seam.ts'
import type { BotRow } from './bot-rows.ts'

type Key = { app: string; bot: string }
const keyOf = ({ appId, bot }: BotId): Key => ({ app: appId, bot })

const openClosed = statement<Key & { untilMs: number; nowMs: number }>(
  'breakers.open',
  `UPDATE bots SET breaker_until_ms = CASE WHEN breaker_until_ms > :untilMs THEN breaker_until_ms ELSE :untilMs END,
     breaker_opened_at_ms = :nowMs, breaker_failed_probes = 0
   WHERE app_id = :app AND uid = :bot AND breaker_opened_at_ms IS NULL`,
)
/** Whether its breaker is open or not, the longest pause counts. */
const slowDown = statement<Key & { untilMs: number }>(
  'breakers.slow_down',
  `UPDATE bots SET breaker_until_ms = :untilMs
   WHERE app_id = :app AND uid = :bot AND (breaker_until_ms IS NULL OR breaker_until_ms < :untilMs)`,
)
/** Unless its breaker has been opened meanwhile. */
const staySlowed = statement<Key & { untilMs: number }>(
  'breakers.stay_slowed',
  `UPDATE bots SET breaker_until_ms = :untilMs
   WHERE app_id = :app AND uid = :bot AND breaker_until_ms IS NOT NULL AND breaker_opened_at_ms IS NULL`,
)
/** The probe was answered, by a bot that wants to be left alone. */
const stayAway = statement<Key & { untilMs: number }>(
  'breakers.stay_away',
  `UPDATE bots SET breaker_until_ms = :untilMs, breaker_opened_at_ms = NULL, breaker_failed_probes = 0
   WHERE app_id = :app AND uid = :bot AND breaker_until_ms IS NOT NULL`,
)
const close = statement<Key>(
  'breakers.close',
  `UPDATE bots SET breaker_until_ms = NULL, breaker_opened_at_ms = NULL, breaker_failed_probes = 0
   WHERE app_id = :app AND uid = :bot AND breaker_until_ms IS NOT NULL`,
)
const closeOpened = statement<Key>(
  'breakers.close_opened',
  `UPDATE bots SET breaker_until_ms = NULL, breaker_opened_at_ms = NULL, breaker_failed_probes = 0
   WHERE app_id = :app AND uid = :bot AND breaker_opened_at_ms IS NOT NULL`,
)
/** Also by whoever has it, to keep it. */
const takeProbe = statement<Key & { untilMs: number; was: number }>(
  'breakers.take_probe',
  'UPDATE bots SET breaker_until_ms = :untilMs WHERE app_id = :app AND uid = :bot AND breaker_until_ms = :was',
)
const stayOpen = statement<Key & { untilMs: number; failed: number }>(
  'breakers.stay_open',
  `UPDATE bots SET breaker_until_ms = :untilMs, breaker_failed_probes = breaker_failed_probes + :failed
   WHERE app_id = :app AND uid = :bot AND breaker_until_ms IS NOT NULL`,
)

/**
 * What came of a probe: the bot is well again, or it is left alone until then, because it failed or because it has asked
 * for it. One that failed for our fault is not counted. A bot that was slowed down and does not succeed stays that.
 */
export type ProbeResult =
  | { readonly kind: 'passed' }
  | { readonly kind: 'slowed'; readonly untilMs: number }
  | { readonly kind: 'stays-slowed'; readonly untilMs: number }
  | { readonly kind: 'failed'; readonly untilMs: number; readonly isOurs: boolean }

export const closeBreaker = (tx: Tx, id: BotId): Promise<number> => tx.run(close, keyOf(id))

export const noteProbe = async (tx: Tx, id: BotId, result: ProbeResult): Promise<void> => {
  if (result.kind === 'passed') await closeBreaker(tx, id)
  else if (result.kind === 'slowed') await tx.run(stayAway, { ...keyOf(id), untilMs: result.untilMs })
  else if (result.kind === 'stays-slowed') await tx.run(staySlowed, { ...keyOf(id), untilMs: result.untilMs })
  else await tx.run(stayOpen, { ...keyOf(id), untilMs: result.untilMs, failed: result.isOurs ? 0 : 1 })
}

/** Or it was asked for: only a probe may be sent. */
export const isOpen = ({ breaker_until_ms: untilMs }: BotRow): boolean => untilMs !== null

/** It has asked to be left alone; its breaker is closed. */
export const isSlowed = (row: BotRow): boolean => isOpen(row) && row.breaker_opened_at_ms === null

/** Until when the bot is left alone, if that is not over. */
export const openUntil = ({ breaker_until_ms: untilMs }: BotRow, nowMs: number): number | undefined =>
  untilMs !== null && untilMs > nowMs ? untilMs : undefined

/** Of several that ask at once one gets it. Until then nobody else does, should nothing come of it: see `keepProbe`. */
export const mayProbe = async (tx: Tx, row: BotRow, untilMs: number): Promise<boolean> =>
  row.breaker_until_ms !== null &&
  (await tx.run(takeProbe, { app: row.app_id, bot: row.uid, untilMs, was: row.breaker_until_ms })) === 1

export const breakers = {
  /** A probe may take longer than the lease that it was taken with: whoever renews that renews this, if it is still as it was. */
  keepProbe: write(async (tx, input: BotId & { wasMs: number; untilMs: number }): Promise<void> => {
    await tx.run(takeProbe, { ...keyOf(input), was: input.wasMs, untilMs: input.untilMs })
  }),

  /** The bot has asked to be left alone until then. */
  slowDown: write(async (tx, input: BotId & { untilMs: number }): Promise<void> => {
    await tx.run(slowDown, { ...keyOf(input), untilMs: input.untilMs })
  }),

  /** The bot wants no breaker any more. If it is not open, a pause that was asked for stays. */
  close: write(async (tx, id: BotId): Promise<void> => {
    await tx.run(closeOpened, keyOf(id))
  }),

  /** Answers whether it was closed until now. Whoever has asked for a pause as well, and fails, is open. */
  open: write(
    async (tx, input: BotId & { untilMs: number; nowMs: number }): Promise<boolean> =>
      (await tx.run(openClosed, { ...keyOf(input), untilMs: input.untilMs, nowMs: input.nowMs })) === 1,
  ),
}
