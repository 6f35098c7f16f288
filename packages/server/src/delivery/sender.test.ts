import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type AppId, type ConversationId, type DeliveryId, isSignedBy, printSecret, type Uid } from '@confab/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../kernel/clock.ts'
import {
  type Behave,
  type CallbackReceiver,
  type CallbackReceiverOptions,
  startCallbackReceiver,
} from '../testing/callback-receiver.ts'
import { selfSigned } from '../tls/self-signed.ts'
import type { Attempt, Delivery } from './attempt.ts'
import type { Resolve } from './connector.ts'
import { type AddressGuard, makeAddressGuard } from './guard.ts'
import { makeSender, type SendableCallback, type Sender, type SenderOptions } from './sender.ts'

const loopback = makeAddressGuard({ allow: ['127.0.0.0/8', '::1/128'] })
const strict = makeAddressGuard({ allow: [] })

const toClose: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

const receiverWith = async (options: CallbackReceiverOptions | Behave = {}): Promise<CallbackReceiver> => {
  const receiver = await startCallbackReceiver(typeof options === 'function' ? { behave: options } : options)
  toClose.push(() => receiver.close())
  return receiver
}

const senderWith = (options: Partial<SenderOptions> = {}): Sender => {
  const sender = makeSender({
    guards: { of: () => loopback },
    clock: systemClock,
    userAgent: 'Confab/test',
    ...options,
  })
  toClose.push(() => sender.close({ abort: true }))
  return sender
}

/** Timers count from the beginning of the turn of the event loop, which on a busy machine may have been a while ago. */
const EARLY_MS = 50

const callbackTo = (url: string, more: Partial<SendableCallback> = {}): SendableCallback => ({
  appId: 'app' as AppId,
  bot: 'bot' as Uid,
  url,
  enabled: true,
  credentials: undefined,
  groupChatSetting: 'none',
  secrets: [],
  timeoutMs: 5000,
  settings: {},
  isOpen: false,
  isSlowed: false,
  ...more,
})

const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  id: 'dlv_01' as DeliveryId,
  laneId: 1,
  conversationId: 'a_user_bot' as ConversationId,
  sequence: 3,
  trigger: 'after_message',
  body: '{"trigger":"after_message"}',
  attempts: 0,
  hop: 0,
  createdAtMs: 0,
  ...more,
})

/** One attempt by a sender of its own, at a receiver of its own. */
const attemptAt = async (behave: Behave, more: Partial<SendableCallback> = {}): Promise<Attempt> =>
  senderWith().send(callbackTo((await receiverWith(behave)).url, more), delivery())

const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
  const start = performance.now()
  return [await work, performance.now() - start]
}

