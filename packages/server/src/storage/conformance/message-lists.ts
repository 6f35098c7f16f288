import type { Affix, ConversationId, MessageId } from '@confab/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { MessageFilter } from '../sql/messages/message-filters.ts'
import type { MessageScope } from '../sql/messages/message-lists.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const textOf = (row: { data: string }): string => JSON.parse(row.data).text ?? JSON.parse(row.data).action ?? '-'

const textsIn =
  (w: World) =>
  async (scope: MessageScope, filter: Partial<MessageFilter> = {}, actor = w.app) =>
    (await w.list({ scope, filter, actor })).rows.map(textOf)

const all: MessageScope = { kind: 'all' }
const inGroup: MessageScope = { kind: 'group', guid: guidOf('g') }
const ofUser = (uid: string): MessageScope => ({ kind: 'user', uid: uidOf(uid) })

/** Reads on from a cursor until there is no more, sending something between pages. */
const readAll = async (w: World, affix: Affix, limit: number, between: () => Promise<void>): Promise<MessageId[]> => {
  const seen: MessageId[] = []
  for (;;) {
    const edge = affix === 'append' ? seen.at(-1) : seen[0]
    const cursor = { affix, limit, ...(edge !== undefined && { id: Number(edge) }) }
    const { rows, hasMore } = await w.list({ scope: inGroup, cursor })
    const ids = rows.map(({ id }) => id)
    expect(ids.length).toBe(hasMore ? limit : ids.length)
    seen.splice(affix === 'append' ? seen.length : 0, 0, ...ids)
    if (!hasMore) return seen
    await between()
  }
}

const FILTERS: readonly Partial<MessageFilter>[] = [
  {},
  ...[{ types: ['text'] }, { unread: true }, { undelivered: true }, { pinned: true }, { saved: true }, { tags: ['t'] }],
  ...[{ sender: uidOf('b') }, { hideReplies: true }, { changedSince: 1 }, { receiverType: 'group' as const }],
]

const PLACES = [{ to: 'b' }, { to: 'c' }, { to: 'd' }, { toGroup: 'g' }, { toGroup: 'h' }] as const

const scopeOf = (place: (typeof PLACES)[number]): MessageScope =>
  'to' in place ? ofUser(place.to) : { kind: 'group', guid: guidOf(place.toGroup) }

/** What one of these lists shows is found conversation by conversation too: in another way than all of them together. */
const oneByOne = async (w: World, filter: Partial<MessageFilter>): Promise<MessageId[]> => {
  const lists = PLACES.map((place) =>
    w.list({ actor: w.as('a'), scope: scopeOf(place), filter, cursor: { limit: 1000 } }),
  )
  const rows = (await Promise.all(lists)).flatMap((list) => list.rows)
  return rows.map(({ id }) => id).sort((one, other) => Number(one) - Number(other))
}

