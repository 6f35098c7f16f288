/** Updates: what a bot that pulls is told. */
import { expect } from 'vitest'
import { openStream } from '../../support/pulling.ts'
import { expectKeys, type Operations } from './support.ts'

export const updateOperations: Operations = {
  'GET /bots/:uid/updates': async ({ api }) => {
    await api.ok('PUT', '/bots/robot', { body: { receive: 'pull' } })
    const { data, meta } = await api.ok('GET', '/bots/robot/updates', { query: { timeoutSeconds: 5 } })
    expectKeys(data[0], [
      'offset',
      'id',
      'attempt',
      'conversationId',
      'sequence',
      'previousSequence',
      'trigger',
      'hop',
      'callback',
    ])
    expect(data[0]).toMatchObject({ offset: 1, trigger: 'after_message', callback: { bot: 'robot' } })
    expect(meta).toEqual({ next: { offset: 1 } })
  },
  'GET /bots/:uid/updates/stream': async ({ api }) => {
    const stream = await openStream(api.server, 'robot')
    expect([stream.status, stream.contentType]).toEqual([200, 'text/event-stream'])
    await expect.poll(() => stream.updates.length).toBe(1)
    expect(stream.updates[0]).toMatchObject({ offset: 2, attempt: expect.any(Number), callback: { bot: 'robot' } })
    stream.leave()
    api.used.add('GET /bots/:uid/updates/stream')
  },
  'POST /bots/:uid/updates/acknowledge': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/robot/updates/acknowledge', { body: { offset: 2 } })
    expect(data).toEqual({ acknowledged: 1 })
  },
}
