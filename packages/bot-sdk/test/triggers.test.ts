/** What a bot hears beside messages, and what it hands on of what it heard. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Message } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { type BotOptions, ConfabClient, createBot, type Incoming, type IncomingTrigger } from '../src/index.ts'
import { startServer, type TestServer } from './server.ts'

let server: TestServer
let close: (() => Promise<void>) | undefined
const triggers = ['message_edited', 'message_deleted', 'group_member_added', 'group_member_kicked']

beforeAll(async () => {
  server = await startServer()
  for (const uid of ['ann', 'bob', 'ear']) await server.client.createUser({ uid, name: uid.toUpperCase() })
  const members = { participants: ['ear'] }
  await server.client.createGroup({ guid: 'lounge', name: 'Lounge', type: 'public', owner: 'ann', members })
})
afterEach(async () => {
  await server.client.request('DELETE', '/bots/ear')
  await close?.()
})
afterAll(() => server?.dispose())

const errors: unknown[] = []
/** The bot `ear` that hears everything. */
const listen = async (options: Partial<BotOptions>): Promise<void> => {
  errors.length = 0
  let signingSecret = ''
  const bot = createBot({
    uid: 'ear',
    client: server.client,
    onMessage: () => {},
    onError: (error) => errors.push(error),
    ...options,
    get signingSecret() {
      return signingSecret
    },
  })
  const listening = await bot.listen()
  close = listening.close
  const body = { uid: 'ear', webhookURL: listening.url, enabled: true, groupChatSetting: 'allMessages', triggers }
  signingSecret = (await server.client.request<{ signingSecret: string }>('POST', '/bots', { body })).data.signingSecret
}
const eventually = (check: () => Promise<void> | void): Promise<void> =>
  vi.waitFor(check, { timeout: 5000, interval: 25 })

const say = (text: string): Promise<Message> =>
  server.client.sendMessage({ receiver: 'ear', receiverType: 'user' }, text, { onBehalfOf: 'ann' })

const doItAll = async (): Promise<string> => {
  const { client } = server
  const { id } = await say('Hello')
  const onBehalfOf = 'ann'
  await client.request('PUT', `/messages/${id}`, { body: { data: { text: 'Hello!' } }, onBehalfOf })
  await client.request('DELETE', `/messages/${id}`, { onBehalfOf })
  await client.request('POST', '/groups/lounge/members', { body: { participants: ['bob'] }, onBehalfOf })
  await client.request('DELETE', '/groups/lounge/members/bob')
  return id
}

test('each trigger comes to onTrigger, with what it tells of', async () => {
  const heard: IncomingTrigger[] = []
  const messages: string[] = []
  await listen({
    onMessage: ({ text }) => void messages.push(text),
    onTrigger: (incoming) => void heard.push(incoming),
  })
  const id = await doItAll()
  await eventually(() => expect(heard).toHaveLength(4))
  const told = (trigger: IncomingTrigger['trigger']): IncomingTrigger | undefined =>
    heard.find((one) => one.trigger === trigger)
  const edited = told('message_edited')
  expect(edited).toMatchObject({ attempt: 1, sequence: 2, previousSequence: 1, hop: 0, id: expect.any(String) })
  if (edited?.trigger !== 'message_edited') throw new Error('no edit was told of')
  expect(edited.data.message.sender).toBe('ann')
  expect(edited.data.message.data.entities.on?.entity).toMatchObject({ id, data: { text: 'Hello!' } })
  expect(edited.callback.data).toBe(edited.data)
  expect(told('message_deleted')).toMatchObject({ sequence: 3, data: { message: { data: { action: 'deleted' } } } })
  const added = told('group_member_added')
  if (added?.trigger !== 'group_member_added') throw new Error('nobody was told of who came')
  expect([added.data.group.guid, Object.keys(added.data.members), added.data.by.uid]).toEqual([
    'lounge',
    ['bob'],
    'ann',
  ])
  expect(told('group_member_kicked')).toMatchObject({ data: { members: { bob: {} }, by: { uid: 'app_system' } } })
  expect(messages).toEqual(['Hello'])
  expect(errors).toEqual([])
})

