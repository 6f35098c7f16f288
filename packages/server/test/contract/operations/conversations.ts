/** Conversations: by id, and as what a user has with another, or in a group. */
import { expect } from 'vitest'
import { expectKeys, expectPage, joined, type Operations, SUCCESS } from './support.ts'

const CONVERSATION = [
  ...['conversationId', 'conversationType', 'unreadMessageCount', 'unreadMentionsCount', 'createdAt', 'updatedAt'],
  ...['latestMessageId', 'conversationWith'],
]

/** All that there is of the conversation that ann has with somebody, or in a group. */
const operationsUnder = (pattern: string, path: string): Operations => {
  const onBehalfOf = 'ann'
  return {
    [`GET ${pattern}`]: async ({ api }) => {
      expectKeys((await api.ok('GET', path, { onBehalfOf })).data, [...CONVERSATION, 'lastMessage'])
    },
    [`PUT ${pattern}`]: async ({ api }) => {
      const { data } = await api.ok('PUT', path, { onBehalfOf, body: { tags: ['x'] } })
      expectKeys(data, [...CONVERSATION, 'lastMessage', 'tags'])
    },
    [`POST ${pattern}/delivered`]: async ({ api }) => {
      expectKeys((await api.ok('POST', `${path}/delivered`, { onBehalfOf })).data, SUCCESS)
    },
    [`POST ${pattern}/read`]: async ({ api }) => {
      expectKeys((await api.ok('POST', `${path}/read`, { onBehalfOf })).data, SUCCESS)
      expect((await api.ok('GET', path, { onBehalfOf })).data).toHaveProperty('lastReadMessageId')
    },
    [`DELETE ${pattern}/read`]: async ({ api }) => {
      const { data } = await api.ok('DELETE', `${path}/read`, { onBehalfOf, body: { messageId: 1 } })
      expectKeys(data, [...SUCCESS, 'conversation'])
      expect(data.conversation).not.toHaveProperty('lastReadMessageId')
    },
    [`POST ${pattern}/pin`]: async ({ api }) => {
      expect((await api.ok('POST', `${path}/pin`, { onBehalfOf })).data).toMatchObject({ pinnedBy: 'me' })
    },
    [`DELETE ${pattern}/pin`]: async ({ api }) => {
      expect((await api.ok('DELETE', `${path}/pin`, { onBehalfOf })).data).not.toHaveProperty('pinnedBy')
    },
    [`DELETE ${pattern}`]: async ({ api }) => {
      expectKeys((await api.ok('DELETE', path, { onBehalfOf })).data, SUCCESS)
      await api.fails('ERR_CONVERSATION_NOT_ACCESSIBLE', 'GET', path, { onBehalfOf })
    },
  }
}

export const conversationOperations = joined([
  {
    'GET /conversations': async ({ api }) => {
      expectPage(await api.ok('GET', '/conversations', { onBehalfOf: 'bob' }), [...CONVERSATION, 'lastMessage'])
    },
    'GET /conversations/:conversationId': async ({ api }) => {
      const { data } = await api.ok('GET', '/conversations/ann_user_bob', { onBehalfOf: 'ann' })
      expectKeys(data, [...CONVERSATION, 'lastMessage'])
    },
  },
  operationsUnder('/users/:uid/conversation', '/users/bob/conversation'),
  operationsUnder('/groups/:guid/conversation', '/groups/lounge/conversation'),
  {
    'DELETE /conversations/:conversationId': async ({ api }) => {
      expectKeys((await api.ok('DELETE', '/conversations/ann_user_bob', { onBehalfOf: 'bob' })).data, SUCCESS)
    },
  },
])
