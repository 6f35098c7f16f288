import { describe, expect, it, onTestFinished } from 'vitest'
import { uidOf } from '../testing/builders.ts'
import { startCallbackReceiver } from '../testing/callback-receiver.ts'
import { type DeliveryRig, type DeliveryRigOptions, makeGate, textsOf } from '../testing/delivery-rig.ts'
import { deliverySuite, POLL, pause, WAIT_MS } from '../testing/delivery-suite.ts'
import type { StoredClaim } from './attempt.ts'
import type { Sender } from './sender.ts'

const LEASE_MS = 30_000

const rigWith = deliverySuite()

/** What is due at this moment, in the name of another node. */
const claimAsOther = async ({ w }: DeliveryRig): Promise<readonly StoredClaim[]> =>
  (await w.store.lanes.claimDue({ claimer: w.claimer({ node: 'node_other' }), limit: 100, nowMs: w.clock.now() }))
    .claims

/** A store that puts no attempt on record until it is told to; what was asked for is kept. */
const heldRecords = () => {
  const gate = makeGate()
  const asked: string[] = []
  const faults: DeliveryRigOptions['faults'] = (lanes) => ({
    record: async (input) => {
      asked.push(input.attempt.outcome.kind)
      await gate.opened
      return lanes.record(input)
    },
  })
  return { faults, asked, open: gate.open }
}

