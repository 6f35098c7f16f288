/** Every operation of the table, once, with the properties that the contract shows for its answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { call, callBody, change, makeCaller, sessionIn } from '../support/calling.ts'
import { importLines } from '../support/importing.ts'
import { openStream } from '../support/pulling.ts'
import { nameOf, routes } from '../support/routes.ts'
import { toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

interface Made {
  readonly api: Api
  apiKey: string
  token: string
  /** Of ann to bob. */
  message: string
  /** To the bot. */
  delivery: string
}

const profile = {
  name: 'Ann',
  avatar: 'https://ann.example/a.png',
  link: 'https://ann.example',
  role: 'Teacher',
  statusMessage: 'away',
  metadata: { city: 'Bern' },
  tags: ['one', 'two'],
}
const USER = ['uid', 'name', 'link', 'avatar', 'metadata', 'status', 'statusMessage', 'role', 'createdAt', 'tags']
const PLAIN_USER = ['uid', 'name', 'status', 'role', 'createdAt']
const GROUP = [
  'guid',
  'name',
  'description',
  'icon',
  'type',
  'membersCount',
  'conversationId',
  'hasJoined',
  'createdAt',
]
const JOINED = ['scope', 'joinedAt', 'owner', 'tags', 'metadata']
const BOT = ['uid', 'webhookURL', 'groupChatSetting', 'enabled', 'useBasicAuth', 'username', 'createdAt']
const DELIVERY = [
  ...['id', 'bot', 'conversationId', 'messageId', 'sequence', 'trigger', 'state', 'attempts', 'createdAt'],
]
const MESSAGE = ['id', 'conversationId', 'sender', 'receiverType', 'receiver', 'category', 'type', 'data', 'sentAt']
const SENT = [...MESSAGE, 'updatedAt']
const TOKEN = ['uid', 'authToken', 'createdAt']
const KEY = ['apiKey', 'name', 'scope', 'createdAt']
const CONVERSATION = [
  ...['conversationId', 'conversationType', 'unreadMessageCount', 'unreadMentionsCount', 'createdAt', 'updatedAt'],
  ...['latestMessageId', 'conversationWith'],
]
const ROLE = ['role', 'name', 'description', 'metadata', 'settings', 'createdAt']
const FEATURE = ['title', 'description', 'key', 'path', 'createdAt']
const PERMISSION = [
  ...['id', 'type', 'title', 'description', 'dataType', 'availableValues', 'defaultValue', 'createdAt', 'updatedAt'],
]
const WEBHOOK = [
  ...['id', 'name', 'webhookURL', 'enabled', 'useBasicAuth', 'username', 'retryOnFailure', 'createdAt', 'updatedAt'],
]
const SUCCESS = ['success', 'message']
const PAGE = ['total', 'count', 'per_page', 'current_page', 'total_pages']

/** `lastActiveAt` comes and goes with what a user does: not every sample shows it. */
const keysOf = (value: object): string[] => Object.keys(value).filter((key) => key !== 'lastActiveAt')

const expectKeys = (value: object, keys: readonly string[]): void => {
  expect(keysOf(value).sort()).toEqual([...keys].sort())
}

const expectPage = (list: Json, keys: readonly string[], options: { cursor?: boolean } = {}): void => {
  expectKeys(list, ['data', 'meta', ...(options.cursor ? ['cursor'] : [])])
  expectKeys(list.meta.pagination, PAGE)
  if (options.cursor) expectKeys(list.cursor, ['updatedAt', 'affix'])
  expect(list.data.length).toBeGreaterThan(0)
  expect(list.meta.pagination.count).toBe(list.data.length)
  expectKeys(list.data[0], keys)
}

const expectMessages = (list: Json, ids: readonly string[]): void => {
  expect(list.data.map(({ id }: Json) => id)).toEqual(ids)
  expectKeys(list.meta, ['current', 'next', 'pagination', 'cursor'])
  expectKeys(list.meta.current, ['limit', 'count'])
  expectKeys(list.meta.next, ['affix', 'sentAt', 'id'])
  expectKeys(list.meta.cursor, ['affix', 'sentAt', 'id'])
  expect(typeof list.meta.cursor.id).toBe('number')
}

const expectAction = (message: Json, action: string, entities: readonly string[]): void => {
  expectKeys(message, SENT)
  expect(message).toMatchObject({ category: 'action', data: { action } })
  expectKeys(message.data.entities, entities)
}

