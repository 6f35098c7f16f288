/** How an attempt is told to those who run the server: one wide line, and what is counted. */
import type { Logger } from '../kernel/logger.ts'
import type { Disposition, Recorded } from '../storage/sql/delivery/lanes.ts'
import { type Attempt, calledOf, type LaneClaim } from './attempt.ts'

export interface DispatcherMetrics {
  attempted(outcome: string, seconds: number): void
  handedOver(seconds: number): void
  finished(state: 'delivered' | 'dead'): void
  breakerOpened(): void
}

const nextOf = (disposition: Disposition): string =>
  disposition.kind === 'retry' ? new Date(disposition.dueAtMs).toISOString() : disposition.kind

/** @param recorded undefined: it could not be put on record */
export const reportAttempt = (
  { log, metrics }: { log: Logger; metrics: DispatcherMetrics },
  { callback, head }: LaneClaim,
  attempt: Attempt,
  disposition: Disposition,
  recorded: Recorded | undefined,
): void => {
  const outcome = 'reason' in attempt.outcome ? attempt.outcome.reason : attempt.outcome.kind
  metrics.attempted(outcome, attempt.phases.total / 1000)
  if (attempt.number === 1) metrics.handedOver(Math.max(0, attempt.startedAtMs - head.createdAtMs) / 1000)
  const { kind } = disposition
  if ((kind === 'delivered' || kind === 'dead') && recorded?.fenced === false) metrics.finished(kind)
  const line = {
    deliveryId: head.id,
    appId: callback.appId,
    ...calledOf(callback.bot),
    conversationId: head.conversationId,
    sequence: head.sequence,
    attempt: attempt.number,
    outcome,
    ...(attempt.outcome.kind === 'ours' && { fault: 'ours' }),
    ...(attempt.status !== undefined && { status: attempt.status }),
    ...(attempt.error !== undefined && { error: attempt.error }),
    ms: Math.round(attempt.phases.total * 100) / 100,
    next: nextOf(disposition),
    ...(recorded === undefined ? { recorded: false } : recorded.fenced && { fenced: true }),
  }
  // What was refused to whom is the audit of the address guard: the error names the address.
  if (kind === 'dead' || kind === 'park' || attempt.outcome.kind === 'refused') log.warn(line, 'delivery.attempted')
  else log.info(line, 'delivery.attempted')
}
