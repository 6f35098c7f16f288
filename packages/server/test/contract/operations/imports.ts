/** Imports of data: each kind by itself, and all in one stream. */
import { expect } from 'vitest'
import { importLines } from '../../support/importing.ts'
import { expectKeys, type Operations, PLAIN_USER, SENT } from './support.ts'

export const importOperations: Operations = {
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
}
