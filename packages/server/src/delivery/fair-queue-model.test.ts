import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeLaneClaim } from '../testing/lane-claim.ts'
import type { LaneClaim } from './attempt.ts'
import { type ClaimedLane, FairQueue } from './fair-queue.ts'
import { shareOf } from './share.ts'

const BOTS = 4
const LANES_PER_BOT = 4
const laneId = fc.nat(BOTS * LANES_PER_BOT - 1)
const bot = fc.nat(BOTS - 1)
const operation = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), lane: laneId }),
  { arbitrary: fc.record({ kind: fc.constant('next' as const) }), weight: 2 },
  fc.record({ kind: fc.constant('settle' as const), which: fc.nat(), goesOn: fc.boolean() }),
  fc.record({ kind: fc.constant('drop' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('change' as const), bot, most: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('refresh' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('slow' as const), bot }),
  fc.record({ kind: fc.constant('well' as const), bot }),
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** Says what must be so by lists alone: who waits, in what order, and who was passed over how often. */
class Model {
  readonly queue: FairQueue
  /** What the bots are set to. */
  readonly limits: number[]
  /** What the newest claim of each says. */
  readonly known: number[]
  readonly slowed = new Set<number>()
  readonly maxInFlight: number
  readonly waiting: number[][] = Array.from({ length: BOTS }, () => [])
  readonly busy = new Map<number, { lane: ClaimedLane; renewed: boolean }>()
  readonly passedOver: number[] = Array.from({ length: BOTS }, () => 0)

  constructor(maxInFlight: number, limits: readonly number[]) {
    this.maxInFlight = maxInFlight
    this.limits = [...limits]
    this.known = [...limits]
    const limitOf = (key: string, most: number): number => (this.slowed.has(Number(key.at(-1))) ? 1 : most)
    this.queue = new FairQueue({ maxInFlight, limitOf })
  }

  botOf = (lane: number): number => lane % BOTS
  inFlightOf = (bot: number): number => [...this.busy.keys()].filter((lane) => this.botOf(lane) === bot).length
  limitOf = (bot: number): number => (this.slowed.has(bot) ? 1 : (this.known[bot] ?? 0))
  mayBeServed = (bot: number): boolean =>
    (this.waiting[bot] ?? []).length > 0 &&
    this.inFlightOf(bot) < this.limitOf(bot) &&
    shareOf({ of: this.maxInFlight, free: this.maxInFlight - this.busy.size }, this.inFlightOf(bot)) > 0
  claim = (lane: number): LaneClaim => {
    const bot = this.botOf(lane)
    const most = this.limits[bot] ?? 0
    this.known[bot] = most
    return makeLaneClaim(`bot${bot}`, lane, 'lease', most)
  }

  add(lane: number): void {
    this.queue.add(this.claim(lane))
    const held = this.busy.get(lane)
    const waiting = this.waiting[this.botOf(lane)] ?? []
    if (held !== undefined) held.renewed = true
    else if (!waiting.includes(lane)) waiting.push(lane)
  }

  next(): void {
    const able = this.waiting.flatMap((_, bot) => (this.mayBeServed(bot) ? [bot] : []))
    const lane = this.queue.next()
    // As long as there is room, whoever may be served is served.
    expect(lane !== undefined).toBe(able.length > 0 && this.busy.size < this.maxInFlight)
    if (lane === undefined) return
    const id = lane.claim.head.laneId
    const bot = this.botOf(id)
    expect(able).toContain(bot)
    expect(this.busy.has(id)).toBe(false)
    // Of its bot's lanes, the one that has waited longest.
    expect(this.waiting[bot]?.shift()).toBe(id)
    this.busy.set(id, { lane, renewed: false })
    for (const other of able) this.passedOver[other] = other === bot ? 0 : (this.passedOver[other] ?? 0) + 1
    for (const other of able) expect(this.passedOver[other]).toBeLessThan(BOTS)
  }

  settle(which: number, goesOn: boolean): void {
    const entry = [...this.busy][which % this.busy.size]
    if (entry === undefined) return
    const [id, { lane, renewed }] = entry
    this.queue.settle(lane, goesOn ? this.claim(id) : undefined)
    this.busy.delete(id)
    if (goesOn || renewed) this.waiting[this.botOf(id)]?.push(id)
  }

  refresh(which: number): void {
    const entry = [...this.busy][which % this.busy.size]
    if (entry === undefined) return
    const [id, { lane }] = entry
    this.queue.refresh(lane, this.claim(id))
  }

  well(bot: number): void {
    this.slowed.delete(bot)
    this.queue.again(`app/bot${bot}`)
  }

  drop(which: number): void {
    const waiting = this.waiting.flat()
    const id = waiting[which % waiting.length]
    const lane = [...this.queue.lanes()].find((one) => one.claim.head.laneId === id)
    if (id === undefined || lane === undefined) return
    this.queue.drop(lane)
    const own = this.waiting[this.botOf(id)] ?? []
    own.splice(own.indexOf(id), 1)
  }

  do(one: Operation): void {
    if (one.kind === 'add') this.add(one.lane)
    else if (one.kind === 'next') this.next()
    else if (one.kind === 'settle') this.settle(one.which, one.goesOn)
    else if (one.kind === 'drop') this.drop(one.which)
    else if (one.kind === 'change') this.limits[one.bot] = one.most
    else if (one.kind === 'refresh') this.refresh(one.which)
    else if (one.kind === 'slow') this.slowed.add(one.bot)
    else this.well(one.bot)
  }

  check(): void {
    expect(this.queue.inFlight).toBe(this.busy.size)
    expect(this.queue.inFlight).toBeLessThanOrEqual(this.maxInFlight)
    expect([...this.queue.lanes()].map(({ claim }) => claim.head.laneId).sort()).toEqual(
      [...this.busy.keys(), ...this.waiting.flat()].sort(),
    )
    for (const [bot, waiting] of this.waiting.entries()) {
      expect(this.queue.lanesOf(`app/bot${bot}`)).toBe(waiting.length + this.inFlightOf(bot))
      // A bot that cannot be served is not passed over.
      if (!this.mayBeServed(bot)) this.passedOver[bot] = 0
    }
  }
}

describe('whatever happens in whatever order', () => {
  it('limits hold, no lane is worked twice at once, nobody starves, and nothing is left behind', () => {
    const limits = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: BOTS, maxLength: BOTS })
    const operations = fc.array(operation, { maxLength: 150, size: 'max' })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), limits, operations, (maxInFlight, perBot, all) => {
        const model = new Model(maxInFlight, perBot)
        for (const one of all) {
          model.do(one)
          model.check()
        }
        for (let left = BOTS * LANES_PER_BOT; left > 0; left--) {
          model.next()
          model.settle(0, false)
          model.settle(0, false)
          model.check()
        }
        expect([model.queue.size, model.queue.inFlight]).toEqual([0, 0])
        // Of every bot that is still remembered, whatever it has.
        expect(model.queue.busy()).toEqual({})
      }),
    )
  })
})
