import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('messages', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const send = async (body: object, onBehalfOf?: string, headers?: Record<string, string>): Promise<Json> =>
    (await api.ok('POST', '/messages', { body, onBehalfOf, ...(headers && { headers }) })).data

  test('a one-to-one conversation has one id, whoever writes', async () => {
    const { ann, bob } = scene
    const there = await send(toUser(bob.toUpperCase()), ann.toUpperCase())
    const back = await send(toUser(ann), bob)
    expect([there.conversationId, back.conversationId]).toEqual(Array(2).fill(`${ann}_user_${bob}`))
    expect(there).toMatchObject({ sender: ann, receiver: bob })
    expect(there.data.entities.receiver.entity.conversationId).toBe(`${ann}_user_${bob}`)
    expect(Number(back.id)).toBeGreaterThan(Number(there.id))
  })

  test('without an acting user the app speaks, also in groups that nobody joined', async () => {
    const { ann, group } = scene
    const one = await send(toUser(ann))
    expect(one).toMatchObject({ sender: 'app_system', conversationId: `${ann}_user_app_system` })
    expect(one.data.entities.sender.entity).toMatchObject({ uid: 'app_system', name: 'System' })
    expect((await send(toGroup(group))).conversationId).toBe(`group_${group}`)
    const { data } = await api.ok('GET', '/users/app_system/messages', { onBehalfOf: ann })
    expect(data.map(({ id }: Json) => id)).toContain(one.id)
  })

  test('text is kept as it is', async () => {
    const text = '  <b>é\u2028👩‍🚀</b>\n"\\" <@uid:ann> \\u0000 ${x} \u202e '
    const sent = await send(toUser(scene.bob, text), scene.ann)
    expect((await api.ok('GET', `/messages/${sent.id}`)).data.data.text).toBe(text)
  })

  test('mentions show whom they name', async () => {
    const { ann, bob } = scene
    const { data } = await send(toUser(bob, `<@uid:${ann}> <@uid:${ann.toUpperCase()}> <@uid:nobody>`), ann)
    expect(Object.keys(data.mentions)).toEqual([ann])
    const many = Array.from({ length: 11 }, (_, index) => `<@uid:u${index}>`).join(' ')
    await api.fails('ERR_BAD_REQUEST', 'POST', '/messages', { body: toUser(bob, many) })
  })

  test('entities stay as they were when it was sent', async () => {
    const { ann, bob } = await makeScene(api)
    const sent = await send(toUser(bob), ann)
    await api.ok('PUT', `/users/${ann}`, { body: { name: 'Renamed' } })
    expect((await api.ok('GET', `/messages/${sent.id}`)).data).toEqual({ ...sent, receipts: { data: [] } })
  })

  test('what is private in the metadata of a user is in no message', async () => {
    const { ann, bob } = await makeScene(api)
    const metadata = { city: 'Bern', '@private': { email: 'ann@private.example' } }
    await api.ok('PUT', `/users/${ann}`, { body: { metadata, tags: ['vip'] } })
    const { text } = await api.call('POST', '/messages', { body: toUser(bob), onBehalfOf: ann })
    expect(text).toContain('Bern')
    expect(text).not.toMatch(/private|vip/)
  })

  test('what only the server says is taken from nobody', async () => {
    const data = { text: 'x', entities: { sender: 'me' }, mentions: { x: 1 }, reactions: [], resource: 'r', extra: 1 }
    const sent = await send({ ...toUser(scene.bob), data, id: '1', sentAt: 1, sender: 'bob' }, scene.ann)
    expect(sent.data).toMatchObject({ text: 'x', extra: 1, entities: { sender: { entity: { uid: scene.ann } } } })
    expect(sent.data).not.toHaveProperty('mentions')
    expect(sent.data.resource).toMatch(/^API-3_0-/)
    const known = await send(toUser(scene.bob), scene.ann, { resource: 'WEB-4_0-abc-1' })
    expect(known.data.resource).toBe('WEB-4_0-abc-1')
  })

  test('the same muid of the same sender is the same message', async () => {
    const { ann, bob } = scene
    const first = await send(toUser(bob, 'once', { muid: 'm-1' }), ann)
    expect(first.muid).toBe('m-1')
    expect(await send(toUser(bob, 'twice', { muid: 'm-1' }), ann)).toEqual(first)
    expect((await send(toUser(ann, 'mine', { muid: 'm-1' }), bob)).id).not.toBe(first.id)
    const together = await Promise.all(Array.from({ length: 8 }, () => send(toUser(bob, 'x', { muid: 'm-2' }), ann)))
    expect(new Set(together.map(({ id }) => id)).size).toBe(1)
    await api.fails('ERR_BAD_REQUEST', 'POST', '/messages', { body: toUser(bob, 'x', { muid: 'm'.repeat(101) }) })
  })

  test('several receivers: each for themself, each once', async () => {
    const { ann, bob, cara, group } = scene
    const multipleReceivers = { uids: [bob, cara, bob.toUpperCase(), 'nobody'], guids: [group, 'nowhere'] }
    const body = { multipleReceivers, data: { text: 'all' }, muid: 'm-many' }
    const { uids, guids } = await send(body, ann)
    expect(Object.keys(uids).sort()).toEqual([bob, cara, 'nobody'].sort())
    expect(uids[bob]).toMatchObject({ success: true, data: { receiver: bob, sender: ann, muid: 'm-many' } })
    expect(uids.nobody).toMatchObject({ success: false, error: { code: 'ERR_UID_NOT_FOUND' } })
    expect(guids[group].data.receiverType).toBe('group')
    expect(guids.nowhere.error.code).toBe('ERR_GUID_NOT_FOUND')
    expect((await send(body, ann)).uids[bob].data.id).toBe(uids[bob].data.id)
    const nobody = { multipleReceivers: {}, data: { text: 'x' } }
    await api.fails('ERR_EMPTY_RECEIVER', 'POST', '/messages', { body: nobody })
    const crowd = { uids: Array.from({ length: 101 }, (_, index) => `u${index}`) }
    await api.fails('ERR_BAD_REQUEST', 'POST', '/messages', { body: { ...nobody, multipleReceivers: crowd } })
  })

  test.each([
    ['ERR_EMPTY_RECEIVER', { receiver: undefined }],
    ['ERR_EMPTY_RECEIVER', { receiver: ' ' }],
    ['ERR_INVALID_RECEIVER_TYPE', { receiverType: undefined }],
    ['ERR_INVALID_RECEIVER_TYPE', { receiverType: 'room' }],
    ['ERR_UID_NOT_FOUND', { receiver: 'nobody' }],
    ['ERR_UID_NOT_FOUND', { receiver: 'app_system' }],
    ['ERR_GUID_NOT_FOUND', { receiver: 'nowhere', receiverType: 'group' }],
    ['ERR_EMPTY_MESSAGE_CATEGORY', { category: '' }],
    ['ERR_INVALID_MESSAGE_CATEGORY', { category: 'action' }],
    ['ERR_INVALID_MESSAGE_CATEGORY', { category: 'call' }],
    ['ERR_EMPTY_MESSAGE_TYPE', { type: ' ' }],
    ['ERR_EMPTY_MESSAGE_TYPE', { category: 'custom', data: { customData: {} } }],
    ['ERR_INVALID_MESSAGE_TYPE', { type: 'groupMember' }],
    ['ERR_INVALID_MESSAGE_DATA', { data: undefined }],
    ['ERR_INVALID_MESSAGE_DATA', { data: 'text' }],
    ['ERR_INVALID_MESSAGE_DATA', { data: [] }],
    ['ERR_INVALID_MESSAGE_DATA', { data: { text: 'x'.repeat(10_240) } }],
    ['ERR_EMPTY_MESSAGE_TEXT', { data: {} }],
    ['ERR_EMPTY_MESSAGE_TEXT', { data: { text: ' \n' } }],
    ['ERR_INVALID_MESSAGE_TEXT', { data: { text: 1 } }],
    ['ERR_EMPTY_MESSAGE_FILE', { type: 'image', data: {} }],
    ['ERR_EMPTY_MESSAGE_FILE', { type: 'file', data: { attachments: [] } }],
    ['ERR_INVALID_MEDIA_MESSAGE', { type: 'audio', data: { attachments: {} } }],
    ['ERR_INVALID_MEDIA_MESSAGE', { type: 'video', data: { attachments: [{ name: 'x' }] } }],
    [
      'ERR_INVALID_MEDIA_MESSAGE',
      { type: 'file', data: { attachments: Array(26).fill({ url: 'https://x.example' }) } },
    ],
    ['ERR_EMPTY_CUSTOM_DATA', { category: 'custom', type: 'x', data: {} }],
    ['ERR_INVALID_CUSTOM_DATA', { category: 'custom', type: 'x', data: { customData: [1] } }],
    ['ERR_INVALID_METADATA', { data: { text: 'x', metadata: 'y' } }],
    ['ERR_INVALID_METADATA', { data: { text: 'x', metadata: [] } }],
  ])('%s: %j', async (code, change) => {
    const before = idsOf(await api.ok('GET', '/messages', { query: { limit: 1000 } }))
    for (const path of ['/messages', `/bots/${scene.bot}/messages`]) {
      await api.fails(code, 'POST', path, { body: { ...toUser(scene.ann), ...change } })
    }
    expect(idsOf(await api.ok('GET', '/messages', { query: { limit: 1000 } }))).toEqual(before)
  })

  test.each([
    ['image', { attachments: [{ url: 'https://x.example/a.png', name: 'a', size: '1' }], text: 'caption' }],
    ['file', { attachments: [{ url: 'https://x.example/a' }], url: 'https://x.example/b' }],
  ])('%s', async (type, data) => {
    const sent = await send({ ...toUser(scene.bob), type, data }, scene.ann)
    expect(sent).toMatchObject({ category: 'message', type, data: { url: data.attachments[0]?.url, ...data } })
  })

  test.each([{ customData: { a: [1] } }, { custom_data: { a: [1] } }])('custom: %j', async (data) => {
    const sent = await send({ ...toUser(scene.bob), category: 'custom', type: 'location', data }, scene.ann)
    expect(sent).toMatchObject({ category: 'custom', type: 'location', data: { customData: { a: [1] } } })
    expect(sent.data).not.toHaveProperty('custom_data')
  })

  describe('changes', () => {
    test('an edit keeps what it does not name', async () => {
      const { ann, bob, cara } = scene
      const data = { text: `<@uid:${bob}>`, metadata: { a: 1 } }
      const sent = await send({ ...toUser(bob), data, tags: ['one'] }, ann)
      const path = `/messages/${sent.id}`
      await api.fails('ERR_MESSAGE_NOT_A_SENDER', 'PUT', path, { body: { data: { text: 'x' } }, onBehalfOf: bob })
      await api.fails('ERR_MESSAGE_NO_ACCESS', 'PUT', path, { body: { data: { text: 'x' } }, onBehalfOf: cara })
      await api.fails('ERR_BAD_REQUEST', 'PUT', path, { body: {}, onBehalfOf: ann })
      await api.fails('ERR_EMPTY_MESSAGE_TEXT', 'PUT', path, { body: { data: { text: '' } }, onBehalfOf: ann })
      const action = (await api.ok('PUT', path, { body: { data: { text: 'new' } }, onBehalfOf: ann })).data
      const { receipts: _receipts, ...edited } = (await api.ok('GET', path)).data
      expect(action.data.entities.on.entity).toEqual(edited)
      expect(edited).toMatchObject({ data: { text: 'new', metadata: { a: 1 } }, tags: ['one'], editedBy: ann })
      expect(edited.data).not.toHaveProperty('mentions')
      expect(edited.data.entities).toEqual(sent.data.entities)
      await api.fails('ERR_MESSAGE_ACTION_NOT_ALLOWED', 'PUT', `/messages/${action.id}`, { body: { tags: [] } })
      await api.fails('ERR_MESSAGE_ACTION_NOT_ALLOWED', 'DELETE', `/messages/${action.id}`)
      await api.ok('PUT', path, { body: { tags: ['two'] } })
      expect((await api.ok('GET', path)).data).toMatchObject({ tags: ['two'], editedBy: 'app_system' })
    })

    test('a deleted message keeps who took part and loses what was said', async () => {
      const { ann, bob, cara } = scene
      const sent = await send(toUser(bob, 'regrettable'), ann)
      const path = `/messages/${sent.id}`
      await api.fails('ERR_MESSAGE_NO_ACCESS', 'DELETE', path, { onBehalfOf: cara })
      await api.fails('ERR_MESSAGE_NOT_A_SENDER', 'DELETE', path, { onBehalfOf: bob })
      const { data: action } = await api.ok('DELETE', path, { onBehalfOf: ann })
      const { data: left } = await api.ok('GET', path)
      expect((await api.ok('DELETE', path)).data).toEqual(action)
      expect((await api.ok('GET', path)).data).toEqual(left)
      expect(left).toMatchObject({ deletedBy: ann, deletedAt: expect.any(Number) })
      expect(left.data).toEqual({ entities: sent.data.entities })
      await api.fails('ERR_MESSAGE_ACTION_NOT_ALLOWED', 'PUT', path, { body: { data: { text: 'x' } } })
      const { text } = await api.call('GET', '/messages', { query: { limit: 1000, searchKey: 'regrettable' } })
      expect(text).not.toContain('regrettable')
      expect((await api.call('GET', '/messages', { query: { limit: 1000 } })).text).not.toContain('regrettable')
    })

    test('a message deleted for good is gone', async () => {
      const sent = await send(toUser(scene.bob), scene.ann)
      await api.ok('DELETE', `/messages/${sent.id}`, { body: { permanent: true } })
      await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'GET', `/messages/${sent.id}`)
      await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'DELETE', `/messages/${sent.id}`)
    })
  })

  describe('threads', () => {
    test('a reply belongs to its parent, by path or by `parentMessageId`', async () => {
      const { ann, bob, cara } = scene
      const parent = await send(toUser(bob), ann)
      const path = `/messages/${parent.id}/thread`
      const one = (await api.ok('POST', path, { body: toUser(ann), onBehalfOf: bob })).data
      const two = await send(toUser(bob, 'x', { parentMessageId: Number(parent.id) }), ann)
      expect(two.parentId).toBe(parent.id)
      expect(idsOf(await api.ok('GET', path, { onBehalfOf: ann }))).toEqual([one.id, two.id])
      await api.fails('ERR_MESSAGE_NO_ACCESS', 'GET', path, { onBehalfOf: cara })
      const conversationId = `${ann}_user_${bob}`
      const roots = await api.ok('GET', '/messages', { query: { conversationId, hideReplies: true, limit: 1000 } })
      expect(idsOf(roots)).toContain(parent.id)
      expect(idsOf(roots)).not.toContain(one.id)
      const reply = { body: toUser(ann), onBehalfOf: bob }
      await api.fails('ERR_MESSAGE_THREAD_NESTING', 'POST', `/messages/${one.id}/thread`, reply)
      await api.fails('ERR_WRONG_MESSAGE_THREAD', 'POST', path, { body: toUser(cara), onBehalfOf: bob })
      const action = (await api.ok('PUT', `/messages/${parent.id}`, { body: { tags: ['x'] } })).data
      await api.fails('ERR_WRONG_MESSAGE_THREAD_CATEGORY', 'POST', `/messages/${action.id}/thread`, reply)
      for (const parentMessageId of ['999999999', 'x', 0, -1, 1e21]) {
        await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'POST', '/messages', {
          body: toUser(bob, 'x', { parentMessageId }),
        })
      }
    })
  })

  describe('lists', () => {
    let ids: string[]
    let lane: Scene
    beforeAll(async () => {
      lane = await makeScene(api)
      ids = []
      for (let number = 0; number < 25; number++) {
        const more = { tags: [`t${number % 3}`] }
        const body =
          number % 5 === 0 ? toGroup(lane.group, `group ${number}`, more) : toUser(lane.bob, `n ${number}`, more)
        ids.push((await send(body, lane.ann)).id)
      }
    })

    const page = async (query: Record<string, string | number | boolean>, as = lane.ann): Promise<Json> =>
      api.ok('GET', '/messages', { query, onBehalfOf: as })

    test.each(['append', 'prepend'] as const)('every page with %s, and no row twice', async (affix) => {
      const found: string[] = []
      let query: Record<string, string | number> = { affix, limit: 10 }
      for (const count of [10, 10, 5]) {
        const list = await page(query)
        expect(list.meta).toMatchObject({
          current: { limit: 10, count },
          pagination: { count, per_page: 10, total_pages: count === 5 ? 1 : 2 },
          cursor: { affix, id: Number(list.meta.next.id), sentAt: list.meta.next.sentAt },
        })
        if (affix === 'append') found.push(...idsOf(list))
        else found.unshift(...idsOf(list))
        query = { affix, limit: 10, id: list.meta.next.id }
      }
      expect(found).toEqual(ids)
      const beyond = await page(query)
      expect(beyond.data).toEqual([])
      expect(beyond.meta).not.toHaveProperty('next')
    })

    const every =
      (wanted: (number: number) => boolean): (() => string[]) =>
      () =>
        ids.filter((_, number) => wanted(number))

    test.each([
      [{ limit: 3 }, every((number) => number < 3)],
      [{ perPage: 3 }, every((number) => number < 3)],
      [{ per_page: 3 }, every((number) => number < 3)],
      [{ receiverType: 'group' }, every((number) => number % 5 === 0)],
      [{ searchKey: 'GROUP 1' }, every((number) => number === 10 || number === 15)],
      [{ tags: 't1' }, every((number) => number % 3 === 1)],
      [{ tags: 't1,t2' }, every((number) => number % 3 !== 0)],
      [{ type: 'image' }, every(() => false)],
      [{ types: 'text,image', category: 'message' }, every(() => true)],
      [{ onlyDeleted: true }, every(() => false)],
      [{ fromTimestamp: 4_000_000_000 }, every(() => false)],
      [{ fromTimestamp: 1, toTimestamp: 2 }, every(() => false)],
      [{ toTimestamp: 2 }, every(() => true)],
      [{ sentAt: 4_000_000_000, affix: 'prepend' }, every(() => true)],
      [{ sentAt: 4_000_000_000 }, every(() => false)],
    ])('of %j', async (query, expected) => {
      expect(idsOf(await page(query))).toEqual(expected())
    })

    test('an end of the time alone says nothing of everything, and something of one conversation', async () => {
      const query = { toTimestamp: 2 }
      for (const of of [`users/${lane.bob}`, `groups/${lane.group}`]) {
        expect((await api.ok('GET', `/${of}/messages`, { onBehalfOf: lane.ann, query })).data).toEqual([])
        const later = { toTimestamp: 4_000_000_000 }
        const { data } = await api.ok('GET', `/${of}/messages`, { onBehalfOf: lane.ann, query: later })
        expect(data.length).toBeGreaterThan(4)
      }
    })

    test('a user reads what they take part in; others read nothing of it', async () => {
      expect(idsOf(await page({ withTags: true }, lane.cara))).toEqual(every((number) => number % 5 === 0)())
      expect((await page({ withTags: true })).data[0].tags).toEqual(['t0'])
      expect((await page({})).data[0]).not.toHaveProperty('tags')
      const withBob = await api.ok('GET', `/users/${lane.bob}/messages`, { onBehalfOf: lane.ann })
      expect(idsOf(withBob)).toEqual(every((number) => number % 5 !== 0)())
      expect((await api.ok('GET', `/users/${lane.bob}/messages`, { onBehalfOf: lane.cara })).data).toEqual([])
      expect(idsOf(await api.ok('GET', `/users/${lane.bob}/messages`))).toEqual(idsOf(withBob))
      expect(idsOf(await api.ok('GET', `/groups/${lane.group}/messages`, { onBehalfOf: lane.cara }))).toHaveLength(5)
      await api.fails('ERR_GROUP_NOT_JOINED', 'GET', `/groups/${lane.group}/messages`, { onBehalfOf: scene.ann })
      await api.fails('ERR_MESSAGE_NO_ACCESS', 'GET', `/messages/${ids[1]}`, { onBehalfOf: lane.cara })
    })

    test('deleted ones are listed unless hidden', async () => {
      const [first = '', second = ''] = ids
      await api.ok('DELETE', `/messages/${second}`)
      expect(idsOf(await page({ onlyDeleted: true }))).toEqual([second])
      expect(idsOf(await page({ hideDeleted: true, limit: 1 }))).toEqual([first])
      expect(idsOf(await page({ hideDeleted: true }))).toHaveLength(24)
      expect(idsOf(await page({}))).toHaveLength(25)
    })
  })
})
