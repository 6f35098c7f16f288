/** A bot of which one conversation hangs, and others wait behind what it may have at once: until it may have more. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Behaviour, type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { makeUsers, pause, say, textsOf } from './support.ts'
import { makeBotWith } from './watch.ts'

const WAIT_MS = 8000

describeEngines('conversations that wait behind one that hangs', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({ engine })
    await makeUsers(server, 'ann', 'bob', 'cat', 'dan')
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

  /** The first callback is answered like this, the second hangs for longer than a test takes, and two wait behind it. */
  const hang = async (first: Behaviour, maxConcurrency: number): Promise<void> => {
    receiver.setBehaviour((_, n) => (n === 1 ? first : n === 2 ? { kind: 'hang' } : { status: 200 }))
    const settings = { timeoutSeconds: 60, maxConcurrency, retryPolicy: { delaysSeconds: [60] } }
    await makeBotWith(server, bot, { webhookURL: receiver.url, ...settings })
    await say(server, 'ann', bot, 'ann')
    await receiver.waitFor(1, WAIT_MS)
    await say(server, 'bob', bot, 'bob')
    await receiver.waitFor(2, WAIT_MS)
    for (const person of ['cat', 'dan']) await say(server, person, bot, person)
    // Long enough that what is claimed is not taken as it was any more.
    await pause(400)
    expect(textsOf(receiver.received)).toEqual(['ann', 'bob'])
  }
  const rest = async (count: number): Promise<string[]> =>
    textsOf((await receiver.waitFor(2 + count, WAIT_MS)).slice(2)).sort()

  test('are called when the bot is set to have more at once', async () => {
    await hang({ status: 200 }, 1)
    await server.client.request('PUT', `/bots/${bot}`, { body: { maxConcurrency: 40 } })
    expect(await rest(2)).toEqual(['cat', 'dan'])
  })

  test('are called when a bot that was slowed down is said to be back', async () => {
    await hang({ status: 429 }, 40)
    await server.client.request('POST', `/bots/${bot}/resume`)
    expect(await rest(3)).toEqual(['ann', 'cat', 'dan'])
  })
})
