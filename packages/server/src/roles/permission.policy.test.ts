import type { RolePermissions, RoleSettings } from '@confab/protocol'
import { describe, expect, test } from 'vitest'
import {
  groupsShown,
  mayCreateGroup,
  mayDelete,
  mayEdit,
  mayEditInScope,
  mayGetUser,
  mayJoinGroup,
  maySend,
  maySendInScope,
  membersShown,
  messagesShown,
  type Rights,
  sendsToFriendsOnly,
  type ToSend,
  usersShown,
} from './permission.policy.ts'

const rights = (permissions: RolePermissions = {}, settings: RoleSettings = {}): Rights => ({ permissions, settings })

const text: ToSend = {
  category: 'message',
  type: 'text',
  mimeTypes: () => [],
  to: { type: 'user', role: 'default', isFriend: false },
}
const friend: Partial<ToSend> = { to: { type: 'user', role: 'default', isFriend: true } }
const image = (...mimeTypes: (string | undefined)[]): Partial<ToSend> => ({ type: 'image', mimeTypes: () => mimeTypes })
const group: Partial<ToSend> = { to: { type: 'group' } }

test.each<[RolePermissions, Partial<ToSend>, string | undefined]>([
  [{}, {}, undefined],
  [{}, group, undefined],
  [{ sendMessage: 'allow', 'sendMessage.mode': 'all' }, {}, undefined],
  [{ sendMessage: 'deny' }, {}, 'sendMessage'],
  [{ sendMessage: 'deny' }, group, 'sendMessage'],
  [{ 'sendMessage.mode': 'friends' }, {}, 'sendMessage.mode'],
  [{ 'sendMessage.mode': 'friends' }, friend, undefined],
  [{ 'sendMessage.mode': 'friends' }, group, undefined],
  [{ 'sendMessage.allowedReceiverTypes': ['group'] }, friend, 'sendMessage.allowedReceiverTypes'],
  [{ 'sendMessage.allowedReceiverTypes': ['user'] }, group, 'sendMessage.allowedReceiverTypes'],
  [{ 'sendMessage.allowedReceiverTypes': ['user', 'group'] }, group, undefined],
  [{ 'sendMessage.allowedReceiverTypes': [] }, {}, 'sendMessage.allowedReceiverTypes'],
  [{ 'sendMessage.allowedReceiverRoles': ['staff'] }, {}, 'sendMessage.allowedReceiverRoles'],
  [{ 'sendMessage.allowedReceiverRoles': ['staff', 'default'] }, {}, undefined],
  [{ 'sendMessage.allowedReceiverRoles': ['staff'] }, group, undefined],
  [{ 'sendMessage.allowedMessageTypes': ['image'] }, {}, 'sendMessage.allowedMessageTypes'],
  [{ 'sendMessage.allowedMessageTypes': ['text'] }, {}, undefined],
  [{ 'sendMessage.allowedMessageCategories': ['custom'] }, {}, 'sendMessage.allowedMessageCategories'],
  [{ 'sendMessage.allowedMessageCategories': ['message'] }, {}, undefined],
  [{ 'sendMessage.allowedMimeTypes': ['image/png'] }, {}, undefined],
  [{ 'sendMessage.allowedMimeTypes': ['image/png'] }, image('image/png'), undefined],
  [{ 'sendMessage.allowedMimeTypes': ['image/png'] }, image('image/png', 'x/y'), 'sendMessage.allowedMimeTypes'],
  [{ 'sendMessage.allowedMimeTypes': ['image/png'] }, image(undefined), 'sendMessage.allowedMimeTypes'],
  [{ editMessage: 'deny', deleteMessage: 'deny', listUsers: 'deny' }, {}, undefined],
])('to send by %j: %j', (permissions, message, denial) => {
  expect(maySend(rights(permissions), { ...text, ...message })).toBe(denial)
})

test('the setting that sends to friends only is another name of the mode', () => {
  const friendsOnly = rights({}, { sendMessagesTo: 'friendsOnly' })
  expect(maySend(friendsOnly, text)).toBe('sendMessagesTo')
  expect(maySend(friendsOnly, { ...text, ...friend })).toBeUndefined()
  expect(maySend(friendsOnly, { ...text, ...group })).toBeUndefined()
  expect(sendsToFriendsOnly(friendsOnly)).toBe(true)
  expect(sendsToFriendsOnly(rights({ 'sendMessage.mode': 'friends' }))).toBe(true)
  expect(sendsToFriendsOnly(rights({}, { sendMessagesTo: 'all', listUsers: 'friendsOnly' }))).toBe(false)
})

