import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Children } from './children.ts'
import { Connection } from './connection.ts'
import { postText } from './frames.ts'
import { muidOf } from './ledger.ts'
import type { Ask } from './questions.ts'
import type { Expectation, ReceiverVerbs } from './receiver.process.ts'

const TAG = 'r001'
let children: Children
let ask: Ask<ReceiverVerbs>

beforeEach(async () => {
  children = new Children()
  ask = await children.fork<ReceiverVerbs>('./receiver.process.ts')
})
afterEach(() => children.endAll())

/** @returns a function that posts the callback for a message and resolves to the status of the answer */
const posting = async (expectation: Expectation) => {
  const port = await ask('expect', expectation)
  const connection = await Connection.open(port, () => {})
  return (muid: string, headers: Record<string, string> = {}): Promise<number> =>
    new Promise((resolve) => connection.send(postText('/hook', headers, JSON.stringify({ data: { muid } })), resolve))
}

test('answers 200 and keeps account of each message', async () => {
  const post = await posting({ tag: TAG })
  const muids = [muidOf(TAG, 0, 0), muidOf(TAG, 1, 0), muidOf(TAG, 0, 0), muidOf('r000', 0, 1)]
  for (const muid of muids) expect(await post(muid)).toBe(200)
  expect(await ask('tally', null)).toMatchObject({ distinct: 2, duplicates: 1, outOfOrder: 0, strangers: 1 })
  expect(await ask('arrivals', null)).toHaveLength(2)
  expect((await ask('again', null)).map(([muid]) => muid)).toEqual([muids[0]])
  expect((await ask('count', null)).distinct).toBe(2)
})

test('keeps account by the numbers of lanes, if it is to', async () => {
  const post = await posting({ tag: TAG, bySequence: true })
  for (const sequence of ['1', '2', '4']) await post(muidOf(TAG, 7, 0), { 'confab-sequence': sequence })
  await post(muidOf(TAG, 8, 0), { 'confab-sequence': '1' })
  await post(muidOf('r000', 8, 0), { 'confab-sequence': '2' })
  const expected = { distinct: 4, duplicates: 0, outOfOrder: 1, strangers: 1 }
  expect(await ask('arrived', { count: 4, withinMs: 5000 })).toMatchObject(expected)
})

test('hangs for as long as it is told to, and says what it has not answered', async () => {
  const post = await posting({ tag: TAG })
  await post(muidOf(TAG, 0, 0))
  expect(await ask('hang', { hang: true })).toEqual([])
  void post(muidOf(TAG, 0, 1))
  await expect.poll(() => ask('hang', { hang: true })).toEqual([muidOf(TAG, 0, 1)])
  expect(await ask('hang', { hang: false })).toEqual([muidOf(TAG, 0, 1)])
  const again = await posting({ tag: TAG })
  expect(await again(muidOf(TAG, 0, 1))).toBe(200)
  expect(await ask('hang', { hang: false })).toEqual([])
})

test('never answers, if it is not to', async () => {
  const never = await posting({ tag: TAG, neverAnswer: true })
  const answered = await Promise.race([never(muidOf(TAG, 0, 0)), sleep(200)])
  expect(answered).toBeUndefined()
  expect((await ask('tally', null)).distinct).toBe(1)
})
