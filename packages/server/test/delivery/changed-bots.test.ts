/** A bot with many conversations and room for one attempt: most of its lanes wait for their turn in memory. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { changeBot, makeBot, makeUsers, pause, QUIET_MS, say, statesOf, textsOf } from './support.ts'

const WAIT_MS = 8000
const HANG_MS = 1000

describeEngines('lanes that wait for their turn', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver

  let bot = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_BOT_CONCURRENCY: '1' } })
    await makeUsers(server, 'ann', 'bob', 'cat')
  })
  afterAll(() => server?.dispose())

  beforeEach(async () => {
    bot = `bot-${++bots}`
    // Late, but good: nothing is tried again.
    receiver = await startCallbackReceiver({ behave: (_, n) => ({ status: 200, delayMs: n === 1 ? HANG_MS : 0 }) })
    await makeBot(server, bot, { webhookURL: receiver.url })
    await say(server, 'ann', bot, 'one')
    await receiver.waitFor(1, WAIT_MS)
    await say(server, 'bob', bot, 'two')
    await say(server, 'cat', bot, 'three')
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    await receiver.close()
  })

  test('are attempted one after the other', async () => {
    const [first, ...others] = await receiver.waitFor(3, WAIT_MS)
    expect(textsOf(others).sort()).toEqual(['three', 'two'])
    expect(others[0]!.atMs - first!.atMs).toBeGreaterThanOrEqual(HANG_MS - 50)
  })

  test('go to the new URL of their bot', async () => {
    const elsewhere = await startCallbackReceiver()
    await changeBot(server, bot, { webhookURL: elsewhere.url })
    expect(textsOf(await elsewhere.waitFor(2, WAIT_MS)).sort()).toEqual(['three', 'two'])
    expect(textsOf(receiver.received)).toEqual(['one'])
    await elsewhere.close()
  })

  test('wait on while their bot is disabled', async () => {
    await changeBot(server, bot, { enabled: false })
    await pause(HANG_MS + QUIET_MS)
    expect(textsOf(receiver.received)).toEqual(['one'])
    await changeBot(server, bot, { enabled: true })
    expect(
      textsOf(await receiver.waitFor(3, WAIT_MS))
        .slice(1)
        .sort(),
    ).toEqual(['three', 'two'])
  })

  test('end with their bot', async () => {
    await server.client.request('DELETE', `/bots/${bot}`)
    await pause(HANG_MS + QUIET_MS)
    expect(textsOf(receiver.received)).toEqual(['one'])
    expect(await statesOf(server, bot)).toEqual(['cancelled', 'cancelled', 'cancelled'])
  })

  test('end with the user that their bot is', async () => {
    await server.client.request('DELETE', `/users/${bot}`, { body: { permanent: true } })
    await pause(HANG_MS + QUIET_MS)
    expect(textsOf(receiver.received)).toEqual(['one'])
  })
})
