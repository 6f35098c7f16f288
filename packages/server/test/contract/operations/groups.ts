/** Groups: their members, the permissions of their scopes, whom they ban. */
import { expect } from 'vitest'
import {
  expectAction,
  expectKeys,
  expectPage,
  GROUP,
  JOINED,
  type Operations,
  PERMISSION,
  PLAIN_USER,
  SUCCESS,
  USER,
} from './support.ts'

export const groupOperations: Operations = {
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
}

/** When nobody needs the group any more. */
export const lastGroupOperations: Operations = {
  'DELETE /groups/:guid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/groups/lounge')).data, SUCCESS)
    await api.fails('ERR_GUID_NOT_FOUND', 'GET', '/groups/lounge')
  },
}
