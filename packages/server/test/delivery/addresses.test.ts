import { afterEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { type AttemptRow, attemptsOf, makeBot, makeUsers, say, sequenceOf, textsOf, until } from './support.ts'

describeEngines('callbacks', (engine) => {
  const open: { server?: TestServer; receivers: CallbackReceiver[] } = { receivers: [] }
  afterEach(async () => {
    await open.server?.dispose()
    for (const receiver of open.receivers.splice(0)) await receiver.close()
  })
  const receive = async (host?: string, port?: number): Promise<CallbackReceiver> => {
    const receiver = await startCallbackReceiver({ ...(host && { host }), ...(port && { port }) })
    open.receivers.push(receiver)
    return receiver
  }

  test('go to no private address that was not allowed, and the attempt says so', async () => {
    const four = await receive('127.0.0.1')
    const six = await receive('::1')
    const urls: Record<string, string> = {
      loopback: `http://127.0.0.1:${four.port}/`,
      name: `http://localhost:${four.port}/`,
      'loopback-6': `http://[::1]:${six.port}/`,
      decimal: `http://2130706433:${four.port}/`,
      short: `http://127.1:${four.port}/`,
      mapped: `http://[::ffff:127.0.0.1]:${four.port}/`,
      any: `http://0.0.0.0:${four.port}/`,
    }
    const server = await startServer({
      engine,
      env: { CONFAB_CALLBACK_ALLOW_CIDRS: '', CONFAB_RETRY_SCHEDULE: '100ms' },
    })
    open.server = server
    await makeUsers(server, 'ann')
    for (const [bot, webhookURL] of Object.entries(urls)) {
      await makeBot(server, bot, { webhookURL })
      await say(server, 'ann', bot, 'knock knock')
    }
    for (const bot of Object.keys(urls)) {
      let rows: readonly AttemptRow[] = []
      await until(`${bot} is tried`, async () => {
        rows = await attemptsOf(server, bot)
        return rows.length >= 2
      })
      for (const { outcome, status, error, state } of rows) {
        expect({ bot, outcome, status, state }).toEqual({ bot, outcome: 'refused', status: null, state: 'pending' })
        expect(error).toMatch(/^address \S+ is not allowed: .*(loopback|this network)/)
      }
    }
    expect([four.connections, six.connections]).toEqual([0, 0])
  })

  test('that found nobody wait in the store, over a stop and a start of the server', async () => {
    const gone = await receive()
    await gone.close()
    open.receivers.pop()
    const server = await startServer({ engine, env: { CONFAB_RETRY_SCHEDULE: '200ms' } })
    open.server = server
    await makeUsers(server, 'ann', 'bob')
    await makeBot(server, 'bot', { webhookURL: gone.url })
    for (let n = 1; n <= 10; n++) {
      await say(server, 'ann', 'bot', `ann ${n}`)
      await say(server, 'bob', 'bot', `bob ${n}`)
    }
    await until('an attempt', async () => (await attemptsOf(server, 'bot')).length > 1)
    expect((await attemptsOf(server, 'bot'))[0]).toMatchObject({ outcome: 'retry:connect', state: 'pending' })
    expect(await server.stop()).toBe(0)
    const back = await receive('127.0.0.1', gone.port)
    await server.start()
    const received = await back.waitFor(20, 10_000)
    for (const who of ['ann', 'bob']) {
      const own = received.filter((one) => textsOf([one])[0]?.startsWith(who))
      expect(textsOf(own)).toEqual(Array.from({ length: 10 }, (_, n) => `${who} ${n + 1}`))
      expect(own.map(sequenceOf)).toEqual(Array.from({ length: 10 }, (_, n) => n + 1))
    }
  })
})
