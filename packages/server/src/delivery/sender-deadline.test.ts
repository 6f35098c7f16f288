import { describe, expect, it } from 'vitest'
import type { Behave } from '../testing/callback-receiver.ts'
import {
  attemptAt,
  callbackTo,
  delivery,
  listen,
  receiverWith,
  senderWith,
  timed,
  until,
} from '../testing/sender-suite.ts'

const pause = (ms: number): Promise<string> => new Promise((resolve) => setTimeout(resolve, ms, 'goes on'))

/** Timers count from the beginning of the turn of the event loop, which on a busy machine may have been a while ago. */
const EARLY_MS = 50

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

  it('covers an answer that says it is a stream, unless it may be one', async () => {
    const behave: Behave = () => ({ kind: 'drip', type: 'text/event-stream' })
    const slow = { timeoutMs: 1500 }
    const [attempt, ms] = await timed(attemptAt(behave, slow))
    expect(attempt).toMatchObject({ status: 200, outcome: { kind: 'retry', reason: 'timeout' } })
    expect(ms).toBeLessThan(2400)
    const streaming = attemptAt(behave, { ...slow, mayStream: true })
    expect(await Promise.race([streaming, pause(2500)])).toBe('goes on')
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
