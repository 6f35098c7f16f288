import type { MessageId } from '@confab/protocol'
import { expect, test } from 'vitest'
import {
  changesOf,
  guidOf,
  type MembersByUid,
  makeWorld,
  tellingIn,
  uidOf,
  type World,
} from '../../testing/builders.ts'
import type { Store } from '../store.ts'
import { expectCode, loweredLimits, page, type Subject } from './subject.ts'

const people = (count: number): string[] => Array.from({ length: count }, (_, n) => `u${n}`)

const membersOf = (w: World, guid: string) => {
  const input = { appCreatedAt: w.appCreatedAt, guid: guidOf(guid) }
  const join = (uid: string, store: Store = w.store) =>
    store.groups.join({
      ...input,
      actor: { kind: 'user', appId: w.appId, uid: uidOf(uid) },
      passwordHash: null,
      telling: tellingIn(w),
    })
  return {
    join,
    add: (members: MembersByUid, store: Store = w.store) =>
      store.members.add({ ...input, actor: w.app, changes: changesOf(members), telling: tellingIn(w) }),
    list: async () =>
      (await w.store.members.list({ actor: w.app, guid: guidOf(guid), page })).rows.map(({ uid }) => uid),
    count: async () => (await w.store.groups.find({ actor: w.app, guid: guidOf(guid) })).membersCount,
  }
}

const failures = (outcomes: readonly { uid: string; failure: string | undefined }[]) =>
  Object.fromEntries(outcomes.map(({ uid, failure }) => [uid, failure]))

const counted = (settled: readonly PromiseSettledResult<unknown>[]) => ({
  done: settled.filter(({ status }) => status === 'fulfilled').length,
  codes: [...new Set(settled.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : [])))],
})

