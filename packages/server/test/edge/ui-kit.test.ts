/** What the vendor's UI kits ask of a server beyond what their SDK needs: the calls that they make, as they make them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { Clients } from '../support/sessions.ts'
import { Sdk } from './sdk.ts'

/** As the two generations of kits send them: names that nobody knows, and one of them twice. */
const FILTERS = [
  'categories=message,action,call,custom,card,agentic&types=text,image,video,file,audio,groupMember,meeting,card,assistant,run_started,extension_poll,extension_sticker,extension_document,extension_whiteboard',
  'categories=message,interactive,agentic,card,action&types=text,image,audio,video,file,groupMember,form,scheduler,card,assistant,card',
]

describeEngines('UI kits', (engine) => {
  let server: TestServer
  let api: Api
  let sdk: Sdk
  let clients: Clients
  let bot: CallbackReceiver
  let ann: string
  let bob: string

  beforeAll(async () => {
    bot = await startCallbackReceiver()
    server = await startServer({ engine, env: { CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8' } })
    api = new Api(server)
    sdk = new Sdk(api)
    clients = new Clients(server)
    for (const uid of ['ann', 'bob', 'cara', 'robot']) await api.ok('POST', '/users', { body: { uid, name: uid } })
    await api.ok('POST', '/bots', { body: { uid: 'robot', webhookURL: bot.url, enabled: true } })
    await api.ok('POST', '/groups', { body: { guid: 'g', name: 'G', type: 'public', owner: 'ann' } })
    ;[ann, bob] = [await sdk.login('ann'), await sdk.login('bob')]
    await sdk.as(bob, 'POST', '/groups/g/members', { guid: 'g', name: 'name', type: 'public' })
  })
  afterAll(async () => {
    await clients?.dispose()
    await server?.dispose()
    await bot?.close()
  })

  const ok = async (token: string, method: string, path: string, body?: object): Promise<Json> => {
    const { status, json } = await sdk.as(token, method, path, body)
    expect([method, path, status, json.error]).toEqual([method, path, 200, undefined])
    return json
  }
  /** With the noise that kits send along: whole objects of theirs, the user's token among them. */
  const noisy = (receiver: string, text: string, more: object = {}): object => ({
    ...{ receiver, receiverType: 'user', category: 'message', type: 'text', data: { text }, text, muid: `m-${text}` },
    ...{ sentAt: 1, threadSubscribed: true, mentionedUsers: [], sender: { uid: 'cara', name: 'X', authToken: ann } },
    ...more,
  })

  test('a chat that has not begun is opened without an error', async () => {
    const { json } = await sdk.as(ann, 'GET', '/users/cara/conversation')
    expect(json.error.code).toMatch(/^ERR_CONVERSATION_NOT_(FOUND|ACCESSIBLE)$/)
    for (const filter of FILTERS) {
      const path = `/users/cara/messages?per_page=30&affix=prepend&hideReplies=true&withThreadSubscribed=true&${filter}`
      expect((await ok(ann, 'GET', path)).data).toEqual([])
    }
    expect((await ok(ann, 'POST', '/users/cara/conversation/read')).data.success).toBe(true)
    expect((await ok(ann, 'POST', '/users/cara/conversation/delivered')).data.success).toBe(true)
  })

  test('a bubble is found again by its muid, in the answer and in the frame, in a thread, too', async () => {
    const tablet = await clients.signIn({ uid: 'ann' })
    const sent = (await ok(ann, 'POST', '/messages', noisy('bob', 'hello'))).data
    expect(sent).toMatchObject({ muid: 'm-hello', sender: 'ann' })
    expect(sent.sentAt).toBeGreaterThan(1)
    expect(await tablet.message(({ id }) => id === sent.id)).toMatchObject({ muid: 'm-hello', sender: 'ann' })
    const path = `/messages/${sent.id}/thread`
    const reply = (await ok(ann, 'POST', path, noisy('bob', 'more', { parentMessageId: Number(sent.id) }))).data
    expect(reply).toMatchObject({ muid: 'm-more', parentId: sent.id })
    expect(await tablet.message(({ id }) => id === reply.id)).toMatchObject({ muid: 'm-more', parentId: sent.id })
    expect((await ok(ann, 'GET', `/messages/${sent.id}?withThreadSubscribed=true`)).data.replyCount).toBe(1)
  })

  test('the token that a kit sends along with a message goes nowhere', async () => {
    const watch = await clients.signIn({ uid: 'bob' })
    const sent = (await ok(ann, 'POST', '/messages', noisy('bob', 'quiet'))).data
    await watch.message(({ id }) => id === sent.id)
    await ok(ann, 'POST', '/messages', noisy('robot', 'quiet, too'))
    await expect.poll(() => bot.received.length, { timeout: 10_000 }).toBeGreaterThan(0)
    const seen = [
      ...[sent, watch.frames, bot.received, await ok(bob, 'GET', '/users/ann/messages?per_page=30&affix=prepend')],
      ...[await ok(bob, 'GET', '/conversations?per_page=30&page=1'), server.log],
    ]
    for (const one of seen) expect(JSON.stringify(one)).not.toContain(ann)
  })

  test('what is unread is drawn by the conversation', async () => {
    const first = (await ok(ann, 'POST', '/messages', noisy('bob', 'read this'))).data
    await ok(bob, 'POST', '/users/ann/conversation/read')
    await ok(ann, 'POST', '/messages', noisy('bob', 'and this'))
    const { data } = await ok(bob, 'GET', '/users/ann/conversation')
    expect([Number(data.unreadMessageCount), data.lastReadMessageId]).toEqual([1, first.id])
    await ok(bob, 'GET', `/messages/${data.lastReadMessageId}?withThreadSubscribed=true`)
  })

  test('after a gap: actions of groups by themselves, edits and deletions when asked for', async () => {
    const say = async (text: string) =>
      (await ok(ann, 'POST', '/messages', noisy('g', text, { receiverType: 'group' }))).data
    const [one, two] = [await say('first'), await say('second')]
    await ok(ann, 'PUT', `/messages/${one.id}`, { id: Number(one.id), data: { text: 'First' }, text: 'First' })
    await ok(ann, 'DELETE', `/messages/${two.id}`, { id: two.id })
    const kinds = async (query: string) =>
      (await ok(bob, 'GET', `/groups/g/messages?per_page=30&${query}`)).data.map((row: Json) =>
        row.category === 'action' ? row.data.action : (row.data.text ?? row.deletedAt > 0),
      )
    for (const filter of FILTERS) expect(await kinds(`affix=prepend&${filter}`)).toEqual(['joined', 'First', true])
    expect(await kinds('affix=prepend&categories=action')).toEqual(['joined'])
    const gap = `id=${two.id}&affix=append&categories=action&types=message`
    expect(await kinds(gap)).toEqual(['edited', 'deleted'])
  })

  test('a page that is not there is empty', async () => {
    for (const path of ['/users', '/groups', '/conversations', '/groups/g/members', '/blockedusers']) {
      expect((await ok(ann, 'GET', `${path}?per_page=30&page=2`)).data, path).toEqual([])
    }
    expect((await ok(ann, 'GET', '/users?per_page=30&page=1&searchKey=no%20such%20name')).data).toEqual([])
  })

  test('reactions of several code points, and receipts that come twice', async () => {
    const watch = await clients.signIn({ uid: 'ann' })
    const { id } = (await ok(ann, 'POST', '/messages', noisy('bob', 'fly'))).data
    const flag = '🏳️‍🌈'
    const { data } = await ok(bob, 'POST', `/messages/${id}/reactions/${encodeURIComponent(flag)}`)
    expect(data.data.reactions).toEqual([{ reaction: flag, count: 1, reactedByMe: true }])
    const other = await clients.signIn({ uid: 'bob' })
    for (let n = 0; n < 2; n++) {
      other.say('receipts', { user: 'ann' }, { action: 'delivered', messageId: id, user: {} }, { messageSender: 'ann' })
    }
    await watch.frame('receipts', ({ body }) => body.messageId === id)
    await other.settled()
    await watch.settled()
    expect(watch.of('receipts').filter(({ body }) => body.messageId === id)).toHaveLength(1)
  })
})
