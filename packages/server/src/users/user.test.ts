import type { ConversationId, Uid } from '@confab/protocol'
import { expect, test } from 'vitest'
import { systemUser, userEntity } from './user.ts'

const user = { uid: 'a' as Uid, name: 'A', status: 'offline' as const, role: 'default', createdAt: 1 }

test('the app as a user', () => {
  expect(systemUser(7)).toEqual({ uid: 'app_system', name: 'System', status: 'offline', role: 'default', createdAt: 7 })
})

test('an entity is the user without tags and without private metadata', () => {
  expect(userEntity({ ...user, tags: ['t'], statusMessage: 'hi' })).toEqual({ ...user, statusMessage: 'hi' })
  expect(userEntity({ ...user, metadata: { '@private': { k: 1 }, open: { '@private': 'inner' } } })).toEqual({
    ...user,
    metadata: { open: { '@private': 'inner' } },
  })
  expect(userEntity({ ...user, metadata: { '@private': { k: 1 } } })).toEqual(user)
  expect(userEntity({ ...user, metadata: {} })).toEqual(user)
})

test('an entity has the conversation, where there is one, and leaves the user as it was', () => {
  const given = { ...user, tags: ['t'], metadata: { '@private': 1 } }
  const before = structuredClone(given)
  expect(userEntity(given, 'a_user_b' as ConversationId)).toEqual({ ...user, conversationId: 'a_user_b' })
  expect(given).toEqual(before)
})
