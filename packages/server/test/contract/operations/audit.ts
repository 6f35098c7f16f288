/** The audit: what the other operations have left there. */
import { expect } from 'vitest'
import { expectKeys, type Operations } from './support.ts'

export const auditOperations: Operations = {
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
}
