/** Deliveries that are made again, taken out, and forgotten. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import {
  attemptOf,
  idOf,
  makeBot,
  makeUsers,
  pause,
  QUIET_MS,
  query,
  say,
  sequenceOf,
  statesOf,
  textsOf,
  until,
} from './support.ts'

const WAIT_MS = 8000
const HANG_MS = 1000

describeEngines('replay and cancel', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    await makeUsers(server, 'ann', 'bob')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    bot = `bot-${++bots}`
    receiver = await startCallbackReceiver()
    await makeBot(server, bot, { webhookURL: receiver.url })
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    await receiver.close()
  })

  const states = (): Promise<string[]> => statesOf(server, bot)
  const untilStates = (...wanted: readonly string[]): Promise<void> =>
    until(`states ${wanted}`, async () => String(await states()) === String(wanted), WAIT_MS)
  /** By the text of the message, oldest first. */
  const idsInOrder = async (): Promise<string[]> =>
    (await api.ok('GET', '/deliveries', { query: { bot } })).data.map(({ id }: Json) => id).reverse()

  test('the same bytes come again under the same id and sequence, as a first attempt', async () => {
    await say(server, 'ann', bot, 'one')
    const [first] = await receiver.waitFor(1, WAIT_MS)
    await untilStates('delivered')
    await api.ok('POST', `/deliveries/${idOf(first!)}/replay`)
    const [, again] = await receiver.waitFor(2, WAIT_MS)
    expect([again!.body, idOf(again!), sequenceOf(again!)]).toEqual([first!.body, idOf(first!), sequenceOf(first!)])
    expect(attemptOf(again!)).toBe(1)
    await untilStates('delivered')
    const { history } = (await api.ok('GET', `/deliveries/${idOf(first!)}`)).data
    expect(history.map(({ outcome }: Json) => outcome)).toEqual(['delivered', 'delivered'])
  })

  test('what died is made again before what waits, and a new message comes after', async () => {
    receiver.setBehaviour((_, n) => (n <= 2 ? { status: 410 } : { status: 500 }))
    for (const text of ['one', 'two', 'three']) await say(server, 'ann', bot, text)
    await untilStates('dead', 'dead', 'pending')
    await receiver.waitFor(3, WAIT_MS)
    receiver.setBehaviour(() => ({ status: 200 }))
    const { data } = await api.ok('POST', `/bots/${bot}/replay`, { body: { since: 0 } })
    expect(data).toEqual({ replayed: 2 })
    await say(server, 'ann', bot, 'four')
    await untilStates('delivered', 'delivered', 'delivered', 'delivered')
    const order = textsOf(receiver.received).slice(3)
    // The third may have been on its way once more while the others were replayed.
    expect(order.filter((text, at) => order.lastIndexOf(text) === at)).toEqual(['one', 'two', 'three', 'four'])
  })

  test('a cancelled retry makes way for the next message at once', async () => {
    receiver.setBehaviour((_, n) => ({ status: n === 1 ? 500 : 200 }))
    await say(server, 'ann', bot, 'one')
    await say(server, 'ann', bot, 'two')
    await receiver.waitFor(1, WAIT_MS)
    const [one = ''] = await idsInOrder()
    await until('the attempt is on record', async () => {
      return (await api.ok('GET', `/deliveries/${one}`)).data.attempts === 1
    })
    const cancelled = performance.now()
    await api.ok('POST', `/deliveries/${one}/cancel`)
    await receiver.waitFor(2, WAIT_MS)
    expect(performance.now() - cancelled).toBeLessThan(2000)
    await untilStates('cancelled', 'delivered')
    expect(textsOf(receiver.received)).toEqual(['one', 'two'])
  })

  test.each([200, 500])('an attempt under way at what is cancelled decides nothing: %i', async (status) => {
    receiver.setBehaviour((_, n) => (n === 1 ? { status, delayMs: HANG_MS } : { status: 200 }))
    await say(server, 'ann', bot, 'one')
    await say(server, 'ann', bot, 'two')
    const [first] = await receiver.waitFor(1, WAIT_MS)
    const [one = ''] = await idsInOrder()
    await api.ok('POST', `/deliveries/${one}/cancel`)
    const [, second] = await receiver.waitFor(2, WAIT_MS)
    // One attempt under way per lane.
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(HANG_MS - 50)
    await untilStates('cancelled', 'delivered')
    const shown = (await api.ok('GET', `/deliveries/${one}`)).data
    expect([shown.state, shown.history.length, shown.history[0].status]).toEqual(['cancelled', 1, status])
    await say(server, 'ann', bot, 'three')
    expect(textsOf(await receiver.waitFor(3, WAIT_MS))).toEqual(['one', 'two', 'three'])
  })

  test('replays that race with each other, with retries and with new messages: one attempt at a time, nothing lost', async () => {
    let underWay = 0
    let overlaps = 0
    receiver.setBehaviour((_, n) => {
      if (underWay > 0) overlaps += 1
      underWay += 1
      // The next one may only come when this answer has gone.
      setTimeout(() => {
        underWay -= 1
      }, 25)
      return { status: n % 3 === 0 ? 410 : 200, delayMs: 30 }
    })
    for (let n = 1; n <= 12; n++) {
      await say(server, 'ann', bot, String(n))
      const ids = await idsInOrder()
      const tries = ids.map((id) => api.call('POST', `/deliveries/${id}/${n % 4 === 0 ? 'cancel' : 'replay'}`))
      for (const { status } of await Promise.all(tries)) expect([200, 409]).toContain(status)
    }
    receiver.setBehaviour(() => ({ status: 200 }))
    await until('nothing is pending', async () => !(await states()).includes('pending'), WAIT_MS)
    await api.ok('POST', `/bots/${bot}/replay`, { body: { since: 0, states: ['dead', 'cancelled', 'delivered'] } })
    await untilStates(...Array.from({ length: 12 }, () => 'delivered'))
    expect(textsOf(receiver.received.slice(-12))).toEqual(Array.from({ length: 12 }, (_, n) => String(n + 1)))
    expect(overlaps).toBe(0)
    const lanes = await query<{ pending: number; lease_id: string | null }>(
      server,
      `SELECT pending, lease_id FROM lanes WHERE bot_uid = '${bot}'`,
    )
    expect(lanes).toMatchObject([{ pending: 0 }])
  })

  test('a replay outlives a kill', async () => {
    await say(server, 'bob', bot, 'one')
    await untilStates('delivered')
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    const [one = ''] = await idsInOrder()
    await api.ok('POST', `/deliveries/${one}/replay`)
    await server.kill()
    receiver.setBehaviour(() => ({ status: 200 }))
    await server.start()
    await until('it is delivered', async () => String(await states()) === 'delivered', 40_000)
    expect(new Set(receiver.received.map(idOf))).toEqual(new Set([one]))
  }, 60_000)
})

