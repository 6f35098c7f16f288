import type { Random } from '../kernel/random.ts'
import type { Disposition } from '../storage/sql/lanes.ts'
import type { Attempt } from './attempt.ts'
import { type RetrySchedule, retryDelayMs } from './schedule.ts'

/** What an attempt means for its delivery. An address that is refused may be allowed tomorrow: it is tried again. */
export const dispositionOf = (
  attempt: Attempt,
  options: { nowMs: number; random: Random; schedule?: RetrySchedule },
): Disposition => {
  const { outcome, number } = attempt
  switch (outcome.kind) {
    case 'delivered':
      return { kind: 'delivered' }
    case 'gone':
      return { kind: 'dead' }
    case 'refused':
    case 'retry': {
      const retryAfterMs = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined
      const { nowMs, random, schedule } = options
      const delay = retryDelayMs({ attempt: number, random, retryAfterMs, ...(schedule && { schedule }) })
      return delay === undefined ? { kind: 'dead' } : { kind: 'retry', dueAtMs: nowMs + delay }
    }
    default:
      return outcome satisfies never
  }
}
