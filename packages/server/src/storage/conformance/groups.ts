import { type Affix, type Group, SYSTEM_UID } from '@confab/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { changesOf, guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { GroupFilter } from '../sql/groups/groups.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const g = guidOf('g')

/** From the time of a page's last group to the next page, until there is none. */
const walkByTime = async (w: World, affix: Affix, perPage: number, searchKey: string): Promise<string[]> => {
  const seen: Group[] = []
  const all = { hasJoined: false, sortBy: 'guid', descending: false, searchKey } as const
  for (;;) {
    const edge = affix === 'append' ? seen.at(-1) : seen[0]
    const updatedAt = edge && { affix, at: edge.updatedAt ?? edge.createdAt }
    const filter = { ...all, byTime: { affix, wholeSeconds: true }, ...(updatedAt && { updatedAt }) }
    const { rows } = await w.store.groups.list({ actor: w.app, filter, page: { page: 1, perPage } })
    if (rows.length === 0) return seen.map(({ guid }) => guid)
    seen.splice(affix === 'append' ? seen.length : 0, 0, ...rows)
  }
}

export const groupsConformance = (subject: Subject): void => {
  test('a group comes back as it was made; its owner joins as admin', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'bob')
    const { group, outcomes } = await w.store.groups.create({
      actor: w.as('ann'),
      guid: g,
      name: 'G',
      type: 'password',
      passwordHash: 'hash',
      icon: 'https://e.example/i',
      description: 'd',
      metadata: '{"m":1}',
      tags: '["t"]',
      owner: undefined,
      members: changesOf({ ann: 'participant', bob: 'moderator', nobody: 'participant' }),
      telling: tellingIn(w),
    })
    expect(group).toEqual({
      guid: 'g',
      name: 'G',
      description: 'd',
      icon: 'https://e.example/i',
      type: 'password',
      metadata: { m: 1 },
      scope: 'admin',
      membersCount: 2,
      joinedAt: w.now(),
      conversationId: 'group_g',
      hasJoined: true,
      createdAt: w.now(),
      owner: 'ann',
      tags: ['t'],
    })
    expect(outcomes.map(({ uid, failure }) => [uid, failure])).toEqual([
      ['ann', 'ERR_ALREADY_JOINED'],
      ['bob', undefined],
      ['nobody', 'ERR_UID_NOT_FOUND'],
    ])
    const seen = await w.store.groups.find({ actor: w.as('bob'), guid: g })
    expect(seen).toMatchObject({ scope: 'moderator', hasJoined: true })
    const asApp = await w.store.groups.find({ actor: w.app, guid: g })
    expect(asApp).toMatchObject({ hasJoined: false })
    expect(asApp).not.toHaveProperty('scope')
  })

  test('a group that nobody owns is the app’s; a guid is given once', async () => {
    const w = await worldOf(subject)
    expect(await w.group('g')).toMatchObject({ owner: SYSTEM_UID, membersCount: 0 })
    await expectCode(w.group('g'), 'ERR_GUID_ALREADY_EXISTS')
    await expectCode(w.group('h', { owner: 'nobody' }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.store.groups.find({ actor: w.app, guid: guidOf('h') }), 'ERR_GUID_NOT_FOUND')
    await expectCode(w.store.groups.find({ actor: w.as('nobody'), guid: g }), 'ERR_UID_NOT_FOUND')
  })

  test('an update is for the app, admins and moderators, and changes what it names', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'mod', 'par', 'out')
    await w.group('g', { owner: 'ann', icon: 'https://i', members: { mod: 'moderator', par: 'participant' } })
    w.clock.advance(1000)
    const update = (actor: typeof w.app, more: object) =>
      w.store.groups.update({ actor, guid: g, telling: tellingIn(w), ...more }).then(({ group }) => group)
    expect(await update(w.as('mod'), { name: 'New', icon: null })).toMatchObject({
      name: 'New',
      updatedAt: w.now(),
      updatedBy: 'mod',
      scope: 'moderator',
    })
    expect(await update(w.app, { description: 'd' })).toMatchObject({ name: 'New', updatedBy: SYSTEM_UID })
    await expectCode(update(w.as('par'), { name: 'x' }), 'ERR_GROUP_NO_MODERATOR_SCOPE')
    await expectCode(update(w.as('out'), { name: 'x' }), 'ERR_GROUP_NOT_JOINED')
    await expectCode(update(w.as('nobody'), { name: 'x' }), 'ERR_UID_NOT_FOUND')
    await expectCode(
      w.store.groups.update({ actor: w.app, guid: guidOf('no'), telling: tellingIn(w) }),
      'ERR_GUID_NOT_FOUND',
    )
    expect(await w.store.groups.find({ actor: w.app, guid: g })).toMatchObject({ name: 'New', description: 'd' })
  })

  test('a group turned into one with a password needs a password', async () => {
    const w = await worldOf(subject)
    await w.group('g')
    const update = (more: object) =>
      w.store.groups.update({ actor: w.app, guid: g, telling: tellingIn(w), ...more }).then(({ group }) => group)
    await expectCode(update({ type: 'password' }), 'ERR_EMPTY_GROUP_PASS')
    expect(await update({ type: 'password', passwordHash: 'h' })).toMatchObject({ type: 'password' })
    expect(await update({ type: 'password' })).toMatchObject({ type: 'password' })
  })

  test('a group that asks for no password keeps none, whatever was given to it', async () => {
    const w = await worldOf(subject)
    await w.group('g')
    const update = (more: object) => w.store.groups.update({ actor: w.app, guid: g, telling: tellingIn(w), ...more })
    await update({ passwordHash: 'h' })
    await expectCode(update({ type: 'password' }), 'ERR_EMPTY_GROUP_PASS')
    await update({ type: 'password', passwordHash: 'h' })
    await update({ type: 'private' })
    await expectCode(update({ type: 'password' }), 'ERR_EMPTY_GROUP_PASS')
    await update({ type: 'password', passwordHash: 'h' })
    await update({ passwordHash: 'other' })
    await w.user('ann')
    const actor = { kind: 'user', appId: w.appId, uid: uidOf('ann') } as const
    expect(await w.store.groups.passwordHash({ actor, guid: g })).toBe('other')
  })

  test('the app names a new owner, who becomes admin; a user does not', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'mod', 'out')
    await w.group('g', { owner: 'ann', members: { mod: 'moderator' } })
    const update = (actor: typeof w.app, owner: string) =>
      w.store.groups.update({ actor, guid: g, owner: uidOf(owner), telling: tellingIn(w) }).then(({ group }) => group)
    expect(await update(w.as('mod'), 'mod')).toMatchObject({ owner: 'ann', scope: 'moderator' })
    expect(await update(w.app, 'mod')).toMatchObject({ owner: 'mod', membersCount: 2 })
    expect(await w.store.groups.find({ actor: w.as('mod'), guid: g })).toMatchObject({ scope: 'admin' })
    expect(await update(w.app, 'out')).toMatchObject({ owner: 'out', membersCount: 3 })
    await expectCode(update(w.app, 'nobody'), 'ERR_UID_NOT_FOUND')
    expect(await update(w.app, SYSTEM_UID)).toMatchObject({ owner: SYSTEM_UID, membersCount: 3 })
  })

  test('a deletion is for the app and admins; members, bans and the conversation go with the group', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'mod', 'bad')
    await w.group('g', { owner: 'ann', members: { mod: 'moderator', bad: 'banned' } })
    for (const verb of ['checkDelete', 'remove'] as const) {
      await expectCode(
        w.store.groups[verb]({ actor: w.as('mod'), guid: g, telling: tellingIn(w) }),
        'ERR_GROUP_NO_ADMIN_SCOPE',
      )
      await expectCode(
        w.store.groups[verb]({ actor: w.as('bad'), guid: g, telling: tellingIn(w) }),
        'ERR_GROUP_NOT_JOINED',
      )
      await expectCode(
        w.store.groups[verb]({ actor: w.app, guid: guidOf('no'), telling: tellingIn(w) }),
        'ERR_GUID_NOT_FOUND',
      )
    }
    await w.store.groups.checkDelete({ actor: w.as('ann'), guid: g })
    await w.store.groups.remove({ actor: w.as('ann'), guid: g, telling: tellingIn(w) })
    await expectCode(w.store.groups.find({ actor: w.app, guid: g }), 'ERR_GUID_NOT_FOUND')
    await w.group('g')
    expect((await w.store.members.list({ actor: w.app, guid: g, page })).total).toBe(0)
    expect((await w.store.members.listBanned({ actor: w.app, guid: g, page })).total).toBe(0)
  })

  test('lists filter, sort and count; a private group is shown to its members only', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'bob')
    await w.group('a_1', { name: 'zeta 100%', tags: '["t\\"1","x"]', owner: 'ann' })
    w.clock.advance(10_000)
    await w.group('ax1', { name: 'Beta', type: 'private', owner: 'ann' })
    w.clock.advance(10_000)
    await w.group('b', { name: 'Alpha', type: 'password', passwordHash: 'h' })
    const found = async (filter: Partial<GroupFilter>, actor = w.app) => {
      const all: GroupFilter = { hasJoined: false, sortBy: 'guid', descending: false, ...filter }
      const { rows, total } = await w.store.groups.list({ actor, filter: all, page })
      expect(total).toBe(rows.length)
      return rows.map((group) => group.guid)
    }
    expect(await found({})).toEqual(['a_1', 'ax1', 'b'])
    expect(await found({ descending: true })).toEqual(['b', 'ax1', 'a_1'])
    expect(await found({ sortBy: 'created_at', descending: true })).toEqual(['b', 'ax1', 'a_1'])
    expect(await found({ sortBy: 'name' })).toEqual(['b', 'ax1', 'a_1'])
    expect(await found({}, w.as('bob'))).toEqual(['a_1', 'b'])
    expect(await found({}, w.as('ann'))).toEqual(['a_1', 'ax1', 'b'])
    expect(await found({ hasJoined: true }, w.as('ann'))).toEqual(['a_1', 'ax1'])
    expect(await found({ hasJoined: true }, w.as('bob'))).toEqual([])
    expect(await found({ types: ['private', 'password'] })).toEqual(['ax1', 'b'])
    expect(await found({ tags: ['t"1'] })).toEqual(['a_1'])
    expect(await found({ tags: ['1', 't'] })).toEqual([])
    expect(await found({ searchKey: 'a_' })).toEqual(['a_1'])
    expect(await found({ searchKey: '0%' })).toEqual(['a_1'])
    expect(await found({ searchKey: 'ETA', searchIn: ['name'] })).toEqual(['a_1', 'ax1'])
    expect(await found({ updatedAt: { affix: 'append', at: w.now() - 15 } })).toEqual(['ax1', 'b'])
    expect(await found({ updatedAt: { affix: 'prepend', at: w.now() - 5 } })).toEqual(['a_1', 'ax1'])
    await expectCode(found({}, w.as('nobody')), 'ERR_UID_NOT_FOUND')
    const mine = { hasJoined: true, sortBy: 'guid', descending: false } as const
    const joined = await w.store.groups.list({ actor: w.as('ann'), filter: mine, page: { page: 2, perPage: 1 } })
    expect(joined).toMatchObject({ total: 2, rows: [{ guid: 'ax1', scope: 'admin', hasJoined: true }] })
  })

  test('by the time of their last change groups come once and in order, from either end, however many changed in a second', async () => {
    const w = await worldOf(subject)
    let made = 0
    const plan = fc.record({
      waits: fc.array(fc.constantFrom(0, 0, 1000, 3000), { minLength: 1, maxLength: 9 }),
      affix: fc.constantFrom<Affix>('append', 'prepend'),
      perPage: fc.integer({ min: 1, max: 4 }),
    })
    const run = fc.asyncProperty(plan, async ({ waits, affix, perPage }) => {
      const name = `round${++made}x`
      const guids: string[] = []
      for (const [n, wait] of waits.entries()) {
        w.clock.advance(wait)
        guids.push(`${name}${n}`)
        await w.group(`${name}${n}`)
      }
      expect(await walkByTime(w, affix, perPage, name)).toEqual(guids)
    })
    await fc.assert(run, { numRuns: 30, seed: 5, endOnFailure: true })
  })
}
