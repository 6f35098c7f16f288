import { expect, test } from 'vitest'
import type { UserActor } from '../../kernel/actor.ts'
import { guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { Partner } from '../sql/conversations/conversation-rows.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const asUser = (w: World, uid: string): UserActor => ({ kind: 'user', appId: w.appId, uid: uidOf(uid) })

const presenceOf = (w: World) => {
  const { store, appId } = w
  const of = (uid: string, node: string) => ({ appId, uid: uidOf(uid), node, telling: tellingIn(w) })
  const statusOf = async (uid: string) => (await store.users.find({ appId, uid: uidOf(uid) }))?.status
  return {
    enter: async (uid: string, node: string) => (await store.presence.enter(of(uid, node))).user?.status,
    leave: async (uid: string, node: string) => (await store.presence.leave(of(uid, node))).user?.status,
    renew: (node: string, forMs: number, isNew = false) =>
      store.presence.renew({ node, untilMs: w.clock.now() + forMs, isNew }),
    gone: async (but: string) => {
      const rows = await store.presence.gone({ nowMs: w.clock.now(), but, limit: 1000 })
      return rows.filter((row) => row.appId === appId).map(({ uid, node }) => [uid, node])
    },
    statusOf,
    count: (...guids: string[]) => store.presence.count({ appId, guids: guids.map(guidOf) }),
  }
}

export const presenceConformance = (subject: Subject): void => {
  /** Nodes are of the whole deployment: every test has its own. */
  let nodes = 0
  const nodeOf = (): string => `node-${process.pid}-${Date.now()}-${++nodes}`

  test('a user is online from the first session on any node to the last', async () => {
    const w = await worldOf(subject)
    const p = presenceOf(w)
    await w.users('ann')
    const [one, two] = [nodeOf(), nodeOf()]
    expect(await p.statusOf('ann')).toBe('offline')
    expect(await p.enter('ann', one)).toBe('available')
    expect(await p.enter('ann', one)).toBeUndefined()
    expect(await p.enter('ann', two)).toBeUndefined()
    expect(await p.statusOf('ann')).toBe('available')
    expect(await p.leave('ann', one)).toBeUndefined()
    expect(await p.leave('ann', one)).toBeUndefined()
    w.clock.advance(5000)
    expect(await p.leave('ann', two)).toBe('offline')
    expect(await p.leave('ann', two)).toBeUndefined()
    const user = await w.store.users.find({ appId: w.appId, uid: uidOf('ann') })
    expect(user).toMatchObject({ status: 'offline', lastActiveAt: w.now() })
    expect(await p.enter('nobody', one)).toBeUndefined()
  })

  test('of many who come and go at once, each is told once', async () => {
    const w = await worldOf(subject)
    const p = presenceOf(w)
    await w.users('ann')
    const all = Array.from({ length: 8 }, nodeOf)
    const came = await Promise.all(all.map((node) => p.enter('ann', node)))
    expect(came.filter((status) => status !== undefined)).toEqual(['available'])
    const went = await Promise.all(all.map((node) => p.leave('ann', node)))
    expect(went.filter((status) => status !== undefined)).toEqual(['offline'])
    expect(await p.statusOf('ann')).toBe('offline')
  })

  test('who was on a node that has gone is found, and on one that renews is not', async () => {
    const w = await worldOf(subject)
    const p = presenceOf(w)
    await w.users('ann', 'bob')
    const [dead, alive, unknown] = [nodeOf(), nodeOf(), nodeOf()]
    await p.renew(dead, 1000, true)
    await p.renew(alive, 1000, true)
    await p.enter('ann', dead)
    await p.enter('bob', alive)
    expect(await p.gone(alive)).toEqual([])
    w.clock.advance(2000)
    expect(await p.renew(alive, 1000)).toBe(true)
    expect(await p.gone(unknown)).toEqual([['ann', dead]])
    expect(await p.gone(dead)).toEqual([])
    expect(await p.leave('ann', dead)).toBe('offline')
    await w.store.presence.forgetNodes({ nowMs: w.clock.now(), but: alive })
    // It was taken for gone, and is told so.
    expect(await p.renew(dead, 1000)).toBe(false)
    expect(await p.renew(dead, 1000)).toBe(true)
    await p.enter('ann', unknown)
    expect(await p.gone(alive)).toEqual([['ann', unknown]])
  })

  test('who is online is counted, also in groups, and listed', async () => {
    const w = await worldOf(subject)
    const p = presenceOf(w)
    await w.users('ann', 'bob', 'cara')
    await w.group('g', { members: { ann: 'admin', cara: 'participant' } })
    const node = nodeOf()
    await p.enter('ann', node)
    await p.enter('bob', node)
    expect(await p.count('g', 'none')).toEqual({ users: 2, groups: { g: 1, none: 0 } })
    const list = async (filter: object) => {
      const page = { page: 1, perPage: 10 }
      const all = { deactivated: 'without' as const, ...filter }
      return (await w.store.users.list({ actor: w.app, filter: all, page })).rows.map(({ uid }) => uid)
    }
    expect(await list({ status: 'available' })).toEqual(['ann', 'bob'])
    expect(await list({ status: 'offline' })).toEqual(['cara'])
    await p.leave('ann', node)
    expect(await list({ sortBy: 'status' })).toEqual(['bob', 'ann', 'cara'])
    expect(await list({ sortBy: 'status', descending: true })).toEqual(['cara', 'ann', 'bob'])
  })

  test('a user who goes for good is on no node', async () => {
    const w = await worldOf(subject)
    const p = presenceOf(w)
    await w.users('ann')
    const node = nodeOf()
    await p.enter('ann', node)
    await w.store.users.remove({ appId: w.appId, uid: uidOf('ann'), system: uidOf('app_system'), nowMs: w.clock.now() })
    expect(await p.leave('ann', node)).toBeUndefined()
    expect(await p.count()).toEqual({ users: 0, groups: {} })
  })

  test('whoever arrives brings along what a node must know of them', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'bob', 'cara', 'dan')
    await w.group('g', { members: { ann: 'admin' } })
    await w.group('h', { members: { bob: 'admin', ann: 'banned' } })
    const blocks = { appId: w.appId, actor: w.app, telling: tellingIn(w) }
    await w.store.blocks.add({ ...blocks, uid: uidOf('ann'), others: [uidOf('bob')] })
    await w.store.blocks.add({ ...blocks, uid: uidOf('cara'), others: [uidOf('ann')] })
    await w.store.friends.add({
      ...{ appId: w.appId, uid: uidOf('dan'), others: [uidOf('ann')] },
      ...{ addToConversations: false, now: w.now() },
    })
    const arrival = await w.store.sessions.arrive({ appId: w.appId, uid: uidOf('ann') })
    expect(arrival).toMatchObject({ user: { uid: 'ann' }, groups: ['g'], friends: ['dan'] })
    expect([...(arrival?.blocked ?? [])].sort()).toEqual(['bob', 'cara'])
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('ann')], at: 1 })
    expect(await w.store.sessions.arrive({ appId: w.appId, uid: uidOf('ann') })).toBeUndefined()
  })

  test('who speaks reaches whom a message of theirs would reach', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'bob', 'cara')
    await w.group('g', { members: { ann: 'admin' } })
    const reach = (uid: string, partner: Partner) => w.store.sessions.reach({ actor: asUser(w, uid), partner })
    const user = (uid: string): Partner => ({ kind: 'user', uid: uidOf(uid) })
    const group = (guid: string): Partner => ({ kind: 'group', guid: guidOf(guid) })
    expect(await reach('ann', user('bob'))).toMatchObject({ uid: 'ann' })
    expect(await reach('ann', group('g'))).toMatchObject({ uid: 'ann' })
    await expectCode(reach('bob', group('g')), 'ERR_GROUP_NOT_JOINED')
    await expectCode(reach('ann', group('none')), 'ERR_GUID_NOT_FOUND')
    await expectCode(reach('ann', user('nobody')), 'ERR_UID_NOT_FOUND')
    await expectCode(reach('nobody', user('ann')), 'ERR_UID_NOT_FOUND')
    const blocks = { appId: w.appId, actor: w.app, telling: tellingIn(w) }
    await w.store.blocks.add({ ...blocks, uid: uidOf('cara'), others: [uidOf('ann')] })
    await expectCode(reach('ann', user('cara')), 'ERR_BLOCKED_SENDER')
    await expectCode(reach('cara', user('ann')), 'ERR_BLOCKED_RECEIVER')
  })
}
