/** Conversations as their users have them: what was said last, what is unread, who has received and read what. */
import { defaultLimits } from '@confab/protocol'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('conversations', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    scene = await makeScene(api)
  })

  const send = async (from: string, body: object): Promise<string> =>
    (await api.ok('POST', '/messages', { onBehalfOf: from, body })).data.id
  const list = async (onBehalfOf: string, query: Json = {}): Promise<Json[]> =>
    (await api.ok('GET', '/conversations', { onBehalfOf, query })).data
  const withUser = (onBehalfOf: string, uid: string) => api.ok('GET', `/users/${uid}/conversation`, { onBehalfOf })
  const unread = async (onBehalfOf: string, uid: string) =>
    (await withUser(onBehalfOf, uid)).data.unreadMessageCount as string
  const unreadInGroup = async (onBehalfOf: string, guid = scene.group) =>
    (await api.ok('GET', `/groups/${guid}/conversation`, { onBehalfOf })).data.unreadMessageCount as string
  const mark = (kind: string, onBehalfOf: string, path: string, messageId?: string) =>
    api.ok('POST', `${path}/conversation/${kind}`, { onBehalfOf, ...(messageId && { body: { messageId } }) })

  test('with a user who was deleted there is still somebody to show', async () => {
    const { ann, bob } = await makeScene(api)
    await send(bob, toUser(ann, 'bye'))
    await api.ok('DELETE', `/users/${bob}`)
    const { data } = await api.ok('GET', '/conversations', { onBehalfOf: ann })
    expect(data).toMatchObject([
      {
        conversationId: `${ann}_user_${bob}`,
        conversationWith: { uid: bob, name: bob, status: 'offline', conversationId: `${ann}_user_${bob}` },
      },
    ])
  })

  test('what was said by who is deactivated or deleted since can be marked as read; what nobody said, not', async () => {
    const { ann, bob, cara, bot } = await makeScene(api)
    for (const from of [bob, cara]) await send(from, toUser(ann, 'bye'))
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: [bob, bot] } })
    await api.ok('DELETE', `/users/${cara}`)
    const counts = async () => (await list(ann)).map(({ unreadMessageCount }) => unreadMessageCount)
    expect(await counts()).toEqual(['1', '1'])
    for (const kind of ['delivered', 'read']) {
      for (const uid of [bob, cara]) await mark(kind, ann, `/users/${uid}`)
      for (const uid of [bot, 'nobody']) {
        await api.fails('ERR_UID_NOT_FOUND', 'POST', `/users/${uid}/conversation/${kind}`, { onBehalfOf: ann })
      }
    }
    expect(await counts()).toEqual(['0', '0'])
  })

  test('there is none before something is said; then both have it, with each other', async () => {
    const { ann, bob } = scene
    await api.fails('ERR_CONVERSATION_NOT_ACCESSIBLE', 'GET', `/users/${bob}/conversation`, { onBehalfOf: ann })
    await mark('read', ann, `/users/${bob}`)
    const id = await send(ann, toUser(bob, 'hi'))
    const { data } = await withUser(bob, ann)
    expect(data).toMatchObject({
      conversationId: `${ann}_user_${bob}`,
      conversationType: 'user',
      unreadMessageCount: '1',
      unreadMentionsCount: '0',
      latestMessageId: id,
      lastMessage: { id, data: { text: 'hi' } },
      conversationWith: { uid: ann, name: ann.toUpperCase(), conversationId: `${ann}_user_${bob}` },
    })
    expect((await withUser(ann, bob)).data).toMatchObject({ unreadMessageCount: '0', conversationWith: { uid: bob } })
    const byId = await api.ok('GET', `/conversations/${ann}_user_${bob}`, { onBehalfOf: bob })
    expect(byId.data).toEqual(data)
    await api.fails('ERR_CONVERSATION_NOT_FOUND', 'GET', `/conversations/${ann}_user_${bob}`, {
      onBehalfOf: scene.cara,
    })
  })

  test('are listed newest first, with their pages; replies and edits move none', async () => {
    const { ann, bob, cara, group } = scene
    const first = await send(ann, toUser(bob, 'one'))
    await send(cara, toUser(ann, 'two'))
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await send(ann, toGroup(group, 'three'))
    expect((await list(ann)).map(({ conversationId }) => conversationId)[0]).toBe(`group_${group}`)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await send(bob, toUser(ann, 'reply', { parentMessageId: first }))
    await api.ok('PUT', `/messages/${first}`, { onBehalfOf: ann, body: { data: { text: 'edited' } } })
    const rows = await list(ann)
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatchObject({
      conversationId: `group_${group}`,
      conversationWith: { guid: group, scope: 'admin', hasJoined: true },
    })
    expect(rows.find(({ conversationWith }) => conversationWith.uid === bob)).toMatchObject({
      lastMessage: { id: first, data: { text: 'edited' }, replyCount: 1 },
      unreadMessageCount: '0',
    })
    const page = await api.ok('GET', '/conversations', { onBehalfOf: ann, query: { perPage: 2, page: 2 } })
    expect(page.data).toHaveLength(1)
    expect(page.meta.pagination).toMatchObject({ total: 3, total_pages: 2, current_page: 2 })
    expect((await api.ok('GET', '/conversations', { onBehalfOf: ann, query: { page: 9 } })).data).toEqual([])
  })

  test('show a last message that is marked as deleted, and the one before it when it is deleted for good', async () => {
    const { ann, bob } = await makeScene(api)
    const send = async (text: string): Promise<string> =>
      (await api.ok('POST', '/messages', { onBehalfOf: ann, body: toUser(bob, text) })).data.id
    const [before, last] = [await send('one'), await send('two')]
    const shown = async (): Promise<Json> =>
      (await api.ok('GET', `/users/${ann}/conversation`, { onBehalfOf: bob })).data.lastMessage
    await api.ok('DELETE', `/messages/${last}`, { onBehalfOf: ann })
    expect(await shown()).toMatchObject({ id: last, deletedAt: expect.any(Number), deletedBy: ann })
    await api.ok('DELETE', `/messages/${last}`, { onBehalfOf: ann, body: { permanent: true } })
    expect(await shown()).toMatchObject({ id: before, data: { text: 'one' } })
  })

  test('are found by type, name, tags, and whether something is unread', async () => {
    const { ann, bob, cara, group } = scene
    await send(bob, toUser(ann))
    await send(cara, toUser(ann))
    await send(ann, toGroup(group))
    const whom = async (query: Json) =>
      (await list(ann, query)).map(({ conversationWith: { uid, guid } }) => uid ?? guid).sort()
    expect(await whom({ conversationType: 'group' })).toEqual([group])
    expect(await whom({ conversationType: 'user' })).toEqual([bob, cara])
    expect(await whom({ searchKey: cara.toUpperCase() })).toEqual([cara])
    await mark('read', ann, `/users/${bob}`)
    expect(await whom({ unread: true })).toEqual([cara])
    await api.ok('PUT', `/users/${bob}/conversation`, { onBehalfOf: ann, body: { tags: ['work', 'late'] } })
    expect(await whom({ tags: 'late' })).toEqual([bob])
    expect((await list(ann, { tags: 'late', withTags: true }))[0]?.tags).toEqual(['work', 'late'])
    expect((await list(ann, { tags: 'late' }))[0]).not.toHaveProperty('tags')
    expect(await whom({ tags: 'other' })).toEqual([])
    await api.ok('PUT', `/users/${cara}`, { body: { tags: ['vip'] } })
    expect(await whom({ userTags: 'vip' })).toEqual([cara])
    expect((await list(ann, { userTags: 'vip', withUserAndGroupTags: true }))[0]?.conversationWith.tags).toEqual([
      'vip',
    ])
    await api.ok('PUT', `/groups/${group}`, { body: { tags: ['team'] } })
    expect(await whom({ groupTags: 'team' })).toEqual([group])
    expect(await list(bob, { tags: 'late' })).toEqual([])
  })

  test('count what others said: not what is read, deleted, a reply, an action, or one’s own', async () => {
    const { ann, bob } = scene
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.push(await send(bob, toUser(ann, `m${n} <@uid:${n === 4 ? ann : bob}>`)))
    await send(bob, toUser(ann, 'reply', { parentMessageId: ids[0] }))
    await send(ann, toUser(bob, 'mine'))
    expect(await unread(ann, bob)).toBe('5')
    expect((await withUser(ann, bob)).data.unreadMentionsCount).toBe('1')
    await api.ok('DELETE', `/messages/${ids[3]}`, { onBehalfOf: bob })
    expect(await unread(ann, bob)).toBe('4')
    await api.ok('PUT', `/messages/${ids[2]}`, { onBehalfOf: bob, body: { data: { text: 'edited' } } })
    expect(await unread(ann, bob)).toBe('4')
    await api.ok('DELETE', `/messages/${ids[2]}`, { onBehalfOf: bob, body: { permanent: true } })
    expect(await unread(ann, bob)).toBe('3')
    await mark('read', ann, `/users/${bob}`, ids[0])
    expect(await unread(ann, bob)).toBe('2')
    await mark('read', ann, `/users/${bob}`)
    expect(await unread(ann, bob)).toBe('0')
    await mark('read', ann, `/users/${bob}`, ids[0])
    expect(await unread(ann, bob)).toBe('0')
    expect(await unread(bob, ann)).toBe('1')
  })

  test('who joins has nothing to catch up with, and who comes back neither', async () => {
    const { ann, cara, group } = scene
    await api.ok('POST', '/users', { body: { uid: `late-${group}`, name: 'Late' } })
    const late = `late-${group}`
    await send(ann, toGroup(group))
    expect(await unreadInGroup(cara)).toBe('1')
    await api.ok('POST', `/groups/${group}/members`, { body: { participants: [late] } })
    expect(await unreadInGroup(late)).toBe('0')
    await send(ann, toGroup(group))
    expect(await unreadInGroup(late)).toBe('1')
    await api.ok('DELETE', `/groups/${group}/members/${late}`)
    expect(await list(late)).toEqual([])
    await api.fails('ERR_GROUP_NOT_JOINED', 'GET', `/groups/${group}/conversation`, { onBehalfOf: late })
    for (let n = 0; n < 3; n++) await send(ann, toGroup(group))
    await api.ok('POST', `/groups/${group}/members`, { body: { participants: [late] } })
    expect(await unreadInGroup(late)).toBe('0')
  })

  test('receipts: the sender sees when, the reader sees their own, and both only move forward', async () => {
    const { ann, bob } = scene
    const one = await send(ann, toUser(bob, 'one'))
    const two = await send(ann, toUser(bob, 'two'))
    const get = async (id: string, onBehalfOf: string) => (await api.ok('GET', `/messages/${id}`, { onBehalfOf })).data
    expect(await get(one, ann)).not.toHaveProperty('deliveredAt')
    await mark('delivered', bob, `/users/${ann}`)
    await mark('read', bob, `/users/${ann}`, one)
    const at = expect.any(Number)
    expect(await get(one, ann)).toMatchObject({ deliveredAt: at, readAt: at })
    expect(await get(two, ann)).toMatchObject({ deliveredAt: at })
    expect(await get(two, ann)).not.toHaveProperty('readAt')
    expect(await get(one, ann)).not.toHaveProperty('myReceipt')
    expect(await get(one, bob)).toMatchObject({ myReceipt: { deliveredAt: at, readAt: at } })
    expect((await get(one, ann)).receipts.data).toMatchObject([
      { recipient: { uid: bob }, deliveredAt: at, readAt: at },
    ])
    const firstReadAt = (await get(one, ann)).readAt
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await mark('read', bob, `/users/${ann}`)
    expect((await get(one, ann)).readAt).toBe(firstReadAt)
    expect((await get(two, ann)).readAt).toBeGreaterThan(firstReadAt)
    const rows = (await api.ok('GET', `/users/${bob}/messages`, { onBehalfOf: ann })).data
    expect(rows.map(({ readAt }: Json) => readAt > 0)).toEqual([true, true])
  })

  test('in groups everybody has receipts of their own', async () => {
    const { ann, bob, cara, group } = scene
    const id = await send(ann, toGroup(group))
    await mark('read', bob, `/groups/${group}`)
    await mark('delivered', cara, `/groups/${group}`)
    const get = async (onBehalfOf: string) => (await api.ok('GET', `/messages/${id}`, { onBehalfOf })).data
    const { receipts, ...seen } = await get(ann)
    expect(seen).not.toHaveProperty('readAt')
    expect(receipts.data.map(({ recipient, readAt }: Json) => [recipient.uid, readAt !== undefined])).toEqual([
      [bob, true],
      [cara, false],
    ])
    expect((await get(bob)).myReceipt).toHaveProperty('readAt')
    expect((await get(cara)).myReceipt).not.toHaveProperty('readAt')
  })

  test('what is unread, and not delivered, is filtered and counted', async () => {
    const { ann, bob, cara, group } = scene
    const one = await send(bob, toUser(ann, 'one'))
    const two = await send(bob, toUser(ann, 'two'))
    const three = await send(cara, toGroup(group, 'three'))
    await send(ann, toUser(bob, 'mine'))
    const found = async (path: string, query: Json) => idsOf(await api.ok('GET', path, { onBehalfOf: ann, query }))
    expect(await found('/messages', { unread: true })).toEqual([one, two, three])
    await mark('read', ann, `/users/${bob}`, one)
    expect(await found('/messages', { unread: 1 })).toEqual([two, three])
    expect(await found(`/users/${bob}/messages`, { unread: 1 })).toEqual([two])
    expect(await found(`/groups/${group}/messages`, { unread: 1 })).toEqual([three])
    expect(await found(`/users/${bob}/messages`, { undelivered: true })).toEqual([two])
    const counts = async (path: string, query: Json = {}) =>
      (await api.ok('GET', path, { onBehalfOf: ann, query: { unread: 1, count: 1, ...query } })).data
    const ofBob = { entityType: 'user', entityId: bob, count: 1 }
    const ofGroup = { entityType: 'group', entityId: group, count: 1 }
    expect(new Set(await counts('/messages'))).toEqual(new Set([ofBob, ofGroup]))
    expect(await counts('/messages', { receiverType: 'group' })).toEqual([ofGroup])
    expect(await counts(`/users/${bob}/messages`)).toEqual([ofBob])
    expect(await counts(`/groups/${group}/messages`)).toEqual([ofGroup])
    await api.fails('ERR_BAD_REQUEST', 'GET', '/messages', { query: { unread: 1, count: 1 } })
  })

  test('a message can be made unread again, with what came after it', async () => {
    const { ann, bob } = scene
    const ids = [await send(bob, toUser(ann, 'one')), await send(bob, toUser(ann, 'two'))]
    await mark('read', ann, `/users/${bob}`)
    const answer = await api.ok('DELETE', `/users/${bob}/conversation/read`, {
      onBehalfOf: ann,
      body: { messageId: ids[1] },
    })
    expect(answer.data).toMatchObject({
      success: true,
      conversation: { unreadMessageCount: '1', lastReadMessageId: ids[0] },
    })
    expect((await api.ok('GET', `/messages/${ids[1]}`, { onBehalfOf: bob })).data).not.toHaveProperty('readAt')
    expect((await api.ok('GET', `/messages/${ids[1]}`, { onBehalfOf: bob })).data).toHaveProperty('deliveredAt')
    await mark('read', ann, `/users/${bob}`)
    expect((await api.ok('GET', `/messages/${ids[1]}`, { onBehalfOf: bob })).data).toHaveProperty('readAt')
  })

  test('one user deletes a conversation for themself; the next message brings it back without what was before', async () => {
    const { ann, bob } = scene
    const before = await send(bob, toUser(ann, 'before'))
    await api.ok('DELETE', `/users/${bob}/conversation`, { onBehalfOf: ann })
    expect(await list(ann)).toEqual([])
    const seen = async (onBehalfOf: string, other: string) =>
      idsOf(await api.ok('GET', `/users/${other}/messages`, { onBehalfOf }))
    expect(await seen(ann, bob)).toEqual([])
    expect(idsOf(await api.ok('GET', '/messages', { onBehalfOf: ann }))).toEqual([])
    expect(await seen(bob, ann)).toEqual([before])
    expect(await list(bob)).toHaveLength(1)
    const after = await send(bob, toUser(ann, 'after'))
    expect(await list(ann)).toMatchObject([{ unreadMessageCount: '1', lastMessage: { id: after } }])
    expect(await seen(ann, bob)).toEqual([after])
    await api.ok('DELETE', `/conversations/${ann}_user_${bob}`, { onBehalfOf: bob })
    expect(await list(bob)).toEqual([])
    expect(await list(ann)).toHaveLength(1)
  })

  test('with a key it is deleted for everybody, and for good', async () => {
    const { ann, bob } = scene
    await send(bob, toUser(ann, 'gone'))
    const body = { deleteMessagesPermanently: true }
    const token = (await api.ok('POST', `/users/${ann}/auth_tokens`)).data.authToken
    await api.fails('AUTH_ERR_NO_ACCESS', 'DELETE', `/users/${bob}/conversation`, { token, body })
    await api.ok('DELETE', `/users/${bob}/conversation`, { onBehalfOf: ann, body })
    expect(await list(ann)).toEqual([])
    expect(await list(bob)).toEqual([])
    expect((await api.ok('GET', `/users/${bob}/messages`, { onBehalfOf: ann })).data).toEqual([])
  })

  test('a user who is deleted for good takes their conversations along', async () => {
    const { ann, bob } = scene
    await send(bob, toUser(ann, 'gone'))
    await api.ok('DELETE', `/users/${bob}`, { body: { permanent: true } })
    expect(await list(ann)).toEqual([])
  })

  test('a user pins some, and the app those of groups for everybody', async () => {
    const { ann, bob, cara, group } = scene
    await send(bob, toUser(ann))
    await send(cara, toGroup(group))
    const pin = (method: string, path: string, onBehalfOf?: string) =>
      api.call(method, `${path}/conversation/pin`, { onBehalfOf })
    const data = async (answer: ReturnType<typeof pin>) => (await answer).json.data
    expect(await data(pin('POST', `/users/${bob}`, ann))).toMatchObject({
      pinnedAt: expect.any(Number),
      pinnedBy: 'me',
    })
    expect((await list(ann, { pinnedBy: 'me' })).map(({ conversationWith }) => conversationWith.uid)).toEqual([bob])
    expect(await data(pin('DELETE', `/users/${bob}`, ann))).not.toHaveProperty('pinnedAt')
    expect(await list(ann, { pinnedBy: 'me' })).toEqual([])
    expect(await data(pin('POST', `/groups/${group}`))).toMatchObject({ pinnedBy: 'system' })
    expect(await list(cara, { pinnedBy: 'me,system' })).toMatchObject([{ pinnedBy: 'system' }])
    const refused = await pin('DELETE', `/groups/${group}`, cara)
    expect(refused.json.error.code).toBe('ERR_SYSTEM_PINNED_CONVERSATION')
    expect(await data(pin('DELETE', `/groups/${group}`))).not.toHaveProperty('pinnedAt')
  })

  test('no more than a few are pinned', async () => {
    const { ann } = scene
    const pin = (path: string, onBehalfOf?: string) => api.call('POST', `${path}/conversation/pin`, { onBehalfOf })
    for (let n = 0; n <= defaultLimits.pinnedConversations; n++) {
      const uid = `pal-${n}-${ann}`
      const guid = `set-${n}-${ann}`
      await api.ok('POST', '/users', { body: { uid, name: uid } })
      await api.ok('POST', '/groups', { body: { guid, name: guid, owner: ann } })
      await send(ann, toUser(uid))
      await send(ann, toGroup(guid))
      const isLast = n === defaultLimits.pinnedConversations
      const mine = await pin(`/users/${uid}`, ann)
      expect(mine.json.error?.code).toBe(isLast ? 'ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED' : undefined)
      const all = await pin(`/groups/${guid}`)
      expect(all.json.error?.code).toBe(isLast ? 'ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED' : undefined)
    }
    for (let n = 0; n < defaultLimits.pinnedConversations; n++) {
      await api.ok('DELETE', `/groups/set-${n}-${ann}/conversation/pin`)
    }
  })

  test('the app sees each once, by id', async () => {
    const { ann, bob, group } = scene
    await send(ann, toUser(bob))
    await send(ann, toGroup(group))
    const all = (await api.ok('GET', '/conversations', { query: { perPage: 1000 } })).data.map(
      ({ conversationId }: Json) => conversationId,
    )
    expect(all).toEqual([...all].sort())
    expect(all.filter((id: string) => id === `${ann}_user_${bob}` || id === `group_${group}`)).toHaveLength(2)
  })
})
