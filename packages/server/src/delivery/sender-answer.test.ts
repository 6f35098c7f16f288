import { gzipSync } from 'node:zlib'
import { printSecret } from '@confab/protocol'
import { describe, expect, it } from 'vitest'
import { attemptAt, callbackTo, delivery, receiverWith, senderWith, timed, until } from '../testing/sender-suite.ts'

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
