import { limits } from '@confab/protocol'
import { expect, test, vi } from 'vitest'
import type { AttemptOutcome, FailureReason, StoredClaim } from '../../delivery/attempt.ts'
import { type HeldClock, makeAttempt, makeHeldClock, uidOf, type World } from '../../testing/builders.ts'
import type { DeliveryFilter, IdRange } from '../sql/delivery/delivery-walk.ts'
import type { Disposition } from '../sql/delivery/lanes.ts'
import { claimIn, recordIn } from './lanes.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const setUp = async (subject: Subject, clock?: HeldClock): Promise<World> => {
  const w = await worldOf(subject, clock)
  await w.users('ann', 'ben')
  await w.bot('bot')
  return w
}

export const listIn = (
  w: World,
  filter: DeliveryFilter = {},
  more: { range?: IdRange; limit?: number; scan?: number } = {},
) => w.store.deliveries.list({ appId: w.appId, filter, range: {}, limit: 100, scan: 1000, ...more })

const idsIn = async (...args: Parameters<typeof listIn>): Promise<string[]> =>
  (await listIn(...args)).rows.map(({ id }) => id)

/** Claims what is due and finishes it so. */
const finish = async (w: World, kind: 'delivered' | 'dead'): Promise<void> => {
  for (const claim of (await claimIn(w)).claims) await recordIn(w, claim, { kind })
}

/** `count` deliveries from ann, newest first. */
const sendMany = async (w: World, count: number, from = 'ann'): Promise<string[]> => {
  for (let n = 1; n <= count; n++) {
    await w.send({ from, to: 'bot', text: `${from} ${n}` })
    w.clock.advance(1000)
  }
  const conversationId = `${from}_user_bot` as never
  return idsIn(w, { conversationId })
}

const recordAttempts = async (w: World, claim: StoredClaim, disposition: Disposition): Promise<void> => {
  const base = { laneId: claim.head.laneId, leaseId: claim.leaseId, deliveryId: claim.head.id, nowMs: w.clock.now() }
  const attempt = makeAttempt({ kind: 'retry', reason: 'timeout' }, 1, { error: 'too late', response: 'é\0' })
  await w.store.lanes.record({ ...base, attempt, disposition, keepUntilMs: undefined })
}