export const messageListsConformance = (subject: Subject): void => {
  test('scopes: everything, a user, a conversation, a group, a thread', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b', 'c')
    await w.group('g', { members: { a: 'participant', b: 'participant' } })
    const { message: ab } = await w.send({ from: 'a', to: 'b', text: 'ab' })
    await w.send({ from: 'b', to: 'c', text: 'bc' })
    await w.send({ from: 'b', toGroup: 'g', text: 'bg' })
    await w.send({ to: 'c', text: 'app-c' })
    await w.send({ from: 'b', to: 'a', text: 'reply', parent: ab.id })
    const other = await worldOf(subject)
    await other.users('a', 'b')
    await other.send({ from: 'a', to: 'b', text: 'elsewhere' })
    const texts = textsIn(w)
    expect(await texts(all)).toEqual(['ab', 'bc', 'bg', 'app-c', 'reply'])
    expect(await texts(all, {}, w.as('a'))).toEqual(['ab', 'bg', 'reply'])
    expect(await texts(all, {}, w.as('c'))).toEqual(['bc', 'app-c'])
    expect(await texts(ofUser('b'))).toEqual(['ab', 'bc', 'reply'])
    expect(await texts(ofUser('b'), {}, w.as('a'))).toEqual(['ab', 'reply'])
    expect(await texts(ofUser('c'), {}, w.as('a'))).toEqual([])
    expect(await texts(inGroup)).toEqual(['bg'])
    expect(await texts(inGroup, {}, w.as('a'))).toEqual(['bg'])
    const thread: MessageScope = { kind: 'thread', parentId: ab.id }
    expect(await texts(thread)).toEqual(['reply'])
    expect(await texts(thread, {}, w.as('a'))).toEqual(['reply'])
    await expectCode(texts(thread, {}, w.as('c')), 'ERR_MESSAGE_NO_ACCESS')
    await expectCode(textsIn(other)(thread), 'ERR_MESSAGE_ID_NOT_FOUND')
    await expectCode(texts(inGroup, {}, w.as('c')), 'ERR_GROUP_NOT_JOINED')
    await expectCode(texts({ kind: 'group', guid: guidOf('no') }), 'ERR_GUID_NOT_FOUND')
    await expectCode(texts(ofUser('no')), 'ERR_UID_NOT_FOUND')
    await expectCode(texts(all, {}, w.as('no')), 'ERR_UID_NOT_FOUND')
  })

  test('each filter takes what it names', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    await w.group('g', { members: { a: 'participant' } })
    const { message: first } = await w.send({ from: 'a', to: 'b', text: 'one 100% sure', tags: ['x"y', 'z'] })
    w.clock.advance(10_000)
    await w.send({ from: 'b', to: 'a', text: 'two under_score', parent: first.id })
    w.clock.advance(10_000)
    await w.send({ from: 'a', toGroup: 'g', category: 'custom', type: 'poll', data: { text: 'three', customData: {} } })
    const { message: gone } = await w.send({ from: 'a', to: 'b', text: 'four', tags: ['y'] })
    await w.store.messages.remove({
      actor: w.app,
      appCreatedAt: 1,
      id: gone.id,
      permanent: false,
      telling: tellingIn(w),
    })
    const kick = { actor: w.app, appCreatedAt: 1, guid: guidOf('g'), uid: uidOf('a'), telling: tellingIn(w) }
    await w.store.members.kick(kick)
    const texts = (filter: Partial<MessageFilter>) => textsIn(w)(all, filter)
    const [one, two, three, four] = ['one 100% sure', 'two under_score', 'three', 'four']
    expect(await texts({})).toEqual([one, two, three, four, 'kicked'])
    expect(await texts({ categories: ['action'], types: ['message'] })).toEqual(['deleted'])
    expect(await texts({ categories: ['action', 'custom'] })).toEqual([three, 'kicked'])
    expect(await texts({ types: ['poll', 'text'] })).toEqual([one, two, three, four])
    expect(await texts({ receiverType: 'group' })).toEqual([three, 'kicked'])
    expect(await texts({ conversationId: 'a_user_b' as ConversationId })).toEqual([one, two, four])
    expect(await texts({ sender: uidOf('b') })).toEqual([two])
    expect(await texts({ hideDeleted: true })).toEqual([one, two, three, 'kicked'])
    expect(await texts({ onlyDeleted: true })).toEqual([four])
    expect(await texts({ hideReplies: true })).toEqual([one, three, four, 'kicked'])
    expect(await texts({ tags: ['x"y'] })).toEqual([one])
    expect(await texts({ tags: ['y'] })).toEqual([four])
    expect(await texts({ tags: ['y', 'z'] })).toEqual([one, four])
    expect(await texts({ searchKey: '%' })).toEqual([one])
    expect(await texts({ searchKey: 'UNDER_' })).toEqual([two])
    expect(await texts({ searchKey: 'four' })).toEqual([])
    expect(await texts({ fromTimestamp: w.now() - 10 })).toEqual([two, three, four, 'kicked'])
    expect(await texts({ fromTimestamp: w.now() - 15, toTimestamp: w.now() - 10 })).toEqual([two])
    expect(await texts({ toTimestamp: w.now() - 15 })).toHaveLength(5)
  })

  test('search takes text as it is written, in any script', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    for (const text of ['Größe', '日本語テスト', 'back\\slash', "it's; DROP TABLE", '🎉 party', 'ÉCLAIR']) {
      await w.send({ from: 'a', to: 'b', text })
    }
    const found = (searchKey: string) => textsIn(w)(all, { searchKey })
    expect(await found('GRöß')).toEqual(['Größe'])
    expect(await found('本語')).toEqual(['日本語テスト'])
    expect(await found('\\')).toEqual(['back\\slash'])
    expect(await found("'s;")).toEqual(["it's; DROP TABLE"])
    expect(await found('🎉')).toEqual(['🎉 party'])
    expect(await found('Éclair')).toEqual(['ÉCLAIR'])
    expect(await found('_')).toEqual([])
  })

  test('a cursor is exclusive, in both directions, by id or by time', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    const ids: number[] = []
    for (let n = 0; n < 6; n++) {
      ids.push(Number((await w.send({ from: 'a', to: 'b', text: `m${n}` })).message.id))
      w.clock.advance(1000)
    }
    const start = w.now() - 6
    const slice = async (cursor: object) => {
      const { rows, hasMore } = await w.list({ cursor: { limit: 2, ...cursor } })
      return [...rows.map(textOf), hasMore]
    }
    expect(await slice({ affix: 'append' })).toEqual(['m0', 'm1', true])
    expect(await slice({ affix: 'append', id: ids[3] })).toEqual(['m4', 'm5', false])
    expect(await slice({ affix: 'prepend' })).toEqual(['m4', 'm5', true])
    expect(await slice({ affix: 'prepend', id: ids[3] })).toEqual(['m1', 'm2', true])
    expect(await slice({ affix: 'prepend', id: ids[2] })).toEqual(['m0', 'm1', false])
    expect(await slice({ affix: 'append', sentAt: start + 2 })).toEqual(['m3', 'm4', true])
    expect(await slice({ affix: 'prepend', sentAt: start + 2 })).toEqual(['m0', 'm1', false])
    expect(await slice({ affix: 'append', id: ids[4], sentAt: start })).toEqual(['m5', false])
  })

  test('whatever is sent between pages, each message comes once and in order', async () => {
    const w = await worldOf(subject)
    await w.users('a')
    const batch = fc.array(fc.constantFrom('a', 'app_system'), { maxLength: 3 })
    const plan = fc.record({
      before: fc.array(fc.constantFrom('a', 'app_system'), { minLength: 1, maxLength: 12 }),
      between: fc.array(batch, { maxLength: 8 }),
      limit: fc.integer({ min: 1, max: 5 }),
      affix: fc.constantFrom<Affix>('append', 'prepend'),
    })
    const run = fc.asyncProperty(plan, async ({ before, between, limit, affix }) => {
      await w.group('g', { members: { a: 'participant' } })
      const sent: MessageId[] = []
      const send = async (from: string) => sent.push((await w.send({ from, toGroup: 'g' })).message.id)
      for (const from of before) await send(from)
      const start = [...sent]
      const queue = [...between]
      const seen = await readAll(w, affix, limit, async () => {
        for (const from of queue.shift() ?? []) await send(from)
      })
      expect(seen).toEqual(affix === 'append' ? sent : start)
      while (
        (await w.store.messages.purge({
          appId: w.appId,
          of: { conversationId: 'group_g' as ConversationId },
          limit: 100,
          now: w.now(),
        })) > 0
      );
      await w.store.groups.remove({ actor: w.app, guid: guidOf('g'), telling: tellingIn(w) })
    })
    await fc.assert(run, { numRuns: 25, seed: 7 })
  })

  test('a time is found in a conversation, also where clocks differ by minutes', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    const sent: { id: MessageId; at: number }[] = []
    const day = 86_400_000
    for (const ms of [0, day, -300_000, 1000, day, 60_000, -400_000, 0, 2 * day, 1000, -1000, day]) {
      w.clock.advance(ms)
      sent.push({ id: (await w.send({ from: 'a', to: 'b' })).message.id, at: w.now() })
    }
    const scope = { ...ofUser('b') }
    const read = async (cursor: object, filter: object = {}) =>
      (await w.list({ actor: w.as('a'), scope, cursor: { limit: 100, ...cursor }, filter })).rows.map(({ id }) => id)
    const idsWhere = (fits: (at: number) => boolean) => sent.filter(({ at }) => fits(at)).map(({ id }) => id)
    for (const { at } of sent) {
      for (const time of [at - 1, at, at + 1]) {
        expect(await read({ affix: 'append', sentAt: time })).toEqual(idsWhere((other) => other > time))
        expect(await read({ affix: 'prepend', sentAt: time })).toEqual(idsWhere((other) => other < time))
        const between = { fromTimestamp: time, toTimestamp: time + 86_400 }
        expect(await read({}, between)).toEqual(idsWhere((other) => other >= time && other <= time + 86_400))
      }
    }
  })

  test('everything of a user is what their conversations hold, by cursor and by page, whatever is asked for', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b', 'c', 'd')
    const people = { a: 'participant', b: 'participant' } as const
    await w.group('g', { members: people })
    await w.group('h', { members: people })
    const said: MessageId[] = []
    const say = async (place: number, mine: boolean, what: number): Promise<void> => {
      const at = PLACES[place % PLACES.length] ?? PLACES[0]
      const other = 'to' in at ? at.to : 'b'
      const back = 'to' in at ? { to: 'a' } : at
      const { message } = await w.send({
        from: mine ? 'a' : other,
        ...(mine ? at : back),
        ...(what === 1 && { tags: ['t'] }),
      })
      said.push(message.id)
      const target = { actor: { kind: 'user', appId: w.appId, uid: uidOf('a') } as const, id: message.id, now: w.now() }
      if (what === 2) await w.store.messages.pin(target)
      if (what === 3) await w.store.messages.save(target)
    }
    const step = fc.tuple(fc.nat(4), fc.boolean(), fc.nat(5))
    const plan = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 8 }),
      read: fc.option(fc.nat(4)),
      filter: fc.constantFrom(...FILTERS),
      limit: fc.integer({ min: 1, max: 7 }),
      affix: fc.constantFrom<Affix>('append', 'prepend'),
      byPage: fc.boolean(),
    })
    const run = fc.asyncProperty(plan, async ({ steps, read, filter, limit, affix, byPage }) => {
      for (const [place, mine, what] of steps) await say(place, mine, what)
      const at = read === null ? undefined : PLACES[read]
      if (at !== undefined) {
        const partner =
          'to' in at
            ? { kind: 'user' as const, uid: uidOf(at.to) }
            : { kind: 'group' as const, guid: guidOf(at.toGroup) }
        const actor = { kind: 'user', appId: w.appId, uid: uidOf('a') } as const
        await w.store.marks.set({ actor, partner, kind: 'read', telling: tellingIn(w) })
      }
      const seen: MessageId[] = []
      for (;;) {
        const edge = affix === 'append' ? seen.at(-1) : seen[0]
        const at = edge === undefined ? {} : byPage ? { skip: seen.length } : { id: Number(edge) }
        const { rows, hasMore } = await w.list({ actor: w.as('a'), filter, cursor: { affix, limit, ...at } })
        const ids = rows.map(({ id }) => id)
        seen.splice(affix === 'append' ? seen.length : 0, 0, ...ids)
        expect(ids.length).toBe(hasMore ? limit : ids.length)
        if (!hasMore) break
      }
      expect(seen).toEqual(await oneByOne(w, filter))
    })
    await fc.assert(run, { numRuns: 60, seed: 3, endOnFailure: true })
    expect(said.length).toBeGreaterThan(100)
  })
}
