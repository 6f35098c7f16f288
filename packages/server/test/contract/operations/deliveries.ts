/** Deliveries of callbacks: one by one, and all of a bot. */
import { expect } from 'vitest'
import { toUser } from '../../support/scene.ts'
import type { Operations } from './support.ts'

const DELIVERY = [
  ...['id', 'bot', 'conversationId', 'messageId', 'sequence', 'trigger', 'state', 'attempts', 'createdAt'],
]

export const deliveryOperations: Operations = {
  'GET /deliveries': async (made) => {
    const { api } = made
    await api.ok('PUT', '/bots/robot', { body: { webhookURL: 'http://127.0.0.1:1', enabled: true } })
    await api.ok('POST', '/messages', { body: toUser('robot'), onBehalfOf: 'ann' })
    const list = await api.ok('GET', '/deliveries', { query: { bot: 'ROBOT', state: 'pending' } })
    expect(list.meta).toMatchObject({ current: { limit: 100, count: 1 }, pagination: { total: 1, total_pages: 1 } })
    expect(Object.keys(list.data[0])).toEqual(expect.arrayContaining(DELIVERY))
    made.delivery = list.data[0].id
  },
  'GET /deliveries/:id': async ({ api, delivery }) => {
    const { data } = await api.ok('GET', `/deliveries/${delivery}`)
    expect(Object.keys(data)).toEqual(expect.arrayContaining([...DELIVERY, 'body', 'history']))
  },
  'POST /deliveries/:id/cancel': async ({ api, delivery }) => {
    const { data } = await api.ok('POST', `/deliveries/${delivery}/cancel`)
    expect(Object.keys(data)).toEqual(expect.arrayContaining([...DELIVERY, 'finishedAt']))
    expect(data).toMatchObject({ id: delivery, state: 'cancelled' })
  },
  'POST /bots/:uid/replay': async ({ api }) => {
    const body = { since: 0, states: ['cancelled'] }
    expect((await api.ok('POST', '/bots/robot/replay', { body })).data).toEqual({ replayed: 1 })
  },
  'POST /deliveries/:id/replay': async ({ api, delivery }) => {
    await api.ok('POST', `/deliveries/${delivery}/cancel`)
    const { data } = await api.ok('POST', `/deliveries/${delivery}/replay`)
    expect(Object.keys(data)).toEqual(expect.arrayContaining([...DELIVERY, 'replayedAt']))
    expect(data).toMatchObject({ id: delivery, state: 'pending', attempts: 0 })
  },
  'GET /bots/:uid/stats': async ({ api }) => {
    const { data } = await api.ok('GET', '/bots/robot/stats')
    expect(data).toMatchObject({
      breaker: { state: 'closed' },
      parked: 0,
      pending: 1,
      oldestPendingAge: expect.any(Number),
      lastHour: { pending: 1 },
    })
  },
}
