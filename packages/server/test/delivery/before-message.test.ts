/** `before_message`: a webhook is asked before a message is accepted. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { makeUsers, metric, signatureOf } from './support.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const answering = (body: unknown) => () => ({ status: 200, headers: JSON_TYPE, body: JSON.stringify(body) })

describeEngines('before_message', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  const made: string[] = []

  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    await makeUsers(server, 'ann', 'bob')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    receiver = await startCallbackReceiver()
  })
  afterEach(async () => {
    for (const id of made.splice(0)) await api.ok('DELETE', `/webhooks/${id}`)
    await receiver.close()
  })

  const makeHook = async (id: string, webhookURL = receiver.url): Promise<string> => {
    const { data } = await api.ok('POST', '/webhooks', { body: { id, name: id, webhookURL } })
    await api.ok('POST', `/webhooks/${id}/triggers`, { body: { triggerIds: ['before_message'] } })
    made.push(id)
    return data.signingSecret
  }
  const send = (text: string, more: object = {}): Promise<Json> =>
    api.ok('POST', '/messages', { body: toUser('bob', text, more), onBehalfOf: 'ann' }).then(({ data }) => data)
  const found = async (text: string): Promise<Json[]> =>
    (await api.ok('GET', '/messages', { query: { searchKey: text } })).data

  test('carries the message without id, in the older envelope, signed', async () => {
    const secret = await makeHook('w')
    await send('asked')
    const [asked] = await receiver.waitFor(1, 1000)
    if (asked === undefined) throw new Error('it was not asked')
    const body: Json = asked.json
    expect(Object.keys(body)).toEqual(['trigger', 'data', 'appId', 'origin', 'chatAPIVersion', 'region', 'webhook'])
    expect(body).toMatchObject({ trigger: 'before_message', webhook: 'w' })
    expect(body.data).toMatchObject({ sender: 'ann', receiver: 'bob', conversationId: 'ann_user_bob', type: 'text' })
    expect(body.data).toMatchObject({ category: 'message', data: { text: 'asked' } })
    expect(body.data).not.toHaveProperty('id')
    expect(asked.headers['webhook-signature']).toBe(signatureOf(secret, asked))
    expect((await api.ok('GET', '/deliveries', { query: { webhook: 'w' } })).data).toEqual([])
    expect(await metric(server.url, 'confab_before_message_duration_seconds_count{outcome="accepted"}')).toBe(1)
  })

  test('what it answers is put into the message, by each in the order of their ids', async () => {
    receiver.setBehaviour(answering({ mood: 'good' }))
    const other = await startCallbackReceiver({ behave: answering({ language: 'en' }) })
    await makeHook('zed')
    await makeHook('abc', other.url)
    const metadata = { own: 1, '@injected': { webhooks: { abc: { forged: true } } } }
    const message = await send('', { data: { text: 'hello', metadata } })
    const injected = { webhooks: { abc: { language: 'en' }, zed: { mood: 'good' } } }
    expect(message.data.metadata).toEqual({ own: 1, '@injected': injected })
    expect((await api.ok('GET', `/messages/${message.id}`)).data.data.metadata['@injected']).toEqual(injected)
    const [last] = await receiver.waitFor(1, 1000)
    const heard: Json = last?.json
    expect(heard.data.data.metadata['@injected'].webhooks).toEqual({ abc: { language: 'en' } })
    await other.close()
  })

  test('refuses a message: the sender is told, and nothing is stored', async () => {
    await makeHook('w')
    receiver.setBehaviour(answering({ action: 'do_not_propagate' }))
    const body = toUser('bob', 'refused')
    const error = await api.fails('ERR_BLOCKED_BY_WEBHOOK', 'POST', '/messages', { body, onBehalfOf: 'ann' })
    expect(error.details).toEqual({ webhook: 'w' })
    expect(await found('refused')).toEqual([])
    await api.ok('DELETE', '/webhooks/w/triggers', { body: { triggerIds: ['before_message'] } })
    await send('refused')
    expect(await found('refused')).toHaveLength(1)
  })

  test.each([
    ['hangs', { kind: 'hang' as const }],
    ['fails', { status: 500, body: '{"action":"do_not_propagate"}' }],
    ['resets', { kind: 'reset' as const }],
    ['streams without end', { kind: 'drip' as const, type: 'text/event-stream' }],
    [
      'answers what is nested too deeply',
      { status: 200, headers: JSON_TYPE, body: `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}` },
    ],
    ['answers with NUL', { status: 200, headers: JSON_TYPE, body: '{"a":"\\u0000"}' }],
    ['answers with a prototype', { status: 200, headers: JSON_TYPE, body: '{"__proto__":{"a":1}}' }],
    ['answers no JSON', { status: 200, headers: JSON_TYPE, body: 'x{' }],
    [
      'answers too much to be put into a message',
      { status: 200, headers: JSON_TYPE, body: `{"x":"${'x'.repeat(11_000)}"}` },
    ],
  ])('one that %s lets the message through, within its two seconds', async (_, behaviour) => {
    await makeHook('w')
    receiver.setBehaviour(() => behaviour)
    const started = performance.now()
    const { data } = await send('through')
    expect(performance.now() - started).toBeLessThan(3000)
    expect(data.text).toBe('through')
    expect(data.metadata?.['@injected']).toBeUndefined()
  })

  test('or refuses it, where the operator wants that', async () => {
    const strict = await startServer({ engine, env: { CONFAB_BEFORE_MESSAGE_ON_FAILURE: 'refuse' } })
    try {
      const own = new Api(strict)
      await makeUsers(strict, 'ann', 'bob')
      await own.ok('POST', '/webhooks', { body: { id: 'w', name: 'w', webhookURL: receiver.url } })
      await own.ok('POST', '/webhooks/w/triggers', { body: { triggerIds: ['before_message'] } })
      receiver.setBehaviour(() => ({ status: 500 }))
      const body = toUser('bob', 'x')
      await own.fails('ERR_BLOCKED_BY_WEBHOOK', 'POST', '/messages', { body, onBehalfOf: 'ann' })
      receiver.setBehaviour(() => ({ status: 200 }))
      await own.ok('POST', '/messages', { body, onBehalfOf: 'ann' })
    } finally {
      await strict.dispose()
    }
  })

  test('one receiver of several may be refused', async () => {
    await makeHook('w')
    receiver.setBehaviour(({ body }) =>
      answering(body.includes('"receiver":"bob"') ? { action: 'do_not_propagate' } : {})(),
    )
    const body = { data: { text: 'many' }, multipleReceivers: { uids: ['bob', 'ann'] } }
    const { data } = await api.ok('POST', '/messages', { body })
    expect(data.uids.bob).toMatchObject({ success: false, error: { code: 'ERR_BLOCKED_BY_WEBHOOK' } })
    expect(data.uids.ann).toMatchObject({ success: true })
  })
})
