/** What the owner of a bot may set of how its callbacks are made. */
import type { BotSettings } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { makeUsers, pause, say, textsOf, until } from './support.ts'
import { deliveriesOf, detailOf, logged, makeBotWith, onlyDelivery, overlaps } from './watch.ts'

const WAIT_MS = 8000
const LOOPBACK = { allowCidrs: ['127.0.0.0/8'] }
const ONCE = { delaysSeconds: [0.05], giveUpAfterSeconds: 0 }

const all: BotSettings = {
  timeoutSeconds: 2.5,
  maxConcurrency: 3,
  retryPolicy: { delaysSeconds: [0.5, 60], giveUpAfterSeconds: 3600 },
  circuitBreaker: { failureRate: 0.5, minAttempts: 20, openSeconds: 60 },
  poisonPolicy: 'park',
  relayBotMessages: true,
  triggers: ['message_edited', 'message_deleted'],
  allowCidrs: ['127.0.0.0/8', '127.0.0.1/32'],
}

const bad: readonly [keyof BotSettings, unknown][] = [
  ['timeoutSeconds', 0.5],
  ['timeoutSeconds', 61],
  ['timeoutSeconds', 'soon'],
  ['maxConcurrency', 0],
  ['maxConcurrency', 1001],
  ['maxConcurrency', 1.5],
  ['retryPolicy', { delaysSeconds: [] }],
  ['retryPolicy', { delaysSeconds: [1, 0] }],
  ['retryPolicy', { delaysSeconds: Array.from({ length: 21 }, () => 1) }],
  ['retryPolicy', { giveUpAfterSeconds: -1 }],
  ['retryPolicy', 'never'],
  ['circuitBreaker', { failureRate: 0 }],
  ['circuitBreaker', { failureRate: 1.1 }],
  ['circuitBreaker', { minAttempts: 0 }],
  ['circuitBreaker', { openSeconds: 3601 }],
  ['poisonPolicy', 'stop'],
  ['relayBotMessages', 'often'],
  ['triggers', ['after_message']],
  ['triggers', ['message_edited', 'message_edited']],
  ['allowCidrs', ['127.0.0.1']],
  ['allowCidrs', ['127.0.0.1/8']],
  ['allowCidrs', ['127.0.0.0/8', '10.0.0.0/8']],
  ['allowCidrs', ['126.0.0.0/7']],
  ['allowCidrs', ['::1/128']],
]

