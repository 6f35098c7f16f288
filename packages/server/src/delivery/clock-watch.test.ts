import { expect, test } from 'vitest'
import { ClockWatch } from './clock-watch.ts'

const HOUR_MS = 3_600_000

test('tells by how much the clock was set back, once', () => {
  let wallMs = 1_700_000_000_000
  let passedMs = 0
  const watch = new ClockWatch({ now: () => wallMs }, () => passedMs)
  const pass = (ms: number, more = 0): number => {
    passedMs += ms
    wallMs += ms + more
    return watch.takeSetBackMs()
  }
  expect([pass(1000), pass(60_000)]).toEqual([0, 0])
  // Ahead, and back to where it was.
  expect([pass(1000, HOUR_MS), pass(1000), pass(1000, -HOUR_MS), pass(1000)]).toEqual([0, 0, HOUR_MS, 0])
  // Both between two questions: what was planned in between is noticed.
  passedMs += 1000
  wallMs += 1000 + HOUR_MS
  expect(watch.now()).toBe(wallMs)
  expect(pass(1000, -HOUR_MS)).toBe(HOUR_MS)
  // A correction is no step.
  expect([pass(1000, -4000), pass(1000, -6000), pass(1000)]).toEqual([0, 6000, 0])
})
