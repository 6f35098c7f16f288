import { expect, test } from 'vitest'
import type { StoredClaim } from '../../delivery/attempt.ts'
import { makeAttempt, uidOf, type World } from '../../testing/builders.ts'
import type { Claimer } from '../sql/delivery/lane-rows.ts'
import type { Disposition } from '../sql/delivery/lanes.ts'
import { type Subject, worldOf } from './subject.ts'

export const claimIn = (w: World, claimer: Partial<Claimer> = {}, limit = 100) =>
  w.store.lanes.claimDue({ claimer: w.claimer(claimer), limit, nowMs: w.clock.now() })

const OUTCOMES = {
  delivered: { kind: 'delivered' },
  dead: { kind: 'retry', reason: 'http' },
  retry: { kind: 'retry', reason: 'timeout' },
  park: { kind: 'retry', reason: 'timeout' },
} as const

/** Puts an attempt at the claim's head on record. */
export const recordIn = (w: World, claim: StoredClaim, disposition: Disposition, keepUntilMs?: number) =>
  w.store.lanes.record({
    laneId: claim.head.laneId,
    leaseId: claim.leaseId,
    deliveryId: claim.head.id,
    attempt: makeAttempt(OUTCOMES[disposition.kind], claim.head.attempts + 1),
    disposition,
    keepUntilMs,
    nowMs: w.clock.now(),
  })

const textOf = (claim: StoredClaim | undefined): unknown => claim && JSON.parse(claim.head.body).data.data.text

const setUp = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'ben')
  await w.bot('bot')
  const send = (text: string, claimer?: Claimer, from = 'ann') =>
    w.send({ from, to: 'bot', text, ...(claimer && { claimer }) })
  return { w, send }
}

const pendingOf = async (w: World): Promise<number> => (await w.store.lanes.backlog({})).pending