describeEngines('settings of a bot', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0
  const people = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay']

  beforeAll(async () => {
    // Empty is unset: no private range is allowed to all.
    const env = { CONFAB_CALLBACK_ALLOW_CIDRS: '', CONFAB_CALLBACK_BOT_CIDRS: '127.0.0.0/8' }
    server = await startServer({ engine, env })
    api = new Api(server)
    await makeUsers(server, ...people)
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    bot = `bot-${++bots}`
    receiver = await startCallbackReceiver()
  })
  afterEach(async () => {
    for (const uid of [bot, `${bot}-other`]) await server.client.request('DELETE', `/bots/${uid}`).catch(() => {})
    await receiver.close()
  })
  const shown = async (): Promise<unknown> => (await api.ok('GET', `/bots/${bot}`)).data
  const change = async (body: object): Promise<unknown> => (await api.ok('PUT', `/bots/${bot}`, { body })).data

  describe('as they are said', () => {
    test('are answered, changed one by one, and taken away by null', async () => {
      await makeUsers(server, bot)
      const body = { uid: bot, webhookURL: receiver.url, ...all }
      expect((await api.ok('POST', '/bots', { body })).data).toMatchObject(all)
      expect(await shown()).toMatchObject(all)
      const less = { ...all, maxConcurrency: 9, poisonPolicy: 'skip' }
      expect(await change({ maxConcurrency: 9, poisonPolicy: 'skip' })).toMatchObject(less)
      expect(await shown()).toMatchObject(less)
      const { timeoutSeconds: _, retryPolicy: __, ...left } = less
      const changed = await change({ timeoutSeconds: null, retryPolicy: null })
      expect(changed).toMatchObject(left)
      expect(changed).not.toHaveProperty('timeoutSeconds')
      expect(changed).not.toHaveProperty('retryPolicy')
      const nothing = await change(Object.fromEntries(Object.keys(all).map((name) => [name, null])))
      for (const name of Object.keys(all)) expect(nothing).not.toHaveProperty(name)
      expect(await shown()).toEqual(nothing)
    })

    test('change nothing if one of them is bad, and the answer names it', async () => {
      await makeUsers(server, `${bot}-other`)
      await makeBotWith(server, bot, { webhookURL: receiver.url, ...all })
      const before = await shown()
      for (const [name, value] of bad) {
        const settings = { enabled: true, relayBotMessages: false, [name]: value }
        const changed = await api.fails('ERR_BAD_REQUEST', 'PUT', `/bots/${bot}`, { body: settings })
        const body = { uid: `${bot}-other`, webhookURL: receiver.url, ...settings }
        const made = await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body })
        for (const { details } of [changed, made]) {
          expect(Object.keys(details)[0], `of ${name}: ${JSON.stringify(value)}`).toMatch(new RegExp(`^${name}\\b`))
        }
      }
      expect(await shown()).toEqual(before)
      await api.fails('ERR_BOT_NOT_FOUND', 'GET', `/bots/${bot}-other`)
    })
  })

  test('timeoutSeconds: each bot has its own patience', async () => {
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    const wait = { webhookURL: receiver.url, retryPolicy: ONCE, ...LOOPBACK }
    await makeBotWith(server, bot, { ...wait, timeoutSeconds: 1 })
    await makeBotWith(server, `${bot}-other`, { ...wait, timeoutSeconds: 3 })
    await Promise.all([say(server, 'ann', bot, 'hello'), say(server, 'ann', `${bot}-other`, 'hello')])
    const short = await onlyDelivery(api, bot, 'dead')
    expect((await deliveriesOf(api, `${bot}-other`)).map(({ state }) => state)).toEqual(['pending'])
    const long = await onlyDelivery(api, `${bot}-other`, 'dead')
    for (const [{ history }, ms] of [
      [short, 1000],
      [long, 3000],
    ] as const) {
      expect(history.map(({ outcome }) => outcome)).toEqual(['retry:timeout'])
      const took = history[0]?.phases.total ?? 0
      expect(took).toBeGreaterThanOrEqual(ms - 50)
      expect(took).toBeLessThan(ms + 900)
    }
  })

  test('retryPolicy: its own pace and its own end, beside a bot with the pace of the server', async () => {
    receiver.setBehaviour(() => ({ status: 500 }))
    const retryPolicy = { delaysSeconds: [0.1, 0.3], giveUpAfterSeconds: 1 }
    await makeBotWith(server, bot, { webhookURL: receiver.url, retryPolicy, ...LOOPBACK })
    await makeBotWith(server, `${bot}-other`, { webhookURL: receiver.url, ...LOOPBACK })
    await say(server, 'ann', `${bot}-other`, 'hello')
    await say(server, 'ann', bot, 'hello')
    const { history } = await onlyDelivery(api, bot, 'dead')
    // Planned at 0, 0.1, 0.4, 0.7 and 1.0 s.
    expect(history.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
    const gaps = history.slice(1).map(({ startedAt }, n) => startedAt - (history[n]?.startedAt ?? 0))
    for (const [n, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual((n === 0 ? 80 : 240) - 5)
    const other = await onlyDelivery(api, `${bot}-other`, 'pending')
    expect(other.attempts).toBe(1)
  })

  test('retryPolicy: after nothing at all the callback is dead, and the next one has its turn', async () => {
    receiver.setBehaviour((_, n) => ({ status: n === 1 ? 500 : 200 }))
    await makeBotWith(server, bot, { webhookURL: receiver.url, retryPolicy: ONCE, ...LOOPBACK })
    await say(server, 'ann', bot, 'one')
    await say(server, 'ann', bot, 'two')
    expect(textsOf(await receiver.waitFor(2, WAIT_MS))).toEqual(['one', 'two'])
    await until('both are over', async () =>
      (await deliveriesOf(api, bot)).every(({ state, attempts }) => state !== 'pending' && attempts === 1),
    )
    expect((await deliveriesOf(api, bot)).map(({ state }) => state)).toEqual(['dead', 'delivered'])
  })

  test('maxConcurrency: one at a time for one bot, several for another', async () => {
    const other = await startCallbackReceiver({ behave: () => ({ status: 200, delayMs: 400 }) })
    receiver.setBehaviour(() => ({ status: 200, delayMs: 60 }))
    await makeBotWith(server, bot, { webhookURL: receiver.url, maxConcurrency: 1, ...LOOPBACK })
    await makeBotWith(server, `${bot}-other`, { webhookURL: other.url, ...LOOPBACK })
    const said = people.flatMap((person) => [
      say(server, person, bot, `${person} 1`).then(() => say(server, person, bot, `${person} 2`)),
      say(server, person, `${bot}-other`, 'hello'),
    ])
    await Promise.all(said)
    const received = await receiver.waitFor(12, WAIT_MS)
    expect(overlaps(received, 60)).toBe(0)
    expect(new Set(textsOf(received)).size).toBe(12)
    expect(overlaps(await other.waitFor(6, WAIT_MS), 400)).toBeGreaterThan(2)
    await other.close()
  })

  test('allowCidrs: only who is allowed it is called at a private address, and every refusal is told', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, retryPolicy: ONCE })
    await makeBotWith(server, `${bot}-other`, { webhookURL: receiver.url, ...LOOPBACK })
    await say(server, 'ann', bot, 'one')
    const { history } = await onlyDelivery(api, bot, 'dead')
    expect(history).toMatchObject([{ outcome: 'refused', error: expect.stringContaining('127.0.0.1') }])
    const [line] = await logged(server, 'delivery.attempted', bot)
    expect(line).toMatchObject({ level: 40, outcome: 'refused', error: expect.stringContaining('127.0.0.1') })
    expect(receiver.connections).toBe(0)
    await say(server, 'ann', `${bot}-other`, 'two')
    expect(textsOf(await receiver.waitFor(1, WAIT_MS))).toEqual(['two'])
  })

  test('allowCidrs: taken away, it counts no more, whatever connection is still open', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, retryPolicy: ONCE, ...LOOPBACK })
    for (const text of ['one', 'two']) await say(server, 'ann', bot, text)
    await receiver.waitFor(2, WAIT_MS)
    await until('both are on record', async () =>
      (await deliveriesOf(api, bot)).every(({ state }) => state === 'delivered'),
    )
    // It was kept alive, and still is.
    expect([receiver.connections, receiver.open]).toEqual([1, 1])
    await change({ allowCidrs: null })
    await say(server, 'ann', bot, 'three')
    await until('the third is over', async () => (await deliveriesOf(api, bot)).at(-1)?.state === 'dead')
    const third = await detailOf(api, (await deliveriesOf(api, bot)).at(-1)?.id ?? '')
    expect(third.history.map(({ outcome }) => outcome)).toEqual(['refused'])
    await pause(50)
    expect(textsOf(receiver.received)).toEqual(['one', 'two'])
    await change(LOOPBACK)
    await api.ok('POST', `/deliveries/${third.id}/replay`)
    expect(textsOf(await receiver.waitFor(3, WAIT_MS))).toEqual(['one', 'two', 'three'])
  })
})
