import { describe, expect, it } from 'vitest'
import type { ReceivedCallback } from '../testing/callback-receiver.ts'
import { type DeliveryRig, type DeliveryRigOptions, textOf, textsOf } from '../testing/delivery-rig.ts'
import { deliverySuite, POLL, pause, WAIT_MS } from '../testing/delivery-suite.ts'

const PEOPLE = ['ann', 'ben', 'cat', 'dan']

const rigWith = deliverySuite()

const sequenceOf = ({ headers }: ReceivedCallback): number => Number(headers['confab-sequence'])

describe('a lane', () => {
  it('is worked in order, one attempt at a time, each head until it is delivered', async () => {
    const rig = await rigWith()
    const bot = await rig.bot('bot', (_, n) => ({ status: n % 5 === 0 ? 200 : 500, delayMs: 5 }))
    rig.dispatcher.start()
    for (const n of [1, 2, 3]) await rig.say({ from: 'ann', to: 'bot', text: `${n}` })
    // Were the poll alone to find what is due again, they would take longer than this.
    const received = await bot.waitFor(15, WAIT_MS)
    expect(textsOf(received).join('')).toBe('111112222233333')
    expect(received.map(sequenceOf).join('')).toBe('111112222233333')
    expect(received.map(({ headers }) => headers['confab-attempt']).join('')).toBe('123451234512345')
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    // Two attempts at once would have needed two.
    expect(bot.connections).toBe(1)
    expect(await rig.deliveries()).toEqual([1, 2, 3].map((n) => `ann_user_bot/${n} delivered 5`))
    expect(await rig.attempts()).toEqual(
      [1, 2, 3].flatMap((n) => [
        ...[1, 2, 3, 4].map((number) => `ann_user_bot/${n} ${number} retry:http`),
        `ann_user_bot/${n} 5 delivered`,
      ]),
    )
    expect(await rig.lanes()).toMatchObject([{ pending: 0, dueAtMs: null, lease: null }])
  })

  it('is worked to its end by one claim, as long as all goes well', async () => {
    const leases: string[] = []
    const rig = await rigWith({
      faults: (lanes) => ({
        record: (input) => {
          leases.push(input.leaseId)
          return lanes.record(input)
        },
      }),
    })
    await rig.bot('bot')
    for (const text of ['1', '2', '3']) await rig.leave({ from: 'ann', to: 'bot', text })
    rig.dispatcher.start()
    await expect.poll(() => leases, POLL).toHaveLength(3)
    expect(new Set(leases).size).toBe(1)
  })

  it('goes on behind a head that the bot will never want, and behind one that was tried often enough', async () => {
    const rig = await rigWith({ schedule: { delaysMs: [0, 2], maxAgeMs: 1 } })
    const bot = await rig.bot('bot', (callback) => ({ status: { gone: 410, bad: 500 }[textOf(callback)] ?? 200 }))
    rig.dispatcher.start()
    for (const text of ['gone', 'bad', 'good']) await rig.say({ from: 'ann', to: 'bot', text })
    await expect
      .poll(() => rig.deliveries(), POLL)
      .toEqual(['ann_user_bot/1 dead 1', 'ann_user_bot/2 dead 2', 'ann_user_bot/3 delivered 1'])
    expect(textsOf(bot.received)).toEqual(['gone', 'bad', 'bad', 'good'])
    // Told when it is on record.
    await expect.poll(() => rig.log.length, POLL).toBe(4)
    expect(rig.metrics).toEqual([
      'attempted gone',
      'handedOver',
      'finished dead',
      'attempted http',
      'handedOver',
      'attempted http',
      'finished dead',
      'attempted delivered',
      'handedOver',
      'finished delivered',
    ])
    expect(rig.log).toEqual([
      'warn delivery.attempted',
      'info delivery.attempted',
      'warn delivery.attempted',
      'info delivery.attempted',
    ])
  })

  it('that is stuck holds up no other, of its bot or of another', async () => {
    const rig = await rigWith()
    const bot = await rig.bot('bot', (callback) => (textOf(callback) === 'stuck' ? { kind: 'hang' } : { status: 200 }))
    const other = await rig.bot('other')
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot', text: 'stuck' })
    await bot.waitFor(1, WAIT_MS)
    for (const text of ['a', 'b', 'c']) {
      for (const from of ['ann', 'ben']) await rig.say({ from, to: 'bot', text })
      await rig.say({ from: 'ann', to: 'other', text })
    }
    expect(textsOf(await other.waitFor(3, WAIT_MS))).toEqual(['a', 'b', 'c'])
    expect(textsOf(await bot.waitFor(4, WAIT_MS))).toEqual(['stuck', 'a', 'b', 'c'])
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(1)
    expect(rig.dispatcher.inFlight).toBe(1)
    expect((await rig.deliveries()).slice(0, 4)).toEqual([1, 2, 3, 4].map((n) => `ann_user_bot/${n} pending 0`))
  })

  it('whose head has failed is tried again when it is due, and not before', async () => {
    const rig = await rigWith({ schedule: { delaysMs: [5000], maxAgeMs: 60_000 } })
    const bot = await rig.bot('bot', (_, n) => ({ status: n === 1 ? 500 : 200 }))
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot', text: 'late' })
    const dueAtMs = rig.w.clock.now() + 5000
    await expect.poll(() => rig.lanes(), POLL).toMatchObject([{ dueAtMs, lease: null }])
    rig.w.clock.advance(4999)
    rig.dispatcher.poke()
    await pause(100)
    expect([bot.received.length, rig.dispatcher.lanes]).toEqual([1, 0])
    rig.w.clock.advance(1)
    await bot.waitFor(2, WAIT_MS)
    await expect.poll(() => rig.deliveries(), POLL).toEqual(['ann_user_bot/1 delivered 2'])
  })
})

