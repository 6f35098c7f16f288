import { describe, expect, it } from 'vitest'
import { makeLaneClaim as claimOf } from '../testing/lane-claim.ts'
import { botKey, type ClaimedLane, FairQueue } from './fair-queue.ts'

const idOf = (lane: ClaimedLane | undefined): number | undefined => lane?.claim.head.laneId

const mustNext = (queue: FairQueue): ClaimedLane => {
  const lane = queue.next()
  if (lane === undefined) throw new Error('nothing is ready')
  return lane
}

/** Serves one lane at a time, each with a next head, and tells which lanes had their turns. */
const serve = (queue: FairQueue, turns: number): (number | undefined)[] =>
  Array.from({ length: turns }, () => {
    const lane = mustNext(queue)
    queue.settle(lane, lane.claim)
    return idOf(lane)
  })

const isEmpty = (queue: FairQueue): void => {
  expect([queue.size, queue.inFlight, [...queue.lanes()]]).toEqual([0, 0, []])
  // Of every bot that is still remembered, whatever it has.
  expect(queue.busy()).toEqual({})
}

describe('turns', () => {
  it('go round among bots, whatever each has waiting, and among the lanes of a bot', () => {
    const queue = new FairQueue({ maxInFlight: 1 })
    for (const lane of [1, 2, 3]) queue.add(claimOf('many', lane))
    queue.add(claimOf('one', 10))
    queue.add(claimOf('other', 20))
    expect(serve(queue, 9)).toEqual([1, 10, 20, 2, 10, 20, 3, 10, 20])
  })

  it('pass a bot over that has as much under way as it may, and come back to it', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    for (const lane of [1, 2, 3]) queue.add(claimOf('narrow', lane, 'first', 2))
    queue.add(claimOf('wide', 10))
    const [first, wide, second] = [mustNext(queue), mustNext(queue), mustNext(queue)]
    expect([first, wide, second].map(idOf)).toEqual([1, 10, 2])
    expect(queue.next()).toBeUndefined()
    queue.settle(wide, undefined)
    expect(queue.next()).toBeUndefined()
    queue.settle(second, undefined)
    expect(idOf(queue.next())).toBe(3)
  })

  it('come back to a bot that may have more under way than before, as its newest claim says or somebody else', () => {
    let isSlowed = false
    const queue = new FairQueue({ maxInFlight: 10, limitOf: (_, most) => (isSlowed ? 1 : most) })
    for (const lane of [1, 2, 3]) queue.add(claimOf('bot', lane, 'first', 1))
    const first = mustNext(queue)
    expect(queue.next()).toBeUndefined()
    queue.add(claimOf('bot', 4, 'first', 3))
    expect([idOf(queue.next()), idOf(queue.next()), queue.next()]).toEqual([2, 3, undefined])
    isSlowed = true
    queue.refresh(first, claimOf('bot', 1, 'first', 9))
    expect(queue.next()).toBeUndefined()
    isSlowed = false
    queue.again('app/bot')
    expect([idOf(queue.next()), queue.next()]).toEqual([4, undefined])
  })

  it('do not come back to a bot that may have less', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    for (const lane of [1, 2, 3, 4]) queue.add(claimOf('bot', lane, 'first', 4))
    const [one, two] = [mustNext(queue), mustNext(queue)]
    queue.add(claimOf('bot', 5, 'first', 1))
    expect(queue.next()).toBeUndefined()
    queue.settle(one, undefined)
    expect(queue.next()).toBeUndefined()
    queue.settle(two, undefined)
    expect([idOf(queue.next()), queue.next()]).toEqual([3, undefined])
  })

  it('end at what the node may have under way', () => {
    const queue = new FairQueue({ maxInFlight: 2 })
    for (const lane of [1, 2, 3]) queue.add(claimOf(`bot${lane}`, lane))
    const first = mustNext(queue)
    mustNext(queue)
    expect([idOf(queue.next()), queue.inFlight]).toEqual([undefined, 2])
    queue.settle(first, first.claim)
    // Behind whoever has waited meanwhile.
    expect(idOf(queue.next())).toBe(3)
  })

  it('of the last places of the node go to bots that have little of it, before their time if need be', () => {
    const queue = new FairQueue({ maxInFlight: 16 })
    for (let lane = 1; lane <= 20; lane++) queue.add(claimOf('slow', lane, 'first', 100))
    const slow = Array.from({ length: 14 }, () => mustNext(queue))
    expect([queue.next(), queue.inFlight]).toEqual([undefined, 14])
    for (const lane of [100, 101]) queue.add(claimOf('quick', lane))
    const quick = mustNext(queue)
    expect([idOf(quick), queue.next()]).toEqual([100, undefined])
    queue.settle(quick, undefined)
    expect(idOf(mustNext(queue))).toBe(101)
    expect(queue.next()).toBeUndefined()
    // It has kept its turn.
    for (const lane of slow.slice(0, 2)) queue.settle(lane, undefined)
    expect([idOf(queue.next()), idOf(queue.next())]).toEqual([15, undefined])
  })

  it('are not won by a lane that was let go', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    for (const lane of [1, 2, 3]) queue.add(claimOf('bot', lane))
    const lanes = [...queue.lanes()]
    for (const lane of lanes.slice(0, 2)) queue.drop(lane)
    expect([queue.size, idOf(queue.next()), idOf(queue.next())]).toEqual([1, 3, undefined])
  })
})

