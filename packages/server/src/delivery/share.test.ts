import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shareOf } from './share.ts'

test.each([
  // All that is free, but for the last eighth.
  [512, 512, 0, 448],
  [512, 100, 40, 36],
  [512, 65, 447, 1],
  [512, 64, 448, 0],
  // Of the last eighth a little.
  [512, 64, 0, 8],
  [512, 64, 7, 1],
  [512, 64, 8, 0],
  [512, 9, 0, 1],
  [512, 1, 0, 1],
  [512, 8, 1, 0],
  [512, 0, 0, 0],
  // Too small to leave any of it free.
  [7, 1, 6, 1],
  [1, 1, 0, 1],
  [8, 1, 7, 0],
  [8, 2, 6, 1],
])('of %i places, %i of them free, a bot that has %i may take %i more', (of, free, has, more) => {
  expect(shareOf({ of, free }, has)).toBe(more)
})

const places = fc.integer({ min: 1, max: 600 })

test('taken one by one or at once it is the same, and whoever has nothing gets something, if there is any', () => {
  fc.assert(
    fc.property(places, fc.nat(600), fc.nat(600), (of, left, has) => {
      const free = Math.min(left, of)
      let taken = 0
      while (shareOf({ of, free: free - taken }, has + taken) > 0) taken++
      expect(taken).toBe(shareOf({ of, free }, has))
      expect(shareOf({ of, free }, 0) > 0).toBe(free > 0)
    }),
  )
})

test('thirty bots that take all they can get, forty each at most, leave room for others', () => {
  const of = 512
  let free = of
  const taken = Array.from({ length: 30 }, () => {
    const more = Math.min(40, shareOf({ of, free }, 0))
    free -= more
    return more
  })
  expect(taken.slice(0, 11)).toEqual(Array(11).fill(40))
  expect(taken.every((more) => more > 0)).toBe(true)
  expect(free).toBeGreaterThan(0)
})
