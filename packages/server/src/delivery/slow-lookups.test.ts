import { expect, it } from 'vitest'
import type { ResolveCallback } from './connector.ts'
import { limitLookups } from './slow-lookups.ts'

const LIMITS = { atOnce: 4, slowAtOnce: 1 }

const start = () => {
  let nowMs = 0
  const underWay = new Map<string, ResolveCallback>()
  const lookUp = limitLookups(
    (hostname, callback) => void underWay.set(hostname, callback),
    LIMITS,
    () => nowMs,
  )
  const answered: string[] = []
  return {
    answered,
    underWay: () => [...underWay.keys()],
    ask: (...names: string[]): void => {
      for (const name of names) lookUp(name, (error) => answered.push(error === null ? name : `${name} failed`))
    },
    /** The system answers for these, that much later. */
    answer: (ms: number, ...names: string[]): void => {
      nowMs += ms
      for (const name of names) {
        const callback = underWay.get(name)
        underWay.delete(name)
        callback?.(name.startsWith('slow') ? new Error('no answer') : null, [])
      }
    },
  }
}

it('looks up so many names at once, and the others in their turn', () => {
  const { ask, answer, underWay, answered } = start()
  ask('a', 'b', 'c', 'd', 'e', 'f')
  expect(underWay()).toEqual(['a', 'b', 'c', 'd'])
  answer(5, 'c')
  expect([underWay(), answered]).toEqual([['a', 'b', 'd', 'e'], ['c']])
  answer(5, 'a', 'b', 'd', 'e', 'f')
  expect([underWay(), answered]).toEqual([[], ['c', 'a', 'b', 'd', 'e', 'f']])
})

it('lets names that hung the last time wait for each other, and no other name for them', () => {
  const { ask, answer, underWay, answered } = start()
  const slow = ['slow-1', 'slow-2', 'slow-3', 'slow-4']
  ask(...slow)
  answer(10_000, ...slow)
  expect(answered).toEqual(slow.map((name) => `${name} failed`))
  ask(...slow, 'a', 'b')
  expect(underWay()).toEqual(['slow-1', 'a', 'b'])
  answer(5, 'a', 'b')
  // Also where all the places are wanted.
  ask('c', 'd', 'e', 'f')
  expect(underWay()).toEqual(['slow-1', 'c', 'd', 'e'])
  answer(5, 'slow-1')
  expect(underWay()).toEqual(['c', 'd', 'e', 'f'])
  answer(5, 'c')
  expect(underWay()).toEqual(['d', 'e', 'f', 'slow-2'])
})

it('forgets that a name was slow as soon as it is not', () => {
  const { ask, answer, underWay } = start()
  ask('slow-1', 'slow-2')
  answer(1000, 'slow-1', 'slow-2')
  ask('slow-1')
  answer(999, 'slow-1')
  ask('slow-2', 'slow-1')
  expect(underWay()).toEqual(['slow-2', 'slow-1'])
})
