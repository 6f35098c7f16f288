import { expect, it } from 'vitest'
import { type Steady, wholeness } from './steady.ts'

const round: Steady = {
  ...{ accepted: 10, refused: 0, distinct: 10, duplicates: 0, outOfOrder: 0, strangers: 0 },
  ...{ rate: 1, waiting: 1, leastWaiting: 1, drainMs: 1, lastAtMs: 1 },
}
const isWhole = (change: Partial<Steady>, ordered = true): boolean =>
  wholeness([round, { ...round, ...change }], 'somebody', { ordered }).met

it('is whole where everything accepted has come once, in order', () => {
  expect(isWhole({})).toBe(true)
})

it.each([
  { refused: 1 },
  { distinct: 9 },
  { duplicates: 1 },
  { strangers: 1 },
  // More than was accepted is as wrong.
  { distinct: 11 },
])('is not whole with %o in one round', (change) => {
  expect([isWhole(change), isWhole(change, false)]).toEqual([false, false])
})

it('minds the order only of those who promise one', () => {
  expect([isWhole({ outOfOrder: 1 }), isWhole({ outOfOrder: 1 }, false)]).toEqual([false, true])
})

it('takes nothing at all for a failure', () => {
  const nothing = { ...round, accepted: 0, distinct: 0 }
  expect(wholeness([nothing], 'somebody', { ordered: true }).met).toBe(false)
})