test('one whose handler fails comes again', async () => {
  const attempts: number[] = []
  await listen({
    onTrigger: ({ attempt }) => {
      attempts.push(attempt)
      if (attempt === 1) throw new Error('not yet')
    },
  })
  await server.client.request('POST', '/groups/lounge/members', { body: { participants: ['bob'] } })
  await eventually(() => expect(attempts).toEqual([1, 2]))
  expect(errors.map(String)).toEqual(['Error: not yet'])
  await server.client.request('DELETE', '/groups/lounge/members/bob')
})

test('without onTrigger they are received, and nothing comes of it', async () => {
  const messages: string[] = []
  await listen({ onMessage: ({ text }) => void messages.push(text) })
  await doItAll()
  await say('Still there?')
  await eventually(() => expect(messages).toEqual(['Hello', 'Still there?']))
  const { data } = await server.client.request<{ attempts: number }[]>('GET', '/deliveries', {
    query: { bot: 'ear', state: 'delivered' },
  })
  await eventually(() => expect(data.length).toBeGreaterThanOrEqual(5))
  expect(data.slice(0, 5).map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1])
  expect(errors).toEqual([])
})

test('a test of the callback is answered, and tells nobody; one with a wrong signature is refused', async () => {
  const heard: unknown[] = []
  const fail = (incoming: unknown): void => {
    heard.push(incoming)
    throw new Error('this was no message')
  }
  await listen({ onMessage: fail, onTrigger: fail })
  const { data } = await server.client.request('POST', '/bots/ear/test')
  expect(data).toMatchObject({ ok: true, acceptsWrongSignature: false, call: { status: 200 } })
  expect(data).toMatchObject({ wrongSignatureCall: { status: 401 } })
  expect(heard).toEqual([])
  expect(errors.map(String)).toEqual([expect.stringContaining('the signature is wrong')])
})

/** Stands before the server, and notes what passes. */
const startGateway = async (): Promise<{ url: string; passed: { url: string; headers: IncomingHttpHeaders }[] }> => {
  const passed: { url: string; headers: IncomingHttpHeaders }[] = []
  const http = createServer(async (request, response) => {
    const { url = '', method = '', headers } = request
    passed.push({ url, headers })
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { host: _host, connection: _connection, 'content-length': _length, ...rest } = headers
    const answer = await fetch(server.url + url, {
      method,
      headers: Object.entries(rest).map(([name, value]): [string, string] => [name, String(value)]),
      ...(method !== 'GET' && { body: Buffer.concat(chunks) }),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void http.closeAllConnections())
  onTestFinished(() => void http.close())
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, passed } // it listens on TCP
}

test('a reply hands the hop on, and so does whoever speaks elsewhere because of it', async () => {
  const gateway = await startGateway()
  const client = new ConfabClient({ url: gateway.url, apiKey: server.apiKey, appId: server.appId })
  const heard: Incoming[] = []
  await listen({
    client,
    onMessage: async (incoming) => {
      heard.push(incoming)
      await incoming.reply('I heard that.')
      const to = { receiver: 'bob', receiverType: 'user' } as const
      await client.sendBotMessage('ear', to, 'Have you heard?', { hop: incoming.hop })
      await client.sendBotMessage('ear', to, 'By the way …')
    },
  })
  const { client: direct } = server
  await direct.createUser({ uid: 'mouth', name: 'MOUTH' })
  await direct.request('POST', '/bots', { body: { uid: 'mouth', webhookURL: 'http://127.0.0.1:1/', enabled: false } })
  await direct.request('PUT', '/bots/ear', { body: { relayBotMessages: true } })
  const said = { receiver: 'ear', receiverType: 'user' } as const
  await direct.sendBotMessage('mouth', said, 'I heard it from another', { hop: 2 })
  await eventually(() => expect(gateway.passed).toHaveLength(3))
  expect(heard.map(({ hop }) => hop)).toEqual([3])
  expect(gateway.passed.map(({ headers }) => headers['confab-hop'])).toEqual(['3', '3', undefined])
  await say('And now a person')
  await eventually(() => expect(gateway.passed).toHaveLength(6))
  expect(gateway.passed.map(({ headers }) => headers['confab-hop']).slice(3)).toEqual(['0', '0', undefined])
})
