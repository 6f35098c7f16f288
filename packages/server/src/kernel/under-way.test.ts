import { expect, test } from 'vitest'
import { UnderWay } from './under-way.ts'

test('waits until nothing is under way, also for what has begun meanwhile, however it ends', async () => {
  const underWay = new UnderWay()
  await underWay.nothing()
  const seen: string[] = []
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  underWay.add(first.promise.then(() => underWay.add(second.promise)))
  const waiting = [underWay.nothing(), underWay.nothing()].map((it) => it.then(() => seen.push('nothing')))
  first.resolve()
  await new Promise(setImmediate)
  expect(seen).toEqual([])
  second.reject(new Error('that too is an end'))
  await Promise.all(waiting)
  expect(seen).toEqual(['nothing', 'nothing'])
})
