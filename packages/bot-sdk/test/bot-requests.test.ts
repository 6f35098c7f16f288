/** What comes to a bot's web server from elsewhere, or again. Signatures are made here by the words of the standard. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CallbackRefusedError, ConfabClient, createBot, type Incoming } from '../src/index.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
let handle: (incoming: Incoming) => Promise<void> = async () => {}
const errors: unknown[] = []
const bot = createBot({
  uid: 'parrot',
  signingSecret: secret,
  // Nobody listens there: what these requests ask for is not answered.
  client: new ConfabClient({ url: 'http://127.0.0.1:9', apiKey: 'sesame-sesame-sesame' }),
  onMessage: (incoming) => handle(incoming),
  onError: (error) => errors.push(error),
})

let listening: { url: string; close(): Promise<void> }
beforeAll(async () => {
  listening = await bot.listen()
})
afterAll(() => listening?.close())

interface Signed {
  readonly id?: string
  readonly ageSeconds?: number
  readonly by?: string
  readonly body?: string
}

const signed = ({ id = `dlv_${randomUUID()}`, ageSeconds = 0, by = secret, body = '{}' }: Signed) => {
  const timestamp = Math.floor(Date.now() / 1000) - ageSeconds
  const key = Buffer.from(by.replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
    'confab-attempt': '1',
  }
}

const callback = (text: string): string =>
  JSON.stringify({
    trigger: 'after_message',
    bot: 'parrot',
    data: { id: '1', sender: 'bob', receiver: 'parrot', receiverType: 'user', data: { text } },
  })

const post = async (body: string, headers: Record<string, string>, method = 'POST'): Promise<number> => {
  const response = await fetch(`${listening.url}/hook`, { method, headers, ...(method === 'POST' && { body }) })
  await response.text()
  return response.status
}

describe('a request', () => {
  test('that is repeated is received again, and handled once', async () => {
    let handled = 0
    handle = async () => void handled++
    const body = callback('Hello!')
    const headers = signed({ body })
    expect([await post(body, headers), await post(body, headers), await post(body, headers)]).toEqual([200, 200, 200])
    expect(handled).toBe(1)
    // Remembered by its id, not by its words; and only what was handled to its end.
    expect(await post(body, signed({ body }))).toBe(200)
    expect(handled).toBe(2)
    handle = async () => {
      handled++
      throw new Error('not now')
    }
    const failing = signed({ body })
    expect([await post(body, failing), await post(body, failing)]).toEqual([500, 500])
    expect(handled).toBe(4)
  })

  test.each<[string, () => Record<string, string>]>([
    ['without a signature', () => ({})],
    ['signed with another secret', () => signed({ by: randomBytes(32).toString('base64'), body: callback('x') })],
    ['signed for another body', () => signed({ body: callback('y') })],
    ['that was signed long ago', () => signed({ ageSeconds: 400, body: callback('x') })],
    ['that will be signed some day', () => signed({ ageSeconds: -400, body: callback('x') })],
  ])('%s is refused, and not handled', async (_, headersOf) => {
    let handled = 0
    handle = async () => void handled++
    errors.length = 0
    expect(await post(callback('x'), headersOf())).toBe(401)
    expect(handled).toBe(0)
    expect(errors).toEqual([expect.any(CallbackRefusedError)])
    expect(String(errors[0])).not.toContain(secret)
    // It would have been handled.
    expect(await post(callback('x'), signed({ body: callback('x') }))).toBe(200)
    expect(handled).toBe(1)
  })

  test.each(['GET', 'HEAD', 'DELETE'])('with method %s is refused', async (method) => {
    expect(await post('', {}, method)).toBe(401)
  })

  test('with a signed body that is no JSON is refused', async () => {
    expect(await post('{"trigger"', signed({ body: '{"trigger"' }))).toBe(401)
  })

  test('with a body of 1 MiB is taken, with one byte more it is refused, however it is sent', async () => {
    handle = async () => {}
    const filled = (bytes: number): string => callback('x'.repeat(bytes - callback('').length))
    const largest = filled(1024 * 1024)
    expect(await post(largest, signed({ body: largest }))).toBe(200)
    const chunked = (bytes: number): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const outgoing = request(listening.url, { method: 'POST', headers: signed({}) }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode))
        })
        outgoing.once('error', reject).write('x'.repeat(1024))
        setTimeout(() => outgoing.end('x'.repeat(bytes - 1024)), 20)
      })
    for (const bytes of [1024 * 1024 + 1, 16 * 1024 * 1024]) {
      expect(await post(filled(bytes), signed({ body: filled(bytes) }))).toBe(413)
      expect(await chunked(bytes)).toBe(413)
    }
  })

  test('that breaks off does not end the bot', async () => {
    const outgoing = request(listening.url, { method: 'POST', headers: { 'content-length': '100' } })
    outgoing.once('error', () => {}).write('{')
    await new Promise((resolve) => setTimeout(resolve, 50))
    outgoing.destroy()
    handle = async () => {}
    expect(await post(callback('x'), signed({ body: callback('x') }))).toBe(200)
  })
})

describe('a bot without a signing secret', () => {
  const client = new ConfabClient({ url: 'http://127.0.0.1:9', apiKey: 'sesame-sesame-sesame' })
  const told: unknown[] = []
  const deaf = createBot({ uid: 'parrot', client, onMessage: () => {}, onError: (error) => told.push(error) })

  test('has no web server, and takes no callback, whoever signed it', async () => {
    await expect(deaf.listen()).rejects.toThrow(/^signingSecret: .*pull/)
    const body = callback('x')
    expect(await deaf.handle(signed({ body }), body)).toEqual({ status: 401 })
    expect(await deaf.handle(signed({ by: '', body }), body)).toEqual({ status: 401 })
    expect(told.map(String)).toEqual(Array(2).fill(expect.stringContaining('there is no signing secret')))
  })
})

describe('a web server of its own', () => {
  test('listens where it is told to, and is closed at once when nothing is under way', async () => {
    const own = await bot.listen({ host: '::1' })
    expect(own.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await fetch(own.url)).status).toBe(401)
    await fetch(own.url, { method: 'POST', body: 'x'.repeat(2 * 1024 * 1024) }).catch(() => undefined)
    const started = performance.now()
    await own.close()
    expect(performance.now() - started).toBeLessThan(1000)
    await expect(fetch(own.url)).rejects.toThrow()
  })

  test('says if the port is in use', async () => {
    const port = Number(new URL(listening.url).port)
    await expect(bot.listen({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test('is not needed: any framework hands on headers and body', async () => {
    const texts: string[] = []
    handle = async ({ text }) => void texts.push(text)
    const body = callback('by hand')
    expect(await bot.handle(signed({ body }), body)).toEqual({ status: 200 })
    expect(await bot.handle({}, body)).toEqual({ status: 401 })
    expect(texts).toEqual(['by hand'])
  })
})
