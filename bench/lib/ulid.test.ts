import { expect, it } from 'vitest'
import { ulidsOf } from './ulid.ts'

/** The first is the specification's own example. */
it.each([
  [1_469_918_176_385, '01ARYZ6S41'],
  [1_795_445_678_065, '01M84EDQZH'],
])('begins with the moment %i, in ten digits of base 32', (nowMs, time) => {
  const next = ulidsOf(nowMs)
  for (const id of [next(), next()]) {
    expect(id.slice(0, 10)).toBe(time)
    expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  }
})

it('makes each but once, and they sort as they were made', () => {
  const next = ulidsOf(1_795_445_678_065)
  const ids = Array.from({ length: 3000 }, next)
  expect(new Set(ids).size).toBe(ids.length)
  expect([...ids].sort()).toEqual(ids)
})