describeEngines('retention', (engine) => {
  test.each([
    ['1s', 0],
    ['0s', 1],
  ])('after %s, %i of what is over is left; what is pending stays', async (CONFAB_DELIVERY_RETENTION, left) => {
    const server = await startServer({ engine, env: { CONFAB_DELIVERY_RETENTION } })
    const receiver = await startCallbackReceiver()
    try {
      await makeUsers(server, 'ann')
      await makeBot(server, 'bot', { webhookURL: receiver.url })
      await makeBot(server, 'away', { webhookURL: 'http://127.0.0.1:1' })
      await say(server, 'ann', 'bot', 'one')
      await say(server, 'ann', 'away', 'two')
      await until('it is delivered', async () => String(await statesOf(server, 'bot')) === 'delivered')
      await pause(1000 + 2 * QUIET_MS)
      expect(await statesOf(server, 'bot')).toHaveLength(left)
      expect(await statesOf(server, 'away')).toEqual(['pending'])
      const [row] = await query<{ n: number }>(server, "SELECT count(*) AS n FROM attempts WHERE outcome = 'delivered'")
      expect(row?.n).toBe(left)
      await say(server, 'ann', 'bot', 'three')
      await receiver.waitFor(2, WAIT_MS)
      // The sequence goes on without what was swept.
      expect(receiver.received.map(sequenceOf)).toEqual([1, 2])
    } finally {
      await server.dispose()
      await receiver.close()
    }
  })
})
