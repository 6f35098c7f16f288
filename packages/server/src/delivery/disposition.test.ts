import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeAttempt } from '../testing/builders.ts'
import type { AttemptOutcome, FailureReason } from './attempt.ts'
import { dispositionOf } from './disposition.ts'
import { defaultSchedule, JITTER, MAX_RETRY_AFTER_MS } from './schedule.ts'

const NOW = 1_700_000_000_000
const schedule = { delaysMs: [100, 1000], maxAgeMs: 4000 }

const decide = (
  outcome: AttemptOutcome,
  options: { number?: number; random?: number; byDefault?: boolean; park?: boolean } = {},
): ReturnType<typeof dispositionOf> =>
  dispositionOf(makeAttempt(outcome, options.number ?? 1), {
    nowMs: NOW,
    random: () => options.random ?? 0.5,
    policy: {
      schedule: options.byDefault === true ? defaultSchedule : schedule,
      poisonPolicy: options.park === true ? 'park' : 'skip',
    },
  })

const later = (ms: number) => ({ kind: 'retry', dueAtMs: NOW + ms })

/** Every reason there is: one that is added must be added here. */
const reasons = {
  http: true,
  timeout: true,
  dns: true,
  connect: true,
  tls: true,
  reset: true,
  protocol: true,
  url: true,
  redirect: true,
  secrets: true,
  stopped: true,
} satisfies Record<FailureReason, true>
const failures = (Object.keys(reasons) as FailureReason[]).map((reason): AttemptOutcome => ({ kind: 'retry', reason }))

describe('what an attempt means for its delivery', () => {
  it('delivered is delivered, and 410 is the end, whatever the number of the attempt', () => {
    for (const number of [1, 2, 1000]) {
      expect(decide({ kind: 'delivered' }, { number })).toEqual({ kind: 'delivered' })
      expect(decide({ kind: 'gone' }, { number })).toEqual({ kind: 'dead' })
    }
  })

  it.each([...failures, { kind: 'refused' } as const])(
    '$kind $reason is tried again until the schedule ends',
    (outcome) => {
      // 100 ms after the first, then every second: the sixth would be due at 4.1 s, beyond the end.
      const all = [1, 2, 3, 4, 5, 6].map((number) => decide(outcome, { number }))
      expect(all).toEqual([later(100), later(1000), later(1000), later(1000), { kind: 'dead' }, { kind: 'dead' }])
    },
  )

  it('parks the lane in place of giving up, where the bot wants that; 410 is no reason to', () => {
    const failed = { kind: 'retry', reason: 'http' } as const
    expect(decide(failed, { number: 4, park: true })).toEqual(later(1000))
    expect(decide(failed, { number: 5, park: true })).toEqual({ kind: 'park' })
    expect(decide({ kind: 'refused' }, { number: 5, park: true })).toEqual({ kind: 'park' })
    expect(decide({ kind: 'gone' }, { park: true })).toEqual({ kind: 'dead' })
  })

  it('tries again for ever, soon and for nothing, what failed for our fault', () => {
    for (const number of [1, 5, 1000]) {
      expect(decide({ kind: 'ours', reason: 'dns' }, { number })).toEqual({ ...later(10_000), isFree: true })
    }
  })

  it('follows the schedule that is promised unless it is given another', () => {
    const failed = { kind: 'retry', reason: 'http' } as const
    expect(decide(failed, { byDefault: true })).toEqual(later(5000))
    const last = defaultSchedule.delaysMs.at(-1) ?? 0
    expect(decide(failed, { byDefault: true, number: 18 })).toEqual(later(last))
    expect(decide(failed, { byDefault: true, number: 19 })).toEqual({ kind: 'dead' })
  })

  it.each([
    ['longer than planned', 60_000, 60_000],
    ['shorter than planned', 50, 100],
    ['longer than anybody may ask for', MAX_RETRY_AFTER_MS * 30, MAX_RETRY_AFTER_MS],
    ['nothing', 0, 100],
  ])('when the bot asks for %s', (_, retryAfterMs, expected) => {
    expect(decide({ kind: 'retry', reason: 'http', retryAfterMs })).toEqual(later(expected))
  })

  it('however long a bot asks for, it gains no attempt by it', () => {
    const outcome = { kind: 'retry', reason: 'http', retryAfterMs: 60_000 } as const
    expect(decide(outcome, { number: 4 })).toEqual(later(60_000))
    expect(decide(outcome, { number: 5 })).toEqual({ kind: 'dead' })
  })

  it('is due within the jitter of the plan, by the chance that it is given', () => {
    const failed = { kind: 'retry', reason: 'connect' } as const
    expect(decide(failed, { number: 2, random: 0 })).toEqual(later(1000 * (1 - JITTER)))
    expect(decide(failed, { number: 2, random: 1 - Number.EPSILON })).toEqual(later(1000 * (1 + JITTER)))
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    const asked = fc.option(fc.nat(2 * MAX_RETRY_AFTER_MS), { nil: undefined })
    fc.assert(
      fc.property(chance, asked, (random, retryAfterMs) => {
        const outcome = { kind: 'retry', reason: 'http', ...(retryAfterMs !== undefined && { retryAfterMs }) } as const
        const found = decide(outcome, { number: 2, random })
        if (found.kind !== 'retry') throw new Error('it is not to be tried again')
        const floor = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
        expect(found.dueAtMs - NOW).toBeGreaterThanOrEqual(Math.max(800, floor))
        expect(found.dueAtMs - NOW).toBeLessThanOrEqual(Math.max(1200, floor))
      }),
    )
  })
})