const until = async (condition: () => boolean, timeoutMs = 2000): Promise<void> => {
  const end = performance.now() + timeoutMs
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

it('keeps of an answer nothing that the receiver was trusted with', async () => {
  const secret = printSecret(Buffer.alloc(32, 7))
  const attempt = await attemptAt(
    ({ headers }) => ({
      status: 401,
      body: `${headers.authorization} is wrong: ann, open sesame, ${secret}, open sesame`,
    }),
    { credentials: { username: 'ann', password: 'open sesame' }, secrets: [secret] },
  )
  expect(attempt.response).toBe('Basic [hidden] is wrong: ann, [hidden], [hidden], [hidden]')
})

it('keeps nothing of it in JSON either, nor what the end of the record cuts off', async () => {
  const credentials = { username: 'ann', password: 'say "friend" \\ and enter' }
  const quoted = await attemptAt(() => ({ status: 401, body: JSON.stringify({ got: credentials.password }) }), {
    credentials,
  })
  expect(quoted.response).toBe('{"got":"[hidden]"}')
  const filler = 'x'.repeat(2048 - 12)
  const cut = await attemptAt(() => ({ status: 401, body: `${filler}${credentials.password}` }), { credentials })
  expect(cut.response).toBe(`${filler}[hidden]`)
  // Of one that is whole nothing is taken away that a secret begins with.
  const whole = await attemptAt(() => ({ status: 401, body: 'what do you say' }), { credentials })
  expect(whole.response).toBe('what do you say')
})

describe('request', () => {
  it('carries exactly the stored bytes, under the headers of the contract and the standard', async () => {
    const receiver = await receiverWith()
    const clock: Clock = { now: () => 1_700_000_000_999 }
    const secrets = [printSecret(Buffer.alloc(32, 1)), printSecret(Buffer.alloc(32, 2))]
    const body = '{ "b": "żółć 👩‍👩‍👧 \\u2028 \u2028", "a":1.0 }'
    const credentials = { username: 'üser', password: 'pa:ss wörd' }
    const callback = callbackTo(`${receiver.url}?x=1&y=%C3%A9`, { secrets, credentials })
    const attempt = await senderWith({ clock }).send(callback, delivery({ body, attempts: 4, hop: 2 }))

    expect(attempt).toMatchObject({
      number: 5,
      startedAtMs: 1_700_000_000_999,
      outcome: { kind: 'delivered' },
      status: 200,
    })
    expect(attempt).toMatchObject({ error: undefined, address: '127.0.0.1', response: '' })
    const [request] = receiver.received
    expect(request?.method).toBe('POST')
    expect(request?.path).toBe('/callback?x=1&y=%C3%A9')
    expect(request?.body).toBe(body)
    expect(request?.headers).toEqual({
      host: `127.0.0.1:${receiver.port}`,
      connection: 'keep-alive',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'accept-encoding': 'identity',
      'user-agent': 'Confab/test',
      authorization: `Basic ${Buffer.from('üser:pa:ss wörd').toString('base64')}`,
      'webhook-id': 'dlv_01',
      'webhook-timestamp': '1700000000',
      'webhook-signature': expect.stringMatching(/^v1,\S+ v1,\S+$/),
      'confab-attempt': '5',
      'confab-sequence': '3',
      'confab-previous-sequence': '2',
      'confab-trigger': 'after_message',
      'confab-hop': '2',
    })
    const signature = request?.headers['webhook-signature'] ?? ''
    const content = { id: 'dlv_01', timestamp: 1_700_000_000, body }
    for (const [at, secret] of secrets.entries()) {
      expect(isSignedBy(secret, signature, content)).toBe(true)
      expect(isSignedBy(secret, signature.split(' ')[at] ?? '', content)).toBe(true)
    }
    expect(isSignedBy(secrets[0] ?? '', signature, { ...content, body: `${body} ` })).toBe(false)
  })

  it('has neither signature nor credentials where there are none', async () => {
    const receiver = await receiverWith()
    await senderWith().send(callbackTo(receiver.url), delivery())
    expect(Object.keys(receiver.received[0]?.headers ?? {})).not.toContain('webhook-signature')
    expect(Object.keys(receiver.received[0]?.headers ?? {})).not.toContain('authorization')
  })

  it.each(['not a url', 'ftp://127.0.0.1/', 'http://user:secret@127.0.0.1/', 'http://127.0.0.1/#x'])(
    'is not made for the URL %j',
    async (url) => {
      const attempt = await senderWith().send(callbackTo(url), delivery())
      expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'url' }, status: undefined })
      expect(attempt.error).not.toContain('secret')
    },
  )
})

