/** Friends and blocked users, as the app and as users themselves see them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('relations', (engine) => {
  let server: TestServer
  let api: Api
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())

  const tokenOf = async (uid: string): Promise<string> =>
    (await api.ok('POST', `/users/${uid}/auth_tokens`)).data.authToken
  const friendsOf = async (uid: string, query = {}) => idsOf(await api.ok('GET', `/users/${uid}/friends`, { query }))

  test('friends: per uid what became of it; ended all together, or not at all', async () => {
    const { ann, bob, cara } = await makeScene(api)
    const path = `/users/${ann}/friends`
    const add = async (accepted: string[], more = {}): Promise<Json> =>
      (await api.ok('POST', path, { body: { accepted, ...more } })).data.accepted
    expect(await add([bob, bob.toUpperCase()])).toEqual({
      [bob]: { success: true, message: 'Created relationship with status accepted.' },
    })
    const again = await add([bob, cara, 'nobody'], { addToConversations: true })
    expect(again[bob]).toMatchObject({ success: false, error: { code: 'ERR_ALREADY_FRIEND' } })
    expect(again.nobody).toMatchObject({ success: false, error: { code: 'ERR_UID_NOT_FOUND' } })
    expect(again[cara].success).toBe(true)
    expect(await friendsOf(ann)).toEqual([bob, cara])
    expect(await friendsOf(bob)).toEqual([ann])
    expect(await friendsOf(ann, { searchKey: cara })).toEqual([cara])
    const second = await api.ok('GET', path, { query: { perPage: 1, page: 2 } })
    expect([idsOf(second), second.meta.pagination.total]).toEqual([[cara], 2])
    await api.fails('ERR_CANNOT_FORM_SELF_RELATION', 'POST', path, { body: { accepted: [ann] } })
    const { details } = await api.fails('ERR_NOT_A_FRIEND', 'DELETE', path, { body: { friends: [bob, 'nobody'] } })
    expect(details).toEqual({ uid: 'nobody' })
    expect(await friendsOf(ann)).toEqual([bob, cara])
    await api.ok('DELETE', path, { body: { friends: [bob, cara] } })
    expect([await friendsOf(ann), await friendsOf(cara)]).toEqual([[], []])
    // It is the app that makes friends.
    await api.fails('AUTH_ERR_NO_ACCESS', 'GET', path, { token: await tokenOf(ann) })
  })

  test('users block and unblock for themselves; each sees their own side', async () => {
    const { ann, bob, cara } = await makeScene(api)
    const [ofAnn, ofBob] = [await tokenOf(ann), await tokenOf(bob)]
    const body = { blockedUids: [bob, cara] }
    const { data } = await api.ok('POST', '/blockedusers', { token: ofAnn, body })
    expect(Object.values(data).map(({ success }: Json) => success)).toEqual([true, true])
    const list = async (token: string, query = {}) => idsOf(await api.ok('GET', '/blockedusers', { token, query }))
    expect(await list(ofAnn)).toEqual([bob, cara])
    expect(await list(ofAnn, { searchKey: cara })).toEqual([cara])
    expect(await list(ofAnn, { direction: 'hasBlockedMe' })).toEqual([])
    expect(await list(ofBob)).toEqual([])
    expect(await list(ofBob, { direction: 'hasBlockedMe' })).toEqual([ann])
    expect(await list(ofBob, { direction: 'both' })).toEqual([ann])
    const seen = async (token: string, uid: string) => (await api.ok('GET', `/users/${uid}`, { token })).data
    expect(await seen(ofAnn, bob)).toMatchObject({
      blockedByMe: true,
      blockedByMeAt: expect.any(Number),
      blockedAt: expect.any(Number),
      conversationId: `${ann}_user_${bob}`,
    })
    const annForBob = await seen(ofBob, ann)
    expect(annForBob).toMatchObject({ hasBlockedMe: true, blockedAt: expect.any(Number) })
    expect(annForBob).not.toHaveProperty('blockedByMe')
    expect((await api.ok('GET', `/users/${bob}`)).data).not.toHaveProperty('blockedAt')
    await api.fails('ERR_CANNOT_BLOCK_SELF', 'POST', '/blockedusers', { token: ofAnn, body: { blockedUids: [ann] } })
    await api.ok('DELETE', '/blockedusers', { token: ofAnn, body })
    expect(await list(ofAnn, { direction: 'both' })).toEqual([])
    expect(await seen(ofAnn, bob)).not.toHaveProperty('blockedAt')
    await api.fails('ERR_BAD_REQUEST', 'GET', '/blockedusers')
  })

  test('nobody writes one to one to whom they have blocked, nor to who has blocked them', async () => {
    const { ann, bob, bot, group, cara } = await makeScene(api)
    const say = (from: string, to: string) => ['POST', '/messages', { onBehalfOf: from, body: toUser(to) }] as const
    const { id } = (await api.ok(...say(ann, bob))).data
    await api.ok('POST', `/users/${ann}/blockedusers`, { body: { blockedUids: [bob, bot] } })
    await api.fails('ERR_BLOCKED_RECEIVER', ...say(ann, bob))
    await api.fails('ERR_BLOCKED_SENDER', ...say(bob, ann))
    const reply = { onBehalfOf: bob, body: toUser(ann) }
    await api.fails('ERR_BLOCKED_SENDER', 'POST', `/messages/${id}/thread`, reply)
    await api.fails('ERR_BLOCKED_RECEIVER', ...say(ann, bot))
    await api.fails('ERR_BLOCKED_SENDER', 'POST', `/bots/${bot}/messages`, { body: toUser(ann) })
    const multipleReceivers = { uids: [bob, cara] }
    const { data } = await api.ok('POST', '/messages', {
      onBehalfOf: ann,
      body: { data: { text: 'x' }, multipleReceivers },
    })
    expect(data.uids[bob].error.code).toBe('ERR_BLOCKED_RECEIVER')
    expect(data.uids[cara].success).toBe(true)
    // The app may always, and a group is open to its members.
    await api.ok('POST', '/messages', { body: toUser(ann) })
    await api.ok('POST', '/messages', { onBehalfOf: bob, body: toGroup(group) })
    await api.ok('DELETE', `/users/${ann}/blockedusers`, { body: { blockedUids: [bob, bot] } })
    await api.ok(...say(ann, bob))
    await api.ok('POST', `/bots/${bot}/messages`, { body: toUser(ann) })
  })

  test('lists of users as a user sees them', async () => {
    const { ann, bob, cara, bot } = await makeScene(api)
    const token = await tokenOf(ann)
    const metadata = { '@private': { email: 'b@x.example' }, city: 'Bern' }
    await api.ok('PUT', `/users/${bob}`, { body: { metadata, name: 'ZZ', statusMessage: 'away' } })
    await api.ok('POST', `/users/${ann}/friends`, { body: { accepted: [bob, cara] } })
    await api.ok('POST', `/users/${ann}/blockedusers`, { body: { blockedUids: [cara] } })
    const uids = [ann, bob, cara, bot].join(',')
    const list = (query: object, who: object = { token }) =>
      api.ok('GET', '/users', { query: { uids, ...query }, ...who })
    const all = await list({})
    expect(idsOf(all)).toEqual([bob, bot, cara])
    expect(all.data[0]).toMatchObject({
      conversationId: `${ann}_user_${bob}`,
      metadata: { city: 'Bern' },
      statusMessage: 'away',
    })
    expect(all.data[0].metadata).not.toHaveProperty('@private')
    expect(all.data[2]).toMatchObject({ blockedByMe: true })
    for (const yes of [1, true]) {
      expect(idsOf(await list({ friendsOnly: yes }))).toEqual([bob, cara])
      expect(idsOf(await list({ friendsOnly: yes, hideBlockedUsers: yes }))).toEqual([bob])
    }
    for (const no of [0, false]) {
      expect(idsOf(await list({ friendsOnly: no, hideBlockedUsers: no }))).toEqual([bob, bot, cara])
    }
    expect(idsOf(await list({ sortBy: 'name' }))).toEqual([bot, cara, bob])
    expect(idsOf(await list({ sortBy: 'name', sortOrder: 'desc' }))).toEqual([bob, cara, bot])
    expect(idsOf(await list({ sortBy: 'status' }))).toEqual([bob, bot, cara])
    expect(idsOf(await list({ status: 'available' }))).toEqual([])
    expect(idsOf(await list({}, { onBehalfOf: ann }))).toEqual([bob, bot, cara])
    // The app sees everybody as they are.
    const ofApp = await list({ friendsOnly: 1 }, {})
    expect(idsOf(ofApp)).toEqual([ann, bob, bot, cara])
    expect(ofApp.data[1].metadata).toEqual(metadata)
    expect(ofApp.data[1]).not.toHaveProperty('conversationId')
    expect((await api.ok('GET', `/users/${bob}`, { token: await tokenOf(bob) })).data.metadata).toEqual(metadata)
    // Who is deactivated is there for the app only.
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: [bob] } })
    expect(idsOf(await list({ withDeactivated: true }))).toEqual([bot, cara])
    expect(await friendsOf(ann)).toEqual([cara])
  })

  test('members are shown without what is private', async () => {
    const { ann, bob, group } = await makeScene(api)
    await api.ok('PUT', `/users/${bob}`, { body: { metadata: { '@private': { email: 'x' } } } })
    const bobIn = (list: Json): Json => list.data.find(({ uid }: Json) => uid === bob)
    const path = `/groups/${group}/members`
    expect(bobIn(await api.ok('GET', path, { onBehalfOf: ann }))).not.toHaveProperty('metadata')
    expect(bobIn(await api.ok('GET', path)).metadata).toEqual({ '@private': { email: 'x' } })
  })

  test('what a deleted user leaves behind', async () => {
    const { ann, bob, cara } = await makeScene(api)
    await api.ok('POST', `/users/${ann}/friends`, { body: { accepted: [bob] } })
    await api.ok('POST', `/users/${cara}/blockedusers`, { body: { blockedUids: [ann] } })
    await api.ok('DELETE', `/users/${ann}`)
    await api.ok('POST', '/users', { body: { uid: ann, name: 'Another' } })
    expect([await friendsOf(ann), await friendsOf(bob)]).toEqual([[], []])
    await api.ok('POST', '/messages', { onBehalfOf: ann, body: toUser(cara) })
  })
})
