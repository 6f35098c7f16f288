/** A bot that fetches what it hears, from a real Confab; it has no web server and no secret. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Message } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Bot, type BotOptions, createBot, type Incoming, type IncomingTrigger } from '../src/index.ts'
import { startServer, type TestServer } from './server.ts'

let server: TestServer
let uid = ''
let made = 0
const people = ['ann', 'bob', 'cat', 'dan', 'eve']
const errors: unknown[] = []
/** What is pulling. */
let running: { stop: AbortController; ended: Promise<void> }[] = []

beforeAll(async () => {
  server = await startServer()
  for (const person of people) await server.client.createUser({ uid: person, name: person.toUpperCase() })
})
beforeEach(async () => {
  uid = `puller-${++made}`
  errors.length = 0
  await server.client.createUser({ uid, name: 'Puller' })
  const body = { uid, enabled: true, receive: 'pull', triggers: ['group_member_added', 'message_edited'] }
  await server.client.request('POST', '/bots', { body })
})
const stopAll = async (): Promise<void> => {
  for (const { stop } of running) stop.abort()
  await Promise.all(running.map(({ ended }) => ended))
  running = []
}
afterEach(async () => {
  await stopAll()
  await server.client.request('DELETE', `/bots/${uid}`)
})
afterAll(() => server?.dispose())

const say = (text: string, onBehalfOf = 'ann'): Promise<Message> =>
  server.client.sendMessage({ receiver: uid, receiverType: 'user' }, text, { onBehalfOf })

const start = (options: Partial<BotOptions>, pullOptions: Parameters<Bot['pull']>[0] = {}) => {
  const onError = (error: unknown): void => void errors.push(error)
  const bot = createBot({ uid, client: server.client, onMessage: () => {}, onError, ...options })
  const stop = new AbortController()
  const one = { stop, ended: bot.pull({ ...pullOptions, signal: stop.signal }) }
  running.push(one)
  return one
}
const eventually = (check: () => Promise<void> | void, timeout = 5000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 20 })

const states = async (): Promise<string[]> => {
  const { data } = await server.client.request<{ state: string }[]>('GET', '/deliveries', { query: { bot: uid } })
  return data.map(({ state }) => state).toReversed()
}

test('hears at once what is said, answers it, and has it acknowledged', async () => {
  const heard: Incoming[] = []
  start({
    onMessage: async (incoming) => {
      heard.push(incoming)
      await incoming.reply(`You said: ${incoming.text}`)
    },
  })
  // It waits already.
  await pause(300)
  const started = performance.now()
  const { id } = await say('Hello!')
  await eventually(() => expect(heard).toHaveLength(1))
  expect(performance.now() - started).toBeLessThan(700)
  expect(heard[0]).toMatchObject({
    text: 'Hello!',
    attempt: 1,
    sequence: 1,
    previousSequence: 0,
    hop: 0,
    message: { id },
  })
  await eventually(async () => {
    const { data } = await server.client.request<Message[]>('GET', `/users/${uid}/messages`, { onBehalfOf: 'ann' })
    expect(data.map((one) => one.data.text)).toEqual(['Hello!', 'You said: Hello!'])
  })
  await eventually(async () => expect(await states()).toEqual(['delivered']))
  await say('Again!')
  await eventually(() => expect(heard.map(({ text }) => text)).toEqual(['Hello!', 'Again!']))
  expect(errors).toEqual([])
})

test('a backlog comes in the order of each conversation, side by side, no more at once than allowed', async () => {
  for (let n = 1; n <= 6; n++) for (const person of people) await say(`${person} ${n}`, person)
  const heard: string[] = []
  const busy = new Set<string>()
  let most = 0
  let twice = 0
  start(
    {
      onMessage: async ({ text, message }) => {
        if (busy.has(message.sender)) twice++
        busy.add(message.sender)
        most = Math.max(most, busy.size)
        await pause(15)
        busy.delete(message.sender)
        heard.push(text)
      },
    },
    { maxConcurrency: 3 },
  )
  await eventually(() => expect(heard).toHaveLength(30))
  for (const person of people) {
    expect(heard.filter((text) => text.startsWith(person))).toEqual([1, 2, 3, 4, 5, 6].map((n) => `${person} ${n}`))
  }
  expect([most, twice]).toEqual([3, 0])
  await eventually(async () => expect(await states()).toEqual(Array(30).fill('delivered')))
  expect(heard).toHaveLength(30)
})

