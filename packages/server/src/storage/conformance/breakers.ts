import { expect, test } from 'vitest'
import type { StoredClaim } from '../../delivery/attempt.ts'
import { callbackOf, uidOf, type World } from '../../testing/builders.ts'
import type { ProbeResult } from '../sql/delivery/breakers.ts'
import { PARKED_MS } from '../sql/delivery/lane-rows.ts'
import type { RecordAttempt } from '../sql/delivery/lanes.ts'
import { claimIn, recordIn } from './lanes.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const setUp = async (subject: Subject): Promise<World> => {
  const w = await worldOf(subject)
  await w.users('ann', 'ben', 'cat', 'dan')
  await w.bot('bot')
  return w
}

const openFor = (w: World, ms: number): Promise<boolean> =>
  w.store.breakers.open({ appId: w.appId, bot: uidOf('bot'), untilMs: w.clock.now() + ms, nowMs: w.clock.now() })

const breakerOf = async (w: World) =>
  (await w.store.deliveries.stats({ appId: w.appId, bot: uidOf('bot'), hour: '', day: '', nowMs: w.clock.now() }))
    .breaker

const headsIn = async (w: World): Promise<readonly StoredClaim[]> => (await claimIn(w)).claims

const only = (claims: readonly StoredClaim[]): StoredClaim => {
  const [claim] = claims
  if (claim === undefined || claims.length !== 1) throw new Error(`${claims.length} claims in place of one`)
  return claim
}

/** Puts a probe on record: the head is delivered, or due again at once. */
const recordProbe = (w: World, claim: StoredClaim, probe: ProbeResult) => {
  const input: RecordAttempt = {
    laneId: claim.head.laneId,
    leaseId: claim.leaseId,
    deliveryId: claim.head.id,
    attempt: {
      number: claim.head.attempts + 1,
      startedAtMs: w.clock.now(),
      outcome: probe.kind === 'passed' ? { kind: 'delivered' } : { kind: 'retry', reason: 'timeout' },
      status: undefined,
      error: undefined,
      address: undefined,
      phases: { total: 1 },
      response: undefined,
    },
    disposition: probe.kind === 'passed' ? { kind: 'delivered' } : { kind: 'retry', dueAtMs: w.clock.now() },
    keepUntilMs: undefined,
    probe,
    nowMs: w.clock.now(),
  }
  return w.store.lanes.record(input)
}

