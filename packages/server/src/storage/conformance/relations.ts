import { defaultLimits, SYSTEM_UID } from '@confab/protocol'
import { expect, test } from 'vitest'
import { tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { UserFilter } from '../sql/users/user-lists.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const relationsOf = (w: World) => {
  const { appId, store } = w
  const pair = (uid: string, others: readonly string[]) => ({ appId, uid: uidOf(uid), others: others.map(uidOf) })
  const listed = async (rows: Promise<{ rows: readonly { uid: string }[] }>) => (await rows).rows.map(({ uid }) => uid)
  return {
    befriend: (uid: string, others: readonly string[], addToConversations = false) =>
      store.friends.add({ ...pair(uid, others), addToConversations, now: w.now() }),
    part: (uid: string, ...others: string[]) => store.friends.remove(pair(uid, others)),
    friends: (uid: string, searchKey = '') => listed(store.friends.list({ appId, uid: uidOf(uid), searchKey, page })),
    block: (uid: string, ...others: string[]) =>
      store.blocks.add({ ...pair(uid, others), actor: w.app, telling: tellingIn(w) }).then(({ outcomes }) => outcomes),
    unblock: (uid: string, ...others: string[]) =>
      store.blocks
        .remove({ ...pair(uid, others), actor: w.app, telling: tellingIn(w) })
        .then(({ outcomes }) => outcomes),
    blocked: (uid: string, direction: 'blockedByMe' | 'hasBlockedMe' | 'both', searchKey = '') =>
      listed(store.blocks.list({ appId, actor: w.app, uid: uidOf(uid), direction, searchKey, page })),
    seen: (by: string, uid: string) => store.users.findAs({ actor: w.as(by), uid: uidOf(uid) }),
    users: async (by: string, filter: Partial<UserFilter> = {}) =>
      listed(store.users.list({ actor: w.as(by), filter: { deactivated: 'without', ...filter }, page })),
  }
}

