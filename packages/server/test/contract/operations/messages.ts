/** Messages: their threads, and the marks that people leave on them. */
import { expect } from 'vitest'
import type { Json } from '../../support/api.ts'
import { toUser } from '../../support/scene.ts'
import { expectAction, expectKeys, type Operations, PLAIN_USER, SENT, SUCCESS, USER } from './support.ts'

const expectMessages = (list: Json, ids: readonly string[]): void => {
  expect(list.data.map(({ id }: Json) => id)).toEqual(ids)
  expectKeys(list.meta, ['current', 'next', 'pagination', 'cursor'])
  expectKeys(list.meta.current, ['limit', 'count'])
  expectKeys(list.meta.next, ['affix', 'sentAt', 'id'])
  expectKeys(list.meta.cursor, ['affix', 'sentAt', 'id'])
  expect(typeof list.meta.cursor.id).toBe('number')
}

export const messageOperations: Operations = {
  'POST /messages': async (made) => {
    const body = toUser('bob', 'Hi Bob', { muid: '_abc', tags: ['x'] })
    const { data } = await made.api.ok('POST', '/messages', { body, onBehalfOf: 'ann' })
    expectKeys(data, [...SENT, 'muid', 'tags'])
    expectKeys(data.data, ['text', 'resource', 'entities'])
    const { sender, receiver } = data.data.entities
    const entity = USER.filter((key) => key !== 'tags')
    expectKeys(sender.entity, [...entity, 'updatedAt'])
    expectKeys(receiver.entity, [...PLAIN_USER, 'conversationId'])
    expect([sender.entityType, receiver.entityType]).toEqual(['user', 'user'])
    expect(data).toMatchObject({ conversationId: 'ann_user_bob', category: 'message', type: 'text', muid: '_abc' })
    made.message = data.id
  },
  'GET /messages/:id': async ({ api, message }) => {
    expectKeys((await api.ok('GET', `/messages/${message}`)).data, [...SENT, 'muid', 'tags', 'receipts'])
  },
  'GET /messages': async ({ api, message }) => {
    expectMessages(await api.ok('GET', '/messages', { query: { conversationId: 'ann_user_bob' } }), [message])
  },
  'GET /users/:uid/messages': async ({ api, message }) => {
    expectMessages(await api.ok('GET', '/users/bob/messages', { onBehalfOf: 'ann' }), [message])
  },
  'POST /messages/:id/thread': async ({ api, message }) => {
    const path = `/messages/${message}/thread`
    const { data } = await api.ok('POST', path, { body: toUser('ann', 'Hi Ann'), onBehalfOf: 'bob' })
    expectKeys(data, [...SENT, 'parentId'])
    expect(data.parentId).toBe(message)
  },
  'GET /messages/:id/thread': async ({ api, message }) => {
    const list = await api.ok('GET', `/messages/${message}/thread`)
    expectMessages(list, [String(Number(message) + 1)])
    expectKeys(list.data[0], [...SENT, 'parentId'])
  },
  'POST /messages/:id/reactions/:reaction': async ({ api, message }) => {
    const { data } = await api.ok('POST', `/messages/${message}/reactions/%F0%9F%91%8D`, { onBehalfOf: 'bob' })
    expect(data.data.reactions).toEqual([{ reaction: '👍', count: 1, reactedByMe: true }])
  },
  'POST /messages/:id/reactions': async ({ api, message }) => {
    const body = { reaction: '👍' }
    const { data } = await api.ok('POST', `/messages/${message}/reactions`, { onBehalfOf: 'bob', body })
    expect(data.data.reactions).toEqual([{ reaction: '👍', count: 1, reactedByMe: true }])
  },
  'GET /messages/:id/reactions': async ({ api, message }) => {
    const { data, meta } = await api.ok('GET', `/messages/${message}/reactions`)
    expectKeys(data[0], ['id', 'messageId', 'reaction', 'uid', 'reactedAt', 'reactedBy'])
    expectKeys(meta, ['current', 'next', 'previous'])
  },
  'GET /messages/:id/reactions/:reaction': async ({ api, message }) => {
    const path = `/messages/${message}/reactions/`
    expect((await api.ok('GET', `${path}%F0%9F%91%8D`)).data).toHaveLength(1)
    expect((await api.ok('GET', `${path}x`)).data).toEqual([])
  },
  'DELETE /messages/:id/reactions/:reaction': async ({ api, message }) => {
    const { data } = await api.ok('DELETE', `/messages/${message}/reactions/%F0%9F%91%8D`, { onBehalfOf: 'bob' })
    expect(data.data).not.toHaveProperty('reactions')
  },
  'PATCH /messages/:id/interacted': async ({ api }) => {
    const data = { interactiveData: { title: 'x', submitElement: { elementId: 'go' } } }
    const body = { receiver: 'ann', receiverType: 'user', category: 'interactive', type: 'form', data }
    const { id } = (await api.ok('POST', '/messages', { body })).data
    const used = { body: { interactions: ['go'] }, onBehalfOf: 'ann' }
    expectKeys((await api.ok('PATCH', `/messages/${id}/interacted`, used)).data, SUCCESS)
  },
  'POST /messages/:id/flagged': async ({ api, message }) => {
    const body = { id: 'spam', remark: 'again' }
    expectKeys((await api.ok('POST', `/messages/${message}/flagged`, { onBehalfOf: 'bob', body })).data, SUCCESS)
  },
  'GET /messages/:id/flags': async ({ api, message }) => {
    const { data } = await api.ok('GET', `/messages/${message}/flags`)
    expectKeys(data[0], ['messageId', 'uid', 'reason', 'remark', 'flaggedAt', 'flaggedBy'])
  },
  'POST /messages/:id/pin': async ({ api, message }) => {
    expect((await api.ok('POST', `/messages/${message}/pin`)).data).toMatchObject({
      id: message,
      pinnedBy: 'app_system',
    })
  },
  'DELETE /messages/:id/pin': async ({ api, message }) => {
    expect((await api.ok('DELETE', `/messages/${message}/pin`)).data).not.toHaveProperty('pinnedBy')
  },
  'POST /messages/:id/save': async ({ api, message }) => {
    const { data } = await api.ok('POST', `/messages/${message}/save`, { onBehalfOf: 'bob' })
    expect(data.savedAt).toBeGreaterThan(0)
  },
  'DELETE /messages/:id/save': async ({ api, message }) => {
    const { data } = await api.ok('DELETE', `/messages/${message}/save`, { onBehalfOf: 'bob' })
    expect(data).not.toHaveProperty('savedAt')
  },
  'POST /messages/:id/thread/subscription': async ({ api, message }) => {
    const path = `/messages/${message}/thread/subscription`
    expectKeys((await api.ok('POST', path, { onBehalfOf: 'bob' })).data, SUCCESS)
  },
  'DELETE /messages/:id/thread/subscription': async ({ api, message }) => {
    const path = `/messages/${message}/thread/subscription`
    expectKeys((await api.ok('DELETE', path, { onBehalfOf: 'bob' })).data, SUCCESS)
  },
}

/** When the bot has written to the group, and nobody needs the message as it was sent any more. */
export const lastMessageOperations: Operations = {
  'GET /groups/:guid/messages': async ({ api }) => {
    const list = await api.ok('GET', '/groups/lounge/messages', { query: { category: 'message' } })
    expect(list.data.map((row: Json) => row.data.text)).toEqual(['beep'])
    expectKeys(list.data[0], SENT)
  },
  'PUT /messages/:id': async ({ api, message }) => {
    const body = { data: { text: 'Hello Bob' }, tags: ['y'] }
    const { data } = await api.ok('PUT', `/messages/${message}`, { body, onBehalfOf: 'ann' })
    expectAction(data, 'edited', ['by', 'on', 'for'])
    expect(data.type).toBe('message')
    expectKeys(data.data.entities.on.entity, [...SENT, 'muid', 'editedAt', 'editedBy', 'tags', 'replyCount'])
  },
  'DELETE /messages/:id': async ({ api, message }) => {
    const { data } = await api.ok('DELETE', `/messages/${message}`)
    expectAction(data, 'deleted', ['by', 'on', 'for'])
    expect(data.data.entities.on.entity).toMatchObject({ deletedBy: 'app_system' })
  },
}
