import type { AuditActor } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { AuditFilter } from '../sql/apps/audit.ts'
import { type Subject, worldOf } from './subject.ts'

const actor: AuditActor = { kind: 'key', name: 'Ops "1"', keyEnd: '9f3a', onBehalfOf: 'ann' }

export const auditConformance = (subject: Subject): void => {
  test('what was done is found, newest first, by what and to whom and when, in its app', async () => {
    const { store } = subject()
    const [w, other] = [await worldOf(subject), await worldOf(subject)]
    const { appId } = w
    const add = (at: number, action: string, target: string | null, in_ = appId) =>
      store.audit.add({ appId: in_, at, actor, action, target, requestId: target === null ? null : `req_${at}` })
    await add(10, 'PUT /users/:uid', 'ann')
    await add(20, 'PUT /users/:uid', 'ann_b')
    await add(30, 'DELETE /groups/:guid/members/:uid', 'ann/bob')
    await add(30, 'POST /users', null)
    await add(30, 'POST /users', 'ann', other.appId)
    await store.audit.add({ appId: null, at: 30, actor: { kind: 'cli' }, action: 'x', target: 'ann', requestId: null })
    const list = async (filter: AuditFilter = {}, more: { before?: number; limit?: number } = {}) => {
      const found = await store.audit.list({ appId, filter, before: more.before, limit: more.limit ?? 10 })
      return { ...found, ats: found.rows.map(({ at }) => at) }
    }
    const all = await list()
    expect(all.ats).toEqual([30, 30, 20, 10])
    expect(all.hasMore).toBe(false)
    const { id } = all.rows[3] ?? { id: '' }
    const first = { id, at: 10, actor, action: 'PUT /users/:uid', target: 'ann', requestId: 'req_10' }
    expect(all.rows[3]).toEqual(first)
    expect(all.rows[0]).toEqual({ id: all.rows[0]?.id, at: 30, actor, action: 'POST /users' })
    expect((await list({ action: 'PUT /users/:uid' })).ats).toEqual([20, 10])
    expect((await list({ target: 'ann' })).ats).toEqual([30, 10])
    expect((await list({ target: 'an' })).ats).toEqual([])
    expect((await list({ target: 'ann/bob' })).ats).toEqual([30])
    expect((await list({ since: 20 })).ats).toEqual([30, 30, 20])
    expect((await list({ until: 20 })).ats).toEqual([20, 10])
    expect((await list({ since: 11, until: 29 })).ats).toEqual([20])
    const page = await list({}, { limit: 2 })
    expect([page.ats, page.hasMore]).toEqual([[30, 30], true])
    const next = await list({}, { limit: 2, before: Number(page.rows[1]?.id) })
    expect([next.ats, next.hasMore]).toEqual([[20, 10], false])
    await store.appRemoval.step({ appId, limit: 100, now: 1, part: 'content' })
    expect((await store.audit.list({ appId: other.appId, filter: {}, before: undefined, limit: 5 })).rows).toHaveLength(
      1,
    )
  })

  test('what is old is swept, in steps, and nothing else', async () => {
    const { store } = subject()
    const { appId } = await worldOf(subject)
    // Other tests have left theirs.
    while ((await store.audit.sweep({ before: 1000, limit: 100 })) > 0);
    for (const at of [1, 2, 3, 1000]) {
      await store.audit.add({ appId, at, actor, action: 'x', target: null, requestId: null })
    }
    expect(await store.audit.sweep({ before: 1000, limit: 2 })).toBe(2)
    expect(await store.audit.sweep({ before: 1000, limit: 2 })).toBe(1)
    expect(await store.audit.sweep({ before: 1000, limit: 2 })).toBe(0)
    const { rows } = await store.audit.list({ appId, filter: {}, before: undefined, limit: 5 })
    expect(rows.map(({ at }) => at)).toEqual([1000])
  })
}
