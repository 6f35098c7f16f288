/** How a bot's deliveries of late went. The newest so many stand for all: a busy day is not counted through. */
import type { AppId, DeliveryState, StatsWindow, Uid } from '@confab/protocol'
import { definedOf } from '../../../kernel/defined.ts'
import { statement, type Tx } from '../seam.ts'

const DELIVERIES_MAX = 10_000
const ATTEMPTS_MAX = 2000

type Range = { app: string; bot: string; after: string; limit: number }

const countStates = statement<Range, { state: DeliveryState; n: number }>(
  'deliveries.count_states',
  `SELECT state, count(*) AS n FROM (SELECT state FROM deliveries
     WHERE app_id = :app AND bot_uid = :bot AND id > :after ORDER BY id DESC LIMIT :limit) AS newest GROUP BY state`,
)
/** How long the bot took: what failed for our fault did not come to it. */
const phasesOf = statement<Range, { phases: string }>(
  'attempts.phases',
  `SELECT a.phases FROM (SELECT id FROM deliveries
     WHERE app_id = :app AND bot_uid = :bot AND id > :after ORDER BY id DESC LIMIT :limit) AS newest
   JOIN attempts a ON a.delivery_id = newest.id WHERE a.outcome NOT LIKE 'ours:%' LIMIT :limit`,
)

const totalOf = ({ phases }: { phases: string }): number => {
  const parsed: unknown = JSON.parse(phases)
  return typeof parsed === 'object' && parsed !== null && 'total' in parsed ? Number(parsed.total) : 0
}

/** The nearest rank. Of values in ascending order, at least one. */
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0

/** Of the deliveries whose id is greater than `after`. */
export const windowOf = async (
  tx: Tx,
  { appId: app, bot, after }: { appId: AppId; bot: Uid; after: string },
): Promise<StatsWindow> => {
  const counts = { pending: 0, delivered: 0, dead: 0, cancelled: 0 }
  for (const { state, n } of await tx.all(countStates, { app, bot, after, limit: DELIVERIES_MAX })) counts[state] = n
  const rows = await tx.all(phasesOf, { app, bot, after, limit: ATTEMPTS_MAX })
  const totals = rows.map(totalOf).sort((a, b) => a - b)
  const decided = counts.delivered + counts.dead
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0)
  return {
    ...counts,
    ...definedOf({
      successRate: decided === 0 ? undefined : counts.delivered / decided,
      attemptMs:
        totals.length === 0
          ? undefined
          : { p50: quantile(totals, 0.5), p95: quantile(totals, 0.95), p99: quantile(totals, 0.99) },
    }),
    isSample: all >= DELIVERIES_MAX || rows.length >= ATTEMPTS_MAX,
  }
}
