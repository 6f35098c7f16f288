/** Two nodes on one database: both serve, both deliver, and each lane is worked by one of them. */
import type { Message } from '@confab/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { callbackOf, idOf, makeBot, makeUsers, metric, say, sequenceOf, textsOf } from './support.ts'

const WAIT_MS = 15_000
const LEASE_MS = 3000
const people = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal']
/** Leases are the subject: no breaker is to leave the bot alone. */
const env = { CONFAB_LEASE: `${LEASE_MS}ms`, CONFAB_RETRY_SCHEDULE: '100ms', CONFAB_BREAKER_OPEN_FOR: '0s' }

describeWithPostgres('two nodes', () => {
  let one: TestServer
  let two: TestServer
  let receiver: CallbackReceiver

  beforeEach(async () => {
    receiver = await startCallbackReceiver()
    one = await startServer({ engine: 'postgres', env })
    const { databaseUrl = '', appId, restApiKey, authKey } = one
    two = await startServer({ engine: 'postgres', env, databaseUrl, appId, restApiKey, authKey })
    await makeUsers(one, ...people)
    await makeBot(two, 'bot', { webhookURL: receiver.url })
  })
  afterEach(async () => {
    await two?.dispose()
    await one?.dispose()
    await receiver?.close()
  })

  const assertInOrder = (count: number): void => {
    for (const person of people) {
      const own = receiver.received.filter((received) => callbackOf(received).data.sender === person)
      const firsts = own.filter((received, at) => own.findIndex((other) => idOf(other) === idOf(received)) === at)
      expect(firsts.map(sequenceOf)).toEqual(Array.from({ length: count }, (_, n) => n + 1))
      expect(textsOf(firsts)).toEqual(Array.from({ length: count }, (_, n) => `${person} ${n + 1}`))
    }
  }

  test('both serve and deliver, in order, each callback once', async () => {
    receiver.setBehaviour(() => ({ status: 200, delayMs: 10 }))
    // A node keeps a lane while it has heads: half of the people begin at each.
    const write = async (person: string, index: number): Promise<void> => {
      for (let n = 1; n <= 20; n++) await say((n + index) % 2 === 0 ? one : two, person, 'bot', `${person} ${n}`)
    }
    await Promise.all(people.map(write))
    const received = await receiver.waitFor(people.length * 20, WAIT_MS)
    expect(received).toHaveLength(people.length * 20)
    assertInOrder(20)
    const delivered = 'confab_deliveries_finished_total{state="delivered"}'
    await expect
      .poll(async () => (await metric(one.url, delivered)) + (await metric(two.url, delivered)))
      .toBe(people.length * 20)
    expect(await metric(one.url, delivered)).toBeGreaterThan(0)
    expect(await metric(two.url, delivered)).toBeGreaterThan(0)
  })

  test('what one was told the other knows', async () => {
    const sent = await say(one, 'ann', 'bob', 'hello')
    expect((await two.client.request<Message>('GET', `/messages/${sent.id}`)).data).toMatchObject(sent)
    await one.client.request('PUT', '/bots/bot', { body: { enabled: false } })
    await say(two, 'ann', 'bot', 'not for anybody')
    await one.client.request('PUT', '/bots/bot', { body: { enabled: true } })
    await say(two, 'ann', 'bot', 'for the bot')
    expect(textsOf(await receiver.waitFor(1, WAIT_MS))).toEqual(['for the bot'])
  })

  test('when one is killed, the other takes its lanes over once the lease has lapsed', async () => {
    receiver.setBehaviour(() => ({ kind: 'hang' }))
    for (const person of people) for (const n of [1, 2, 3]) await say(one, person, 'bot', `${person} ${n}`)
    await receiver.waitFor(people.length, WAIT_MS)
    await one.kill()
    const killed = performance.now()
    receiver.setBehaviour(() => ({ status: 200 }))
    await receiver.waitFor(people.length * 4, LEASE_MS + 10_000)
    expect(performance.now() - killed).toBeLessThan(LEASE_MS + 4000)
    // Each head was under way when the node died, and came again.
    expect(receiver.received).toHaveLength(people.length * 4)
    assertInOrder(3)
    await say(two, 'ann', 'bot', 'still there')
    await expect.poll(() => textsOf(receiver.received).at(-1)).toBe('still there')
  })

  test('a node that stops gives its lanes back at once', async () => {
    receiver.setBehaviour(() => ({ status: 500 }))
    for (const person of people) for (const n of [1, 2]) await say(one, person, 'bot', `${person} ${n}`)
    await receiver.waitFor(people.length, WAIT_MS)
    expect(await one.stop()).toBe(0)
    const stopped = performance.now()
    const before = receiver.received.length
    receiver.setBehaviour(() => ({ status: 200 }))
    await receiver.waitFor(before + people.length * 2, WAIT_MS)
    expect(performance.now() - stopped).toBeLessThan(LEASE_MS)
    assertInOrder(2)
  })
})
