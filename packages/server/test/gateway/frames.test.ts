/** What clients see at once: every kind of frame, and who gets it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { makeScene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { type Client, Clients } from '../support/sessions.ts'

describeEngines('frames of the gateway', (engine) => {
  let server: TestServer
  let api: Api
  let clients: Clients

  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    clients = new Clients(server)
  })
  afterAll(async () => {
    await clients?.dispose()
    await server?.dispose()
  })

  const setTheScene = async () => {
    const scene = await makeScene(api)
    const [ann, bob, cara] = (await Promise.all(
      [scene.ann, scene.bob, scene.cara].map((uid) => clients.signIn({ uid })),
    )) as [Client, Client, Client]
    const token = (client: Client) => clients.tokenOf(client.uid)
    /** As a device of the user does it. */
    const as = async (client: Client, method: string, path: string, body?: unknown) =>
      api.ok(method, path, {
        token: await token(client),
        headers: { resource: client.deviceId },
        ...(body !== undefined && { body }),
      })
    const say = async (client: Client, body: object) => (await as(client, 'POST', '/messages', body)).data
    return { ...scene, clients: { ann, bob, cara }, as, say }
  }

  describe('what harms whoever reads it is not heard, and harms nobody', () => {
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    const saying = (type: string, body: string, receiver: string): string =>
      `{"type":"${type}","receiver":"${receiver}","receiverType":"user","body":${body}}`
    const transient = (data: string) => (receiver: string) => saying('transient_message', `{"data":${data}}`, receiver)
    const typing = (metadata: string) => (receiver: string) =>
      saying('typing_indicator', `{"action":"started","metadata":${metadata}}`, receiver)

    let scene: Awaited<ReturnType<typeof setTheScene>>
    beforeAll(async () => {
      scene = await setTheScene()
    })
    // An app has so many bots and no more: one for each of the tests below.
    afterAll(() => api.ok('DELETE', `/bots/${scene.bot}`))

    test.each([
      ['a nested transient message', transient(`{"a":${deep(15_000)}}`)],
      ['nested metadata of typing', typing(`{"a":${deep(15_000)}}`)],
      ['one level too many', transient(`{"a":${deep(98)}}`)],
      ['the character NUL', transient('{"a":"\\u0000"}')],
      ['a prototype', typing('{"__proto__":{"admin":true}}')],
      ['a type that cannot become text', () => '{"type":{"toString":1,"valueOf":1}}'],
      ['a nested type', () => `{"type":${deep(15_000)}}`],
    ])('%s', async (what, frameTo) => {
      const { bob, clients: c } = scene
      c.ann.send(frameTo(bob))
      await c.ann.settled()
      c.ann.say('transient_message', { user: bob }, { data: { behind: what } })
      await c.bob.frame('transient_message', ({ body }) => body.data.behind === what)
      for (const { body } of c.bob.of('transient_message')) expect(body.data).toEqual({ behind: expect.any(String) })
      expect(c.bob.of('typing_indicator')).toEqual([])
      expect(c.ann.closed).toBeUndefined()
      // Nor does it harm to say it before anybody is known.
      const stranger = await clients.connect({ uid: 'stranger' })
      stranger.send(frameTo(bob))
      await c.ann.settled()
      await stranger.close()
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    })

    test('what requests may hold is heard', async () => {
      const { bob, clients: c } = scene
      c.ann.send(transient(`{"a":${deep(97)},"b":"\\ud83d"}`)(bob))
      const { body } = await c.bob.frame('transient_message', (frame) => frame.body.data.a !== undefined)
      expect(JSON.stringify(body.data.a)).toBe(deep(97))
      expect(body.data.b).toBe('\ud83d')
    })
  })

  describe('messages', () => {
    test('come to both, on all their devices, with the device that sent them', async () => {
      const { ann: uid, clients: c, say } = await setTheScene()
      const tablet = await clients.signIn({ uid })
      const message = await say(c.ann, toUser(c.bob.uid, 'hi', { muid: 'm1', tags: ['t'] }))
      for (const client of [c.ann, c.bob, tablet]) {
        const frame = await client.frame('message')
        expect(frame).toMatchObject({
          sender: c.ann.uid,
          receiver: c.bob.uid,
          receiverType: 'user',
          deviceId: c.ann.deviceId,
        })
        expect(frame.body).toMatchObject({ id: message.id, muid: 'm1', tags: ['t'], data: { text: 'hi' } })
        expect(frame.body.data.entities.sender.entity).toMatchObject({ uid: c.ann.uid, status: 'available' })
      }
      await c.cara.settled()
      expect(c.cara.messages).toEqual([])
    })

    test('in groups come to all members, and a repeated muid to nobody', async () => {
      const { group, clients: c, say } = await setTheScene()
      await say(c.bob, toGroup(group, 'all', { muid: 'm2' }))
      await say(c.bob, toGroup(group, 'all', { muid: 'm2' }))
      const last = await say(c.bob, toGroup(group, 'last'))
      for (const client of Object.values(c)) {
        await client.message(({ id }) => id === last.id)
        expect(client.messages.map(({ data }) => data.text)).toEqual(['all', 'last'])
      }
    })

    test('of the app and of bots come as any other', async () => {
      const { bot, group, clients: c } = await setTheScene()
      await api.ok('POST', '/messages', { body: toUser(c.ann.uid, 'from the app') })
      await api.ok('POST', `/bots/${bot}/messages`, { body: toGroup(group, 'from the bot') })
      expect((await c.ann.message(({ sender }) => sender === 'app_system')).data.text).toBe('from the app')
      expect((await c.ann.message(({ sender }) => sender === bot)).data.text).toBe('from the bot')
    })

    test('that the app edits and deletes are told to their author, too', async () => {
      const { clients: c, say } = await setTheScene()
      const message = await say(c.ann, toUser(c.bob.uid, 'hi'))
      await api.ok('PUT', `/messages/${message.id}`, { body: { data: { text: 'moderated' } } })
      await api.ok('DELETE', `/messages/${message.id}`)
      for (const client of [c.ann, c.bob]) {
        const edited = await client.message(({ data }) => data.action === 'edited')
        expect(edited).toMatchObject({ sender: c.ann.uid, receiver: c.bob.uid })
        expect(edited.data.entities.on.entity).toMatchObject({ editedBy: 'app_system', data: { text: 'moderated' } })
        await client.message(({ data }) => data.action === 'deleted')
      }
    })

    test('that are edited and deleted are told by action messages', async () => {
      const { clients: c, say, as } = await setTheScene()
      const message = await say(c.ann, toUser(c.bob.uid, 'hi'))
      await as(c.ann, 'PUT', `/messages/${message.id}`, { data: { text: 'ho' } })
      const edited = await c.bob.message(({ data }) => data.action === 'edited')
      expect(edited).toMatchObject({ category: 'action', type: 'message', data: { entities: { by: {}, on: {} } } })
      expect(edited.data.entities.on.entity).toMatchObject({ id: message.id, data: { text: 'ho' } })
      await as(c.ann, 'DELETE', `/messages/${message.id}`)
      const deleted = await c.bob.message(({ data }) => data.action === 'deleted')
      expect(deleted.data.entities.on.entity).toMatchObject({ id: message.id, deletedBy: c.ann.uid })
      await c.ann.message(({ id }) => id === deleted.id)
    })
  })

  describe('what is done to messages', () => {
    test('reactions come to both, and stand for whom the client talks to', async () => {
      const { clients: c, say, as } = await setTheScene()
      const { id, conversationId } = await say(c.ann, toUser(c.bob.uid))
      await as(c.bob, 'POST', `/messages/${id}/reactions/${encodeURIComponent('😀')}`)
      for (const client of [c.ann, c.bob]) {
        const frame = await client.frame('reaction')
        expect(frame).toMatchObject({ sender: c.bob.uid, receiver: c.ann.uid, receiverType: 'user' })
        expect(frame.body).toMatchObject({
          ...{ action: 'message_reaction_added', messageId: id, reaction: '😀', uid: c.bob.uid, conversationId },
          reactedBy: { uid: c.bob.uid },
        })
      }
      await as(c.bob, 'POST', `/messages/${id}/reactions/${encodeURIComponent('😀')}`)
      await as(c.bob, 'DELETE', `/messages/${id}/reactions/${encodeURIComponent('😀')}`)
      await c.ann.frame('reaction', ({ body }) => body.action === 'message_reaction_removed')
      expect(c.ann.of('reaction')).toHaveLength(2)
    })

    test('pins come to all, saves to the devices of the user', async () => {
      const { ann: uid, group, clients: c, say, as } = await setTheScene()
      const tablet = await clients.signIn({ uid })
      const { id } = await say(c.ann, toGroup(group))
      await as(c.ann, 'POST', `/messages/${id}/pin`)
      await as(c.ann, 'POST', `/messages/${id}/save`)
      await as(c.ann, 'DELETE', `/messages/${id}/save`)
      await as(c.ann, 'DELETE', `/messages/${id}/pin`)
      const pinned = await c.cara.frame('message_pinned')
      expect(pinned.body).toMatchObject({ id, pinnedBy: c.ann.uid, data: { text: 'hello' } })
      expect((await c.cara.frame('message_unpinned')).body.pinnedAt).toBeUndefined()
      expect((await tablet.frame('message_saved')).body).toMatchObject({ id, savedAt: expect.any(Number) })
      await tablet.frame('message_unsaved')
      expect([...c.cara.of('message_saved'), ...c.cara.of('message_unsaved')]).toEqual([])
    })

    test('pinned conversations come to the devices of the user, or to all members', async () => {
      const { ann: uid, group, clients: c, say, as } = await setTheScene()
      const tablet = await clients.signIn({ uid })
      await say(c.ann, toUser(c.bob.uid))
      await say(c.ann, toGroup(group))
      await as(c.ann, 'POST', `/users/${c.bob.uid}/conversation/pin`)
      expect((await tablet.frame('conversation_pinned')).body).toMatchObject({
        ...{ conversationType: 'user', pinnedBy: 'me' },
        conversationWith: { uid: c.bob.uid },
      })
      await as(c.ann, 'DELETE', `/users/${c.bob.uid}/conversation/pin`)
      await tablet.frame('conversation_unpinned')
      expect(c.bob.of('conversation_pinned')).toEqual([])
      await api.ok('POST', `/groups/${group}/conversation/pin`)
      expect((await c.cara.frame('conversation_pinned')).body.conversationWith.guid).toBe(group)
    })

    test('goals that are reached come to all', async () => {
      const { clients: c, say, as } = await setTheScene()
      const { id } = await say(c.ann, {
        ...{ receiver: c.bob.uid, receiverType: 'user', category: 'interactive', type: 'form' },
        data: {
          interactiveData: { formFields: [{ elementId: 'e1', elementType: 'button' }] },
          interactionGoal: { type: 'anyAction', elementIds: ['e1'] },
        },
      })
      await as(c.bob, 'PATCH', `/messages/${id}/interacted`, { interactions: ['e1'] })
      const { body } = await c.ann.frame('interaction_completed')
      expect(body).toMatchObject({ messageId: id, user: { uid: c.bob.uid }, interactions: [{ elementId: 'e1' }] })
    })
  })

  describe('groups', () => {
    const actions = (client: Client): string[] =>
      client.messages.filter(({ type }) => type === 'groupMember').map(({ data }) => data.action)

    test('whoever is added hears of it and of all that follows; whoever is kicked, of that and no more', async () => {
      const { group, clients: c, say } = await setTheScene()
      const uid = `dan-${group}`
      await api.ok('POST', '/users', { body: { uid, name: 'Dan' } })
      const dan = await clients.signIn({ uid })
      await api.ok('POST', `/groups/${group}/members`, { body: { participants: [uid] } })
      const added = await dan.message(({ data }) => data.action === 'added')
      expect(added.data.entities.on.entity.uid).toBe(uid)
      expect(added.data.entities.for.entity.membersCount).toBe(5)
      await say(c.ann, toGroup(group, 'welcome'))
      await dan.message(({ data }) => data.text === 'welcome')
      await api.ok('DELETE', `/groups/${group}/members/${uid}`)
      await dan.message(({ data }) => data.action === 'kicked')
      await say(c.ann, toGroup(group, 'he is gone'))
      await c.cara.message(({ data }) => data.text === 'he is gone')
      await dan.settled()
      expect(dan.messages.map(({ data }) => data.text ?? data.action)).toEqual(['added', 'welcome', 'kicked'])
      expect(actions(c.cara)).toEqual(['added', 'kicked'])
    })

    test('joining, leaving, scopes, bans', async () => {
      const { group, clients: c, as } = await setTheScene()
      await as(c.cara, 'DELETE', `/groups/${group}/members`)
      await as(c.cara, 'POST', `/groups/${group}/members`, {})
      await as(c.ann, 'PUT', `/groups/${group}/members/${c.cara.uid}`, { scope: 'moderator' })
      await as(c.ann, 'POST', `/groups/${group}/bannedusers/${c.cara.uid}`)
      await as(c.ann, 'DELETE', `/groups/${group}/bannedusers/${c.cara.uid}`)
      await c.bob.message(({ data }) => data.action === 'unbanned')
      expect(actions(c.bob)).toEqual(['left', 'joined', 'scopeChanged', 'banned', 'unbanned'])
      expect(c.bob.messages.find(({ data }) => data.action === 'scopeChanged').data.extras).toEqual({
        scope: { old: 'participant', new: 'moderator' },
      })
      expect(actions(c.cara)).toEqual(['left', 'joined', 'scopeChanged', 'banned'])
    })

    test('whoever is a member by an import hears what is said from then on', async () => {
      const { clients: c, say, as } = await setTheScene()
      const guid = `imported-${c.ann.uid}`
      await as(c.ann, 'POST', '/groups', { guid, name: 'Imported', type: 'private' })
      const row = { guid, uid: c.bob.uid, scope: 'participant', joinedAt: 1_700_000_000 }
      await api.ok('POST', '/data_import/members', { body: { members: [row] } })
      // The node looks it up in its own time.
      const isHeard = async (): Promise<boolean> => {
        await say(c.ann, toGroup(guid, 'hello'))
        return c.bob.messages.some(({ data }) => data.text === 'hello')
      }
      await expect.poll(isHeard, { timeout: 10_000 }).toBe(true)
    })

    test('a new group is heard from its first message on, and a group that is gone no more', async () => {
      const { clients: c, say, as } = await setTheScene()
      const guid = `fresh-${c.ann.uid}`
      const members = { participants: [c.bob.uid] }
      await as(c.ann, 'POST', '/groups', { guid, name: 'Fresh', type: 'public', members })
      await say(c.ann, toGroup(guid, 'first'))
      await c.bob.message(({ data }) => data.text === 'first')
      await as(c.ann, 'DELETE', `/groups/${guid}`)
      await as(c.ann, 'POST', '/groups', { guid, name: 'Again', type: 'public' })
      await say(c.ann, toGroup(guid, 'second'))
      await c.ann.message(({ data }) => data.text === 'second')
      await c.bob.settled()
      expect(c.bob.messages.map(({ data }) => data.text)).toEqual(['first'])
    })
  })

  describe('what passes', () => {
    test('typing and transient messages come to the others, as from whose session it is', async () => {
      const { ann: uid, group, clients: c } = await setTheScene()
      const tablet = await clients.signIn({ uid })
      const claimed = { user: { uid: 'somebody', name: 'Else' } }
      c.ann.say('typing_indicator', { user: c.bob.uid }, { action: 'started', ...claimed, metadata: { a: 1 } })
      const typing = await c.bob.frame('typing_indicator')
      expect(typing).toMatchObject({ sender: c.ann.uid, receiver: c.bob.uid, receiverType: 'user' })
      expect(typing.body).toMatchObject({ action: 'started', user: { uid: c.ann.uid }, metadata: { a: 1 } })
      c.ann.say('typing_indicator', { group }, { action: 'ended', ...claimed })
      c.ann.say('transient_message', { group }, { ...claimed, data: { live: 'heart' } })
      const heart = await c.cara.frame('transient_message')
      expect(heart).toMatchObject({ sender: c.ann.uid, receiver: group, receiverType: 'group' })
      expect(heart.body).toMatchObject({ user: { uid: c.ann.uid }, data: { live: 'heart' } })
      expect(c.cara.of('typing_indicator')[0]?.body.action).toBe('ended')
      await Promise.all([tablet, c.ann].map((client) => client.settled()))
      expect([...tablet.frames, ...c.ann.frames].filter(({ type }) => type !== undefined && type !== 'auth')).toEqual(
        [],
      )
    })

    test('of bots is shown as that of people', async () => {
      const { bot, group, clients: c } = await setTheScene()
      await api.ok('POST', `/bots/${bot}/typing`, { body: { receiver: group, receiverType: 'group' } })
      const typing = await c.ann.frame('typing_indicator')
      expect(typing).toMatchObject({ sender: bot, receiver: group, receiverType: 'group' })
      expect(typing.body).toMatchObject({ action: 'started', user: { uid: bot } })
      const body = { receiver: c.ann.uid, receiverType: 'user', action: 'ended' }
      await api.ok('POST', `/bots/${bot}/typing`, { body })
      await c.ann.frame('typing_indicator', (frame) => frame.body.action === 'ended')
    })

    test('does not reach who has blocked, was blocked, or is in another group', async () => {
      const { group, clients: c, as } = await setTheScene()
      await as(c.bob, 'POST', '/blockedusers', { blockedUids: [c.ann.uid] })
      await as(c.cara, 'DELETE', `/groups/${group}/members`)
      // News of blocks and of leaving come to the sessions as everything else does.
      await c.bob.message(({ data }) => data.action === 'left')
      for (const [one, other] of [
        [c.ann, c.bob],
        [c.bob, c.ann],
      ] as const) {
        one.say('typing_indicator', { user: other.uid }, { action: 'started' })
        one.say('transient_message', { user: other.uid }, { data: {} })
        await one.settled()
        await other.settled()
        expect(other.of('typing_indicator')).toEqual([])
        expect(other.of('transient_message')).toEqual([])
      }
      c.cara.say('typing_indicator', { group }, { action: 'started' })
      await c.cara.settled()
      await c.bob.settled()
      expect(c.bob.of('typing_indicator')).toEqual([])
      await as(c.bob, 'DELETE', '/blockedusers', { blockedUids: [c.ann.uid] })
      await c.ann.until('typing to come through again', () => {
        c.bob.say('typing_indicator', { user: c.ann.uid }, { action: 'started' })
        return c.ann.of('typing_indicator').length > 0
      })
    })
  })

  describe('receipts', () => {
    test('come to who wrote the message, once', async () => {
      const { clients: c, say } = await setTheScene()
      const first = await say(c.ann, toUser(c.bob.uid, 'one'))
      const second = await say(c.ann, toUser(c.bob.uid, 'two'))
      const receipt = (action: string, messageId: string): void =>
        c.bob.say('receipts', { user: c.ann.uid }, { action, messageId, user: {} }, { messageSender: c.ann.uid })
      receipt('delivered', first.id)
      receipt('delivered', first.id)
      receipt('read', second.id)
      receipt('read', first.id)
      const read = await c.ann.frame('receipts', ({ body }) => body.action === 'read')
      expect(read).toMatchObject({
        ...{ sender: c.bob.uid, receiver: c.ann.uid, receiverType: 'user', messageSender: c.ann.uid },
        body: { messageId: second.id, user: { uid: c.bob.uid }, timestamp: expect.any(Number) },
      })
      await c.bob.settled()
      await c.ann.settled()
      expect(c.ann.of('receipts').map(({ body }) => [body.action, body.messageId])).toEqual([
        ['delivered', first.id],
        ['delivered', second.id],
        ['read', second.id],
      ])
      const { data } = await api.ok('GET', `/messages/${second.id}`, { onBehalfOf: c.ann.uid })
      expect(data.receipts.data[0]).toMatchObject({ recipient: { uid: c.bob.uid }, readAt: expect.any(Number) })
    })

    test('in groups come to all who wrote what is marked, and say when everybody has', async () => {
      const { group, bot, clients: c, say } = await setTheScene()
      await api.ok('DELETE', `/groups/${group}/members/${bot}`)
      await say(c.ann, toGroup(group, 'of ann'))
      const last = await say(c.bob, toGroup(group, 'of bob'))
      const read = (client: Client): void =>
        client.say('receipts', { group }, { action: 'read', messageId: last.id }, { messageSender: c.bob.uid })
      read(c.cara)
      for (const client of [c.ann, c.bob]) {
        const frame = await client.frame('receipts', ({ body }) => body.action === 'read')
        expect(frame).toMatchObject({ sender: c.cara.uid, receiver: group, receiverType: 'group' })
      }
      expect(c.bob.of('receipts').some(({ body }) => body.action === 'readByAll')).toBe(false)
      read(c.ann)
      const all = await c.bob.frame('receipts', ({ body }) => body.action === 'readByAll')
      expect(all.body.messageId).toBe(last.id)
      await c.bob.frame('receipts', ({ body }) => body.action === 'deliveredToAll')
    })

    test('by REST come too', async () => {
      const { clients: c, say, as } = await setTheScene()
      const { id } = await say(c.ann, toUser(c.bob.uid))
      await as(c.bob, 'POST', `/users/${c.ann.uid}/conversation/read`)
      const frame = await c.ann.frame('receipts', ({ body }) => body.action === 'read')
      expect([frame.body.messageId, frame.deviceId]).toEqual([id, c.bob.deviceId])
    })

    test('of a whole conversation name what was said last by others, not an edit, nor one’s own', async () => {
      const { clients: c, say, as } = await setTheScene()
      const { id } = await say(c.ann, toUser(c.bob.uid, 'a draft'))
      await as(c.ann, 'PUT', `/messages/${id}`, { data: { text: 'final' } })
      await say(c.bob, toUser(c.ann.uid, 'mine'))
      await as(c.bob, 'POST', `/users/${c.ann.uid}/conversation/read`)
      const read = await c.ann.frame('receipts', ({ body }) => body.action === 'read')
      expect(read.body.messageId).toBe(id)
      await say(c.bob, toUser(c.ann.uid, 'mine, too'))
      await as(c.bob, 'POST', `/users/${c.ann.uid}/conversation/read`)
      await c.ann.settled()
      expect(c.ann.of('receipts')).toHaveLength(2)
    })

    test('across a block count for who has read, and are told to nobody', async () => {
      const { clients: c, say, as } = await setTheScene()
      const { id } = await say(c.ann, toUser(c.bob.uid, 'please'))
      await as(c.bob, 'POST', '/blockedusers', { blockedUids: [c.ann.uid] })
      const unread = async (): Promise<number> =>
        Number((await as(c.bob, 'GET', `/users/${c.ann.uid}/conversation`)).data.unreadMessageCount)
      expect(await unread()).toBe(1)
      c.bob.say('receipts', { user: c.ann.uid }, { action: 'read', messageId: id }, { messageSender: c.ann.uid })
      await expect.poll(unread, { timeout: 10_000 }).toBe(0)
      await as(c.bob, 'POST', `/users/${c.ann.uid}/conversation/read`)
      await c.ann.settled()
      expect(c.ann.of('receipts')).toEqual([])
    })

    test('for what is not theirs to mark have no effect', async () => {
      const { group, clients: c, say, as } = await setTheScene()
      const { id } = await say(c.ann, toGroup(group))
      await as(c.cara, 'DELETE', `/groups/${group}/members`)
      await c.ann.message(({ data }) => data.action === 'left')
      c.cara.say('receipts', { group }, { action: 'read', messageId: id }, { messageSender: c.ann.uid })
      c.cara.say('receipts', { user: 'nobody' }, { action: 'read', messageId: id })
      c.cara.say('receipts', { user: c.ann.uid }, { action: 'read', messageId: 'x' })
      await c.cara.settled()
      await c.ann.settled()
      expect(c.ann.of('receipts')).toEqual([])
    })
  })

  describe('presence', () => {
    test('is for those who have asked: of all, of friends, of roles', async () => {
      const { ann, bob, cara, clients: c } = await setTheScene()
      const uid = `eve-${ann}`
      await api.ok('POST', '/roles', { body: { role: `r${uid}`, name: 'R' } })
      const metadata = { open: 1, '@private': { email: 'eve@example.com' } }
      await api.ok('POST', '/users', { body: { uid, name: 'Eve', role: `r${uid}`, metadata, tags: ['x'] } })
      await api.ok('POST', `/users/${bob}/friends`, { body: { accepted: [uid] } })
      const everybody = await clients.signIn({ uid: ann, presence: 'ALL_USERS' })
      const friends = await clients.signIn({ uid: bob, presence: 'FRIENDS' })
      const strangers = await clients.signIn({ uid: cara, presence: 'FRIENDS' })
      const roles = await clients.signIn({ uid: cara, presence: 'ROLES', roles: [`R${uid}`, 'x'] })
      const others = await clients.signIn({ uid: cara, presence: 'ROLES', roles: ['default'] })
      const ofEve = ({ sender }: { sender: string }): boolean => sender === uid
      const eve = await clients.signIn({ uid })
      for (const client of [everybody, friends, roles]) {
        const frame = await client.frame('presence', ofEve)
        expect(frame.body).toMatchObject({
          ...{ action: 'online', timestamp: expect.any(Number) },
          user: { uid, status: 'online', metadata: { open: 1 } },
        })
        expect(frame.body.user.metadata).toEqual({ open: 1 })
        expect(frame.body.user.tags).toBeUndefined()
      }
      const { data } = await api.ok('GET', `/users/${uid}`)
      expect(data.status).toBe('available')
      await eve.close()
      const gone = (frame: { sender: string; body: { action: string } }): boolean =>
        ofEve(frame) && frame.body.action === 'offline'
      for (const client of [everybody, friends, roles]) await client.frame('presence', gone)
      expect((await api.ok('GET', `/users/${uid}`)).data.status).toBe('offline')
      for (const client of [strangers, others, c.ann]) {
        await client.settled()
        expect(client.of('presence').filter(ofEve)).toEqual([])
      }
    })

    test('ends with the user, and with their deactivation', async () => {
      const { ann, bob, cara } = await setTheScene()
      const watch = await clients.signIn({ uid: ann, presence: 'ALL_USERS' })
      await api.ok('DELETE', `/users/${bob}`)
      await api.ok('DELETE', '/users', { body: { uidsToDeactivate: [cara] } })
      for (const uid of [bob, cara]) {
        const frame = await watch.frame('presence', ({ sender, body }) => sender === uid && body.action === 'offline')
        expect(frame.body.user).toMatchObject({ uid, status: 'offline' })
      }
    })

    test('does not end with a reload, nor while another device is there; users are listed by it', async () => {
      const { ann, bob } = await setTheScene()
      const watch = await clients.signIn({ uid: bob, presence: 'ALL_USERS' })
      const first = await clients.signIn({ uid: ann })
      await first.close()
      const second = await clients.signIn({ uid: ann })
      await new Promise((resolve) => setTimeout(resolve, 2500))
      await watch.settled()
      expect(watch.of('presence').filter(({ sender }) => sender === ann)).toEqual([])
      const { data } = await api.ok('GET', '/users', { query: { status: 'available', uids: `${ann},${bob}` } })
      expect(data.map(({ uid }: { uid: string }) => uid).sort()).toEqual([ann, bob].sort())
      expect((await api.ok('GET', '/users', { query: { status: 'offline', uids: ann } })).data).toEqual([])
      await second.close()
    })
  })
})
