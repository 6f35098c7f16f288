/** Bots that fetch what they are to hear, in place of being called; and what holds when they change from one to the other. */
import type { Update } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api } from '../support/api.ts'
import {
  acknowledge,
  makePuller,
  messageOf,
  openSocket,
  openStream,
  type PullQuery,
  pull,
  saidIn,
} from '../support/pulling.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import {
  attemptOf,
  callbackOf,
  makeGroup,
  makeUsers,
  pause,
  say,
  sayInGroup,
  statesOf,
  textsOf,
  until,
} from './support.ts'

const ALREADY = 'ERR_BOT_ALREADY_CONSUMED'
/** Far less than the look that finds what nobody told of. */
const AT_ONCE_MS = 600
/** Where it is not about how soon. */
const SOON = { timeout: 5000 }
const people = ['ann', 'bob', 'cat', 'dan']

describeEngines('updates', (engine) => {
  let server: TestServer
  let api: Api
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    await makeUsers(server, ...people)
  })
  afterAll(() => server?.dispose())
  beforeEach(() => {
    bot = `bot-${++bots}`
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
  })

  const fetchAll = (query: PullQuery = {}) => pull(server, bot, query)
  const tell = async (...texts: readonly string[]): Promise<void> => {
    for (const text of texts) await say(server, text.split(' ')[0] ?? '', bot, text)
  }
  const change = (body: object): Promise<unknown> => api.ok('PUT', `/bots/${bot}`, { body })

  describe('whose they are', () => {
    test('a bot that fetches needs no URL; one that is called does, and cannot fetch', async () => {
      await makeUsers(server, bot)
      const missing = { details: { webhookURL: expect.any(String) } }
      expect(await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid: bot } })).toMatchObject(missing)
      await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid: bot, receive: 'push' } })
      const made = await api.ok('POST', '/bots', { body: { uid: bot, enabled: true, receive: 'pull' } })
      expect(made.data).toMatchObject({ receive: 'pull' })
      expect(made.data).not.toHaveProperty('webhookURL')
      for (const receive of ['push', null]) {
        const refused = await api.fails('ERR_BAD_REQUEST', 'PUT', `/bots/${bot}`, { body: { receive } })
        expect(refused).toMatchObject(missing)
      }
      await tell('ann 1')
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
      await change({ receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
      for (const query of [{}, { offset: 1 }, { timeoutSeconds: 5 }]) {
        expect(await fetchAll(query)).toMatchObject({ status: 409, code: 'ERR_BOT_NOT_PULLING' })
      }
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: 'ERR_BOT_NOT_PULLING' })
      const body = { offset: 1 }
      await api.fails('ERR_BOT_NOT_PULLING', 'POST', `/bots/${bot}/updates/acknowledge`, { body })
      expect(await pull(server, 'ann')).toMatchObject({ status: 404, code: 'ERR_BOT_NOT_FOUND' })
    })

    test('it is not called, whatever URL it has', async () => {
      const receiver = await startCallbackReceiver()
      await makePuller(server, bot, { webhookURL: receiver.url })
      await tell('ann 1', 'ann 2')
      await pause(1500)
      expect(receiver.connections).toBe(0)
      expect(await statesOf(server, bot)).toEqual(['pending', 'pending'])
      await receiver.close()
    })

    test('a disabled bot is given nothing, and nothing of that time later', async () => {
      await makePuller(server, bot)
      await tell('ann 1')
      await change({ enabled: false })
      await tell('ann 2')
      expect(await fetchAll()).toMatchObject({ status: 200, updates: [] })
      await change({ enabled: true })
      await tell('ann 3')
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1', 'ann 3'])
    })

    test('in groups by its setting; other triggers if it has asked for them, in the order of the conversation', async () => {
      const group = `team-${bots}`
      await makePuller(server, bot, { groupChatSetting: 'slashedMessages', triggers: ['message_edited'] })
      await makePuller(server, `${bot}-b`)
      await makeGroup(server, group, 'ann', bot, `${bot}-b`)
      await sayInGroup(server, 'ann', group, 'for nobody')
      const { id } = await sayInGroup(server, 'ann', group, '/roll')
      await api.ok('PUT', `/messages/${id}`, { body: { data: { text: '/roll 2d6' } }, onBehalfOf: 'ann' })
      await api.ok('DELETE', `/messages/${id}`, { onBehalfOf: 'ann' })
      await sayInGroup(server, 'ann', group, '/stop')
      const { updates } = await fetchAll()
      expect(updates.map(({ trigger, sequence, callback }) => [trigger, sequence, callback.trigger])).toEqual([
        ['after_message', 1, 'after_message'],
        ['message_edited', 2, 'message_edited'],
        ['after_message', 3, 'after_message'],
      ])
      expect(updates[1]?.callback).toMatchObject({
        data: { message: { sender: 'ann', data: { action: 'edited', entities: { on: { entity: { id } } } } } },
      })
      expect((await pull(server, `${bot}-b`)).updates).toEqual([])
      await server.client.request('DELETE', `/bots/${bot}-b`)
    })

    test('an update is what would be posted, with what would be in its headers', async () => {
      await makePuller(server, bot)
      const sent = await say(server, 'ann', bot, 'hé 👋')
      await tell('ann 2')
      const { updates, offset } = await fetchAll()
      const [first, second] = updates
      expect(Object.keys(first ?? {})).toEqual([
        'offset',
        'id',
        'attempt',
        'conversationId',
        'sequence',
        'previousSequence',
        'trigger',
        'hop',
        'callback',
      ])
      expect(first).toEqual({
        offset: 1,
        id: expect.stringMatching(/^dlv_[0-9A-HJKMNP-TV-Z]{26}$/),
        attempt: 1,
        conversationId: `ann_user_${bot}`,
        sequence: 1,
        previousSequence: 0,
        trigger: 'after_message',
        hop: 0,
        callback: {
          trigger: 'after_message',
          data: sent,
          appId: server.appId,
          origin: { platform: 'API', language: 'http', resource: 'rest-api' },
          chatAPIVersion: '3.0',
          region: 'local',
          bot,
        },
      })
      expect(second).toMatchObject({ offset: 2, sequence: 2, previousSequence: 1 })
      expect(offset).toBe(2)
      // Again: the same, under a new offset.
      const again = (await fetchAll()).updates
      expect(again).toEqual(updates.map((update, n) => ({ ...update, offset: n + 3, attempt: 2 })))
      expect((await api.ok('GET', `/deliveries/${first?.id}`)).data).toMatchObject({ state: 'pending', bot })
    })
  })

  describe('one call after the other', () => {
    beforeEach(() => makePuller(server, bot))

    test('answers at once unless it is told to wait, and waits no longer than told', async () => {
      const empty = await fetchAll()
      expect([empty.status, empty.updates, empty.offset]).toEqual([200, [], 0])
      expect(empty.ms).toBeLessThan(AT_ONCE_MS)
      const waited = await fetchAll({ timeoutSeconds: 1 })
      expect(waited.updates).toEqual([])
      expect(waited.ms).toBeGreaterThan(950)
      expect(waited.ms).toBeLessThan(1000 + AT_ONCE_MS)
      await tell('ann 1')
      const there = await fetchAll({ timeoutSeconds: 10 })
      expect(saidIn(there.updates)).toEqual(['ann 1'])
      expect(there.ms).toBeLessThan(AT_ONCE_MS)
    })

    test('waits until something comes, and is answered at once then', async () => {
      const times: number[] = []
      // Between two of its looks, wherever that is.
      for (const ms of [300, 450, 600]) {
        const waiting = fetchAll({ timeoutSeconds: 20, offset: 99 })
        await pause(ms)
        const said = performance.now()
        await tell('ann 1')
        expect(saidIn((await waiting).updates)).toEqual(['ann 1'])
        times.push(performance.now() - said)
      }
      expect(Math.max(...times)).toBeLessThan(300)
    })

    test('the offset of an answer acknowledges it; what is not acknowledged comes again, and nothing else', async () => {
      await tell('ann 1', 'bob 1', 'ann 2')
      const first = await fetchAll()
      expect(saidIn(first.updates).toSorted()).toEqual(['ann 1', 'ann 2', 'bob 1'])
      const again = await fetchAll()
      expect(again.updates.map(({ id }) => id)).toEqual(first.updates.map(({ id }) => id))
      await tell('ann 3')
      const [one] = again.updates
      const rest = await fetchAll({ offset: one?.offset })
      expect(rest.updates.map(({ id }) => id)).not.toContain(one?.id)
      expect(saidIn([...again.updates.slice(0, 1), ...rest.updates]).toSorted()).toEqual([
        'ann 1',
        'ann 2',
        'ann 3',
        'bob 1',
      ])
      expect((await fetchAll({ offset: rest.offset })).updates).toEqual([])
      expect(await statesOf(server, bot)).toEqual(Array(4).fill('delivered'))
      await tell('bob 2')
      expect(saidIn((await fetchAll({ offset: rest.offset })).updates)).toEqual(['bob 2'])
    })

    test('may be acknowledged by itself, in parts, twice, and under old offsets to no effect', async () => {
      await tell('ann 1', 'ann 2', 'ann 3')
      const { updates } = await fetchAll()
      expect(updates.map(({ offset }) => offset)).toEqual([1, 2, 3])
      expect(await acknowledge(server, bot, 2)).toBe(2)
      expect(await acknowledge(server, bot, 2)).toBe(0)
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 3'])
      expect(await acknowledge(server, bot, 3)).toBe(0)
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 3'])
      expect(await acknowledge(server, bot, 5)).toBe(1)
      expect((await fetchAll()).updates).toEqual([])
    })

    test('may be acknowledged one by one, whatever could not be done before it', async () => {
      await tell('ann 1', 'ann 2', 'bob 1')
      const ids = (await fetchAll()).updates.map(({ id }) => id)
      const path = `/bots/${bot}/updates/acknowledge`
      const acknowledged = async (body: object) => (await api.ok('POST', path, { body })).data
      expect(await acknowledged({ ids: [ids[1], ids[2], ids[2], 'dlv_0'] })).toEqual({ acknowledged: 2 })
      expect(await acknowledged({ ids: [ids[1]] })).toEqual({ acknowledged: 0 })
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
      expect(await statesOf(server, bot)).toEqual(['pending', 'delivered', 'delivered'])
      for (const body of [
        {},
        { offset: 1, ids: [ids[0]] },
        { ids: [] },
        { ids: [1] },
        { ids: Array(1001).fill('a') },
      ]) {
        await api.fails('ERR_BAD_REQUEST', 'POST', path, { body })
      }
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
    })

    test('a conversation that is never done with leaves room for others, look by look', async () => {
      for (let n = 1; n <= 6; n++) await tell(`ann ${n}`)
      await tell('bob 1', 'cat 1')
      const heard = new Set<string>()
      for (let look = 1; look <= 3; look++) {
        for (const text of saidIn((await fetchAll({ limit: 4 })).updates)) heard.add(text)
        await pause(2)
      }
      expect(heard).toEqual(new Set(['ann 1', 'ann 2', 'ann 3', 'ann 4', 'bob 1', 'cat 1']))
    })

    test('comes in pages, each conversation in order', async () => {
      for (let n = 1; n <= 8; n++) await tell(...people.map((person) => `${person} ${n}`))
      const heard: Update[] = []
      let offset: number | undefined
      const sizes: number[] = []
      for (;;) {
        const page = await fetchAll({ limit: 5, offset })
        if (page.updates.length === 0) break
        sizes.push(page.updates.length)
        heard.push(...page.updates)
        offset = page.offset
      }
      expect(sizes).toEqual([5, 5, 5, 5, 5, 5, 2])
      for (const person of people) {
        const own = heard.filter((update) => messageOf(update).sender === person)
        expect(saidIn(own)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${person} ${n}`))
        expect(own.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      }
      expect(new Set(heard.map(({ id }) => id)).size).toBe(32)
      await api.fails('ERR_BAD_REQUEST', 'GET', `/bots/${bot}/updates`, { query: { limit: 0 } })
      await api.fails('ERR_BAD_REQUEST', 'GET', `/bots/${bot}/updates`, { query: { timeoutSeconds: 51 } })
    })

    test('acknowledges nothing that the one before it had in hand, and it never saw', async () => {
      await tell('ann 1', 'ann 2', 'ann 3', 'ann 4')
      expect((await fetchAll()).updates).toHaveLength(4)
      // Its process is gone; the next one takes less at a time.
      const { updates, offset } = await fetchAll({ limit: 1 })
      expect(saidIn(updates)).toEqual(['ann 1'])
      expect(saidIn((await fetchAll({ offset })).updates)).toEqual(['ann 2', 'ann 3', 'ann 4'])
    })
  })

  describe('one consumer at a time', () => {
    beforeEach(() => makePuller(server, bot))

    test('while one call waits, another and a stream are refused; when it leaves, they may come', async () => {
      const leaving = new AbortController()
      const waiting = pull(server, bot, { timeoutSeconds: 20 }, leaving.signal).catch((error: Error) => error.name)
      await pause(500)
      expect(await fetchAll({ timeoutSeconds: 5 })).toMatchObject({ status: 409, code: ALREADY })
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      leaving.abort()
      expect(await waiting).toBe('AbortError')
      await until('its place is free', async () => (await fetchAll()).status === 200, 2000)
      await tell('ann 1')
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
    })

    test('a stream keeps its place until it leaves', async () => {
      const stream = await openStream(server, bot)
      expect(await fetchAll()).toMatchObject({ code: ALREADY })
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      await tell('ann 1')
      await expect.poll(() => saidIn(stream.updates), SOON).toEqual(['ann 1'])
      stream.leave()
      await until('its place is free', async () => (await fetchAll({ limit: 1 })).status === 200, 2000)
      // Not acknowledged: it is the next one's.
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
    })

    test('of many at once exactly one is served', async () => {
      const asked = Array.from({ length: 5 }, () => fetchAll({ timeoutSeconds: 1 }))
      const answers = await Promise.all(asked)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(answers.filter(({ code }) => code === ALREADY)).toHaveLength(4)
    })

    test('another bot is another matter', async () => {
      await makePuller(server, `${bot}-b`)
      const stream = await openStream(server, bot)
      expect((await pull(server, `${bot}-b`)).status).toBe(200)
      stream.leave()
      await server.client.request('DELETE', `/bots/${bot}-b`)
    })
  })

  describe('a stream', () => {
    beforeEach(() => makePuller(server, bot))

    test('brings updates as they happen, each once, in order', async () => {
      await tell('ann 1')
      const stream = await openStream(server, bot)
      await expect.poll(() => stream.updates.length, SOON).toBe(1)
      const times: number[] = []
      for (let n = 2; n <= 6; n++) {
        await pause(120)
        const said = performance.now()
        await tell(`ann ${n}`)
        await expect.poll(() => stream.updates.length, { interval: 5 }).toBe(n)
        times.push(performance.now() - said)
      }
      expect(Math.max(...times)).toBeLessThan(AT_ONCE_MS)
      expect(saidIn(stream.updates)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `ann ${n}`))
      expect(stream.updates.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6])
      await pause(1200)
      expect(stream.updates).toHaveLength(6)
      stream.leave()
    })

    test('is no more than a hundred ahead of what is acknowledged', async () => {
      for (let n = 1; n <= 30; n++) await Promise.all(people.map((person) => tell(`${person} ${n}`)))
      const stream = await openStream(server, bot)
      await expect.poll(() => stream.updates.length, SOON).toBe(100)
      await pause(1300)
      expect(stream.updates).toHaveLength(100)
      expect(await acknowledge(server, bot, stream.updates[4]?.offset ?? 0)).toBe(5)
      await expect.poll(() => stream.updates.length, SOON).toBe(105)
      await pause(1300)
      expect(stream.updates).toHaveLength(105)
      await acknowledge(server, bot, stream.updates.at(-1)?.offset ?? 0)
      await expect.poll(() => stream.updates.length, SOON).toBe(120)
      for (const person of people) {
        const own = stream.updates.filter((update) => messageOf(update).sender === person)
        expect(own.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
      }
      stream.leave()
    })

    test('that is a hundred ahead goes on at once when something is acknowledged', async () => {
      for (let n = 1; n <= 26; n++) await Promise.all(people.map((person) => tell(`${person} ${n}`)))
      const stream = await openStream(server, bot)
      await expect.poll(() => stream.updates.length, SOON).toBe(100)
      await pause(300)
      await acknowledge(server, bot, 100)
      await expect
        .poll(() => stream.updates.length, { timeout: AT_ONCE_MS })
        .toBe(104)
        .finally(stream.leave)
    })

    test('acknowledges by its offset, and brings again what is not acknowledged', async () => {
      await tell('ann 1', 'ann 2', 'ann 3')
      const { updates } = await fetchAll()
      const stream = await openStream(server, bot, `?offset=${updates[0]?.offset}`)
      await expect.poll(() => saidIn(stream.updates), SOON).toEqual(['ann 2', 'ann 3'])
      stream.leave()
    })
  })

  describe('a WebSocket', () => {
    beforeEach(() => makePuller(server, bot))

    test('brings updates as they happen, and hears what is done', async () => {
      await tell('ann 1')
      const bots = await openSocket(server, bot)
      const { frames, socket } = bots
      await expect.poll(() => saidIn(bots.updates), SOON).toEqual(['ann 1'])
      const said = performance.now()
      await tell('bob 1')
      await expect.poll(() => frames.length, { interval: 5 }).toBe(2)
      expect(performance.now() - said).toBeLessThan(AT_ONCE_MS)
      const [one, two] = bots.updates
      expect(one).toMatchObject({ offset: 1, sequence: 1, callback: { trigger: 'after_message', bot } })
      bots.say({ acknowledge: { ids: [two?.id] } })
      await expect.poll(() => frames.at(-1), SOON).toEqual({ acknowledged: 1 })
      expect(await statesOf(server, bot)).toEqual(['pending', 'delivered'])
      bots.say({ acknowledge: { offset: two?.offset } })
      await expect.poll(() => frames.length, SOON).toBe(4)
      expect(frames.at(-1)).toEqual({ acknowledged: 1 })
      expect(await statesOf(server, bot)).toEqual(['delivered', 'delivered'])
      socket.close()
    })

    test('begins behind an offset, and what it does not acknowledge comes again', async () => {
      await tell('ann 1', 'ann 2', 'ann 3')
      const { updates } = await fetchAll()
      const first = await openSocket(server, bot, { query: `?offset=${updates[0]?.offset}` })
      await expect.poll(() => saidIn(first.updates), SOON).toEqual(['ann 2', 'ann 3'])
      first.socket.close()
      await until('its place is free', async () => (await fetchAll({ limit: 1 })).status === 200, 2000)
      const second = await openSocket(server, bot)
      await expect.poll(() => saidIn(second.updates), SOON).toEqual(['ann 2', 'ann 3'])
      expect(second.updates.map(({ id }) => id)).toEqual(first.updates.map(({ id }) => id))
      second.socket.close()
    })

    test('is no more than a hundred ahead, a quarter of it of one conversation', async () => {
      for (let n = 1; n <= 30; n++) await tell(`ann ${n}`)
      await tell('bob 1')
      const one = await openSocket(server, bot)
      await expect.poll(() => one.updates.length, SOON).toBe(26)
      await pause(1300)
      expect(saidIn(one.updates)).toContain('bob 1')
      expect(one.updates).toHaveLength(26)
      one.say({ acknowledge: { offset: one.updates[9]?.offset } })
      await expect.poll(() => one.updates.length, SOON).toBe(31)
      one.socket.close()
    })

    test('has the one place of a consumer, until it leaves', async () => {
      const one = await openSocket(server, bot)
      expect(await openSocket(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      expect(await fetchAll()).toMatchObject({ code: ALREADY })
      one.socket.terminate()
      await until('its place is free', async () => (await fetchAll()).status === 200, 2000)
    })

    test('is refused in the words of any other request', async () => {
      const refusal = async (uid: string, headers?: Record<string, string>, query = '') => {
        const { status, code } = await openSocket(server, uid, { query, ...(headers && { headers }) })
        return [status, code]
      }
      const { appId } = server
      expect(await refusal(bot, { appid: appId })).toEqual([401, 'AUTH_ERR_EMPTY_APIKEY'])
      expect(await refusal(bot, { appid: appId, apikey: 'nobody' })).toEqual([401, 'AUTH_ERR_APIKEY_NOT_FOUND'])
      expect(await refusal(bot, { appid: appId, apikey: server.authKey })).toEqual([403, 'AUTH_ERR_NO_ACCESS'])
      expect(await refusal('nobody')).toEqual([404, 'ERR_BOT_NOT_FOUND'])
      expect(await refusal(bot, undefined, '?offset=x')).toEqual([400, 'ERR_BAD_REQUEST'])
      await makePuller(server, `${bot}-b`, { receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
      expect(await refusal(`${bot}-b`)).toEqual([409, 'ERR_BOT_NOT_PULLING'])
      await server.client.request('DELETE', `/bots/${bot}-b`)
      // Nobody has its place from all this.
      expect((await fetchAll()).status).toBe(200)
    })

    test('answers what is no frame with what is wrong with it, changes nothing, and goes on', async () => {
      await tell('ann 1')
      const one = await openSocket(server, bot)
      await expect.poll(() => one.updates.length, SOON).toBe(1)
      const bad = [
        '',
        'x',
        '[]',
        'null',
        '{}',
        { acknowledge: 1 },
        { acknowledge: {} },
        { acknowledge: { offset: 'x' } },
        { acknowledge: { offset: -1 } },
        { acknowledge: { offset: 1, ids: ['a'] } },
        { acknowledge: { ids: Array(1001).fill('a') } },
        Buffer.from([1, 2, 3]),
      ]
      for (const frame of bad) {
        if (Buffer.isBuffer(frame)) one.socket.send(frame)
        else one.say(frame)
      }
      await expect.poll(() => one.frames.length, SOON).toBe(1 + bad.length)
      for (const frame of one.frames.slice(1)) expect(frame).toMatchObject({ error: { code: 'ERR_BAD_REQUEST' } })
      expect(await statesOf(server, bot)).toEqual(['pending'])
      one.say({ acknowledge: { offset: one.updates[0]?.offset } })
      await expect.poll(() => one.frames.at(-1), SOON).toEqual({ acknowledged: 1 })
      // Far more than anything that it may say.
      one.say('x'.repeat(200_000))
      expect(await one.closed).toMatchObject({ code: 1009 })
      await until('its place is free', async () => (await fetchAll()).status === 200, 2000)
    })

    test('hears all that is said at once, in order', async () => {
      for (let n = 1; n <= 6; n++) await Promise.all(people.map((person) => tell(`${person} ${n}`)))
      const one = await openSocket(server, bot)
      await expect.poll(() => one.updates.length, SOON).toBe(24)
      for (const { id } of one.updates) for (let n = 0; n < 20; n++) one.say({ acknowledge: { ids: [id] } })
      await expect.poll(() => one.frames.length, { timeout: 20_000 }).toBe(24 + 480)
      const answers = one.frames.flatMap((frame) => ('acknowledged' in frame ? [frame.acknowledged] : []))
      expect(answers).toEqual(Array.from({ length: 480 }, (_, n) => (n % 20 === 0 ? 1 : 0)))
      one.socket.close()
    })

    test('ends when the bot is called again, or is gone, and says why', async () => {
      const one = await openSocket(server, bot)
      await change({ receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
      expect(await one.closed).toMatchObject({ code: 1008 })
      expect(one.frames).toMatchObject([{ error: { code: 'ERR_BOT_NOT_PULLING' } }])
      await change({ receive: 'pull' })
      const two = await openSocket(server, bot)
      await api.ok('DELETE', `/bots/${bot}`)
      expect(await two.closed).toMatchObject({ code: 1008 })
      expect(two.frames).toMatchObject([{ error: { code: 'ERR_BOT_NOT_FOUND' } }])
    })

    test('ends, as a stream does, when the key is taken away that it was opened with', async () => {
      const { data } = await api.ok('POST', '/apikeys', { body: { name: 'for a while', scope: 'fullAccess' } })
      const headers = { appid: server.appId, apikey: data.apiKey as string }
      const stream = await fetch(`${server.url}/v3/bots/${bot}/updates/stream`, { headers })
      expect(stream.status).toBe(200)
      await makePuller(server, `${bot}-b`)
      const socket = await openSocket(server, `${bot}-b`, { headers })
      expect(socket.status).toBe(101)
      await api.ok('DELETE', `/apikeys/${data.apiKey}`)
      expect(await socket.closed).toMatchObject({ code: 1008 })
      expect(socket.frames).toMatchObject([{ error: { code: 'AUTH_ERR_APIKEY_NOT_FOUND' } }])
      expect(await stream.text()).toBe(': connected\n\n')
      await server.client.request('DELETE', `/bots/${bot}-b`)
    })
  })

  describe('from being called to fetching, and back', () => {
    const retryPolicy = { delaysSeconds: [0.1], giveUpAfterSeconds: 2 }
    let receiver: CallbackReceiver
    beforeEach(async () => {
      receiver = await startCallbackReceiver()
      await makePuller(server, bot, { receive: 'push', webhookURL: receiver.url, retryPolicy })
    })
    afterEach(() => receiver.close())

    test('with a backlog, and callbacks under way: nothing is lost, nothing out of order', async () => {
      // Those under way when it changes: one will be taken, one will not.
      receiver.setBehaviour((one) => {
        const { text } = callbackOf(one).data.data
        return { status: text === 'bob 1' && attemptOf(one) === 1 ? 500 : 200, delayMs: 700 }
      })
      await tell('ann 1', 'bob 1', 'ann 2', 'bob 2', 'ann 3')
      await receiver.waitFor(2, 5000)
      await change({ receive: 'pull' })
      expect((await fetchAll()).updates).toEqual([])
      await tell('cat 1')
      expect(saidIn((await fetchAll()).updates)).toEqual(['cat 1'])
      await until('both attempts are on record', async () => {
        const { updates } = await fetchAll()
        return updates.length === 5
      })
      expect(textsOf(receiver.received).toSorted()).toEqual(['ann 1', 'bob 1'])
      const { updates } = await fetchAll()
      const of = (person: string): string[] => saidIn(updates).filter((text) => text.startsWith(person))
      expect([of('ann'), of('bob'), of('cat')]).toEqual([['ann 2', 'ann 3'], ['bob 1', 'bob 2'], ['cat 1']])
      // Up to the first of ann's, whatever comes before it.
      const upTo = updates.findIndex((update) => messageOf(update).data.text === 'ann 2')
      await acknowledge(server, bot, updates[upTo]?.offset ?? 0)
      const left = saidIn(updates.slice(upTo + 1))
      expect(left).toContain('ann 3')
      receiver.setBehaviour(() => ({ status: 200 }))
      await change({ receive: 'push' })
      await tell('ann 4')
      const pushed = textsOf(await receiver.waitFor(2 + left.length + 1, 5000)).slice(2)
      expect(pushed.toSorted()).toEqual([...left, 'ann 4'].toSorted())
      expect(pushed.filter((text) => text.startsWith('ann'))).toEqual(['ann 3', 'ann 4'])
      const bobs = left.filter((text) => text.startsWith('bob'))
      expect(pushed.filter((text) => text.startsWith('bob'))).toEqual(bobs)
      await until('all is delivered', async () => (await statesOf(server, bot)).every((state) => state === 'delivered'))
      expect(receiver.received).toHaveLength(2 + left.length + 1)
    })

    test('a stream ends when the bot is called again, and a call that waits is told so', async () => {
      await change({ receive: 'pull' })
      const stream = await openStream(server, bot)
      await tell('ann 1')
      await expect.poll(() => saidIn(stream.updates), SOON).toEqual(['ann 1'])
      await change({ receive: 'push' })
      await stream.ended
      expect(textsOf(await receiver.waitFor(1, 5000))).toEqual(['ann 1'])
      await change({ receive: 'pull' })
      const waiting = fetchAll({ timeoutSeconds: 20 })
      await pause(200)
      await change({ receive: 'push' })
      expect(await waiting).toMatchObject({ code: 'ERR_BOT_NOT_PULLING' })
    })
  })
})
