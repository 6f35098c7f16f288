/** Bots that have asked to be left alone for longer than a moment: over a restart, by all nodes, and after a probe. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { makeUsers, pause, say, statesOf, textsOf, until } from './support.ts'
import { makeBotWith, statsOf } from './watch.ts'

const WAIT_MS = 40_000
const ASKED_SECONDS = 6
/** Clocks count whole milliseconds, and seconds are rounded where the server says when. */
const ASKED_MS = ASKED_SECONDS * 1000 - 20
const BUSY = { status: 429, headers: { 'retry-after': String(ASKED_SECONDS) } }
const people = ['ann', 'bob', 'cat', 'dan']
// With PostgreSQL whoever starts again waits for the leases of the dead.
const env = {
  CONFAB_RETRY_SCHEDULE: '100ms',
  CONFAB_RETRY_FOR: '10m',
  CONFAB_BREAKER_OPEN_FOR: '1s',
  CONFAB_LEASE: '5s',
}

describeEngines('a bot that asks for a pause', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver

  beforeEach(async () => {
    server = await startServer({ engine, env })
    api = new Api(server)
    receiver = await startCallbackReceiver()
    await makeUsers(server, ...people)
    const settings = { circuitBreaker: { minAttempts: people.length }, retryPolicy: { delaysSeconds: [2] } }
    await makeBotWith(server, 'bot', { webhookURL: receiver.url, ...settings })
  })
  afterEach(async () => {
    await server?.dispose()
    await receiver?.close()
  })

  const untilSlowed = (): Promise<void> =>
    until('the pause is on record', async () => (await statsOf(api, 'bot')).slowedUntil !== undefined, WAIT_MS)
  const untilDelivered = (): Promise<void> =>
    until(
      'all is delivered',
      async () => (await statesOf(server, 'bot')).every((state) => state === 'delivered'),
      WAIT_MS,
    )
  /** Everything behind the first so many came after the pause that the one before them asked for. */
  const expectPauseAfter = (count: number): void => {
    const [last, next] = receiver.received.slice(count - 1)
    expect(next!.atMs - last!.atMs).toBeGreaterThanOrEqual(ASKED_MS)
  }

  test('has it in all its conversations, whether the server is stopped or killed meanwhile', {
    timeout: 90_000,
  }, async () => {
    receiver.setBehaviour((_, n) => (n === 1 ? BUSY : { status: 200 }))
    const asked = Math.floor(Date.now() / 1000)
    await say(server, 'ann', 'bot', 'ann')
    await untilSlowed()
    const { slowedUntil, breaker } = await statsOf(api, 'bot')
    expect(breaker).toEqual({ state: 'closed' })
    expect(slowedUntil).toBeGreaterThanOrEqual(asked + ASKED_SECONDS)
    for (const person of people.slice(1, 3)) await say(server, person, 'bot', person)
    await server.restart()
    await say(server, 'dan', 'bot', 'dan')
    await server.kill()
    await server.start()
    await untilDelivered()
    expectPauseAfter(1)
    // On a busy machine the kill may come after the pause: then what was under way comes again.
    expect(new Set(textsOf(receiver.received.slice(1)))).toEqual(new Set(people))
    expect(await statsOf(api, 'bot')).not.toHaveProperty('slowedUntil')
  })

  test('asks again when it is over, and is left alone again', { timeout: 90_000 }, async () => {
    receiver.setBehaviour((_, n) => (n <= 2 ? BUSY : { status: 200 }))
    await say(server, 'ann', 'bot', 'ann')
    await untilSlowed()
    for (const person of people.slice(1)) await say(server, person, 'bot', person)
    await untilDelivered()
    // One conversation finds out for all.
    expect(receiver.received).toHaveLength(2 + people.length)
    for (const count of [1, 2]) expectPauseAfter(count)
  })

  test('has it also where it was asked for by the answer to a probe', { timeout: 90_000 }, async () => {
    receiver.setBehaviour((_, n) => {
      if (n <= people.length) return { status: 500 }
      return n === people.length + 1 ? BUSY : { status: 200 }
    })
    await Promise.all(people.map((person) => say(server, person, 'bot', person)))
    await untilSlowed()
    expect((await statsOf(api, 'bot')).breaker).toEqual({ state: 'closed' })
    await untilDelivered()
    expectPauseAfter(people.length + 1)
    expect(receiver.received).toHaveLength(2 * people.length + 1)
  })

  test('gets one callback at a time after it, until one succeeds, over a restart too', {
    timeout: 90_000,
  }, async () => {
    let underWay = 0
    let most = 0
    let isWell = false
    receiver.setBehaviour((_, n) => {
      if (n === 1) return BUSY
      if (isWell) return { status: 200 }
      most = Math.max(most, ++underWay)
      setTimeout(() => underWay--, 150)
      return { status: 500, delayMs: 150 }
    })
    const settings = { circuitBreaker: { openSeconds: 0 }, retryPolicy: { delaysSeconds: [2] } }
    await api.ok('PUT', '/bots/bot', { body: settings })
    await say(server, 'ann', 'bot', 'ann')
    await untilSlowed()
    for (const person of people.slice(1)) await say(server, person, 'bot', person)
    await server.kill()
    await server.start()
    await receiver.waitFor(1 + people.length, WAIT_MS)
    expect(most).toBe(1)
    expectPauseAfter(1)
    isWell = true
    await untilDelivered()
    expect(await statsOf(api, 'bot')).not.toHaveProperty('slowedUntil')
  })

  test('and is deleted and made again is another one', { timeout: 90_000 }, async () => {
    const elsewhere = await startCallbackReceiver()
    receiver.setBehaviour(() => ({ status: 429, headers: { 'retry-after': '60' } }))
    await say(server, 'ann', 'bot', 'ann')
    await untilSlowed()
    await api.ok('DELETE', '/bots/bot')
    await api.ok('POST', '/bots', { body: { uid: 'bot', webhookURL: elsewhere.url, enabled: true } })
    await say(server, 'ann', 'bot', 'again')
    expect(textsOf(await elsewhere.waitFor(1, 5000))).toEqual(['again'])
    await elsewhere.close()
  })

  test('and is deleted and made again is another one, as a webhook too', { timeout: 90_000 }, async () => {
    const elsewhere = await startCallbackReceiver()
    receiver.setBehaviour(() => ({ status: 429, headers: { 'retry-after': '60' } }))
    const makeWebhook = async (webhookURL: string): Promise<void> => {
      await api.ok('POST', '/webhooks', { body: { id: 'hook', name: 'hook', webhookURL } })
      await api.ok('POST', '/webhooks/hook/triggers', { body: { triggerIds: ['message_sent'] } })
    }
    await makeWebhook(receiver.url)
    await say(server, 'ann', 'bob', 'ann')
    await receiver.waitFor(1, WAIT_MS)
    await pause(300)
    await api.ok('DELETE', '/webhooks/hook')
    await makeWebhook(elsewhere.url)
    await say(server, 'ann', 'bob', 'again')
    expect((await elsewhere.waitFor(1, 5000))[0]?.body).toContain('again')
    await elsewhere.close()
  })

  test('is called at once when it says that it is back', async () => {
    receiver.setBehaviour((_, n) => (n === 1 ? BUSY : { status: 200 }))
    await say(server, 'ann', 'bot', 'ann')
    await untilSlowed()
    await say(server, 'bob', 'bot', 'bob')
    await pause(300)
    expect(receiver.received).toHaveLength(1)
    const asked = performance.now()
    await api.ok('POST', '/bots/bot/resume')
    expect(textsOf((await receiver.waitFor(3, WAIT_MS)).slice(1)).sort()).toEqual(['ann', 'bob'])
    expect(performance.now() - asked).toBeLessThan(ASKED_MS / 2)
  })
})

describeWithPostgres('a bot that asks one of two nodes for a pause', () => {
  test('is left alone by the other too', { timeout: 90_000 }, async () => {
    const receiver = await startCallbackReceiver({ behave: (_, n) => (n === 1 ? BUSY : { status: 200 }) })
    const one = await startServer({ engine: 'postgres', env })
    const { databaseUrl = '', appId, restApiKey, authKey } = one
    const two = await startServer({ engine: 'postgres', env, databaseUrl, appId, restApiKey, authKey })
    try {
      await makeUsers(one, ...people)
      await makeBotWith(one, 'bot', { webhookURL: receiver.url })
      await say(one, 'ann', 'bot', 'ann')
      await until('the pause is on record', async () => {
        return (await statsOf(new Api(two), 'bot')).slowedUntil !== undefined
      })
      for (const person of people.slice(1)) await say(two, person, 'bot', person)
      const [first, second] = await receiver.waitFor(1 + people.length, WAIT_MS)
      expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(ASKED_MS)
    } finally {
      await two.dispose()
      await one.dispose()
      await receiver.close()
    }
  })
})