export const lanesConformance = (subject: Subject): void => {
  test('a lane is sequenced from one, without gaps, and each lane for itself', async () => {
    const { w, send } = await setUp(subject)
    for (const text of ['1', '2', '3']) await send(text)
    await send('other', undefined, 'ben')
    const seen: unknown[] = []
    for (let round = 0; round < 3; round++) {
      for (const claim of (await claimIn(w)).claims) {
        seen.push([claim.head.conversationId, claim.head.sequence, textOf(claim)])
        await recordIn(w, claim, { kind: 'delivered' })
      }
    }
    expect(seen.sort()).toEqual([
      ['ann_user_bot', 1, '1'],
      ['ann_user_bot', 2, '2'],
      ['ann_user_bot', 3, '3'],
      ['ben_user_bot', 1, 'other'],
    ])
    expect(await pendingOf(w)).toBe(0)
  })

  test('the sender’s node takes a lane at once only when it is idle', async () => {
    const { w, send } = await setUp(subject)
    const first = await send('1', w.claimer())
    expect([first.claims.length, first.waiting]).toEqual([1, 0])
    const second = await send('2', w.claimer())
    // It is leased: its holder comes to the second message by itself.
    expect([second.claims.length, second.waiting]).toEqual([0, 0])
    const [claim] = first.claims
    if (claim === undefined) throw new Error('no claim')
    const { next } = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect([textOf(next), next?.head.sequence, next?.leaseId]).toEqual(['2', 2, claim.leaseId])
    expect((await send('3', w.claimer())).claims).toEqual([])
    if (next === undefined) throw new Error('no next')
    await recordIn(w, next, { kind: 'delivered' })
    expect((await send('4', w.claimer())).claims).toEqual([])
    expect((await claimIn(w)).claims.map(textOf)).toEqual(['3'])
  })

  test('without a claimer, or with one that has no room, the message waits in the store', async () => {
    const { w, send } = await setUp(subject)
    const full = w.claimer({ busy: { [`${w.appId}/bot`]: 2 }, perBot: 2 })
    expect(await send('1', full)).toMatchObject({ claims: [], waiting: 1 })
    expect((await claimIn(w, full)).claims).toEqual([])
    const room = { ...full, leaseId: w.ids.lease(), perBot: 3 }
    expect((await claimIn(w, room)).claims.map(textOf)).toEqual(['1'])
    expect(await send('2', undefined, 'ben')).toMatchObject({ claims: [], waiting: 1 })
  })

  test('a failed head is due again later, keeps its place, and counts its attempts', async () => {
    const { w, send } = await setUp(subject)
    const sent = await send('1', w.claimer())
    await send('2')
    const [claim] = sent.claims
    if (claim === undefined) throw new Error('no claim')
    const dueAtMs = w.clock.now() + 5000
    const recorded = await recordIn(w, claim, { kind: 'retry', dueAtMs }, w.clock.now() + 99_000)
    expect(recorded).toEqual({ fenced: false, next: undefined })
    expect(await claimIn(w)).toEqual({ claims: [], hasMore: false, nextDueMs: dueAtMs })
    w.clock.advance(4999)
    expect((await claimIn(w)).claims).toEqual([])
    w.clock.advance(1)
    const [again] = (await claimIn(w)).claims
    expect(again?.head).toEqual({ ...claim.head, attempts: 1 })
    expect(await pendingOf(w)).toBe(2)
  })

  test('a dead head makes way for the next', async () => {
    const { w, send } = await setUp(subject)
    const sent = await send('1', w.claimer())
    await send('2')
    const [claim] = sent.claims
    if (claim === undefined) throw new Error('no claim')
    const { next } = await recordIn(w, claim, { kind: 'dead' }, w.clock.now() + 1000)
    expect([textOf(next), await pendingOf(w)]).toEqual(['2', 1])
  })

  test('a completion recorded twice counts once', async () => {
    const { w, send } = await setUp(subject)
    const sent = await send('1', w.claimer())
    for (const text of ['2', '3']) await send(text)
    const [claim] = sent.claims
    if (claim === undefined) throw new Error('no claim')
    const first = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    const second = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect(second).toEqual(first)
    if (first.next === undefined) throw new Error('no next')
    await recordIn(w, first.next, { kind: 'delivered' })
    // Were the second counted, the lane would look idle now, and a new message would overtake the third.
    expect(await send('4', w.claimer())).toMatchObject({ claims: [], waiting: 1 })
    expect((await claimIn(w)).claims.map(textOf)).toEqual(['3'])
  })

  test('whatever a bot answers goes on record', async () => {
    const { w, send } = await setUp(subject)
    const sent = await send('1', w.claimer())
    const [claim] = sent.claims
    if (claim === undefined) throw new Error('no claim')
    const recorded = w.store.lanes.record({
      laneId: claim.head.laneId,
      leaseId: claim.leaseId,
      deliveryId: claim.head.id,
      attempt: makeAttempt({ kind: 'delivered' }, 1, { response: 'a\0b\ud800 é', error: '\0' }),
      disposition: { kind: 'delivered' },
      keepUntilMs: undefined,
      nowMs: w.clock.now(),
    })
    expect(await recorded).toEqual({ fenced: false, next: undefined })
  })

  test('a disabled bot keeps its backlog and is not called until it is enabled', async () => {
    const { w, send } = await setUp(subject)
    const uid = uidOf('bot')
    const enable = (enabled: boolean) => w.store.bots.update({ appId: w.appId, uid, enabled, now: w.now() })
    const sent = await send('1', w.claimer())
    for (const text of ['2', '3']) await send(text)
    await enable(false)
    expect(await send('while off')).toMatchObject({ waiting: 0 })
    const [claim] = sent.claims
    if (claim === undefined) throw new Error('no claim')
    const kept = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    expect(kept).toEqual({ fenced: false, next: undefined })
    w.clock.advance(3_600_000)
    expect(await claimIn(w)).toEqual({ claims: [], hasMore: false, nextDueMs: undefined })
    expect(await pendingOf(w)).toBe(2)
    await enable(true)
    expect((await claimIn(w)).claims.map(textOf)).toEqual(['2'])
  })

  test('a claim is of heads only, each lane once', async () => {
    const { w, send } = await setUp(subject)
    for (const n of [1, 2, 3]) {
      await send(`ann${n}`)
      await send(`ben${n}`, undefined, 'ben')
    }
    const { claims } = await claimIn(w)
    expect(claims.map(textOf).sort()).toEqual(['ann1', 'ben1'])
    expect(new Set(claims.map(({ leaseId }) => leaseId)).size).toBe(2)
    expect((await claimIn(w)).claims).toEqual([])
  })

  test('a bot at its limit hides nothing of other bots', async () => {
    const { w, send } = await setUp(subject)
    await w.bot('quick')
    const senders = Array.from({ length: 30 }, (_, n) => `s${n}`)
    await w.users(...senders)
    for (const from of senders) await send('slow', undefined, from)
    w.clock.advance(1000)
    await w.send({ from: 'ann', to: 'quick', text: 'quick' })
    const { claims, hasMore } = await claimIn(w, { busy: { [`${w.appId}/bot`]: 1 }, perBot: 3 }, 10)
    expect(hasMore).toBe(true)
    expect(claims.map(textOf).sort()).toEqual(['quick', 'slow', 'slow'])
    expect((await claimIn(w, {}, 5)).claims).toHaveLength(5)
  })

  test('of the last places of a node bots get no more than a little, those before them counted', async () => {
    const { w, send } = await setUp(subject)
    await w.bot('other')
    const senders = Array.from({ length: 20 }, (_, n) => `s${n}`)
    await w.users(...senders)
    for (const from of senders) await send('one', undefined, from)
    w.clock.advance(1000)
    for (const from of senders) await w.send({ from, to: 'other', text: 'two' })
    // All but the last two for the first, one of them for the second.
    const { claims, hasMore } = await claimIn(w, { room: { of: 16, free: 16 } }, 16)
    expect([hasMore, claims.map(textOf).sort()]).toEqual([true, [...Array(14).fill('one'), 'two']])
    const few = { room: { of: 16, free: 1 }, busy: { [`${w.appId}/bot`]: 14, [`${w.appId}/other`]: 1 } }
    expect((await claimIn(w, few, 16)).claims).toEqual([])
    expect(await send('no place', w.claimer(few), 'ann')).toMatchObject({ claims: [], waiting: 1 })
    expect(await send('a place', w.claimer({ ...few, busy: {} }), 'ben')).toMatchObject({ claims: [{}], waiting: 0 })
  })

  test('it is said when the next lane is due, also after a claim', async () => {
    const { w, send } = await setUp(subject)
    const dueAtMs = w.clock.now() + 5000
    for (const claim of (await send('1', w.claimer())).claims) await recordIn(w, claim, { kind: 'retry', dueAtMs })
    await send('2', undefined, 'ben')
    const untilMs = w.clock.now() + 60_000
    const first = await claimIn(w, { untilMs })
    expect([first.claims.map(textOf), first.nextDueMs]).toEqual([['2'], dueAtMs])
    w.clock.advance(5000)
    expect(await claimIn(w, { untilMs: untilMs + 1 })).toMatchObject({ claims: [{}], nextDueMs: untilMs })
  })

  test('the backlog is counted, with its oldest', async () => {
    const { w, send } = await setUp(subject)
    const start = w.clock.now()
    await send('1')
    w.clock.advance(500)
    await send('2', w.claimer(), 'ben')
    expect(await w.store.lanes.backlog({})).toEqual({ pending: 2, oldestMs: start })
  })
}
