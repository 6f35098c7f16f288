import { expect, it } from 'vitest'
import type { Tally } from './ledger.ts'
import { SequenceLedger } from './sequence-ledger.ts'

const tallyOf = (...arrivals: (readonly [lane: number, sequence: number])[]): Tally => {
  const ledger = new SequenceLedger()
  for (const [n, [lane, sequence]] of arrivals.entries()) ledger.note(lane, sequence, 100 + n)
  expect(ledger.distinct).toBe(ledger.tally.distinct)
  return ledger.tally
}
const clean = { duplicates: 0, outOfOrder: 0, strangers: 0 }

it('finds nothing wrong where each lane counts from 1, however lanes are mixed', () => {
  expect(tallyOf([1, 1], [2, 1], [1, 2], [1, 3], [2, 2])).toEqual({ ...clean, distinct: 5, lastAtMs: 104 })
})

it('sees a gap, at the beginning too', () => {
  expect(tallyOf([1, 1], [1, 3], [1, 4])).toMatchObject({ distinct: 3, outOfOrder: 1 })
  expect(tallyOf([1, 2], [2, 1])).toMatchObject({ distinct: 2, outOfOrder: 1 })
})

it('sees what comes again, or late', () => {
  expect(tallyOf([1, 1], [1, 1], [1, 2])).toEqual({ ...clean, distinct: 2, duplicates: 1, lastAtMs: 102 })
  // Late is both: the gap before it, and it itself.
  expect(tallyOf([1, 1], [1, 3], [1, 2])).toMatchObject({ distinct: 2, outOfOrder: 1, duplicates: 1 })
})

it('takes what has no number for out of order', () => {
  expect(tallyOf([1, 1], [1, Number.NaN], [1, 2])).toMatchObject({ distinct: 3, outOfOrder: 1 })
})