test('MIME types are looked at only where they matter', () => {
  const mimeTypes = () => {
    throw new Error('looked at')
  }
  expect(maySend(rights({ sendMessage: 'allow' }), { ...text, mimeTypes })).toBeUndefined()
})

describe.each([
  [mayCreateGroup, 'createGroup'],
  [mayJoinGroup, 'joinGroup'],
] as const)('%o', (may, key) => {
  test.each([
    [{}, undefined],
    [{ [key]: 'allow' }, undefined],
    [{ [key]: 'deny' }, key],
    [{ [`${key}.allowedGroupTypes`]: ['public'] }, undefined],
    [{ [`${key}.allowedGroupTypes`]: ['private'] }, `${key}.allowedGroupTypes`],
  ])('by %j', (permissions, denial) => {
    expect(may(rights(permissions), 'public')).toBe(denial)
  })
})

test.each([
  [{}, { role: 'a', isFriend: false }, undefined],
  [{ getUserDetails: 'deny' }, { role: 'a', isFriend: true }, 'getUserDetails'],
  [{ 'getUserDetails.mode': 'friends' }, { role: 'a', isFriend: false }, 'getUserDetails.mode'],
  [{ 'getUserDetails.mode': 'friends' }, { role: 'a', isFriend: true }, undefined],
  [{ 'getUserDetails.allowedRoles': ['b'] }, { role: 'a', isFriend: true }, 'getUserDetails.allowedRoles'],
  [{ 'getUserDetails.allowedRoles': ['a'] }, { role: 'a', isFriend: false }, undefined],
])('to get a user by %j: %j', (permissions: RolePermissions, other, denial) => {
  expect(mayGetUser(rights(permissions), other)).toBe(denial)
})

test('what lists show', () => {
  expect(usersShown(rights())).toEqual({ denial: undefined, friendsOnly: false, roles: undefined })
  expect(usersShown(rights({ listUsers: 'deny' })).denial).toBe('listUsers')
  expect(usersShown(rights({ 'listUsers.mode': 'friends' })).friendsOnly).toBe(true)
  expect(usersShown(rights({}, { listUsers: 'friendsOnly' })).friendsOnly).toBe(true)
  expect(usersShown(rights({ 'listUsers.allowedRoles': ['a'] })).roles).toEqual(['a'])
  expect(groupsShown(rights({ listGroups: 'deny', 'listGroups.allowedGroupTypes': [] }))).toEqual({
    denial: 'listGroups',
    types: [],
  })
  expect(messagesShown(rights({ 'listMessages.allowedMessageTypes': ['text'] }))).toEqual({
    denial: undefined,
    categories: undefined,
    types: ['text'],
  })
  expect(messagesShown(rights({ listMessages: 'deny' })).denial).toBe('listMessages')
})

test('to change what one has said', () => {
  expect([mayEdit(rights()), mayDelete(rights())]).toEqual([undefined, undefined])
  expect(mayEdit(rights({ editMessage: 'deny' }))).toBe('editMessage')
  expect(mayDelete(rights({ editMessage: 'deny' }))).toBeUndefined()
  expect(mayDelete(rights({ deleteMessage: 'deny' }))).toBe('deleteMessage')
})

test('scopes: replies have a permission of their own', () => {
  const announcements = { sendMessage: 'deny' }
  expect(maySendInScope(announcements, { isReply: false })).toBe('sendMessage')
  expect(maySendInScope(announcements, { isReply: true })).toBeUndefined()
  expect(maySendInScope({ sendThreadedMessage: 'deny' }, { isReply: true })).toBe('sendThreadedMessage')
  expect(maySendInScope({ sendThreadedMessage: 'deny' }, { isReply: false })).toBeUndefined()
  expect(mayEditInScope({ editMessage: 'deny' })).toBe('editMessage')
  expect(mayEditInScope(announcements)).toBeUndefined()
  expect(membersShown({})).toEqual({ denial: undefined, scopes: undefined })
  expect(membersShown({ listMembers: 'deny', 'listMembers.allowedScopes': ['admin'] })).toEqual({
    denial: 'listMembers',
    scopes: ['admin'],
  })
})
