import { describe, expect, it } from 'vitest'
import { attemptAt, callbackTo, delivery, receiverWith, senderWith } from '../testing/sender-suite.ts'
import type { Resolve } from './connector.ts'

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
