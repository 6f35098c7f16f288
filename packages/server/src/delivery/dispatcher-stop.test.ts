import { describe, expect, it } from 'vitest'
import { type DeliveryRig, type DeliveryRigOptions, makeGate, textsOf } from '../testing/delivery-rig.ts'
import { deliverySuite, POLL, pause, WAIT_MS } from '../testing/delivery-suite.ts'

const LEASE_MS = 30_000

const rigWith = deliverySuite()

/** Whether it has settled by now, or soon. */
const settlesIn = (promise: Promise<unknown>, ms: number): Promise<boolean> =>
  Promise.race([promise.then(() => true), pause(ms).then(() => false)])

const leasesOf = async (rig: DeliveryRig): Promise<boolean[]> => (await rig.lanes()).map(({ lease }) => lease !== null)

const ends = ['drain', 'stop', 'abort'] as const

describe('stop', () => {
  it('waits for the attempt under way, starts nothing more, and gives all lanes back', async () => {
    const rig = await rigWith({ maxInFlight: 1 })
    const bot = await rig.bot('bot', () => ({ status: 200, delayMs: 200 }))
    rig.dispatcher.start()
    for (const from of ['ann', 'ben', 'ann']) await rig.say({ from, to: 'bot', text: from })
    await bot.waitFor(1, WAIT_MS)
    expect([rig.dispatcher.lanes, await leasesOf(rig)]).toEqual([2, [true, true]])
    await rig.dispatcher.stop()
    expect(await rig.deliveries()).toEqual([
      'ann_user_bot/1 delivered 1',
      'ann_user_bot/2 pending 0',
      'ben_user_bot/1 pending 0',
    ])
    const dueAtMs = rig.w.clock.now()
    expect(await rig.lanes()).toMatchObject([
      { dueAtMs, pending: 1, lease: null },
      { dueAtMs, pending: 1, lease: null },
    ])
    expect([rig.dispatcher.lanes, rig.dispatcher.inFlight, rig.dispatcher.claimer()]).toEqual([0, 0, undefined])
    rig.dispatcher.poke()
    await rig.say({ from: 'cat', to: 'bot' })
    await pause(100)
    expect(textsOf(bot.received)).toEqual(['ann'])
    expect(await leasesOf(rig)).toEqual([false, false, false])
  })

  it.each(ends)('%s gives back what a poll under way has claimed, before it resolves', async (end) => {
    const { opened: wait, open } = makeGate()
    let claimed = 0
    const rig = await rigWith({
      faults: (lanes) => ({
        claimDue: async (input) => {
          const found = await lanes.claimDue(input)
          claimed += found.claims.length
          await wait
          return found
        },
      }),
    })
    const bot = await rig.bot('bot')
    await rig.leave({ from: 'ann', to: 'bot' })
    rig.dispatcher.start()
    await expect.poll(() => claimed, POLL).toBe(1)
    const ended = rig.dispatcher[end]()
    expect(await settlesIn(ended, 50)).toBe(false)
    open()
    await ended
    expect(await leasesOf(rig)).toEqual([false])
    expect([bot.received.length, rig.dispatcher.lanes, rig.log]).toEqual([0, 0, []])
  })

  it('gives back what is handed over until its very end', async () => {
    const gate = makeGate()
    let isClosing = false
    const rig = await rigWith({
      slowed: (sender) => ({
        ...sender,
        close: async (options) => {
          isClosing = true
          await gate.opened
          await sender.close(options)
        },
      }),
    })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    const claimer = rig.dispatcher.claimer()
    const { claims } = await rig.w.send({ from: 'ann', to: 'bot', ...(claimer && { claimer }) })
    const stopped = rig.dispatcher.stop()
    await expect.poll(() => isClosing, POLL).toBe(true)
    expect(await leasesOf(rig)).toEqual([true])
    rig.dispatcher.accept(claims, 0)
    gate.open()
    await stopped
    expect(await leasesOf(rig)).toEqual([false])
    expect([bot.received.length, rig.dispatcher.lanes, rig.log]).toEqual([0, 0, []])
  })

  it('gives back what is handed over while it waits for the last attempt', async () => {
    const rig = await rigWith()
    const bot = await rig.bot('bot', () => ({ status: 200, delayMs: 200 }))
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot' })
    const claimer = rig.dispatcher.claimer()
    const { claims } = await rig.w.send({ from: 'ben', to: 'bot', ...(claimer && { claimer }) })
    const stopped = rig.dispatcher.stop()
    await bot.waitFor(1, WAIT_MS)
    rig.dispatcher.accept(claims, 0)
    await stopped
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 delivered 1', 'ben_user_bot/1 pending 0'])
    expect(await leasesOf(rig)).toEqual([false, false])
  })
})

