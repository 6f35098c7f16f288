import { randomUUID } from 'node:crypto'
import { type AppId, defaultLimits } from '@confab/protocol'
import { expect, test } from 'vitest'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const freshKey = (): string => randomUUID()

export const appsConformance = (subject: Subject): void => {
  test('an app is made once, with its keys, and left as it is after that', async () => {
    const { store } = subject()
    const id = `app-${randomUUID()}` as AppId
    const key = freshKey()
    const keys = [{ key, name: 'first', scope: 'fullAccess' as const }]
    const first = await store.apps.ensure({ id, name: 'One', keys, now: 100 })
    expect(first).toEqual({ id, name: 'One', createdAt: 100 })
    expect(await store.apps.ensure({ id, name: 'Two', keys, now: 200 })).toEqual(first)
    expect(await store.apps.find({ id })).toEqual(first)
    expect(await store.apps.find({ id: 'nobody' as AppId })).toBeUndefined()
    expect(await store.apps.list({})).toContainEqual(first)
    expect(await store.apiKeys.find({ key })).toEqual({
      apiKey: key,
      name: 'first',
      scope: 'fullAccess',
      createdAt: 100,
      appId: id,
    })
  })

  test('a key of another app, or of another scope, is refused and nothing is made', async () => {
    const { store } = subject()
    const w = await worldOf(subject)
    const key = freshKey()
    await store.apiKeys.create({ appId: w.appId, key, name: 'theirs', scope: 'fullAccess', now: 1 })
    const id = `app-${randomUUID()}` as AppId
    const ensure = (scope: 'fullAccess' | 'authOnly', appId: AppId) =>
      store.apps.ensure({ id: appId, name: 'X', keys: [{ key, name: 'mine', scope }], now: 2 })
    await expect(ensure('fullAccess', id)).rejects.toThrow(/mine: this key/)
    await expect(ensure('authOnly', w.appId)).rejects.toThrow(/mine: this key/)
    expect(await store.apps.find({ id })).toBeUndefined()
  })

  test('two servers that start at once make one app', async () => {
    const { store, peer } = subject()
    const id = `app-${randomUUID()}` as AppId
    const keys = [{ key: freshKey(), name: 'k', scope: 'authOnly' as const }]
    const made = await Promise.all(
      [store, peer, store, peer].map((s) => s.apps.ensure({ id, name: 'A', keys, now: 5 })),
    )
    expect(new Set(made.map((app) => JSON.stringify(app))).size).toBe(1)
  })

  test('keys are made, found, changed, listed and removed, each in its own app', async () => {
    const { store } = subject()
    const w = await worldOf(subject)
    const other = await worldOf(subject)
    const [one, two] = [freshKey(), freshKey()]
    const { appId } = w
    expect(await store.apiKeys.create({ appId, key: one, name: 'Web_1', scope: 'authOnly', now: 10 })).toEqual({
      apiKey: one,
      name: 'Web_1',
      scope: 'authOnly',
      createdAt: 10,
    })
    await store.apiKeys.create({ appId, key: two, name: 'Web%2', scope: 'fullAccess', now: 20 })
    const names = async (filter: object) =>
      (await store.apiKeys.list({ appId, page, ...filter })).rows.map((k) => k.name)
    expect(await names({})).toEqual(['Web%2', 'Web_1'])
    expect(await names({ scope: 'authOnly' })).toEqual(['Web_1'])
    expect(await names({ searchKey: 'web_' })).toEqual(['Web_1'])
    expect(await names({ searchKey: 'eb' })).toEqual([])
    expect(await store.apiKeys.update({ appId, key: one, name: 'New' })).toMatchObject({
      name: 'New',
      scope: 'authOnly',
    })
    expect(await store.apiKeys.update({ appId, key: one, scope: 'fullAccess' })).toMatchObject({ name: 'New' })
    expect(await store.apiKeys.find({ key: one })).toMatchObject({ name: 'New', scope: 'fullAccess', appId })
    await expectCode(store.apiKeys.update({ appId: other.appId, key: one, name: 'Stolen' }), 'ERR_APIKEY_NOT_FOUND')
    await expectCode(store.apiKeys.remove({ appId: other.appId, key: one }), 'ERR_APIKEY_NOT_FOUND')
    await store.apiKeys.remove({ appId, key: one })
    expect(await store.apiKeys.find({ key: one })).toBeUndefined()
    await expectCode(store.apiKeys.remove({ appId, key: one }), 'ERR_APIKEY_NOT_FOUND')
  })

  test('no more keys than the limit, also when they are made at once', async () => {
    const { store, peer } = subject()
    const { appId } = await worldOf(subject)
    const made = await Promise.allSettled(
      Array.from({ length: defaultLimits.apiKeysPerApp + 5 }, (_, n) =>
        (n % 2 ? store : peer).apiKeys.create({ appId, key: freshKey(), name: `k${n}`, scope: 'authOnly', now: n }),
      ),
    )
    expect(made.filter(({ status }) => status === 'rejected')).toHaveLength(5)
    expect((await store.apiKeys.list({ appId, page })).total).toBe(defaultLimits.apiKeysPerApp)
    const oneMore = { appId, key: freshKey(), name: 'x', scope: 'authOnly' as const, now: 1 }
    await expectCode(store.apiKeys.create(oneMore), 'ERR_PLAN_QUOTA_RESTRICTION')
  })
}
