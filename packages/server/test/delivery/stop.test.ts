import { once } from 'node:events'
import { connect } from 'node:net'
import { ConfabError, ConfabUnreachableError } from '@confab/bot-sdk'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { callbackOf, makeBot, makeUsers, metric, pause, say, sequenceOf, statesOf, textsOf, until } from './support.ts'

const WAIT_MS = 10_000

describeEngines('a server that is told to stop', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver

  beforeEach(async () => {
    server = await startServer({ engine, env: { CONFAB_RETRY_SCHEDULE: '100ms', CONFAB_SHUTDOWN_GRACE: '8s' } })
    receiver = await startCallbackReceiver()
    await makeUsers(server, 'ann', 'bob', 'cat', 'dan')
    await makeBot(server, 'bot', { webhookURL: receiver.url })
  })
  afterEach(async () => {
    await server?.dispose()
    await receiver?.close()
  })

  test('under load loses nothing, and the next start delivers what is left', async () => {
    receiver.setBehaviour(() => ({ status: 200, delayMs: 80 }))
    const accepted: string[] = []
    let isOver = false
    const errors: unknown[] = []
    const write = async (from: string): Promise<void> => {
      for (let n = 1; !isOver; n++) {
        await say(server, from, 'bot', `${from} ${n}`).then(
          () => accepted.push(`${from} ${n}`),
          (error: unknown) => {
            errors.push(error)
            isOver = true
          },
        )
      }
    }
    const writers = Promise.all(['ann', 'bob', 'cat', 'dan'].map(write))
    await pause(800)
    const asked = performance.now()
    expect(await server.stop()).toBe(0)
    // What is under way ends in 80 ms; what waits is left to the next start.
    expect(performance.now() - asked).toBeLessThan(3000)
    await writers
    // Refused at the door, or told so: nothing else.
    for (const error of errors) {
      expect(error instanceof ConfabUnreachableError || (error instanceof ConfabError && error.status === 503)).toBe(
        true,
      )
    }
    const before = receiver.received.length
    const stored = await statesOf(server, 'bot')
    expect(stored.length).toBeGreaterThanOrEqual(accepted.length)
    // One conversation each, 80 ms per callback: most of it waits.
    expect(stored).toContain('pending')
    receiver.setBehaviour(() => ({ status: 200 }))
    await server.start()
    await until('all delivered', async () => (await statesOf(server, 'bot')).every((state) => state === 'delivered'))
    expect(receiver.received.length).toBeGreaterThan(before)
    for (const who of ['ann', 'bob', 'cat', 'dan']) {
      const own = receiver.received.filter((one) => callbackOf(one).data.sender === who)
      // Told to stop, not killed: nothing comes twice.
      expect(own.map(sequenceOf)).toEqual(own.map((_, index) => index + 1))
      expect(textsOf(own)).toEqual(expect.arrayContaining(accepted.filter((text) => text.startsWith(who))))
    }
  })

  test('answers the request under way, and then that it is not ready', async () => {
    const body = JSON.stringify({ receiver: 'bot', receiverType: 'user', data: { text: 'half' } })
    const { hostname, port } = new URL(server.url)
    // A connection on which nothing was ever asked holds nothing up.
    const silent = connect(Number(port), hostname)
    const socket = connect(Number(port), hostname)
    let answers = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      answers += text
    })
    await once(socket, 'connect')
    const head = [
      'POST /v3/messages HTTP/1.1',
      'host: x',
      `apikey: ${server.restApiKey}`,
      `appid: ${server.appId}`,
      'onbehalfof: ann',
      'content-type: application/json',
      `content-length: ${body.length}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, 20)}`)
    await pause(200)
    const asked = performance.now()
    const stopped = server.stop()
    await until('the server stops', () => server.log.some((line) => line.includes('server.stopping')))
    socket.write(`${body.slice(20)}GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n`)
    await until('both answers', () => answers.split('HTTP/1.1 ').length > 2 || socket.destroyed)
    const [, first = '', second = ''] = answers.split('HTTP/1.1 ')
    expect(first.slice(0, 3)).toBe('200')
    expect(second.slice(0, 3)).toBe('503')
    expect(second).toContain('ERR_SERVICE_UNAVAILABLE')
    expect(await stopped).toBe(0)
    expect(performance.now() - asked).toBeLessThan(4000)
    silent.destroy()
    socket.destroy()
    expect(await statesOf(server, 'bot')).toHaveLength(1)
  })

  test('waits for the attempt under way; a second signal does not, and the attempt costs the bot nothing', async () => {
    receiver.setBehaviour((_, n) => (n === 1 ? { status: 200, delayMs: 1500 } : { kind: 'hang' }))
    await say(server, 'ann', 'bot', 'slow')
    await receiver.waitFor(1, WAIT_MS)
    const started = performance.now()
    expect(await server.stop()).toBe(0)
    expect(performance.now() - started).toBeGreaterThan(1000)
    expect(await statesOf(server, 'bot')).toEqual(['delivered'])

    await server.start()
    await say(server, 'ann', 'bot', 'stuck')
    await receiver.waitFor(2, WAIT_MS)
    const again = performance.now()
    const stopped = server.stop()
    await until('the server stops', () => server.log.filter((line) => line.includes('server.stopping')).length === 2)
    process.kill(server.pid, 'SIGTERM')
    expect(await stopped).toBe(0)
    expect(performance.now() - again).toBeLessThan(4000)
    receiver.setBehaviour(() => ({ status: 200 }))
    await server.start()
    const received = await receiver.waitFor(3, WAIT_MS)
    expect(textsOf(received)).toEqual(['slow', 'stuck', 'stuck'])
    expect(received.map(({ headers }) => headers['confab-attempt'])).toEqual(['1', '1', '1'])
  })
})