describe('answer', () => {
  it.each([
    [204, { kind: 'delivered' }],
    [410, { kind: 'gone' }],
    [404, { kind: 'retry', reason: 'http' }],
    [500, { kind: 'retry', reason: 'http' }],
  ])('%d', async (status, outcome) => {
    expect(await attemptAt(() => ({ status }))).toMatchObject({ status, outcome })
  })

  it('429 with a date by the clock of the receiver, which is not ours', async () => {
    const headers = { date: 'Sun, 06 Nov 1994 08:49:37 GMT', 'retry-after': 'Sun, 06 Nov 1994 08:50:07 GMT' }
    const attempt = await attemptAt(() => ({ status: 429, headers }))
    expect(attempt.outcome).toEqual({ kind: 'retry', reason: 'http', retryAfterMs: 30_000 })
  })

  it('429 with Retry-After', async () => {
    const attempt = await attemptAt(() => ({ status: 429, headers: { 'retry-after': '17' }, body: 'slow down' }))
    expect(attempt.outcome).toEqual({ kind: 'retry', reason: 'http', retryAfterMs: 17_000 })
    expect(attempt).toMatchObject({ status: 429, error: 'HTTP 429', response: 'slow down' })
  })

  it.each([301, 302, 303, 307, 308])('%d is not followed', async (status) => {
    const elsewhere = await receiverWith()
    const attempt = await attemptAt(() => ({ kind: 'redirect', status, location: elsewhere.url }))
    expect(attempt).toMatchObject({ status, outcome: { kind: 'retry', reason: 'redirect' } })
    expect(elsewhere.connections).toBe(0)
  })

  it('keeps the first 2 KiB, and cuts no character', async () => {
    const attempt = await attemptAt(() => ({ status: 200, body: `a${'é'.repeat(3000)}` }))
    expect(attempt.response).toBe(`a${'é'.repeat(1023)}`)
    expect((await attemptAt(() => ({ status: 200, body: Uint8Array.of(65, 0, 255, 66) }))).response).toBe(
      'A\uFFFD\uFFFDB',
    )
  })

  it('is read to 64 KiB at most, then counts by its status', async () => {
    for (const [status, kind] of [
      [200, 'delivered'],
      [500, 'retry'],
    ] as const) {
      const receiver = await receiverWith(() => ({ kind: 'endless-body', status }))
      const [attempt, ms] = await timed(senderWith().send(callbackTo(receiver.url), delivery()))
      expect(attempt).toMatchObject({ status, outcome: { kind } })
      expect(attempt.response).toBe('x'.repeat(2048))
      expect(ms).toBeLessThan(2000)
      await until(() => receiver.open === 0)
    }
  })

  it('of exactly 64 KiB is read to its end, and the connection kept', async () => {
    const receiver = await receiverWith(() => ({ status: 200, body: 'x'.repeat(64 * 1024) }))
    const sender = senderWith()
    for (const _ of [1, 2]) await sender.send(callbackTo(receiver.url), delivery())
    expect(receiver.connections).toBe(1)
  })

  it('that is compressed stays so', async () => {
    const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024))
    const attempt = await attemptAt(() => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: bomb }))
    expect(attempt.outcome).toEqual({ kind: 'delivered' })
    expect(attempt.response).not.toContain('\0'.repeat(100))
    expect(attempt.response?.length).toBeLessThanOrEqual(2048)
  })

  it('with an endless header block is given up', async () => {
    const receiver = await receiverWith(() => ({ kind: 'endless-headers' }))
    const [attempt, ms] = await timed(senderWith().send(callbackTo(receiver.url), delivery()))
    expect(attempt).toMatchObject({ status: undefined, outcome: { kind: 'retry', reason: 'protocol' } })
    expect(attempt.error).toContain('header block')
    expect(ms).toBeLessThan(2000)
    await until(() => receiver.open === 0)
  })

  it.each([
    ['not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a 100 that no one asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
  ])('that is %s', async (_, bytes) => {
    const attempt = await attemptAt(() => ({ kind: 'raw', bytes }))
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'protocol' } })
    expect(attempt.error).toMatch(/answer/)
  })

  it('that is shorter than it says, and ends, is no answer; of one that is longer as much counts as it says', async () => {
    const short = await attemptAt(() => ({
      kind: 'raw',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok',
      close: true,
    }))
    expect(short).toMatchObject({ status: 200, outcome: { kind: 'retry', reason: 'reset' }, response: 'ok' })
    const long = await attemptAt(() => ({
      kind: 'raw',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more',
    }))
    expect(long).toMatchObject({ status: 200, outcome: { kind: 'delivered' }, response: 'ok' })
  })

  it('after early hints is the final one', async () => {
    const bytes = `${'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(3)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`
    expect(await attemptAt(() => ({ kind: 'raw', bytes }))).toMatchObject({ status: 200, response: 'ok' })
  })
})

