/** Calls, each among people of its own. */
import { expect } from 'vitest'
import type { Json } from '../../support/api.ts'
import { call, callBody, change, makeCaller, sessionIn } from '../../support/calling.ts'
import { expectKeys, type Operations, SENT } from './support.ts'

const CALL = [
  ...['sessionid', 'status', 'type', 'sender', 'receiver', 'receiverType', 'conversationId', 'initiatedAt', 'data'],
]
const expectCall = (message: Json, action: string, entities: readonly string[]): void => {
  expectKeys(message, SENT)
  expect(message).toMatchObject({ category: 'call', type: 'audio', data: { action } })
  expectKeys(message.data.entities, entities)
}

export const callOperations: Operations = {
  'POST /calls': async ({ api }) => {
    const { ann, bob } = await makeCaller(api)
    const body = callBody(bob, 'user', { data: { metadata: { topic: 'x' } } })
    const message = await call(api, ann, body)
    expectCall(message, 'initiated', ['by', 'on', 'for'])
    expect(message).toMatchObject({ sender: ann, receiver: bob })
    expectKeys(message.data.entities.on.entity, [...CALL, 'joinedAt'])
    expectKeys(message.data.entities.on.entity.data, ['entities', 'metadata'])
    await change(api, sessionIn(message), ann, 'cancelled')
  },
  'PUT /calls/:sessionId': async ({ api }) => {
    const { ann, bob } = await makeCaller(api)
    const sessionId = sessionIn(await call(api, ann, callBody(bob)))
    const message = await change(api, sessionId, bob, 'ongoing')
    expectCall(message, 'ongoing', ['by', 'on', 'for'])
    expect(message).toMatchObject({ sender: bob, receiver: ann })
    expectKeys(message.data.entities.on.entity, [...CALL, 'joinedAt', 'startedAt'])
    await change(api, sessionId, ann, 'ended')
  },
  'GET /calls/:sessionId': async ({ api }) => {
    const { ann, bob } = await makeCaller(api)
    const sessionId = sessionIn(await call(api, ann, callBody(bob)))
    expectKeys((await api.ok('GET', `/calls/${sessionId}`)).data, CALL)
    expectKeys((await api.ok('GET', `/calls/${sessionId}`, { onBehalfOf: ann })).data, [...CALL, 'joinedAt'])
    await change(api, sessionId, ann, 'cancelled')
  },
}
