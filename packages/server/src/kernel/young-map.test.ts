import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { Slots, YoungMap } from './young-map.ts'

test('a place is free again when its item is taken, and each item is taken once', () => {
  const slots = new Slots<{ n: number }>()
  const first = slots.add({ n: 1 })
  const second = slots.add({ n: 2 })
  expect(slots.size).toBe(2)
  expect(slots.at(second)).toEqual({ n: 2 })
  expect(slots.take(first)).toEqual({ n: 1 })
  expect(slots.take(first)).toBeUndefined()
  expect(slots.take(99)).toBeUndefined()
  expect(slots.size).toBe(1)
  expect(slots.add({ n: 3 })).toBe(first)
  expect([...slots]).toEqual([{ n: 3 }, { n: 2 }])
})

test('a map by keys says what a Map would say', () => {
  const map = new YoungMap<string, { n: number }>()
  map.add('a', { n: 1 })
  map.add('b', { n: 2 })
  expect(() => map.add('a', { n: 3 })).toThrow('there is something under a already')
  map.delete('nobody')
  map.delete('a')
  map.add('c', { n: 4 })
  expect(map.size).toBe(2)
  expect([map.has('a'), map.has('b'), map.has('c')]).toEqual([false, true, true])
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([undefined, { n: 2 }, { n: 4 }])
  expect([...map.values()]).toEqual([{ n: 4 }, { n: 2 }])
})

/** How much the space for old objects grows (MB) while things come and go, 200 at a time: none of them lives long. */
const growthWith = (table: string): number => {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { YoungMap } from ${JSON.stringify(new URL('./young-map.ts', import.meta.url).href)}
    const old = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size
    const table = ${table}
    const add = (table.add ?? table.set).bind(table)
    // What is there when everything is collected counts as old: a table among it.
    const churn = (from, to) => {
      for (let n = from; n < to; n++) {
        add(n, { n, load: new Array(64).fill(n) })
        table.delete(n - 200)
      }
    }
    churn(0, 50_000)
    gc()
    const before = old()
    churn(50_000, 400_000)
    console.log((old() - before) / 2 ** 20)`
  const flags = ['--expose-gc', '--max-semi-space-size=1', '--min-semi-space-size=1', '--initial-old-space-size=2048']
  return Number(execFileSync(process.execPath, [...flags, '--input-type=module', '-e', program], { encoding: 'utf8' }))
}

test('what comes and goes in it stays young, where a Map makes it old', () => {
  const inMap = growthWith('new Map()')
  const here = growthWith('new YoungMap()')
  expect(inMap).toBeGreaterThan(5)
  expect(here).toBeLessThan(inMap / 5)
})
