/** Replies in the answer to a callback: posted as the bot, where it was asked, each once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Behaviour, type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { callbackOf, idOf, makeGroup, makeUsers, query, say, sayInGroup, statesOf, textsOf, until } from './support.ts'
import { deliveriesOf, detailOf, makeBotWith, onlyDelivery } from './watch.ts'

const WAIT_MS = 8000
const JSON_TYPE = { 'content-type': 'application/json' }
/** The store is read before the answer. */
const LATE = { delayMs: 300 }
const answer = (body: unknown, status = 200): Behaviour => ({ status, headers: JSON_TYPE, body: JSON.stringify(body) })

interface Posted {
  readonly receiver_type: string
  readonly receiver: string
  readonly parent_id: number | null
  readonly category: string
  readonly text: string | null
}

describeEngines('replies in the answer to a callback', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    const env = { CONFAB_RETRY_SCHEDULE: '200ms', CONFAB_RETRY_FOR: '1m', CONFAB_LEASE: '1s' }
    server = await startServer({ engine, env })
    api = new Api(server)
    await makeUsers(server, 'ann', 'bob', 'cat', 'dan')
    await makeGroup(server, 'foreign', 'ann', 'bob')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    bot = `bot-${++bots}`
    receiver = await startCallbackReceiver()
    await makeBotWith(server, bot, { webhookURL: receiver.url, groupChatSetting: 'allMessages' })
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    await receiver.close()
  })

  /** What the bot has said, in that order. */
  const posted = (): Promise<readonly Posted[]> =>
    query<Posted>(
      server,
      `SELECT receiver_type, receiver, parent_id, category, text FROM messages
       WHERE app_id = '${server.appId}' AND sender = '${bot}' ORDER BY id`,
    )
  const textsPosted = async (): Promise<(string | null)[]> => (await posted()).map(({ text }) => text)
  const untilDelivered = (count: number): Promise<void> =>
    until(
      `${count} are delivered`,
      async () => {
        const states = await statesOf(server, bot)
        return states.length === count && states.every((state) => state === 'delivered')
      },
      15_000,
    )

  describe('are posted', () => {
    test('where the message came from: to a person, in a group, in a thread', async () => {
      receiver.setBehaviour((received) => answer({ reply: `to ${textsOf([received])[0]}` }))
      await makeGroup(server, `g-${bots}`, 'ann', bot)
      await say(server, 'ann', bot, 'person')
      const parent = await sayInGroup(server, 'ann', `g-${bots}`, 'group')
      await untilDelivered(2)
      const inThread = { receiver: `g-${bots}`, receiverType: 'group', parentMessageId: parent.id }
      await api.ok('POST', '/messages', { onBehalfOf: 'ann', body: { ...inThread, data: { text: 'thread' } } })
      await untilDelivered(3)
      const message = { category: 'message', parent_id: null }
      const group = { ...message, receiver_type: 'group', receiver: `g-${bots}` }
      const said = await posted()
      expect(said).toHaveLength(3)
      expect(said).toContainEqual({ ...message, receiver_type: 'user', receiver: 'ann', text: 'to person' })
      expect(said).toContainEqual({ ...group, text: 'to group' })
      expect(said).toContainEqual({ ...group, parent_id: Number(parent.id), text: 'to thread' })
      expect(receiver.received).toHaveLength(3)
    })

    test('as whole messages, and several in their order', async () => {
      const custom = { category: 'custom', type: 'order', data: { customData: { dish: 'soup' } } }
      receiver.setBehaviour((_, n) =>
        answer(n === 1 ? { reply: { data: { text: 'whole' }, tags: ['t'] } } : { replies: ['one', custom, 'two'] }),
      )
      await say(server, 'ann', bot, 'first')
      await untilDelivered(1)
      expect(await posted()).toMatchObject([{ receiver: 'ann', category: 'message', text: 'whole' }])
      await say(server, 'ann', bot, 'second')
      await untilDelivered(2)
      const [, ...later] = await posted()
      expect(later.map(({ text, category, receiver: to }) => [text, category, to])).toEqual([
        ['one', 'message', 'ann'],
        [null, 'custom', 'ann'],
        ['two', 'message', 'ann'],
      ])
      const { data } = await api.ok('GET', `/users/${bot}/messages`, { onBehalfOf: 'ann' })
      expect(data.map(({ sender }: { sender: string }) => sender)).toContain(bot)
    })

    test('before the next callback of the conversation is sent', async () => {
      const saidBefore: Promise<(string | null)[]>[] = []
      receiver.setBehaviour((_, n) => {
        saidBefore.push(textsPosted())
        return { ...answer({ reply: `reply ${n}` }), ...LATE }
      })
      for (const n of [1, 2, 3]) await say(server, 'ann', bot, `message ${n}`)
      await untilDelivered(3)
      expect(await Promise.all(saidBefore)).toEqual([[], ['reply 1'], ['reply 1', 'reply 2']])
    })

    test('with half a character as any message with one', async () => {
      const data = '{"text":"a\\ud83d","metadata":{"b":"\\ud83d"}}'
      receiver.setBehaviour(() => ({ status: 200, headers: JSON_TYPE, body: `{"reply":{"data":${data}}}` }))
      await say(server, 'ann', bot, 'hello')
      await untilDelivered(1)
      const rawBody = `{"receiver":"ann","receiverType":"user","data":${data}}`
      await api.ok('POST', `/bots/${bot}/messages`, { rawBody })
      const rows = (await api.ok('GET', `/users/${bot}/messages`, { onBehalfOf: 'ann' })).data
      const own = rows.filter(({ sender }: { sender: string }) => sender === bot)
      expect(own).toHaveLength(2)
      expect(own[0].data.text).toBe(own[1].data.text)
      expect(own[0].data.metadata).toEqual(own[1].data.metadata)
    })

    test('elsewhere, if they say so', async () => {
      await makeGroup(server, `g-${bots}`, bot, 'bob')
      const replies = [
        { receiver: 'bob', receiverType: 'user', data: { text: 'for bob' } },
        { receiver: `g-${bots}`, receiverType: 'group', data: { text: 'for all' } },
      ]
      receiver.setBehaviour(() => answer({ replies }))
      await say(server, 'ann', bot, 'hello')
      await untilDelivered(1)
      expect((await posted()).map(({ receiver: to, text }) => [to, text])).toEqual([
        ['bob', 'for bob'],
        [`g-${bots}`, 'for all'],
      ])
    })
  })

  describe('are posted once', () => {
    test('when the callback is replayed, whatever is answered then', async () => {
      receiver.setBehaviour((_, n) => answer({ replies: [`reply of call ${n}`] }))
      await say(server, 'ann', bot, 'hello')
      const { id } = await onlyDelivery(api, bot, 'delivered')
      await api.ok('POST', `/deliveries/${id}/replay`)
      await receiver.waitFor(2, WAIT_MS)
      await until('both are on record', async () => (await detailOf(api, id)).history.length === 2)
      expect(await textsPosted()).toEqual(['reply of call 1'])
    })

    test('after an answer that failed, which posts nothing whatever it says', async () => {
      const seen: Promise<(string | null)[]>[] = []
      receiver.setBehaviour((_, n) => {
        seen.push(textsPosted())
        return { ...answer({ reply: `reply of call ${n}` }, n === 1 ? 500 : 200), ...LATE }
      })
      await say(server, 'ann', bot, 'hello')
      await untilDelivered(1)
      expect(await Promise.all(seen)).toEqual([[], []])
      expect(await textsPosted()).toEqual(['reply of call 2'])
    })

    test('when the server dies in the middle of them', async () => {
      const people = ['ann', 'bob', 'cat', 'dan']
      const wanted = (person: string): string[] => Array.from({ length: 10 }, (_, n) => `${person} ${n}`)
      let killed: Promise<void> | undefined
      const watch = await startCallbackReceiver({
        behave: (_, n) => {
          if (n === 2) killed = server.kill()
          return { status: 200 }
        },
      })
      await makeBotWith(server, `watch-${bots}`, { webhookURL: watch.url, relayBotMessages: true })
      const to = { receiver: `watch-${bots}`, receiverType: 'user' }
      receiver.setBehaviour((received) => {
        const replies = wanted(callbackOf(received).data.sender).map((text) => ({ ...to, data: { text } }))
        return { ...answer({ replies }), ...LATE }
      })
      await Promise.all(people.map((person) => say(server, person, bot, 'hello')))
      await until('it was killed', () => killed !== undefined)
      await killed
      const before = await textsPosted()
      expect(before.length).toBeGreaterThanOrEqual(2)
      expect(before.length).toBeLessThan(40)
      await server.start()
      await untilDelivered(4)
      expect(receiver.received.length).toBeGreaterThan(4)
      expect(new Set(receiver.received.map(idOf)).size).toBe(4)
      const after = await textsPosted()
      expect(after).toHaveLength(40)
      for (const person of people) expect(after.filter((text) => text?.startsWith(person))).toEqual(wanted(person))
      await server.client.request('DELETE', `/bots/watch-${bots}`)
      await watch.close()
    }, 60_000)
  })

  describe('that cannot be posted are told with the attempt, and the callback is delivered all the same:', () => {
    const many = Array.from({ length: 11 }, (_, n) => `reply ${n}`)
    test.each([
      [
        'by one who is no member',
        { receiver: 'foreign', receiverType: 'group', data: { text: 'x' } },
        /ERR_GROUP_NOT_JOINED/,
      ],
      ['to nobody', { receiver: 'nobody', receiverType: 'user', data: { text: 'x' } }, /ERR_UID_NOT_FOUND/],
      ['of a category that is none', { category: 'gossip', type: 'text', data: { text: 'x' } }, /ERR_\w+/],
      ['without words', { data: {} }, /ERR_\w+/],
      ['a number', 7, /text or a message/],
      ['of the wrong shape', { tags: 'tag', data: { text: 'x' } }, /tags/],
      ['to many', { multipleReceivers: { uids: ['ann', 'bob'] }, data: { text: 'x' } }, /multipleReceivers/],
    ])('%s', async (_, reply, why) => {
      receiver.setBehaviour(() => answer({ replies: [reply, 'this one is fine'] }))
      await say(server, 'ann', bot, 'hello')
      const { history } = await onlyDelivery(api, bot, 'delivered')
      expect(history).toMatchObject([{ outcome: 'delivered', status: 200, error: expect.stringMatching(why) }])
      expect(history[0]?.error).toMatch(/^reply 1 was not posted/)
      expect(await textsPosted()).toEqual(['this one is fine'])
    })

    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    test.each([
      ['nested too deeply', `{"reply":{"data":{"text":"x","metadata":{"a":${deep}}}}}`, /nested deeper than 100/],
      ['with NUL in a tag', '{"reply":{"data":{"text":"x"},"tags":["a\\u0000b"]}}', /NUL/],
      ['with NUL in metadata', '{"reply":{"data":{"text":"x","metadata":{"k":"\\u0000"}}}}', /NUL/],
      [
        'with NUL in a key',
        '{"reply":{"category":"interactive","type":"form","data":{"interactiveData":{"\\u0000":1}}}}',
        /NUL/,
      ],
      ['with a prototype', '{"reply":{"data":{"text":"x","metadata":{"__proto__":{"a":1}}}}}', /valid JSON/],
    ])('%s, as in a request, and the conversation goes on', async (_, body, why) => {
      receiver.setBehaviour((_, n) => (n === 1 ? { status: 200, headers: JSON_TYPE, body } : answer({ reply: 'next' })))
      await say(server, 'ann', bot, 'first')
      await say(server, 'ann', bot, 'second')
      await untilDelivered(2)
      const [{ id = '' } = {}] = await deliveriesOf(api, bot)
      const { history } = await detailOf(api, id)
      expect(history).toMatchObject([{ outcome: 'delivered', status: 200, error: expect.stringMatching(why) }])
      expect(history[0]?.error).toMatch(/^the replies were not posted: the answer /)
      expect(await textsPosted()).toEqual(['next'])
      expect(receiver.received).toHaveLength(2)
    })

    test('more than ten, of which none is', async () => {
      receiver.setBehaviour((_, n) => answer({ replies: n === 1 ? many : many.slice(1) }))
      await say(server, 'ann', bot, 'hello')
      const { history } = await onlyDelivery(api, bot, 'delivered')
      expect(history).toMatchObject([{ outcome: 'delivered', error: expect.stringMatching(/more than 10/) }])
      expect(await posted()).toEqual([])
      await say(server, 'ann', bot, 'hello')
      await untilDelivered(2)
      expect(await textsPosted()).toEqual(many.slice(1))
    })
  })

  test('answers that hold none post none, and are no fault', async () => {
    const text = JSON.stringify({ reply: 'hello' })
    const answers: readonly Behaviour[] = [
      { status: 200, headers: JSON_TYPE, body: '{"ok":true}' },
      { status: 200, headers: JSON_TYPE, body: '["reply"]' },
      { status: 200, headers: JSON_TYPE, body: '{"reply":null,"replies":[]}' },
      { status: 200, headers: JSON_TYPE, body: '{"reply":"hell' },
      { status: 200, headers: JSON_TYPE, body: '' },
      { status: 200, headers: { 'content-type': 'text/plain' }, body: text },
      { status: 200, headers: { 'content-type': 'application/json-seq' }, body: text },
      { status: 200, body: text },
      { status: 200, headers: JSON_TYPE, body: JSON.stringify({ reply: 'hello', filler: 'x'.repeat(70 * 1024) }) },
      { status: 201, headers: { 'content-type': 'Application/JSON; charset=utf-8' }, body: '{"reply":"at last"}' },
    ]
    receiver.setBehaviour((_, n) => answers[n - 1] ?? { status: 200 })
    for (const n of answers.keys()) await say(server, 'ann', bot, String(n))
    await untilDelivered(answers.length)
    expect(receiver.received).toHaveLength(answers.length)
    expect(await textsPosted()).toEqual(['at last'])
    for (const { id } of await deliveriesOf(api, bot)) {
      expect((await detailOf(api, id)).history.map(({ outcome, error }) => [outcome, error])).toEqual([
        ['delivered', undefined],
      ])
    }
  })
})
