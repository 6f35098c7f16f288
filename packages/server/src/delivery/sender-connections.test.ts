import { describe, expect, it } from 'vitest'
import { callbackTo, delivery, receiverWith, senderWith, timed, until } from '../testing/sender-suite.ts'
import type { Attempt } from './attempt.ts'
import type { Resolve } from './connector.ts'

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
