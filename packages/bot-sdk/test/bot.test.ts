/** A bot with a web server of its own, and a real Confab that calls it. */
import type { Message } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createBot, type Incoming } from '../src/index.ts'
import { startServer, type TestServer } from './server.ts'

let server: TestServer
let listening: { url: string; close(): Promise<void> }
let secret = ''
let handle: (incoming: Incoming) => Promise<void> = async () => {}
const errors: unknown[] = []

beforeAll(async () => {
  server = await startServer()
  const { client } = server
  for (const uid of ['ann', 'bob', 'parrot']) await client.createUser({ uid, name: uid.toUpperCase() })
  const members = { participants: ['bob', 'parrot'] }
  await client.createGroup({ guid: 'lounge', name: 'Lounge', type: 'public', owner: 'ann', members })
  const bot = createBot({
    uid: 'parrot',
    get signingSecret() {
      return secret
    },
    client,
    onMessage: (incoming) => handle(incoming),
    onError: (error) => errors.push(error),
  })
  listening = await bot.listen()
  const body = { uid: 'parrot', webhookURL: `${listening.url}/hook`, enabled: true, groupChatSetting: 'allMessages' }
  secret = (await client.request<{ signingSecret: string }>('POST', '/bots', { body })).data.signingSecret
})
afterAll(async () => {
  await listening?.close()
  await server?.dispose()
})

const say = (text: string, onBehalfOf = 'ann'): Promise<Message> =>
  server.client.sendMessage({ receiver: 'parrot', receiverType: 'user' }, text, { onBehalfOf })

const textsOf = async (path: string, onBehalfOf: string): Promise<string[]> => {
  const { data } = await server.client.request<Message[]>('GET', path, { onBehalfOf })
  return data.map(({ sender, data: { text } }) => `${sender}: ${text}`)
}
const withAnn = (): Promise<string[]> => textsOf('/users/parrot/messages', 'ann')
const eventually = (check: () => Promise<void> | void): Promise<void> =>
  vi.waitFor(check, { timeout: 5000, interval: 25 })

describe('a message', () => {
  test('one to one is answered to its sender, as many times as the bot speaks, in order', async () => {
    const seen: Incoming[] = []
    handle = async (incoming) => {
      seen.push(incoming)
      await incoming.reply(`You said: ${incoming.text}`)
      await incoming.reply({ data: { text: 'Anything else?' } })
    }
    const sent = await say('Hello!')
    await eventually(async () =>
      expect(await withAnn()).toEqual(['ann: Hello!', 'parrot: You said: Hello!', 'parrot: Anything else?']),
    )
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      text: 'Hello!',
      attempt: 1,
      sequence: 1,
      previousSequence: 0,
      message: { id: sent.id, sender: 'ann', conversationId: 'ann_user_parrot' },
      callback: { trigger: 'after_message', bot: 'parrot', appId: server.appId },
    })
    await say('Again!')
    await eventually(() => expect(seen).toHaveLength(2))
    expect(seen[1]).toMatchObject({ text: 'Again!', sequence: 2, previousSequence: 1 })
    expect(seen[1]?.id).not.toBe(seen[0]?.id)
  })

  test('in a group is answered in the group', async () => {
    handle = async ({ text, reply }) => void (await reply(`You said: ${text}`))
    const to = { receiver: 'lounge', receiverType: 'group' } as const
    await server.client.sendMessage(to, 'Hello, all!', { onBehalfOf: 'bob' })
    await eventually(async () =>
      expect(await textsOf('/groups/lounge/messages', 'ann')).toEqual(
        expect.arrayContaining(['bob: Hello, all!', 'parrot: You said: Hello, all!']),
      ),
    )
    expect(await textsOf('/users/parrot/messages', 'bob')).toEqual([])
  })

  test('without text has an empty one', async () => {
    const texts: string[] = []
    handle = async ({ text }) => void texts.push(text)
    const custom = { category: 'custom', type: 'place', data: { customData: { lat: 1 } } } as const
    await server.client.sendMessage({ receiver: 'parrot', receiverType: 'user' }, custom, { onBehalfOf: 'ann' })
    await eventually(() => expect(texts).toEqual(['']))
  })

  test('whose handler fails comes again, is told of, and what was answered is answered once', async () => {
    const attempts: number[] = []
    errors.length = 0
    handle = async ({ attempt, reply }) => {
      attempts.push(attempt)
      await reply('One moment …')
      if (attempt < 3) throw new Error(`the database of the bot is away (${attempt})`)
      await reply('There it is.')
    }
    await say('What is the answer?')
    await eventually(() => expect(attempts).toEqual([1, 2, 3]))
    await eventually(async () =>
      expect((await withAnn()).slice(-3)).toEqual([
        'ann: What is the answer?',
        'parrot: One moment …',
        'parrot: There it is.',
      ]),
    )
    expect(errors.map(String)).toEqual([1, 2].map((n) => `Error: the database of the bot is away (${n})`))
  })

  test('whose answer came too late comes again, and is answered once', async () => {
    const attempts: number[] = []
    handle = async ({ attempt, reply }) => {
      attempts.push(attempt)
      await reply(`Late, the first time. Attempt ${attempt}.`)
      // Longer than the server waits.
      if (attempt === 1) await new Promise((resolve) => setTimeout(resolve, 1300))
    }
    await say('Are you slow?')
    await eventually(() => expect(attempts).toEqual([1, 2]))
    await eventually(async () =>
      expect((await withAnn()).slice(-2)).toEqual(['ann: Are you slow?', 'parrot: Late, the first time. Attempt 1.']),
    )
  })
})

test('typing is shown where the message came from', async () => {
  const shown: string[] = []
  handle = async (incoming) => {
    await incoming.typing()
    await incoming.reply('Here it is.')
    await incoming.typing('ended')
  }
  const { authToken = '' } = (
    await server.client.request<{ authToken: string }>('POST', '/users/ann/auth_tokens', { body: { force: true } })
  ).data
  const answer = await fetch(`${server.url}/v3/me`, {
    method: 'PUT',
    headers: { authtoken: authToken, 'content-type': 'application/json' },
    body: '{}',
  })
  const { data: me } = (await answer.json()) as { data: { jwt: string } }
  const socket = new WebSocket(server.url.replace(/^http/, 'ws'))
  socket.onopen = () => socket.send(JSON.stringify({ type: 'auth', body: { auth: me.jwt } }))
  socket.onmessage = ({ data }) => {
    const { type, body } = JSON.parse(String(data)) as {
      type: string
      body: { action?: string; sender?: string; user?: { uid: string } }
    }
    if (type === 'typing_indicator') shown.push(`${body.user?.uid} ${body.action}`)
    else if (type === 'message') shown.push(`${body.sender} says`)
    else shown.push(type)
  }
  await eventually(() => expect(shown).toEqual(['auth']))
  await say('Where is it?')
  await eventually(() => expect(shown).toEqual(['auth', 'ann says', 'parrot started', 'parrot says', 'parrot ended']))
  socket.close()
})
