import type { Scope } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { Actor } from '../../kernel/actor.ts'
import { changesOf, guidOf, type MembersByUid, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const g = guidOf('g')

const membersOf = (w: World) => {
  const input = (actor: Actor, uid: string) => ({
    actor,
    appCreatedAt: w.appCreatedAt,
    guid: g,
    uid: uidOf(uid),
    telling: tellingIn(w),
  })
  const { members } = w.store
  return {
    add: async (actor: Actor, who: MembersByUid) =>
      (await members.add({ ...input(actor, ''), changes: changesOf(who) })).outcomes,
    kick: async (actor: Actor, uid: string) => (await members.kick(input(actor, uid))).action,
    ban: async (actor: Actor, uid: string) => (await members.ban(input(actor, uid))).action,
    unban: async (actor: Actor, uid: string) => (await members.unban(input(actor, uid))).action,
    scope: (actor: Actor, uid: string, scope: Scope) => members.changeScope({ ...input(actor, uid), scope }),
    uids: async () =>
      (await members.list({ actor: w.app, guid: g, page })).rows.map((row) => `${row.uid}:${row.scope}`),
    banned: async () => (await members.listBanned({ actor: w.app, guid: g, page })).rows.map((row) => row.uid),
    count: async () => (await w.store.groups.find({ actor: w.app, guid: g })).membersCount,
  }
}

/** A group of ann, who owns it, adm, mod, mod2 and par; out stands outside. */
const groupWorld = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'adm', 'mod', 'mod2', 'par', 'out')
  const members = { adm: 'admin', mod: 'moderator', mod2: 'moderator', par: 'participant' } as const
  await w.group('g', { owner: 'ann', members })
  return { w, m: membersOf(w) }
}

