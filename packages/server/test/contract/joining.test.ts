/** Members who come and go by themselves, and groups that change hands. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('joining', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  let token = ''
  let guests = 0
  let guest = ''
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    scene = await makeScene(api)
    guest = `guest-${++guests}`
    const user = await api.ok('POST', '/users', { body: { uid: guest, name: 'Guest', withAuthToken: true } })
    token = user.data.authToken
  })

  const group = async (type: string, more: object = {}): Promise<string> => {
    const guid = `${type}-${guest}`
    await api.ok('POST', '/groups', { body: { guid, name: guid, type, owner: scene.ann, ...more } })
    return guid
  }
  const members = async (guid: string) => idsOf(await api.ok('GET', `/groups/${guid}/members`))
  const actions = async (guid: string): Promise<string[]> =>
    (await api.ok('GET', `/groups/${guid}/messages`, { query: { category: 'action' } })).data.map(
      ({ data }: Json) => `${data.entities.by.entity.uid} ${data.action} ${data.entities.on.entity.uid}`,
    )

  test('a public group: the answer is the action message, with the group as it is then', async () => {
    const guid = await group('public')
    // As the SDK sends it.
    const body = { guid, name: 'name', type: 'public', password: '', hasJoined: false, membersCount: 0 }
    const { data } = await api.ok('POST', `/groups/${guid}/members`, { token, body })
    expect(data).toMatchObject({
      category: 'action',
      type: 'groupMember',
      sender: guest,
      data: {
        action: 'joined',
        entities: { on: { entity: { uid: guest } }, for: { entity: { guid, membersCount: 2 } } },
      },
    })
    expect(await members(guid)).toEqual([scene.ann, guest].sort())
    expect(await actions(guid)).toEqual([`${guest} joined ${guest}`])
    await api.ok('POST', '/messages', { token, body: toGroup(guid) })
    const again = { token, body: {} }
    await api.fails('ERR_ALREADY_JOINED', 'POST', `/groups/${guid}/members`, again)
    expect(await actions(guid)).toHaveLength(1)
  })

  test('a group with a password: with the right one alone, also after it was changed', async () => {
    const guid = await group('password', { password: 'sesame' })
    const join = (password?: string) => ({ token, body: password === undefined ? {} : { password } })
    await api.fails('ERR_EMPTY_GROUP_PASS', 'POST', `/groups/${guid}/members`, join())
    await api.fails('ERR_WRONG_GROUP_PASS', 'POST', `/groups/${guid}/members`, join('Sesame'))
    await api.ok('PUT', `/groups/${guid}`, { body: { password: 'other' } })
    await api.fails('ERR_WRONG_GROUP_PASS', 'POST', `/groups/${guid}/members`, join('sesame'))
    expect(await members(guid)).toEqual([scene.ann])
    await api.ok('POST', `/groups/${guid}/members`, join('other'))
    expect(await members(guid)).toContain(guest)
  })

  test('a private group: nobody by themself, and nobody else looks into it', async () => {
    const guid = await group('private')
    await api.fails('ERR_GROUP_JOIN_NOT_ALLOWED', 'POST', `/groups/${guid}/members`, { token, body: {} })
    for (const path of [`/groups/${guid}`, `/groups/${guid}/members`, `/groups/${guid}/bannedusers`]) {
      await api.fails('ERR_GROUP_NOT_JOINED', 'GET', path, { token })
    }
    await api.ok('POST', `/groups/${guid}/members`, { body: { participants: [guest] } })
    await api.ok('GET', `/groups/${guid}/members`, { token })
    expect((await api.ok('GET', `/groups/${guid}`, { token })).data).toMatchObject({ hasJoined: true })
  })

  test('who is banned does not come back', async () => {
    const guid = await group('public')
    await api.ok('POST', `/groups/${guid}/bannedusers/${guest}`)
    await api.fails('ERR_BANNED_GROUPMEMBER', 'POST', `/groups/${guid}/members`, { token, body: {} })
    await api.ok('DELETE', `/groups/${guid}/bannedusers/${guest}`)
    await api.ok('POST', `/groups/${guid}/members`, { token, body: {} })
  })

  test('leaving: once, with an action message; the owner hands the group over first', async () => {
    const guid = await group('public')
    await api.ok('POST', `/groups/${guid}/members`, { token, body: {} })
    const owner = { onBehalfOf: scene.ann }
    await api.fails('ERR_GROUP_NO_SELF_ACTION', 'DELETE', `/groups/${guid}/members`, owner)
    await api.ok('DELETE', `/groups/${guid}/members`, { token })
    await api.fails('ERR_GROUP_NOT_JOINED', 'DELETE', `/groups/${guid}/members`, { token })
    expect(await actions(guid)).toEqual([`${guest} joined ${guest}`, `${guest} left ${guest}`])
    await api.ok('DELETE', `/groups/${guid}/members`, owner)
    expect((await api.ok('GET', `/groups/${guid}`)).data).toMatchObject({ membersCount: 0, owner: 'app_system' })
  })

  test('a group is handed over by its owner or the app, to a member, who becomes an admin', async () => {
    const guid = await group('public', { members: { participants: [scene.bob], admins: [scene.cara] } })
    const path = `/groups/${guid}/owner`
    const to = (owner: string, onBehalfOf?: string) => ({ onBehalfOf, body: { owner } })
    await api.fails('ERR_GROUP_NO_CLEARANCE', 'PATCH', path, to(scene.bob, scene.cara))
    await api.fails('ERR_NOT_A_MEMBER', 'PATCH', path, to(guest, scene.ann))
    await api.fails('ERR_UID_NOT_FOUND', 'PATCH', path, to('nobody', scene.ann))
    await api.ok('PATCH', path, to(scene.bob, scene.ann))
    const shown = (await api.ok('GET', `/groups/${guid}`, { onBehalfOf: scene.bob })).data
    expect(shown).toMatchObject({ owner: scene.bob, scope: 'admin', updatedBy: scene.ann })
    await api.ok('DELETE', `/groups/${guid}/members`, { onBehalfOf: scene.ann })
    await api.ok('PATCH', path, to(scene.cara))
    expect((await api.ok('GET', `/groups/${guid}`)).data.owner).toBe(scene.cara)
  })

  test('twenty who join at once are twenty members', async () => {
    const guid = await group('public')
    const uids = Array.from({ length: 20 }, (_, n) => `${guest}-${n}`)
    for (const uid of uids) await api.ok('POST', '/users', { body: { uid, name: uid } })
    const join = (onBehalfOf: string) => api.call('POST', `/groups/${guid}/members`, { onBehalfOf, body: {} })
    const answers = await Promise.all([...uids, ...uids].map(join))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20)
    expect((await api.ok('GET', `/groups/${guid}`)).data.membersCount).toBe(21)
    expect(await actions(guid)).toHaveLength(20)
  })
})
