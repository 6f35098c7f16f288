import { type ConversationId, defaultLimits, type MessageId } from '@confab/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { UserActor } from '../../kernel/actor.ts'
import { guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { ConversationFilter } from '../sql/conversations/conversation-lists.ts'
import type { Partner } from '../sql/conversations/conversation-rows.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const asUser = (w: World, uid: string): UserActor => ({ kind: 'user', appId: w.appId, uid: uidOf(uid) })
const withUser = (uid: string): Partner => ({ kind: 'user', uid: uidOf(uid) })
const inGroup = (guid: string): Partner => ({ kind: 'group', guid: guidOf(guid) })

const everything: ConversationFilter = {
  unread: false,
  includeBlockedUsers: false,
  hideAgentic: false,
  onlyAgentic: false,
}

const conversationsOf = (w: World) => {
  const of = (uid: string, partner: Partner) => ({
    actor: asUser(w, uid),
    appCreatedAt: w.appCreatedAt,
    partner,
  })
  const { conversations, marks } = w.store
  return {
    find: (uid: string, partner: Partner) => conversations.find(of(uid, partner)),
    list: async (uid: string, filter: Partial<ConversationFilter> = {}) =>
      conversations.list({
        actor: asUser(w, uid),
        appCreatedAt: w.appCreatedAt,
        filter: { ...everything, ...filter },
        page,
      }),
    tag: (uid: string, partner: Partner, tags: string[]) =>
      conversations.tag({ ...of(uid, partner), tags: JSON.stringify(tags) }),
    pin: (uid: string, partner: Partner, isPinned = true) =>
      conversations.pin({ ...of(uid, partner), now: isPinned ? w.now() : null }),
    pinForAll: (guid: string, isPinned = true) =>
      conversations.pinForAll({
        appId: w.appId,
        appCreatedAt: w.appCreatedAt,
        guid: guidOf(guid),
        now: isPinned ? w.now() : null,
      }),
    hide: (uid: string, id: ConversationId) => conversations.hide({ actor: asUser(w, uid), id }),
    unread: (uid: string, more: object = {}) =>
      conversations.unread({ actor: asUser(w, uid), kind: 'read', hideBlocked: false, ...more }),
    mark: (uid: string, partner: Partner, kind: 'read' | 'delivered', upTo?: MessageId) =>
      marks.set({ actor: asUser(w, uid), partner, kind, ...(upTo && { upTo }), telling: tellingIn(w) }),
    unmark: (uid: string, partner: Partner, from: MessageId) => marks.unread({ actor: asUser(w, uid), partner, from }),
  }
}

const made = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'bob', 'cara')
  const say = async (from: string, to: string) => (await w.send({ from, to })).message.id
  const sayIn = async (from: string, guid: string) => (await w.send({ from, toGroup: guidOf(guid) })).message.id
  return { w, say, sayIn, ...conversationsOf(w) }
}

