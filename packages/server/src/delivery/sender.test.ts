import { isSignedBy, printSecret } from '@confab/protocol'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../kernel/clock.ts'
import { callbackTo, delivery, receiverWith, senderWith, timed, until } from '../testing/sender-suite.ts'

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
