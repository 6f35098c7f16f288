import { expect, test } from 'vitest'
import { type Arrival, type History, judge } from './history.ts'

const arrival = (n: number, more: Partial<Arrival> = {}): Arrival => ({
  bot: 'bot',
  conversationId: 'c',
  deliveryId: `dlv_${n}`,
  muid: `m${n}`,
  messageId: String(n),
  sequence: n,
  previousSequence: n - 1,
  life: 0,
  ok: true,
  ...more,
})
const sent = [1, 2, 3].map((n) => ({ muid: `m${n}`, conversationId: 'c', id: String(n) }))
const of = (arrivals: readonly Arrival[], more: Partial<History> = {}): ReturnType<typeof judge> =>
  judge({ sent, arrivals, botsOf: () => ['bot'], ...more })

const good = [1, 2, 3].map((n) => arrival(n))
const clean = { lost: [], reordered: [], phantom: [], needless: [], repeated: 0, delivered: 3 }

test('a history without fault is found to be so', () => {
  expect(of(good)).toEqual(clean)
  const failing = [arrival(1, { ok: false }), arrival(1, { ok: false }), ...good]
  expect(of(failing)).toEqual(clean)
})

test('what never succeeded is lost', () => {
  expect(of([arrival(1), arrival(2), arrival(3, { ok: false })]).lost).toEqual(['bot m3'])
  expect(of(good, { botsOf: () => ['bot', 'other'] }).lost).toEqual(['other m1', 'other m2', 'other m3'])
})

test('what comes before its turn is reordered', () => {
  expect(of([arrival(1), arrival(3), arrival(2)]).reordered).toHaveLength(1)
  expect(of([arrival(1, { ok: false }), arrival(2), arrival(1), arrival(3)]).reordered).toHaveLength(2)
  expect(of([arrival(1), arrival(2, { messageId: '3' }), arrival(3, { messageId: '2' })]).reordered).toHaveLength(1)
  expect(of([arrival(1), arrival(2, { previousSequence: 0 }), arrival(3)]).reordered).toHaveLength(1)
})

test('what was never sent, or not so, is a phantom', () => {
  expect(of([...good, arrival(4)]).phantom).toEqual(['bot m4 as 4'])
  expect(of([arrival(1), arrival(2, { messageId: '9' }), arrival(3)]).phantom).toEqual(['bot m2 as 9'])
  expect(of([...good, arrival(1, { bot: 'other' })]).phantom).toEqual(['other m1 as 1'])
  const unknown = [...sent.slice(0, 2), { muid: 'm3', conversationId: 'c', id: undefined }]
  expect(of(good, { sent: unknown }).phantom).toEqual([])
  expect(of([...good, arrival(3, { messageId: '4', life: 1 })], { sent: unknown }).phantom).toEqual(['bot m3 as 4'])
})

test('a repetition is allowed of what was in flight at the end of a life, and of nothing else', () => {
  const inFlight = of([arrival(1), arrival(2), arrival(2, { life: 1 }), arrival(3, { life: 1 })])
  expect(inFlight).toEqual({ ...clean, repeated: 1 })
  expect(of([arrival(1), arrival(1), arrival(2), arrival(3)]).needless).toEqual(['bot c: m1 (1)'])
  expect(of([arrival(1), arrival(2), arrival(1, { life: 1 }), arrival(3)]).needless).toEqual(['bot c: m1 (1)'])
})

test('an answer that may not have been heard may be asked for again, until the lane has gone on', () => {
  const unheard = { unheard: true }
  expect(of([arrival(1), arrival(2, unheard), arrival(2, unheard), arrival(2), arrival(3)])).toEqual({
    ...clean,
    repeated: 2,
  })
  expect(of([arrival(1), arrival(2, unheard), arrival(2), arrival(2), arrival(3)]).needless).toEqual(['bot c: m2 (2)'])
  expect(of([arrival(1), arrival(2, unheard), arrival(3), arrival(2)]).needless).toEqual(['bot c: m2 (2)'])
})

test('what the bot will never want is over, and the lane goes on', () => {
  const gone = { ok: false, gone: true }
  expect(of([arrival(1), arrival(2, gone), arrival(3)])).toEqual({ ...clean, delivered: 2 })
  expect(of([arrival(1), arrival(2, { ok: false }), arrival(3)]).reordered).not.toEqual([])
})

test('what was replayed comes again at its old place, and only that', () => {
  expect(of([...good, arrival(1, { replayed: true }), arrival(2, { replayed: true })])).toEqual(clean)
  expect(of([...good, arrival(1, { replayed: true }), arrival(2)]).needless).toEqual(['bot c: m2 (2)'])
})

test('a message may have hearers of its own, and a duty may end before it is done', () => {
  const [one, two, three] = sent
  const toNobody = { sent: [one!, two!, { ...three!, bots: [] }] }
  expect(of(good.slice(0, 2), toNobody).lost).toEqual([])
  expect(of(good, toNobody).phantom).toEqual(['bot m3 as 3'])
  expect(of(good.slice(0, 2), { calledOff: (_, muid) => muid === 'm3' }).lost).toEqual([])
  expect(of(good.slice(0, 1), { calledOff: (_, muid) => muid === 'm3' }).lost).toEqual(['bot m2'])
})
