import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('users', (engine) => {
  let server: TestServer
  let api: Api
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())

  const create = async (uid: string, more: object = {}): Promise<Json> =>
    (await api.ok('POST', '/users', { body: { uid, name: uid, ...more } })).data

  test('a uid has at most 100 characters of its alphabet, and is folded to lower case', async () => {
    const uid = 'U'.repeat(100)
    expect((await create(uid)).uid).toBe(uid.toLowerCase())
    for (const wrong of [`${uid}u`, 'a b', 'ä', 'a.b', 'a/b', '']) {
      const error = await api.fails('ERR_BAD_REQUEST', 'POST', '/users', { body: { uid: wrong, name: 'x' } })
      expect(Object.keys(error.details)).toEqual(['uid'])
    }
    await api.fails('ERR_UID_ALREADY_EXISTS', 'POST', '/users', { body: { uid: uid.toLowerCase(), name: 'x' } })
    await api.fails('ERR_UID_ALREADY_EXISTS', 'POST', '/users', { body: { uid: 'app_system', name: 'x' } })
  })

  test('names are of people, everywhere', async () => {
    const name = '👩‍🚀 Ümläut "\\ <b> \u202e 名前'
    expect((await create('odd-name', { name })).name).toBe(name)
    expect((await api.ok('GET', '/users/odd-name')).data.name).toBe(name)
    await api.fails('ERR_BAD_REQUEST', 'POST', '/users', { body: { uid: 'x', name: ' \t ' } })
    await api.fails('ERR_BAD_REQUEST', 'POST', '/users', { body: { uid: 'x', name: 'n'.repeat(101) } })
  })

  test('metadata: 5 KB', async () => {
    const metadata = { x: 'x'.repeat(5 * 1024 - 8) }
    expect((await create('full', { metadata })).metadata).toEqual(metadata)
    const body = { metadata: { x: `${metadata.x}x` } }
    expect((await api.fails('ERR_BAD_REQUEST', 'PUT', '/users/full', { body })).details).toHaveProperty('metadata')
    expect((await api.ok('GET', '/users/full')).data.metadata).toEqual(metadata)
  })

  test('`unset` empties what it names, and nothing else', async () => {
    const profile = {
      avatar: 'https://x.example/a',
      link: 'https://x.example',
      metadata: { a: 1 },
      statusMessage: 'hm',
    }
    const before = await create('unset', profile)
    const { data } = await api.ok('PUT', '/users/unset', { body: { unset: ['avatar', 'metadata'] } })
    const { avatar: _avatar, metadata: _metadata, ...left } = before
    expect(data).toEqual({ ...left, updatedAt: expect.any(Number) })
    await api.fails('ERR_BAD_REQUEST', 'PUT', '/users/unset', { body: { unset: ['name'] } })
  })

  test('deactivation hides a user, and reactivation brings them back as they were', async () => {
    const { ann, bob, bot, group } = await makeScene(api)
    const before = (await api.ok('GET', `/users/${bob}`)).data
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: [bob, bob, bot] } })
    await api.fails('ERR_UID_NOT_FOUND', 'GET', `/users/${bob}`)
    await api.fails('ERR_UID_NOT_FOUND', 'PUT', `/users/${bob}`, { body: { name: 'x' } })
    await api.fails('ERR_UID_NOT_FOUND', 'POST', `/users/${bob}/auth_tokens`)
    await api.fails('ERR_UID_NOT_FOUND', 'POST', '/messages', { body: toUser(bob), onBehalfOf: ann })
    await api.fails('ERR_UID_NOT_FOUND', 'POST', '/messages', { body: toUser(ann), onBehalfOf: bob })
    await api.fails('ERR_UID_NOT_FOUND', 'POST', `/bots/${bot}/messages`, { body: toUser(ann) })
    const query = { searchKey: bob }
    expect(idsOf(await api.ok('GET', '/users', { query }))).toEqual([])
    expect(idsOf(await api.ok('GET', '/users', { query: { ...query, withDeactivated: true } }))).toEqual([bob])
    const only = await api.ok('GET', '/users', { query: { ...query, onlyDeactivated: true } })
    expect(only.data[0].deactivatedAt).toBeGreaterThan(0)
    await api.ok('PUT', '/users', { body: { uidsToActivate: [bob, bot] } })
    expect((await api.ok('GET', `/users/${bob}`)).data).toEqual(before)
    expect(idsOf(await api.ok('GET', `/groups/${group}/members`, { query: { searchKey: bob } }))).toEqual([bob])
  })

  test('deletion leaves messages, unless it is for good', async () => {
    const { ann, bob, cara, bot, group } = await makeScene(api)
    const say = async (body: object, from: string): Promise<string> =>
      (await api.ok('POST', '/messages', { body, onBehalfOf: from })).data.id
    const kept = await say(toUser(ann), cara)
    const gone = [await say(toUser(ann), bob), await say(toUser(bob), ann)]
    await api.ok('DELETE', `/users/${cara}`)
    await api.fails('ERR_UID_NOT_FOUND', 'DELETE', `/users/${cara}`)
    expect((await api.ok('GET', `/messages/${kept}`)).data.data.entities.sender.entity.uid).toBe(cara)
    await api.ok('DELETE', `/users/${bob}`, { body: { permanent: true } })
    for (const id of gone) await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'GET', `/messages/${id}`)
    expect(idsOf(await api.ok('GET', `/groups/${group}/members`))).toEqual([ann, bot])
    expect((await api.ok('GET', `/groups/${group}`)).data.membersCount).toBe(2)
    await api.ok('DELETE', `/users/${ann}`)
    expect((await api.ok('GET', `/groups/${group}`)).data.owner).toBe('app_system')
    await api.ok('DELETE', `/users/${bot}`)
    await api.fails('ERR_BOT_NOT_FOUND', 'GET', `/bots/${bot}`)
    // The uid is free again, and nothing of its former owner comes with it.
    await create(bob)
    expect((await api.ok('GET', `/users/${bob}/auth_tokens`)).data).toEqual([])
    expect((await api.ok('GET', '/messages', { onBehalfOf: bob })).data).toEqual([])
  })

  describe('lists', () => {
    const uids = Array.from({ length: 25 }, (_, index) => `page-${String(index).padStart(2, '0')}`)
    beforeAll(async () => {
      for (const role of ['seven', 'page']) await api.ok('POST', '/roles', { body: { role, name: role } })
      for (const uid of uids) {
        await create(uid, { role: uid.endsWith('7') ? 'seven' : 'page', tags: [`tag-${uid.at(-1)}`], name: `N ${uid}` })
      }
    })

    test('every page, and no row twice', async () => {
      const found: string[] = []
      for (const page of [1, 2, 3]) {
        const list = await api.ok('GET', '/users', { query: { searchKey: 'page-', perPage: 10, page } })
        const count = page === 3 ? 5 : 10
        expect(list.meta.pagination).toEqual({ total: 25, count, per_page: 10, current_page: page, total_pages: 3 })
        found.push(...idsOf(list))
      }
      expect(found).toEqual(uids)
      const beyond = await api.ok('GET', '/users', { query: { searchKey: 'page-', perPage: 10, page: 4 } })
      expect(beyond).toMatchObject({ data: [], meta: { pagination: { total: 25, count: 0, current_page: 4 } } })
      expect(beyond).not.toHaveProperty('cursor')
    })

    test.each([
      [{ searchKey: 'PAGE-1' }, uids.slice(10, 20)],
      [{ searchKey: 'n page-1', searchIn: 'name' }, uids.slice(10, 20)],
      [{ searchKey: 'n page-1', searchIn: 'uid' }, []],
      [{ searchKey: 'page_' }, []],
      [{ searchKey: 'page%' }, []],
      [{ searchKey: 'page-', role: 'SEVEN' }, ['page-07', 'page-17']],
      [{ roles: 'seven,other' }, ['page-07', 'page-17']],
      [{ tags: 'tag-3,tag-4' }, ['page-03', 'page-04', 'page-13', 'page-14', 'page-23', 'page-24']],
      [{ tags: 'tag' }, []],
      [{ searchKey: 'page-', status: 'available' }, []],
      [{ searchKey: 'page-', status: 'online' }, []],
      [{ searchKey: 'page-2', status: 'offline', perPage: 1000 }, uids.slice(20)],
    ])('of %j', async (query, expected) => {
      const list = await api.ok('GET', '/users', { query })
      expect(idsOf(list)).toEqual(expected)
      expect(list.meta.pagination.total).toBe(expected.length)
    })
  })

  describe('auth tokens', () => {
    test('one is used again until a fresh one is wanted', async () => {
      await create('tok')
      const path = '/users/tok/auth_tokens'
      const first = (await api.ok('POST', path, { key: server.authKey })).data.authToken
      expect((await api.ok('POST', path)).data.authToken).toBe(first)
      expect((await api.ok('POST', path, { body: { force: false } })).data.authToken).toBe(first)
      const fresh = (await api.ok('POST', path, { body: { force: true, platform: 'ios' } })).data
      expect(fresh).toMatchObject({ uid: 'tok', platform: 'ios' })
      expect(fresh.authToken).not.toBe(first)
      expect(idsOf(await api.ok('GET', path)).sort()).toEqual([first, fresh.authToken].sort())
      expect((await api.ok('GET', path, { query: { perPage: 1, page: 2 } })).meta.pagination.total_pages).toBe(2)
    })

    test('a token of somebody else is not found', async () => {
      for (const uid of ['tok-a', 'tok-b']) await create(uid)
      const token = (await api.ok('POST', '/users/tok-a/auth_tokens')).data.authToken
      for (const method of ['GET', 'DELETE']) {
        await api.fails('ERR_AUTHTOKEN_NOT_ACCESSIBLE', method, `/users/tok-b/auth_tokens/${token}`)
      }
      await api.fails('ERR_AUTHTOKEN_NOT_ACCESSIBLE', 'PUT', `/users/tok-b/auth_tokens/${token}`, { body: {} })
      await api.ok('GET', `/users/tok-a/auth_tokens/${token}`)
    })

    test('a user made with a token has it', async () => {
      const { authToken } = await create('with-token', { withAuthToken: true })
      expect(idsOf(await api.ok('GET', '/users/with-token/auth_tokens'))).toEqual([authToken])
      expect((await api.ok('GET', '/users/with-token')).data).not.toHaveProperty('authToken')
    })
  })

  describe('API keys', () => {
    test('authOnly may make and change users and make tokens, and nothing else', async () => {
      const key = server.authKey
      await api.ok('POST', '/users', { key, body: { uid: 'by-auth', name: 'x' } })
      await api.ok('POST', '/users/by-auth/auth_tokens', { key })
      const body = { name: 'Better', hasBlockedMe: false, blockedByMe: false, deactivatedAt: 0 }
      expect((await api.ok('PUT', '/users/by-auth', { key, body })).data.name).toBe('Better')
      await api.fails('AUTH_ERR_NO_ACCESS', 'GET', '/users/by-auth', { key })
      await api.fails('AUTH_ERR_NO_ACCESS', 'POST', '/messages', { key, body: toUser('by-auth') })
    })

    test('a key does nothing to itself; 25 are enough', async () => {
      const { restApiKey } = server
      await api.fails('ERR_APIKEY_NO_SELF_ACTION', 'DELETE', `/apikeys/${restApiKey}`)
      await api.fails('ERR_APIKEY_NO_SELF_ACTION', 'PUT', `/apikeys/${restApiKey}`, { body: { scope: 'authOnly' } })
      for (let made = 2; made < 25; made++) await api.ok('POST', '/apikeys', { body: { name: `Key ${made}` } })
      const error = await api.fails('ERR_PLAN_QUOTA_RESTRICTION', 'POST', '/apikeys', { body: { name: 'One more' } })
      expect(error.details).toEqual({ apikeys: 'at most 25 per app' })
      expect((await api.ok('GET', '/apikeys', { query: { searchKey: 'key 1' } })).data).toHaveLength(10)
      expect((await api.ok('GET', '/apikeys', { query: { scope: 'fullAccess' } })).data).toHaveLength(1)
    })
  })
})
