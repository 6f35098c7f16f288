import { describe, expect, it } from 'vitest'
import type { AttemptOutcome } from './attempt.ts'
import { Breaker, type BreakerLimits, openForMs, verdictOf } from './breaker.ts'

const limits = { failureRate: 0.7, minAttempts: 10, openMs: 30_000 }
const MINUTE = 60_000

type Told = { readonly outcome: AttemptOutcome; readonly status: number | undefined }
const ok: Told = { outcome: { kind: 'delivered' }, status: 200 }
const gone: Told = { outcome: { kind: 'gone' }, status: 410 }
const failed: Told = { outcome: { kind: 'retry', reason: 'http' }, status: 500 }
const hung: Told = { outcome: { kind: 'retry', reason: 'timeout' }, status: undefined }
const busy: Told = { outcome: { kind: 'retry', reason: 'http' }, status: 429 }
const unavailable: Told = { outcome: { kind: 'retry', reason: 'http' }, status: 503 }
const refused: Told = { outcome: { kind: 'refused' }, status: undefined }
const ours: Told = { outcome: { kind: 'ours', reason: 'dns' }, status: undefined }

const times = (count: number, told: Told): Told[] => Array.from({ length: count }, () => told)

/** A breaker whose time is ours. */
const start = () => {
  let nowMs = 1_000_000
  const breaker = new Breaker(() => nowMs)
  return {
    wait: (ms: number): void => {
      nowMs += ms
    },
    forget: (bot = 'a/bot') => breaker.forget(bot),
    /** Which of the attempts, from 1, would open it. */
    told: (attempts: readonly Told[], { bot = 'a/bot', ...other }: Partial<BreakerLimits> & { bot?: string } = {}) =>
      attempts.flatMap((told, n) => (breaker.note(bot, told, { ...limits, ...other }) ? [n + 1] : [])),
  }
}

describe('a breaker', () => {
  it('opens at the least number of attempts, if all failed', () => {
    expect(start().told(times(11, failed))).toEqual([10, 11])
  })

  it.each([
    ['at the rate', 7, 3, [10]],
    ['below the rate', 6, 4, []],
  ])('counts the share that failed: %s', (_, bad, good, opens) => {
    const { told } = start()
    expect(told([...times(good, ok), ...times(bad, failed)])).toEqual(opens)
  })

  it('of a busy bot does not open for a few failures at once', () => {
    const { told, wait } = start()
    expect(told([...times(1000, ok), ...times(50, failed)])).toEqual([])
    wait(MINUTE)
    expect(told(times(10, failed))).toEqual([10])
  })

  it('is not opened by what succeeds, whatever failed before', () => {
    const { told } = start()
    expect(told([...times(9, failed), ok])).toEqual([])
    expect(told([failed])).toEqual([1])
  })

  it.each([
    ['a failure', failed, true],
    ['no answer', hung, true],
    ['503', unavailable, true],
    ['a refused address', refused, true],
    ['success', ok, false],
    ['410', gone, false],
    ['429', busy, false],
    ['our own fault', ours, false],
  ])('takes %s for what it is', (_, attempt, counts) => {
    expect(start().told(times(10, attempt)).length > 0).toBe(counts)
  })

  it('takes 429 for a sign of life, and our own fault for no sign at all', () => {
    const { told } = start()
    expect(told([failed, ...times(9, busy), ...times(20, failed)], { failureRate: 0.5 })).toEqual(
      // 9 of 18 is half.
      Array.from({ length: 13 }, (_, n) => n + 18),
    )
    expect(start().told([failed, ...times(50, ours), ...times(9, failed)])).toEqual([60])
  })

  it('forgets what is more than a minute ago', () => {
    const { told, wait } = start()
    expect(told(times(9, failed))).toEqual([])
    wait(MINUTE)
    expect(told(times(9, failed))).toEqual([])
    wait(MINUTE - 10_000)
    expect(told([failed])).toEqual([1])
  })

  it('forgets slot by slot, not all at once', () => {
    const { told, wait } = start()
    told(times(5, failed))
    wait(MINUTE / 2)
    told(times(4, failed))
    wait(MINUTE / 2)
    // The first five are gone, the other four are not.
    expect(told(times(6, failed))).toEqual([6])
  })

  it('counts each bot by itself, and nothing of before it was told to forget', () => {
    const { told, forget } = start()
    told(times(9, failed))
    expect(told(times(9, failed), { bot: 'a/other' })).toEqual([])
    forget()
    expect(told(times(9, failed))).toEqual([])
    expect(told([failed], { bot: 'a/other' })).toEqual([1])
  })

  it('never opens where it may be open for no time', () => {
    expect(start().told(times(100, failed), { openMs: 0 })).toEqual([])
  })

  it('goes by the limits of the moment', () => {
    const { told } = start()
    expect(told(times(3, failed))).toEqual([])
    expect(told([failed], { minAttempts: 2 })).toEqual([1])
    expect(told([ok, failed], { minAttempts: 2, failureRate: 1 })).toEqual([])
  })
})

describe('how long it is open', () => {
  const even = (failedProbes: number, openMs = 30_000) => openForMs({ ...limits, openMs }, failedProbes, () => 0.5)

  it('doubles with each probe that failed, up to ten minutes', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 100, 5000].map((n) => even(n))).toEqual([
      30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000, 600_000,
    ])
  })

  it('is at least what the bot asks for', () => {
    expect([0, 1, 9].map((n) => even(n, 3_600_000))).toEqual([3_600_000, 3_600_000, 3_600_000])
  })

  it('is spread by a fifth either way', () => {
    expect([0, 0.5, 0.9999].map((random) => openForMs(limits, 0, () => random))).toEqual([24_000, 30_000, 35_999])
  })
})

describe('a probe', () => {
  it.each([
    [ok, 'passed'],
    [gone, 'passed'],
    [busy, 'passed'],
    [failed, 'failed'],
    [hung, 'failed'],
    [unavailable, 'failed'],
    [refused, 'failed'],
    [ours, 'ours'],
  ] as const)('%j says %s', (attempt, verdict) => {
    expect(verdictOf(attempt)).toBe(verdict)
  })
})