describe('a lease', () => {
  it('is renewed as long as an attempt takes', async () => {
    const rig = await rigWith({ leaseMs: 300 })
    const bot = await rig.bot('bot', () => ({ kind: 'hang' }))
    rig.dispatcher.start()
    for (const from of ['ann', 'ben']) await rig.say({ from, to: 'bot' })
    await bot.waitFor(2, WAIT_MS)
    const leases = (await rig.lanes()).map(({ lease }) => lease)
    for (let n = 0; n < 5; n++) {
      rig.w.clock.advance(200)
      const dueAtMs = rig.w.clock.now() + 300
      await expect.poll(() => rig.lanes(), POLL).toMatchObject([{ dueAtMs }, { dueAtMs }])
    }
    expect(await claimAsOther(rig)).toEqual([])
    expect((await rig.lanes()).map(({ lease }) => lease)).toEqual(leases)
    expect(bot.received).toHaveLength(2)
  })

  it('that was lost while the lane waited takes the lane with it', async () => {
    const rig = await rigWith({ leaseMs: 300, maxInFlight: 1 })
    const bot = await rig.bot('bot', () => ({ kind: 'hang' }))
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot' })
    await bot.waitFor(1, WAIT_MS)
    await rig.say({ from: 'ben', to: 'bot' })
    expect(rig.dispatcher.lanes).toBe(2)
    // Long enough that no renewal comes in between.
    rig.w.clock.advance(1_000_000)
    expect(await claimAsOther(rig)).toHaveLength(2)
    // The one that is under way stays until its attempt has ended.
    await expect.poll(() => [rig.dispatcher.lanes, rig.dispatcher.inFlight], POLL).toEqual([1, 1])
    expect(bot.received).toHaveLength(1)
  })

  it('that was lost under way fences the attempt: it is on record, and decides nothing', async () => {
    const { faults, asked, open } = heldRecords()
    const rig = await rigWith({ faults })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    for (const text of ['1', '2']) await rig.say({ from: 'ann', to: 'bot', text })
    await expect.poll(() => asked, POLL).toEqual(['delivered'])
    rig.w.clock.advance(LEASE_MS)
    const [taken] = await claimAsOther(rig)
    const before = await rig.lanes()
    open()
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    expect(await rig.attempts()).toEqual(['ann_user_bot/1 1 delivered'])
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 pending 0', 'ann_user_bot/2 pending 0'])
    expect(await rig.lanes()).toEqual(before)
    expect(before).toMatchObject([{ pending: 2, lease: taken?.leaseId }])
    expect(rig.metrics).toEqual(['attempted delivered', 'handedOver'])
    expect(textsOf(bot.received)).toEqual(['1'])
  })

  it('that lapsed before its attempt began is not worked: another node has the lane', async () => {
    const taken: StoredClaim[] = []
    // The process sleeps between the answer of the store and the attempt.
    const rig = await rigWith({
      faults: (lanes) => ({
        claimDue: async (input) => {
          const found = await lanes.claimDue(input)
          if (found.claims.length === 0) return found
          rig.w.clock.advance(LEASE_MS)
          taken.push(...(await claimAsOther(rig)))
          return found
        },
      }),
    })
    const bot = await rig.bot('bot')
    await rig.leave({ from: 'ann', to: 'bot', text: '1' })
    rig.dispatcher.start()
    await expect.poll(() => taken.length, POLL).toBe(1)
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    await pause(50)
    expect(bot.received).toEqual([])
    expect(await rig.lanes()).toMatchObject([{ lease: taken[0]?.leaseId }])
  })

  it('that lapsed while an attempt was under way, and came back, puts it on record as if nothing had been', async () => {
    const gate = makeGate()
    const slowed = (sender: Sender): Sender => ({
      ...sender,
      send: async (...args) => {
        const attempt = await sender.send(...args)
        await gate.opened
        return attempt
      },
    })
    const rig = await rigWith({ slowed })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    for (const text of ['1', '2']) await rig.say({ from: 'ann', to: 'bot', text })
    await bot.waitFor(1, WAIT_MS)
    const [before] = await rig.lanes()
    rig.w.clock.advance(LEASE_MS)
    rig.dispatcher.poke()
    await expect.poll(async () => (await rig.lanes())[0]?.lease, POLL).not.toBe(before?.lease)
    gate.open()
    await expect
      .poll(() => rig.deliveries(), POLL)
      .toEqual(['ann_user_bot/1 delivered 1', 'ann_user_bot/2 delivered 1'])
    expect(textsOf(bot.received)).toEqual(['1', '2'])
  })

  it('of what is sent between the record of an attempt and its answer is not forgotten', async () => {
    let isFirst = true
    const rig = await rigWith({
      faults: (lanes) => ({
        record: async (input) => {
          const recorded = await lanes.record(input)
          // The lane is idle in the store and busy here.
          if (isFirst) {
            isFirst = false
            await rig.say({ from: 'ann', to: 'bot', text: '2' })
          }
          return recorded
        },
      }),
    })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot', text: '1' })
    // The clock stands still: no lease lapses.
    await bot.waitFor(2, WAIT_MS)
    expect(textsOf(bot.received)).toEqual(['1', '2'])
  })

  it('that lapsed and came back is worked after the attempt under way, not beside it', async () => {
    const { faults, asked, open } = heldRecords()
    const rig = await rigWith({ faults })
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    for (const text of ['1', '2']) await rig.say({ from: 'ann', to: 'bot', text })
    await expect.poll(() => asked, POLL).toHaveLength(1)
    const [before] = await rig.lanes()
    rig.w.clock.advance(LEASE_MS)
    rig.dispatcher.poke()
    await expect.poll(async () => (await rig.lanes())[0]?.lease, POLL).not.toBe(before?.lease)
    await pause(100)
    expect([rig.dispatcher.lanes, rig.dispatcher.inFlight, bot.received.length]).toEqual([1, 1, 1])
    open()
    await expect
      .poll(() => rig.deliveries(), POLL)
      .toEqual(['ann_user_bot/1 delivered 1', 'ann_user_bot/2 delivered 1'])
    expect(textsOf(bot.received)).toEqual(['1', '1', '2'])
    expect(bot.connections).toBe(1)
  })
})

/** Longer than a claim may wait without being read again. */
const STALE_MS = 300

/**
 * A claim of `bot` that had to wait: the only place on the node is taken by a lane of another bot, until `open`. The
 * bot is changed when it has been claimed, before it is handed over.
 */
