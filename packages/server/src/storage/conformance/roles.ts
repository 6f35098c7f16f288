import { defaultLimits } from '@confab/protocol'
import { expect, test } from 'vitest'
import { guidOf, uidOf, type World } from '../../testing/builders.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const plain = { name: 'Role', description: null, metadata: null, settings: null }

const rolesOf = (w: World) => {
  const { appId, store } = w
  return {
    create: (role: string, more: object = {}) => store.roles.create({ ...plain, appId, role, now: w.now(), ...more }),
    update: (role: string, change: object) => store.roles.update({ appId, role, now: w.now(), unset: [], ...change }),
    find: (role: string) => store.roles.find({ appId, role }),
    remove: (role: string) => store.roles.remove({ appId, role }),
    names: async () => (await store.roles.list({ appId, page })).rows.map(({ role }) => role),
    ofUser: (uid: string) => store.roles.ofUser({ appId, uid: uidOf(uid) }),
    restrict: (role: string, ...features: string[]) => store.roles.restrict({ appId, role, features, now: w.now() }),
    restricted: (role: string) => store.roles.restricted({ appId, role }),
    allow: (role: string, features: 'all' | string[]) => store.roles.allow({ appId, role, features }),
  }
}

export const rolesConformance = (subject: Subject): void => {
  test('every app has the default role, which cannot go, and others as they were made', async () => {
    const w = await worldOf(subject)
    const r = rolesOf(w)
    expect(await r.find('default')).toEqual({ role: 'default', name: 'Default Role', createdAt: w.now() })
    await w.store.apps.ensure({ id: w.appId, name: 'Again', keys: [], now: w.now() + 9 })
    expect(await r.find('default')).toMatchObject({ createdAt: w.now() })
    w.clock.advance(1000)
    const settings = '{"listUsers":"all","sendMessagesTo":"friendsOnly"}'
    const made = await r.create('vip', { description: 'Few', metadata: '{"a":[1]}', settings })
    expect(made).toEqual({
      role: 'vip',
      name: 'Role',
      description: 'Few',
      metadata: { a: [1] },
      settings: { listUsers: 'all', sendMessagesTo: 'friendsOnly' },
      createdAt: w.now(),
    })
    expect(await r.find('vip')).toEqual(made)
    expect(await r.names()).toEqual(['vip', 'default'])
    await expectCode(r.create('vip'), 'ERR_ROLE_ALREADY_EXISTS')
    await expectCode(r.remove('default'), 'ERR_ROLE_DELETE_DENIED')
    for (const work of [r.find, r.remove, r.restricted]) await expectCode(work('none'), 'ERR_ROLE_NOT_FOUND')
    await expectCode(r.update('none', {}), 'ERR_ROLE_NOT_FOUND')
    await expectCode(rolesOf(await worldOf(subject)).find('vip'), 'ERR_ROLE_NOT_FOUND')
  })

  test('an update changes what it names, settings one by one', async () => {
    const w = await worldOf(subject)
    const r = rolesOf(w)
    await r.create('vip', { description: 'Few', metadata: '{"a":1}' })
    w.clock.advance(2000)
    const changed = await r.update('vip', { name: 'Very', settings: { listUsers: 'friendsOnly' } })
    expect(changed).toMatchObject({ name: 'Very', description: 'Few', metadata: { a: 1 }, updatedAt: w.now() })
    expect(changed.settings).toEqual({ listUsers: 'friendsOnly', sendMessagesTo: 'all' })
    const again = await r.update('vip', { settings: { sendMessagesTo: 'friendsOnly' } })
    expect(again.settings).toEqual({ listUsers: 'friendsOnly', sendMessagesTo: 'friendsOnly' })
    const emptied = await r.update('vip', { unset: ['settings', 'metadata', 'description'] })
    expect(Object.keys(emptied).sort()).toEqual(['createdAt', 'name', 'role', 'updatedAt'])
  })

  test('no more roles than the limit, also when they are made at once', async () => {
    const w = await worldOf(subject)
    const { appId } = w
    const made = await Promise.allSettled(
      Array.from({ length: defaultLimits.rolesPerApp + 3 }, (_, n) =>
        (n % 2 ? subject().store : subject().peer).roles.create({ ...plain, appId, role: `r${n}`, now: n }),
      ),
    )
    expect(made.filter(({ status }) => status === 'rejected')).toHaveLength(4)
    expect(await rolesOf(w).names()).toHaveLength(defaultLimits.rolesPerApp)
    await expectCode(rolesOf(w).create('more'), 'ERR_PLAN_QUOTA_RESTRICTION')
    await expectCode(rolesOf(w).create('default'), 'ERR_ROLE_ALREADY_EXISTS')
  })

  test('a user has a role that is there; users of a deleted one get the default', async () => {
    const w = await worldOf(subject)
    const r = rolesOf(w)
    await expectCode(w.user('alice', { role: 'vip' }), 'ERR_ROLE_NOT_FOUND')
    await r.create('vip')
    await w.user('alice', { role: 'vip' })
    await w.user('bob')
    const change = { appId: w.appId, uid: uidOf('bob'), now: w.now() }
    await expectCode(w.store.users.update({ ...change, role: 'none' }), 'ERR_ROLE_NOT_FOUND')
    await w.store.users.update({ ...change, role: 'vip' })
    expect([await r.ofUser('alice'), await r.ofUser('bob'), await r.ofUser('nobody')]).toEqual([
      'vip',
      'vip',
      undefined,
    ])
    await r.remove('vip')
    expect([await r.ofUser('alice'), await r.ofUser('bob')]).toEqual(['default', 'default'])
  })

  test('nobody is left with a role that was deleted while it was given', async () => {
    const w = await worldOf(subject)
    const r = rolesOf(w)
    for (let round = 0; round < 5; round++) {
      const role = `brief-${round}`
      await r.create(role)
      const given = Array.from({ length: 6 }, (_, n) => w.user(`u${round}-${n}`, { role }).catch(() => undefined))
      await Promise.all([...given, subject().peer.roles.remove({ appId: w.appId, role })])
    }
    const { rows } = await w.store.users.list({ actor: w.app, filter: { deactivated: 'with' }, page })
    expect(rows.filter(({ role }) => role !== 'default')).toEqual([])
  })

  test('features are restricted once each, and allowed again', async () => {
    const w = await worldOf(subject)
    const r = rolesOf(w)
    await r.create('vip')
    const all = () => w.store.roles.restrictions({ appId: w.appId })
    expect(await all()).toEqual([])
    await r.restrict('vip', 'listUsers', 'ban')
    const since = w.now()
    w.clock.advance(1000)
    await r.restrict('vip', 'ban', 'kick')
    expect(await r.restricted('vip')).toEqual([
      { feature: 'ban', since },
      { feature: 'kick', since: since + 1 },
      { feature: 'listUsers', since },
    ])
    expect((await all()).map(({ role, features }) => [role, [...features].sort()])).toEqual([
      ['vip', ['ban', 'kick', 'listUsers']],
    ])
    await r.allow('vip', ['ban', 'unknown'])
    expect((await r.restricted('vip')).map(({ feature }) => feature)).toEqual(['kick', 'listUsers'])
    await r.allow('vip', 'all')
    expect(await all()).toEqual([])
    await expectCode(r.restrict('none', 'ban'), 'ERR_ROLE_NOT_FOUND')
    await expectCode(r.allow('none', 'all'), 'ERR_ROLE_NOT_FOUND')
  })

  test('permissions of a role and of a scope are set, kept and unset one by one', async () => {
    const w = await worldOf(subject)
    const { appId } = w
    const p = w.store.permissions
    await w.group('g')
    const scope = { guid: guidOf('g'), scope: 'participant' as const }
    for (const of of [{ role: 'default' }, scope]) {
      const at = { appId, of, now: w.now() }
      expect((await p.find(at)).values).toEqual({})
      await p.set({ ...at, values: { sendMessage: 'deny', 'x.allowed': ['a', 'b'] } })
      expect(await p.set({ ...at, values: { sendMessage: 'allow', y: 'deny' } })).toEqual({
        sendMessage: 'allow',
        'x.allowed': ['a', 'b'],
        y: 'deny',
      })
      expect(await p.unset({ ...at, permission: 'sendMessage' })).toEqual({ 'x.allowed': ['a', 'b'], y: 'deny' })
      expect(await p.unset({ ...at, permission: 'unset already' })).toEqual({ 'x.allowed': ['a', 'b'], y: 'deny' })
      expect((await p.find(at)).values).toEqual({ 'x.allowed': ['a', 'b'], y: 'deny' })
    }
    expect((await p.find({ appId, of: { ...scope, scope: 'admin' } })).values).toEqual({})
    await expectCode(p.find({ appId, of: { role: 'none' } }), 'ERR_ROLE_NOT_FOUND')
    await expectCode(p.find({ appId, of: { ...scope, guid: guidOf('none') } }), 'ERR_GUID_NOT_FOUND')
  })

  test('what a role forbids is forbidden in the transaction, at once', async () => {
    const w = await worldOf(subject)
    const { appId } = w
    await w.users('alice', 'bob')
    await w.group('g', { owner: 'alice' })
    const set = (values: Record<string, string | string[]>) =>
      w.store.permissions.set({ appId, of: { role: 'default' }, values, now: w.now() })
    const { message } = await w.send({ from: 'alice', to: 'bob' })
    const change = { actor: w.as('alice'), id: message.id }
    await set({ sendMessage: 'deny' })
    await expectCode(w.send({ from: 'alice', to: 'bob' }), 'ERR_PERMISSION_DENIED')
    await w.send({ to: 'bob' })
    await set({ sendMessage: 'allow', 'sendMessage.allowedReceiverTypes': ['group'] })
    await expectCode(w.send({ from: 'alice', to: 'bob' }), 'ERR_PERMISSION_DENIED')
    await w.send({ from: 'alice', toGroup: 'g' })
    expect(await w.store.messages.find(change)).toMatchObject({ message: { id: message.id } })
    await set({ listMessages: 'deny', listUsers: 'deny', listGroups: 'deny', createGroup: 'deny' })
    await expectCode(w.list({ actor: w.as('alice') }), 'ERR_PERMISSION_DENIED')
    const filter = { deactivated: 'without' as const }
    await expectCode(w.store.users.list({ actor: w.as('alice'), filter, page }), 'ERR_PERMISSION_DENIED')
    expect((await w.store.users.list({ actor: w.app, filter, page })).total).toBe(2)
  })
}
