/** Attempts as rows: how one is put on record, and what is shown of those of a delivery. */
import { type DeliveryDetail, type DeliveryId, limits } from '@confab/protocol'
import type { Selectable } from 'kysely'
import { type Attempt, outcomeText } from '../../../delivery/attempt.ts'
import type { Schema } from '../schema.ts'
import { type Params, statement, type Tx } from '../seam.ts'

interface AttemptRow extends Params {
  delivery: string
  number: number
  startedMs: number
  outcome: string
  status: number | null
  error: string | null
  address: string | null
  phases: string
  response: string | null
}
const insertAttempt = statement<AttemptRow>(
  'attempts.insert',
  `INSERT INTO attempts (delivery_id, number, started_at_ms, outcome, status, error, address, phases, response)
   VALUES (:delivery, :number, :startedMs, :outcome, :status, :error, :address, :phases, :response)`,
)
/** `id + 0`: a delivery has few, and the order must not tempt an engine to walk those of others. */
const latestAttempts = statement<{ delivery: string }, { id: number; number: number; outcome: string }>(
  'attempts.latest',
  'SELECT id, number, outcome FROM attempts WHERE delivery_id = :delivery ORDER BY id + 0 DESC LIMIT 2',
)
const replaceAttempt = statement<Omit<AttemptRow, 'delivery' | 'number' | 'outcome'> & { id: number }>(
  'attempts.replace',
  `UPDATE attempts SET started_at_ms = :startedMs, status = :status, error = :error, address = :address, phases = :phases,
     response = :response
   WHERE id = :id`,
)
/** Newest first. `id + 0`: the order must not tempt an engine to walk the attempts at others. */
const attemptsOf = statement<
  { delivery: string; limit: number },
  Omit<Selectable<Schema['attempts']>, 'id' | 'delivery_id'>
>(
  'attempts.of_delivery',
  `SELECT number, started_at_ms, outcome, status, error, address, phases, response FROM attempts
   WHERE delivery_id = :delivery ORDER BY id + 0 DESC LIMIT :limit`,
)
const countAttempts = statement<{ delivery: string }, { n: number }>(
  'attempts.count',
  'SELECT count(*) AS n FROM attempts WHERE delivery_id = :delivery',
)
export interface MadeAttempt {
  readonly deliveryId: DeliveryId
  readonly attempt: Attempt
}

/** A bot may answer anything; that must not keep its attempt off the record. */
const storable = (text: string | undefined): string | null => text?.replaceAll('\0', '\uFFFD') ?? null

const attemptRow = ({ attempt, deliveryId }: MadeAttempt): AttemptRow => ({
  delivery: deliveryId,
  number: attempt.number,
  startedMs: attempt.startedAtMs,
  outcome: outcomeText(attempt.outcome),
  status: attempt.status ?? null,
  error: storable(attempt.error),
  address: attempt.address ?? null,
  phases: JSON.stringify(attempt.phases),
  response: storable(attempt.response),
})

/**
 * What fails for our own fault costs no attempt, and comes to no end while the fault lasts: of a run of such attempts the
 * first and the latest are kept.
 */
export const writeAttempt = async (tx: Tx, input: MadeAttempt): Promise<void> => {
  const row = attemptRow(input)
  if (input.attempt.outcome.kind === 'ours') {
    const latest = await tx.all(latestAttempts, { delivery: row.delivery })
    const [last, first] = latest.filter(({ number, outcome }) => number === row.number && outcome === row.outcome)
    if (last !== undefined && first !== undefined) {
      await tx.run(replaceAttempt, { ...row, id: last.id })
      return
    }
  }
  await tx.run(insertAttempt, row)
}

/** The newest, oldest first, and how many there are in all. */
export const historyOf = async (
  tx: Tx,
  delivery: DeliveryId,
): Promise<{ history: DeliveryDetail['history']; onRecord: number }> => {
  const attempts = await tx.all(attemptsOf, { delivery, limit: limits.attemptsShown })
  const recorded = await tx.first(countAttempts, { delivery })
  const history = attempts.toReversed().map(({ started_at_ms: startedAt, phases, number, outcome, ...rest }) => ({
    number,
    startedAt,
    outcome,
    phases: JSON.parse(phases),
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)),
  }))
  return { history, onRecord: recorded?.n ?? 0 }
}
