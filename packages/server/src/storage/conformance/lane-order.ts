import { setImmediate as passing } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { StoredClaim } from '../../delivery/attempt.ts'
import { makeAttempt, type World } from '../../testing/builders.ts'
import type { Recorded } from '../sql/delivery/lanes.ts'
import { type Subject, worldOf } from './subject.ts'

/** Numbers in [0, 1) that are the same in every run. */
const makeRandom = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

interface Load {
  readonly w: World
  readonly random: () => number
  /** By lane: the sequences that were delivered or died, as they did. */
  readonly finished: Map<number, number[]>
  /** Lanes with a request on its way to the bot. */
  readonly underWay: Set<number>
  readonly overlaps: number[]
}

/** One attempt: it succeeds, fails, kills its delivery, or outlives its lease. */
const attempt = async (load: Load, claim: StoredClaim): Promise<Recorded | undefined> => {
  const { w, random, finished, underWay, overlaps } = load
  const { laneId, sequence, attempts, id: deliveryId } = claim.head
  if (underWay.has(laneId)) overlaps.push(laneId)
  underWay.add(laneId)
  await passing()
  const dice = random()
  const nowMs = w.clock.now()
  const base = { laneId, leaseId: claim.leaseId, deliveryId, nowMs }
  underWay.delete(laneId)
  if (dice < 0.1) {
    await w.store.lanes.release({ leases: [base], dueAtMs: nowMs })
    return undefined
  }
  if (dice < 0.3) {
    const outcome = { kind: 'retry', reason: 'http' } as const
    const disposition = { kind: 'retry', dueAtMs: nowMs } as const
    return w.store.lanes.record({
      ...base,
      attempt: makeAttempt(outcome, attempts + 1),
      disposition,
      keepUntilMs: undefined,
    })
  }
  const lane = finished.get(laneId) ?? []
  finished.set(laneId, lane)
  lane.push(sequence)
  return w.store.lanes.record({
    ...base,
    attempt: makeAttempt({ kind: 'delivered' }, attempts + 1),
    disposition: { kind: dice < 0.4 ? 'dead' : 'delivered' },
    keepUntilMs: random() < 0.7 ? nowMs + 60_000 : undefined,
  })
}

const work = async (load: Load, claim: StoredClaim): Promise<void> => {
  let next: StoredClaim | undefined = claim
  while (next !== undefined) {
    const recorded = await attempt(load, next)
    expect(recorded?.fenced ?? false).toBe(false)
    next = recorded?.next
  }
}

const drain = async (load: Load, isOver: () => boolean): Promise<void> => {
  for (;;) {
    const { w } = load
    const over = isOver()
    const claimer = w.claimer({ untilMs: w.clock.now() + 60_000 })
    const { claims } = await w.store.lanes.claimDue({ claimer, limit: 3, nowMs: w.clock.now() })
    await Promise.all(claims.map((claim) => work(load, claim)))
    if (over && (await w.store.lanes.backlog({})).pending === 0) return
  }
}

const MESSAGES = 200
const CONVERSATIONS = 5

export const laneOrderConformance = (subject: Subject): void => {
  test('many senders, four claimers, random outcomes: every lane in order, nothing lost, nothing twice', async () => {
    const w = await worldOf(subject)
    const peer: World = { ...w, store: subject().peer }
    const senders = Array.from({ length: CONVERSATIONS }, (_, n) => `s${n}`)
    await w.users(...senders)
    await w.bot('bot')
    const shared = { finished: new Map<number, number[]>(), underWay: new Set<number>(), overlaps: [] }
    const loadOf = (n: number): Load => ({ w: n % 2 ? peer : w, random: makeRandom(n), ...shared })
    let left = MESSAGES
    const sender = async (n: number): Promise<void> => {
      const load = loadOf(n)
      while (left > 0) {
        left -= 1
        const from = senders[Math.floor(load.random() * CONVERSATIONS)] ?? 's0'
        const wants = load.random() < 0.5
        const { claims } = await load.w.send({ from, to: 'bot', ...(wants && { claimer: w.claimer() }) })
        for (const claim of claims) await work(load, claim)
      }
    }
    const senderLoads = Promise.all(Array.from({ length: 10 }, (_, n) => sender(n)))
    let over = false
    const claimers = Promise.all([10, 11, 12, 13].map((n) => drain(loadOf(n), () => over)))
    await senderLoads
    over = true
    await claimers
    const lanes = [...shared.finished.values()]
    expect(lanes.reduce((sum, lane) => sum + lane.length, 0)).toBe(MESSAGES)
    for (const lane of lanes) expect(lane).toEqual(lane.map((_, index) => index + 1))
    expect(shared.overlaps).toEqual([])
    expect(lanes).toHaveLength(CONVERSATIONS)
  }, 60_000)
}
