import type { Random } from '../kernel/random.ts'
import type { Disposition } from '../storage/sql/delivery/lanes.ts'
import type { Attempt, CallbackPolicy } from './attempt.ts'
import { jittered, OUR_FAULT_DELAY_MS, retryDelayMs } from './schedule.ts'

/**
 * What an attempt means for its delivery. An address that is refused may be allowed tomorrow: it is tried again. A bot that
 * wants a callback no more (410) has decided: there the lane goes on, whatever is to become of one that nobody could make.
 */
export const dispositionOf = (
  attempt: Attempt,
  options: { nowMs: number; random: Random; policy: Pick<CallbackPolicy, 'schedule' | 'poisonPolicy'> },
): Disposition => {
  const { outcome, number } = attempt
  const { nowMs, random, policy } = options
  switch (outcome.kind) {
    case 'delivered':
      return { kind: 'delivered' }
    case 'gone':
      return { kind: 'dead' }
    case 'ours':
      return { kind: 'retry', dueAtMs: nowMs + jittered(OUR_FAULT_DELAY_MS, random), isFree: true }
    case 'refused':
    case 'retry': {
      const retryAfterMs = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined
      const delay = retryDelayMs({ attempt: number, random, retryAfterMs, schedule: policy.schedule })
      if (delay !== undefined) return { kind: 'retry', dueAtMs: nowMs + delay }
      return { kind: policy.poisonPolicy === 'park' ? 'park' : 'dead' }
    }
    default:
      return outcome satisfies never
  }
}