export const breakersConformance = (subject: Subject): void => {
  test('while it is open nothing is claimed and nothing is lost; then one lane is, to probe with', async () => {
    const w = await setUp(subject)
    for (const from of ['ann', 'ben']) await w.send({ from, to: 'bot' })
    expect(await openFor(w, 5000)).toBe(true)
    // Whoever else finds out is late.
    expect(await openFor(w, 60_000)).toBe(false)
    expect(await breakerOf(w)).toEqual({
      state: 'open',
      openedAt: w.now(),
      probeAt: w.now() + 5,
      failedProbes: 0,
    })
    const { claims, nextDueMs } = await claimIn(w)
    expect([claims, nextDueMs]).toEqual([[], w.clock.now() + 5000])
    // Neither by who sends: the message is accepted, and waits.
    const sent = await w.send({ from: 'cat', to: 'bot', claimer: w.claimer() })
    expect([sent.claims, sent.waiting]).toEqual([[], 0])
    w.clock.advance(5000)
    expect((await breakerOf(w)).state).toBe('half-open')
    const both = await Promise.all([claimIn(w), claimIn({ ...w, store: subject().peer })])
    const probe = only(both.flatMap((found) => found.claims))
    expect(probe.probe).toEqual({ failedBefore: 0 })
    expect(await headsIn(w)).toEqual([])
    const untilMs = w.clock.now() + 10_000
    await recordProbe(w, probe, { kind: 'failed', untilMs, isOurs: false })
    expect(await breakerOf(w)).toMatchObject({ state: 'open', failedProbes: 1, probeAt: Math.floor(untilMs / 1000) })
    expect(await headsIn(w)).toEqual([])
    w.clock.advance(10_000)
    const second = only(await headsIn(w))
    expect(second.probe).toEqual({ failedBefore: 1 })
    await recordProbe(w, second, { kind: 'failed', untilMs: w.clock.now() + 1, isOurs: true })
    expect(await breakerOf(w)).toMatchObject({ failedProbes: 1 })
    w.clock.advance(1)
    await recordProbe(w, only(await headsIn(w)), { kind: 'passed' })
    expect(await breakerOf(w)).toEqual({ state: 'closed' })
    const rest = await headsIn(w)
    expect(rest.map(({ probe: none }) => none)).toEqual([undefined, undefined])
  })

  test('a bot that asks to be left alone is, by all nodes; then one lane is claimed, to find out with', async () => {
    const w = await setUp(subject)
    for (const from of ['ann', 'ben', 'cat']) await w.send({ from, to: 'bot' })
    const slowDown = (ms: number) =>
      w.store.breakers.slowDown({ appId: w.appId, bot: uidOf('bot'), untilMs: w.clock.now() + ms })
    const slowedUntil = async () =>
      (await w.store.deliveries.stats({ appId: w.appId, bot: uidOf('bot'), hour: '', day: '', nowMs: w.clock.now() }))
        .slowedUntilMs
    const start = w.clock.now()
    await slowDown(9000)
    // The longer one counts.
    await slowDown(5000)
    expect([await breakerOf(w), await slowedUntil()]).toEqual([{ state: 'closed' }, start + 9000])
    expect((await claimIn({ ...w, store: subject().peer })).nextDueMs).toBe(start + 9000)
    const sent = await w.send({ from: 'dan', to: 'bot', claimer: w.claimer() })
    expect([sent.claims, sent.waiting, await headsIn(w)]).toEqual([[], 0, []])
    w.clock.advance(9000)
    const first = only(await headsIn(w))
    const { isOpen, isSlowed } = callbackOf(first)
    expect([first.probe, isOpen, isSlowed]).toEqual([{ failedBefore: 0, isSlowed: true }, false, true])
    // It asks again.
    await recordProbe(w, first, { kind: 'slowed', untilMs: w.clock.now() + 60_000 })
    expect([await breakerOf(w), await slowedUntil(), await headsIn(w)]).toEqual([
      { state: 'closed' },
      w.clock.now() + 60_000,
      [],
    ])
    w.clock.advance(60_000)
    await recordProbe(w, only(await headsIn(w)), { kind: 'passed' })
    expect([await slowedUntil(), (await headsIn(w)).length]).toEqual([undefined, 3])
  })

  test('a breaker that opens while its bot is to be left alone is open, and whichever is longer counts', async () => {
    const w = await setUp(subject)
    await w.send({ from: 'ann', to: 'bot' })
    const pause = { appId: w.appId, bot: uidOf('bot'), untilMs: w.clock.now() + 60_000 }
    await w.store.breakers.slowDown(pause)
    expect(await openFor(w, 5000)).toBe(true)
    expect(await breakerOf(w)).toMatchObject({ state: 'open', probeAt: w.now() + 60 })
    await w.store.breakers.slowDown({ ...pause, untilMs: w.clock.now() + 90_000 })
    expect(await breakerOf(w)).toMatchObject({ state: 'open', probeAt: w.now() + 90 })
    w.clock.advance(90_000)
    const probe = only(await headsIn(w))
    expect(probe.probe).toEqual({ failedBefore: 0 })
    // Alive, and busy.
    await recordProbe(w, probe, { kind: 'slowed', untilMs: w.clock.now() + 7000 })
    expect(await breakerOf(w)).toEqual({ state: 'closed' })
    expect(await headsIn(w)).toEqual([])
    await w.store.lanes.resume({ appId: w.appId, bot: uidOf('bot'), limit: 10, nowMs: w.clock.now() })
    expect((await headsIn(w)).map(({ probe: none }) => none)).toEqual([undefined])
  })

  test('a probe that outlasts the lease it was taken with is kept by whoever has it, and by nobody else', async () => {
    const w = await setUp(subject)
    for (const from of ['ann', 'ben']) await w.send({ from, to: 'bot' })
    await openFor(w, 1000)
    w.clock.advance(1000)
    const probe = only(await headsIn(w))
    const keep = (wasMs: number, untilMs: number) =>
      w.store.breakers.keepProbe({ appId: w.appId, bot: uidOf('bot'), wasMs, untilMs })
    await keep(probe.untilMs, probe.untilMs + 5000)
    // Of before.
    await keep(probe.untilMs, probe.untilMs + 60_000)
    w.clock.advance(probe.untilMs - w.clock.now() + 4999)
    expect(await headsIn(w)).toEqual([])
    w.clock.advance(1)
    only(await headsIn(w))
    await w.store.breakers.close({ appId: w.appId, bot: uidOf('bot') })
    await keep(w.clock.now() + 30_000, w.clock.now() + 60_000)
    expect(await breakerOf(w)).toEqual({ state: 'closed' })
  })

  test('a bot that was slowed down and does not succeed stays slowed down: one lane at a time', async () => {
    const w = await setUp(subject)
    for (const from of ['ann', 'ben']) await w.send({ from, to: 'bot' })
    await w.store.breakers.slowDown({ appId: w.appId, bot: uidOf('bot'), untilMs: w.clock.now() + 1000 })
    w.clock.advance(1000)
    await recordProbe(w, only(await headsIn(w)), { kind: 'stays-slowed', untilMs: w.clock.now() })
    const second = only(await headsIn(w))
    expect(second.probe).toEqual({ failedBefore: 0, isSlowed: true })
    // Meanwhile others have found it to fail.
    await openFor(w, 60_000)
    await recordProbe(w, second, { kind: 'stays-slowed', untilMs: w.clock.now() })
    expect(await breakerOf(w)).toMatchObject({ state: 'open', probeAt: w.now() + 60 })
  })

  test('one that is turned off closes; what a bot has asked for while it is closed stays', async () => {
    const w = await setUp(subject)
    for (const from of ['ann', 'ben']) await w.send({ from, to: 'bot' })
    const id = { appId: w.appId, bot: uidOf('bot') }
    await w.store.breakers.slowDown({ ...id, untilMs: w.clock.now() + 60_000 })
    await w.store.breakers.close(id)
    expect(await headsIn(w)).toEqual([])
    await openFor(w, 90_000)
    await w.store.breakers.close(id)
    expect(await breakerOf(w)).toEqual({ state: 'closed' })
    expect((await headsIn(w)).map(({ probe: none }) => none)).toEqual([undefined, undefined])
  })

  test('a probe whose node died is another’s when the lease is over', async () => {
    const w = await setUp(subject)
    await w.send({ from: 'ann', to: 'bot' })
    await w.send({ from: 'ben', to: 'bot' })
    await openFor(w, 1000)
    w.clock.advance(1000)
    only(await headsIn(w))
    w.clock.advance(29_999)
    expect(await headsIn(w)).toEqual([])
    w.clock.advance(1)
    only(await headsIn(w))
  })

  test('who says that the bot is back closes it, and what waits for a retry or is parked is due at once', async () => {
    const w = await setUp(subject)
    for (const from of ['ann', 'ben', 'cat']) await w.send({ from, to: 'bot', text: from })
    const [first, second, third] = await headsIn(w)
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were sent')
    await recordIn(w, first, { kind: 'retry', dueAtMs: w.clock.now() + 3_600_000 })
    await recordIn(w, second, { kind: 'park' })
    await openFor(w, 60_000)
    expect(await headsIn(w)).toEqual([])
    const resume = (limit = 100) =>
      w.store.lanes.resume({ appId: w.appId, bot: uidOf('bot'), limit, nowMs: w.clock.now() })
    // Sent while it is open: nothing but the breaker holds it back.
    await w.send({ from: 'dan', to: 'bot' })
    // The third is under way: it is not touched.
    expect([await resume(1), await resume(1), await resume(1)]).toEqual([
      { madeDue: 1, heldBack: 1 },
      { madeDue: 1, heldBack: 0 },
      { madeDue: 0, heldBack: 0 },
    ])
    expect(await breakerOf(w)).toEqual({ state: 'closed' })
    const again = await headsIn(w)
    expect(again.map(({ head }) => [head.conversationId, head.attempts]).sort()).toEqual(
      [
        [first.head.conversationId, 1],
        // What is parked begins anew.
        [second.head.conversationId, 0],
        ['bot_user_dan', 0],
      ].sort(),
    )
    await expectCode(
      w.store.lanes.resume({ appId: w.appId, bot: uidOf('ann'), limit: 1, nowMs: 1 }),
      'ERR_BOT_NOT_FOUND',
    )
  })

  test('a parked lane waits for ever, behind it what is sent later, and goes on when somebody acts', async () => {
    const w = await setUp(subject)
    await w.send({ from: 'ann', to: 'bot', text: '1' })
    const claim = only(await headsIn(w))
    await recordIn(w, claim, { kind: 'park' })
    const sent = await w.send({ from: 'ann', to: 'bot', text: '2', claimer: w.claimer() })
    expect([sent.claims, sent.waiting]).toEqual([[], 0])
    w.clock.advance(365 * 86_400_000)
    expect((await claimIn(w)).claims).toEqual([])
    const { id } = claim.head
    const found = await w.store.deliveries.get({ appId: w.appId, id })
    expect(found).toMatchObject({ state: 'pending', isParked: true, attempts: 1 })
    expect(found).not.toHaveProperty('dueAt')
    const stats = { appId: w.appId, bot: uidOf('bot'), hour: '', day: '', nowMs: w.clock.now() }
    expect(await w.store.deliveries.stats(stats)).toMatchObject({ parked: 1, pending: 2 })
    // Replayed: it has all its attempts before it again.
    await w.store.deliveries.replay({ appId: w.appId, id, nowMs: w.clock.now() })
    const again = only(await headsIn(w))
    expect([again.head.id, again.head.attempts]).toEqual([id, 0])
    await recordIn(w, again, { kind: 'park' })
    // Cancelled: the next one has its turn.
    await w.store.deliveries.cancel({ appId: w.appId, id, nowMs: w.clock.now() })
    expect(only(await headsIn(w)).head.sequence).toBe(2)
    expect(await w.store.deliveries.stats(stats)).toMatchObject({ parked: 0, pending: 1 })
    expect(PARKED_MS).toBeGreaterThan(w.clock.now())
  })

  test('when the clock was set back, what was planned by the old time comes when it was meant to', async () => {
    const w = await setUp(subject)
    const hour = 3_600_000
    for (const from of ['ann', 'ben', 'cat', 'dan']) await w.send({ from, to: 'bot', text: from })
    const [soon, later, parked] = await headsIn(w)
    if (soon === undefined || later === undefined || parked === undefined) throw new Error('four were sent')
    await recordIn(w, soon, { kind: 'retry', dueAtMs: w.clock.now() + 1000 })
    await recordIn(w, later, { kind: 'retry', dueAtMs: w.clock.now() + 10_000 })
    await recordIn(w, parked, { kind: 'park' })
    w.clock.advance(-hour)
    expect((await claimIn(w)).nextDueMs).toBe(w.clock.now() + hour + 1000)
    await w.store.lanes.bringForward({ byMs: hour, nowMs: w.clock.now() })
    expect((await claimIn(w)).nextDueMs).toBe(w.clock.now() + 1000)
    w.clock.advance(10_000)
    const due = (await headsIn(w)).map(({ head }) => head.id)
    // The fourth is under way: its lease is renewed by whoever has it.
    expect(due.sort()).toEqual([soon.head.id, later.head.id].sort())
    await openFor(w, 5000 + hour)
    await w.store.lanes.bringForward({ byMs: hour, nowMs: w.clock.now() })
    expect(await breakerOf(w)).toMatchObject({ probeAt: Math.floor((w.clock.now() + 5000) / 1000) })
  })

  test('an attempt that failed for our fault is on record and counts for nothing', async () => {
    const w = await setUp(subject)
    await w.send({ from: 'ann', to: 'bot' })
    const claim = only(await headsIn(w))
    await recordIn(w, claim, { kind: 'retry', dueAtMs: w.clock.now(), isFree: true })
    expect(only(await headsIn(w)).head.attempts).toBe(0)
    const { history, attempts } = await w.store.deliveries.get({ appId: w.appId, id: claim.head.id })
    expect([history.length, attempts]).toEqual([1, 0])
  })
}