describe('what is under way at once', () => {
  it('is bounded for each bot and for the node, and used up', async () => {
    const rig = await rigWith({ maxInFlight: 3, maxPerBot: 2 })
    const underWay: number[] = []
    const behave = () => {
      underWay.push(rig.dispatcher.inFlight)
      return { status: 200, delayMs: 20 }
    }
    const bots = [await rig.bot('bot', behave), await rig.bot('other', behave)]
    for (const to of ['bot', 'other']) for (const from of [...PEOPLE, ...PEOPLE]) await rig.leave({ from, to })
    rig.dispatcher.start()
    for (const bot of bots) await bot.waitFor(8, WAIT_MS)
    expect(Math.max(...underWay)).toBe(3)
    // A connection is used again as soon as it is free: so many attempts were under way at once.
    for (const bot of bots) expect(bot.connections).toBe(2)
  })

  it('is all that is held, with the lanes that come next; the rest waits in the store', async () => {
    const rig = await rigWith({ maxInFlight: 2 })
    const held: number[] = []
    const bot = await rig.bot('bot', () => {
      held.push(rig.dispatcher.lanes)
      return { status: 200 }
    })
    // Were there a poll a second, and no more, they would take longer than this test waits.
    const people = Array.from({ length: 50 }, (_, n) => `p${n}`)
    await rig.w.users(...people)
    for (const n of [1, 2]) for (const from of people) await rig.leave({ from, to: 'bot', text: `${from} ${n}` })
    rig.dispatcher.start()
    await bot.waitFor(people.length * 2, WAIT_MS)
    expect(Math.max(...held)).toBe(4)
    for (const from of people) {
      const own = textsOf(bot.received).filter((text) => text.startsWith(`${from} `))
      expect(own).toEqual([`${from} 1`, `${from} 2`])
    }
    await expect.poll(() => [rig.dispatcher.lanes, rig.dispatcher.inFlight], POLL).toEqual([0, 0])
  })

  it.each([
    ['is handed over', 'say'],
    ['is found', 'leave'],
  ] as const)('is not filled by slow bots: what comes for another one then and %s goes out', async (_, how) => {
    const rig = await rigWith({ maxInFlight: 16, maxPerBot: 8 })
    const slow = ['slow', 'sluggish', 'snail']
    for (const bot of slow) await rig.bot(bot, () => ({ kind: 'hang' }))
    const quick = await rig.bot('quick')
    const many = Array.from({ length: 24 }, (_, n) => `p${n}`)
    await rig.w.users(...many)
    for (const to of slow) for (const from of many) await rig.leave({ from, to })
    rig.dispatcher.start()
    await expect.poll(() => rig.dispatcher.inFlight, POLL).toBeGreaterThanOrEqual(14)
    await pause(50)
    expect([rig.dispatcher.inFlight, rig.dispatcher.lanes]).toEqual([14, expect.toSatisfy((lanes) => lanes < 32)])
    for (const from of PEOPLE) await rig[how]({ from, to: 'quick', text: from })
    expect(textsOf(await quick.waitFor(PEOPLE.length, WAIT_MS)).sort()).toEqual(PEOPLE)
  })

  it('decides whether idle lanes are claimed at once', async () => {
    const rig = await rigWith({ maxInFlight: 1, maxPerBot: 1, leaseMs: 7000 })
    await rig.bot('bot', () => ({ kind: 'hang' }))
    const { dispatcher, w } = rig
    expect(dispatcher.claimer()).toBeUndefined()
    dispatcher.start()
    const claimer = dispatcher.claimer()
    expect(claimer).toMatchObject({ untilMs: w.clock.now() + 7000, busy: {}, perBot: 2 })
    expect(dispatcher.claimer()?.node).toBe(claimer?.node)
    expect(dispatcher.claimer()?.leaseId).not.toBe(claimer?.leaseId)
    await rig.say({ from: 'ann', to: 'bot' })
    expect([dispatcher.lanes, dispatcher.inFlight, dispatcher.claimer()?.busy]).toEqual([1, 1, {}])
    await rig.say({ from: 'ben', to: 'bot' })
    expect([dispatcher.lanes, dispatcher.inFlight, dispatcher.claimer()]).toEqual([2, 1, undefined])
    await rig.say({ from: 'cat', to: 'bot' })
    expect((await rig.lanes()).map(({ lease }) => lease === null)).toEqual([false, false, true])
  })

  it('leaves the lanes of a bot that has enough in the store', async () => {
    const rig = await rigWith({ maxInFlight: 4, maxPerBot: 1 })
    await rig.bot('bot', () => ({ kind: 'hang' }))
    rig.dispatcher.start()
    for (const from of PEOPLE) await rig.say({ from, to: 'bot' })
    expect(rig.dispatcher.claimer()?.busy).toEqual({ [`${rig.w.appId}/bot`]: 2 })
    expect([rig.dispatcher.lanes, rig.dispatcher.inFlight]).toEqual([2, 1])
  })
})