describe('a lane', () => {
  it('waits since it was last put to wait', async () => {
    const queue = new FairQueue({ maxInFlight: 1 })
    const before = performance.now()
    queue.add(claimOf('bot', 1))
    const lane = mustNext(queue)
    const { waitingSince } = lane
    expect(waitingSince).toBeGreaterThanOrEqual(before)
    await new Promise((resolve) => setTimeout(resolve, 5))
    queue.settle(lane, lane.claim)
    expect(lane.waitingSince).toBeGreaterThan(waitingSince)
  })

  it('that is claimed anew while it waits is worked once, by the new lease', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    queue.add(claimOf('bot', 1))
    queue.add(claimOf('bot', 1, 'second'))
    expect([queue.size, queue.lanesOf('app/bot')]).toEqual([1, 1])
    expect(mustNext(queue).claim.leaseId).toBe('second')
    expect(queue.next()).toBeUndefined()
  })

  it('that is claimed anew while it is busy is worked again afterwards, not beside', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    queue.add(claimOf('bot', 1))
    const lane = mustNext(queue)
    queue.add(claimOf('bot', 1, 'second'))
    // The attempt under way is to go on record under the lease that holds.
    expect([queue.next(), queue.size, lane.claim.leaseId]).toEqual([undefined, 1, 'second'])
    queue.settle(lane, undefined)
    expect(mustNext(queue).claim.leaseId).toBe('second')
    const replayed = claimOf('bot', 1, 'third')
    queue.add({ ...replayed, head: { ...replayed.head, createdAtMs: 1 } })
    expect(lane.claim.leaseId).toBe('second')
    queue.settle(lane, undefined)
    expect(mustNext(queue).claim.leaseId).toBe('third')
    queue.settle(lane, undefined)
    isEmpty(queue)
  })

  it('that was claimed anew goes on with the next head, if the attempt was the last word after all', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    queue.add(claimOf('bot', 1))
    const lane = mustNext(queue)
    queue.add(claimOf('bot', 1, 'second'))
    queue.settle(lane, claimOf('bot', 1, 'kept'))
    expect(mustNext(queue).claim.leaseId).toBe('kept')
    queue.settle(lane, undefined)
    // The other claim has not outlived the one that was preferred.
    isEmpty(queue)
  })
})

describe('the books', () => {
  it('count lanes by bot', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    for (const lane of [1, 2, 3]) queue.add(claimOf('a', lane))
    queue.add(claimOf('b', 4))
    expect(queue.busy()).toEqual({ 'app/a': 3, 'app/b': 1 })
    const room = { of: 100, free: 96 }
    // Each may have ten attempts under way: one lane for ten of them is full, three for ten, and one for each is not.
    expect([0.1, 0.3, 1].map((perSlot) => queue.full(perSlot, room))).toEqual([
      { 'app/a': 3, 'app/b': 1 },
      { 'app/a': 3 },
      {},
    ])
    // Of the last places of the node the bot that has more gets none.
    expect(queue.full(1, { of: 100, free: 12 })).toEqual({ 'app/a': 3 })
    expect(['app/a', 'app/b', 'app/c'].map((key) => queue.lanesOf(key))).toEqual([3, 1, 0])
    expect(botKey(claimOf('a', 1).callback)).toBe('app/a')
    const lane = mustNext(queue)
    // Under way, it is a lane still.
    expect(queue.lanesOf('app/a')).toBe(3)
    queue.settle(lane, undefined)
    expect(queue.lanesOf('app/a')).toBe(2)
  })

  it('are not touched by letting go of what is not held any more', () => {
    const queue = new FairQueue({ maxInFlight: 10 })
    queue.add(claimOf('bot', 1))
    const [old] = [...queue.lanes()]
    if (old === undefined) throw new Error('no lane')
    queue.drop(old)
    queue.drop(old)
    isEmpty(queue)
    queue.add(claimOf('bot', 1))
    queue.drop(old)
    expect([queue.size, queue.lanesOf('app/bot'), idOf(queue.next())]).toEqual([1, 1, 1])
  })
})