const CALL = [
  ...['sessionid', 'status', 'type', 'sender', 'receiver', 'receiverType', 'conversationId', 'initiatedAt', 'data'],
]
const expectCall = (message: Json, action: string, entities: readonly string[]): void => {
  expectKeys(message, SENT)
  expect(message).toMatchObject({ category: 'call', type: 'audio', data: { action } })
  expectKeys(message.data.entities, entities)
}

type Operations = Readonly<Record<string, (made: Made) => Promise<void>>>

/** All that there is of the conversation that ann has with somebody, or in a group. */
const conversationOperations = (pattern: string, path: string): Operations => {
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

const hook = (id: string) => ({
  ...{ id, name: 'Hook', webhookURL: 'https://hook.example/x', useBasicAuth: true, username: 'me', password: 'secret' },
})
const TRIGGERS = { triggerIds: ['message_sent', 'nonsense'] }

/** The same under both paths. */
const webhookOperations = (prefix: string, id: string): Readonly<Record<string, (made: Made) => Promise<void>>> => {
  const at = ({ api }: Made): string => `${prefix.replace(':appId', api.server.appId)}/webhooks`
  return {
    [`POST ${prefix}/webhooks`]: async (made) => {
      const { data } = await made.api.ok('POST', at(made), { body: hook(id) })
      expectKeys(data, [...WEBHOOK, 'signingSecret'])
      expect(data).toMatchObject({ id, enabled: true, retryOnFailure: false })
    },
    [`GET ${prefix}/webhooks`]: async (made) =>
      expectPage(await made.api.ok('GET', at(made), { query: { searchKey: 'hoo' } }), WEBHOOK),
    [`GET ${prefix}/webhooks/:webhookId`]: async (made) =>
      expectKeys((await made.api.ok('GET', `${at(made)}/${id}`)).data, WEBHOOK),
    [`PUT ${prefix}/webhooks/:webhookId`]: async (made) => {
      const { data } = await made.api.ok('PUT', `${at(made)}/${id}`, { body: { name: 'Other', retryOnFailure: true } })
      expect(data).toMatchObject({ name: 'Other', retryOnFailure: true, webhookURL: 'https://hook.example/x' })
    },
    [`POST ${prefix}/webhooks/:webhookId/triggers`]: async (made) => {
      const { data } = await made.api.ok('POST', `${at(made)}/${id}/triggers`, { body: TRIGGERS })
      expect(data).toMatchObject({
        message_sent: { success: true, message: 'Triggers has been added successfully.' },
        nonsense: { success: false, error: { code: 'ERR_TRIGGER_NOT_FOUND' } },
      })
    },
    [`GET ${prefix}/webhooks/:webhookId/triggers`]: async (made) => {
      const list = await made.api.ok('GET', `${at(made)}/${id}/triggers`)
      expectPage(list, ['id', 'description'])
      expect(list.data).toMatchObject([{ id: 'message_sent' }])
    },
    [`DELETE ${prefix}/webhooks/:webhookId/triggers`]: async (made) => {
      const body = { triggerIds: ['message_sent'] }
      expectKeys((await made.api.ok('DELETE', `${at(made)}/${id}/triggers`, { body })).data, SUCCESS)
      expect((await made.api.ok('GET', `${at(made)}/${id}/triggers`)).data).toEqual([])
    },
    ...(prefix === '' && ownOperations(id)),
    [`DELETE ${prefix}/webhooks/:webhookId`]: async (made) => {
      expectKeys((await made.api.ok('DELETE', `${at(made)}/${id}`)).data, SUCCESS)
      await made.api.fails('ERR_WEBHOOK_NOT_FOUND', 'GET', `${at(made)}/${id}`)
    },
  }
}

const ownOperations = (id: string): Readonly<Record<string, (made: Made) => Promise<void>>> => ({
  'POST /webhooks/:webhookId/secret/rotate': async ({ api }) => {
    const { data } = await api.ok('POST', `/webhooks/${id}/secret/rotate`, { body: { overlapSeconds: 60 } })
    expectKeys(data, [...WEBHOOK, 'signingSecret', 'previousSecretExpiresAt'])
  },
  'POST /webhooks/:webhookId/resume': async ({ api }) =>
    expect((await api.ok('POST', `/webhooks/${id}/resume`)).data).toEqual({ resumed: 0 }),
  'POST /webhooks/:webhookId/test': async ({ api }) => {
    await api.ok('PUT', `/webhooks/${id}`, { body: { webhookURL: 'http://127.0.0.1:1' } })
    expect((await api.ok('POST', `/webhooks/${id}/test`)).data).toMatchObject({ ok: false, reached: false })
  },
  'POST /webhooks/:webhookId/replay': async ({ api }) =>
    expect((await api.ok('POST', `/webhooks/${id}/replay`, { body: { since: 0 } })).data).toEqual({ replayed: 0 }),
  'GET /webhooks/:webhookId/stats': async ({ api }) =>
    expect((await api.ok('GET', `/webhooks/${id}/stats`)).data).toMatchObject({ breaker: { state: 'closed' } }),
})

/** In this order: later ones need what earlier ones made. */
const operations: Operations = {
  'POST /roles': async ({ api }) => {
    const role = { name: 'Teacher', description: 'Teaches', metadata: { rank: 1 }, settings: { listUsers: 'all' } }
    const { data } = await api.ok('POST', '/roles', { body: { role: 'Teacher', ...role } })
    expectKeys(data, ROLE)
    const settings = { listUsers: 'all', sendMessagesTo: 'all' }
    expect(data).toMatchObject({ ...role, role: 'teacher', settings })
  },
  'GET /roles': async ({ api }) => {
    const list = await api.ok('GET', '/roles')
    const roleOf = (name: string): Json => list.data.find(({ role }: Json) => role === name)
    expectPage({ ...list, data: [roleOf('teacher'), roleOf('default')] }, ROLE)
    expectKeys(roleOf('default'), ['role', 'name', 'createdAt'])
  },
  'GET /roles/:role': async ({ api }) => expectKeys((await api.ok('GET', '/roles/TEACHER')).data, ROLE),
  'PUT /roles/:role': async ({ api }) => {
    const { data } = await api.ok('PUT', '/roles/teacher', { body: { name: 'Tutor', unset: ['metadata'] } })
    expectKeys(data, [...ROLE.filter((key) => key !== 'metadata'), 'updatedAt'])
    expect(data.name).toBe('Tutor')
  },
  'POST /roles/:role/restrictedfeatures': async ({ api }) => {
    const body = { featuresToRestrict: ['u.deleteGroup', 'listUsers'] }
    const { data } = await api.ok('POST', '/roles/teacher/restrictedfeatures', { body })
    const message = (key: string): string => `The feature ${key} has been restricted successfully.`
    expect(data).toEqual({
      'u.deleteGroup': { success: true, message: message('u.deleteGroup') },
      'u.listUsers': { success: true, message: message('u.listUsers') },
    })
  },
  'GET /roles/:role/restrictedfeatures': async ({ api }) => {
    const list = await api.ok('GET', '/roles/teacher/restrictedfeatures')
    expectPage(list, FEATURE)
    expect(list.data.map(({ createdAt: _createdAt, ...feature }: Json) => feature)).toEqual([
      {
        title: 'Delete Group',
        description: 'Allows logged-in user to delete a group.',
        key: 'u.deleteGroup',
        path: '/v3/groups/{{guid}}',
      },
      {
        title: 'List Users',
        description: 'Allows logged-in user to fetch the user list.',
        key: 'u.listUsers',
        path: '/v3/users',
      },
    ])
  },
  'DELETE /roles/:role/restrictedfeatures': async ({ api }) => {
    const body = { allowAll: true }
    expectKeys((await api.ok('DELETE', '/roles/teacher/restrictedfeatures', { body })).data, SUCCESS)
    expect((await api.ok('GET', '/roles/teacher/restrictedfeatures')).data).toEqual([])
  },
  'PUT /roles/:role/permissions': async ({ api }) => {
    const permissions = { createGroup: 'allow', 'sendMessage.allowedMessageTypes': ['text', 'image'] }
    const { data } = await api.ok('PUT', '/roles/teacher/permissions', { body: { permissions } })
    expectKeys(data, [...Object.keys(permissions), 'permissions'])
    expect(data.createGroup).toEqual({
      success: true,
      message: 'Permission with id createGroup have been mapped successfully to role teacher.',
    })
    expect(data.permissions).toEqual(permissions)
  },
  'GET /roles/:role/permissions': async ({ api }) => {
    const list = await api.ok('GET', '/roles/teacher/permissions')
    expectPage(list, [...PERMISSION, 'value'])
    expect(list.data[0]).toMatchObject({ id: 'createGroup', type: 'role', availableValues: ['allow', 'deny'] })
    const found = list.data.find(({ id }: Json) => id === 'sendMessage.allowedMessageTypes')
    expect(found).toMatchObject({ dataType: 'stringArray', defaultValue: [], value: ['text', 'image'] })
  },
  'DELETE /roles/:role/permissions/:permission': async ({ api }) => {
    const path = '/roles/teacher/permissions/sendMessage.allowedMessageTypes'
    expect((await api.ok('DELETE', path)).data).toEqual({ permissions: { createGroup: 'allow' } })
  },
  'DELETE /roles/:role': async ({ api }) => {
    await api.ok('POST', '/roles', { body: { role: 'spare', name: 'Spare' } })
    expectKeys((await api.ok('DELETE', '/roles/spare')).data, SUCCESS)
    await api.fails('ERR_ROLE_NOT_FOUND', 'GET', '/roles/spare')
  },
  'POST /users': async ({ api }) => {
    const { data } = await api.ok('POST', '/users', { body: { uid: 'Ann', ...profile, withAuthToken: true } })
    expectKeys(data, [...USER, 'authToken'])
    expect(data).toMatchObject({ ...profile, uid: 'ann', role: 'teacher', status: 'offline' })
    const plain = await api.ok('POST', '/users', { body: { uid: 'bob', name: 'Bob' } })
    expectKeys(plain.data, PLAIN_USER)
    for (const uid of ['cara', 'robot']) await api.ok('POST', '/users', { body: { uid, name: uid } })
  },
  'GET /users': async ({ api }) => {
    expectPage(
      await api.ok('GET', '/users'),
      USER.filter((key) => key !== 'tags'),
      { cursor: true },
    )
    expectPage(await api.ok('GET', '/users', { query: { withTags: true } }), USER, { cursor: true })
  },
  'GET /users/:uid': async ({ api }) => {
    expectKeys((await api.ok('GET', '/users/ANN')).data, USER)
    expectKeys((await api.ok('GET', '/users/bob')).data, PLAIN_USER)
  },
  'PUT /users/:uid': async ({ api }) => {
    const { data } = await api.ok('PUT', '/users/ann', { body: { name: 'Anna' } })
    expectKeys(data, [...USER, 'updatedAt'])
    expect(data).toMatchObject({ name: 'Anna', metadata: profile.metadata })
  },
  'DELETE /users': async ({ api }) => {
    const { data } = await api.ok('DELETE', '/users', { body: { uidsToDeactivate: ['Cara', 'nobody'] } })
    expect(data).toEqual({ deactivatedUids: ['cara'] })
  },
  'PUT /users': async ({ api }) => {
    const { data } = await api.ok('PUT', '/users', { body: { uidsToActivate: ['cara', 'nobody'] } })
    expect(data).toEqual({ nonDeactivatedUids: ['cara'] })
  },
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
  'POST /users/:uid/auth_tokens': async (made) => {
    const { data } = await made.api.ok('POST', '/users/bob/auth_tokens', { body: { force: true } })
    expectKeys(data, TOKEN)
    expect(data.authToken).toMatch(/^bob_\d{10}[0-9a-f]{30}$/)
    made.token = data.authToken
  },
  'GET /users/:uid/auth_tokens': async ({ api }) => {
    expectPage(await api.ok('GET', '/users/bob/auth_tokens'), TOKEN)
  },
  'GET /users/:uid/auth_tokens/:authToken': async ({ api, token }) => {
    expectKeys((await api.ok('GET', `/users/bob/auth_tokens/${token}`)).data, TOKEN)
  },
  'PUT /users/:uid/auth_tokens/:authToken': async ({ api, token }) => {
    const body = { platform: 'web', userAgent: 'Browser', appInfo: { version: '1' } }
    const { data } = await api.ok('PUT', `/users/bob/auth_tokens/${token}`, { body })
    expectKeys(data, [...TOKEN, ...Object.keys(body)])
    expect(data).toMatchObject(body)
  },
  'DELETE /users/:uid/auth_tokens/:authToken': async ({ api, token }) => {
    expectKeys((await api.ok('DELETE', `/users/bob/auth_tokens/${token}`)).data, SUCCESS)
    await api.fails('ERR_AUTH_TOKEN_NOT_FOUND', 'GET', `/users/bob/auth_tokens/${token}`)
  },
  'DELETE /users/:uid/auth_tokens': async ({ api }) => {
    await api.ok('POST', '/users/bob/auth_tokens')
    expectKeys((await api.ok('DELETE', '/users/bob/auth_tokens')).data, SUCCESS)
    expect((await api.ok('GET', '/users/bob/auth_tokens')).data).toEqual([])
  },
  'POST /apikeys': async (made) => {
    const { data } = await made.api.ok('POST', '/apikeys', { body: { name: 'Spare' } })
    expectKeys(data, KEY)
    expect(data).toMatchObject({ name: 'Spare', scope: 'authOnly', apiKey: expect.stringMatching(/^[0-9a-f]{40}$/) })
    made.apiKey = data.apiKey
  },
  'GET /apikeys': async ({ api }) => expectPage(await api.ok('GET', '/apikeys'), KEY),
  'GET /apikeys/:apiKey': async ({ api, apiKey }) => {
    expectKeys((await api.ok('GET', `/apikeys/${apiKey}`)).data, KEY)
  },
  'PUT /apikeys/:apiKey': async ({ api, apiKey }) => {
    const older = await api.ok('PUT', `/apikeys/${apiKey}`, { body: { scope: 'userauth' } })
    expect(older.data.scope).toBe('authOnly')
    expect((await api.ok('PUT', `/apikeys/${apiKey}`, { body: { scope: 'admin' } })).data.scope).toBe('fullAccess')
    const body = { name: 'Better', scope: 'fullAccess' }
    expectKeys((await api.ok('PUT', `/apikeys/${apiKey}`, { body })).data, KEY)
    expect((await api.ok('GET', '/users', { key: apiKey })).data.length).toBeGreaterThan(0)
  },
  'DELETE /apikeys/:apiKey': async ({ api, apiKey }) => {
    expectKeys((await api.ok('DELETE', `/apikeys/${apiKey}`)).data, SUCCESS)
    await api.fails('AUTH_ERR_APIKEY_NOT_FOUND', 'GET', '/users', { key: apiKey })
  },
  'POST /groups': async ({ api }) => {
    const group = {
      name: 'Lounge',
      type: 'password',
      password: 'open sesame',
      icon: 'https://g.example/i.png',
      description: 'All of us',
      metadata: { floor: 2 },
      tags: ['fun'],
    }
    const members = { moderators: ['cara'], usersToBan: ['nobody'] }
    const { data } = await api.ok('POST', '/groups', { body: { guid: 'Lounge', ...group, members }, onBehalfOf: 'ann' })
    expectKeys(data, [...GROUP, ...JOINED, 'members'])
    const { password: _password, ...shown } = group
    expect(data).toMatchObject({ ...shown, guid: 'lounge', scope: 'admin', owner: 'ann', membersCount: 2 })
    expectKeys(data.members.data, ['admins', 'moderators', 'participants', 'usersToBan'])
    expect(data.members.data.moderators).toEqual({ cara: { success: true } })
    expect(data.members.data.usersToBan.nobody).toMatchObject({ success: false, error: { code: 'ERR_UID_NOT_FOUND' } })
  },
  'GET /groups': async ({ api }) => {
    const query = { withTags: true }
    expectPage(await api.ok('GET', '/groups', { onBehalfOf: 'ann', query }), [...GROUP, ...JOINED], { cursor: true })
  },
  'GET /groups/:guid': async ({ api }) => {
    expectKeys((await api.ok('GET', '/groups/LOUNGE', { onBehalfOf: 'ann' })).data, [...GROUP, ...JOINED])
  },
  'PUT /groups/:guid': async ({ api }) => {
    const { data } = await api.ok('PUT', '/groups/lounge', { onBehalfOf: 'ann', body: { name: 'Bar' } })
    expectKeys(data, [...GROUP, ...JOINED, 'updatedAt', 'updatedBy'])
    expect(data).toMatchObject({ name: 'Bar', updatedBy: 'ann' })
  },
  'POST /groups/:guid/members': async ({ api }) => {
    const { data } = await api.ok('POST', '/groups/lounge/members', {
      body: { participants: ['bob', 'robot', 'cara'] },
    })
    expectKeys(data, ['admins', 'moderators', 'participants', 'usersToBan'])
    expectAction(data.participants.bob.data, 'added', ['by', 'on', 'for'])
    expect(data.participants.cara).toMatchObject({ success: false, error: { code: 'ERR_ALREADY_JOINED' } })
  },
  'PUT /groups/:guid/scopes/:scope/permissions': async ({ api }) => {
    const path = '/groups/lounge/scopes/participant/permissions'
    const permissions = { sendMessage: 'deny', 'listMembers.allowedScopes': 'admin' }
    const { data } = await api.ok('PUT', path, { body: { permissions } })
    expectKeys(data, [...Object.keys(permissions), 'permissions'])
    expect(data.sendMessage.message).toBe(
      'Permission with id sendMessage have been mapped successfully to scope participant on group lounge.',
    )
    expect(data.permissions).toEqual({ sendMessage: 'deny', 'listMembers.allowedScopes': ['admin'] })
  },
  'GET /groups/:guid/scopes/:scope/permissions': async ({ api }) => {
    const list = await api.ok('GET', '/groups/lounge/scopes/participant/permissions')
    expectPage(list, [...PERMISSION, 'value'])
    expect(list.meta.pagination.total).toBe(11)
    expect(list.data[0]).toMatchObject({ id: 'sendMessage', type: 'scope', defaultValue: 'allow', value: 'deny' })
  },
  'DELETE /groups/:guid/scopes/:scope/permissions/:permission': async ({ api }) => {
    const path = '/groups/lounge/scopes/participant/permissions'
    await api.ok('DELETE', `${path}/sendMessage`)
    expect((await api.ok('DELETE', `${path}/listMembers.allowedScopes`)).data).toEqual({ permissions: {} })
  },
  'PUT /groups/:guid/members': async ({ api }) => {
    const { data } = await api.ok('PUT', '/groups/lounge/members', { body: { participants: ['bob'] } })
    expect(data.participants.bob).toMatchObject({ success: false, error: { code: 'ERR_ALREADY_JOINED' } })
    expectKeys(data, ['admins', 'moderators', 'participants', 'usersToBan'])
  },
  'DELETE /groups/:guid/members': async ({ api }) => {
    await api.ok('POST', '/groups', { body: { guid: 'passing', name: 'Passing' } })
    const joined = await api.ok('POST', '/groups/passing/members', { onBehalfOf: 'bob', body: {} })
    expectAction(joined.data, 'joined', ['by', 'on', 'for'])
    expectKeys((await api.ok('DELETE', '/groups/passing/members', { onBehalfOf: 'bob' })).data, SUCCESS)
    await api.ok('DELETE', '/groups/passing')
  },
  'PATCH /groups/:guid/owner': async ({ api }) => {
    const path = '/groups/lounge/owner'
    expectKeys((await api.ok('PATCH', path, { onBehalfOf: 'ann', body: { owner: 'bob' } })).data, SUCCESS)
    await api.ok('PATCH', path, { body: { owner: 'ann' } })
    await api.ok('PUT', '/groups/lounge/members/bob', { body: { scope: 'participant' } })
  },
  'GET /groups/:guid/members': async ({ api }) => {
    const keys = [...USER.filter((key) => key !== 'tags'), 'updatedAt', 'scope', 'joinedAt']
    expectPage(await api.ok('GET', '/groups/lounge/members'), keys, { cursor: true })
  },
  'PUT /groups/:guid/members/:uid': async ({ api }) => {
    const { data } = await api.ok('PUT', '/groups/lounge/members/bob', { body: { scope: 'moderator' } })
    expectKeys(data, ['guid', 'uid', 'scope', 'joinedAt'])
    expect(data).toMatchObject({ guid: 'lounge', uid: 'bob', scope: 'moderator' })
  },
  'DELETE /groups/:guid/members/:uid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/groups/lounge/members/cara')).data, SUCCESS)
  },
  'POST /groups/:guid/bannedusers/:uid': async ({ api }) => {
    expectKeys((await api.ok('POST', '/groups/lounge/bannedusers/cara')).data, SUCCESS)
  },
  'GET /groups/:guid/bannedusers': async ({ api }) => {
    const list = await api.ok('GET', '/groups/lounge/bannedusers')
    expectPage(list, [...PLAIN_USER, 'isBanned', 'bannedAt'], { cursor: true })
    expect(list.data[0].isBanned).toBe(true)
  },
  'DELETE /groups/:guid/bannedusers/:uid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/groups/lounge/bannedusers/cara')).data, SUCCESS)
    expect((await api.ok('GET', '/groups/lounge/bannedusers')).data).toEqual([])
  },
  'POST /bots': async ({ api }) => {
    const body = { uid: 'Robot', webhookURL: 'https://robot.example/hook', enabled: true, useBasicAuth: true }
    const login = { username: 'me', password: 'password of the robot', groupChatSetting: 'mentionedMessages' }
    const { data } = await api.ok('POST', '/bots', { body: { ...body, ...login } })
    expectKeys(data, [...BOT, 'signingSecret'])
    expect(data.signingSecret).toMatch(/^whsec_/)
  },
  'GET /bots': async ({ api }) => expectPage(await api.ok('GET', '/bots'), BOT),
  'GET /bots/:uid': async ({ api }) => expectKeys((await api.ok('GET', '/bots/ROBOT')).data, BOT),
  'POST /bots/:uid/secret/rotate': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/ROBOT/secret/rotate', { body: { overlapSeconds: 60 } })
    expectKeys(data, [...BOT, 'updatedAt', 'signingSecret', 'previousSecretExpiresAt'])
    expect(data.signingSecret).toMatch(/^whsec_/)
  },
  'PUT /bots/:uid': async ({ api }) => {
    const { data } = await api.ok('PUT', '/bots/robot', { body: { enabled: false } })
    expectKeys(data, [...BOT.filter((key) => key !== 'enabled'), 'updatedAt'])
  },
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
  'POST /files/upload-url': async ({ api }) => {
    const body = { files: { one: { name: 'a.png', size: 1 } }, receiver: 'bob', receiverType: 'user' }
    const { data } = await api.ok('POST', '/files/upload-url', { body, onBehalfOf: 'ann' })
    expectKeys(data.one, ['request', 'attachment', 'expiresAt'])
    expectKeys(data.one.request, ['url', 'method', 'body'])
    expectKeys(data.one.attachment, ['url', 'name', 'mimeType', 'extension', 'size'])
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
  'GET /conversations': async ({ api }) => {
    expectPage(await api.ok('GET', '/conversations', { onBehalfOf: 'bob' }), [...CONVERSATION, 'lastMessage'])
  },
  'GET /conversations/:conversationId': async ({ api }) => {
    const { data } = await api.ok('GET', '/conversations/ann_user_bob', { onBehalfOf: 'ann' })
    expectKeys(data, [...CONVERSATION, 'lastMessage'])
  },
  ...conversationOperations('/users/:uid/conversation', '/users/bob/conversation'),
  ...conversationOperations('/groups/:guid/conversation', '/groups/lounge/conversation'),
  'DELETE /conversations/:conversationId': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/conversations/ann_user_bob', { onBehalfOf: 'bob' })).data, SUCCESS)
  },
  'POST /bots/:uid/typing': async ({ api }) => {
    const body = { receiver: 'lounge', receiverType: 'group', action: 'ended', metadata: { mood: 'good' } }
    const { data } = await api.ok('POST', '/bots/robot/typing', { body })
    expectKeys(data, ['success', 'message'])
  },

  'POST /bots/:uid/messages': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/robot/messages', { body: toGroup('lounge', 'beep') })
    expectKeys(data, SENT)
    expect(data).toMatchObject({ sender: 'robot', receiver: 'lounge', conversationId: 'group_lounge' })
    expectKeys(data.data.entities.receiver.entity, [
      ...GROUP,
      ...JOINED.filter((key) => key !== 'tags'),
      'updatedAt',
      'updatedBy',
    ])
  },
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
  'POST /data_import/users': async ({ api }) => {
    const { data } = await api.ok('POST', '/data_import/users', { body: { users: { old: { name: 'Old' } } } })
    expectKeys(data.old, ['success', 'data'])
    expectKeys(data.old.data.data, PLAIN_USER)
  },
  'POST /data_import/groups': async ({ api }) => {
    const groups = { attic: { guid: 'attic', name: 'Attic', type: 'public', owner: 'old' } }
    const { data } = await api.ok('POST', '/data_import/groups', { body: { groups } })
    expect(data.attic).toMatchObject({
      success: true,
      data: { data: { guid: 'attic', owner: 'old', membersCount: 1 } },
    })
  },
  'POST /data_import/members': async ({ api }) => {
    const members = [{ guid: 'attic', uid: 'ann', joinedAt: 1 }]
    const { data } = await api.ok('POST', '/data_import/members', { body: { members } })
    expectKeys(data.attic_member_ann.data.data, ['guid', 'uid', 'scope', 'joinedAt'])
  },
  'POST /data_import/messages': async ({ api }) => {
    const message = { sender: 'old', receiverType: 'group', receiver: 'attic', data: { text: 'x' }, sentAt: '5' }
    const { data } = await api.ok('POST', '/data_import/messages', { body: { messages: { m1: message } } })
    expectKeys(data.m1.data, [...SENT, 'muid'])
  },
  'POST /data_import/stream': async ({ api }) => {
    const { lines } = await importLines(api.server, [{ user: { uid: 'older', name: 'Older' } }, 'no JSON'])
    expect(lines).toEqual([
      { line: 1, success: true, id: 'older' },
      {
        line: 2,
        success: false,
        error: { code: 'ERR_BAD_REQUEST', message: expect.any(String), details: expect.any(Object) },
      },
      { done: true, line: 2, imported: 1, existed: 0, failed: 1 },
    ])
    api.used.add('POST /data_import/stream')
  },
  'GET /stats': async ({ api }) => {
    const { data } = await api.ok('GET', '/stats', { query: { fromDate: 1, toDate: 9_999_999_999 } })
    expectKeys(data, ['metrics', 'time_range'])
    const minutes = ['audio_minutes', 'video_minutes', 'recorded_minutes']
    expectKeys(data.metrics, [...minutes, 'active_users', 'concurrent_users'])
    expectKeys(data.time_range, ['fromDate', 'toDate'])
  },
  'GET /me': async ({ api }) => {
    const { data } = await api.ok('GET', '/me', { onBehalfOf: 'bob' })
    expectKeys(data, [...PLAIN_USER, 'settings'])
    expect(data.uid).toBe('bob')
  },
  'PUT /me': async ({ api }) => {
    const body = { statusMessage: 'here', role: 'teacher', uid: 'eve' }
    const { data } = await api.ok('PUT', '/me', { onBehalfOf: 'bob', body })
    expectKeys(data, [...PLAIN_USER, 'statusMessage', 'updatedAt', 'settings'])
    expect(data).toMatchObject({ uid: 'bob', role: 'default', statusMessage: 'here' })
  },
  'DELETE /me': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/me', { onBehalfOf: 'bob' })).data, SUCCESS)
  },
  'GET /settings': async ({ api }) => {
    const { data } = await api.ok('GET', '/settings', { key: api.server.authKey })
    expect(data.CLIENT_API_HOST).toBe(new URL(api.server.url).host)
  },
  'GET /stats/messages': async ({ api }) => {
    const { data } = await api.ok('GET', '/stats/messages')
    expectKeys(data, ['startTime', 'endTime', 'dataPoints', 'appId'])
    expectKeys(data.dataPoints[0], ['messagesSent', 'readReceipts', 'deliveryReceipts', 'startTime', 'endTime'])
  },
  'POST /bots/:uid/resume': async ({ api }) => {
    expect((await api.ok('POST', '/bots/robot/resume')).data).toEqual({ resumed: expect.any(Number) })
  },
  'POST /bots/:uid/test': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/robot/test')
    expectKeys(data, ['ok', 'verdict', 'reached', 'answered', 'ms', 'call'])
    expect(data).toMatchObject({ ok: false, reached: false, call: { outcome: expect.any(String) } })
  },
  'DELETE /bots/:uid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/bots/robot')).data, SUCCESS)
    await api.fails('ERR_BOT_NOT_FOUND', 'GET', '/bots/robot')
    await api.ok('GET', '/users/robot')
  },
  ...webhookOperations('', 'hook'),
  ...webhookOperations('/apps/:appId', 'other_hook'),
  'GET /audit': async ({ api }) => {
    const list = await api.ok('GET', '/audit', { query: { limit: 2 } })
    expectKeys(list, ['data', 'meta'])
    expectKeys(list.data[0], ['id', 'at', 'actor', 'action', 'target', 'requestId'])
    expectKeys(list.data[0].actor, ['kind', 'name', 'keyEnd'])
    const { data: found } = await api.ok('GET', '/audit', { query: { action: 'DELETE /bots/:uid' } })
    expect(found).toMatchObject([{ action: 'DELETE /bots/:uid', target: 'robot' }])
    expectKeys(list.meta, ['current', 'next', 'pagination'])
    expect(list.meta.next).toEqual({ before: list.data[1].id })
  },
  'DELETE /groups/:guid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/groups/lounge')).data, SUCCESS)
    await api.fails('ERR_GUID_NOT_FOUND', 'GET', '/groups/lounge')
  },
  'DELETE /users/:uid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/users/cara')).data, SUCCESS)
    await api.fails('ERR_UID_NOT_FOUND', 'GET', '/users/cara')
  },
}

test('the table below has every operation', () => {
  expect(Object.keys(operations).sort()).toEqual(routes.map(nameOf).sort())
})

describeEngines('operations', (engine) => {
  let server: TestServer
  let made: Made
  beforeAll(async () => {
    server = await startServer({ engine })
    made = { api: new Api(server), apiKey: '', token: '', message: '', delivery: '' }
  })
  afterAll(() => server?.dispose())

  for (const [name, operation] of Object.entries(operations)) test(name, () => operation(made))

  test('each was answered with 200', () => {
    expect([...made.api.used].sort()).toEqual(Object.keys(operations).sort())
  })
})