const waitingClaim = async (change: (rig: DeliveryRig) => Promise<unknown>) => {
  const { faults, asked, open } = heldRecords()
  let rereads = 0
  const rig = await rigWith({
    maxInFlight: 1,
    faults: (lanes) => ({
      ...faults(lanes),
      reread: (input) => {
        rereads++
        return lanes.reread(input)
      },
    }),
  })
  await rig.bot('slow')
  const bot = await rig.bot('bot')
  rig.dispatcher.start()
  await rig.say({ from: 'ann', to: 'slow' })
  await expect.poll(() => asked, POLL).toHaveLength(1)
  const claimer = rig.dispatcher.claimer()
  const { claims } = await rig.w.send({ from: 'ann', to: 'bot', text: 'waited', ...(claimer && { claimer }) })
  expect(claims).toHaveLength(1)
  await change(rig)
  rig.dispatcher.accept(claims, 0)
  await pause(STALE_MS)
  expect([rig.dispatcher.lanes, bot.received.length, rereads]).toEqual([2, 0, 0])
  return { rig, bot, open, rereads: () => rereads }
}

const changeBot = ({ w }: DeliveryRig, settings: { enabled?: boolean; callbackUrl?: string }) =>
  w.store.bots.update({ appId: w.appId, uid: uidOf('bot'), now: w.now(), ...settings })

describe('a claim that had to wait', () => {
  it('is worked when it still holds', async () => {
    const { bot, open, rereads } = await waitingClaim(async () => {})
    open()
    expect(textsOf(await bot.waitFor(1, WAIT_MS))).toEqual(['waited'])
    expect(rereads()).toBe(1)
  })

  it('goes where the bot is now', async () => {
    const newer = await startCallbackReceiver()
    onTestFinished(() => newer.close())
    const { rig, bot, open } = await waitingClaim((rig) => changeBot(rig, { callbackUrl: newer.url }))
    open()
    expect(textsOf(await newer.waitFor(1, WAIT_MS))).toEqual(['waited'])
    await expect
      .poll(() => rig.deliveries(), POLL)
      .toEqual(['ann_user_bot/1 delivered 1', 'ann_user_slow/1 delivered 1'])
    expect(bot.received).toHaveLength(0)
  })

  it('is given back when the bot was disabled, and worked when it is enabled', async () => {
    const { rig, bot, open } = await waitingClaim((rig) => changeBot(rig, { enabled: false }))
    open()
    await expect
      .poll(() => rig.lanes(), POLL)
      .toMatchObject([
        { conversation: 'ann_user_bot', pending: 1, dueAtMs: rig.w.clock.now(), lease: null },
        { conversation: 'ann_user_slow', pending: 0 },
      ])
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    expect(bot.received).toHaveLength(0)
    await changeBot(rig, { enabled: true })
    rig.dispatcher.poke()
    expect(textsOf(await bot.waitFor(1, WAIT_MS))).toEqual(['waited'])
  })

  it('is gone with the bot', async () => {
    const { rig, bot, open } = await waitingClaim(({ w }) =>
      w.store.bots.remove({ appId: w.appId, uid: uidOf('bot'), nowMs: w.clock.now() }),
    )
    open()
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 cancelled 0', 'ann_user_slow/1 delivered 1'])
    expect(bot.received).toHaveLength(0)
  })

  it('is gone with its lease', async () => {
    const { rig, bot, open } = await waitingClaim(async ({ w }) => {
      w.clock.advance(LEASE_MS - 1)
    })
    rig.w.clock.advance(1)
    const taken = (await claimAsOther(rig)).map(({ leaseId }) => leaseId).sort()
    expect(taken).toHaveLength(2)
    open()
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    expect(bot.received).toHaveLength(0)
    expect((await rig.lanes()).map(({ lease }) => lease).sort()).toEqual(taken)
  })
})
