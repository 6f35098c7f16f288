import { expect, test } from 'vitest'
import { uidOf, type World } from '../../testing/builders.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const noDevice = { platform: null, userAgent: null, appInfo: null }

const tokensOf = (w: World, uid: string) => {
  const user = { appId: w.appId, uid: uidOf(uid) }
  const full = (name: string): string => `${w.appId}_${name}`
  return {
    full,
    user,
    create: (name: string, fresh = true, device = {}) =>
      w.store.authTokens.create({ ...user, ...noDevice, ...device, token: full(name), fresh, now: w.now() }),
    named: (name: string) => ({ ...user, token: full(name) }),
  }
}

export const tokensConformance = (subject: Subject): void => {
  test('a token says whose it is, unless its user is deactivated or it is gone', async () => {
    const w = await worldOf(subject)
    await w.user('alice')
    const t = tokensOf(w, 'alice')
    await t.create('one')
    const identify = (name: string) => w.store.authTokens.identify({ token: t.full(name) })
    expect(await identify('one')).toEqual(t.user)
    expect(await identify('two')).toBeUndefined()
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('alice')], at: w.now() })
    expect(await identify('one')).toBeUndefined()
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('alice')], at: null })
    await w.store.authTokens.remove(t.named('one'))
    expect(await identify('one')).toBeUndefined()
  })

  test('all tokens of a user, as long as the user may take part', async () => {
    const w = await worldOf(subject)
    const elsewhere = await worldOf(subject)
    await w.users('alice', 'bob')
    await elsewhere.user('alice')
    const t = tokensOf(w, 'alice')
    const ofAlice = async () => [...(await w.store.authTokens.ofUser(t.user))].sort()
    expect(await ofAlice()).toEqual([])
    await t.create('one')
    await t.create('two')
    await tokensOf(w, 'bob').create('three')
    await tokensOf(elsewhere, 'alice').create('four')
    expect(await ofAlice()).toEqual([t.full('one'), t.full('two')])
    await w.store.authTokens.remove(t.named('one'))
    expect(await ofAlice()).toEqual([t.full('two')])
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('alice')], at: w.now() })
    expect(await ofAlice()).toEqual([])
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('alice')], at: null })
    expect(await ofAlice()).toEqual([t.full('two')])
    await w.store.users.remove({ appId: w.appId, uid: uidOf('alice'), system: uidOf('app_system'), nowMs: 1 })
    expect(await ofAlice()).toEqual([])
    expect(await w.store.authTokens.ofUser({ appId: w.appId, uid: uidOf('nobody') })).toEqual([])
  })

  test('a token comes back as it was made; the newest is given where none has to be fresh', async () => {
    const w = await worldOf(subject)
    await w.user('alice')
    const t = tokensOf(w, 'alice')
    const device = { platform: 'ios', userAgent: 'x/1', appInfo: '{"v":1}' }
    expect(await t.create('one', false, device)).toEqual({
      uid: 'alice',
      authToken: t.full('one'),
      createdAt: w.now(),
      platform: 'ios',
      userAgent: 'x/1',
      appInfo: { v: 1 },
    })
    w.clock.advance(1000)
    expect(await t.create('two')).toEqual({ uid: 'alice', authToken: t.full('two'), createdAt: w.now() })
    expect(await t.create('three', false)).toMatchObject({ authToken: t.full('two') })
    const { rows, total } = await w.store.authTokens.list({ ...t.user, page })
    expect(rows.map((row) => row.authToken)).toEqual([t.full('two'), t.full('one')])
    expect(total).toBe(2)
    expect(await w.store.authTokens.find(t.named('one'))).toMatchObject({ platform: 'ios' })
  })

  test('a user may be made with a token', async () => {
    const w = await worldOf(subject)
    const profile = { name: 'A', role: 'default', avatar: null, link: null, statusMessage: null, metadata: null }
    const input = { ...profile, tags: null, appId: w.appId, uid: uidOf('alice'), authToken: `${w.appId}_t`, now: 1 }
    expect(await w.store.users.create(input)).toMatchObject({ authToken: `${w.appId}_t` })
    expect(await w.store.authTokens.find(tokensOf(w, 'alice').named('t'))).toMatchObject({ uid: 'alice' })
  })

  test('an update changes what it names; removal is of one or of all', async () => {
    const w = await worldOf(subject)
    await w.users('alice', 'bob')
    const t = tokensOf(w, 'alice')
    await t.create('one', true, { platform: 'web' })
    await t.create('two')
    const updated = await w.store.authTokens.update({ ...t.named('one'), userAgent: 'y' })
    expect(updated).toMatchObject({ platform: 'web', userAgent: 'y' })
    await w.store.authTokens.remove(t.named('one'))
    await expectCode(w.store.authTokens.find(t.named('one')), 'ERR_AUTH_TOKEN_NOT_FOUND')
    await expectCode(w.store.authTokens.remove(t.named('one')), 'ERR_AUTH_TOKEN_NOT_FOUND')
    await expectCode(w.store.authTokens.update(t.named('one')), 'ERR_AUTH_TOKEN_NOT_FOUND')
    const ofBob = { ...t.named('two'), uid: uidOf('bob') }
    await expectCode(w.store.authTokens.find(ofBob), 'ERR_AUTHTOKEN_NOT_ACCESSIBLE')
    await w.store.authTokens.removeAll(t.user)
    expect((await w.store.authTokens.list({ ...t.user, page })).total).toBe(0)
  })

  test('users change themselves: the profile and what a token says of its device, all or nothing', async () => {
    const w = await worldOf(subject)
    await w.users('alice', 'bob')
    const t = tokensOf(w, 'alice')
    await t.create('one', true, { platform: 'web', appInfo: '{"v":1,"push":"p"}' })
    const self = { ...t.user, now: w.now() + 5, profile: {} }
    const token = t.full('one')
    const device = () => w.store.authTokens.find(t.named('one'))
    await w.store.users.changeSelf({ ...self, device: { token, platform: 'ios', appInfo: { v: 2, deviceId: 'd' } } })
    expect(await device()).toMatchObject({ platform: 'ios', appInfo: { v: 2, push: 'p', deviceId: 'd' } })
    await w.store.users.changeSelf({ ...self, profile: { name: 'Al' }, device: { token, appInfo: {} } })
    expect(await device()).toMatchObject({ platform: 'ios', appInfo: { v: 2, push: 'p', deviceId: 'd' } })
    const alice = await w.store.users.find(t.user)
    expect(alice).toMatchObject({ name: 'Al', updatedAt: self.now })
    const profile = { name: 'Nobody' }
    const gone = { token: t.full('two'), appInfo: { v: 3 } }
    await expectCode(w.store.users.changeSelf({ ...self, profile, device: gone }), 'AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    const large = { token, appInfo: { v: 'x'.repeat(10_000) } }
    await expectCode(w.store.users.changeSelf({ ...self, profile, device: large }), 'ERR_BAD_REQUEST')
    const ofBob = { ...self, uid: uidOf('bob'), profile, device: { token, appInfo: { v: 3 } } }
    await expectCode(w.store.users.changeSelf(ofBob), 'AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    await expectCode(w.store.users.changeSelf({ ...self, uid: uidOf('nobody'), profile }), 'ERR_UID_NOT_FOUND')
    expect(await w.store.users.find(t.user)).toEqual(alice)
    // Of devices that share a token none loses what it said.
    const each = Array.from({ length: 8 }, (_, n) => ({ token, appInfo: { [`n${n}`]: n } }))
    await Promise.all(each.map((device) => w.store.users.changeSelf({ ...self, device })))
    expect((await device()).appInfo).toMatchObject(Object.assign({}, ...each.map(({ appInfo }) => appInfo)))
  })

  test('tokens of somebody who is not there are asked for in vain', async () => {
    const w = await worldOf(subject)
    const t = tokensOf(w, 'nobody')
    await expectCode(t.create('x'), 'ERR_UID_NOT_FOUND')
    await expectCode(w.store.authTokens.list({ ...t.user, page }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.store.authTokens.removeAll(t.user), 'ERR_UID_NOT_FOUND')
    await expectCode(w.store.authTokens.find(t.named('x')), 'ERR_UID_NOT_FOUND')
  })
}
