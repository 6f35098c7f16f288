import { randomUUID } from 'node:crypto'
import type { AppId } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { World } from '../../testing/builders.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const fresh = (): string => randomUUID()

/** Something of everything that is not told by the tables themselves: that the CLI's test looks at. */
const furnish = async (w: World): Promise<void> => {
  await w.users('a', 'b')
  await w.group('g', { members: { a: 'admin', b: 'participant' } })
  for (let n = 0; n < 5; n++) await w.send({ from: 'a', to: 'b' })
  await w.send({ from: 'a', toGroup: 'g' })
  await w.bot('bot')
  await w.send({ from: 'b', to: 'bot' })
  const file = { appId: w.appId, id: w.ids.file(), name: 'x', mimeType: 'text/plain', size: 1, uploadToken: null }
  await w.store.files.add({ actor: w.app, files: [file], now: w.now(), expiresAt: w.now() + 1000 })
}

export const appRemovalConformance = (subject: Subject): void => {
  test('an app is made once, and another of its id is not', async () => {
    const { store } = subject()
    const id = `app-${fresh()}` as AppId
    const keys = [{ key: fresh(), name: 'k', scope: 'fullAccess' as const }]
    const made = { id, name: 'One', createdAt: 5 }
    expect(await store.apps.create({ id, name: 'One', keys, now: 5 })).toEqual(made)
    const other = [{ key: fresh(), name: 'k', scope: 'fullAccess' as const }]
    expect(await store.apps.create({ id, name: 'Two', keys: other, now: 6 })).toBeUndefined()
    expect(await store.apiKeys.find({ key: other[0]?.key ?? '' })).toBeUndefined()
    expect((await store.roles.list({ appId: id, page })).rows.map(({ role }) => role)).toEqual(['default'])
  })

  test('a key is rotated: those of its name and scope go, or stay; others are left alone', async () => {
    const { store } = subject()
    const w = await worldOf(subject)
    const other = await worldOf(subject)
    const rest = { name: 'Rest', scope: 'fullAccess' as const, now: 1 }
    for (const appId of [w.appId, other.appId]) {
      await store.apiKeys.create({ ...rest, appId, key: fresh() })
      await store.apiKeys.create({ ...rest, appId, key: fresh(), name: 'Mine' })
      await store.apiKeys.create({ ...rest, appId, key: fresh(), scope: 'authOnly' })
    }
    const rotate = (keepsOld: boolean) => store.apiKeys.rotate({ ...rest, appId: w.appId, key: fresh(), keepsOld })
    const shown = async (appId: AppId) =>
      (await store.apiKeys.list({ appId, page })).rows.map(({ name, scope }) => `${name} ${scope}`).sort()
    expect(await rotate(true)).toBe(0)
    const three = ['Mine fullAccess', 'Rest authOnly', 'Rest fullAccess']
    expect(await shown(w.appId)).toEqual([...three, 'Rest fullAccess'])
    expect(await rotate(false)).toBe(2)
    expect(await shown(w.appId)).toEqual(three)
    expect(await shown(other.appId)).toEqual(three)
    for (let n = 3; n < 25; n++) await rotate(true)
    await expectCode(rotate(true), 'ERR_PLAN_QUOTA_RESTRICTION')
    expect(await rotate(false)).toBe(23)
  })

  test('an app goes step by step, its row last, and nothing of another app', async () => {
    const { store, peer } = subject()
    const [w, other] = [await worldOf(subject), await worldOf(subject)]
    await furnish(w)
    await furnish(other)
    const key = fresh()
    await store.apiKeys.create({ appId: w.appId, key, name: 'k', scope: 'fullAccess', now: 1 })
    const input = { appId: w.appId, limit: 2, now: w.now() }
    while (await store.appRemoval.step({ ...input, part: 'credentials' }));
    expect(await store.apiKeys.find({ key })).toBeUndefined()
    expect((await w.list()).rows).toHaveLength(7)
    let steps = 0
    while (await (steps++ % 2 ? store : peer).appRemoval.step({ ...input, part: 'content' }));
    expect(steps).toBeGreaterThan(8)
    expect(await store.apps.find({ id: w.appId })).toBeDefined()
    expect(await store.appRemoval.finish(input)).toBe(false)
    const files = await store.appRemoval.files(input)
    expect(files).toHaveLength(1)
    await store.files.forget({ files, now: w.now() })
    // Somebody who was believed until now.
    await w.user('late')
    expect(await store.appRemoval.finish(input)).toBe(false)
    expect(await store.appRemoval.finish(input)).toBe(true)
    expect(await store.apps.find({ id: w.appId })).toBeUndefined()
    expect((await w.list()).rows).toEqual([])
    expect(await store.appRemoval.files({ appId: other.appId, limit: 5 })).toHaveLength(1)
    expect((await other.list()).rows).toHaveLength(7)
  })
}