/** The stores whose limits the operator has lowered: see `loweredLimits`. */
export const limitsConformance = (subject: Subject): void => {
  const lowered = () => subject().lowered
  const worldOf = (): Promise<World> => makeWorld(lowered().store)

  test('a group has so many members: who joins, who is added, who is there from the start', async () => {
    const w = await worldOf()
    await w.users(...people(7))
    await w.group('g', { owner: 'u0' })
    const g = membersOf(w, 'g')
    await g.join('u1')
    const { outcomes } = await g.add({ u2: 'participant', u3: 'moderator', u4: 'participant', u1: 'participant' })
    expect(failures(outcomes)).toEqual({
      ...{ u2: undefined, u3: undefined, u4: 'ERR_NO_VACANCY', u1: 'ERR_ALREADY_JOINED' },
    })
    await expectCode(g.join('u5'), 'ERR_NO_VACANCY')
    expect([await g.list(), await g.count()]).toEqual([['u0', 'u1', 'u2', 'u3'], loweredLimits.groupSize])
    // A ban takes nobody's place, and gives one back.
    const banned = await g.add({ u3: 'banned', u6: 'banned' })
    expect(failures(banned.outcomes)).toEqual({ u3: undefined, u6: undefined })
    await g.join('u5')
    await expectCode(g.join('u4'), 'ERR_NO_VACANCY')
    expect(await g.count()).toBe(4)

    const { outcomes: first } = await w.store.groups.create({
      ...{ passwordHash: null, icon: null, description: null, metadata: null, tags: null, name: 'H', type: 'public' },
      ...{ actor: w.app, guid: guidOf('h'), owner: uidOf('u0'), telling: tellingIn(w) },
      members: changesOf({ u1: 'admin', u2: 'participant', u3: 'participant', u4: 'participant' }),
    })
    expect(failures(first)).toEqual({ u1: undefined, u2: undefined, u3: undefined, u4: 'ERR_NO_VACANCY' })
    // An owner who is no member finds no place either, and nothing of the change stays.
    const hand = { actor: w.app, guid: guidOf('h'), name: 'New', owner: uidOf('u5'), telling: tellingIn(w) }
    await expectCode(w.store.groups.update(hand), 'ERR_NO_VACANCY')
    expect(await w.store.groups.find({ actor: w.app, guid: guidOf('h') })).toMatchObject({ name: 'H', owner: 'u0' })
  })

  test('a message that mentions more than is allowed by now may be tagged, and mentions no more', async () => {
    const w = await worldOf()
    await w.users('a', 'b')
    const { message } = await w.send({ from: 'a', to: 'b', text: '<@uid:a> <@uid:b> hi' })
    const edit = (change: { data?: unknown; tags?: string }) =>
      w.store.messages.edit({
        ...{ actor: w.as('a'), appCreatedAt: w.appCreatedAt, id: message.id, telling: tellingIn(w) },
        ...{ data: undefined, tags: undefined, ...change },
      })
    await edit({ tags: '["new"]' })
    const found = await w.list({ filter: { searchKey: 'hi' } })
    expect(found.rows).toMatchObject([{ tags: '["new"]', data: message.data }])
    await edit({ data: { metadata: { k: 1 } } })
    await expectCode(edit({ data: { text: '<@uid:a> <@uid:b>' } }), 'ERR_BAD_REQUEST')
  })

  test('the last place goes to one, whoever asks where', async () => {
    const w = await worldOf()
    await w.users(...people(12))
    await w.group('g')
    const g = membersOf(w, 'g')
    const { store, peer } = lowered()
    const settled = await Promise.allSettled(people(12).map((uid, n) => g.join(uid, n % 2 ? store : peer)))
    expect(counted(settled)).toEqual({ done: loweredLimits.groupSize, codes: ['ERR_NO_VACANCY'] })
    expect([(await g.list()).length, await g.count()]).toEqual([loweredLimits.groupSize, loweredLimits.groupSize])
  })

  test('a user is in so many groups, also when they join all at once', async () => {
    const w = await worldOf()
    await w.users('ann', 'bob')
    const guids = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const guid of guids) await w.group(guid)
    const { store, peer } = lowered()
    const all = await Promise.allSettled(
      guids.map((guid, n) =>
        n % 2
          ? membersOf(w, guid).join('ann', store)
          : membersOf(w, guid)
              .add({ bob: 'participant', ann: 'participant' }, peer)
              .then(({ outcomes }) => {
                const code = outcomes.find(({ uid }) => uid === 'ann')?.failure
                if (code !== undefined) throw Object.assign(new Error(code), { code })
              }),
      ),
    )
    expect(counted(all)).toEqual({ done: loweredLimits.groupsPerUser, codes: ['ERR_PLAN_QUOTA_RESTRICTION'] })
    const member = await Promise.all(guids.map(async (guid) => (await membersOf(w, guid).list()).includes('ann')))
    expect(member.filter(Boolean)).toHaveLength(loweredLimits.groupsPerUser)
    await expectCode(w.group('own', { owner: 'ann' }), 'ERR_PLAN_QUOTA_RESTRICTION')
    await expectCode(w.store.groups.find({ actor: w.app, guid: guidOf('own') }), 'ERR_GUID_NOT_FOUND')
  })

  test('an app has so many users, groups, roles and bots', async () => {
    const w = await worldOf()
    const { store, peer } = lowered()
    const { appId } = w
    const made = async (limit: number, make: (n: number, at: Store) => Promise<unknown>): Promise<void> => {
      const tries = Array.from({ length: limit + 3 }, (_, n) => make(n, n % 2 ? store : peer))
      const { done, codes } = counted(await Promise.allSettled(tries))
      expect([done, codes]).toEqual([limit, ['ERR_PLAN_QUOTA_RESTRICTION']])
    }
    const nothing = { avatar: null, link: null, role: 'default', statusMessage: null, metadata: null, tags: null }
    await made(loweredLimits.usersPerApp, (n, at) =>
      at.users.create({ ...nothing, name: 'x', appId, uid: uidOf(`x${n}`), now: 1 }),
    )
    const group = { passwordHash: null, icon: null, description: null, metadata: null, tags: null, type: 'public' }
    await made(loweredLimits.groupsPerApp, (n, at) =>
      at.groups.create({
        ...{ ...group, type: 'public', name: 'x', actor: w.app, guid: guidOf(`g${n}`), owner: undefined, members: [] },
        telling: tellingIn(w),
      }),
    )
    const profile = { name: 'x', description: null, metadata: null, settings: null }
    await made(loweredLimits.rolesPerApp - 1, (n, at) => at.roles.create({ ...profile, appId, role: `r${n}`, now: 1 }))
    const users = (await store.users.list({ actor: w.app, filter: { deactivated: 'with' }, page })).rows
    const callback = { callbackUrl: 'http://127.0.0.1:1/', groupChatSetting: 'none' as const, settings: {} }
    const credentials = { enabled: false, useBasicAuth: false, username: null, password: null, secret: 's' }
    const bot = { ...callback, ...credentials, appId, now: 1, nowMs: 1000 }
    const uids = users.map(({ uid }) => uidOf(uid))
    const bots = uids.slice(0, loweredLimits.botsPerApp + 1)
    const settled = await Promise.allSettled(bots.map((uid, n) => (n % 2 ? store : peer).bots.create({ ...bot, uid })))
    expect(counted(settled)).toEqual({ done: loweredLimits.botsPerApp, codes: ['ERR_PLAN_QUOTA_RESTRICTION'] })
    for (const uid of bots) await store.bots.remove({ appId, uid, nowMs: 1000 }).catch(() => undefined)
  })

  test('what a user keeps: friends, saved messages, pinned messages and conversations, reactions', async () => {
    const w = await worldOf()
    await w.users(...people(5))
    const others = ['u1', 'u2', 'u3'].map(uidOf)
    const outcomes = await w.store.friends.add({
      ...{ appId: w.appId, uid: uidOf('u0'), others, addToConversations: false, now: w.now() },
    })
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined, 'ERR_PLAN_QUOTA_RESTRICTION'])
    const actor = { kind: 'user', appId: w.appId, uid: uidOf('u0') } as const
    const ids: MessageId[] = []
    for (const to of ['u1', 'u1', 'u1']) ids.push((await w.send({ from: 'u0', to })).message.id)
    const [one, two, three] = ids as [MessageId, MessageId, MessageId]
    const at = { actor, now: w.now() }
    for (const id of [one, two]) {
      await w.store.messages.pin({ ...at, id })
      await w.store.messages.save({ ...at, id })
    }
    await expectCode(w.store.messages.pin({ ...at, id: three }), 'ERR_PINNED_MESSAGES_LIMIT_EXCEEDED')
    await expectCode(w.store.messages.save({ ...at, id: three }), 'ERR_SAVED_MESSAGES_LIMIT_EXCEEDED')
    const react = (reaction: string) => w.store.reactions.add({ actor, id: one, reaction, telling: tellingIn(w) })
    for (const reaction of ['a', 'b', 'a']) await react(reaction)
    await expectCode(react('c'), 'ERR_BAD_REQUEST')
  })

  test('a muid means the same message for as long as the operator says', async () => {
    const w = await worldOf()
    await w.users('ann', 'bob')
    const send = () => w.send({ from: 'ann', to: 'bob', muid: 'm' })
    const { message } = await send()
    w.clock.advance((loweredLimits.muidWindowSeconds - 1) * 1000)
    expect((await send()).message.id).toBe(message.id)
    w.clock.advance(1000)
    expect((await send()).isNew).toBe(true)
  })
}
