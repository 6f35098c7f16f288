/** A bot that answers 429 or 503 is left alone as a whole; nobody else is. */
import { expect, test } from 'vitest'
import { uidOf } from '../testing/builders.ts'
import { textsOf } from '../testing/delivery-rig.ts'
import { deliverySuite, POLL, pause, WAIT_MS } from '../testing/delivery-suite.ts'

const PEOPLE = ['ann', 'ben', 'cat', 'dan']

const rigWith = deliverySuite()

const until = (isSo: () => unknown) => expect.poll(isSo, POLL)

test('its lanes wait in the store, those of others go on, and after the pause it is tried carefully', async () => {
  const rig = await rigWith({ maxPerBot: 4, maxInFlight: 8 })
  let isBusy = true
  let atOnce = 0
  let most = 0
  const busy = await rig.bot('busy', () => {
    if (isBusy) return { status: 429, headers: { 'retry-after': '1' } }
    most = Math.max(most, ++atOnce)
    setTimeout(() => atOnce--, 30)
    return { status: 200, delayMs: 30 }
  })
  const free = await rig.bot('free')
  rig.dispatcher.start()
  await rig.say({ from: 'ann', to: 'busy', text: 'ann 1' })
  await busy.waitFor(1, WAIT_MS)
  await until(() => rig.dispatcher.lanes).toBe(0)
  const pausedAt = performance.now()
  isBusy = false
  for (const from of PEOPLE) for (const n of [2, 3]) await rig.say({ from, to: 'busy', text: `${from} ${n}` })
  for (const from of PEOPLE) await rig.say({ from, to: 'free', text: from })
  expect(textsOf(await free.waitFor(4, WAIT_MS)).sort()).toEqual(PEOPLE)
  expect(busy.received).toHaveLength(1)
  expect(rig.dispatcher.claimer()?.busy).toEqual({ [`${rig.w.appId}/busy`]: Number.MAX_SAFE_INTEGER })
  await busy.waitFor(2, WAIT_MS)
  expect(performance.now() - pausedAt).toBeGreaterThan(900)
  // The clock of deliveries stands still: ann's lane, whose head failed, is not due again before it is moved.
  await busy.waitFor(1 + 2 * (PEOPLE.length - 1), WAIT_MS)
  await until(() => rig.dispatcher.lanes).toBe(0)
  rig.w.clock.advance(60_000)
  rig.dispatcher.poke()
  const received = await busy.waitFor(1 + 2 * PEOPLE.length + 1, WAIT_MS)
  for (const person of PEOPLE) {
    const own = textsOf(received.slice(1)).filter((text) => text.startsWith(person))
    expect(own).toEqual((person === 'ann' ? [1, 2, 3] : [2, 3]).map((n) => `${person} ${n}`))
  }
  expect(most).toBeGreaterThan(1)
  await until(() => [rig.dispatcher.lanes, rig.dispatcher.inFlight]).toEqual([0, 0])
})

test('what is under way when the pause begins ends, and its lane waits too', async () => {
  const rig = await rigWith({ maxPerBot: 4, maxInFlight: 8 })
  const bot = await rig.bot('bot', (_, n) =>
    n === 1 ? { status: 200, delayMs: 400 } : { status: 503, headers: { 'retry-after': '30' } },
  )
  rig.dispatcher.start()
  await rig.say({ from: 'ann', to: 'bot', text: 'slow' })
  await bot.waitFor(1, WAIT_MS)
  await rig.say({ from: 'ann', to: 'bot', text: 'behind it' })
  await rig.say({ from: 'ben', to: 'bot', text: 'too much' })
  await bot.waitFor(2, WAIT_MS)
  await until(() => rig.dispatcher.lanes).toBe(0)
  expect(textsOf(bot.received)).toEqual(['slow', 'too much'])
  expect(await rig.deliveries()).toEqual([
    'ann_user_bot/1 delivered 1',
    'ann_user_bot/2 pending 0',
    'ben_user_bot/1 pending 1',
  ])
  expect((await rig.lanes()).map(({ lease }) => lease)).toEqual([null, null])
})

test('a probe that takes longer than its lease stays the only one', async () => {
  const rig = await rigWith({ leaseMs: 300 })
  const bot = await rig.bot('bot', () => ({ kind: 'hang' }))
  for (const from of PEOPLE) await rig.leave({ from, to: 'bot', text: from })
  const id = { appId: rig.w.appId, bot: uidOf('bot') }
  await rig.w.store.breakers.open({ ...id, untilMs: rig.w.clock.now(), nowMs: rig.w.clock.now() })
  rig.dispatcher.start()
  await bot.waitFor(1, WAIT_MS)
  for (let n = 0; n < 5; n++) {
    rig.w.clock.advance(200)
    const dueAtMs = rig.w.clock.now() + 300
    await until(async () => (await rig.lanes()).filter(({ lease }) => lease !== null)).toMatchObject([{ dueAtMs }])
    const other = { claimer: rig.w.claimer({ node: 'node_other' }), limit: 9, nowMs: rig.w.clock.now() }
    expect((await rig.w.store.lanes.claimDue(other)).claims).toEqual([])
  }
  // Neither when nobody could renew it.
  rig.w.clock.advance(1_000_000)
  rig.dispatcher.poke()
  await pause(300)
  expect([rig.dispatcher.inFlight, bot.received.length]).toEqual([1, 1])
})

test('a bot that another node has found to be well is not left alone any longer', async () => {
  const rig = await rigWith({ maxPerBot: 4 })
  const bot = await rig.bot('bot', (_, n) =>
    n === 1 ? { status: 429, headers: { 'retry-after': '4' } } : { status: 200 },
  )
  rig.dispatcher.start()
  await rig.say({ from: 'ann', to: 'bot', text: 'ann' })
  await until(() => rig.dispatcher.claimer()?.busy).not.toEqual({})
  await rig.say({ from: 'ben', to: 'bot', text: 'ben' })
  const asked = performance.now()
  rig.dispatcher.passed({ appId: rig.w.appId, bot: uidOf('bot') })
  await bot.waitFor(2, WAIT_MS)
  expect(performance.now() - asked).toBeLessThan(3000)
})

test('a bot that begins to answer by a stream has not to end it before others are called', async () => {
  const rig = await rigWith({ maxPerBot: 4, watchStream: () => ({ onText: () => {}, end: () => {} }) })
  const stream = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
  const bot = await rig.bot('bot', (_, n) => {
    if (n === 1) return { status: 503 }
    return n === 2 ? { kind: 'raw', bytes: stream } : { status: 200 }
  })
  rig.dispatcher.start()
  await rig.say({ from: 'ann', to: 'bot', text: 'ann' })
  await bot.waitFor(1, WAIT_MS)
  for (const from of PEOPLE.slice(1)) await rig.say({ from, to: 'bot', text: from })
  await bot.waitFor(1 + PEOPLE.length, WAIT_MS)
  expect(rig.dispatcher.inFlight).toBeGreaterThan(0)
})
