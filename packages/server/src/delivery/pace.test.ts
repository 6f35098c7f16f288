import { describe, expect, test } from 'vitest'
import { Pace } from './pace.ts'

const makeRig = () => {
  let nowMs = 1000
  const pace = new Pace(() => nowMs)
  return {
    pace,
    pass: (ms: number): void => {
      nowMs += ms
    },
    /** What the bot answered, with `Retry-After` in ms. */
    answers: (status: number, retryAfterMs?: number): number | undefined => {
      const isDelivered = status < 300
      const failed = { kind: 'retry', reason: 'http', ...(retryAfterMs !== undefined && { retryAfterMs }) } as const
      return pace.note('bot', { status, outcome: isDelivered ? { kind: 'delivered' } : failed })
    },
  }
}

test.each([429, 503])('%i pauses the bot, and no other', (status) => {
  const { pace, answers, pass } = makeRig()
  expect(answers(status)).toBe(1000)
  expect([pace.isPaused('bot'), pace.isPaused('other'), pace.paused()]).toEqual([true, false, ['bot']])
  expect([pace.limitOf('bot', 8), pace.limitOf('other', 8)]).toEqual([1, 8])
  expect([pace.leftMs('bot'), pace.leftMs('other')]).toEqual([1000, undefined])
  pass(999)
  expect(pace.leftMs('bot')).toBe(1)
  expect(pace.isPaused('bot')).toBe(true)
  pass(1)
  expect([pace.isPaused('bot'), pace.paused()]).toEqual([false, []])
})

test.each([200, 400, 404, 410, 500, 502, 504])('%i does not', (status) => {
  const { pace, answers } = makeRig()
  expect(answers(status)).toBeUndefined()
  expect([pace.isPaused('bot'), pace.limitOf('bot', 8)]).toEqual([false, 8])
})

test('pauses grow until there is a success, up to a minute', () => {
  const { answers, pass } = makeRig()
  const pauses = Array.from({ length: 8 }, () => {
    const pause = answers(503)
    pass(pause ?? 0)
    return pause
  })
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  answers(200)
  expect(answers(503)).toBe(1000)
})

test('after the pause one attempt at a time, until one succeeds', () => {
  const { pace, answers, pass } = makeRig()
  answers(429)
  pass(1000)
  expect(pace.limitOf('bot', 8)).toBe(1)
  answers(500)
  expect(pace.limitOf('bot', 8)).toBe(1)
  answers(200)
  expect(pace.limitOf('bot', 8)).toBe(8)
})

describe('while it is paused', () => {
  test('what was under way changes nothing, whether it succeeds or is told the same', () => {
    const { pace, answers, pass } = makeRig()
    answers(429)
    pass(500)
    expect([answers(200), answers(429)]).toEqual([undefined, undefined])
    expect([pace.isPaused('bot'), pace.limitOf('bot', 8)]).toEqual([true, 1])
    pass(500)
    expect(pace.isPaused('bot')).toBe(false)
    // It was one pause, not two.
    expect(answers(429)).toBe(2000)
  })

  test('the bot may ask for a longer one, not for a shorter', () => {
    const { pace, answers, pass } = makeRig()
    expect(answers(429, 10_000)).toBe(10_000)
    expect(answers(429, 5000)).toBeUndefined()
    expect(answers(429, 20_000)).toBe(20_000)
    pass(19_999)
    expect(pace.isPaused('bot')).toBe(true)
    pass(1)
    expect(pace.isPaused('bot')).toBe(false)
  })
})
