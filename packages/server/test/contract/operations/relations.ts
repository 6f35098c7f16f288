/** What users are to each other: friends, or blocked. */
import { expect } from 'vitest'
import type { Json } from '../../support/api.ts'
import { expectKeys, expectPage, type Operations, PLAIN_USER, SUCCESS } from './support.ts'

export const relationOperations: Operations = {
  'POST /users/:uid/friends': async ({ api }) => {
    const body = { accepted: ['Bob', 'cara', 'nobody'] }
    const { data } = await api.ok('POST', '/users/ann/friends', { body })
    expectKeys(data.accepted, ['bob', 'cara', 'nobody'])
    expect(data.accepted.bob).toEqual({ success: true, message: 'Created relationship with status accepted.' })
    expect(data.accepted.nobody).toMatchObject({ success: false, error: { code: 'ERR_UID_NOT_FOUND' } })
  },
  'GET /users/:uid/friends': async ({ api }) => {
    const list = await api.ok('GET', '/users/ann/friends')
    expectKeys(list.meta, ['pagination', 'cursor'])
    expectPage(list, [...PLAIN_USER, 'conversationId'])
    expect(list.data.map(({ uid }: Json) => uid)).toEqual(['bob', 'cara'])
  },
  'DELETE /users/:uid/friends': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/users/ann/friends', { body: { friends: ['cara'] } })).data, SUCCESS)
    expect((await api.ok('GET', '/users/cara/friends')).data).toEqual([])
  },
  'POST /users/:uid/blockedusers': async ({ api }) => {
    const { data } = await api.ok('POST', '/users/ann/blockedusers', { body: { blockedUids: ['Cara', 'nobody'] } })
    expect(data.cara).toEqual({
      success: true,
      message: 'The user with UID ann has blocked user with UID cara successfully.',
    })
    expect(data.nobody).toMatchObject({ success: false, error: { code: 'ERR_UID_NOT_FOUND' } })
  },
  'GET /users/:uid/blockedusers': async ({ api }) => {
    const list = await api.ok('GET', '/users/ann/blockedusers')
    expectKeys(list.meta, ['pagination', 'cursor'])
    expectPage(list, [...PLAIN_USER, 'conversationId', 'blockedByMe', 'blockedByMeAt', 'blockedAt'])
  },
  'DELETE /users/:uid/blockedusers': async ({ api }) => {
    const { data } = await api.ok('DELETE', '/users/ann/blockedusers', { body: { blockedUids: ['cara'] } })
    expect(data.cara.success).toBe(true)
    expect((await api.ok('GET', '/users/ann/blockedusers')).data).toEqual([])
  },
  'POST /blockedusers': async ({ api }) => {
    const body = { blockedUids: ['cara'] }
    const { data } = await api.ok('POST', '/blockedusers', { onBehalfOf: 'bob', body })
    expectKeys(data.cara, SUCCESS)
  },
  'GET /blockedusers': async ({ api }) => {
    const query = { direction: 'hasBlockedMe' }
    const list = await api.ok('GET', '/blockedusers', { onBehalfOf: 'cara', query })
    expectPage(list, [...PLAIN_USER, 'conversationId', 'hasBlockedMe', 'blockedAt'])
  },
  'DELETE /blockedusers': async ({ api }) => {
    const body = { blockedUids: ['cara'] }
    expectKeys((await api.ok('DELETE', '/blockedusers', { onBehalfOf: 'bob', body })).data, ['cara'])
  },
}
