/** Roles: the features that they restrict, the permissions that they give. */
import { expect } from 'vitest'
import type { Json } from '../../support/api.ts'
import { expectKeys, expectPage, type Operations, PERMISSION, SUCCESS } from './support.ts'

const ROLE = ['role', 'name', 'description', 'metadata', 'settings', 'createdAt']
const FEATURE = ['title', 'description', 'key', 'path', 'createdAt']

export const roleOperations: Operations = {
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
}
