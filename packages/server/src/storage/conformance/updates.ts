import { expect, test } from 'vitest'
import { uidOf, type World } from '../../testing/builders.ts'
import type { StoredUpdate } from '../sql/delivery/updates.ts'
import { listIn } from './deliveries.ts'
import { claimIn, recordIn } from './lanes.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const bot = uidOf('bot')
const pulling = { settings: { receive: 'pull' as const } }

const setUp = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'ben', 'cat')
  await w.bot('bot', pulling)
  const say = async (...texts: readonly string[]) => {
    for (const text of texts) {
      const [from = ''] = text.split(' ')
      await w.send({ from, to: 'bot', text, claimer: w.claimer() })
    }
  }
  const take = (
    more: {
      consumer?: string
      limit?: number
      window?: number
      laneWindow?: number
      offset?: number
      holdMs?: number
      store?: World['store']
    } = {},
  ) =>
    (more.store ?? w.store).updates.take({
      appId: w.appId,
      bot,
      consumer: more.consumer ?? 'one',
      untilMs: w.clock.now() + (more.holdMs ?? 0),
      limit: more.limit ?? 100,
      ...(more.window !== undefined && { window: more.window }),
      ...(more.laneWindow !== undefined && { laneWindow: more.laneWindow }),
      offset: more.offset,
      nowMs: w.clock.now(),
    })
  return { w, say, take }
}

const textOf = ({ body }: StoredUpdate): string => JSON.parse(body).data.data.text
const texts = (found: { updates: readonly StoredUpdate[] }): string[] => found.updates.map(textOf)
const setReceive = (w: World, receive: 'push' | 'pull') =>
  w.store.bots.update({ appId: w.appId, uid: bot, now: 1, settings: { receive } })

