import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import type { Message } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ConfabClient, ConfabError, ConfabUnreachableError } from '../src/index.ts'
import { startServer, type TestServer } from './server.ts'

let server: TestServer
let client: ConfabClient
beforeAll(async () => {
  server = await startServer()
  client = server.client
  for (const uid of ['ann', 'bob', 'helper']) await client.createUser({ uid, name: uid.toUpperCase() })
  const bot = { uid: 'helper', webhookURL: 'http://127.0.0.1:1/', enabled: false }
  await client.request('POST', '/bots', { body: bot })
})
afterAll(() => server?.dispose())

const errorOf = async (work: Promise<unknown>): Promise<unknown> => {
  const nothing = Symbol('nothing was thrown')
  const error = await work.then(() => nothing).catch((thrown: unknown) => thrown)
  if (error === nothing) throw new Error('it should have failed')
  // Errors are logged with all that hangs on them.
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(server.apiKey)
  return error
}

const other = async (listener: RequestListener): Promise<string> => {
  const http = createServer(listener)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}` // it listens on TCP
}

describe('a client', () => {
  test('creates users', async () => {
    const made = await client.createUser({ uid: 'cara', name: 'Cara', metadata: { room: 7 } })
    expect(made).toMatchObject({ uid: 'cara', name: 'Cara', metadata: { room: 7 } })
    expect((await client.request('GET', '/users/cara')).data).toMatchObject({ uid: 'cara', name: 'Cara' })
    const error = await errorOf(client.createUser({ uid: 'cara', name: 'Another' }))
    expect(error).toMatchObject({ name: 'ConfabError', code: 'ERR_UID_ALREADY_EXISTS' })
  })

  test('creates groups', async () => {
    const members = { participants: ['bob'], admins: ['helper'] }
    const made = await client.createGroup({ guid: 'lounge', name: 'Lounge', type: 'private', owner: 'ann', members })
    expect(made).toMatchObject({ guid: 'lounge', name: 'Lounge', type: 'private', owner: 'ann' })
    const { data } = await client.request<{ uid: string; scope: string }[]>('GET', '/groups/lounge/members')
    expect(data.map(({ uid, scope }) => `${uid} ${scope}`).toSorted()).toEqual([
      'ann admin',
      'bob participant',
      'helper admin',
    ])
    const error = await errorOf(client.createGroup({ guid: 'lounge', name: 'Another', type: 'public' }))
    expect(error).toMatchObject({ code: 'ERR_GUID_ALREADY_EXISTS' })
  })

  test('sends texts and whole messages, as a user and as the app', async () => {
    const to = { receiver: 'bob', receiverType: 'user' } as const
    const text = await client.sendMessage(to, 'Hello, Bob.', { onBehalfOf: 'ann' })
    expect(text).toMatchObject({ sender: 'ann', receiver: 'bob', conversationId: 'ann_user_bob', type: 'text' })
    expect(text.data.text).toBe('Hello, Bob.')
    const whole = { category: 'custom', type: 'place', muid: 'once', data: { customData: { lat: 1 } } } as const
    const first = await client.sendMessage(to, whole, { onBehalfOf: 'ann' })
    expect(first).toMatchObject({ category: 'custom', type: 'place', muid: 'once', data: { customData: { lat: 1 } } })
    expect((await client.sendMessage(to, whole, { onBehalfOf: 'ann' })).id).toBe(first.id)
    expect((await client.sendMessage(to, 'From nobody in particular.')).sender).toBe('app_system')
  })

  test('sends as a bot, in a group too', async () => {
    const message = await client.sendBotMessage(
      'helper',
      { receiver: 'lounge', receiverType: 'group' },
      'At your service.',
    )
    expect(message).toMatchObject({ sender: 'helper', conversationId: 'group_lounge' })
    const unknown = client.sendBotMessage('no/such bot?', { receiver: 'ann', receiverType: 'user' }, 'Hello')
    // The uid is one segment of the path, whatever is in it.
    expect(await errorOf(unknown)).toMatchObject({ code: 'ERR_BOT_NOT_FOUND' })
  })

  test('makes any request: query, user, headers, envelope', async () => {
    const { data, meta } = await client.request<Message[]>('GET', '/users/bob/messages', {
      query: { limit: 1, category: 'custom', hideDeleted: true, searchKey: undefined },
      onBehalfOf: 'ann',
    })
    expect(data.map(({ muid }) => muid)).toEqual(['once'])
    expect(meta).toMatchObject({ current: { limit: 1, count: 1 } })
    const withOtherKey = client.request('GET', '/users', { headers: { apikey: server.authKey } })
    expect(await errorOf(withOtherKey)).toMatchObject({ name: 'ConfabError', status: expect.any(Number) })
  })

  test('does not mind a slash behind the address, and finds its app without being told', async () => {
    const { url, apiKey } = server
    const { data } = await new ConfabClient({ url: `${url}/`, apiKey }).request('GET', '/users/ann')
    expect(data).toMatchObject({ uid: 'ann' })
    const elsewhere = new ConfabClient({ url, apiKey, appId: 'another-app' })
    expect(await errorOf(elsewhere.request('GET', '/users/ann'))).toBeInstanceOf(ConfabError)
  })
})

describe('a refusal of the server', () => {
  test('is a ConfabError with all that the server said', async () => {
    const error = await errorOf(client.request('POST', '/users', { body: { uid: 'not a uid', name: ' ' } }))
    expect(error).toBeInstanceOf(ConfabError)
    expect(error).toMatchObject({
      name: 'ConfabError',
      code: 'ERR_BAD_REQUEST',
      status: 400,
      details: { uid: expect.any(String), name: expect.any(String) },
      requestId: expect.stringMatching(/\S/),
    })
    expect(String(error)).toMatch(/^ConfabError: ERR_BAD_REQUEST: ./)
    expect(await errorOf(client.request('GET', '/users/nobody'))).toMatchObject({
      code: 'ERR_UID_NOT_FOUND',
      status: 404,
      details: {},
    })
  })

  test('a wrong key is refused, and not repeated in the error', async () => {
    const apiKey = 'sesame-sesame-sesame'
    const error = await errorOf(new ConfabClient({ url: server.url, apiKey }).request('GET', '/users'))
    expect(error).toMatchObject({ name: 'ConfabError', status: 401 })
    expect(inspect(error, { depth: 10 })).not.toContain('sesame')
  })
})

describe('no answer of Confab is a ConfabUnreachableError', () => {
  const ask = (url: string, timeoutMs = 5000): Promise<unknown> =>
    errorOf(new ConfabClient({ url, apiKey: server.apiKey, timeoutMs }).request('GET', '/users', { query: { a: 'b' } }))

  test('nobody listens', async () => {
    const error = await ask('http://127.0.0.1:9')
    expect(error).toBeInstanceOf(ConfabUnreachableError)
    expect(error).toMatchObject({
      name: 'ConfabUnreachableError',
      message: 'GET http://127.0.0.1:9/v3/users: no answer',
      cause: expect.any(Error),
    })
  })

  test('no answer comes in time, or only half of one', async () => {
    const silent = await other(() => {})
    expect(await ask(silent, 200)).toBeInstanceOf(ConfabUnreachableError)
    const halting = await other((_, response) => response.writeHead(200).write('{"data":'))
    expect(await ask(halting, 200)).toBeInstanceOf(ConfabUnreachableError)
    const broken = await other((_, response) => {
      response.writeHead(200).write('{"data":', () => response.destroy())
    })
    expect(await ask(broken)).toBeInstanceOf(ConfabUnreachableError)
  })

  test.each([
    [502, '<h1>Bad gateway</h1>'],
    [502, '{"message":"Bad gateway"}'],
    [503, '{"data":"come back later"}'],
    [500, '{"error":"oops"}'],
    [500, '{"error":{"reason":"oops"}}'],
    [500, '{"error":null}'],
    [200, '{"status":"fine"}'],
    [200, 'null'],
    [200, '"text"'],
    [200, '[]'],
    [200, ''],
  ])('somebody else answers: %d %s', async (status, text) => {
    const url = await other((_, response) => response.writeHead(status).end(text))
    const error = await ask(url)
    expect(error).toBeInstanceOf(ConfabUnreachableError)
    expect(String(error)).toContain(`GET ${url}/v3/users: ${status}`)
  })

  test.each([301, 302, 307, 308])('a redirect, status %d: the key does not go there', async (status) => {
    let asked = 0
    const elsewhere = await other((_, response) => {
      asked++
      response.end('{"data":[]}')
    })
    const url = await other((_, response) => response.writeHead(status, { location: `${elsewhere}/v3/users` }).end())
    expect(await ask(url)).toBeInstanceOf(ConfabUnreachableError)
    expect(asked).toBe(0)
  })
})

test.each([['sesame\nsesame'], ['sésame'], ['…'], ['sesame sesame']])(
  'a key that no header can carry: %j',
  (apiKey) => {
    let thrown: unknown
    try {
      new ConfabClient({ url: server.url, apiKey })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(TypeError)
    expect(String(thrown)).toContain('apiKey')
    expect(inspect(thrown)).not.toContain(apiKey.slice(0, 6))
  },
)
