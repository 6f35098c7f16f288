import { rolePermissions, scopePermissions } from '@confab/protocol'
import { expect, test } from 'vitest'
import { checkPermissions, describePermissions, type PermissionType } from './permissions.ts'

test.each<[PermissionType, string, string | string[], string | string[]]>([
  ['role', 'sendMessage', 'deny', 'deny'],
  ['role', 'listUsers.mode', 'friends', 'friends'],
  ['role', 'listUsers.allowedRoles', ['VIP', 'vip'], ['vip']],
  ['role', 'createGroup.allowedGroupTypes', ['public', 'public'], ['public']],
  ['role', 'sendMessage.allowedMessageTypes', ['poll'], ['poll']],
  ['role', 'sendMessage.allowedMimeTypes', [], []],
  ['scope', 'listMembers.allowedScopes', 'participant', ['participant']],
  ['scope', 'initiateCall', 'friends', 'friends'],
])('%s %s may be %j', (type, id, value, stored) => {
  expect(checkPermissions(type, { [id]: value })).toEqual({ [id]: stored })
})

test.each<[PermissionType, string, string | string[]]>([
  ['role', 'sendMessage', 'maybe'],
  ['role', 'sendMessage', ['deny']],
  ['role', 'listUsers.mode', 'friendsOnly'],
  ['role', 'createGroup.allowedGroupTypes', ['public', 'secret']],
  ['role', 'addReaction', 'deny'],
  ['role', 'constructor', 'deny'],
  ['scope', 'deleteMessage', 'deny'],
  ['scope', 'initiateCall.allowedType', ['text']],
])('%s %s may not be %j', (type, id, value) => {
  const wrong = expect.objectContaining({
    code: 'ERR_BAD_REQUEST',
    details: { [`permissions.${id}`]: expect.any(String) },
  })
  expect(() => checkPermissions(type, { [id]: value })).toThrow(wrong)
})

test('nothing at all is refused', () => {
  expect(() => checkPermissions('role', {})).toThrow(expect.objectContaining({ code: 'ERR_BAD_REQUEST' }))
})

test('every permission is described, with what is set of it', () => {
  const times = { createdAt: 1, updatedAt: 2 }
  const role = describePermissions('role', { sendMessage: 'deny' }, times)
  expect(role.map(({ id }) => id)).toEqual(Object.keys(rolePermissions))
  expect(role.filter(({ value }) => value !== undefined).map(({ id, value }) => [id, value])).toEqual([
    ['sendMessage', 'deny'],
  ])
  expect(role[0]).toEqual({
    id: 'createGroup',
    type: 'role',
    title: 'Create groups',
    description: 'Create groups',
    dataType: 'string',
    availableValues: ['allow', 'deny'],
    defaultValue: 'allow',
    ...times,
  })
  expect(describePermissions('scope', {}, times)).toHaveLength(Object.keys(scopePermissions).length)
})
