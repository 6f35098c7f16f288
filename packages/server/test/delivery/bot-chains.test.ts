/** Bots that hear bots: they may answer each other, and come to an end. */
import { callbackHeaders } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../src/testing/callback-receiver.ts'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { callbackOf, makeGroup, makeUsers, sayInGroup, sequenceOf, textsOf, until } from './support.ts'
import { deliveriesOf, detailOf, makeBotWith, onlyDelivery } from './watch.ts'

const HOP_LIMIT = 4

const hopOf = ({ headers }: ReceivedCallback): number => Number(headers[callbackHeaders.hop])
const replyWith = (text: string) =>
  ({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ reply: text }) }) as const

describeEngines('bots that hear bots', (engine) => {
  let server: TestServer
  let api: Api
  let [one, two] = ['', '']
  let [atOne, atTwo]: CallbackReceiver[] = []
  let group = ''
  let count = 0

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_BOT_HOP_LIMIT: String(HOP_LIMIT) } })
    api = new Api(server)
    await makeUsers(server, 'ann')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    count++
    ;[one, two, group] = [`one-${count}`, `two-${count}`, `group-${count}`]
    ;[atOne, atTwo] = [await startCallbackReceiver(), await startCallbackReceiver()]
  })
  afterEach(async () => {
    for (const uid of [one, two]) await server.client.request('DELETE', `/bots/${uid}`).catch(() => {})
    await Promise.all([atOne, atTwo].map((receiver) => receiver?.close()))
  })

  const receivers = (): [CallbackReceiver, CallbackReceiver] => {
    if (atOne === undefined || atTwo === undefined) throw new Error('there are no receivers')
    return [atOne, atTwo]
  }
  const makePair = async (relayBotMessages: boolean): Promise<void> => {
    const [first, second] = receivers()
    const settings = { groupChatSetting: 'allMessages', ...(relayBotMessages && { relayBotMessages }) } as const
    await makeBotWith(server, one, { webhookURL: first.url, ...settings })
    await makeBotWith(server, two, { webhookURL: second.url, ...settings })
    await makeGroup(server, group, 'ann', one, two)
  }
  const untilCut = (times: number): Promise<void> =>
    until(`${times} deliveries are cut`, async () => {
      const all = [...(await deliveriesOf(api, one)), ...(await deliveriesOf(api, two))]
      return all.filter(({ reason }) => reason === 'hop-limit').length === times
    })

  test('who answer each other in a group come to an end at the limit, until a person speaks again', async () => {
    await makePair(true)
    const [first, second] = receivers()
    // Both hear the person, and one of them answers: one chain.
    first.setBehaviour((received) => replyWith(`one after ${hopOf(received)}`))
    second.setBehaviour((received) =>
      hopOf(received) === 0 ? { status: 200 } : replyWith(`two after ${hopOf(received)}`),
    )
    for (const round of [1, 2]) {
      await sayInGroup(server, 'ann', group, `begin ${round}`)
      await untilCut(round)
      expect(textsOf(first.received).slice(3 * (round - 1))).toEqual([`begin ${round}`, 'two after 1', 'two after 3'])
      expect(textsOf(second.received).slice(3 * (round - 1))).toEqual([`begin ${round}`, 'one after 0', 'one after 2'])
    }
    expect(first.received.map(hopOf)).toEqual([0, 2, 4, 0, 2, 4])
    expect(second.received.map(hopOf)).toEqual([0, 1, 3, 0, 1, 3])
    // The one that was cut off has its place.
    expect(second.received.map(sequenceOf)).toEqual([1, 2, 3, 5, 6, 7])

    const deliveries = await deliveriesOf(api, two)
    expect(deliveries.map(({ hop, state }) => [hop, state])).toEqual([
      [undefined, 'delivered'],
      [1, 'delivered'],
      [3, 'delivered'],
      [5, 'cancelled'],
      [undefined, 'delivered'],
      [1, 'delivered'],
      [3, 'delivered'],
      [5, 'cancelled'],
    ])
    const cut = await detailOf(api, deliveries[3]?.id ?? '')
    expect(cut).toMatchObject({ state: 'cancelled', reason: 'hop-limit', hop: 5, attempts: 0, history: [] })
    // The message is there, for people.
    expect(JSON.parse(cut.body).data.data.text).toBe('one after 4')
    await until('it is in the log', () => server.lines.filter(({ msg }) => msg === 'callback.cut').length >= 2)
    expect(server.lines).toContainEqual(expect.objectContaining({ msg: 'callback.cut', sender: one, bots: [two] }))
  })

  test('both at once come to an end as well', async () => {
    await makePair(true)
    const [first, second] = receivers()
    for (const receiver of [first, second]) receiver.setBehaviour(() => replyWith('and so on'))
    await sayInGroup(server, 'ann', group, 'begin')
    // Each answer to the person begins a chain.
    await untilCut(2)
    // Replies are posted before their callback is on record: with that, all has been said.
    await until('nothing is pending', async () => {
      const all = [...(await deliveriesOf(api, one)), ...(await deliveriesOf(api, two))]
      return all.every(({ state }) => state !== 'pending')
    })
    await untilCut(2)
    for (const receiver of [first, second]) {
      expect(Math.max(...receiver.received.map(hopOf))).toBeLessThanOrEqual(HOP_LIMIT)
    }
  })

  test('have asked for it: by default a bot hears people alone, in groups and face to face', async () => {
    await makePair(false)
    const [first, second] = receivers()
    for (const receiver of [first, second]) receiver.setBehaviour(() => replyWith('hello'))
    await sayInGroup(server, 'ann', group, 'begin')
    await Promise.all([first, second].map((receiver) => receiver.waitFor(1, 5000)))
    const body = { receiver: two, receiverType: 'user', data: { text: 'psst' } }
    await api.ok('POST', `/bots/${one}/messages`, { body })
    // A delivery is there as soon as its message is.
    for (const bot of [one, two]) await onlyDelivery(api, bot, 'delivered')
    expect([textsOf(first.received), textsOf(second.received)]).toEqual([['begin'], ['begin']])
    // From the next message on, face to face.
    await api.ok('PUT', `/bots/${two}`, { body: { relayBotMessages: true } })
    await api.ok('POST', `/bots/${one}/messages`, { body })
    const [, heard] = await second.waitFor(2, 5000)
    expect(heard && [callbackOf(heard).data.sender, hopOf(heard)]).toEqual([one, 1])
  })

  test('are counted by what they heard there, if they answer by a call of their own', async () => {
    await makePair(true)
    const [first, second] = receivers()
    const calls: Promise<unknown>[] = []
    const answerAs = (bot: string) => (received: ReceivedCallback) => {
      const body = { receiver: group, receiverType: 'group', data: { text: `after ${hopOf(received)}` } }
      const isFirst = bot === two && hopOf(received) === 0
      if (!isFirst) calls.push(api.ok('POST', `/bots/${bot}/messages`, { body }))
      return { status: 200 }
    }
    first.setBehaviour(answerAs(one))
    second.setBehaviour(answerAs(two))
    await sayInGroup(server, 'ann', group, 'begin')
    await untilCut(1)
    await Promise.all(calls)
    expect(first.received.map(hopOf)).toEqual([0, 2, 4])
    expect(second.received.map(hopOf)).toEqual([0, 1, 3])
    expect((await deliveriesOf(api, two)).at(-1)).toMatchObject({ hop: 5, reason: 'hop-limit' })
  })

  test('are counted elsewhere too, if they hand on the hop', async () => {
    await makePair(true)
    const [first, second] = receivers()
    await makeGroup(server, `${group}-b`, one, two)
    const calls: Promise<unknown>[] = []
    const answerAs = (bot: string) => (received: ReceivedCallback) => {
      const { receiver } = callbackOf(received).data
      const there = receiver === group ? `${group}-b` : group
      const body = { receiver: there, receiverType: 'group', data: { text: `after ${hopOf(received)}` } }
      const headers = { [callbackHeaders.hop]: String(hopOf(received)) }
      const isFirst = bot === two && hopOf(received) === 0
      if (!isFirst) calls.push(api.ok('POST', `/bots/${bot}/messages`, { body, headers }))
      return { status: 200 }
    }
    first.setBehaviour(answerAs(one))
    second.setBehaviour(answerAs(two))
    await sayInGroup(server, 'ann', group, 'begin')
    await untilCut(1)
    await Promise.all(calls)
    expect(first.received.map(hopOf)).toEqual([0, 2, 4])
    expect(second.received.map(hopOf)).toEqual([0, 1, 3])
    expect([...first.received, ...second.received].map((heard) => callbackOf(heard).data.receiver)).toContain(
      `${group}-b`,
    )
  })

  test('hear a person who hands on a hop as a person', async () => {
    await makePair(true)
    const [first] = receivers()
    const body = { receiver: group, receiverType: 'group', data: { text: 'I am no bot' } }
    await api.ok('POST', '/messages', { body, onBehalfOf: 'ann', headers: { [callbackHeaders.hop]: '99' } })
    const [heard] = await first.waitFor(1, 5000)
    expect(heard && hopOf(heard)).toBe(0)
  })
})