describe('what is said at the same time, all promised the same room', () => {
  it.each([
    ['of the node', { maxInFlight: 2, maxPerBot: 8 }, 4],
    ['of the bot', { maxInFlight: 16, maxPerBot: 1 }, 2],
  ])('%s: is held only within it, and delivered in the end', async (_, limits, room) => {
    const held: number[] = []
    const rig = await rigWith(limits)
    const bot = await rig.bot('bot', () => {
      held.push(rig.dispatcher.lanes)
      return { status: 200, delayMs: 5 }
    })
    rig.dispatcher.start()
    const many = Array.from({ length: 40 }, (_, n) => `p${n}`)
    await rig.w.users(...many)
    await Promise.all(many.map((from) => rig.say({ from, to: 'bot', text: from })))
    expect(rig.dispatcher.lanes).toBeLessThanOrEqual(room)
    expect(textsOf(await bot.waitFor(many.length, WAIT_MS)).sort()).toEqual([...many].sort())
    expect(Math.max(...held)).toBeLessThanOrEqual(room)
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
  })
})

describe('the poll', () => {
  it('finds what no hint has told', async () => {
    const rig = await rigWith()
    const bot = await rig.bot('bot')
    rig.dispatcher.start()
    await rig.say({ from: 'ann', to: 'bot', text: 'told' })
    await bot.waitFor(1, WAIT_MS)
    await expect.poll(() => rig.dispatcher.lanes, POLL).toBe(0)
    await pause(50)
    await rig.leave({ from: 'ben', to: 'bot', text: 'not told' })
    expect(textsOf(await bot.waitFor(2, WAIT_MS))).toEqual(['told', 'not told'])
  })

  it('goes on after one that has failed', async () => {
    let failures = 0
    const rig = await rigWith({
      faults: (lanes) => ({
        claimDue: (input) => (++failures <= 2 ? Promise.reject(new Error('no store')) : lanes.claimDue(input)),
      }),
    })
    const bot = await rig.bot('bot')
    await rig.leave({ from: 'ann', to: 'bot', text: 'patience' })
    rig.dispatcher.start()
    expect(textsOf(await bot.waitFor(1, WAIT_MS))).toEqual(['patience'])
    expect(failures).toBeGreaterThan(2)
  })

  it('that was under way when a hint came looks once more, at once', async () => {
    // Were each to be found by the poll after, they would take longer than this test waits.
    const MESSAGES = 15
    let said = 0
    let sayMore: () => Promise<void> = async () => {}
    const rig = await rigWith({
      faults: (lanes) => ({
        claimDue: async (input) => {
          const found = await lanes.claimDue(input)
          if (said++ < MESSAGES) await sayMore()
          return found
        },
      }),
    })
    const bot = await rig.bot('bot')
    sayMore = async () => {
      await rig.leave({ from: 'ann', to: 'bot', text: 'missed' })
      rig.dispatcher.poke()
      // The wish is heard before the poll ends.
      await pause(20)
    }
    rig.dispatcher.start()
    await bot.waitFor(MESSAGES, WAIT_MS)
  })
})

