import { expect, test } from 'vitest'
import { makeRandom } from '../../packages/server/src/testing/seeded-random.ts'
import { seedsOf, shuffled, streamOf } from './random.ts'

const SCENARIOS = 7
const all = [...Array(SCENARIOS).keys()]

test('a stream is repeated by its seed and its part, and by nothing else', () => {
  const first = (seed: number, part: string): number[] => {
    const random = streamOf(seed, part)
    return [random(), random(), random()]
  }
  expect(first(1, 'a')).toEqual(first(1, 'a'))
  expect(first(1, 'a')).not.toEqual(first(1, 'b'))
  expect(first(1, 'a')).not.toEqual(first(2, 'a'))
})

test('shuffling loses nothing', () => {
  const mixed = shuffled(makeRandom(3), all)
  expect(mixed).not.toEqual(all)
  expect(mixed.toSorted((one, other) => one - other)).toEqual(all)
})

test('a series takes every scenario in turn, and each of its seeds repeats its run alone', () => {
  const seeds = seedsOf(1234, { runs: 3 * SCENARIOS, scenarios: SCENARIOS, wanted: all })
  expect(seeds[0]).toBe(1234)
  for (const round of [0, 1, 2]) {
    const taken = seeds.slice(round * SCENARIOS, (round + 1) * SCENARIOS).map((seed) => seed % SCENARIOS)
    expect(new Set(taken).size).toBe(SCENARIOS)
  }
  expect(new Set(seeds).size).toBe(seeds.length)
  for (const seed of seeds) expect(seedsOf(seed, { runs: 1, scenarios: SCENARIOS, wanted: all })).toEqual([seed])
})

test('only what is wanted is taken', () => {
  const seeds = seedsOf(1234, { runs: 20, scenarios: SCENARIOS, wanted: [2, 5] })
  expect(new Set(seeds.map((seed) => seed % SCENARIOS))).toEqual(new Set([2, 5]))
})
