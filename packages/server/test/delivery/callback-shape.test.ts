import { verifyCallback } from '@confab/bot-sdk'
import type { Message } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import {
  attemptOf,
  callbackOf,
  changeBot,
  idOf,
  makeBot,
  makeGroup,
  makeUsers,
  say,
  sayInGroup,
  sequenceOf,
  signatureOf,
  textsOf,
} from './support.ts'

const WAIT_MS = 5000

describeEngines('a callback', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver
  let secret = ''

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_REGION: 'eu', CONFAB_RETRY_SCHEDULE: '50ms' } })
    await makeUsers(server, 'ann', 'bob')
    secret = await makeBot(server, 'bot', { webhookURL: 'http://127.0.0.1:1/', groupChatSetting: 'allMessages' })
    await makeGroup(server, 'team', 'ann', 'bot')
  })
  afterAll(() => server?.dispose())

  beforeEach(async () => {
    receiver = await startCallbackReceiver()
    await changeBot(server, 'bot', { webhookURL: `${receiver.url}?from=confab`, useBasicAuth: false })
  })
  afterEach(() => receiver.close())

  const send = async (body: object, headers: Record<string, string> = {}): Promise<Message> =>
    (
      await server.client.request<Message>('POST', '/messages', {
        body: { receiver: 'bot', receiverType: 'user', data: { text: 'hello' }, ...body },
        onBehalfOf: 'ann',
        headers,
      })
    ).data

  const first = async (): Promise<ReceivedCallback> => {
    const [one] = await receiver.waitFor(1, WAIT_MS)
    return one!
  }

  test('has the envelope and the message of the contract, key for key', async () => {
    const sent = await send({ muid: `m-${engine}`, data: { text: 'hé 👋 "\\', metadata: { b: 1, a: [2] } } })
    const callback = await first()
    const { json, method, path, headers } = callback
    expect({ method, path, type: headers['content-type'] }).toEqual({
      method: 'POST',
      path: '/callback?from=confab',
      type: 'application/json',
    })
    const { data, ...envelope } = callbackOf(callback)
    expect(Object.keys(json as object)).toEqual([
      'trigger',
      'data',
      'appId',
      'origin',
      'chatAPIVersion',
      'region',
      'bot',
    ])
    expect(envelope).toEqual({
      trigger: 'after_message',
      appId: server.appId,
      origin: { platform: 'API', language: 'http', resource: 'rest-api' },
      chatAPIVersion: '3.0',
      region: 'eu',
      bot: 'bot',
    })
    expect(Object.keys(envelope.origin)).toEqual(['platform', 'language', 'resource'])
    expect(data).toEqual(sent)
    expect(Object.keys(data)).toEqual([
      'id',
      'muid',
      'conversationId',
      'sender',
      'receiverType',
      'receiver',
      'category',
      'type',
      'data',
      'sentAt',
      'updatedAt',
    ])
    expect(Object.keys(data.data)).toEqual(['text', 'metadata', 'resource', 'entities'])
    expect(data).toMatchObject({
      id: expect.stringMatching(/^[1-9]\d*$/),
      muid: `m-${engine}`,
      conversationId: 'ann_user_bot',
      sender: 'ann',
      receiverType: 'user',
      receiver: 'bot',
      category: 'message',
      type: 'text',
      data: { text: 'hé 👋 "\\', metadata: { b: 1, a: [2] } },
    })
    expect(data.updatedAt).toBe(data.sentAt)
    expect(Math.abs(data.sentAt - Date.now() / 1000)).toBeLessThan(10)
  })

  test('shows sender and receiver as they were when it was sent', async () => {
    await server.client.request('PUT', '/users/ann', {
      body: {
        role: 'default',
        avatar: 'https://e.example/a.png',
        metadata: { team: 'x', '@private': { email: 'a@b.c' } },
        tags: ['t'],
      },
    })
    await send({})
    const { entities } = callbackOf(await first()).data.data
    await server.client.request('PUT', '/users/ann', { body: { unset: ['avatar', 'metadata'] } })
    expect(Object.keys(entities)).toEqual(['sender', 'receiver'])
    expect(entities).toEqual({
      sender: {
        entity: {
          uid: 'ann',
          name: 'ANN',
          avatar: 'https://e.example/a.png',
          metadata: { team: 'x' },
          status: 'offline',
          role: 'default',
          lastActiveAt: expect.any(Number),
          createdAt: expect.any(Number),
          updatedAt: expect.any(Number),
        },
        entityType: 'user',
      },
      receiver: {
        entity: {
          uid: 'bot',
          name: 'BOT',
          status: 'offline',
          role: 'default',
          lastActiveAt: expect.any(Number),
          createdAt: expect.any(Number),
          conversationId: 'ann_user_bot',
        },
        entityType: 'user',
      },
    })
  })

  test('of a group message has the group as its receiver, without a muid if none was given', async () => {
    await sayInGroup(server, 'ann', 'team', 'all together')
    const { data, bot } = callbackOf(await first())
    expect(bot).toBe('bot')
    expect(data).not.toHaveProperty('muid')
    expect(data).toMatchObject({ conversationId: 'group_team', sender: 'ann', receiverType: 'group', receiver: 'team' })
    expect(data.data.entities.receiver).toEqual({
      entity: {
        guid: 'team',
        name: 'TEAM',
        type: 'public',
        scope: 'participant',
        membersCount: expect.any(Number),
        joinedAt: expect.any(Number),
        conversationId: 'group_team',
        hasJoined: true,
        createdAt: expect.any(Number),
        owner: expect.any(String),
      },
      entityType: 'group',
    })
    expect(data.data.entities.sender).toMatchObject({ entity: { uid: 'ann' }, entityType: 'user' })
    expect(data.data.entities.sender?.entity).not.toHaveProperty('conversationId')
  })

  test.each([
    {
      name: 'a client SDK',
      headers: { resource: 'WEB-4_2_0-0f1e-1700000000000', sdk: 'javascript@4.2.0' },
      origin: { platform: 'web', language: 'javascript', resource: 'WEB-4_2_0-0f1e-1700000000000' },
    },
    {
      name: 'a client that says it all',
      headers: { resource: 'chat-widget', sdk: 'x@1', platform: 'desktop', language: 'reactjs' },
      origin: { platform: 'desktop', language: 'reactjs', resource: 'chat-widget' },
    },
    {
      name: 'headers with quotes',
      headers: { resource: 'a"b\\c', platform: '<p>', language: "l'" },
      origin: { platform: '<p>', language: "l'", resource: 'a"b\\c' },
    },
  ])('names the client: $name', async ({ headers, origin }) => {
    await send({}, headers)
    const callback = callbackOf(await first())
    expect(callback.origin).toEqual(origin)
    expect(callback.data.data.resource).toBe(headers.resource)
  })

  test('of a message without a client header has a resource of the same form', async () => {
    await send({})
    expect(callbackOf(await first()).data.data.resource).toMatch(/^API-3_0-[0-9a-f-]{36}-\d{13}$/)
  })

  test('carries Basic auth exactly when the bot wants it', async () => {
    const credentials = { username: 'confab', password: 'pä:ss' }
    await changeBot(server, 'bot', credentials)
    await send({ data: { text: 'without' } })
    await receiver.waitFor(1, WAIT_MS)
    await changeBot(server, 'bot', { useBasicAuth: true })
    await send({ data: { text: 'with' } })
    await receiver.waitFor(2, WAIT_MS)
    await changeBot(server, 'bot', { useBasicAuth: false })
    await send({ data: { text: 'without again' } })
    const received = await receiver.waitFor(3, WAIT_MS)
    const basic = `Basic ${Buffer.from('confab:pä:ss', 'utf8').toString('base64')}`
    expect(received.map(({ headers }) => headers.authorization)).toEqual([undefined, basic, undefined])
  })

  test('is signed: by the standard alone, and for the SDK', async () => {
    await send({ data: { text: 'ünïcode 🙂' } })
    const callback = await first()
    expect(callback.headers['webhook-signature']).toBe(signatureOf(secret, callback))
    expect(Math.abs(Number(callback.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(10)
    const verified = verifyCallback(secret, callback.headers, callback.body)
    expect(verified.callback.data.data.text).toBe('ünïcode 🙂')
    const forged = callback.body.replace('ünïcode', 'forged')
    expect(forged).not.toBe(callback.body)
    expect(() => verifyCallback(secret, callback.headers, forged)).toThrow('the signature is wrong')
    const other = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    expect(() => verifyCallback(other, callback.headers, callback.body)).toThrow('the signature is wrong')
  })

  test('is the same on every attempt, but for the attempt', async () => {
    receiver.setBehaviour((_, n) => ({ status: n < 4 ? 500 : 200 }))
    await send({})
    const received = await receiver.waitFor(4, WAIT_MS)
    expect(new Set(received.map(({ body }) => body)).size).toBe(1)
    expect(new Set(received.map(idOf)).size).toBe(1)
    expect(idOf(received[0]!)).toMatch(/^dlv_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(received.map(attemptOf)).toEqual([1, 2, 3, 4])
    expect(new Set(received.map(sequenceOf)).size).toBe(1)
    for (const one of received) {
      expect(one.headers['webhook-signature']).toBe(signatureOf(secret, one))
      expect(one.headers['confab-trigger']).toBe('after_message')
    }
  })

  test('numbers the callbacks of a conversation without a gap, each conversation by itself', async () => {
    await makeUsers(server, `cat-${engine}`, `dan-${engine}`)
    for (const n of [1, 2, 3]) {
      await say(server, `cat-${engine}`, 'bot', `cat ${n}`)
      await say(server, `dan-${engine}`, 'bot', `dan ${n}`)
    }
    const received = await receiver.waitFor(6, WAIT_MS)
    for (const who of ['cat', 'dan']) {
      const own = received.filter((one) => callbackOf(one).data.sender === `${who}-${engine}`)
      expect(textsOf(own)).toEqual([1, 2, 3].map((n) => `${who} ${n}`))
      expect(own.map(sequenceOf)).toEqual([1, 2, 3])
      expect(own.map(({ headers }) => headers['confab-previous-sequence'])).toEqual(['0', '1', '2'])
    }
  })
})
