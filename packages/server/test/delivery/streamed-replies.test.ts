/** Answers that come as a stream of events: one message at the end, whatever becomes of the stream. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { Clients } from '../support/sessions.ts'
import { attemptsOf, makeUsers, pause, query, say, until } from './support.ts'
import { makeBotWith, onlyDelivery } from './watch.ts'

/** What the bot does with the nth callback that it gets. */
type Speak = (response: ServerResponse, n: number) => Promise<void> | void

interface Speaker {
  readonly url: string
  readonly calls: number
  close(): void
}

const startSpeaker = async (speak: Speak): Promise<Speaker> => {
  let calls = 0
  const server: Server = createServer((request, response) => {
    request.resume()
    request.on('end', () => void speak(response, ++calls))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    get calls() {
      return calls
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const begin = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders()
}
const piece = (response: ServerResponse, text: string): void => {
  response.write(`data: ${JSON.stringify({ text })}\n\n`)
}

describeEngines('streamed replies', (engine) => {
  let server: TestServer
  let api: Api
  let speaker: Speaker | undefined
  let bot = ''
  let bots = 0

  beforeAll(async () => {
    const env = { CONFAB_RETRY_SCHEDULE: '100ms', CONFAB_LEASE: '1s', CONFAB_SHUTDOWN_GRACE: '1s' }
    server = await startServer({ engine, env })
    api = new Api(server)
    await makeUsers(server, 'ann')
  })
  afterAll(() => server?.dispose())
  beforeEach(() => {
    bot = `bot-${++bots}`
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    speaker?.close()
  })

  const ask = async (speak: Speak): Promise<void> => {
    speaker = await startSpeaker(speak)
    await makeBotWith(server, bot, { webhookURL: speaker.url, timeoutSeconds: 1 })
    await say(server, 'ann', bot, 'tell me')
  }
  /** `data` of what the bot has said. */
  const said = async (): Promise<Json[]> => {
    const rows = await query<{ data: string }>(
      server,
      `SELECT data FROM messages WHERE app_id = '${server.appId}' AND sender = '${bot}' ORDER BY id`,
    )
    return rows.map(({ data }) => JSON.parse(data))
  }
  const delivered = () => onlyDelivery(api, bot, 'delivered')

  test('goes on for longer than an answer may take, and is one message', async () => {
    await ask(async (response) => {
      begin(response)
      for (const text of ['Once ', 'upon ', 'a ', 'time.\n']) {
        await pause(400)
        piece(response, text)
      }
      response.end()
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', status: 200 }])
    expect(history[0]).not.toHaveProperty('error')
    expect(history[0]?.phases.total).toBeGreaterThan(1500)
    const messages = await said()
    expect(messages).toMatchObject([{ text: 'Once upon a time.\n' }])
    expect(messages[0]).not.toHaveProperty('metadata')
    expect(speaker?.calls).toBe(1)
  })

  test('is seen while it goes on: that the bot types, and the text so far', async () => {
    const clients = new Clients(server)
    const plain = await clients.signIn({ uid: 'ann' })
    const own = await clients.signIn({ uid: 'ann', confab: { streams: true } })
    await ask(async (response) => {
      begin(response)
      for (const text of ['Once ', 'upon ', 'a ', 'time.']) {
        await pause(300)
        piece(response, text)
      }
      response.end()
    })
    await delivered()
    for (const client of [plain, own]) {
      const started = await client.frame('typing_indicator')
      expect(started).toMatchObject({ sender: bot, receiver: 'ann', receiverType: 'user' })
      expect(started.body).toMatchObject({ action: 'started', user: { uid: bot } })
      await client.frame('typing_indicator', ({ body }) => body.action === 'ended')
      await client.message(({ data }) => data.text === 'Once upon a time.')
    }
    const texts = own.of('stream').map(({ body }) => body.stream.text)
    expect(texts.length).toBeGreaterThan(1)
    expect(texts.every((text, at) => text.startsWith(texts[at - 1] ?? ''))).toBe(true)
    expect(own.of('stream').at(-1)?.body.stream).toMatchObject({ text: 'Once upon a time.', isDone: true })
    expect(own.of('transient_message')).toEqual([])
    const transient = plain.of('transient_message').map(({ body }) => body.data)
    expect(transient.map(({ stream }) => stream.text)).toEqual(texts)
    expect(transient[0].type).toBe('confab_stream')
    expect(plain.of('stream')).toEqual([])
    await clients.dispose()
  })

  test('ends with the last thing said, also without an empty line behind it', async () => {
    await ask((response) => {
      begin(response)
      piece(response, 'Hello, ')
      response.end('data: {"text":"world"}\n')
    })
    const { history } = await delivered()
    expect(history[0]).not.toHaveProperty('error')
    const messages = await said()
    expect(messages).toMatchObject([{ text: 'Hello, world' }])
    expect(messages[0]).not.toHaveProperty('metadata')
  })

  test('that ends within an event has broken off there', async () => {
    await ask((response) => {
      begin(response)
      piece(response, 'Hello')
      response.end('data: {"text":", wor')
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', error: expect.stringMatching(/ended within an event$/) }])
    expect(await said()).toMatchObject([{ text: 'Hello', metadata: { '@confab': { stream: 'aborted' } } }])
  })

  test('may end in a whole message', async () => {
    await ask((response) => {
      begin(response)
      piece(response, 'thinking …')
      const reply = { data: { text: 'the answer', metadata: { sources: 3 } }, tags: ['ai'] }
      response.end(`event: reply\ndata: ${JSON.stringify(reply)}\n\ndata: [DONE]\n\n`)
    })
    await delivered()
    expect(await said()).toMatchObject([{ text: 'the answer', metadata: { sources: 3 } }])
  })

  test.each([
    ['breaks off', (response: ServerResponse) => void response.destroy()],
    ['comes to a halt', () => {}],
  ])('that %s keeps what was said, marked as such, and is not asked for again', async (_, end) => {
    await ask(async (response) => {
      begin(response)
      piece(response, 'The answer is')
      await pause(100)
      end(response)
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', error: expect.stringMatching(/^the stream broke off: /) }])
    expect(await said()).toMatchObject([{ text: 'The answer is', metadata: { '@confab': { stream: 'aborted' } } }])
    await pause(500)
    expect(speaker?.calls).toBe(1)
  })

  test('that is too long is cut between two characters, marked as such, and the attempt says so', async () => {
    await ask((response) => {
      begin(response)
      piece(response, 'x'.repeat(5999))
      piece(response, '😀')
      piece(response, 'and so on')
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', error: 'the stream was cut after 6000 characters' }])
    const metadata = { '@confab': { stream: 'aborted' } }
    expect(await said()).toMatchObject([{ text: 'x'.repeat(5999), metadata }])
  })

  test('that breaks off before anything was said is as a callback that failed', async () => {
    await ask(async (response, n) => {
      begin(response)
      await pause(50)
      if (n === 1) response.destroy()
      else response.end('data: at last\n\n')
    })
    await delivered()
    expect((await attemptsOf(server, bot)).map(({ outcome }) => outcome)).toEqual(['retry:reset', 'delivered'])
    expect(await said()).toMatchObject([{ text: 'at last' }])
  })

  test('that says nothing, or nothing that can be posted, delivers the callback all the same', async () => {
    await ask((response) => {
      begin(response)
      response.end('event: reply\ndata: {"category":"nonsense"}\n\n')
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', error: expect.stringContaining('ERR_') }])
    expect(await said()).toEqual([])
  })

  test.each([
    [
      'nested too deeply',
      `{"data":{"text":"x","metadata":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}}`,
      /nested/,
    ],
    ['with NUL', '{"data":{"text":"x"},"tags":["\\u0000"]}', /NUL/],
  ])('whose whole message is %s delivers the callback, which says so', async (_, reply, why) => {
    await ask((response) => {
      begin(response)
      response.end(`event: reply\ndata: ${reply}\n\n`)
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', error: expect.stringMatching(why) }])
    expect(history[0]?.error).toMatch(/^the replies were not posted: the reply /)
    expect(await said()).toEqual([])
    expect(speaker?.calls).toBe(1)
  })

  test('a piece that holds what no text may is not left out: nothing is posted, and the attempt says why', async () => {
    await ask((response) => {
      begin(response)
      piece(response, 'not ')
      response.end('data: {"text":"good\\u0000"}\n\n')
    })
    const { history } = await delivered()
    expect(history).toMatchObject([{ outcome: 'delivered', error: expect.stringMatching(/U\+0000/) }])
    expect(await said()).toEqual([])
  })

  test('that the end of the server cuts off is asked for again, and said once', async () => {
    await ask(async (response, n) => {
      begin(response)
      piece(response, `answer ${n}`)
      if (n > 1) response.end()
    })
    await until('the stream has begun', () => (speaker?.calls ?? 0) > 0)
    await pause(200)
    await server.kill()
    await server.start()
    await delivered()
    expect(await said()).toMatchObject([{ text: 'answer 2' }])
  })
})