describeEngines('operators', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_RETRY_SCHEDULE: '100ms' } })
    receiver = await startCallbackReceiver()
    await makeUsers(server, 'ann')
    await makeBot(server, 'bot', { webhookURL: receiver.url })
  })
  afterAll(async () => {
    await server?.dispose()
    await receiver?.close()
  })

  test('hear that it is alive and ready, without a key', async () => {
    for (const [path, status] of [
      ['/healthz', 'ok'],
      ['/readyz', 'ready'],
    ]) {
      const answer = await fetch(server.url + path)
      expect([answer.status, await answer.json()]).toEqual([200, { status }])
    }
  })

  test('read what was counted', async () => {
    receiver.setBehaviour((_, n) => ({ status: n === 1 ? 500 : n === 2 ? 410 : 200 }))
    for (const text of ['one', 'two', 'three']) await say(server, 'ann', 'bot', text)
    await receiver.waitFor(4, WAIT_MS)
    await expect.poll(() => metric(server.url, 'confab_deliveries_pending')).toBe(0)
    await expect.poll(() => metric(server.url, 'confab_deliveries_finished_total{state="delivered"}')).toBe(2)
    const value = (sample: string): Promise<number> => metric(server.url, sample)
    expect(await value('confab_deliveries_finished_total{state="dead"}')).toBe(1)
    expect(await value('confab_messages_accepted_total')).toBe(3)
    expect(await value('confab_callback_attempt_duration_seconds_count{outcome="http"}')).toBe(1)
    expect(await value('confab_callback_attempt_duration_seconds_count{outcome="gone"}')).toBe(1)
    expect(await value('confab_callback_attempt_duration_seconds_count{outcome="delivered"}')).toBe(2)
    expect(await value('confab_callback_first_attempt_delay_seconds_count')).toBe(3)
    expect(
      await value('confab_http_request_duration_seconds_count{method="POST",route="/v3/messages",status="200"}'),
    ).toBe(3)
    expect(await value('confab_lanes_claimed')).toBe(0)
    expect(await value('confab_callback_attempts_in_flight')).toBe(0)
  })

  test('see the backlog grow and its age', async () => {
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    for (const text of ['one', 'two', 'three']) await say(server, 'ann', 'bot', text)
    await expect.poll(() => metric(server.url, 'confab_callback_attempts_in_flight')).toBe(1)
    expect(await metric(server.url, 'confab_deliveries_pending')).toBe(3)
    expect(await metric(server.url, 'confab_lanes_claimed')).toBe(1)
    await pause(1100)
    expect(await metric(server.url, 'confab_deliveries_oldest_pending_seconds')).toBeGreaterThan(1)
    await server.client.request('DELETE', '/bots/bot')
    expect(await metric(server.url, 'confab_deliveries_pending')).toBe(0)
  })
})
