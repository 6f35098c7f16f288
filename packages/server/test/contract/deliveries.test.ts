/** Deliveries as those see them who run bots. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { until } from '../delivery/support.ts'
import { Api, type Json } from '../support/api.ts'
import { idsOf, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

const WAIT_MS = 8000

describeEngines('deliveries', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver

  beforeAll(async () => {
    receiver = await startCallbackReceiver({
      behave: ({ json }) => {
        const { text } = (json as Json).data.data
        return { status: text.startsWith('no') ? 410 : 200, body: `heard ${text}` }
      },
    })
    server = await startServer({ engine })
    api = new Api(server)
    for (const uid of ['ann', 'bob', 'bot', 'away']) await api.ok('POST', '/users', { body: { uid, name: uid } })
    const login = { useBasicAuth: true, username: 'user-name', password: 'pass-word' }
    await api.ok('POST', '/bots', { body: { uid: 'bot', webhookURL: receiver.url, enabled: true, ...login } })
    await api.ok('POST', '/bots', { body: { uid: 'away', webhookURL: 'http://127.0.0.1:1', enabled: true } })
  })
  afterAll(async () => {
    await server?.dispose()
    await receiver?.close()
  })

  const say = async (from: string, to: string, text: string): Promise<Json> =>
    (await api.ok('POST', '/messages', { body: toUser(to, text), onBehalfOf: from })).data
  const list = (query: Readonly<Record<string, string | number>> = {}): Promise<Json> =>
    api.ok('GET', '/deliveries', { query })
  const deliveryOf = async (message: Json): Promise<Json> => (await list({ messageId: message.id })).data[0]
  const finished = async (message: Json): Promise<Json> => {
    await until('the delivery is over', async () => (await deliveryOf(message)).state !== 'pending', WAIT_MS)
    return (await api.ok('GET', `/deliveries/${(await deliveryOf(message)).id}`)).data
  }

  test('one is shown with what was sent, what was tried, and what came back', async () => {
    const message = await say('ann', 'bot', 'yes')
    const shown = await finished(message)
    const received = receiver.received.find(({ headers }) => headers['webhook-id'] === shown.id)
    expect(shown.body).toBe(received?.body)
    expect(shown).toMatchObject({ bot: 'bot', conversationId: 'ann_user_bot', messageId: message.id, sequence: 1 })
    expect(shown).toMatchObject({ trigger: 'after_message', state: 'delivered', attempts: 1 })
    expect(shown.history).toEqual([
      {
        number: 1,
        startedAt: expect.any(Number),
        outcome: 'delivered',
        status: 200,
        address: '127.0.0.1',
        phases: expect.objectContaining({ total: expect.any(Number), firstByte: expect.any(Number) }),
        response: 'heard yes',
      },
    ])
    expect(Math.abs(shown.history[0].startedAt - shown.createdAt * 1000)).toBeLessThan(10_000)
  })

  test('nothing secret is shown', async () => {
    const message = await say('ann', 'bot', 'discreet')
    const { id } = await finished(message)
    const basic = Buffer.from('user-name:pass-word').toString('base64')
    expect(receiver.received.at(-1)?.headers.authorization).toBe(`Basic ${basic}`)
    for (const path of [`/deliveries/${id}`, '/deliveries', '/bots/bot/stats']) {
      const { text } = await api.call('GET', path)
      expect(text).not.toMatch(/pass-word|whsec_|authorization|v1,/i)
      expect(text).not.toContain(basic)
    }
  })

  test('filters and pages', async () => {
    const messages = [await say('bob', 'bot', '1'), await say('bob', 'bot', 'no 2'), await say('bob', 'bot', '3')]
    for (const message of messages) await finished(message)
    const conversationId = 'bob_user_bot'
    const all = (await list({ conversationId })).data
    expect(all.map(({ messageId, state }: Json) => [messageId, state])).toEqual([
      [messages[2].id, 'delivered'],
      [messages[1].id, 'dead'],
      [messages[0].id, 'delivered'],
    ])
    expect(idsOf(await list({ state: 'dead' }))).toEqual([all[1].id])
    expect(idsOf(await list({ state: 'dead', bot: 'away' }))).toEqual([])
    expect(idsOf(await list({ conversationId, since: all[2].createdAt, until: all[0].createdAt }))).toEqual(
      all.map(({ id }: Json) => id),
    )
    expect(idsOf(await list({ since: all[0].createdAt + 1000 }))).toEqual([])
    expect(idsOf(await list({ until: all[2].createdAt - 1000 }))).toEqual([])
    const first = await list({ conversationId, limit: 2 })
    expect(first.meta).toEqual({
      current: { limit: 2, count: 2 },
      next: { before: all[1].id },
      pagination: { total: 3, count: 2, per_page: 2, current_page: 1, total_pages: 2 },
    })
    const second = await list({ conversationId, limit: 2, ...first.meta.next })
    expect(idsOf(second)).toEqual([all[2].id])
    expect(second.meta).not.toHaveProperty('next')
    // Each filter by itself, and all at once.
    const waiting = await say('bob', 'away', 'anybody?')
    const pending = await deliveryOf(waiting)
    expect(idsOf(await list({ bot: 'away', state: 'pending' }))).toEqual([pending.id])
    expect(idsOf(await list({ state: 'pending' }))).toContain(pending.id)
    const ofBot = (await list({ bot: 'bot' })).data
    expect(ofBot.map(({ id }: Json) => id)).toEqual(expect.arrayContaining(all.map(({ id }: Json) => id)))
    expect(new Set(ofBot.map(({ bot }: Json) => bot))).toEqual(new Set(['bot']))
    const delivered = (await list({ state: 'delivered' })).data
    expect(new Set(delivered.map(({ state }: Json) => state))).toEqual(new Set(['delivered']))
    expect(delivered.length).toBeGreaterThanOrEqual(2)
    await api.ok('POST', `/deliveries/${pending.id}/cancel`)
    expect(idsOf(await list({ state: 'cancelled' }))).toEqual([pending.id])
    expect(idsOf(await list({ messageId: waiting.id, bot: 'bot' }))).toEqual([])
    const exact = {
      bot: 'bot',
      conversationId,
      messageId: messages[1].id,
      state: 'dead',
      since: 0,
      until: all[0].createdAt,
    }
    expect(idsOf(await list(exact))).toEqual([all[1].id])
    expect(idsOf(await list({ ...exact, state: 'delivered' }))).toEqual([])
    expect(idsOf(await list({ bot: 'nobody' }))).toEqual([])
    for (const messageId of ['0', 'x', '999999999999']) expect((await list({ messageId })).data).toEqual([])
  })

  test('of another app are not there', async () => {
    const other = await startServer({ engine, appId: 'other', ...storageOf(server) }).catch(() => undefined)
    // SQLite belongs to one process: its apps are told apart in the suite of the store.
    if (other === undefined) return expect(engine).toBe('sqlite')
    try {
      const foreign = new Api(other)
      const { id } = (await list()).data[0]
      expect((await foreign.ok('GET', '/deliveries')).data).toEqual([])
      await foreign.fails('ERR_DELIVERY_NOT_FOUND', 'GET', `/deliveries/${id}`)
      await foreign.fails('ERR_DELIVERY_NOT_FOUND', 'POST', `/deliveries/${id}/replay`)
      await foreign.fails('ERR_DELIVERY_NOT_FOUND', 'POST', `/deliveries/${id}/cancel`)
    } finally {
      await other.dispose()
    }
  })

  test('a retry that is due is said, and cancelled', async () => {
    const message = await say('ann', 'away', 'anybody?')
    await until('an attempt was made', async () => (await deliveryOf(message)).attempts > 0, WAIT_MS)
    const { id, dueAt, createdAt } = await deliveryOf(message)
    expect(dueAt).toBeGreaterThanOrEqual(createdAt)
    expect((await api.ok('GET', `/deliveries/${id}`)).data.history[0]).toMatchObject({ outcome: 'retry:connect' })
    await api.ok('POST', `/deliveries/${id}/cancel`)
    const error = await api.fails('ERR_DELIVERY_NOT_PENDING', 'POST', `/deliveries/${id}/cancel`)
    expect(error.details).toEqual({ state: 'cancelled' })
    expect((await api.ok('GET', '/bots/away/stats')).data).toMatchObject({ pending: 0, lastHour: { cancelled: 2 } })
  })

  test('how a bot does', async () => {
    const { data } = await api.ok('GET', '/bots/bot/stats')
    const { delivered, dead, successRate, attemptMs, isSample } = data.lastHour
    expect([delivered, dead, isSample, data.pending]).toEqual([4, 1, false, 0])
    expect(successRate).toBeCloseTo(0.8)
    expect(attemptMs.p50).toBeGreaterThan(0)
    expect(attemptMs.p99).toBeGreaterThanOrEqual(attemptMs.p95)
    expect(data.lastDay).toEqual(data.lastHour)
    expect(data).not.toHaveProperty('oldestPendingAge')
  })
})

const storageOf = ({ dataDir, databaseUrl }: TestServer) => ({
  ...(dataDir !== undefined && { dataDir }),
  ...(databaseUrl !== undefined && { databaseUrl }),
})
