/** Webhooks of the app: the same engine as for bots, from the outside. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import {
  attemptOf,
  idOf,
  makeGroup,
  makeUsers,
  pause,
  QUIET_MS,
  say,
  sequenceOf,
  signatureOf,
  until,
} from './support.ts'

const WAIT_MS = 5000
const bodyOf = ({ json }: ReceivedCallback): Json => json
const textsOf = (received: readonly ReceivedCallback[]): string[] =>
  received.map((one) => bodyOf(one).data.message.data.text)

describeEngines('webhooks', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let hook = ''
  let hooks = 0

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_RETRY_SCHEDULE: '50ms', CONFAB_LEASE: '2s' } })
    api = new Api(server)
    await makeUsers(server, 'ann', 'bob')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    hook = `Hook_${++hooks}`
    receiver = await startCallbackReceiver()
  })
  afterEach(async () => {
    await api.call('DELETE', `/webhooks/${hook}`)
    await receiver.close()
  })

  const makeHook = async (triggerIds: readonly string[], more: object = {}): Promise<string> => {
    const body = { id: hook, name: 'Hook', webhookURL: receiver.url, ...more }
    const { signingSecret } = (await api.ok('POST', '/webhooks', { body })).data
    if (triggerIds.length > 0) await api.ok('POST', `/webhooks/${hook}/triggers`, { body: { triggerIds } })
    return signingSecret
  }
  const deliveries = async (): Promise<Json[]> =>
    (await api.ok('GET', '/deliveries', { query: { webhook: hook } })).data

  test('hear every message of the app, signed and with the password, in order', async () => {
    const login = { useBasicAuth: true, username: 'me', password: 'p'.repeat(100) }
    const secret = await makeHook(['message_sent', 'message_edited'], login)
    const { id } = await say(server, 'ann', 'bob', '1')
    for (const text of ['2', '3', '4']) await say(server, 'ann', 'bob', text)
    await api.ok('PUT', `/messages/${id}`, { body: { data: { text: 'one' } }, onBehalfOf: 'ann' })
    const received = await receiver.waitFor(5, WAIT_MS)
    expect(received.map((one) => bodyOf(one).trigger)).toEqual([
      ...['message_sent', 'message_sent', 'message_sent', 'message_sent', 'message_edited'],
    ])
    expect(textsOf(received.slice(0, 4))).toEqual(['1', '2', '3', '4'])
    expect(received.map(sequenceOf)).toEqual([1, 2, 3, 4, 5])
    for (const one of received) {
      expect(one.headers['webhook-signature']).toBe(signatureOf(secret, one))
      expect(one.headers.authorization).toBe(`Basic ${btoa(`me:${login.password}`)}`)
      expect(Object.keys(bodyOf(one))).toEqual(['trigger', 'data', 'appId', 'region', 'webhook'])
      expect(bodyOf(one)).toMatchObject({ appId: server.appId, webhook: hook })
    }
    await until('all is on record', async () => (await deliveries()).every(({ state }) => state === 'delivered'))
    expect((await deliveries())[0]).toMatchObject({ webhook: hook, conversationId: 'ann_user_bob' })
    expect((await deliveries())[0].bot).toBeUndefined()
  })

  test('hear of receipts: of the newest that somebody else has said, whatever was said or changed since', async () => {
    await makeUsers(server, `${hook}-a`, `${hook}-b`)
    const [one, two] = [`${hook}-a`.toLowerCase(), `${hook}-b`.toLowerCase()]
    await makeHook(['message_read_receipt', 'message_delivery_receipt'])
    const asked = await say(server, one, two, 'asked')
    const own = await say(server, two, one, 'answered before it was read')
    await api.ok('PUT', `/messages/${own.id}`, { body: { data: { text: 'edited' } } })
    await api.ok('POST', `/users/${one}/conversation/read`, { onBehalfOf: two, body: {} })
    const received = await receiver.waitFor(2, WAIT_MS)
    const told = received.map((call) => bodyOf(call)).map(({ trigger, data }) => [trigger, data])
    const receipt = { receiver: one, receiverType: 'user', type: 'receipts', sender: two, messageSender: one }
    expect(told).toMatchObject([
      ['message_delivery_receipt', { ...receipt, body: { action: 'delivered', messageId: asked.id } }],
      ['message_read_receipt', { ...receipt, body: { action: 'read', messageId: asked.id } }],
    ])
  })

  test('get one attempt; what failed can be made again', async () => {
    await makeHook(['message_sent'])
    receiver.setBehaviour(() => ({ status: 500 }))
    await say(server, 'ann', 'bob', 'lost')
    await until('it is dead', async () => (await deliveries())[0]?.state === 'dead')
    await pause(300)
    expect(receiver.received).toHaveLength(1)
    receiver.setBehaviour(() => ({ status: 204 }))
    expect((await api.ok('POST', `/webhooks/${hook}/replay`, { body: { since: 0 } })).data).toEqual({ replayed: 1 })
    const [first, again] = await receiver.waitFor(2, WAIT_MS)
    expect(again && first && idOf(again)).toBe(first && idOf(first))
    expect((await api.ok('GET', `/webhooks/${hook}/stats`)).data).toMatchObject({ breaker: { state: 'closed' } })
  })

  test('are called again and again with retryOnFailure, and the next message waits', async () => {
    await makeHook(['message_sent'], { retryOnFailure: true })
    receiver.setBehaviour((_, n) => ({ status: n <= 2 ? 500 : 200 }))
    await say(server, 'ann', 'bob', 'one')
    await say(server, 'ann', 'bob', 'two')
    const received = await receiver.waitFor(4, WAIT_MS)
    expect(textsOf(received)).toEqual(['one', 'one', 'one', 'two'])
    expect(received.map(attemptOf)).toEqual([1, 2, 3, 1])
  })

  test('have two seconds', async () => {
    await makeHook(['message_sent'])
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    await say(server, 'ann', 'bob', 'slow')
    await until('it is dead', async () => (await deliveries())[0]?.state === 'dead')
    const { history } = (await api.ok('GET', `/deliveries/${(await deliveries())[0].id}`)).data
    expect(history).toMatchObject([{ outcome: 'retry:timeout', error: expect.stringContaining('2000 ms') }])
  })

  test('have them in all, also if they answer piece by piece', async () => {
    await makeHook(['message_sent'])
    receiver.setBehaviour(() => ({ kind: 'drip', type: 'text/event-stream' }))
    await say(server, 'ann', 'bob', 'x')
    await until('it is given up', async () => (await deliveries())[0]?.state === 'dead')
    const { data } = await api.ok('GET', `/deliveries/${(await deliveries())[0].id}`)
    expect(data.history).toMatchObject([{ outcome: 'retry:timeout', error: 'no complete answer in 2000 ms' }])
  })

  test('hear of groups, through the API', async () => {
    await makeHook([
      ...['group_created', 'group_updated', 'group_owner_transferred', 'group_member_scope_changed', 'group_deleted'],
    ])
    const guid = `g${hooks}`
    await makeGroup(server, guid, 'ann', 'bob')
    await api.ok('PUT', `/groups/${guid}`, { body: { name: 'Other', owner: 'ann' } })
    await api.ok('PUT', `/groups/${guid}/members/bob`, { body: { scope: 'admin' }, onBehalfOf: 'ann' })
    await api.ok('DELETE', `/groups/${guid}`)
    const received = await receiver.waitFor(5, WAIT_MS)
    expect(received.map((one) => bodyOf(one).trigger)).toEqual([
      ...['group_created', 'group_updated', 'group_owner_transferred', 'group_member_scope_changed', 'group_deleted'],
    ])
    expect(received.map(sequenceOf)).toEqual([1, 2, 3, 4, 5])
    expect(bodyOf(received[3] as ReceivedCallback).data).toMatchObject({
      ...{ by: { uid: 'ann' }, members: { bob: { scope: 'admin', oldScope: 'participant' } } },
    })
  })

  test('hear nothing while they are off; nobody answers in their name', async () => {
    await makeHook(['message_sent'], { enabled: false })
    await say(server, 'ann', 'bob', 'unheard')
    await api.ok('PUT', `/webhooks/${hook}`, { body: { enabled: true } })
    receiver.setBehaviour(() => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"reply":{"data":{"text":"from a webhook"}}}',
    }))
    await say(server, 'ann', 'bob', 'heard')
    await receiver.waitFor(1, WAIT_MS)
    await pause(QUIET_MS)
    expect(textsOf(receiver.received)).toEqual(['heard'])
    const { data } = await api.ok('GET', '/messages', { query: { searchKey: 'from a webhook' } })
    expect(data).toEqual([])
  })

  test('are called at no address that is not allowed', async () => {
    const guarded = await startServer({ engine, env: { CONFAB_CALLBACK_ALLOW_CIDRS: '' } })
    try {
      const own = new Api(guarded)
      await makeUsers(guarded, 'ann', 'bob')
      await own.ok('POST', '/webhooks', { body: { id: 'w', name: 'x', webhookURL: receiver.url } })
      const triggerIds = ['message_sent', 'before_message']
      await own.ok('POST', '/webhooks/w/triggers', { body: { triggerIds } })
      await say(guarded, 'ann', 'bob', 'x')
      const list = async (): Promise<Json[]> => (await own.ok('GET', '/deliveries', { query: { webhook: 'w' } })).data
      await until('it is dead', async () => (await list())[0]?.state === 'dead')
      const { history } = (await own.ok('GET', `/deliveries/${(await list())[0].id}`)).data
      expect(history).toMatchObject([{ outcome: 'refused', address: '127.0.0.1' }])
      expect(receiver.connections).toBe(0)
    } finally {
      await guarded.dispose()
    }
  })

  test('lose nothing when the server is killed', async () => {
    await makeHook(['message_sent'], { retryOnFailure: true })
    receiver.setBehaviour(() => ({ status: 503, headers: { 'retry-after': '0' } }))
    const texts = Array.from({ length: 5 }, (_, n) => `kept ${n}`)
    for (const text of texts) await say(server, 'ann', 'bob', text)
    await receiver.waitFor(1, WAIT_MS)
    await server.kill()
    receiver.setBehaviour(() => ({ status: 200 }))
    await server.start()
    await until(
      'all is delivered',
      async () => (await deliveries()).every(({ state }) => state === 'delivered'),
      15_000,
    )
    const seen = [...new Set(textsOf(receiver.received))]
    expect(seen).toEqual(texts)
    expect((await deliveries()).length).toBe(texts.length)
  })

  test('are tested as bots are', async () => {
    await makeHook([])
    const { data } = await api.ok('POST', `/webhooks/${hook}/test`)
    expect(data).toMatchObject({ ok: true, acceptsWrongSignature: true })
    const [first] = await receiver.waitFor(2, WAIT_MS)
    expect(first && bodyOf(first)).toMatchObject({ trigger: 'confab_test', webhook: hook })
  })

  test('of another app are not there, whatever the path says', async () => {
    await makeHook([])
    expect((await api.ok('GET', `/apps/${server.appId}/webhooks/${hook}`, { appId: null })).data.id).toBe(hook)
    await api.fails('AUTH_ERR_INVALID_APPID', 'GET', `/apps/other/webhooks/${hook}`)
    await api.fails('AUTH_ERR_NO_ACCESS', 'GET', '/webhooks', { key: server.authKey })
    await api.fails('ERR_BOT_NOT_FOUND', 'GET', `/bots/webhook:${hook}`)
    await api.fails('ERR_BOT_NOT_FOUND', 'POST', `/bots/webhook:${hook}/resume`)
  })
})
