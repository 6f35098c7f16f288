import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, medianRatio, quantile } from './statistics.ts'

const ten = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
const some = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 40 })

describe('a quantile', () => {
  it.each([
    [0, 1],
    [0.1, 1],
    [0.11, 2],
    [0.5, 5],
    [0.99, 10],
    [1, 10],
  ])('%d of ten is %d', (q, expected) => {
    expect(quantile(ten, q)).toBe(expected)
  })

  it('is the smallest value that is not below the share', () => {
    // Shares that have an exact form, so that the check is not about rounding.
    const share = fc.integer({ min: 1, max: 64 }).map((n) => n / 64)
    fc.assert(
      fc.property(some, share, (values, q) => {
        const found = quantile(values, q)
        expect(values).toContain(found)
        expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(q * values.length)
        expect(values.filter((value) => value < found).length).toBeLessThan(q * values.length)
      }),
    )
  })

  it('of nothing is no number', () => {
    expect([quantile([], 0.5), median([])]).toEqual([Number.NaN, Number.NaN])
  })
})

describe('the median', () => {
  it('is in the middle, or between the two in the middle', () => {
    expect([median([3]), median([3, 1]), median([100, 1, 2]), median([4, 100, 1, 2])]).toEqual([3, 2, 2, 3])
  })

  it('has as many above it as below, and leaves what it is given as it is', () => {
    fc.assert(
      fc.property(some, (values) => {
        const before = [...values]
        const middle = median(values)
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2)
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2)
        expect(values).toEqual(before)
      }),
    )
  })
})

describe('the ratio to the limit', () => {
  it('compares within a round: a round that was slow for both changes nothing', () => {
    expect(medianRatio([80, 8, 800], [100, 10, 1000])).toBe(0.8)
    // Of the medians it would be 1.
    expect(
      medianRatio(
        [10, 20, 30],
        [20, 10, 30].map((limit) => limit * 2),
      ),
    ).toBe(0.5)
    expect(medianRatio([1, 2, 9], [1, 4, 9])).toBe(1)
  })

  it('is no number where a round has no limit', () => {
    expect(medianRatio([1], [])).toBeNaN()
  })
})
