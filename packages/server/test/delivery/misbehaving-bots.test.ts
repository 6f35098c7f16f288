import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import {
  type AttemptRow,
  attemptOf,
  attemptsOf,
  callbackOf,
  changeBot,
  idOf,
  makeBot,
  makeUsers,
  metric,
  pause,
  QUIET_MS,
  say,
  sequenceOf,
  statesOf,
  textsOf,
  until,
} from './support.ts'

const WAIT_MS = 8000
const DEADLINE_MS = 1000

describeEngines('a misbehaving bot', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({
      engine,
      env: {
        CONFAB_RETRY_SCHEDULE: '200ms',
        // Each attempt is the subject, not what many of them lead to.
        CONFAB_BREAKER_OPEN_FOR: '0s',
        CONFAB_CALLBACK_TIMEOUT: `${DEADLINE_MS}ms`,
        CONFAB_BOT_CONCURRENCY: '8',
        CONFAB_CALLBACK_CONCURRENCY: '64',
      },
    })
    await makeUsers(server, 'ann', 'bob', 'cat')
  })
  afterAll(() => server?.dispose())

  beforeEach(async () => {
    receiver = await startCallbackReceiver()
    bot = `bot-${++bots}`
    await makeBot(server, bot, { webhookURL: receiver.url })
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    await receiver.close()
  })

  const outcomes = (rows: readonly AttemptRow[]): [string, number | null][] =>
    rows.map(({ outcome, status }) => [outcome, status])
  /** The attempts on record, once there are as many; an attempt is on record a moment after its answer. */
  const recorded = async (count: number): Promise<readonly AttemptRow[]> => {
    await until(`${count} attempts on record`, async () => (await attemptsOf(server, bot)).length >= count)
    return attemptsOf(server, bot)
  }

  test.each([
    { name: 'answers 500', behaviour: { status: 500 }, outcome: 'retry:http', status: 500 },
    { name: 'answers 404', behaviour: { status: 404 }, outcome: 'retry:http', status: 404 },
    { name: 'resets', behaviour: { kind: 'reset' }, outcome: 'retry:reset', status: null },
    { name: 'resets in its answer', behaviour: { kind: 'reset-mid-body' }, outcome: 'retry:reset', status: 200 },
    { name: 'hangs', behaviour: { kind: 'hang' }, outcome: 'retry:timeout', status: null },
    { name: 'drips', behaviour: { kind: 'drip' }, outcome: 'retry:timeout', status: 200 },
    { name: 'never ends its headers', behaviour: { kind: 'endless-headers' }, outcome: 'retry:protocol', status: null },
    {
      name: 'does not speak HTTP',
      behaviour: { kind: 'raw', bytes: 'hello\r\n\r\n' },
      outcome: 'retry:protocol',
      status: null,
    },
    { name: 'fails without end', behaviour: { kind: 'endless-body', status: 500 }, outcome: 'retry:http', status: 500 },
  ] as const)('that $name gets it again, and then the next', async ({ behaviour, outcome, status }) => {
    receiver.setBehaviour((_, n) => (n === 1 ? behaviour : { status: 204 }))
    const started = performance.now()
    await say(server, 'ann', bot, 'one')
    await say(server, 'ann', bot, 'two')
    const received = await receiver.waitFor(3, WAIT_MS)
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS + 2000)
    expect(textsOf(received)).toEqual(['one', 'one', 'two'])
    expect(received.map(attemptOf)).toEqual([1, 2, 1])
    expect(received.map(sequenceOf)).toEqual([1, 1, 2])
    expect(outcomes(await recorded(3))).toEqual([
      [outcome, status],
      ['delivered', 204],
      ['delivered', 204],
    ])
    expect(await statesOf(server, bot)).toEqual(['delivered', 'delivered'])
  })

  test('that answers 200 without end has heard it', async () => {
    receiver.setBehaviour(() => ({ kind: 'endless-body' }))
    await say(server, 'ann', bot, 'one')
    await say(server, 'ann', bot, 'two')
    expect(textsOf(await receiver.waitFor(2, WAIT_MS))).toEqual(['one', 'two'])
    expect(outcomes(await recorded(2))).toEqual([
      ['delivered', 200],
      ['delivered', 200],
    ])
  })

  test('that redirects is not followed', async () => {
    const target = await startCallbackReceiver()
    receiver.setBehaviour((_, n) =>
      n === 1 ? { kind: 'redirect', location: target.url, status: 307 } : { status: 200 },
    )
    await say(server, 'ann', bot, 'one')
    await receiver.waitFor(2, WAIT_MS)
    expect(outcomes(await recorded(2))).toEqual([
      ['retry:redirect', 307],
      ['delivered', 200],
    ])
    expect(target.connections).toBe(0)
    await target.close()
  })

  test('that answers 410 gets it never again, and the lane goes on', async () => {
    receiver.setBehaviour((_, n) => ({ status: n === 1 ? 410 : 200 }))
    const dead = await metric(server.url, 'confab_deliveries_finished_total{state="dead"}')
    for (const text of ['one', 'two', 'three']) await say(server, 'ann', bot, text)
    expect(textsOf(await receiver.waitFor(3, WAIT_MS))).toEqual(['one', 'two', 'three'])
    await recorded(3)
    expect(await statesOf(server, bot)).toEqual(['dead', 'delivered', 'delivered'])
    expect(await metric(server.url, 'confab_deliveries_finished_total{state="dead"}')).toBe(dead + 1)
    await pause(500)
    expect(receiver.received).toHaveLength(3)
  })

  test('that asks for patience with 429 gets it, in all its conversations', async () => {
    receiver.setBehaviour((_, n) => (n === 1 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 200 }))
    await say(server, 'ann', bot, 'one')
    await receiver.waitFor(1, WAIT_MS)
    await until('it is on record', async () => (await attemptsOf(server, bot)).length > 0)
    await say(server, 'bob', bot, 'another')
    const [first, ...others] = await receiver.waitFor(3, WAIT_MS)
    expect(textsOf(others).sort()).toEqual(['another', 'one'])
    for (const { atMs } of others) expect(atMs - first!.atMs).toBeGreaterThanOrEqual(1950)
  })

  test('with one broken conversation hears the others', async () => {
    receiver.setBehaviour((received) =>
      callbackOf(received).data.sender === 'ann' ? { kind: 'hang' } : { status: 200 },
    )
    await say(server, 'ann', bot, 'stuck')
    await receiver.waitFor(1, WAIT_MS)
    const started = performance.now()
    for (const n of [1, 2, 3, 4, 5]) {
      await say(server, 'bob', bot, `bob ${n}`)
      await say(server, 'cat', bot, `cat ${n}`)
    }
    const received = await receiver.waitFor(11, WAIT_MS)
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS)
    const healthy = received.filter((one) => callbackOf(one).data.sender !== 'ann')
    expect(textsOf(healthy).filter((text) => text.startsWith('bob'))).toEqual([1, 2, 3, 4, 5].map((n) => `bob ${n}`))
    expect(textsOf(healthy).filter((text) => text.startsWith('cat'))).toEqual([1, 2, 3, 4, 5].map((n) => `cat ${n}`))
  })

  test('with a hundred broken conversations slows no other bot', async () => {
    const people = Array.from({ length: 100 }, (_, n) => `p${bots}-${n}`)
    await makeUsers(server, ...people)
    const healthy = await startCallbackReceiver()
    await makeBot(server, `${bot}-healthy`, { webhookURL: healthy.url })
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    await Promise.all(people.map((person) => say(server, person, bot, 'stuck')))
    await receiver.waitFor(8, WAIT_MS)
    const waits: number[] = []
    for (let n = 1; n <= 30; n++) {
      const started = performance.now()
      await say(server, 'ann', `${bot}-healthy`, `quick ${n}`)
      await healthy.waitFor(n, WAIT_MS)
      waits.push(performance.now() - started)
    }
    waits.sort((a, b) => a - b)
    expect(waits[15]).toBeLessThan(DEADLINE_MS / 4)
    expect(waits.at(-1)).toBeLessThan(DEADLINE_MS)
    expect(receiver.open).toBeLessThanOrEqual(8)
    await healthy.close()
  })

  test('that fails now and then hears everything in order', async () => {
    let n = 0
    receiver.setBehaviour(() => (++n % 3 === 0 ? { status: 500 } : n % 7 === 0 ? { kind: 'reset' } : { status: 200 }))
    const texts = Array.from({ length: 20 }, (_, index) => `message ${index + 1}`)
    for (const text of texts) await say(server, 'ann', bot, text)
    await until('all delivered', async () => (await statesOf(server, bot)).every((state) => state === 'delivered'))
    const rows = await attemptsOf(server, bot)
    const arrived = receiver.received
    expect(rows).toHaveLength(arrived.length)
    expect(arrived.length).toBeGreaterThan(texts.length)
    expect(arrived.map(sequenceOf)).toEqual(arrived.map(sequenceOf).sort((a, b) => a - b))
    expect([...new Set(textsOf(arrived))]).toEqual(texts)
    expect(rows.filter(({ outcome }) => outcome === 'delivered')).toHaveLength(texts.length)
  })

  test('that is disabled gets its backlog when it is enabled again', async () => {
    receiver.setBehaviour(() => ({ status: 500 }))
    for (const text of ['one', 'two', 'three']) await say(server, 'ann', bot, text)
    await receiver.waitFor(1, WAIT_MS)
    await changeBot(server, bot, { enabled: false })
    receiver.setBehaviour(() => ({ status: 200 }))
    // What was under way when it was disabled may still have come.
    await pause(300)
    const before = receiver.received.length
    await say(server, 'ann', bot, 'while disabled')
    await pause(QUIET_MS)
    expect(receiver.received).toHaveLength(before)
    await changeBot(server, bot, { enabled: true })
    await say(server, 'ann', bot, 'four')
    await until('all four', () => textsOf(receiver.received).includes('four'))
    expect([...new Set(textsOf(receiver.received))]).toEqual(['one', 'two', 'three', 'four'])
    expect(new Set(receiver.received.map(sequenceOf))).toEqual(new Set([1, 2, 3, 4]))
  })

  test('with a new URL gets the next attempt there', async () => {
    const elsewhere = await startCallbackReceiver()
    receiver.setBehaviour(() => ({ status: 500 }))
    await say(server, 'ann', bot, 'one')
    await receiver.waitFor(1, WAIT_MS)
    await changeBot(server, bot, { webhookURL: elsewhere.url })
    const [moved] = await elsewhere.waitFor(1, WAIT_MS)
    expect(idOf(moved!)).toBe(idOf(receiver.received[0]!))
    expect(attemptOf(moved!)).toBe(receiver.received.length + 1)
    await elsewhere.close()
  })

  test('that is deleted gets nothing more, and one made anew on its uid goes on with the sequence', async () => {
    receiver.setBehaviour(() => ({ status: 500 }))
    for (const text of ['one', 'two', 'three']) await say(server, 'ann', bot, text)
    await receiver.waitFor(1, WAIT_MS)
    await server.client.request('DELETE', `/bots/${bot}`)
    await pause(300)
    const before = receiver.received.length
    receiver.setBehaviour(() => ({ status: 200 }))
    await pause(QUIET_MS)
    expect(receiver.received).toHaveLength(before)
    expect(await statesOf(server, bot)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    await server.client.request('POST', '/bots', { body: { uid: bot, webhookURL: receiver.url, enabled: true } })
    await say(server, 'ann', bot, 'four')
    const received = await receiver.waitFor(before + 1, WAIT_MS)
    expect(received.slice(before).map(sequenceOf)).toEqual([4])
  })
})
