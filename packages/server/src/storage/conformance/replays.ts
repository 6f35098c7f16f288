/** Deliveries that are cancelled and made again, while their lanes are worked. */
import type { DeliveryId } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { StoredClaim } from '../../delivery/attempt.ts'
import { makeAttempt, uidOf, type World } from '../../testing/builders.ts'
import { PARKED_MS } from '../sql/delivery/lane-rows.ts'
import type { Disposition } from '../sql/delivery/lanes.ts'
import { listIn } from './deliveries.ts'
import { claimIn } from './lanes.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

interface Lane {
  readonly w: World
  /** By sequence, from 1. */
  readonly ids: readonly DeliveryId[]
}

const idOf = ({ ids }: Lane, sequence: number): DeliveryId => {
  const id = ids[sequence - 1]
  if (id === undefined) throw new Error(`no delivery ${sequence}`)
  return id
}

const laneOf = async (subject: Subject, count: number): Promise<Lane> => {
  const w = await worldOf(subject)
  await w.user('ann')
  await w.bot('bot')
  for (let n = 1; n <= count; n++) await w.send({ from: 'ann', to: 'bot', text: String(n) })
  return { w, ids: (await listIn(w)).rows.map(({ id }) => id as DeliveryId).reverse() }
}

/** An attempt that starts and ends now: told by its start from every other. */
const recordIn = (w: World, { leaseId, head }: StoredClaim, disposition: Disposition, keepUntilMs?: number) => {
  const outcome = disposition.kind === 'delivered' ? disposition : ({ kind: 'retry', reason: 'http' } as const)
  const attempt = makeAttempt(outcome, head.attempts + 1, { startedAtMs: w.clock.now() })
  const base = { laneId: head.laneId, leaseId, deliveryId: head.id, nowMs: w.clock.now() }
  return w.store.lanes.record({ ...base, attempt, disposition, keepUntilMs })
}

const claimOne = async (w: World): Promise<StoredClaim> => {
  w.clock.advance(1)
  const { claims } = await claimIn(w)
  expect(claims).toHaveLength(1)
  const [claim] = claims
  if (claim === undefined) throw new Error('no claim')
  return claim
}

/** What is claimed, in order, when everything succeeds. */
const drain = async (w: World): Promise<number[]> => {
  const seen: number[] = []
  for (;;) {
    w.clock.advance(1)
    const [claim] = (await claimIn(w)).claims
    if (claim === undefined) return seen
    if (seen.length > 20) throw new Error('the lane does not end')
    seen.push(claim.head.sequence)
    await recordIn(w, claim, { kind: 'delivered' })
  }
}

const cancel = (lane: Lane, sequence: number) =>
  lane.w.store.deliveries.cancel({ appId: lane.w.appId, id: idOf(lane, sequence), nowMs: lane.w.clock.now() })
const replay = (lane: Lane, sequence: number) =>
  lane.w.store.deliveries.replay({ appId: lane.w.appId, id: idOf(lane, sequence), nowMs: lane.w.clock.now() })
const stateOf = async (lane: Lane, sequence: number): Promise<string> =>
  (await lane.w.store.deliveries.get({ appId: lane.w.appId, id: idOf(lane, sequence) })).state
const pendingOf = async (w: World): Promise<number> => (await w.store.lanes.backlog({})).pending
/** The lane is idle: a sender's node takes it at once. */
const isIdle = async (w: World): Promise<boolean> =>
  (await w.send({ from: 'ann', to: 'bot', claimer: w.claimer() })).claims.length === 1