export const relationsConformance = (subject: Subject): void => {
  test('friends are so to each other, each once', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('ann', 'bob', 'cara', 'dan')
    expect(await r.befriend('ann', ['bob', 'cara', 'nobody'])).toEqual([
      { uid: 'bob', failure: undefined },
      { uid: 'cara', failure: undefined },
      { uid: 'nobody', failure: 'ERR_UID_NOT_FOUND' },
    ])
    expect(await r.befriend('bob', ['ann'])).toEqual([{ uid: 'ann', failure: 'ERR_ALREADY_FRIEND' }])
    expect([await r.friends('ann'), await r.friends('bob')]).toEqual([['bob', 'cara'], ['ann']])
    expect(await r.friends('ann', 'CA')).toEqual(['cara'])
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('cara')], at: 1 })
    expect(await r.friends('ann')).toEqual(['bob'])
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('cara')], at: null })
    await expectCode(r.befriend('ann', ['dan', 'ann']), 'ERR_CANNOT_FORM_SELF_RELATION')
    await expectCode(r.befriend('nobody', ['ann']), 'ERR_UID_NOT_FOUND')
    // All or none.
    await expectCode(r.part('ann', 'bob', 'dan'), 'ERR_NOT_A_FRIEND')
    expect(await r.friends('ann')).toEqual(['bob', 'cara'])
    await r.part('bob', 'ann')
    expect([await r.friends('ann'), await r.friends('bob')]).toEqual([['cara'], []])
  })

  test('two who befriend each other at once are friends once', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('ann', 'bob', 'cara')
    const all = await Promise.all([r.befriend('ann', ['bob', 'cara']), r.befriend('bob', ['cara', 'ann'])])
    const failures = all.flat().map(({ failure }) => failure)
    expect(failures.filter((failure) => failure === 'ERR_ALREADY_FRIEND')).toHaveLength(1)
    expect([await r.friends('ann'), await r.friends('bob')]).toEqual([
      ['bob', 'cara'],
      ['ann', 'cara'],
    ])
  })

  test('nobody has more friends than the limit, from either side', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    const uids = Array.from({ length: defaultLimits.friendsPerUser + 1 }, (_, n) => `u${String(n).padStart(4, '0')}`)
    await w.users('ann')
    await Promise.all(uids.map((uid) => w.user(uid)))
    const outcomes = await r.befriend('ann', uids)
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([
      { uid: uids.at(-1), failure: 'ERR_PLAN_QUOTA_RESTRICTION' },
    ])
    expect(await r.befriend(uids.at(-1) ?? '', ['ann'])).toMatchObject([{ failure: 'ERR_PLAN_QUOTA_RESTRICTION' }])
    await r.part('ann', uids[0] ?? '')
    expect(await r.befriend(uids.at(-1) ?? '', ['ann'])).toEqual([{ uid: 'ann', failure: undefined }])
  }, 60_000)

  test('blocking is for one side, holds until it is undone, and names nobody twice', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('ann', 'bob', 'cara')
    await r.block('ann', 'bob')
    const since = w.now()
    w.clock.advance(5000)
    expect(await r.block('ann', 'bob', 'nobody')).toEqual([
      { uid: 'bob', failure: undefined },
      { uid: 'nobody', failure: 'ERR_UID_NOT_FOUND' },
    ])
    await r.block('cara', 'ann')
    expect(await r.blocked('ann', 'blockedByMe')).toEqual(['bob'])
    expect(await r.blocked('ann', 'hasBlockedMe')).toEqual(['cara'])
    expect(await r.blocked('ann', 'both')).toEqual(['bob', 'cara'])
    expect(await r.blocked('ann', 'both', 'CA')).toEqual(['cara'])
    expect(await r.blocked('bob', 'blockedByMe')).toEqual([])
    const bob = await r.seen('ann', 'bob')
    expect(bob).toMatchObject({ blockedByMe: true, blockedByMeAt: since, blockedAt: since })
    expect(bob).toMatchObject({ conversationId: 'ann_user_bob' })
    expect(bob).not.toHaveProperty('hasBlockedMe')
    expect(await r.seen('ann', 'cara')).toMatchObject({ hasBlockedMe: true, blockedAt: w.now() })
    expect(await r.seen('bob', 'cara')).not.toHaveProperty('blockedAt')
    await expectCode(r.block('ann', 'ann', 'cara'), 'ERR_CANNOT_BLOCK_SELF')
    await expectCode(r.unblock('ann', 'ann'), 'ERR_CANNOT_BLOCK_SELF')
    expect(await r.unblock('ann', 'bob', 'cara', 'nobody')).toEqual([
      { uid: 'bob', failure: undefined },
      { uid: 'cara', failure: undefined },
      { uid: 'nobody', failure: 'ERR_UID_NOT_FOUND' },
    ])
    expect(await r.blocked('ann', 'both')).toEqual(['cara'])
  })

  test('a block ends talk between the two, both ways and at once; the app and groups are as before', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('ann')
    await w.bot('bot')
    await w.group('g', { members: { ann: 'participant', bot: 'participant' } })
    const say = (from: string, to: string) => w.send({ from, to })
    await say('ann', 'bot')
    await r.block('ann', 'bot')
    await expectCode(say('ann', 'bot'), 'ERR_BLOCKED_RECEIVER')
    await expectCode(say('bot', 'ann'), 'ERR_BLOCKED_SENDER')
    await w.send({ to: 'ann' })
    await w.send({ from: 'bot', toGroup: 'g' })
    await r.block('bot', 'ann')
    await expectCode(say('bot', 'ann'), 'ERR_BLOCKED_RECEIVER')
    await r.unblock('ann', 'bot')
    await expectCode(say('ann', 'bot'), 'ERR_BLOCKED_SENDER')
    await r.unblock('bot', 'ann')
    await say('ann', 'bot')
    await say('bot', 'ann')
  })

  test('lists are of others, as the acting user sees them', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.user('ann', { metadata: '{"@private":{"email":"a"},"open":1}' })
    await w.user('bob', { name: 'zed' })
    await w.user('cara', { name: 'Yan' })
    await w.user('dan', { name: 'xia' })
    await r.befriend('ann', ['bob', 'cara'])
    await r.block('ann', 'cara', 'dan')
    expect(await r.users('ann')).toEqual(['bob', 'cara', 'dan'])
    expect(await r.users('ann', { sortBy: 'name' })).toEqual(['dan', 'cara', 'bob'])
    expect(await r.users('ann', { descending: true })).toEqual(['dan', 'cara', 'bob'])
    expect(await r.users('ann', { friendsOnly: true })).toEqual(['bob', 'cara'])
    expect(await r.users('ann', { hideBlockedUsers: true })).toEqual(['bob'])
    expect(await r.users('cara', { hideBlockedUsers: true })).toEqual(['ann', 'bob', 'dan'])
    expect(await r.users('ann', { uids: ['ann', 'dan', 'nobody'].map(uidOf) })).toEqual(['dan'])
    await expectCode(r.users('nobody'), 'ERR_UID_NOT_FOUND')
    expect((await r.seen('bob', 'ann')).metadata).toEqual({ open: 1 })
    expect((await r.seen('ann', 'ann')).metadata).toEqual({ '@private': { email: 'a' }, open: 1 })
    expect(await r.seen('ann', 'ann')).not.toHaveProperty('conversationId')
    const filter = { deactivated: 'without' as const, friendsOnly: true, hideBlockedUsers: true }
    expect((await w.store.users.list({ actor: w.app, filter, page })).rows.map(({ uid }) => uid)).toEqual([
      'ann',
      'bob',
      'cara',
      'dan',
    ])
  })

  test('a removed user leaves neither friends nor blocks behind', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('ann', 'bob', 'cara')
    await r.befriend('ann', ['bob', 'cara'])
    await r.befriend('bob', ['cara'])
    await r.block('ann', 'bob')
    await r.block('cara', 'ann')
    await w.store.users.remove({ appId: w.appId, uid: uidOf('ann'), system: SYSTEM_UID, nowMs: 1 })
    await w.user('ann')
    expect([await r.friends('ann'), await r.friends('bob')]).toEqual([[], ['cara']])
    expect([await r.blocked('ann', 'both'), await r.blocked('bob', 'both')]).toEqual([[], []])
    await w.send({ from: 'ann', to: 'bob' })
  })

  test('nor does one who is removed while others relate to them', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('bob', 'cara')
    const { store, peer } = subject()
    for (let round = 0; round < 6; round++) {
      await w.user('ann')
      const gone = { appId: w.appId, uid: uidOf('ann'), system: SYSTEM_UID, nowMs: 1 }
      await Promise.all([
        r.befriend('bob', ['ann']),
        (round % 2 ? store : peer).users.remove(gone),
        r.block('cara', 'ann'),
      ])
      await w.user('ann')
      expect([await r.friends('bob'), await r.blocked('cara', 'both')]).toEqual([[], []])
      await store.users.remove(gone)
    }
  })

  test('a friendship may begin the conversation, which is there before anything is said', async () => {
    const w = await worldOf(subject)
    const r = relationsOf(w)
    await w.users('ann', 'bob')
    await r.befriend('bob', ['ann'], true)
    const { message } = await w.send({ from: 'ann', to: 'bob' })
    expect(message.conversationId).toBe('ann_user_bob')
    expect((await w.list({ actor: w.as('bob') })).rows).toHaveLength(1)
  })
}