test('triggers come to onTrigger, in their place', async () => {
  const heard: IncomingTrigger[] = []
  const messages: string[] = []
  start({
    onMessage: ({ text }) => void messages.push(text),
    onTrigger: (incoming) => void heard.push(incoming),
  })
  const { id } = await say('Helo')
  await server.client.request('PUT', `/messages/${id}`, { body: { data: { text: 'Hello' } }, onBehalfOf: 'ann' })
  const body = { guid: `den-${uid}`, name: 'Den', type: 'public' } as const
  await server.client.createGroup(body)
  await server.client.request('POST', `/groups/${body.guid}/members`, { body: { participants: [uid] } })
  await eventually(() => expect(heard).toHaveLength(2))
  expect(heard.map(({ trigger, sequence }) => `${trigger} ${sequence}`).toSorted()).toEqual([
    'group_member_added 1',
    'message_edited 2',
  ])
  expect(messages).toEqual(['Helo'])
})

test('one that is slow holds up its conversation, and no other', async () => {
  const heard: string[] = []
  const slow = Promise.withResolvers<void>()
  start({
    onMessage: async ({ text }) => {
      if (text === 'ann 1') await slow.promise
      heard.push(text)
    },
  })
  await say('ann 1')
  await say('ann 2')
  await say('bob 1', 'bob')
  await eventually(() => expect(heard).toEqual(['bob 1']))
  await say('bob 2', 'bob')
  await eventually(() => expect(heard).toEqual(['bob 1', 'bob 2']))
  await pause(1200)
  expect(heard).toEqual(['bob 1', 'bob 2'])
  // What stands behind it is not acknowledged, and not handled again either.
  expect((await states())[0]).toBe('pending')
  slow.resolve()
  await eventually(() => expect(heard).toEqual(['bob 1', 'bob 2', 'ann 1', 'ann 2']))
  await eventually(async () => expect(await states()).toEqual(Array(4).fill('delivered')))
  expect(heard).toHaveLength(4)
})

test('one that fails comes again before the next of its conversation, and what was answered is answered once', async () => {
  const heard: string[] = []
  let failures = 2
  start({
    onMessage: async ({ text, reply }) => {
      heard.push(text)
      await reply(`about ${text}`)
      if (text === 'ann 1' && failures-- > 0) throw new Error('the database of the bot is away')
    },
  })
  await say('ann 1')
  await say('ann 2')
  await say('bob 1', 'bob')
  await eventually(() => expect(heard.filter((text) => text.startsWith('ann'))).toHaveLength(4), 10_000)
  expect(heard.filter((text) => text.startsWith('ann'))).toEqual(['ann 1', 'ann 1', 'ann 1', 'ann 2'])
  expect(heard.filter((text) => text.startsWith('bob'))).toEqual(['bob 1'])
  expect(errors.map(String)).toEqual(Array(2).fill('Error: the database of the bot is away'))
  await eventually(async () => expect(await states()).toEqual(Array(3).fill('delivered')))
  const { data } = await server.client.request<Message[]>('GET', `/users/${uid}/messages`, { onBehalfOf: 'ann' })
  expect(data.map((one) => one.data.text)).toEqual(['ann 1', 'ann 2', 'about ann 1', 'about ann 2'])
})

test('one that fails again and again is tried at a slower and slower pace, and nobody else waits for it', async () => {
  const heard: string[] = []
  start({
    onMessage: ({ text }) => {
      heard.push(text)
      if (text === 'ann 1') throw new Error('never')
    },
  })
  await say('ann 1')
  await say('ann 2')
  for (let n = 1; n <= 4; n++) {
    await pause(1000)
    await say(`bob ${n}`, 'bob')
  }
  await eventually(() => expect(heard).toContain('bob 4'))
  const tries = heard.filter((text) => text.startsWith('ann'))
  // At 0, about 1 and about 3 s.
  expect([2, 3]).toContain(tries.length)
  expect(new Set(tries)).toEqual(new Set(['ann 1']))
  expect(heard.filter((text) => text.startsWith('bob'))).toEqual(['bob 1', 'bob 2', 'bob 3', 'bob 4'])
})

