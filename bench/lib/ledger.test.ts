import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ledger, MUID_LENGTH, muidOf, type Tally } from './ledger.ts'

const TAG = 'r007'

const tallyOf = (muids: readonly string[]): Tally => {
  const ledger = new Ledger(TAG)
  for (const [n, muid] of muids.entries()) ledger.note(muid, 100 + n)
  return ledger.tally
}

const of = (...indices: number[]): string[] => indices.map((index) => muidOf(TAG, 0, index))
const clean = { duplicates: 0, outOfOrder: 0, strangers: 0 }

describe('a muid', () => {
  it('has one length, and sorts as it was sent', () => {
    const muids = [muidOf(TAG, 0, 0), muidOf(TAG, 0, 1), muidOf(TAG, 0, 9_999_999), muidOf(TAG, 9999, 10)]
    expect(muids.map((muid) => muid.length)).toEqual(Array(4).fill(MUID_LENGTH))
    expect([...muids].sort()).toEqual(muids)
    expect(muids[0]).toBe('r007-0000-0000000')
  })
})

describe('the ledger', () => {
  it('has nothing to say of nothing', () => {
    expect(tallyOf([])).toEqual({ ...clean, distinct: 0, lastAtMs: 0 })
  })

  it('finds nothing wrong where everything arrives once and in order, however conversations are mixed', () => {
    const muids = [0, 1, 2].flatMap((index) => [3, 1, 2].map((conversation) => muidOf(TAG, conversation, index)))
    expect(tallyOf(muids)).toEqual({ ...clean, distinct: 9, lastAtMs: 108 })
  })

  it('counts as distinct what arrived, so that what was lost is missing', () => {
    expect(tallyOf(of(0, 1, 2))).toMatchObject({ ...clean, distinct: 3 })
    // The last of a conversation leaves no gap: only the count tells.
    expect(tallyOf(of(0, 1))).toMatchObject({ ...clean, distinct: 2 })
    expect(tallyOf(of(0, 2, 3))).toMatchObject({ ...clean, distinct: 3, outOfOrder: 1 })
    expect(tallyOf(of(1, 2, 3))).toMatchObject({ ...clean, distinct: 3, outOfOrder: 1 })
  })

  it('counts what comes again, at once or later, as twice and not as out of order', () => {
    expect(tallyOf(of(0, 0, 1, 2))).toMatchObject({ ...clean, distinct: 3, duplicates: 1 })
    expect(tallyOf(of(0, 1, 2, 0, 0))).toMatchObject({ ...clean, distinct: 3, duplicates: 2 })
  })

  it('sees an order that was broken', () => {
    expect(tallyOf(of(1, 0)).outOfOrder).toBeGreaterThan(0)
    expect(tallyOf(of(0, 2, 1, 3)).outOfOrder).toBeGreaterThan(0)
    // In one conversation only.
    const other = [0, 1, 2].map((index) => muidOf(TAG, 1, index))
    expect(tallyOf([...of(0, 2), ...other]).outOfOrder).toBe(1)
  })

  it('knows strangers, which are no messages of this round', () => {
    const strangers = [muidOf('r006', 0, 1), muidOf('r006', 0, 1), '', 'r00']
    const tally = tallyOf([...of(0), ...strangers, ...of(1)])
    expect(tally).toEqual({ ...clean, distinct: 2, strangers: 4, lastAtMs: 105 })
  })

  it('keeps when each arrived first', () => {
    const ledger = new Ledger(TAG)
    const [first = '', second = ''] = of(0, 1)
    ledger.note(first, 10)
    ledger.note(second, 20)
    ledger.note(first, 30)
    expect(ledger.arrivals).toEqual([
      [first, 10],
      [second, 20],
    ])
    expect([ledger.distinct, ledger.tally.lastAtMs]).toEqual([2, 20])
  })

  it('keeps when what came more than once came for the second time', () => {
    const ledger = new Ledger(TAG)
    const [first = '', second = ''] = of(0, 1)
    for (const [muid, atMs] of [
      [first, 10],
      [second, 20],
      [first, 30],
      [first, 40],
    ] as const)
      ledger.note(muid, atMs)
    expect(ledger.again).toEqual([[first, 30]])
    expect(ledger.tally.duplicates).toBe(2)
  })

  it('finds nothing wrong exactly where nothing is', () => {
    const arrivals = fc.array(fc.record({ conversation: fc.nat(2), index: fc.nat(3) }), { maxLength: 12 })
    fc.assert(
      fc.property(arrivals, (all) => {
        const before = (at: number): number =>
          all.slice(0, at).filter(({ conversation }) => conversation === all[at]?.conversation).length
        const isRight = all.every(({ index }, at) => index === before(at))
        const { distinct, duplicates, outOfOrder } = tallyOf(
          all.map(({ conversation, index }) => muidOf(TAG, conversation, index)),
        )
        expect(duplicates + outOfOrder === 0).toBe(isRight)
        expect(distinct + duplicates).toBe(all.length)
      }),
      { numRuns: 500 },
    )
  })
})