describe('drain', () => {
  it('starts nothing more, and keeps what waits, by leases that are renewed, until it is told to stop', async () => {
    const rig = await rigWith({ maxInFlight: 1, leaseMs: 300 })
    const bot = await rig.bot('bot', () => ({ status: 200, delayMs: 100 }))
    rig.dispatcher.start()
    for (const from of ['ann', 'ben']) await rig.say({ from, to: 'bot' })
    await rig.dispatcher.drain()
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 delivered 1', 'ben_user_bot/1 pending 0'])
    expect([rig.dispatcher.claimer(), rig.dispatcher.lanes, await leasesOf(rig)]).toEqual([undefined, 1, [false, true]])
    rig.w.clock.advance(200)
    const dueAtMs = rig.w.clock.now() + 300
    await expect.poll(() => rig.lanes(), POLL).toMatchObject([{}, { dueAtMs }])
    expect(bot.received).toHaveLength(1)
    await rig.dispatcher.stop()
    expect([rig.dispatcher.lanes, await leasesOf(rig)]).toEqual([0, [false, false]])
  })
})

describe('abort', () => {
  it('ends what a stop is waiting for, at no cost to the bot', async () => {
    const rig = await rigWith({ maxInFlight: 1 })
    const bot = await rig.bot('bot', () => ({ kind: 'hang' }))
    rig.dispatcher.start()
    for (const from of ['ann', 'ben']) await rig.say({ from, to: 'bot' })
    await bot.waitFor(1, WAIT_MS)
    const stopped = rig.dispatcher.stop()
    expect(await settlesIn(stopped, 100)).toBe(false)
    await rig.dispatcher.abort()
    await stopped
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 pending 0', 'ben_user_bot/1 pending 0'])
    expect([await rig.attempts(), await leasesOf(rig), rig.dispatcher.lanes]).toEqual([[], [false, false], 0])
  })

  it('puts on record what was delivered by then, and nothing else', async () => {
    const gate = makeGate()
    let attempts = 0
    const rig = await rigWith({
      slowed: (sender) => ({
        ...sender,
        send: async (callback, delivery) => {
          const attempt = await sender.send(callback, delivery)
          attempts++
          await gate.opened
          return attempt
        },
      }),
    })
    await rig.bot('bot')
    await rig.bot('poor', () => ({ status: 500 }))
    rig.dispatcher.start()
    for (const to of ['bot', 'poor']) await rig.say({ from: 'ann', to })
    await expect.poll(() => attempts, POLL).toBe(2)
    const aborted = rig.dispatcher.abort()
    expect(await settlesIn(aborted, 50)).toBe(false)
    gate.open()
    await aborted
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 delivered 1', 'ann_user_poor/1 pending 0'])
    expect([await rig.attempts(), await leasesOf(rig)]).toEqual([['ann_user_bot/1 1 delivered'], [false, false]])
  })
})

/** A store that takes no attempts while `failing`. */
const failingRecords = () => {
  const state = { failing: true, asked: 0 }
  const faults: DeliveryRigOptions['faults'] = (lanes) => ({
    record: (input) => {
      state.asked++
      return state.failing ? Promise.reject(new Error('no store')) : lanes.record(input)
    },
  })
  return { faults, state }
}

describe('an attempt that cannot be put on record', () => {
  it('is not made again: its record is', async () => {
    const { faults, state } = failingRecords()
    const rig = await rigWith({ faults })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    for (const text of ['1', '2']) await rig.say({ from: 'ann', to: 'bot', text })
    await expect.poll(() => state.asked, POLL).toBe(1)
    state.failing = false
    await expect
      .poll(() => rig.deliveries(), POLL)
      .toEqual(['ann_user_bot/1 delivered 1', 'ann_user_bot/2 delivered 1'])
    expect(await rig.attempts()).toEqual(['ann_user_bot/1 1 delivered', 'ann_user_bot/2 1 delivered'])
    expect(textsOf(bot.received)).toEqual(['1', '2'])
    expect(rig.log.filter((line) => line.endsWith('record_failed'))).toEqual(['error delivery.record_failed'])
  })

  it('is let go with the lease, and made again by whoever claims the lane then', async () => {
    const { faults, state } = failingRecords()
    const rig = await rigWith({ faults })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot', text: '1' })
    await expect.poll(() => state.asked, POLL).toBe(1)
    rig.w.clock.advance(LEASE_MS)
    await expect.poll(() => state.asked, POLL).toBeGreaterThan(1)
    state.failing = false
    await bot.waitFor(2, WAIT_MS)
    await expect.poll(() => rig.deliveries(), POLL).toEqual(['ann_user_bot/1 delivered 1'])
    expect(await rig.attempts()).toEqual(['ann_user_bot/1 1 delivered'])
    expect(bot.received.map(({ headers }) => headers['confab-attempt'])).toEqual(['1', '1'])
  })

  it('does not hold up an abort', async () => {
    const { faults, state } = failingRecords()
    const rig = await rigWith({ faults })
    await rig.bot('bot')
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot' })
    await expect.poll(() => state.asked, POLL).toBe(1)
    await rig.dispatcher.abort()
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 pending 0'])
    expect(rig.dispatcher.lanes).toBe(0)
  })
})