export const conversationsConformance = (subject: Subject): void => {
  test('unread counts are what a model says, whatever is sent, read, deleted and left', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), from: fc.constantFrom('ann', 'bob') }) },
      fc.record({ kind: fc.constant('read' as const), who: fc.constantFrom('ann', 'bob'), upTo: fc.nat({ max: 20 }) }),
      fc.record({ kind: fc.constant('delete' as const), which: fc.nat({ max: 20 }), permanent: fc.boolean() }),
      fc.record({
        kind: fc.constant('unread' as const),
        who: fc.constantFrom('ann', 'bob'),
        from: fc.nat({ max: 20 }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const { w, say, mark, unmark, find } = await made(subject)
        const said: { id: MessageId; from: string; isGone: boolean }[] = []
        const readUpTo = new Map<string, number>()
        const other = (uid: string) => (uid === 'ann' ? 'bob' : 'ann')
        said.push({ id: await say('ann', 'bob'), from: 'ann', isGone: false })
        for (const one of steps) {
          if (one.kind === 'send') {
            said.push({ id: await say(one.from, other(one.from)), from: one.from, isGone: false })
          } else if (one.kind === 'read') {
            const { id } = said[one.upTo % said.length] ?? said[0] ?? { id: '1' as MessageId }
            await mark(one.who, withUser(other(one.who)), 'read', id)
            readUpTo.set(one.who, Math.max(readUpTo.get(one.who) ?? 0, Number(id)))
          } else if (one.kind === 'unread') {
            const { id } = said[one.from % said.length] ?? said[0] ?? { id: '1' as MessageId }
            await unmark(one.who, withUser(other(one.who)), id)
            readUpTo.set(one.who, Math.min(readUpTo.get(one.who) ?? 0, Number(id) - 1))
          } else {
            const message = said[one.which % said.length]
            if (message === undefined || message.isGone) continue
            message.isGone = true
            await w.store.messages.remove({
              actor: w.app,
              appCreatedAt: w.appCreatedAt,
              id: message.id,
              permanent: one.permanent,
              telling: tellingIn(w),
            })
          }
        }
        for (const uid of ['ann', 'bob']) {
          const expected = said.filter(
            ({ id, from, isGone }) => from !== uid && !isGone && Number(id) > (readUpTo.get(uid) ?? 0),
          )
          expect((await find(uid, withUser(other(uid)))).unreadMessageCount).toBe(expected.length)
        }
      }),
      { numRuns: 15 },
    )
  })

  test('marks move forward only, also from two nodes at once; receipts say when each was first', async () => {
    const { w, say, mark } = await made(subject)
    const ids: MessageId[] = []
    for (let n = 0; n < 6; n++) ids.push(await say('ann', 'bob'))
    const peer = conversationsOf({ ...w, store: subject().peer })
    await Promise.all(ids.map((id, n) => (n % 2 ? mark : peer.mark)('bob', withUser('ann'), 'read', id)))
    const { views } = await w.list({ actor: asUser(w, 'ann') })
    expect(views.every(({ readAt }) => readAt === w.now())).toBe(true)
    w.clock.advance(60_000)
    const heard = async (...args: Parameters<typeof mark>) => (await mark(...args)).heard
    expect(await heard('bob', withUser('ann'), 'read')).toBeUndefined()
    expect(await heard('bob', withUser('ann'), 'read', ids[0])).toBeUndefined()
    const last = await say('ann', 'bob')
    expect(await heard('bob', withUser('ann'), 'delivered')).toMatchObject({
      ...{ by: ['ann'], toAll: [], marks: [{ kind: 'delivered', upTo: last }] },
    })
    expect((await heard('bob', withUser('ann'), 'read', '999999' as MessageId))?.marks).toEqual([
      { kind: 'read', upTo: last },
    ])
    const after = (await w.list({ actor: asUser(w, 'ann') })).views
    expect(after.at(-1)?.readAt).toBe(w.now())
    expect(after[0]?.readAt).toBe(w.now() - 60)
    expect(await heard('cara', withUser('ann'), 'read')).toBeUndefined()
  })

  test('a mark is news of what others have said: not of one’s own, not of what tells of an edit, not across a block', async () => {
    const { w, say, sayIn, mark, find } = await made(subject)
    const heard = async (...args: Parameters<typeof mark>) => (await mark(...args)).heard
    const theirs = await say('ann', 'bob')
    const edit = (id: MessageId) =>
      w.store.messages.edit({
        ...{ actor: w.app, appCreatedAt: w.appCreatedAt, id, data: { text: 'better' }, tags: undefined },
        telling: tellingIn(w),
      })
    await edit(theirs)
    await say('bob', 'ann')
    expect((await heard('bob', withUser('ann'), 'read'))?.marks).toEqual([
      { kind: 'delivered', upTo: theirs },
      { kind: 'read', upTo: theirs },
    ])
    await say('bob', 'ann')
    await edit(theirs)
    expect(await heard('bob', withUser('ann'), 'read')).toBeUndefined()

    await w.group('g', { members: { ann: 'admin', bob: 'participant', cara: 'participant' } })
    const first = await sayIn('ann', 'g')
    await sayIn('bob', 'g')
    const ofBob = await heard('bob', inGroup('g'), 'read')
    expect(ofBob).toMatchObject({ by: ['ann'], toAll: [], marks: [{ upTo: first }, { upTo: first }] })
    expect((await heard('cara', inGroup('g'), 'read', first))?.toAll.map(({ upTo }) => upTo)).toEqual([first, first])

    await say('ann', 'bob')
    const { actor, appId } = { actor: asUser(w, 'bob'), appId: w.appId }
    await w.store.blocks.add({ actor, appId, uid: uidOf('bob'), others: [uidOf('ann')], telling: tellingIn(w) })
    expect((await find('bob', withUser('ann'))).unreadMessageCount).toBe(1)
    expect((await heard('bob', withUser('ann'), 'read'))?.by).toEqual([])
    expect((await find('bob', withUser('ann'))).unreadMessageCount).toBe(0)
  })

  test('who joins begins at the end; who leaves takes nothing along', async () => {
    const { w, sayIn, find, list } = await made(subject)
    await w.group('g', { members: { ann: 'admin' } })
    await sayIn('ann', 'g')
    const join = (uid: string, lists: 'participants' | 'usersToBan' = 'participants') =>
      w.store.members.add({
        actor: w.app,
        appCreatedAt: w.appCreatedAt,
        guid: guidOf('g'),
        changes: [{ list: lists, uid: uidOf(uid) }],
        telling: tellingIn(w),
      })
    await join('bob')
    expect((await find('bob', inGroup('g'))).unreadMessageCount).toBe(0)
    await sayIn('ann', 'g')
    expect((await find('bob', inGroup('g'))).unreadMessageCount).toBe(1)
    await join('bob', 'usersToBan')
    expect((await list('bob')).rows).toEqual([])
    await expectCode(find('bob', inGroup('g')), 'ERR_GROUP_NOT_JOINED')
  })

  test('lists: the newest first, each once over pages, counted', async () => {
    const { w, say, list } = await made(subject)
    for (let n = 0; n < 7; n++) {
      await w.user(`u${n}`)
      await say(n % 2 ? 'ann' : `u${n}`, n % 2 ? `u${n}` : 'ann')
      w.clock.advance(n % 3 ? 0 : 1000)
    }
    const all = (await list('ann')).rows.map(({ conversationId }) => conversationId)
    expect(all).toHaveLength(7)
    const pages: string[] = []
    for (let number = 1; number <= 4; number++) {
      const { rows, total } = await w.store.conversations.list({
        actor: asUser(w, 'ann'),
        appCreatedAt: w.appCreatedAt,
        filter: everything,
        page: { page: number, perPage: 2 },
      })
      expect(total).toBe(7)
      pages.push(...rows.map(({ conversationId }) => conversationId))
    }
    expect(pages).toEqual(all)
    const times = (await list('ann')).rows.map(({ updatedAt }) => updatedAt)
    expect(times).toEqual([...times].sort((a, b) => b - a))
    const ofApp = await w.store.conversations.list({
      actor: w.app,
      appCreatedAt: w.appCreatedAt,
      filter: everything,
      page,
    })
    expect(ofApp.rows.map(({ conversationId }) => conversationId)).toEqual([...all].sort())
    expect(ofApp.total).toBe(7)
  })

  test('a user’s own: tags, pins, and what they have deleted', async () => {
    const { w, say, sayIn, find, list, tag, pin, pinForAll, hide } = await made(subject)
    await w.group('g', { members: { ann: 'admin', bob: 'participant' } })
    await expectCode(find('ann', withUser('bob')), 'ERR_CONVERSATION_NOT_ACCESSIBLE')
    await expectCode(tag('ann', withUser('bob'), ['x']), 'ERR_CONVERSATION_NOT_ACCESSIBLE')
    const id = await say('bob', 'ann')
    expect((await tag('ann', withUser('bob'), ['x', 'y'])).tags).toBe('["x","y"]')
    expect((await list('ann', { tags: ['y'] })).total).toBe(1)
    expect((await list('bob', { tags: ['y'] })).total).toBe(0)
    expect(await pin('ann', withUser('bob'))).toMatchObject({ pinnedBy: 'me', pinnedAt: w.now() })
    expect((await find('bob', withUser('ann'))).pinnedBy).toBeUndefined()
    await hide('ann', 'ann_user_bob' as ConversationId)
    await expectCode(hide('ann', 'ann_user_bob' as ConversationId), 'ERR_CONVERSATION_NOT_FOUND')
    expect((await list('ann')).rows).toEqual([])
    expect((await w.list({ actor: asUser(w, 'ann') })).rows).toEqual([])
    expect((await w.list({ actor: asUser(w, 'bob') })).rows.map((row) => row.id)).toEqual([id])
    const next = await say('bob', 'ann')
    expect(await find('ann', withUser('bob'))).toMatchObject({ unreadMessageCount: 1, tags: null })
    expect((await w.list({ actor: asUser(w, 'ann') })).rows.map((row) => row.id)).toEqual([next])
    await expectCode(pinForAll('nowhere'), 'ERR_GUID_NOT_FOUND')
    await expectCode(pinForAll('g'), 'ERR_CONVERSATION_NOT_ACCESSIBLE')
    await sayIn('ann', 'g')
    expect((await pinForAll('g')).pinnedBy).toBe('system')
    await expectCode(pin('ann', inGroup('g'), false), 'ERR_SYSTEM_PINNED_CONVERSATION')
    expect((await pinForAll('g', false)).pinnedBy).toBeUndefined()
  })

  test('no more than a few are pinned', async () => {
    const { w, say, sayIn, pin, pinForAll } = await made(subject)
    for (let n = 0; n <= defaultLimits.pinnedConversations; n++) {
      await w.user(`u${n}`)
      await w.group(`g${n}`, { members: { ann: 'admin' } })
      await say('ann', `u${n}`)
      await sayIn('ann', `g${n}`)
      if (n === defaultLimits.pinnedConversations) {
        await expectCode(pin('ann', withUser(`u${n}`)), 'ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED')
        await expectCode(pinForAll(`g${n}`), 'ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED')
      } else {
        await pin('ann', withUser(`u${n}`))
        await pinForAll(`g${n}`)
      }
    }
  })

  test('by id, by type, unread by conversation, and gone for good', async () => {
    const { w, say, sayIn, list, mark, unread } = await made(subject)
    await w.group('g', { members: { ann: 'admin', bob: 'participant' } })
    await say('bob', 'ann')
    const two = await say('bob', 'ann')
    await sayIn('bob', 'g')
    const byId = (id: string) =>
      w.store.conversations.findById({
        actor: asUser(w, 'ann'),
        appCreatedAt: w.appCreatedAt,
        id: id as ConversationId,
      })
    expect((await byId('ann_user_bob')).unreadMessageCount).toBe(2)
    await expectCode(byId('bob_user_cara'), 'ERR_CONVERSATION_NOT_FOUND')
    const counts = [
      { entityType: 'user', entityId: 'bob', count: 2 },
      { entityType: 'group', entityId: 'g', count: 1 },
    ]
    expect(await unread('ann')).toEqual(counts)
    expect(await unread('ann', { type: 'group' })).toEqual([counts[1]])
    expect(await unread('ann', { partner: withUser('bob'), kind: 'delivered' })).toEqual([counts[0]])
    await mark('ann', withUser('bob'), 'read', two)
    expect(await unread('ann')).toEqual([counts[1]])
    expect((await list('ann', { unread: true })).rows.map(({ conversationId }) => conversationId)).toEqual(['group_g'])
    expect((await list('ann', { type: 'user' })).total).toBe(1)
    await w.store.conversations.remove({ appId: w.appId, id: 'group_g' as ConversationId })
    expect((await list('ann')).total).toBe(1)
    expect(await w.store.conversations.removeOf({ appId: w.appId, uid: uidOf('bob'), limit: 10 })).toBe(1)
    expect((await list('ann')).total).toBe(0)
  })
}
