/** `POST /bots/{uid}/test`: whether the callback of a bot would work, found out without a message. */
import { verifyCallback } from '@confab/bot-sdk'
import { callbackHeaders } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type Behave,
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { makeUsers, query, say } from './support.ts'
import { deliveriesOf, makeBotWith } from './watch.ts'

const WAIT_MS = 5000
const PASSWORD = 'correct-horse-battery'

const isFrom = (secret: string, { headers, body }: ReceivedCallback): boolean => {
  try {
    verifyCallback(secret, headers, body)
    return true
  } catch {
    return false
  }
}
/** As a bot's author does it. */
const verifying =
  (secret: string): Behave =>
  (received) => ({ status: isFrom(secret, received) ? 200 : 401 })

describeEngines('a test of a callback', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    await makeUsers(server, 'ann')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    bot = `bot-${++bots}`
    receiver = await startCallbackReceiver()
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    await receiver.close()
  })
  const tested = async (): Promise<Json> => (await api.ok('POST', `/bots/${bot}/test`)).data

  test('of a bot that verifies signatures: it takes the right one and refuses the wrong one', async () => {
    const secret = await makeBotWith(server, bot, { webhookURL: receiver.url })
    receiver.setBehaviour(verifying(secret))
    const result = await tested()
    expect(result).toMatchObject({
      ok: true,
      reached: true,
      answered: true,
      acceptsWrongSignature: false,
      call: { outcome: 'delivered', status: 200, address: '127.0.0.1', phases: { total: expect.any(Number) } },
      wrongSignatureCall: { outcome: 'retry:http', status: 401 },
    })
    expect(result.verdict).toMatch(/refused one with a wrong signature/)
    expect(result.ms).toBe(result.call.phases.total)
    const [right, wrong] = await receiver.waitFor(2, WAIT_MS)
    expect(receiver.received).toHaveLength(2)
    expect([right, wrong].map((one) => one && isFrom(secret, one))).toEqual([true, false])
    // Wrong is the signature, and nothing else.
    expect(wrong?.headers[callbackHeaders.signature]).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/)
    expect(Object.keys(wrong?.headers ?? {})).toEqual(Object.keys(right?.headers ?? {}))
  })

  test('of a bot that takes anything says so', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url })
    const result = await tested()
    expect(result).toMatchObject({ ok: true, acceptsWrongSignature: true, wrongSignatureCall: { status: 200 } })
    expect(result.verdict).toMatch(/anybody/)
  })

  test.each([
    ['hangs', { kind: 'hang' }, /no complete answer/],
    ['resets', { kind: 'reset' }, /./],
    ['breaks off', { kind: 'reset-mid-body' }, /./],
    ['redirects', { kind: 'redirect', location: '/' }, /302|redirect/],
    ['has failed', { status: 500 }, /HTTP 500/],
    ['is busy', { status: 429 }, /HTTP 429/],
    ['was too slow', { status: 408 }, /HTTP 408/],
    ['refuses too late', { kind: 'drip', status: 401 }, /no complete answer/],
  ] as const)(
    'of a bot that %s when the signature is wrong does not tell what it makes of it',
    async (_, wrong, why) => {
      const secret = await makeBotWith(server, bot, { webhookURL: receiver.url, timeoutSeconds: 1 })
      receiver.setBehaviour((received) => (isFrom(secret, received) ? { status: 200 } : wrong))
      const result = await tested()
      expect(result).toMatchObject({ ok: true, answered: true, wrongSignatureCall: expect.anything() })
      expect(result).not.toHaveProperty('acceptsWrongSignature')
      expect(result.verdict).toMatch(/could not be told: /)
      expect(result.verdict).toMatch(why)
    },
  )

  test.each([400, 403, 404, 410])('of a bot that answers a wrong signature with %i has refused it', async (status) => {
    const secret = await makeBotWith(server, bot, { webhookURL: receiver.url })
    receiver.setBehaviour((received) => ({ status: isFrom(secret, received) ? 200 : status }))
    expect(await tested()).toMatchObject({ ok: true, acceptsWrongSignature: false })
  })

  test.each([
    ['breaks off', { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\na', close: true }],
    ['never ends', { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\na' }],
  ] as const)('of a bot whose answer %s says that it was reached, and has not answered', async (_, behaviour) => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, timeoutSeconds: 1 })
    receiver.setBehaviour(() => behaviour)
    expect(await tested()).toMatchObject({ ok: false, reached: true, answered: false, call: { status: 200 } })
  })

  test('signs with both secrets while they overlap, and wrongly with neither', async () => {
    const old = await makeBotWith(server, bot, { webhookURL: receiver.url })
    const { signingSecret } = (await api.ok('POST', `/bots/${bot}/secret/rotate`)).data
    for (const secret of [old, signingSecret]) {
      receiver.setBehaviour(verifying(secret))
      expect(await tested()).toMatchObject({ ok: true, acceptsWrongSignature: false })
    }
  })

  test('is a callback in all but what it tells, and leaves nothing behind', async () => {
    const auth = { useBasicAuth: true, username: 'confab', password: PASSWORD }
    const secret = await makeBotWith(server, bot, { webhookURL: `${receiver.url}?x=1`, enabled: false, ...auth })
    receiver.setBehaviour((received) => ({
      ...verifying(secret)(received, 1),
      headers: { 'content-type': 'application/json' },
      body: '{"reply":"I answer everything"}',
    }))
    expect(await tested()).toMatchObject({ ok: true })
    const [call] = await receiver.waitFor(2, WAIT_MS)
    expect(call).toMatchObject({
      method: 'POST',
      path: '/callback?x=1',
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from(`confab:${PASSWORD}`).toString('base64')}`,
        [callbackHeaders.trigger]: 'confab_test',
        [callbackHeaders.attempt]: '1',
      },
      json: { trigger: 'confab_test', appId: server.appId, bot, data: { text: expect.any(String) } },
    })
    expect(await deliveriesOf(api, bot)).toEqual([])
    const counts = `SELECT (SELECT count(*) FROM messages WHERE sender = '${bot}' OR receiver = '${bot}') AS messages,
      (SELECT count(*) FROM lanes WHERE bot_uid = '${bot}') AS lanes`
    expect(await query(server, counts)).toEqual([{ messages: 0, lanes: 0 }])
  })

  test.each([
    [
      'that fails',
      { status: 500, body: 'out of order' },
      { outcome: 'retry:http', status: 500, response: 'out of order' },
      true,
    ],
    ['that wants no more', { status: 410 }, { outcome: 'gone', status: 410 }, true],
    ['that redirects', { kind: 'redirect', location: '/' }, { outcome: 'retry:redirect', status: 302 }, true],
    ['that resets', { kind: 'reset' }, { outcome: 'retry:reset' }, false],
  ] as const)('of a bot %s says what it did, and asks no second time', async (_, behaviour, call, answered) => {
    await makeBotWith(server, bot, { webhookURL: receiver.url })
    receiver.setBehaviour(() => behaviour)
    const result = await tested()
    expect(result).toMatchObject({ ok: false, reached: true, answered, call })
    expect(result.verdict).toMatch(/^It was reached/)
    expect(result).not.toHaveProperty('wrongSignatureCall')
    expect(result).not.toHaveProperty('acceptsWrongSignature')
    expect(receiver.received).toHaveLength(1)
  })

  test('of a bot that hangs ends with its patience', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, timeoutSeconds: 1 })
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    const result = await tested()
    expect(result).toMatchObject({ ok: false, reached: true, answered: false, call: { outcome: 'retry:timeout' } })
    expect(result.ms).toBeGreaterThanOrEqual(950)
    expect(result.ms).toBeLessThan(2000)
  })

  test('of a bot that streams without end ends with its patience, too', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, timeoutSeconds: 2 })
    receiver.setBehaviour(() => ({ kind: 'drip', type: 'text/event-stream' }))
    const result = await tested()
    expect(result).toMatchObject({ ok: false, reached: true, answered: false, call: { outcome: 'retry:timeout' } })
    expect(result.ms).toBeLessThan(4000)
  })

  test('of a bot that is not there says that it was not reached', async () => {
    await makeBotWith(server, bot, { webhookURL: 'http://127.0.0.1:1/' })
    const result = await tested()
    expect(result).toMatchObject({ ok: false, reached: false, answered: false, call: { outcome: 'retry:connect' } })
    expect(result.verdict).toMatch(/^It was not reached .*refused/)
  })

  test('goes nowhere that callbacks may not go', async () => {
    await makeBotWith(server, bot, { webhookURL: 'http://10.0.0.1/' })
    expect(await tested()).toMatchObject({ ok: false, reached: false, answered: false, call: { outcome: 'refused' } })
  })

  test('shows no secret, though the bot repeats all it was sent', async () => {
    const auth = { useBasicAuth: true, username: 'confab', password: PASSWORD }
    const secret = await makeBotWith(server, bot, { webhookURL: receiver.url, ...auth })
    receiver.setBehaviour(({ headers, body }) => ({
      status: 200,
      body: JSON.stringify({ headers, body, key: secret, password: PASSWORD }),
    }))
    const { text, json } = await api.call('POST', `/bots/${bot}/test`)
    expect(json.data.call.response).toContain('[hidden]')
    expect(json.data.wrongSignatureCall.response).toContain('[hidden]')
    for (const hidden of [PASSWORD, Buffer.from(`confab:${PASSWORD}`).toString('base64')]) {
      expect(text).not.toContain(hidden)
    }
    expect(json.data.call.response).not.toContain(secret)
  })

  test('says nothing of the health of the bot, and is for whoever may change it', async () => {
    const breaker = { minAttempts: 1, openSeconds: 600 }
    await makeBotWith(server, bot, { webhookURL: receiver.url, circuitBreaker: breaker })
    receiver.setBehaviour(() => ({ status: 500 }))
    await tested()
    receiver.setBehaviour(() => ({ status: 200 }))
    await say(server, 'ann', bot, 'hello')
    await receiver.waitFor(2, WAIT_MS)
    await api.fails('AUTH_ERR_NO_ACCESS', 'POST', `/bots/${bot}/test`, { key: server.authKey })
    await api.fails('ERR_BOT_NOT_FOUND', 'POST', '/bots/ann/test')
    expect(receiver.received).toHaveLength(2)
  })
})
