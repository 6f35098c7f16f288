/** The lists of threads; a thread itself is among the operations of its message. */
import { expect } from 'vitest'
import { expectKeys, type Operations, SENT } from './support.ts'

export const threadOperations: Operations = {
  'GET /threads': async ({ api, message }) => {
    const { data } = await api.ok('GET', '/threads', { onBehalfOf: 'ann' })
    const more = ['muid', 'replyCount', 'lastReply', 'subscribed', 'threadSubscribed', 'unreadRepliesCount']
    expectKeys(data[0], [...SENT, ...more])
    expect(data[0]).toMatchObject({ id: message, replyCount: 1, unreadRepliesCount: 1 })
  },
  'GET /users/:uid/threads': async ({ api, message }) => {
    expect((await api.ok('GET', '/users/bob/threads', { onBehalfOf: 'ann' })).data).toMatchObject([{ id: message }])
  },
  'GET /groups/:guid/threads': async ({ api }) => {
    expect((await api.ok('GET', '/groups/lounge/threads', { onBehalfOf: 'ann' })).data).toEqual([])
  },
}
