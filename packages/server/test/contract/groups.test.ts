import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('groups', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const create = async (guid: string, more: object = {}, onBehalfOf?: string): Promise<Json> =>
    (await api.ok('POST', '/groups', { body: { guid, name: guid, type: 'public', ...more }, onBehalfOf })).data

  test('without an owner the app owns it; whoever acts for somebody makes them the owner', async () => {
    const { ann, bob } = scene
    expect(await create('of-app')).toMatchObject({ owner: 'app_system', membersCount: 0, hasJoined: false })
    expect(await create('of-bob', { owner: bob })).toMatchObject({ owner: bob, membersCount: 1, hasJoined: false })
    const mine = await create('Of-Ann', { owner: bob }, ann)
    expect(mine).toMatchObject({ guid: 'of-ann', owner: ann, scope: 'admin', hasJoined: true, membersCount: 1 })
    await api.fails('ERR_GUID_ALREADY_EXISTS', 'POST', '/groups', {
      body: { guid: 'OF-APP', name: 'x', type: 'public' },
    })
    const body = { guid: 'x', name: 'x', type: 'public', owner: 'nobody' }
    expect((await api.fails('ERR_UID_NOT_FOUND', 'POST', '/groups', { body })).details).toEqual({ owner: 'nobody' })
  })

  test('an owner whom a list names stands in the answer, and is what owners are', async () => {
    const { ann } = scene
    const failed = { success: false, error: expect.objectContaining({ code: 'ERR_ALREADY_JOINED' }) }
    for (const [list, outcome] of [
      ['admins', { success: true }],
      ['moderators', failed],
      ['participants', failed],
      ['usersToBan', failed],
    ] as const) {
      const guid = `owned-${list}`
      const body = { guid, name: 'x', members: { [list]: [ann, 'nope'] } }
      const { members } = (await api.ok('POST', '/groups', { body, onBehalfOf: ann })).data
      expect(members.data[list]).toEqual({ [ann]: outcome, nope: expect.objectContaining({ success: false }) })
      expect(await api.ok('GET', `/groups/${guid}`, { onBehalfOf: ann })).toMatchObject({
        data: { owner: ann, scope: 'admin', membersCount: 1 },
      })
    }
  })

  test('a group that asks for a password needs one, and never shows it', async () => {
    const body = { guid: 'secret', name: 'x', type: 'password' }
    await api.fails('ERR_EMPTY_GROUP_PASS', 'POST', '/groups', { body })
    await api.fails('ERR_EMPTY_GROUP_PASS', 'POST', '/groups', { body: { ...body, password: '' } })
    expect(await create('secret', { type: 'password', password: 'p' })).not.toHaveProperty('password')
    await create('open')
    await api.fails('ERR_EMPTY_GROUP_PASS', 'PUT', '/groups/open', { body: { type: 'password' } })
    await api.ok('PUT', '/groups/open', { body: { type: 'password', password: 'p' } })
    expect((await api.ok('PUT', '/groups/open', { body: { type: 'private' } })).data.type).toBe('private')
    await api.fails('ERR_EMPTY_GROUP_PASS', 'PUT', '/groups/open', { body: { type: 'password' } })
  })

  test('an empty password changes nothing, and one that a group has no use for is not kept', async () => {
    await create('kept', { type: 'password', password: 'p' })
    for (const body of [{ password: '' }, { type: 'password', password: '' }]) {
      await api.fails('ERR_EMPTY_GROUP_PASS', 'PUT', '/groups/kept', { body })
    }
    await api.fails('ERR_WRONG_GROUP_PASS', 'POST', '/groups/kept/members', {
      onBehalfOf: scene.ann,
      body: { password: 'x' },
    })
    await api.ok('PUT', '/groups/kept', { body: { type: 'public', password: '' } })
    await api.ok('PUT', '/groups/kept', { body: { password: 'abc' } })
    await api.fails('ERR_EMPTY_GROUP_PASS', 'PUT', '/groups/kept', { body: { type: 'password' } })
  })

  test('`unset` empties what it names', async () => {
    await create('unset', { icon: 'https://x.example/i', description: 'd', metadata: { a: 1 } })
    const { data } = await api.ok('PUT', '/groups/unset', { body: { unset: ['icon', 'metadata'] } })
    expect(data).toMatchObject({ description: 'd', updatedBy: 'app_system' })
    expect(data).not.toHaveProperty('icon')
    expect(data).not.toHaveProperty('metadata')
  })

  test('a new owner is admin; only the app names one', async () => {
    const { ann, cara, group } = await makeScene(api)
    const body = { owner: cara }
    expect((await api.ok('PUT', `/groups/${group}`, { body, onBehalfOf: ann })).data.owner).toBe(ann)
    expect((await api.ok('PUT', `/groups/${group}`, { body })).data.owner).toBe(cara)
    const { data } = await api.ok('GET', `/groups/${group}/members`, { query: { scopes: 'admin' } })
    expect(data.map(({ uid }: Json) => uid)).toEqual([ann, cara])
  })

  test('nobody who is banned becomes the owner, and no owner acts who is not a member', async () => {
    const { ann, bob, cara, group } = await makeScene(api)
    await api.ok('POST', `/groups/${group}/bannedusers/${cara}`)
    await api.fails('ERR_BANNED_GROUPMEMBER', 'PUT', `/groups/${group}`, { body: { owner: cara } })
    const ownerOf = async (): Promise<string> => (await api.ok('GET', `/groups/${group}`)).data.owner
    expect(await ownerOf()).toBe(ann)
    // The app removes the owner: the group is the app's then.
    await api.ok('DELETE', `/groups/${group}/members/${ann}`)
    expect(await ownerOf()).toBe('app_system')
    const toBob = { body: { owner: bob } }
    await api.fails('ERR_GROUP_NO_CLEARANCE', 'PATCH', `/groups/${group}/owner`, { ...toBob, onBehalfOf: ann })
    await api.ok('PATCH', `/groups/${group}/owner`, toBob)
    await api.ok('POST', `/groups/${group}/bannedusers/${bob}`)
    expect(await ownerOf()).toBe('app_system')
  })

  test('who is deactivated is still a member, and can be removed', async () => {
    const { bob, cara, group } = await makeScene(api)
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: [bob, cara] } })
    const path = `/groups/${group}`
    await api.ok('PUT', `${path}/members/${bob}`, { body: { scope: 'participant' } })
    await api.ok('DELETE', `${path}/members/${bob}`)
    await api.ok('POST', `${path}/bannedusers/${cara}`)
    await api.ok('DELETE', `${path}/bannedusers/${cara}`)
    const lists = { participants: [bob], usersToBan: [cara, 'nobody'] }
    const { data: added } = await api.ok('POST', `${path}/members`, { body: lists })
    expect(added.usersToBan).toMatchObject({
      [cara]: { success: true },
      nobody: { error: { code: 'ERR_UID_NOT_FOUND' } },
    })
    expect(added.participants[bob].error.code).toBe('ERR_UID_NOT_FOUND')
    expect(added.usersToBan[cara].data.data).toMatchObject({
      action: 'banned',
      entities: { on: { entity: { uid: cara } } },
    })
    const again = await api.ok('POST', `${path}/members`, { body: { usersToBan: [cara] } })
    expect(again.data.usersToBan[cara].error.code).toBe('ERR_ALREADY_BANNED')
    await api.ok('DELETE', `${path}/bannedusers/${cara}`)
    await api.fails('ERR_UID_NOT_FOUND', 'POST', `${path}/bannedusers/nobody`)
    const left = (await api.ok('GET', `${path}/members`)).data.map(({ uid }: Json) => uid)
    expect([left.includes(bob), left.includes(cara)]).toEqual([false, false])
  })

  test('members and banned users are shown as whoever acts stands to them; members by status, too', async () => {
    const { ann, bob, cara, group } = await makeScene(api)
    await api.ok('POST', `/users/${ann}/blockedusers`, { body: { blockedUids: [bob, cara] } })
    await api.ok('POST', `/groups/${group}/bannedusers/${cara}`)
    const rows = async (list: string, onBehalfOf?: string, query: Record<string, string> = {}): Promise<Json[]> =>
      (await api.ok('GET', `/groups/${group}/${list}`, { onBehalfOf, query })).data
    const blocked = { blockedByMe: true, blockedByMeAt: expect.any(Number), blockedAt: expect.any(Number) }
    const [own, other] = await rows('members', ann)
    expect(own).toMatchObject({ uid: ann, scope: 'admin', joinedAt: expect.any(Number) })
    expect(own).not.toHaveProperty('conversationId')
    expect(other).toMatchObject({ uid: bob, conversationId: `${ann}_user_${bob}`, scope: 'moderator', ...blocked })
    expect(await rows('bannedusers', ann)).toMatchObject([
      { uid: cara, conversationId: `${ann}_user_${cara}`, bannedAt: expect.any(Number), ...blocked },
    ])
    expect((await rows('members'))[1]).not.toHaveProperty('conversationId')
    for (const status of ['available', 'online']) expect(await rows('members', ann, { status })).toEqual([])
    const { data, meta } = await api.ok('GET', `/groups/${group}/members`, { query: { status: 'offline' } })
    expect([data.length, meta.pagination.total]).toEqual([3, 3])
  })

  test('protected is another name of password', async () => {
    const body = { guid: 'guarded', name: 'Guarded', type: 'protected' }
    await api.fails('ERR_EMPTY_GROUP_PASS', 'POST', '/groups', { body })
    expect((await api.ok('POST', '/groups', { body: { ...body, password: 'x' } })).data.type).toBe('password')
    const change = (type: string) => api.ok('PUT', '/groups/guarded', { body: { type, password: 'y' } })
    expect((await change('public')).data.type).toBe('public')
    expect((await change('protected')).data.type).toBe('password')
    const join = (password: string): CallOptions => ({ onBehalfOf: scene.ann, body: { password } })
    await api.fails('ERR_WRONG_GROUP_PASS', 'POST', '/groups/guarded/members', join('x'))
    await api.ok('POST', '/groups/guarded/members', join('y'))
  })

  test('25 members per call, each for themself, in the order admins, moderators, participants', async () => {
    const { ann, bob, cara } = scene
    await create('many')
    const uids = Array.from({ length: 26 }, (_, index) => `nobody-${index}`)
    const path = '/groups/many/members'
    await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: { participants: uids } })
    const spread = { participants: uids.slice(0, 13), moderators: uids.slice(13) }
    await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: spread })
    await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: {} })
    await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: { participants: [] } })
    const create26 = { guid: 'too-many', name: 'x', type: 'public', members: spread }
    await api.fails('ERR_BAD_REQUEST', 'POST', '/groups', { body: create26 })
    await api.fails('ERR_GUID_NOT_FOUND', 'GET', '/groups/too-many')
    const body = {
      participants: [ann, bob, ann.toUpperCase(), ...uids.slice(0, 21)],
      moderators: [ann, bob],
      admins: [ann],
      usersToBan: [cara],
    }
    const { data } = await api.ok('POST', path, { body })
    const succeeded = (list: Json): string[] =>
      Object.entries(list).flatMap(([uid, { success }]: [string, Json]) => (success ? [uid] : []))
    expect(succeeded(data.admins)).toEqual([ann])
    expect(succeeded(data.moderators)).toEqual([bob])
    expect(succeeded(data.participants)).toEqual([])
    expect(succeeded(data.usersToBan)).toEqual([cara])
    expect(Object.values(data.participants).map(({ error }: Json) => error.code)).toEqual(
      Array(21).fill('ERR_UID_NOT_FOUND'),
    )
    expect((await api.ok('GET', '/groups/many')).data.membersCount).toBe(2)
    const again = (await api.ok('POST', path, { body: { admins: [bob], participants: [cara] } })).data
    expect(again.admins[bob].error.code).toBe('ERR_ALREADY_JOINED')
    expect(again.participants[cara].error.code).toBe('ERR_BANNED_GROUPMEMBER')
  })

  describe('rights', () => {
    let { ann, bob, cara, bot, group }: Scene = { ann: '', bob: '', cara: '', bot: '', group: '' }
    const outsider = 'outsider'
    beforeAll(async () => {
      const made = await makeScene(api)
      ;({ ann, bob, cara, bot, group } = made)
      await api.ok('POST', '/users', { body: { uid: outsider, name: 'x' } })
    })

    const update = (onBehalfOf: string) => ({ onBehalfOf, body: { description: 'new' } })

    test('to change the group: admins and moderators', async () => {
      await api.ok('PUT', `/groups/${group}`, update(ann))
      await api.ok('PUT', `/groups/${group}`, update(bob))
      await api.fails('ERR_GROUP_NO_MODERATOR_SCOPE', 'PUT', `/groups/${group}`, update(cara))
      await api.fails('ERR_GROUP_NOT_JOINED', 'PUT', `/groups/${group}`, update(outsider))
    })

    test('to delete it, and to add members: admins', async () => {
      const body = { participants: [outsider] }
      for (const [onBehalfOf, code] of [
        [bob, 'ERR_GROUP_NO_ADMIN_SCOPE'],
        [cara, 'ERR_GROUP_NO_ADMIN_SCOPE'],
        [outsider, 'ERR_GROUP_NOT_JOINED'],
      ] as const) {
        await api.fails(code, 'DELETE', `/groups/${group}`, { onBehalfOf })
        await api.fails(code, 'POST', `/groups/${group}/members`, { onBehalfOf, body })
      }
    })

    test('to act on members: admins on all, moderators on participants, nobody on themself or the owner', async () => {
      const member = (uid: string): string => `/groups/${group}/members/${uid}`
      const banned = (uid: string): string => `/groups/${group}/bannedusers/${uid}`
      const scope = (to: string, onBehalfOf: string) => ({ onBehalfOf, body: { scope: to } })
      await api.fails('ERR_GROUP_NO_SELF_ACTION', 'PUT', member(bob), scope('admin', bob))
      await api.fails('ERR_GROUP_NO_SELF_ACTION', 'DELETE', member(ann), { onBehalfOf: ann })
      await api.fails('ERR_GROUP_NO_SCOPE_CLEARANCE', 'DELETE', member(ann), { onBehalfOf: bob })
      await api.fails('ERR_GROUP_NO_SCOPE_CLEARANCE', 'PUT', member(cara), scope('admin', bob))
      await api.fails('ERR_GROUP_NO_MODERATOR_SCOPE', 'DELETE', member(bob), { onBehalfOf: cara })
      await api.fails('ERR_GROUP_NOT_JOINED', 'POST', banned(cara), { onBehalfOf: outsider })
      await api.ok('PUT', member(cara), scope('moderator', bob))
      await api.fails('ERR_SAME_SCOPE', 'PUT', member(cara), scope('moderator', ann))
      await api.ok('PUT', member(cara), scope('admin', ann))
      await api.fails('ERR_GROUP_NO_SCOPE_CLEARANCE', 'POST', banned(ann), { onBehalfOf: cara })
      const { data } = await api.ok('PUT', member(cara), { onBehalfOf: ann })
      expect(data.scope).toBe('participant')
      await api.ok('POST', banned(cara), { onBehalfOf: bob })
      await api.fails('ERR_ALREADY_BANNED', 'POST', banned(cara), { onBehalfOf: bob })
      await api.fails('ERR_NOT_A_MEMBER', 'DELETE', member(cara), { onBehalfOf: bob })
      await api.ok('DELETE', banned(cara), { onBehalfOf: bob })
      await api.fails('ERR_NOT_A_BANNED_USER', 'DELETE', banned(cara), { onBehalfOf: bob })
      expect(idsOf(await api.ok('GET', `/groups/${group}/members`))).toEqual([ann, bob, bot])
    })

    test('the group is told of it', async () => {
      const list = await api.ok('GET', `/groups/${group}/messages`, { query: { category: 'action' } })
      expect(list.data.map(({ data }: Json) => data.action)).toEqual([
        'scopeChanged',
        'scopeChanged',
        'scopeChanged',
        'banned',
        'unbanned',
      ])
    })
  })

  describe('lists', () => {
    beforeAll(async () => {
      const { ann, bob } = await makeScene(api)
      await create('list-c', { name: 'Alpha', tags: ['x'], type: 'private', owner: ann })
      await create('list-b', { name: 'Beta', tags: ['y', 'x'], type: 'password', password: 'p', owner: bob })
      await create('list-a', { name: 'Gamma', owner: ann })
      scene = { ...scene, ann, bob }
    })

    test.each([
      [{}, ['list-a', 'list-b', 'list-c']],
      [{ sortBy: 'name' }, ['list-c', 'list-b', 'list-a']],
      [{ sortBy: 'name', sortOrder: 'desc' }, ['list-a', 'list-b', 'list-c']],
      [{ perPage: 2, page: 2 }, ['list-c']],
      [{ type: 'protected' }, ['list-b']],
      [{ types: 'private,public' }, ['list-a', 'list-c']],
      [{ tags: 'x' }, ['list-b', 'list-c']],
    ])('of %j', async (query, expected) => {
      expect(idsOf(await api.ok('GET', '/groups', { query: { searchKey: 'list-', ...query } }))).toEqual(expected)
    })

    test('a user finds private groups only where they are a member', async () => {
      const query = { searchKey: 'list-' }
      const of = async (onBehalfOf: string, more: object = {}) =>
        idsOf(await api.ok('GET', '/groups', { query: { ...query, ...more }, onBehalfOf }))
      expect(await of(scene.ann)).toEqual(['list-a', 'list-b', 'list-c'])
      expect(await of(scene.bob)).toEqual(['list-a', 'list-b'])
      expect(await of(scene.ann, { hasJoined: true })).toEqual(['list-a', 'list-c'])
    })
  })

  test('deletion takes members and messages along; the guid is free again', async () => {
    const { ann, group } = await makeScene(api)
    const { data } = await api.ok('POST', '/messages', { body: toGroup(group), onBehalfOf: ann })
    await api.ok('DELETE', `/groups/${group}`, { onBehalfOf: ann })
    await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'GET', `/messages/${data.id}`)
    await create(group)
    expect((await api.ok('GET', `/groups/${group}/members`)).data).toEqual([])
    expect((await api.ok('GET', `/groups/${group}/messages`)).data).toEqual([])
  })
})
