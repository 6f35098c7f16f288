import { SYSTEM_UID } from '@confab/protocol'
import { expect, test } from 'vitest'
import { guidOf, uidOf } from '../../testing/builders.ts'
import type { UserFilter } from '../sql/users/user-lists.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

export const usersConformance = (subject: Subject): void => {
  test('a user comes back as it was made', async () => {
    const w = await worldOf(subject)
    const plain = await w.user('alice')
    expect(plain).toEqual({
      uid: 'alice',
      name: 'ALICE',
      status: 'offline',
      role: 'default',
      lastActiveAt: w.now(),
      createdAt: w.now(),
    })
    await w.roles('vip')
    const full = await w.user('zoe', {
      name: 'Zoë 🎉 “quoted” %_\\',
      avatar: 'https://e.example/a.png',
      link: 'https://e.example',
      role: 'vip',
      statusMessage: 'Hi',
      metadata: '{"a":{"b":[1,null,"ü"]}}',
      tags: '["x","y"]',
    })
    expect(full).toMatchObject({
      name: 'Zoë 🎉 “quoted” %_\\',
      avatar: 'https://e.example/a.png',
      link: 'https://e.example',
      role: 'vip',
      statusMessage: 'Hi',
      metadata: { a: { b: [1, null, 'ü'] } },
      tags: ['x', 'y'],
    })
    expect(await w.store.users.find({ appId: w.appId, uid: uidOf('zoe') })).toEqual(full)
    expect(await w.store.users.find({ appId: w.appId, uid: uidOf('nobody') })).toBeUndefined()
  })

  test('a uid is given once per app, also to two who ask at once', async () => {
    const [w, other] = [await worldOf(subject), await worldOf(subject)]
    const tried = await Promise.allSettled(Array.from({ length: 6 }, () => w.user('alice')))
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expectCode(w.user('alice'), 'ERR_UID_ALREADY_EXISTS')
    expect(await other.user('alice')).toMatchObject({ uid: 'alice' })
  })

  test('a text that no engine can hold is refused, and nothing is changed', async () => {
    const w = await worldOf(subject)
    await expectCode(w.user('alice', { name: 'a\0b' }), 'ERR_BAD_REQUEST')
    await w.user('alice')
    const input = { appId: w.appId, uid: uidOf('alice'), name: 'a\0b', now: w.now() }
    await expectCode(w.store.users.update(input), 'ERR_BAD_REQUEST')
    expect(await w.store.users.find({ appId: w.appId, uid: uidOf('alice') })).toMatchObject({ name: 'ALICE' })
  })

  test('an update changes what it names', async () => {
    const w = await worldOf(subject)
    await w.user('alice', { avatar: 'https://e.example/a', tags: '["x"]' })
    w.clock.advance(5000)
    const base = { appId: w.appId, uid: uidOf('alice'), now: w.now() }
    const changed = await w.store.users.update({ ...base, name: 'Alice', statusMessage: 'busy', avatar: null })
    expect(changed).toMatchObject({ name: 'Alice', statusMessage: 'busy', tags: ['x'], updatedAt: w.now() })
    expect(changed).not.toHaveProperty('avatar')
    expect(changed.createdAt).toBe(w.now() - 5)
    await expectCode(w.store.users.update({ ...base, uid: uidOf('bob'), name: 'B' }), 'ERR_UID_NOT_FOUND')
  })

  test('a deactivated user is not there, until reactivated', async () => {
    const w = await worldOf(subject)
    await w.users('alice', 'bob')
    const uids = ['alice', 'nobody'].map(uidOf)
    const appId = w.appId
    expect(await w.store.users.setDeactivated({ appId, uids, at: w.now() })).toEqual(['alice'])
    expect(await w.store.users.find({ appId, uid: uidOf('alice') })).toBeUndefined()
    await expectCode(w.send({ from: 'bob', to: 'alice' }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.send({ from: 'alice', to: 'bob' }), 'ERR_UID_NOT_FOUND')
    const listed = async (deactivated: UserFilter['deactivated']) =>
      (await w.store.users.list({ actor: w.app, filter: { deactivated }, page })).rows.map((user) => user.uid)
    expect(await listed('without')).toEqual(['bob'])
    expect(await listed('only')).toEqual(['alice'])
    expect(await listed('with')).toEqual(['alice', 'bob'])
    await w.store.users.setDeactivated({ appId, uids, at: null })
    expect(await w.store.users.find({ appId, uid: uidOf('alice') })).toMatchObject({ uid: 'alice' })
  })

  test('a removed user leaves groups, bans, tokens, ownership and the bot behind; messages stay', async () => {
    const w = await worldOf(subject)
    const { appId, store } = w
    await w.users('bob', 'carl')
    await w.bot('ann')
    await w.group('mine', { owner: 'ann', members: { bob: 'participant' } })
    await w.group('barred', { members: { ann: 'banned', bob: 'admin' } })
    await w.send({ from: 'ann', to: 'bob', text: 'still here' })
    const token = { appId, uid: uidOf('ann'), token: `t-${appId}`, platform: null, userAgent: null, appInfo: null }
    await store.authTokens.create({ ...token, fresh: true, now: 1 })
    await store.users.setDeactivated({ appId, uids: [uidOf('ann')], at: 1 })
    await store.users.remove({ appId, uid: uidOf('ann'), system: SYSTEM_UID, nowMs: 1 })
    await expectCode(store.bots.find({ appId, uid: uidOf('ann') }), 'ERR_BOT_NOT_FOUND')
    const mine = await store.groups.find({ actor: w.app, guid: guidOf('mine') })
    expect(mine).toMatchObject({ owner: SYSTEM_UID, membersCount: 1 })
    expect((await store.members.listBanned({ actor: w.app, guid: guidOf('barred'), page })).total).toBe(0)
    expect((await w.list({ scope: { kind: 'user', uid: uidOf('bob') } })).rows).toHaveLength(1)
    await expectCode(
      store.users.remove({ appId, uid: uidOf('ann'), system: SYSTEM_UID, nowMs: 1 }),
      'ERR_UID_NOT_FOUND',
    )
    await w.user('ann')
    expect((await store.authTokens.list({ appId, uid: uidOf('ann'), page })).total).toBe(0)
    expect(await store.groups.find({ actor: w.as('ann'), guid: guidOf('mine') })).toMatchObject({ hasJoined: false })
  })

  test('lists search by the beginning of the uid or any part of the name, and take every character as itself', async () => {
    const w = await worldOf(subject)
    await w.roles('vip')
    await w.user('a_b', { name: 'Percent 100%' })
    await w.user('axb', { name: 'Under_score' })
    await w.user('c', { name: 'Back\\slash', role: 'vip' })
    await w.user('d', { name: 'Élan ÆON' })
    const found = async (filter: Partial<UserFilter>) => {
      const { rows, total } = await w.store.users.list({
        actor: w.app,
        filter: { deactivated: 'without', ...filter },
        page,
      })
      expect(total).toBe(rows.length)
      return rows.map((user) => user.uid)
    }
    expect(await found({ searchKey: 'A_' })).toEqual(['a_b'])
    expect(await found({ searchKey: '%' })).toEqual(['a_b'])
    expect(await found({ searchKey: '_' })).toEqual(['axb'])
    expect(await found({ searchKey: '\\' })).toEqual(['c'])
    expect(await found({ searchKey: 'UNDER' })).toEqual(['axb'])
    expect(await found({ searchKey: 'Élan' })).toEqual(['d'])
    expect(await found({ searchKey: 'ÆON' })).toEqual(['d'])
    expect(await found({ searchKey: 'a', searchIn: ['uid'] })).toEqual(['a_b', 'axb'])
    expect(await found({ searchKey: 'a', searchIn: ['name'] })).toEqual(['c', 'd'])
    expect(await found({ roles: ['vip', 'other'] })).toEqual(['c'])
    expect(await found({ status: 'available' })).toEqual([])
    expect(await found({ status: 'offline' })).toHaveLength(4)
  })

  test('tags are found whole, with their case and with every character they hold', async () => {
    const w = await worldOf(subject)
    const tags = ['x', 'X', 'a"b', 'b', '100%', '100', 'p_q', 'pxq', '\\', 'a\\', ',', 'é', '"', ']']
    for (const [n, tag] of tags.entries()) await w.user(`u${n}`, { tags: JSON.stringify(['first', tag, 'last,']) })
    const found = async (...asked: string[]) => {
      const filter: UserFilter = { deactivated: 'without', tags: asked }
      const { rows } = await w.store.users.list({ actor: w.app, filter, page })
      return rows.map((user) => user.tags?.[1])
    }
    for (const tag of tags) expect(await found(tag)).toEqual([tag])
    expect((await found('x', 'b')).sort()).toEqual(['b', 'x'])
    expect(await found('first')).toHaveLength(tags.length)
    expect(await found('firs', 'irst', 'last')).toEqual([])
  })

  test('pages hold each user once, and say how many there are in all', async () => {
    const w = await worldOf(subject)
    const uids = Array.from({ length: 11 }, (_, n) => `u${String(n).padStart(2, '0')}`)
    await w.users(...uids)
    const pages = await Promise.all(
      [1, 2, 3, 4].map((number) =>
        w.store.users.list({ actor: w.app, filter: { deactivated: 'without' }, page: { page: number, perPage: 4 } }),
      ),
    )
    expect(pages.map(({ total }) => total)).toEqual([11, 11, 11, 11])
    expect(pages.map(({ rows }) => rows.length)).toEqual([4, 4, 3, 0])
    expect(pages.flatMap(({ rows }) => rows.map((user) => user.uid))).toEqual(uids)
  })
}