test('a conversation of which nothing can be handled, however much waits in it, keeps no other from being heard', async () => {
  for (let n = 1; n <= 12; n++) await Promise.all(Array.from({ length: 10 }, () => say('poison')))
  const heard: string[] = []
  start({
    onMessage: ({ text }) => {
      if (text === 'poison') throw new Error('never')
      heard.push(text)
    },
  })
  await eventually(() => expect(errors.length).toBeGreaterThan(0))
  for (let n = 1; n <= 3; n++) {
    await say(`bob ${n}`, 'bob')
    await say(`cat ${n}`, 'cat')
  }
  await eventually(() => expect(heard).toHaveLength(6), 8000)
  await eventually(async () => {
    const { data } = await server.client.request<{ conversationId: string }[]>('GET', '/deliveries', {
      query: { bot: uid, state: 'delivered' },
    })
    expect(data).toHaveLength(6)
    expect(new Set(data.map(({ conversationId }) => conversationId))).toEqual(
      new Set([`bob_user_${uid}`, `cat_user_${uid}`]),
    )
  })
})

test('stops when it is told to: ends what it has begun, and begins nothing more', async () => {
  const heard: string[] = []
  const { stop, ended } = start({
    onMessage: async ({ text }) => {
      heard.push(text)
      await pause(400)
    },
  })
  await pause(200)
  for (const text of ['one', 'two', 'three']) await say(text)
  await eventually(() => expect(heard).toContain('one'))
  stop.abort()
  const started = performance.now()
  await ended
  expect(performance.now() - started).toBeLessThan(1000)
  expect(heard).toEqual(['one'])
  expect(await states()).toEqual(['delivered', 'pending', 'pending'])
  expect(errors).toEqual([])
  // Nobody holds its place: the next one goes on where it left off.
  start({ onMessage: ({ text }) => void heard.push(text) })
  await eventually(() => expect(heard).toEqual(['one', 'two', 'three']), 1500)
  // At rest it stops at once too, and one that is told before it begins never does.
  await pause(200)
  const again = performance.now()
  await stopAll()
  expect(performance.now() - again).toBeLessThan(500)
  await say('four')
  const bot = createBot({ uid, client: server.client, onMessage: ({ text }) => void heard.push(text) })
  await bot.pull({ signal: AbortSignal.abort() })
  expect(heard).toEqual(['one', 'two', 'three'])
})

test('of two the second waits without a word until the first has left', async () => {
  const heard: string[] = []
  const first = start({ onMessage: ({ text }) => void heard.push(`first ${text}`) })
  await pause(300)
  start({ onMessage: ({ text }) => void heard.push(`second ${text}`) })
  await pause(300)
  await say('one')
  await eventually(() => expect(heard).toEqual(['first one']))
  // The hold of the first ends between two of its looks, and the second may come in then: once, and not at once with it.
  await eventually(async () => expect(await states()).toEqual(['delivered']))
  first.stop.abort()
  await first.ended
  await say('two')
  await eventually(() => expect(heard).toEqual(['first one', 'second two']), 6000)
  expect(errors).toEqual([])
})

test('outlives the server, and says what it could not do', { timeout: 40_000 }, async () => {
  const heard: string[] = []
  start({ onMessage: ({ text }) => void heard.push(text) })
  await say('before')
  await eventually(() => expect(heard).toEqual(['before']))
  await server.kill()
  await pause(1500)
  await server.start()
  await say('after')
  // Its place is kept for a while by the poll that died with the server.
  await eventually(() => expect(heard).toEqual(['before', 'after']), 20_000)
  expect(errors.length).toBeGreaterThan(0)
  // At the pace of its backoff, not as fast as it can.
  expect(errors.length).toBeLessThan(5)
  for (const error of errors) expect(error).toMatchObject({ name: 'ConfabUnreachableError' })
})

test('a bot that is called cannot pull, is told so, and goes on when it may', async () => {
  const change = (body: object) => server.client.request('PUT', `/bots/${uid}`, { body })
  await change({ receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
  const heard: string[] = []
  start({ onMessage: ({ text }) => void heard.push(text) })
  await eventually(() => expect(errors).toHaveLength(1))
  expect(errors[0]).toMatchObject({ code: 'ERR_BOT_NOT_PULLING' })
  await say('for whoever may')
  await change({ receive: 'pull' })
  await eventually(() => expect(heard).toEqual(['for whoever may']), 8000)
})
