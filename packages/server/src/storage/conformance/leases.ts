import type { LeaseId } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { StoredClaim } from '../../delivery/attempt.ts'
import { callbackOf, uidOf, type World } from '../../testing/builders.ts'
import { claimIn, recordIn } from './lanes.ts'
import { type Subject, worldOf } from './subject.ts'

const setUp = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.user('ann')
  await w.bot('bot')
  const claimOne = async (text = 'hello'): Promise<StoredClaim> => {
    const [claim] = (await w.send({ from: 'ann', to: 'bot', text, claimer: w.claimer() })).claims
    if (claim === undefined) throw new Error('the lane was not idle')
    return claim
  }
  return { w, claimOne }
}

const leaseOf = ({ head, leaseId }: StoredClaim): { laneId: number; leaseId: LeaseId } => ({
  laneId: head.laneId,
  leaseId,
})

const onPeer = (w: World, subject: Subject): World => ({ ...w, store: subject().peer })

export const leasesConformance = (subject: Subject): void => {
  test('a leased lane is nobody else’s until its lease lapses', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    const until = w.clock.now() + 30_000
    expect(await claimIn(w)).toEqual({ claims: [], hasMore: false, nextDueMs: until })
    w.clock.advance(29_999)
    expect((await claimIn(w)).claims).toEqual([])
    w.clock.advance(1)
    const [taken] = (await claimIn(onPeer(w, subject))).claims
    expect(taken?.head).toEqual(claim.head)
    expect(taken?.leaseId).not.toBe(claim.leaseId)
  })

  test('a lease that was renewed does not lapse; one that was taken over cannot be renewed', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    const renew = (untilMs: number) => w.store.lanes.renew({ leases: [leaseOf(claim)], untilMs })
    w.clock.advance(20_000)
    expect(await renew(w.clock.now() + 30_000)).toEqual([claim.head.laneId])
    w.clock.advance(20_000)
    expect((await claimIn(w)).claims).toEqual([])
    w.clock.advance(10_000)
    expect((await claimIn(w)).claims).toHaveLength(1)
    expect(await renew(w.clock.now() + 30_000)).toEqual([])
    const nowhere = { laneId: 999_999_999, leaseId: claim.leaseId }
    expect(await w.store.lanes.renew({ leases: [nowhere], untilMs: 1 })).toEqual([])
  })

  test('who lost the lease changes nothing by completing', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    await w.send({ from: 'ann', to: 'bot', text: 'second' })
    w.clock.advance(30_000)
    const [taken] = (await claimIn(w)).claims
    if (taken === undefined) throw new Error('not taken over')
    const dueAtMs = w.clock.now() + 1
    for (const disposition of [{ kind: 'delivered' }, { kind: 'dead' }, { kind: 'retry', dueAtMs }] as const) {
      const late = await recordIn(w, claim, disposition, w.clock.now() + 99_000)
      expect(late).toEqual({ fenced: true, next: undefined })
    }
    expect((await w.store.lanes.backlog({})).pending).toBe(2)
    expect((await claimIn(w)).claims).toEqual([])
    const { fenced, next } = await recordIn(w, taken, { kind: 'delivered' }, w.clock.now() + 1000)
    expect([fenced, next?.head.sequence]).toEqual([false, 2])
  })

  test('a lane given back is due when its holder says, with its head as it was', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    const dueAtMs = w.clock.now() + 700
    await w.store.lanes.release({ leases: [{ ...leaseOf(claim), leaseId: 'lse_other' as LeaseId }], dueAtMs: 1 })
    expect((await claimIn(w)).claims).toEqual([])
    await w.store.lanes.release({ leases: [leaseOf(claim)], dueAtMs })
    expect(await claimIn(w)).toEqual({ claims: [], hasMore: false, nextDueMs: dueAtMs })
    expect(await recordIn(w, claim, { kind: 'delivered' })).toMatchObject({ fenced: true })
    w.clock.advance(700)
    expect((await claimIn(w)).claims[0]?.head).toEqual(claim.head)
  })

  test('a claim read again has its bot as it is now, and is gone with its lease', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    const reread = () => w.store.lanes.reread(leaseOf(claim))
    expect(await reread()).toEqual(claim)
    await w.store.bots.update({ appId: w.appId, uid: uidOf('bot'), callbackUrl: 'http://new', enabled: false, now: 1 })
    const changed = JSON.stringify({ ...callbackOf(claim), url: 'http://new', enabled: false })
    expect(await reread()).toEqual({ ...claim, callbackJson: changed })
    await w.store.bots.update({ appId: w.appId, uid: uidOf('bot'), enabled: true, now: 1 })
    w.clock.advance(30_000)
    await claimIn(w)
    expect(await reread()).toBeUndefined()
  })

  test('an engine’s only process takes all leases back at its start', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    expect(await w.store.lanes.seizeAll({ nowMs: w.clock.now() })).toBe(1)
    expect((await claimIn(w)).claims[0]?.head).toEqual(claim.head)
    expect(await recordIn(w, claim, { kind: 'delivered' })).toMatchObject({ fenced: true })
  })

  test('the removal of the bot ends its leases', async () => {
    const { w, claimOne } = await setUp(subject)
    const claim = await claimOne()
    await w.store.bots.remove({ appId: w.appId, uid: uidOf('bot'), nowMs: w.clock.now() })
    expect(await recordIn(w, claim, { kind: 'delivered' })).toEqual({ fenced: true, next: undefined })
    expect(await w.store.lanes.renew({ leases: [leaseOf(claim)], untilMs: 1 })).toEqual([])
    expect((await w.store.lanes.backlog({})).pending).toBe(0)
  })

  test('claimers at once never get the same lane', async () => {
    const { w } = await setUp(subject)
    const peer = onPeer(w, subject)
    const senders = Array.from({ length: 24 }, (_, n) => `s${n}`)
    await w.users(...senders)
    await Promise.all(senders.map((from) => w.send({ from, to: 'bot' })))
    const rounds = await Promise.all(Array.from({ length: 8 }, (_, n) => claimIn(n % 2 ? w : peer, {}, 5)))
    const claims = rounds.flatMap((round) => round.claims)
    expect(new Set(claims.map(({ head }) => head.laneId)).size).toBe(claims.length)
    const rest = (await claimIn(w)).claims
    expect(claims.length + rest.length).toBe(24)
    expect(new Set([...claims, ...rest].map(({ head }) => head.laneId)).size).toBe(24)
  })
}
