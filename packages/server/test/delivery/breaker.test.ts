/** The circuit breaker of a bot: while it is open nothing is sent, nothing is lost, and nobody else is slowed. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api } from '../support/api.ts'
import { describeEngines, type LogLine, startServer, type TestServer } from '../support/server.ts'
import {
  callbackOf,
  changeBot,
  makeUsers,
  metric,
  pause,
  QUIET_MS,
  query,
  say,
  statesOf,
  textsOf,
  until,
} from './support.ts'
import { logged, makeBotWith, statsOf } from './watch.ts'

const WAIT_MS = 10_000
const OPENED = 'confab_breakers_opened_total'
/** What fails stays failed for as long as a test takes: nothing comes by itself. */
const LONG = {
  circuitBreaker: { openSeconds: 600, minAttempts: 6 },
  retryPolicy: { delaysSeconds: [600], giveUpAfterSeconds: 86_400 },
}
/** Clocks count whole milliseconds. */
const SLACK_MS = 5

const timeOf = (line: LogLine | undefined): number => Date.parse(line?.time ?? '')

describeEngines('the circuit breaker', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0
  const people = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay']

  beforeAll(async () => {
    const env = {
      CONFAB_BREAKER_OPEN_FOR: '1s',
      CONFAB_BREAKER_MIN_ATTEMPTS: '5',
      CONFAB_RETRY_SCHEDULE: '100ms',
      CONFAB_RETRY_FOR: '1m',
    }
    server = await startServer({ engine, env })
    api = new Api(server)
    await makeUsers(server, ...people)
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    bot = `bot-${++bots}`
    receiver = await startCallbackReceiver({ behave: () => ({ status: 500 }) })
  })
  afterEach(async () => {
    for (const uid of [bot, `${bot}-other`]) await server.client.request('DELETE', `/bots/${uid}`).catch(() => {})
    await receiver.close()
  })

  const stateNow = async (): Promise<string> => (await statsOf(api, bot)).breaker.state
  /** Its line in the log comes a moment later. */
  const openedAt = async (): Promise<number> => {
    const sql = `SELECT breaker_opened_at_ms AS at FROM bots WHERE app_id = '${server.appId}' AND uid = '${bot}'`
    return Number((await query<{ at: number }>(server, sql))[0]?.at)
  }
  /** One message each. */
  const allSay = (what: string) => Promise.all(people.map((person) => say(server, person, bot, `${person} ${what}`)))
  /** Everybody's message has failed once, and nothing is under way. */
  const open = async (): Promise<void> => {
    await allSay('1')
    await until('the breaker is open', async () => (await stateNow()) === 'open')
    await until('all have failed', async () => {
      const { data } = await api.ok('GET', '/deliveries', { query: { bot } })
      return data.every(({ attempts }: { attempts: number }) => attempts === 1)
    })
  }
  /** Of each person what they said, in that order, each once. */
  const expectAll = (...texts: readonly string[]): void => {
    for (const person of people) {
      const heard = receiver.received.filter((one) => callbackOf(one).data.sender === person)
      expect([...new Set(textsOf(heard))]).toEqual(texts.map((text) => `${person} ${text}`))
      expect(textsOf(heard).slice(-texts.length)).toEqual(texts.map((text) => `${person} ${text}`))
    }
  }
  const untilDelivered = (count: number): Promise<void> =>
    until(
      `${count} are delivered`,
      async () => {
        const states = await statesOf(server, bot)
        return states.length === count && states.every((state) => state === 'delivered')
      },
      30_000,
    )

  const opening =
    'opens, lets one probe through at its time, stays open for longer if that fails, and closes if it does not'
  test(opening, { timeout: 60_000 }, async () => {
    const other = await startCallbackReceiver()
    await makeBotWith(server, `${bot}-other`, { webhookURL: other.url })
    // Long enough for what is done here meanwhile, on a machine that is busy.
    await makeBotWith(server, bot, { webhookURL: receiver.url, circuitBreaker: { openSeconds: 3 } })
    const openedBefore = await metric(server.url, OPENED)
    await allSay('1')
    await until('the breaker is open', async () => (await stateNow()) === 'open')
    expect((await statsOf(api, bot)).breaker).toMatchObject({ openedAt: expect.any(Number), failedProbes: 0 })
    const openedMs = await openedAt()
    expect(await metric(server.url, OPENED)).toBe(openedBefore + 1)
    await allSay('2')
    await say(server, 'ann', `${bot}-other`, 'as ever')
    const [elsewhere] = await other.waitFor(1, WAIT_MS)

    const [stays] = await logged(server, 'bot.breaker_stays_open', bot)
    expect(stays).toMatchObject({ failedProbes: 1 })
    await until('it is on record', async () => (await statsOf(api, bot)).breaker.failedProbes === 1)
    expect(await stateNow()).toBe('open')
    receiver.setBehaviour(() => ({ status: 200 }))
    await untilDelivered(12)
    expect((await statsOf(api, bot)).breaker).toEqual({ state: 'closed' })
    expectAll('1', '2')

    const [opened] = await logged(server, 'bot.breaker_opened', bot)
    const [closed] = await logged(server, 'bot.breaker_closed', bot)
    const [openMs, longerMs] = [Number(opened?.ms), Number(stays?.ms)]
    // Each ±20 %.
    for (const [ms, wanted] of [
      [openMs, 3000],
      [longerMs, 6000],
    ] as const) {
      expect(ms).toBeGreaterThanOrEqual(wanted * 0.8)
      expect(ms).toBeLessThanOrEqual(wanted * 1.2)
    }
    // Before the first probe.
    expect(elsewhere?.atMs).toBeLessThan(timeOf(stays))
    // What was under way when it opened is not meant.
    const late = receiver.received.map(({ atMs }) => atMs).filter((atMs) => atMs > openedMs + openMs / 2)
    const [probe = 0, second = 0, ...rest] = late
    expect(probe).toBeGreaterThanOrEqual(openedMs + openMs - SLACK_MS)
    expect(probe).toBeLessThanOrEqual(timeOf(stays))
    expect(second).toBeGreaterThanOrEqual(timeOf(stays) + longerMs - SLACK_MS)
    // The others wait for what comes of it.
    for (const atMs of rest) expect(atMs).toBeGreaterThanOrEqual(timeOf(closed) - SLACK_MS)
    expect(rest).toHaveLength(11)
    expect(await metric(server.url, OPENED)).toBe(openedBefore + 1)
    await other.close()
  })

  test('outlives a kill and a change that leads nowhere else; resume ends it at once', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, ...LONG })
    await open()
    const { breaker } = await statsOf(api, bot)
    await server.kill()
    await server.start()
    receiver.setBehaviour(() => ({ status: 200 }))
    expect((await statsOf(api, bot)).breaker).toEqual(breaker)
    const before = receiver.received.length
    await allSay('2')
    await makeUsers(server, `guest-${bots}`)
    await say(server, `guest-${bots}`, bot, 'of a new conversation')
    await changeBot(server, bot, { webhookURL: receiver.url, groupChatSetting: 'allMessages', enabled: true })
    await pause(QUIET_MS)
    expect(receiver.received).toHaveLength(before)
    expect(await stateNow()).toBe('open')
    expect((await statsOf(api, bot)).pending).toBe(13)

    expect((await api.ok('POST', `/bots/${bot}/resume`)).data.resumed).toBeGreaterThanOrEqual(people.length)
    await receiver.waitFor(before + 13, WAIT_MS)
    await untilDelivered(13)
    expectAll('1', '2')
    expect(textsOf(receiver.received)).toContain('of a new conversation')
    expect(await stateNow()).toBe('closed')
    expect(await logged(server, 'bot.resumed', bot)).toHaveLength(1)
    expect((await api.ok('POST', `/bots/${bot}/resume`)).data).toEqual({ resumed: 0 })
  })

  test('ends with a new URL: everything is due there at once', async () => {
    const elsewhere = await startCallbackReceiver()
    await makeBotWith(server, bot, { webhookURL: receiver.url, ...LONG })
    await open()
    const before = receiver.received.length
    await allSay('2')
    await changeBot(server, bot, { webhookURL: elsewhere.url })
    const received = await elsewhere.waitFor(12, WAIT_MS)
    for (const person of people) {
      expect(textsOf(received.filter((one) => callbackOf(one).data.sender === person))).toEqual([
        `${person} 1`,
        `${person} 2`,
      ])
    }
    expect(await stateNow()).toBe('closed')
    expect(receiver.received).toHaveLength(before)
    await elsewhere.close()
  })

  test.each(['a new URL', 'resume'])('is not opened by attempts that began before %s', async (what) => {
    const elsewhere = await startCallbackReceiver()
    receiver.setBehaviour((_, n) => (n <= people.length ? { kind: 'hang' } : { status: 200 }))
    const settings = { ...LONG, timeoutSeconds: 2, circuitBreaker: { openSeconds: 600, minAttempts: 2 } }
    await makeBotWith(server, bot, { webhookURL: receiver.url, ...settings })
    await allSay('1')
    await receiver.waitFor(people.length, WAIT_MS)
    if (what === 'resume') await api.ok('POST', `/bots/${bot}/resume`)
    else await changeBot(server, bot, { webhookURL: elsewhere.url })
    await until('all that was under way is over', async () => {
      const { data } = await api.ok('GET', '/deliveries', { query: { bot } })
      return data.every(({ attempts }: { attempts: number }) => attempts === 1)
    })
    expect(await stateNow()).toBe('closed')
    await makeUsers(server, `guest-${bot}`)
    await say(server, `guest-${bot}`, bot, 'after')
    if (what === 'resume') await receiver.waitFor(people.length + 1, WAIT_MS)
    else expect(textsOf(await elsewhere.waitFor(1, WAIT_MS))).toEqual(['after'])
    await elsewhere.close()
  })

  test('that is open ends when the bot wants none', async () => {
    await makeBotWith(server, bot, { webhookURL: receiver.url, ...LONG })
    await open()
    receiver.setBehaviour(() => ({ status: 200 }))
    const before = receiver.received.length
    await makeUsers(server, `guest-${bot}`)
    await say(server, `guest-${bot}`, bot, 'at once')
    await server.client.request('PUT', `/bots/${bot}`, { body: { circuitBreaker: { openSeconds: 0 } } })
    expect(textsOf((await receiver.waitFor(before + 1, WAIT_MS)).slice(before))).toEqual(['at once'])
    expect(await stateNow()).toBe('closed')
  })

  test('of a bot that wants none never opens', async () => {
    const openedBefore = await metric(server.url, OPENED)
    await makeBotWith(server, bot, { webhookURL: receiver.url, circuitBreaker: { openSeconds: 0 } })
    await allSay('1')
    // Six times what would have opened it.
    await receiver.waitFor(30, WAIT_MS)
    expect((await statsOf(api, bot)).breaker).toEqual({ state: 'closed' })
    receiver.setBehaviour(() => ({ status: 200 }))
    await untilDelivered(6)
    expectAll('1')
    expect(await metric(server.url, OPENED)).toBe(openedBefore)
  })
})