describe('deadline', () => {
  const timeoutMs = 300

  it.each<[string, Behave, number | undefined]>([
    ['no answer', () => ({ kind: 'hang' }), undefined],
    ['a late answer', () => ({ status: 200, delayMs: 800 }), undefined],
    ['a body in drips', () => ({ kind: 'drip' }), 200],
    ['hints only', () => ({ kind: 'raw', bytes: 'HTTP/1.1 103 Early Hints\r\n\r\n' }), undefined],
    ['headers only', () => ({ kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\nx-a: b\r\n' }), undefined],
  ])('covers %s', async (_, behave, status) => {
    const receiver = await receiverWith(behave)
    const [attempt, ms] = await timed(senderWith().send(callbackTo(receiver.url, { timeoutMs }), delivery()))
    expect(attempt).toMatchObject({ status, outcome: { kind: 'retry', reason: 'timeout' } })
    expect(attempt.error).toBe('no complete answer in 300 ms')
    expect(ms).toBeGreaterThan(timeoutMs - EARLY_MS)
    expect(ms).toBeLessThan(timeoutMs + 1500)
    expect(attempt.phases.total).toBeGreaterThan(timeoutMs - EARLY_MS)
    await until(() => receiver.open === 0)
  })

  it('covers the lookup', async () => {
    const [attempt, ms] = await timed(
      senderWith({ resolve: () => {} }).send(callbackTo('http://slow.example/', { timeoutMs }), delivery()),
    )
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'timeout' }, address: undefined })
    expect(attempt.phases).toEqual({ total: expect.any(Number) })
    expect(ms).toBeLessThan(timeoutMs + 1500)
  })

  it('covers the TLS handshake', async () => {
    const silent = await listen()
    const url = `https://127.0.0.1:${silent.port}/`
    const [attempt, ms] = await timed(senderWith().send(callbackTo(url, { timeoutMs }), delivery()))
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'timeout' }, address: '127.0.0.1' })
    expect(attempt.phases).toEqual({ connect: expect.any(Number), total: expect.any(Number) })
    expect(ms).toBeLessThan(timeoutMs + 1500)
    await until(() => silent.open() === 0)
  })

  it('does not cut a slow answer that is in time', async () => {
    const attempt = await attemptAt(() => ({ status: 200, delayMs: 400 }), { timeoutMs: 3000 })
    expect(attempt.outcome).toEqual({ kind: 'delivered' })
    expect(attempt.phases.firstByte).toBeGreaterThan(390)
  })
})

describe('failure', () => {
  it('connection refused', async () => {
    const receiver = await receiverWith()
    await receiver.close()
    const attempt = await senderWith().send(callbackTo(receiver.url), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'connect' }, address: '127.0.0.1' })
    expect(attempt.error).toBe('connect failed: connection refused')
  })

  it('name that does not exist', async () => {
    const resolve: Resolve = (_, callback) => callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), [])
    const attempt = await senderWith({ resolve }).send(callbackTo('http://nowhere.example/'), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'dns' }, address: undefined })
    expect(attempt.error).toBe('lookup failed: the host name does not exist')
    const empty = await senderWith({ resolve: (_, callback) => callback(null, []) }).send(
      callbackTo('http://a.example/'),
      delivery(),
    )
    expect(empty).toMatchObject({ outcome: { kind: 'retry', reason: 'dns' } })
  })

  it('reset in place of an answer', async () => {
    const attempt = await attemptAt(() => ({ kind: 'reset' }))
    expect(attempt).toMatchObject({ status: undefined, outcome: { kind: 'retry', reason: 'reset' } })
  })

  it('reset in the middle of the answer', async () => {
    const attempt = await attemptAt(() => ({ kind: 'reset-mid-body' }))
    expect(attempt).toMatchObject({ status: 200, outcome: { kind: 'retry', reason: 'reset' }, response: 'half of it' })
  })

  it('reset of a kept-alive connection: told, not hidden by a second POST', async () => {
    const receiver = await receiverWith((_, n) => (n === 1 ? { status: 200 } : { kind: 'reset' }))
    const sender = senderWith()
    await sender.send(callbackTo(receiver.url), delivery())
    const attempt = await sender.send(callbackTo(receiver.url), delivery())
    expect(attempt).toMatchObject({ status: undefined, outcome: { kind: 'retry', reason: 'reset' } })
    expect(receiver.received).toHaveLength(2)
    expect(receiver.connections).toBe(1)
  })

  it('leaves the next attempt untouched', async () => {
    const receiver = await receiverWith((_, n) => (n % 2 === 1 ? { kind: 'reset' } : { status: 200 }))
    const sender = senderWith()
    const kinds: string[] = []
    for (let n = 0; n < 6; n += 1) kinds.push((await sender.send(callbackTo(receiver.url), delivery())).outcome.kind)
    expect(kinds).toEqual(['retry', 'delivered', 'retry', 'delivered', 'retry', 'delivered'])
  })
})

