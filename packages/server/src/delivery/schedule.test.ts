import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultSchedule, JITTER, MAX_RETRY_AFTER_MS, retryDelayMs } from './schedule.ts'

const middle = (): number => 0.5
const minutes = (n: number): number => n * 60_000
const hours = (n: number): number => minutes(60 * n)

const delays = (question: { random?: () => number; retryAfterMs?: number } = {}): number[] => {
  const all: number[] = []
  for (;;) {
    const delay = retryDelayMs({ random: middle, ...question, attempt: all.length + 1 })
    if (delay === undefined) return all
    all.push(delay)
  }
}

describe('retry schedule', () => {
  it('is what is promised', () => {
    expect(delays()).toEqual([
      5000,
      30_000,
      minutes(2),
      minutes(10),
      minutes(30),
      hours(1),
      hours(2),
      ...Array<number>(11).fill(hours(6)),
    ])
  })

  it('plans its last attempt within 72 h, and leaves no room for another', () => {
    const total = delays().reduce((sum, delay) => sum + delay, 0)
    expect(total).toBeLessThanOrEqual(hours(72))
    expect(total + hours(6)).toBeGreaterThan(hours(72))
  })

  it.each([
    [0, 4000],
    [0.5, 5000],
    [0.999999, 6000],
  ])('at random %d the first delay is %d', (random, expected) => {
    expect(retryDelayMs({ attempt: 1, random: () => random })).toBe(expected)
  })

  it.each([
    ['longer than planned', 1, 60_000, 60_000],
    ['shorter than planned', 4, 60_000, minutes(10)],
    ['absurd', 1, hours(1000), MAX_RETRY_AFTER_MS],
    ['absurd, but less than planned', 7, hours(1000), hours(2)],
    ['zero', 1, 0, 5000],
  ])('Retry-After that is %s', (_, attempt, retryAfterMs, expected) => {
    expect(retryDelayMs({ attempt, retryAfterMs, random: middle })).toBe(expected)
  })

  it('ends by the real age where it is told', () => {
    expect(retryDelayMs({ attempt: 1, random: middle, ageMs: hours(72) - 5000 })).toBe(5000)
    expect(retryDelayMs({ attempt: 1, random: middle, ageMs: hours(72) - 4999 })).toBeUndefined()
  })

  it('can be another one', () => {
    const schedule = { delaysMs: [10, 20], maxAgeMs: 70 }
    const of = (attempt: number): number | undefined => retryDelayMs({ attempt, random: middle, schedule })
    expect([1, 2, 3, 4, 5].map(of)).toEqual([10, 20, 20, 20, undefined])
    expect(retryDelayMs({ attempt: 1, random: middle, schedule: { delaysMs: [], maxAgeMs: 70 } })).toBeUndefined()
  })

  it('stays within the jitter of the plan, and never under what was asked for', () => {
    const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    const asked = fc.option(fc.nat(hours(3)), { nil: undefined })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 18 }), fraction, asked, (attempt, random, retryAfterMs) => {
        const planned = defaultSchedule.delaysMs[attempt - 1] ?? hours(6)
        const delay = retryDelayMs({ attempt, retryAfterMs, random: () => random }) ?? Number.NaN
        const floor = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
        expect(delay).toBeGreaterThanOrEqual(Math.max(planned * (1 - JITTER), floor))
        expect(delay).toBeLessThanOrEqual(Math.max(planned * (1 + JITTER), floor))
      }),
    )
  })

  it('waits no shorter after a later attempt, and once it has ended it stays so', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.nat(1000), (attempt, more) => {
        const [sooner, later] = [attempt, attempt + more].map((n) => retryDelayMs({ attempt: n, random: middle }))
        if (sooner === undefined) expect(later).toBeUndefined()
        else if (later !== undefined) expect(later).toBeGreaterThanOrEqual(sooner)
      }),
    )
  })
})