export const membersConformance = (subject: Subject): void => {
  test('members join, leave and hand over by themselves; a password that has changed since is wrong', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'bob', 'cara')
    await w.group('g', { owner: 'ann', type: 'password', passwordHash: 'hash' })
    await w.group('closed', { owner: 'ann', type: 'private' })
    const of = (uid: string, guid = 'g') => ({
      actor: { kind: 'user' as const, appId: w.appId, uid: uidOf(uid) },
      appCreatedAt: w.appCreatedAt,
      guid: guidOf(guid),
      telling: tellingIn(w),
    })
    const { groups } = w.store
    const join = (uid: string, passwordHash: string | null, guid?: string) =>
      groups.join({ ...of(uid, guid), passwordHash })
    expect(await groups.passwordHash(of('bob'))).toBe('hash')
    await expectCode(join('bob', 'other'), 'ERR_WRONG_GROUP_PASS')
    await expectCode(join('bob', null, 'closed'), 'ERR_GROUP_JOIN_NOT_ALLOWED')
    await expectCode(groups.find({ actor: w.as('bob'), guid: guidOf('closed') }), 'ERR_GROUP_NOT_JOINED')
    const { action } = await join('bob', 'hash')
    expect(JSON.parse(action.data)).toMatchObject({
      action: 'joined',
      entities: { for: { entity: { membersCount: 2 } } },
    })
    await expectCode(join('bob', 'hash'), 'ERR_ALREADY_JOINED')
    await expectCode(groups.leave(of('ann')), 'ERR_GROUP_NO_SELF_ACTION')
    await expectCode(groups.leave(of('cara')), 'ERR_GROUP_NOT_JOINED')
    const transfer = (by: string, owner: string) =>
      groups.transfer({ actor: w.as(by), guid: guidOf('g'), owner: uidOf(owner), telling: tellingIn(w) })
    await expectCode(transfer('bob', 'bob'), 'ERR_GROUP_NO_CLEARANCE')
    await expectCode(transfer('ann', 'cara'), 'ERR_NOT_A_MEMBER')
    await transfer('ann', 'bob')
    expect(JSON.parse((await groups.leave(of('ann'))).action.data).action).toBe('left')
    await groups.leave(of('bob'))
    expect(await groups.find({ actor: w.app, guid: guidOf('g') })).toMatchObject({
      owner: 'app_system',
      membersCount: 0,
    })
  })

  test('each uid is added for itself, and the group is told of each', async () => {
    const { w, m } = await groupWorld(subject)
    await w.users('new')
    const outcomes = await m.add(w.as('adm'), { new: 'moderator', nobody: 'participant', par: 'admin', out: 'banned' })
    expect(
      outcomes.map(({ uid, failure, action }) => [uid, failure, action && JSON.parse(action.data).action]),
    ).toEqual([
      ['new', undefined, 'added'],
      ['nobody', 'ERR_UID_NOT_FOUND', undefined],
      ['par', 'ERR_ALREADY_JOINED', undefined],
      ['out', undefined, 'banned'],
    ])
    const again = await m.add(w.app, { out: 'participant', new: 'banned' })
    expect(again.map(({ failure }) => failure)).toEqual(['ERR_BANNED_GROUPMEMBER', undefined])
    expect((await m.add(w.app, { out: 'banned' }))[0]).toMatchObject({ failure: 'ERR_ALREADY_BANNED' })
    expect(await m.banned()).toEqual(['new', 'out'])
    expect(await m.count()).toBe(5)
  })

  test('an action message has who did it, to whom, and in which group', async () => {
    const { w, m } = await groupWorld(subject)
    const message = await m.scope(w.as('adm'), 'par', 'moderator')
    expect(message.joinedAt).toBe(w.now())
    expect(message.action).toMatchObject({
      conversationId: 'group_g',
      sender: 'adm',
      receiverType: 'group',
      receiver: 'g',
      category: 'action',
      type: 'groupMember',
      muid: null,
    })
    expect(JSON.parse(message.action.data)).toMatchObject({
      action: 'scopeChanged',
      extras: { scope: { old: 'participant', new: 'moderator' } },
      entities: {
        by: { entity: { uid: 'adm' }, entityType: 'user' },
        on: { entity: { uid: 'par' }, entityType: 'user' },
        for: { entity: { guid: 'g', membersCount: 5 }, entityType: 'group' },
      },
    })
    const kicked = await m.kick(w.app, 'par')
    expect(kicked.sender).toBe('app_system')
    expect(JSON.parse(kicked.data)).toMatchObject({
      action: 'kicked',
      entities: { by: { entity: { uid: 'app_system' } }, for: { entity: { membersCount: 4 } } },
    })
    const { rows } = await w.list({ scope: { kind: 'group', guid: g } })
    expect(rows.map((row) => JSON.parse(row.data).action)).toEqual(['scopeChanged', 'kicked'])
  })

  test('who may add, kick, ban and change scopes', async () => {
    const { w, m } = await groupWorld(subject)
    await expectCode(m.add(w.as('mod'), { out: 'participant' }), 'ERR_GROUP_NO_ADMIN_SCOPE')
    await expectCode(m.add(w.as('out'), { out: 'participant' }), 'ERR_GROUP_NOT_JOINED')
    for (const act of [m.kick, m.ban] as const) {
      await expectCode(act(w.as('par'), 'mod'), 'ERR_GROUP_NO_MODERATOR_SCOPE')
      await expectCode(act(w.as('out'), 'par'), 'ERR_GROUP_NOT_JOINED')
      await expectCode(act(w.as('mod'), 'mod2'), 'ERR_GROUP_NO_SCOPE_CLEARANCE')
      await expectCode(act(w.as('mod'), 'mod'), 'ERR_GROUP_NO_SELF_ACTION')
      await expectCode(act(w.as('adm'), 'ann'), 'ERR_GROUP_NO_SCOPE_CLEARANCE')
    }
    await expectCode(m.scope(w.as('mod'), 'par', 'admin'), 'ERR_GROUP_NO_SCOPE_CLEARANCE')
    await expectCode(m.scope(w.as('adm'), 'ann', 'participant'), 'ERR_GROUP_NO_SCOPE_CLEARANCE')
    await expectCode(m.scope(w.as('adm'), 'par', 'participant'), 'ERR_SAME_SCOPE')
    await expectCode(m.scope(w.as('adm'), 'out', 'participant'), 'ERR_NOT_A_MEMBER')
    await expectCode(m.kick(w.as('adm'), 'out'), 'ERR_NOT_A_MEMBER')
    await expectCode(m.kick(w.as('nobody'), 'out'), 'ERR_UID_NOT_FOUND')
    await expectCode(m.ban(w.app, 'nobody'), 'ERR_UID_NOT_FOUND')
    const bans = await m.add(w.as('adm'), { ann: 'banned', adm: 'banned' })
    expect(bans.map(({ failure }) => failure)).toEqual(['ERR_GROUP_NO_SCOPE_CLEARANCE', 'ERR_GROUP_NO_SELF_ACTION'])
    expect(await m.uids()).toEqual(['adm:admin', 'ann:admin', 'mod:moderator', 'mod2:moderator', 'par:participant'])
    expect((await w.list()).rows).toEqual([])
  })

  test('a moderator manages participants; the app manages everybody, the owner too', async () => {
    const { w, m } = await groupWorld(subject)
    await m.scope(w.as('mod'), 'par', 'moderator')
    await m.scope(w.app, 'ann', 'participant')
    await m.kick(w.app, 'ann')
    await m.scope(w.app, 'par', 'participant')
    await m.kick(w.as('mod'), 'par')
    expect(await m.uids()).toEqual(['adm:admin', 'mod:moderator', 'mod2:moderator'])
    expect(await m.count()).toBe(3)
  })

  test('a ban takes the member out and keeps them out until it is lifted', async () => {
    const { w, m } = await groupWorld(subject)
    const ban = await m.ban(w.as('mod'), 'par')
    expect(JSON.parse(ban.data).action).toBe('banned')
    expect(await m.count()).toBe(4)
    await expectCode(m.ban(w.app, 'par'), 'ERR_ALREADY_BANNED')
    await m.ban(w.app, 'out')
    expect(await m.count()).toBe(4)
    await expectCode(w.send({ from: 'par', toGroup: 'g' }), 'ERR_GROUP_NOT_JOINED')
    expect((await m.add(w.app, { par: 'participant' }))[0]).toMatchObject({ failure: 'ERR_BANNED_GROUPMEMBER' })
    await expectCode(m.unban(w.as('par'), 'out'), 'ERR_GROUP_NOT_JOINED')
    expect(JSON.parse((await m.unban(w.as('mod'), 'par')).data).action).toBe('unbanned')
    await expectCode(m.unban(w.app, 'par'), 'ERR_NOT_A_BANNED_USER')
    await m.add(w.app, { par: 'participant' })
    expect(await m.count()).toBe(5)
  })

  test('lists of members and of the banned are searched, filtered and counted', async () => {
    const w = await worldOf(subject)
    await w.user('a_1', { name: 'Otto 50%' })
    await w.user('ax1', { name: 'Emil' })
    await w.user('b', { name: 'Otto_2' })
    await w.user('z', { name: 'Zed%' })
    const members = { a_1: 'participant', ax1: 'moderator', b: 'participant', z: 'banned' } as const
    await w.group('g', { members })
    const list = (more: object) => w.store.members.list({ actor: w.app, guid: g, page, ...more })
    const uids = async (more: object) => (await list(more)).rows.map((row) => row.uid)
    expect(await uids({})).toEqual(['a_1', 'ax1', 'b'])
    expect(await uids({ scopes: ['moderator', 'admin'] })).toEqual(['ax1'])
    expect(await uids({ searchKey: 'A_' })).toEqual(['a_1'])
    expect(await uids({ searchKey: 'OTTO' })).toEqual(['a_1', 'b'])
    expect(await uids({ searchKey: '%' })).toEqual(['a_1'])
    expect(await list({ page: { page: 2, perPage: 2 } })).toMatchObject({
      total: 3,
      rows: [{ uid: 'b', scope: 'participant', joinedAt: w.now() }],
    })
    const banned = (more: object) => w.store.members.listBanned({ actor: w.app, guid: g, page, ...more })
    expect(await banned({ searchKey: '%' })).toMatchObject({ total: 1, rows: [{ uid: 'z', bannedAt: w.now() }] })
    expect((await banned({ searchKey: 'x' })).rows).toEqual([])
    const actor = w.as('nobody')
    await expectCode(w.store.members.list({ actor, guid: g, page }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.store.members.listBanned({ actor: w.app, guid: guidOf('no'), page }), 'ERR_GUID_NOT_FOUND')
  })

  test('the count is right when many come and go at once', async () => {
    const { w, m } = await groupWorld(subject)
    const uids = Array.from({ length: 20 }, (_, n) => `u${n}`)
    await w.users(...uids)
    const peer = membersOf({ ...w, store: subject().peer })
    await Promise.all(uids.map((uid, n) => (n % 2 ? m : peer).add(w.app, { [uid]: 'participant' })))
    await Promise.allSettled(uids.flatMap((uid, n) => (n < 12 ? [m.kick(w.app, uid), peer.ban(w.app, uid)] : [])))
    expect(await m.count()).toBe((await m.uids()).length)
    expect(await m.count()).toBe(5 + 8)
    expect(await m.banned()).toHaveLength(12)
  })
}