describe('replies that cannot be posted, for a fault that is not of the bot', () => {
  const answering = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{"reply":"x"}' })
  /** For the whole lease that the lane is held with; the clock is moved by hand. */
  const throughTheLease = async (rig: DeliveryRig, posted: () => number): Promise<void> => {
    await expect.poll(posted, POLL).toBeGreaterThanOrEqual(2)
    rig.w.clock.advance(600)
  }
  const failing = async (more: DeliveryRigOptions = {}) => {
    let posted = 0
    const postReplies = () => {
      posted += 1
      return Promise.reject(new RangeError('a fault of ours'))
    }
    const rig = await rigWith({ leaseMs: 1000, postReplies, ...more })
    await rig.bot('bot', answering)
    rig.dispatcher.start()
    for (const text of ['1', '2']) await rig.say({ from: 'ann', to: 'bot', text })
    await throughTheLease(rig, () => posted)
    return rig
  }

  it('while the store takes all else, end the attempt, which says so, and the conversation goes on', async () => {
    const rig = await failing()
    await expect.poll(() => rig.attempts(), POLL).toEqual(['ann_user_bot/1 1 delivered'])
    expect(await rig.errors()).toEqual(['the replies were not posted: the server has failed to, see its log'])
    expect(rig.log).toContain('error delivery.reply_failed')
  })

  it('while the store takes nothing, put nothing on record: the callback is made again', async () => {
    const rig = await failing({ faults: () => ({ renew: () => Promise.reject(new Error('store away')) }) })
    await expect.poll(() => rig.dispatcher.inFlight, POLL).toBe(0)
    expect(await rig.attempts()).toEqual([])
    expect(await rig.deliveries()).toEqual(['ann_user_bot/1 pending 0', 'ann_user_bot/2 pending 0'])
  })
})