export const replaysConformance = (subject: Subject): void => {
  test('a cancelled delivery is left out, wherever it stood', async () => {
    const lane = await laneOf(subject, 4)
    expect(await cancel(lane, 3)).toMatchObject({ state: 'cancelled', finishedAt: lane.w.now() })
    expect(await cancel(lane, 1)).toMatchObject({ state: 'cancelled' })
    expect(await pendingOf(lane.w)).toBe(2)
    expect(await drain(lane.w)).toEqual([2, 4])
    expect(await isIdle(lane.w)).toBe(true)
  })

  test('only what is pending is cancelled, and only what is over is replayed', async () => {
    const lane = await laneOf(subject, 2)
    await expectCode(replay(lane, 1), 'ERR_DELIVERY_PENDING')
    await cancel(lane, 1)
    await expectCode(cancel(lane, 1), 'ERR_DELIVERY_NOT_PENDING')
    await drain(lane.w)
    await expectCode(cancel(lane, 2), 'ERR_DELIVERY_NOT_PENDING')
    expect(await pendingOf(lane.w)).toBe(0)
  })

  test('the wait of a cancelled head goes with it, that of another stays', async () => {
    const lane = await laneOf(subject, 3)
    const { w } = lane
    await recordIn(w, await claimOne(w), { kind: 'retry', dueAtMs: w.clock.now() + 60_000 })
    await cancel(lane, 2)
    expect((await claimIn(w)).claims).toEqual([])
    await cancel(lane, 1)
    expect(await drain(w)).toEqual([3])
  })

  test('when the last one is cancelled the lane is idle', async () => {
    const lane = await laneOf(subject, 1)
    await cancel(lane, 1)
    expect(await isIdle(lane.w)).toBe(true)
  })

  test.each(['delivered', 'dead', 'retry'] as const)(
    'an attempt under way at what is cancelled is recorded and decides nothing: %s',
    async (kind) => {
      const lane = await laneOf(subject, 2)
      const { w } = lane
      const claim = await claimOne(w)
      await cancel(lane, 1)
      // Who makes the attempt has the lane until then.
      expect((await claimIn(w)).claims).toEqual([])
      const disposition = kind === 'retry' ? { kind, dueAtMs: w.clock.now() + 60_000 } : { kind }
      const { fenced, next } = await recordIn(w, claim, disposition, w.clock.now() + 1000)
      expect([fenced, next?.head.sequence, next?.leaseId]).toEqual([true, 2, claim.leaseId])
      const shown = await w.store.deliveries.get({ appId: w.appId, id: idOf(lane, 1) })
      expect([shown.state, shown.attempts, shown.history.length]).toEqual(['cancelled', 0, 1])
      if (next === undefined) throw new Error('no next')
      await recordIn(w, next, { kind: 'delivered' }, w.clock.now() + 1000)
      expect([await pendingOf(w), await isIdle(w)]).toEqual([0, true])
    },
  )

  test('after an attempt at what was cancelled last, or before it, the lane is idle', async () => {
    const lane = await laneOf(subject, 1)
    const { w } = lane
    const claim = await claimOne(w)
    await cancel(lane, 1)
    const recorded = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect(recorded).toEqual({ fenced: true, next: undefined })
    expect(await drain(w)).toEqual([])
    const sent = await w.send({ from: 'ann', to: 'bot', claimer: w.claimer() })
    const [second] = sent.claims
    if (second === undefined) throw new Error('no claim')
    await w.store.deliveries.cancel({ appId: w.appId, id: second.head.id, nowMs: w.clock.now() })
    const lease = { laneId: second.head.laneId, leaseId: second.leaseId }
    expect(await w.store.lanes.reread(lease)).toBe(undefined)
    expect(await isIdle(w)).toBe(true)
  })

  test('a lane that is given back after its last one was cancelled is idle, and due never', async () => {
    const lane = await laneOf(subject, 1)
    const { w } = lane
    const { head, leaseId } = await claimOne(w)
    await cancel(lane, 1)
    await w.store.lanes.release({ leases: [{ laneId: head.laneId, leaseId }], dueAtMs: w.clock.now() + 5000 })
    expect(await claimIn(w)).toEqual({ claims: [], hasMore: false, nextDueMs: undefined })
    expect(await isIdle(w)).toBe(true)
  })

  test('a replay is the same delivery at its old place, before everything pending, with all its attempts to come', async () => {
    const lane = await laneOf(subject, 4)
    const { w } = lane
    const first = await claimOne(w)
    await recordIn(w, first, { kind: 'dead' })
    await recordIn(w, await claimOne(w), { kind: 'delivered' })
    w.clock.advance(5000)
    expect(await replay(lane, 2)).toMatchObject({ state: 'pending', attempts: 0, replayedAt: w.now(), dueAt: w.now() })
    const replayedMs = w.clock.now()
    const again = await replay(lane, 1)
    expect(again).not.toHaveProperty('finishedAt')
    expect(await pendingOf(w)).toBe(4)
    const claim = await claimOne(w)
    // The duty arose anew.
    expect(claim.head).toEqual({ ...first.head, createdAtMs: replayedMs })
    await recordIn(w, claim, { kind: 'delivered' })
    expect(await drain(w)).toEqual([2, 3, 4])
    const shown = await w.store.deliveries.get({ appId: w.appId, id: idOf(lane, 1) })
    expect([shown.state, shown.attempts, shown.history.map(({ number }) => number)]).toEqual(['delivered', 1, [1, 1]])
  })

  test('a replay in a lane that is worked waits for the attempt under way, and comes next', async () => {
    const lane = await laneOf(subject, 3)
    const { w } = lane
    await recordIn(w, await claimOne(w), { kind: 'dead' })
    const claim = await claimOne(w)
    await replay(lane, 1)
    expect((await claimIn(w)).claims).toEqual([])
    const { fenced, next } = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect([fenced, next?.head.sequence, next?.leaseId]).toEqual([false, 1, claim.leaseId])
    if (next === undefined) throw new Error('no next')
    await recordIn(w, next, { kind: 'delivered' })
    expect(await drain(w)).toEqual([3])
  })

  test('a replay does not wait for the retry of what stands behind it', async () => {
    const lane = await laneOf(subject, 2)
    const { w } = lane
    const waiting = { kind: 'retry', dueAtMs: w.clock.now() + 60_000 } as const
    await recordIn(w, await claimOne(w), { kind: 'delivered' })
    const claim = await claimOne(w)
    await replay(lane, 1)
    await recordIn(w, claim, waiting)
    // Nor does it take the wait away.
    expect(await drain(w)).toEqual([1])
    expect(await claimIn(w)).toMatchObject({ claims: [], nextDueMs: waiting.dueAtMs })
    w.clock.advance(60_000)
    expect(await drain(w)).toEqual([2])
  })

  const HOUR_MS = 3_600_000
  const waits = [
    ['parked', { kind: 'park' }],
    ['due again in an hour', { kind: 'retry', dueAtMs: 0 }],
  ] as const
  /** The first is delivered, the second waits. */
  const waitingLane = async (wait: Disposition, count = 2): Promise<{ lane: Lane; dueMs: number }> => {
    const lane = await laneOf(subject, count)
    await recordIn(lane.w, await claimOne(lane.w), { kind: 'delivered' })
    const dueMs = wait.kind === 'park' ? PARKED_MS : lane.w.clock.now() + HOUR_MS
    const claim = await claimOne(lane.w)
    await recordIn(lane.w, claim, wait.kind === 'retry' ? { kind: 'retry', dueAtMs: dueMs } : wait)
    return { lane, dueMs }
  }
  const nextDueIn = async (w: World) => {
    const { claims, nextDueMs } = await claimIn(w)
    return [claims.map(({ head }) => head.sequence), nextDueMs]
  }

  test.each(waits)('what is %s waits on when an older one is replayed, however that ends', async (_, wait) => {
    const { lane, dueMs } = await waitingLane(wait)
    const { w } = lane
    await replay(lane, 1)
    const claim = await claimOne(w)
    expect(claim.head.sequence).toBe(1)
    // Its holder may keep the lane, and gets nothing.
    expect(await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)).toEqual({
      fenced: false,
      next: undefined,
    })
    expect(await nextDueIn(w)).toEqual([[], dueMs])
    // Replayed, and cancelled before anybody took it.
    await replay(lane, 1)
    await cancel(lane, 1)
    expect(await nextDueIn(w)).toEqual([[], dueMs])
    // While it is under way.
    await replay(lane, 1)
    const second = await claimOne(w)
    await cancel(lane, 1)
    expect(await recordIn(w, second, { kind: 'delivered' }, w.clock.now() + 1000)).toEqual({
      fenced: true,
      next: undefined,
    })
    expect(await nextDueIn(w)).toEqual([[], dueMs])
    const shown = await w.store.deliveries.get({ appId: w.appId, id: idOf(lane, 2) })
    expect([shown.state, shown.attempts, shown.isParked]).toEqual(['pending', 1, wait.kind === 'park' || undefined])
  })

  test('a parked one stays so when an older one is cancelled before its attempt, and under a lease that lapses', async () => {
    const { lane } = await waitingLane({ kind: 'park' })
    const { w } = lane
    for (const how of ['reread', 'lapse', 'give back'] as const) {
      await replay(lane, 1)
      const { head, leaseId } = await claimOne(w)
      await cancel(lane, 1)
      if (how === 'reread') expect(await w.store.lanes.reread({ laneId: head.laneId, leaseId })).toBe(undefined)
      if (how === 'lapse') w.clock.advance(30_000)
      if (how === 'give back') {
        await w.store.lanes.release({ leases: [{ laneId: head.laneId, leaseId }], dueAtMs: w.clock.now() })
      }
      expect((await claimIn(w)).claims).toEqual([])
      expect((await claimIn(w)).nextDueMs).toBe(PARKED_MS)
    }
  })

  test('a parked one behind a replay is replayed, or resumed, as one that is the first', async () => {
    const { lane } = await waitingLane({ kind: 'park' }, 3)
    const { w } = lane
    await replay(lane, 1)
    expect(await replay(lane, 2)).toMatchObject({ state: 'pending', attempts: 0 })
    expect(await drain(w)).toEqual([1, 2, 3])
    const other = await waitingLane({ kind: 'park' })
    await replay(other.lane, 1)
    const claim = await claimOne(other.lane.w)
    const resumed = { appId: other.lane.w.appId, bot: uidOf('bot'), limit: 10, nowMs: other.lane.w.clock.now() }
    await other.lane.w.store.lanes.resume(resumed)
    const { next } = await recordIn(other.lane.w, claim, { kind: 'delivered' }, other.lane.w.clock.now() + 1000)
    expect([next?.head.sequence, next?.head.attempts]).toEqual([2, 0])
  })

  test('who resumes ends a wait for good, and it is brought forward behind a replay too', async () => {
    const { lane } = await waitingLane({ kind: 'retry', dueAtMs: 0 })
    const { w } = lane
    await w.store.lanes.resume({ appId: w.appId, bot: uidOf('bot'), limit: 10, nowMs: w.clock.now() })
    await replay(lane, 1)
    const claim = await claimOne(w)
    const { next } = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect(next?.head.sequence).toBe(2)
    const other = await waitingLane({ kind: 'retry', dueAtMs: 0 })
    await replay(other.lane, 1)
    const set = other.lane.w
    await set.store.lanes.bringForward({ byMs: HOUR_MS - 1000, nowMs: set.clock.now() })
    expect(await drain(set)).toEqual([1])
    set.clock.advance(1000)
    expect(await drain(set)).toEqual([2])
  })

  test('an attempt of before that is recorded once more does not finish the replay', async () => {
    const lane = await laneOf(subject, 2)
    const { w } = lane
    const claim = await claimOne(w)
    const keep = w.clock.now() + 1000
    const claimedMs = w.clock.now()
    const early = { ...w, clock: { ...w.clock, now: () => claimedMs } }
    const first = await recordIn(w, claim, { kind: 'delivered' }, keep)
    w.clock.advance(1)
    await replay(lane, 1)
    const second = await recordIn(early, claim, { kind: 'delivered' }, keep)
    expect([first.next?.head.sequence, second.next?.head.sequence]).toEqual([2, 1])
    const shown = await w.store.deliveries.get({ appId: w.appId, id: idOf(lane, 1) })
    expect(shown.state).toBe('pending')
  })

  test('an attempt under way at what is cancelled and replayed meanwhile decides nothing', async () => {
    const lane = await laneOf(subject, 2)
    const { w } = lane
    const claim = await claimOne(w)
    const claimedMs = w.clock.now()
    const early = { ...w, clock: { ...w.clock, now: () => claimedMs } }
    w.clock.advance(100)
    await cancel(lane, 1)
    await replay(lane, 1)
    const { fenced, next } = await recordIn(early, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect([fenced, next?.head.sequence, next?.leaseId]).toEqual([true, 1, claim.leaseId])
    expect(await stateOf(lane, 1)).toBe('pending')
    if (next === undefined) throw new Error('no next')
    // Even by a clock that is behind, the second one counts.
    expect(await recordIn(early, next, { kind: 'delivered' })).toMatchObject({ fenced: false })
    expect(await drain(w)).toEqual([2])
  })

  test('a lease from before a replay fences nothing new, and one that was lost finishes nothing', async () => {
    const lane = await laneOf(subject, 1)
    const { w } = lane
    const claim = await claimOne(w)
    w.clock.advance(60_000)
    const other = await claimOne(w)
    await recordIn(w, other, { kind: 'dead' })
    await replay(lane, 1)
    expect(await recordIn(w, claim, { kind: 'delivered' })).toEqual({ fenced: true, next: undefined })
    expect(await stateOf(lane, 1)).toBe('pending')
    expect(await drain(w)).toEqual([1])
  })

  test('what was owed to a bot that is gone is not replayed', async () => {
    const lane = await laneOf(subject, 1)
    const { w } = lane
    await w.store.bots.remove({ appId: w.appId, uid: uidOf('bot'), nowMs: w.clock.now() })
    await expectCode(replay(lane, 1), 'ERR_BOT_NOT_FOUND')
    expect(await stateOf(lane, 1)).toBe('cancelled')
  })

  test('all of a bot are replayed in steps, by state and time', async () => {
    const lane = await laneOf(subject, 5)
    const { w } = lane
    for (const kind of ['dead', 'dead', 'delivered', 'dead'] as const) await recordIn(w, await claimOne(w), { kind })
    const step = (range: object) =>
      w.store.deliveries.replaySome({
        ...{ appId: w.appId, bot: uidOf('bot'), filter: { states: ['dead'] }, limit: 2, scan: 100 },
        ...{ range, nowMs: w.clock.now() },
      })
    expect(await step({})).toEqual({ replayed: 2, after: idOf(lane, 2) })
    expect(await step({ after: idOf(lane, 2) })).toEqual({ replayed: 1, after: undefined })
    expect(await step({})).toEqual({ replayed: 0, after: undefined })
    expect(await drain(w)).toEqual([1, 2, 4, 5])
    await expectCode(
      w.store.deliveries.replaySome({
        ...{ appId: w.appId, bot: uidOf('ann'), filter: {}, limit: 2, scan: 100, range: {}, nowMs: 1 },
      }),
      'ERR_BOT_NOT_FOUND',
    )
  })
}
