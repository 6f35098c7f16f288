import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startNats } from '../../testing/nats.ts'
import { describeWithNats } from '../../testing/services.ts'
import type { ThrowAwayServer } from '../../testing/services-child.ts'
import { testBus, testBusOutage } from '../conformance/bus-conformance.ts'
import { connectionOptions } from './connection.ts'
import { openNatsBus } from './nats-bus.ts'

describeWithNats('on a server that others use too', (url) => {
  testBus('NATS', (log) => openNatsBus({ url, log }))
})

describe('on a server of its own', () => {
  let server: ThrowAwayServer
  let missing: string | undefined
  beforeAll(async () => {
    const started = await startNats()
    if ('missing' in started) missing = started.missing
    else server = started
  })
  beforeEach(({ skip }) => skip(missing !== undefined, missing))
  afterAll(() => server?.stop())

  testBusOutage(
    'NATS',
    () => server,
    (log) => openNatsBus({ url: server.url, log }),
  )
})

test.each([
  ['nats://a', { servers: ['a'] }],
  ['nats://a:1, nats://b:2', { servers: ['a:1', 'b:2'] }],
  ['nats://[::1]:4222', { servers: ['[::1]:4222'] }],
  ['nats://to%40ken@a:4222', { servers: ['a:4222'], token: 'to@ken' }],
  ['nats://u:p%3A@a:4222,nats://u:p%3A@b:4222', { servers: ['a:4222', 'b:4222'], user: 'u', pass: 'p:' }],
  ['tls://a:4222', { servers: ['a:4222'], tls: {} }],
])('%s is dialled with its credentials apart', (url, expected) => {
  const { name, timeout, pingInterval, reconnect, ...own } = connectionOptions(url)
  expect(own).toEqual(expected)
  expect(reconnect).toBe(false)
})
