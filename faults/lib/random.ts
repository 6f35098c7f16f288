/** Decisions that a seed repeats. Each stream is drawn from by one part alone, or their order would be the machine's. */
import type { Random } from '../../packages/server/src/kernel/random.ts'
import { makeRandom } from '../../packages/server/src/testing/seeded-random.ts'

export type { Random }

/** FNV-1a. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}

/** A stream of its own for one part of a run. */
export const streamOf = (seed: number, part: string): Random => makeRandom(hash(`${seed} ${part}`))

/** A whole number, both bounds included. */
export const between = (random: Random, min: number, max: number): number =>
  min + Math.floor(random() * (max - min + 1))

export const pick = <T>(random: Random, list: readonly [T, ...T[]]): T =>
  list[Math.floor(random() * list.length)] ?? list[0]

export const shuffled = <T>(random: Random, list: readonly T[]): T[] =>
  list
    .map((item) => ({ item, rank: random() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ item }) => item)

const SEEDS = 2 ** 31

/**
 * The seeds of a series. A seed's remainder by `scenarios` names its scenario, so that a seed alone repeats its run:
 * the series' own seed is that of its first run. The `wanted` scenarios come in rotation, in an order of the series.
 */
export const seedsOf = (
  seed: number,
  { runs, scenarios, wanted }: { runs: number; scenarios: number; wanted: readonly number[] },
): number[] => {
  const own = seed % scenarios
  const order = shuffled(streamOf(seed, 'order'), wanted)
  const rotation = wanted.includes(own) ? [own, ...order.filter((index) => index !== own)] : order
  return Array.from({ length: runs }, (_, run) => {
    const drawn = run === 0 ? seed : hash(`${seed} run ${run}`) % (SEEDS - scenarios)
    return drawn - (drawn % scenarios) + (rotation[run % rotation.length] ?? 0)
  })
}