export const deliveriesConformance = (subject: Subject): void => {
  test('are listed newest first, each with its place, its message and its state', async () => {
    const w = await setUp(subject)
    const start = w.now()
    const [second, first] = await sendMany(w, 2)
    await finish(w, 'delivered')
    const { rows, before } = await listIn(w)
    expect(before).toBe(undefined)
    const common = {
      bot: 'bot',
      conversationId: 'ann_user_bot',
      trigger: 'after_message',
      messageId: expect.any(String),
    }
    expect(rows).toEqual([
      { ...common, id: second, sequence: 2, state: 'pending', attempts: 0, createdAt: start + 1, dueAt: w.now() },
      { ...common, id: first, sequence: 1, state: 'delivered', attempts: 1, createdAt: start, finishedAt: w.now() },
    ])
    expect(Number(rows[0]?.messageId)).toBeGreaterThan(Number(rows[1]?.messageId))
  })

  test('it is said when the head of a lane is due, unless somebody works it', async () => {
    const w = await setUp(subject)
    await sendMany(w, 2)
    const [claim] = (await claimIn(w)).claims
    if (claim === undefined) throw new Error('no claim')
    const dueAts = async () => (await listIn(w)).rows.map(({ dueAt }) => dueAt)
    expect(await dueAts()).toEqual([undefined, undefined])
    const dueAtMs = w.clock.now() + 60_000
    await recordIn(w, claim, { kind: 'retry', dueAtMs })
    expect(await dueAts()).toEqual([undefined, dueAtMs / 1000])
  })

  test('are found by bot, conversation, message, state and time', async () => {
    const w = await setUp(subject)
    await w.bot('other')
    const startMs = w.clock.now()
    const [a2, a1] = await sendMany(w, 2)
    const [b1] = await sendMany(w, 1, 'ben')
    await w.send({ from: 'ann', to: 'other' })
    const [o1] = await idsIn(w, { bot: uidOf('other') })
    expect(await idsIn(w, { bot: uidOf('bot') })).toEqual([b1, a2, a1])
    expect(await idsIn(w, { bot: uidOf('nobody') })).toEqual([])
    expect(await idsIn(w, { conversationId: 'ann_user_other' as never })).toEqual([o1])
    const [row] = (await listIn(w, { conversationId: 'ben_user_bot' as never })).rows
    expect(await idsIn(w, { messageId: Number(row?.messageId) })).toEqual([b1])
    expect(await idsIn(w, { sinceMs: startMs + 1000, untilMs: startMs + 2000 })).toEqual([b1, a2])
    await finish(w, 'dead')
    expect((await idsIn(w, { states: ['dead'] })).sort()).toEqual([a1, b1, o1].sort())
    expect(await idsIn(w, { states: ['dead'], bot: uidOf('other') })).toEqual([o1])
    expect(await idsIn(w, { states: ['pending'] })).toEqual([a2])
    expect(await idsIn(w, { states: ['delivered', 'cancelled'] })).toEqual([])
  })

  test('come in pages, and a page that has looked at enough says where to go on', async () => {
    const w = await setUp(subject)
    const all = await sendMany(w, 5)
    const pagesOf = async (filter: DeliveryFilter, limit: number, scan: number): Promise<string[][]> => {
      const pages: string[][] = []
      let range: IdRange = {}
      for (;;) {
        const { rows, before } = await listIn(w, filter, { range, limit, scan })
        pages.push(rows.map(({ id }) => id))
        if (before === undefined || pages.length > 9) return pages
        range = { before }
      }
    }
    const [a, b, c, d, e] = all
    expect(await pagesOf({}, 2, 1000)).toEqual([[a, b], [c, d], [e]])
    expect(await pagesOf({}, 5, 1000)).toEqual([[a, b, c, d, e]])
    await finish(w, 'delivered')
    const found = await pagesOf({ bot: uidOf('bot'), states: ['delivered'] }, 2, 2)
    expect(found.slice(0, 2)).toEqual([[], []])
    expect(found.flat()).toEqual([e])
  })

  test('those of another app are not looked at, and do not show in where to go on', async () => {
    const [w, other] = [await setUp(subject), await setUp(subject)]
    const mine = await sendMany(w, 2)
    await sendMany(other, 4)
    expect(await idsIn(w, {}, { limit: 2, scan: 3 })).toEqual(mine)
    expect(await listIn(w, { states: ['delivered'] }, { limit: 2, scan: 3 })).toEqual({ rows: [], before: undefined })
    const { messageId } = (await listIn(other)).rows[0] ?? {}
    expect(await listIn(w, { messageId: Number(messageId) }, { limit: 1, scan: 1 })).toEqual({
      rows: [],
      before: undefined,
    })
  })

  test('of another app are not there', async () => {
    const [w, other] = [await setUp(subject), await setUp(subject)]
    const [id = ''] = await sendMany(w, 1)
    expect(await idsIn(other)).toEqual([])
    expect(await idsIn(other, { messageId: Number((await listIn(w)).rows[0]?.messageId) })).toEqual([])
    const of = { appId: other.appId, id, nowMs: 1 }
    await expectCode(other.store.deliveries.get(of), 'ERR_DELIVERY_NOT_FOUND')
    await expectCode(other.store.deliveries.cancel(of), 'ERR_DELIVERY_NOT_FOUND')
    await expectCode(other.store.deliveries.replay(of), 'ERR_DELIVERY_NOT_FOUND')
    expect(await w.store.deliveries.get({ appId: w.appId, id })).toMatchObject({ id, state: 'pending' })
  })

  test('one is shown with its body and its attempts', async () => {
    const w = await setUp(subject)
    await sendMany(w, 1)
    const [claim] = (await claimIn(w)).claims
    if (claim === undefined) throw new Error('no claim')
    await recordAttempts(w, claim, { kind: 'retry', dueAtMs: w.clock.now() })
    const [again] = (await claimIn(w)).claims
    if (again === undefined) throw new Error('no claim')
    await recordIn(w, again, { kind: 'delivered' })
    const shown = await w.store.deliveries.get({ appId: w.appId, id: claim.head.id })
    expect(shown).toMatchObject({ id: claim.head.id, body: claim.head.body, state: 'delivered', attempts: 2 })
    const common = { startedAt: 1_700_000_000_000, address: '127.0.0.1', phases: { total: 5 } }
    expect(shown.history).toEqual([
      { ...common, number: 1, outcome: 'retry:timeout', status: 500, error: 'too late', response: 'é\uFFFD' },
      { ...common, number: 2, outcome: 'delivered', status: 200 },
    ])
  })

  test('of attempts that fail for our own fault one after the other, the first and the latest are kept', async () => {
    const w = await setUp(subject)
    const [id = ''] = await sendMany(w, 1)
    const attempt = async (outcome: AttemptOutcome): Promise<void> => {
      const [claim] = (await claimIn(w)).claims
      if (claim === undefined) throw new Error('no claim')
      const isFree = outcome.kind === 'ours' && { isFree: true }
      const startedAtMs = w.clock.now()
      await w.store.lanes.record({
        ...{ laneId: claim.head.laneId, leaseId: claim.leaseId, deliveryId: claim.head.id, nowMs: startedAtMs },
        attempt: makeAttempt(outcome, claim.head.attempts + 1, { startedAtMs, error: `at ${startedAtMs}` }),
        disposition: { kind: 'retry', dueAtMs: startedAtMs, ...isFree },
        keepUntilMs: undefined,
      })
      w.clock.advance(1)
    }
    const startMs = w.clock.now()
    const ours = (reason: FailureReason) => ({ kind: 'ours', reason }) as const
    for (let n = 0; n < 5; n++) await attempt(ours('dns'))
    for (let n = 0; n < 3; n++) await attempt(ours('stopped'))
    await attempt({ kind: 'retry', reason: 'timeout' })
    await attempt(ours('dns'))
    const { history, attempts, attemptsOnRecord } = await w.store.deliveries.get({ appId: w.appId, id })
    expect([attempts, attemptsOnRecord]).toEqual([1, 6])
    const seen = history.map(({ number, outcome, startedAt, error }) => [number, outcome, startedAt - startMs, error])
    const row = (number: number, outcome: string, ms: number) => [number, outcome, ms, `at ${startMs + ms}`]
    expect(seen).toEqual([
      row(1, 'ours:dns', 0),
      row(1, 'ours:dns', 4),
      row(1, 'ours:stopped', 5),
      row(1, 'ours:stopped', 7),
      row(1, 'retry:timeout', 8),
      row(2, 'ours:dns', 9),
    ])
  })

  test('of many attempts the newest are shown, and how many there are', async () => {
    const w = await setUp(subject)
    const [id = ''] = await sendMany(w, 1)
    for (let n = 1; n <= limits.attemptsShown + 3; n++) {
      const [claim] = (await claimIn(w)).claims
      if (claim === undefined) throw new Error('no claim')
      await recordIn(w, claim, { kind: 'retry', dueAtMs: w.clock.now() })
    }
    const { history, attemptsOnRecord } = await w.store.deliveries.get({ appId: w.appId, id })
    expect([attemptsOnRecord, history.length]).toEqual([limits.attemptsShown + 3, limits.attemptsShown])
    expect([history[0]?.number, history.at(-1)?.number]).toEqual([4, limits.attemptsShown + 3])
  })

  test('how they go is told for the last hour and the last day', async () => {
    const w = await setUp(subject)
    const uid = uidOf('bot')
    const statsSince = (hour: string, day: string) =>
      w.store.deliveries.stats({ appId: w.appId, bot: uid, hour, day, nowMs: w.clock.now() })
    const quiet = { breaker: { state: 'closed' }, parked: 0 }
    const none = { delivered: 0, dead: 0, cancelled: 0, pending: 0, isSample: false }
    expect(await statsSince('', '')).toEqual({
      ...quiet,
      pending: 0,
      oldestMs: undefined,
      lastHour: none,
      lastDay: none,
    })
    const ids = await sendMany(w, 4)
    // What fails for our own fault says nothing of how long the bot takes.
    for (const { head, leaseId } of (await claimIn(w)).claims) {
      const at = { laneId: head.laneId, leaseId, deliveryId: head.id, keepUntilMs: undefined, nowMs: w.clock.now() }
      const attempt = makeAttempt({ kind: 'ours', reason: 'dns' }, 1, { phases: { total: 9000 } })
      await w.store.lanes.record({
        ...at,
        attempt,
        disposition: { kind: 'retry', dueAtMs: w.clock.now(), isFree: true },
      })
    }
    for (const kind of ['delivered', 'dead', 'delivered'] as const) await finish(w, kind)
    const oldestMs = w.clock.now() - 1000
    const window = { delivered: 2, dead: 1, cancelled: 0, pending: 1, isSample: false, successRate: 2 / 3 }
    const attemptMs = { p50: 5, p95: 5, p99: 5 }
    expect(await statsSince(ids[1] ?? '', '')).toEqual({
      ...quiet,
      pending: 1,
      oldestMs,
      lastHour: { ...none, pending: 1 },
      lastDay: { ...window, attemptMs },
    })
    await expectCode(
      w.store.deliveries.stats({ appId: w.appId, bot: uidOf('ann'), hour: '', day: '', nowMs: 0 }),
      'ERR_BOT_NOT_FOUND',
    )
  })

  test('what is over is swept when it is old, with its attempts, and nothing else', async () => {
    // Older than what other suites have in the same store.
    const w = await setUp(subject, makeHeldClock(1_600_000_000_000))
    const [c = '', b = '', a = ''] = await sendMany(w, 3)
    await finish(w, 'delivered')
    w.clock.advance(1000)
    await finish(w, 'dead')
    const sweep = (beforeMs: number, limit = 100) => w.store.deliveries.sweep({ beforeMs, limit })
    const left = async () => (await idsIn(w)).length
    expect([await sweep(w.clock.now() - 1000), await left()]).toEqual([0, 3])
    expect([await sweep(w.clock.now(), 1), await left()]).toEqual([1, 2])
    expect(await idsIn(w)).toEqual([c, b])
    await expectCode(w.store.deliveries.get({ appId: w.appId, id: a }), 'ERR_DELIVERY_NOT_FOUND')
    expect(await sweep(w.clock.now() + 1)).toBe(1)
    expect(await sweep(w.clock.now() + 1_000_000)).toBe(0)
    expect(await idsIn(w)).toEqual([c])
    expect((await claimIn(w)).claims.map(({ head }) => [head.id, head.sequence])).toEqual([[c, 3]])
  })

  test('nothing is left of an attempt under way at what is cancelled and swept, whether its lease holds or not', async () => {
    const w = await setUp(subject, makeHeldClock(1_500_000_000_000))
    const [id = ''] = await sendMany(w, 1)
    const [claim] = (await claimIn(w)).claims
    if (claim === undefined) throw new Error('no claim')
    await w.store.deliveries.cancel({ appId: w.appId, id, nowMs: w.clock.now() })
    expect(await w.store.deliveries.sweep({ beforeMs: w.clock.now() + 1, limit: 100 })).toBe(1)
    for (let n = 1; n <= 2; n++) {
      const recorded = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
      expect(recorded).toEqual({ fenced: true, next: undefined })
    }
    // Only another of the same id would show it.
    vi.spyOn(w.ids, 'delivery').mockReturnValueOnce(claim.head.id)
    await w.send({ from: 'ann', to: 'bot' })
    expect(await w.store.deliveries.get({ appId: w.appId, id })).toMatchObject({ state: 'pending', history: [] })
  })
}