export const updatesConformance = (subject: Subject): void => {
  test('what is not acknowledged is handed out again, what is acknowledged never', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ben 1')
    const first = await take()
    expect(texts(first)).toEqual(['ann 1', 'ann 2', 'ben 1'])
    expect(first.updates.map(({ offset, attempt, sequence }) => [offset, attempt, sequence])).toEqual([
      [1, 1, 1],
      [2, 1, 2],
      [3, 1, 1],
    ])
    expect([first.offset, first.outstanding]).toEqual([3, 3])
    // The same consumer is not given them again; another one is, under new offsets.
    expect(texts(await take())).toEqual([])
    const second = await take({ consumer: 'two' })
    expect(second.updates.map(({ offset, attempt }) => [offset, attempt])).toEqual([
      [4, 2],
      [5, 2],
      [6, 2],
    ])
    // Old offsets say nothing of what was handed out anew.
    expect(await w.store.updates.acknowledge({ appId: w.appId, bot, offset: 3, nowMs: w.clock.now() })).toBe(0)
    const third = await take({ consumer: 'three', offset: 5 })
    expect(texts(third)).toEqual(['ben 1'])
    expect(await w.store.updates.acknowledge({ appId: w.appId, bot, offset: 99, nowMs: w.clock.now() })).toBe(1)
    expect(texts(await take({ consumer: 'four' }))).toEqual([])
    expect((await w.store.lanes.backlog({})).pending).toBe(0)
    await say('ann 3')
    expect(texts(await take())).toEqual(['ann 3'])
  })

  test('what another consumer had in hand, and may never have got, is not acknowledged by the next one', async () => {
    const { say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ann 3')
    await take({ consumer: 'gone' })
    const { offset } = await take({ consumer: 'next', limit: 1 })
    expect(texts(await take({ consumer: 'third', offset }))).toEqual(['ann 2', 'ann 3'])
  })

  test('in the order of each conversation, in pages', async () => {
    const { say, take } = await setUp(subject)
    for (let n = 1; n <= 4; n++) await say(`ann ${n}`, `ben ${n}`)
    const all: string[] = []
    let offset: number | undefined
    for (let page = 0; page < 10; page++) {
      const found = await take({ consumer: `c${page}`, limit: 3, ...(offset !== undefined && { offset }) })
      expect(found.updates.length).toBeLessThanOrEqual(3)
      all.push(...texts(found))
      offset = found.offset
    }
    expect(all.filter((text) => text.startsWith('ann'))).toEqual(['ann 1', 'ann 2', 'ann 3', 'ann 4'])
    expect(all.filter((text) => text.startsWith('ben'))).toEqual(['ben 1', 'ben 2', 'ben 3', 'ben 4'])
  })

  test('one consumer goes on beyond what it has in hand', async () => {
    const { say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ben 1', 'cat 1')
    expect(texts(await take({ limit: 1 }))).toEqual(['ann 1'])
    expect(texts(await take({ limit: 2 }))).toEqual(['ann 2', 'ben 1'])
    expect(texts(await take({ limit: 2 }))).toEqual(['cat 1'])
    await say('ann 3')
    const last = await take({ limit: 2 })
    expect([texts(last), last.outstanding]).toEqual([['ann 3'], 5])
  })

  test('acknowledged by their ids, whatever was handed out before them and to whom', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ann 3', 'ben 1')
    const ids = (await take()).updates.map(({ id }) => id)
    const acknowledge = (...which: readonly (string | undefined)[]) =>
      w.store.updates.acknowledgeIds({ appId: w.appId, bot, ids: which.map((id) => id ?? ''), nowMs: w.clock.now() })
    expect(await acknowledge(ids[1], ids[1], 'dlv_unknown')).toBe(1)
    expect(await acknowledge(ids[1])).toBe(0)
    expect(texts(await take({ consumer: 'two' }))).toEqual(['ann 1', 'ann 3', 'ben 1'])
    // What the one before this one was given, and has done.
    expect(await acknowledge(ids[2], ids[3])).toBe(2)
    expect(texts(await take({ consumer: 'three' }))).toEqual(['ann 1'])
    expect((await w.store.lanes.backlog({})).pending).toBe(1)
    // Nobody was given it.
    await say('cat 1')
    const [unseen] = (await listIn(w, { bot, states: ['pending'] })).rows
    expect(await acknowledge(unseen?.id)).toBe(0)
    await w.bot('other', pulling)
    const ofAnother = { appId: w.appId, bot: uidOf('other'), ids: [ids[0] ?? ''], nowMs: w.clock.now() }
    expect(await w.store.updates.acknowledgeIds(ofAnother)).toBe(0)
    expect(await acknowledge(ids[0])).toBe(1)
    await setReceive(w, 'push')
    await expectCode(acknowledge(ids[0]), 'ERR_BOT_NOT_PULLING')
    // What is left is called, in its order.
    expect((await claimIn(w)).claims.map(({ head }) => JSON.parse(head.body).data.data.text)).toEqual(['cat 1'])
  })

  test('the conversation that was handed out last comes last, so that one that is never done with starves no other', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ann 3', 'ann 4')
    await say('ben 1')
    const heard: string[][] = []
    for (let look = 1; look <= 4; look++) {
      w.clock.advance(1)
      heard.push(texts(await take({ consumer: `look ${look}`, limit: 3 })))
    }
    expect(heard).toEqual([
      ['ann 1', 'ann 2', 'ann 3'],
      ['ben 1', 'ann 1', 'ann 2'],
      // Both were handed out at the same time.
      ['ann 1', 'ann 2', 'ann 3'],
      ['ben 1', 'ann 1', 'ann 2'],
    ])
  })

  test('one consumer has no more in hand than its window, nor of one conversation than the part of it', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ann 3', 'ann 4', 'ben 1', 'ben 2', 'ben 3', 'cat 1')
    const room = { limit: 5, window: 5, laneWindow: 2 }
    const first = await take(room)
    expect(texts(first)).toEqual(['ann 1', 'ann 2', 'ben 1', 'ben 2', 'cat 1'])
    expect(texts(await take(room))).toEqual([])
    const ids = [first.updates[0]?.id ?? '', first.updates[4]?.id ?? '']
    await w.store.updates.acknowledgeIds({ appId: w.appId, bot, ids, nowMs: w.clock.now() })
    expect(texts(await take(room))).toEqual(['ann 3'])
  })

  test('of two consumers the second is told so, until the first lets go or is not heard of any more', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1')
    await take({ consumer: 'one', holdMs: 1000 })
    await expectCode(take({ consumer: 'two', store: subject().peer }), 'ERR_BOT_ALREADY_CONSUMED')
    await take({ consumer: 'one', holdMs: 1000 })
    w.clock.advance(1000)
    expect(texts(await take({ consumer: 'two', holdMs: 1000 }))).toEqual(['ann 1'])
    await w.store.updates.release({ appId: w.appId, bot, consumer: 'one' })
    await expectCode(take({ consumer: 'one' }), 'ERR_BOT_ALREADY_CONSUMED')
    await w.store.updates.release({ appId: w.appId, bot, consumer: 'two' })
    expect(texts(await take({ consumer: 'one' }))).toEqual(['ann 1'])
    const both = [w.store, subject().peer].map((store, n) => take({ consumer: `at once ${n}`, holdMs: 1, store }))
    expect((await Promise.allSettled(both)).filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('push and pull have one cursor', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2')
    const found = await take()
    expect(texts(found)).toEqual(['ann 1', 'ann 2'])
    // Nothing is called while it fetches.
    expect((await claimIn(w)).claims).toEqual([])
    await w.store.updates.acknowledge({ appId: w.appId, bot, offset: 1, nowMs: w.clock.now() })
    expect((await setReceive(w, 'push')).isNewReceiver).toBe(true)
    await expectCode(take(), 'ERR_BOT_NOT_PULLING')
    const acknowledging = { appId: w.appId, bot, offset: 2, nowMs: w.clock.now() }
    await expectCode(w.store.updates.acknowledge(acknowledging), 'ERR_BOT_NOT_PULLING')
    const { claims } = await claimIn(w)
    // That it was handed out before is no attempt.
    expect(claims.map(({ head }) => [head.sequence, head.attempts])).toEqual([[2, 0]])
    await setReceive(w, 'pull')
    // Its attempt is under way: it is not handed out beside that.
    await say('ann 3', 'ben 1')
    expect(texts(await take({ consumer: 'two' }))).toEqual(['ben 1'])
    const [claim] = claims
    if (claim === undefined) throw new Error('no claim')
    const recorded = await recordIn(w, claim, { kind: 'delivered' }, w.clock.now() + 1000)
    // Its lane is not kept: the next one is fetched.
    expect(recorded).toEqual({ fenced: false, next: undefined })
    expect(texts(await take({ consumer: 'three' })).sort()).toEqual(['ann 3', 'ben 1'])
    expect(await w.store.updates.acknowledge({ appId: w.appId, bot, offset: 99, nowMs: w.clock.now() })).toBe(2)
    expect((await w.store.lanes.backlog({})).pending).toBe(0)
  })

  test('what consumers before this one were given has all its attempts before it, when it is called', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2', 'ben 1')
    for (let look = 1; look <= 3; look++) await take({ consumer: `look ${look}` })
    await take({ consumer: 'last', limit: 1 })
    await setReceive(w, 'push')
    const { claims } = await claimIn(w)
    expect(claims.map(({ head }) => [head.sequence, head.attempts])).toEqual([
      [1, 0],
      [1, 0],
    ])
    const first = claims.find(({ head }) => head.conversationId === 'ann_user_bot')
    if (first === undefined) throw new Error('no claim')
    const { next } = await recordIn(w, first, { kind: 'delivered' }, w.clock.now() + 1000)
    expect([next?.head.sequence, next?.head.attempts]).toEqual([2, 0])
  })

  test('a conversation whose callbacks were all cancelled under a lease keeps no other waiting', async () => {
    const { w, say, take } = await setUp(subject)
    await setReceive(w, 'push')
    await say('ann 1', 'ben 1')
    const { rows } = await listIn(w)
    for (const { id } of rows) await w.store.deliveries.cancel({ appId: w.appId, id, nowMs: w.clock.now() })
    await setReceive(w, 'pull')
    // Whoever had the leases is gone.
    w.clock.advance(60_000)
    await say('cat 1')
    expect(texts(await take({ limit: 1 }))).toEqual(['cat 1'])
    await say('ann 2')
    expect(texts(await take({ limit: 1 }))).toEqual(['ann 2'])
  })

  test('what was cancelled or replayed in between is as anybody would think', async () => {
    const { w, say, take } = await setUp(subject)
    await say('ann 1', 'ann 2')
    const [one, two] = (await take()).updates
    await w.store.deliveries.cancel({ appId: w.appId, id: one?.id ?? '', nowMs: w.clock.now() })
    expect(await w.store.updates.acknowledge({ appId: w.appId, bot, offset: 2, nowMs: w.clock.now() })).toBe(1)
    expect(await w.store.deliveries.get({ appId: w.appId, id: one?.id ?? '' })).toMatchObject({ state: 'cancelled' })
    expect(await w.store.deliveries.get({ appId: w.appId, id: two?.id ?? '' })).toMatchObject({ state: 'delivered' })
    await w.store.deliveries.replay({ appId: w.appId, id: one?.id ?? '', nowMs: w.clock.now() })
    const again = await take()
    expect(again.updates.map(({ id, attempt }) => [id, attempt])).toEqual([[one?.id, 1]])
    await w.store.bots.remove({ appId: w.appId, uid: bot, nowMs: w.clock.now() })
    await expectCode(take(), 'ERR_BOT_NOT_FOUND')
  })
}
