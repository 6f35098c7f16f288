import { expect, test } from 'vitest'
import { makeIds } from './ids.ts'

const idsAt = (now: () => number) => makeIds({ now })

test('ids of one millisecond and of many are ULIDs, differ, and sort by when they were made', () => {
  let nowMs = 1_700_000_000_000
  const ids = idsAt(() => nowMs)
  const made = Array.from({ length: 5000 }, (_, n) => {
    if (n % 100 === 0) nowMs++
    return ids.delivery()
  })
  expect(new Set(made).size).toBe(made.length)
  expect(made).toEqual(made.toSorted())
  expect(made.filter((id) => !/^dlv_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id))).toEqual([])
})

test('a clock that is set back, and one that stands still, make no id twice and none that sorts before another', () => {
  let nowMs = 1_700_000_000_000
  const ids = idsAt(() => nowMs)
  const before = ids.delivery()
  nowMs -= 3_600_000
  let last: string = before
  // More than the digits that are counted can hold.
  for (let n = 0; n < 2 * 32 ** 4; n++) {
    const next = ids.delivery()
    if (next <= last) throw new Error(`${next} does not sort behind ${last}`)
    last = next
  }
  expect(last > before).toBe(true)
})

test('two processes that run at the same time make different ids', () => {
  const [one, other] = [idsAt(() => 1_700_000_000_000), idsAt(() => 1_700_000_000_000)]
  const made = [one, other].flatMap((ids) => Array.from({ length: 1000 }, () => ids.delivery()))
  expect(new Set(made).size).toBe(2000)
  expect(one.request()).not.toBe(other.request())
})