describe('connections', () => {
  it('are kept and used again; only the first attempt has phases of connecting', async () => {
    const receiver = await receiverWith(() => ({ status: 200, body: 'ok' }))
    const sender = senderWith()
    const attempts: Attempt[] = []
    for (let n = 0; n < 5; n += 1) attempts.push(await sender.send(callbackTo(receiver.url), delivery()))
    expect(receiver.connections).toBe(1)
    expect(Object.keys(attempts[0]?.phases ?? {}).sort()).toEqual(['connect', 'firstByte', 'total'])
    for (const { phases, address } of attempts.slice(1)) {
      expect(Object.keys(phases).sort()).toEqual(['firstByte', 'total'])
      expect(address).toBe('127.0.0.1')
    }
  })

  it('carry one request at a time, as many side by side as are asked for', async () => {
    const receiver = await receiverWith(() => ({ status: 200, delayMs: 200 }))
    const sender = senderWith({ maxIdlePerOrigin: 10 })
    const callback = callbackTo(receiver.url)
    const [attempts, ms] = await timed(Promise.all(Array.from({ length: 40 }, () => sender.send(callback, delivery()))))
    expect(attempts.every(({ outcome }) => outcome.kind === 'delivered')).toBe(true)
    expect(receiver.connections).toBe(40)
    expect(ms).toBeLessThan(2000)
    await until(() => receiver.open === 10)
  })

  it('that the receiver closes after an answer are not used again', async () => {
    const receiver = await receiverWith(() => ({ kind: 'close-after-answer' }))
    const sender = senderWith()
    for (let n = 1; n <= 3; n += 1) {
      expect((await sender.send(callbackTo(receiver.url), delivery())).outcome).toEqual({ kind: 'delivered' })
      await until(() => receiver.open === 0)
    }
    expect(receiver.connections).toBe(3)
  })

  it('are made over IPv6 where a name has nothing else', async () => {
    const receiver = await receiverWith({ host: '::1' })
    const sender = senderWith({ resolve: (_, callback) => callback(null, [{ address: '::1', family: 6 }]) })
    const attempt = await sender.send(callbackTo(`http://six.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'delivered' }, address: '::1' })
  })

  it('are made over IPv4 where the address of a name in IPv6 refuses', async () => {
    const receiver = await receiverWith()
    const addresses = [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]
    const sender = senderWith({ resolve: (_, callback) => callback(null, addresses) })
    const attempt = await sender.send(callbackTo(`http://both.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'delivered' }, address: '127.0.0.1' })
  })

  it('with a name have a lookup phase, and share a lookup under way', async () => {
    const receiver = await receiverWith()
    const asked: string[] = []
    const resolve: Resolve = (hostname, callback) => {
      asked.push(hostname)
      setTimeout(() => callback(null, [{ address: '127.0.0.1', family: 4 }]), 50)
    }
    const sender = senderWith({ resolve })
    const callback = callbackTo(`http://bot.example:${receiver.port}/`)
    const attempts = await Promise.all(Array.from({ length: 5 }, () => sender.send(callback, delivery())))
    expect(asked).toEqual(['bot.example'])
    expect(attempts[0]?.phases.dns).toBeGreaterThan(45)
    for (const { phases, outcome } of attempts) {
      expect(outcome.kind).toBe('delivered')
      // Whoever came to it later had less of it to wait for.
      expect(phases.dns).toBeGreaterThan(0)
      expect(phases.connect).toBeGreaterThanOrEqual(phases.dns ?? Number.NaN)
      expect(phases.firstByte).toBeGreaterThanOrEqual(phases.connect ?? Number.NaN)
      expect(phases.total).toBeGreaterThanOrEqual(phases.firstByte ?? Number.NaN)
    }
    expect(receiver.received[0]?.headers.host).toBe(`bot.example:${receiver.port}`)
  })
})

/** A TCP listener that notes what comes, and answers nothing. */
const listen = async (host = '127.0.0.1') => {
  let bytes = 0
  let connections = 0
  let open = 0
  const server = createServer((socket) => {
    connections += 1
    open += 1
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      open -= 1
    })
    toClose.push(async () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  toClose.push(() => new Promise((resolve) => server.close(resolve)))
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  return { port, bytes: () => bytes, connections: () => connections, open: () => open }
}

describe('forbidden addresses', () => {
  it.each([
    '127.0.0.1',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::]',
    '0.0.0.0',
    '0',
    '[::127.0.0.1]',
    '0x7f000001',
    '0177.1',
    '127.0.1',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
  ])('%s is not dialled', async (host) => {
    const four = await listen()
    for (const scheme of ['http', 'https']) {
      const url = `${scheme}://${host}:${four.port}/`
      const attempt = await senderWith({ guards: { of: () => strict } }).send(
        callbackTo(url, { timeoutMs: 2000 }),
        delivery(),
      )
      expect(attempt).toMatchObject({ outcome: { kind: 'refused' }, status: undefined })
      expect(attempt.error).toMatch(/^address \S+ is not allowed: /)
      expect(attempt.error).toContain(` ${attempt.address} `)
    }
    expect(four.connections()).toBe(0)
  })

  it.each([
    ['a zone', 'http://[fe80::1%25eth0]/', 'is not a URL'],
    ['a zone of a mapped address', 'http://[::ffff:127.0.0.1%25lo]/', 'is not a URL'],
    ['a name in place of the user', 'http://bot.example@127.0.0.1/', 'user name or password'],
    ['an address in place of the user', 'http://127.0.0.1@bot.example/', 'user name or password'],
    ['a line end in the host', 'http://bot.example%0d%0ahost:127.0.0.1/', 'is not a URL'],
    ['a number too large', 'http://127.0.0.1.256/', 'is not a URL'],
    ['an octal that is none', 'http://0189.0.0.1/', 'is not a URL'],
  ])('are not hidden by %s: it is no callback URL', async (_, url, why) => {
    const sender = senderWith({ resolve: () => expect.unreachable('nothing is to be looked up') })
    const attempt = await sender.send(callbackTo(url), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'url' }, error: expect.stringContaining(why) })
  })

  it('are not dialled by a public name that leads to them', async () => {
    const inner = await listen()
    const asked: string[] = []
    const resolve: Resolve = (hostname, callback) => {
      asked.push(hostname)
      callback(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const sender = senderWith({ guards: { of: () => strict }, resolve })
    const attempt = await sender.send(callbackTo(`http://127.0.0.1.nip.io:${inner.port}/`), delivery())
    expect([attempt.outcome, asked]).toEqual([{ kind: 'refused' }, ['127.0.0.1.nip.io']])
    expect(attempt.error).toBe('address 127.0.0.1 is not allowed: loopback (127.0.0.0/8)')
    expect(inner.connections()).toBe(0)
  })

  it('cannot be asked for by line ends in a path', async () => {
    const receiver = await receiverWith()
    await senderWith().send(callbackTo(`${receiver.url}/%0d%0ahost:%20inner%0d%0a\r\nx: y?a=%0d%0ab`), delivery())
    expect(receiver.received[0]?.path).toBe('/callback/%0d%0ahost:%20inner%0d%0ax:%20y?a=%0d%0ab')
    expect(receiver.received[0]?.headers.host).toBe(`127.0.0.1:${receiver.port}`)
  })

  it('are not dialled by a name with a dot at its end, whether or not the system knows it', async () => {
    const inner = await listen()
    const url = `http://localhost.:${inner.port}/`
    const attempt = await senderWith({ guards: { of: () => strict } }).send(
      callbackTo(url, { timeoutMs: 2000 }),
      delivery(),
    )
    expect(attempt.outcome.kind).not.toBe('delivered')
    expect(inner.connections()).toBe(0)
  })

  it('are dialled in the same forms once they are allowed', async () => {
    const receiver = await receiverWith()
    for (const host of ['127.0.0.1', 'localhost', '127.1', '2130706433', '[::ffff:127.0.0.1]']) {
      const attempt = await senderWith().send(callbackTo(`http://${host}:${receiver.port}/`), delivery())
      expect(attempt.outcome, host).toEqual({ kind: 'delivered' })
    }
    const six = await receiverWith({ host: '::1' })
    expect((await senderWith().send(callbackTo(six.url), delivery())).outcome).toEqual({ kind: 'delivered' })
  })

  it('are left out among allowed ones', async () => {
    const receiver = await receiverWith()
    const guard = makeAddressGuard({ allow: ['127.0.0.1/32'] })
    const forbidden = await receiverWith({ host: '127.0.0.2', port: receiver.port })
    const addresses = [
      { address: '127.0.0.2', family: 4 },
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]
    const sender = senderWith({ guards: { of: () => guard }, resolve: (_, callback) => callback(null, addresses) })
    const attempt = await sender.send(callbackTo(`http://mixed.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'delivered' }, address: '127.0.0.1' })
    expect(forbidden.connections).toBe(0)
  })

  it('are found out when a name changes its mind', async () => {
    const inner = await listen('127.0.0.2')
    const receiver = await receiverWith(() => ({ status: 200, headers: { connection: 'close' } }))
    const guard = makeAddressGuard({ allow: ['127.0.0.1/32'] })
    const answers = ['127.0.0.1', '127.0.0.2', '127.0.0.1']
    const resolve: Resolve = (_, callback) => callback(null, [{ address: answers.shift() ?? '', family: 4 }])
    const sender = senderWith({ guards: { of: () => guard }, resolve })
    const kinds: string[] = []
    for (const port of [receiver.port, inner.port, receiver.port]) {
      kinds.push((await sender.send(callbackTo(`http://rebind.example:${port}/`), delivery())).outcome.kind)
    }
    expect(kinds).toEqual(['delivered', 'refused', 'delivered'])
    expect(inner.connections()).toBe(0)
  })

  it.each(['http', 'https'])('are found out at the peer, before a byte is sent (%s)', async (scheme) => {
    const inner = await listen()
    let checks = 0
    const guard: AddressGuard = {
      check: () => {
        checks += 1
        return checks === 1 ? { allowed: true } : { allowed: false, reason: 'it is another' }
      },
    }
    const sender = senderWith({ guards: { of: () => guard } })
    const attempt = await sender.send(callbackTo(`${scheme}://127.0.0.1:${inner.port}/`), delivery())
    expect(attempt.outcome).toEqual({ kind: 'refused' })
    expect(attempt.error).toBe('address 127.0.0.1 is not allowed: it is another')
    await until(() => inner.connections() === 1 && inner.open() === 0)
    expect(inner.bytes()).toBe(0)
  })
})

describe('TLS', () => {
  let dir = ''
  let tls = { key: '', cert: '' }
  beforeEach(() => {
    if (dir !== '') return
    dir = mkdtempSync(join(tmpdir(), 'confab-tls-'))
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const names = 'subjectAltName=DNS:localhost,DNS:bot.example'
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const request = ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=bot']
    execFileSync('openssl', [...request, '-addext', names], { stdio: 'ignore' })
    tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
    rmSync(dir, { recursive: true })
  })
  const resolve: Resolve = (_, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])

  it('refuses a self-signed certificate', async () => {
    const receiver = await receiverWith({ tls })
    const sender = senderWith({ resolve })
    const attempt = await sender.send(callbackTo(`https://bot.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({
      outcome: { kind: 'retry', reason: 'tls' },
      address: '127.0.0.1',
      status: undefined,
    })
    expect(attempt.error).toBe('TLS failed: the certificate is self-signed')
    expect(receiver.received).toHaveLength(0)
  })

  it.each([
    ['has expired', -2, -1, 'the certificate has expired'],
    ['is not valid yet', 1, 2, 'CERT_NOT_YET_VALID'],
  ])('refuses a certificate that %s, though it is trusted', async (_, fromDays, untilDays, why) => {
    const at = (days: number): number => Date.now() + days * 86_400_000
    const hosts = ['bot.example']
    const own = selfSigned({ name: 'bot', hosts, notBeforeMs: at(fromDays), notAfterMs: at(untilDays) })
    const receiver = await receiverWith({ tls: own })
    const sender = senderWith({ resolve, ca: own.cert })
    const attempt = await sender.send(callbackTo(`https://bot.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'tls' }, error: `TLS failed: ${why}` })
    expect(receiver.received).toHaveLength(0)
  })

  it('delivers where the certificate is trusted, with every phase in its order, and keeps the connection', async () => {
    const receiver = await receiverWith({ tls })
    const sender = senderWith({ resolve, ca: tls.cert })
    const callback = callbackTo(`https://bot.example:${receiver.port}/`)
    const { outcome, phases } = await sender.send(callback, delivery())
    expect(outcome).toEqual({ kind: 'delivered' })
    const order = [phases.dns, phases.connect, phases.tls, phases.firstByte, phases.total]
    expect(order).not.toContain(undefined)
    expect(order).toEqual([...order].sort((a, b) => (a ?? 0) - (b ?? 0)))
    expect((await sender.send(callback, delivery())).phases.tls).toBeUndefined()
    expect(receiver.connections).toBe(1)
  })

  it('refuses a certificate for another host, and a peer that does not speak TLS', async () => {
    const receiver = await receiverWith({ tls })
    const sender = senderWith({ resolve, ca: tls.cert })
    const other = await sender.send(callbackTo(`https://other.example:${receiver.port}/`), delivery())
    expect(other).toMatchObject({
      outcome: { kind: 'retry', reason: 'tls' },
      error: 'TLS failed: the certificate is for another host',
    })
    const byAddress = await sender.send(callbackTo(receiver.url), delivery())
    expect(byAddress).toMatchObject({ outcome: { kind: 'retry', reason: 'tls' } })
    const plain = await receiverWith()
    const spoken = await sender.send(callbackTo(`https://bot.example:${plain.port}/`), delivery())
    expect(spoken).toMatchObject({ outcome: { kind: 'retry', reason: 'tls' } })
  })
})

describe('close', () => {
  it('waits for what is under way, and starts nothing more', async () => {
    const receiver = await receiverWith(() => ({ status: 200, delayMs: 200 }))
    const sender = senderWith()
    const attempt = sender.send(callbackTo(receiver.url), delivery())
    await receiver.waitFor(1, 2000)
    const closing = sender.close()
    expect(await sender.send(callbackTo(receiver.url), delivery())).toMatchObject({
      outcome: { kind: 'ours', reason: 'stopped' },
      error: 'server stopping',
    })
    await closing
    expect((await attempt).outcome).toEqual({ kind: 'delivered' })
    expect(receiver.received).toHaveLength(1)
    await until(() => receiver.open === 0)
  })

  it('with abort gives up at once, also while a graceful close waits', async () => {
    const receiver = await receiverWith(() => ({ kind: 'hang' }))
    const sender = senderWith({
      resolve: (name, callback) => name === 'bot.example' && callback(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    const urls = [receiver.url, `http://bot.example:${receiver.port}/`, 'http://slow.example/']
    const attempts = Promise.all(urls.map((url) => sender.send(callbackTo(url), delivery())))
    await receiver.waitFor(2, 2000)
    const graceful = sender.close()
    const [, ms] = await timed(Promise.all([sender.close({ abort: true }), graceful]))
    expect(ms).toBeLessThan(2000)
    for (const attempt of await attempts) {
      expect(attempt).toMatchObject({ outcome: { kind: 'ours', reason: 'stopped' }, error: 'server stopping' })
    }
    await until(() => receiver.open === 0)
  })
})
