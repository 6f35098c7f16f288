import { limits } from '@confab/protocol'
import { expect, test } from 'vitest'
import { tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { FileKey, NewFile } from '../sql/messages/files.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const DAY = limits.unusedFileSeconds

const filesIn = (w: World) => {
  const idOf = (): string => w.ids.file()
  const described = { name: 'a.png', mimeType: 'image/png', size: 3 }
  const key = (id: string): FileKey => ({ appId: w.appId, id })
  const urlOf = (id: string, appId: string = w.appId): string => `https://any.example/files/${appId}/${id}/a.png`
  return {
    key,
    urlOf,
    idOf,
    add: async (file: Partial<NewFile> = {}, expiresAt = w.now() + DAY): Promise<string> => {
      const row = { ...key(idOf()), ...described, uploadToken: null, ...file }
      await w.store.files.add({ actor: w.as('a'), files: [row], now: w.now(), expiresAt })
      return row.id
    },
    find: (id: string, appId = w.appId) => w.store.files.find({ appId, id, now: w.now() }),
    send: async (...urls: string[]) =>
      (await w.send({ from: 'a', to: 'b', type: 'image', data: { attachments: urls.map((url) => ({ url })) } }))
        .message,
    isExpired: async (id: string) =>
      (await w.store.files.expired({ now: w.now(), limit: 10_000 })).some((found) => found.id === id),
    remove: (id: Awaited<ReturnType<World['send']>>['message']['id'], permanent = true) =>
      w.store.messages.remove({ actor: w.app, appCreatedAt: w.appCreatedAt, id, telling: tellingIn(w), permanent }),
  }
}

const setUp = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('a', 'b', 'c')
  return { w, ...filesIn(w) }
}

export const filesConformance = (subject: Subject): void => {
  test('a file is found in its app until its time is over; then its bytes and its row may go', async () => {
    const { w, add, find, idOf, key, isExpired } = await setUp(subject)
    const other = await worldOf(subject)
    const id = await add({ name: 'Ä "x".png', size: 5_000_000_000 })
    expect(await find(id)).toEqual({
      ...key(id),
      ...{ name: 'Ä "x".png', mimeType: 'image/png', size: 5_000_000_000, createdAt: w.now() },
    })
    expect([await find(id, other.appId), await find(idOf()), await isExpired(id)]).toEqual([
      undefined,
      undefined,
      false,
    ])
    await w.store.files.forget({ files: [key(id)], now: w.now() })
    expect(await find(id)).toBeDefined()
    w.clock.advance(DAY * 1000)
    expect([await find(id), await isExpired(id)]).toEqual([undefined, true])
    expect(await w.store.files.expired({ now: w.now(), limit: 1 })).toHaveLength(1)
    await w.store.files.forget({ files: [{ appId: other.appId, id }], now: w.now() })
    expect(await isExpired(id)).toBe(true)
    await w.store.files.forget({ files: [key(id)], now: w.now() })
    expect(await isExpired(id)).toBe(false)
  })

  test('whoever is not there has no files', async () => {
    const { w, key, idOf } = await setUp(subject)
    const row = { ...key(idOf()), name: 'a', mimeType: 'a/b', size: 1, uploadToken: null }
    const add = w.store.files.add({ actor: w.as('nobody'), files: [row], now: w.now(), expiresAt: w.now() + DAY })
    await expectCode(add, 'ERR_UID_NOT_FOUND')
  })

  test('a message keeps its files, whatever host its urls name, and no others', async () => {
    const { w, add, find, send, urlOf, isExpired } = await setUp(subject)
    const other = await worldOf(subject)
    await other.users('a', 'b')
    const [kept, loose, foreign] = [await add(), await add(), await filesIn(other).add()]
    await send(urlOf(kept), urlOf(kept), urlOf(foreign), urlOf(foreign, other.appId), 'https://x.example/y')
    w.clock.advance(DAY * 1000)
    expect([await find(kept), await find(loose)]).toEqual([expect.anything(), undefined])
    expect([await isExpired(kept), await isExpired(loose), await isExpired(foreign)]).toEqual([false, true, true])
  })

  test('a file whose time is over, or that is still to come, is taken by no message', async () => {
    const { w, add, find, send, urlOf, isExpired } = await setUp(subject)
    const [late, announced] = [await add({}, w.now()), await add({ uploadToken: 't' })]
    await send(urlOf(late), urlOf(announced))
    expect([await find(late), await isExpired(late)]).toEqual([undefined, true])
    w.clock.advance(DAY * 1000)
    expect(await isExpired(announced)).toBe(true)
  })

  test('with the last message that has it a file goes; a message that is only marked as deleted keeps it', async () => {
    const { add, find, send, remove, urlOf, isExpired } = await setUp(subject)
    const id = await add()
    const [first, second] = [await send(urlOf(id)), await send(urlOf(id))]
    await remove(first.id, false)
    await remove(second.id)
    expect([await find(id), await isExpired(id)]).toEqual([expect.anything(), false])
    await remove(first.id)
    expect([await find(id), await isExpired(id)]).toEqual([undefined, true])
  })

  test('of two who take it and let go of it at once, the one who takes it wins, or comes too late', async () => {
    const { w, add, find, send, remove, urlOf, isExpired } = await setUp(subject)
    const elsewhere = filesIn({ ...w, store: subject().peer })
    for (let n = 0; n < 10; n++) {
      const id = await add()
      const first = await send(urlOf(id))
      const [second] = await Promise.all([send(urlOf(id)), elsewhere.remove(first.id)])
      const isThere = (await find(id)) !== undefined
      expect(await isExpired(id)).toBe(!isThere)
      await remove(second.id)
      expect(await isExpired(id)).toBe(true)
    }
  })

  test('an edit that names other attachments takes those, and lets go of the others', async () => {
    const { w, add, send, urlOf, isExpired } = await setUp(subject)
    const [one, two, three] = [await add(), await add(), await add()]
    const { id } = await send(urlOf(one), urlOf(two))
    const edit = (data: unknown, tags?: string) =>
      w.store.messages.edit({ actor: w.app, appCreatedAt: w.appCreatedAt, id, telling: tellingIn(w), data, tags })
    const expired = async () => [await isExpired(one), await isExpired(two), await isExpired(three)]
    await edit({ text: 'caption' })
    await edit(undefined, '["t"]')
    expect(await expired()).toEqual([false, false, false])
    await edit({ attachments: [urlOf(two), urlOf(three)].map((url) => ({ url })) })
    expect(await expired()).toEqual([true, false, false])
    w.clock.advance(DAY * 1000)
    expect(await expired()).toEqual([true, false, false])
  })

  test('a purge of a user or a conversation takes the files along that nobody else has', async () => {
    const { w, add, send, urlOf, isExpired } = await setUp(subject)
    const [ofA, shared, ofGroup] = [await add(), await add(), await add()]
    await send(urlOf(ofA), urlOf(shared))
    const attachments = (id: string) => ({ attachments: [{ url: urlOf(id) }] })
    await w.send({ from: 'b', to: 'c', type: 'file', data: attachments(shared) })
    await w.group('g', { members: { b: 'participant' } })
    await w.send({ from: 'b', toGroup: 'g', type: 'file', data: attachments(ofGroup) })
    const purge = (of: Parameters<typeof w.store.messages.purge>[0]['of']) =>
      w.store.messages.purge({ appId: w.appId, of, limit: 100, now: w.now() })
    expect(await purge({ uid: uidOf('a') })).toBe(1)
    expect([await isExpired(ofA), await isExpired(shared), await isExpired(ofGroup)]).toEqual([true, false, false])
    expect(await purge({ conversationId: 'group_g' as never })).toBeGreaterThan(0)
    expect([await isExpired(shared), await isExpired(ofGroup)]).toEqual([false, true])
  })

  test('what no message has taken is let go at once, and nothing else', async () => {
    const { w, add, send, key, urlOf, find } = await setUp(subject)
    const [kept, dropped] = [await add(), await add()]
    await send(urlOf(kept))
    const files = [key(kept), key(dropped)]
    expect(await w.store.files.release({ files, now: w.now() })).toEqual([key(dropped)])
    expect([await find(kept), await find(dropped)]).toEqual([expect.anything(), undefined])
  })

  test('an announced file is there when its token was used: once, in time, in its app', async () => {
    const { w, add, find, key } = await setUp(subject)
    const other = await worldOf(subject)
    const token = w.ids.file()
    const id = await add({ uploadToken: token, size: 7 }, w.now() + 3600)
    const expiresAt = w.now() + DAY
    const complete = (use: { token?: string; appId?: typeof w.appId } = {}) =>
      w.store.files.complete({ ...key(id), token, ...use, now: w.now(), expiresAt })
    const announced = (use: { token?: string; appId?: typeof w.appId } = {}) =>
      w.store.files.findAnnounced({ ...key(id), token, ...use, now: w.now() })
    expect(await announced()).toMatchObject({ id, size: 7 })
    for (const wrong of [{ token: 'x' }, { appId: other.appId }]) {
      expect([await announced(wrong), await complete(wrong)]).toEqual([undefined, false])
    }
    expect(await find(id)).toBeUndefined()
    expect((await Promise.all([complete(), complete()])).filter(Boolean)).toHaveLength(1)
    expect([await announced(), await complete(), await find(id)]).toEqual([undefined, false, expect.anything()])
    w.clock.advance(3600_000)
    expect(await find(id)).toBeDefined()
    const late = await add({ uploadToken: 'late' }, w.now() + 1)
    w.clock.advance(1000)
    expect(await w.store.files.complete({ ...key(late), token: 'late', now: w.now(), expiresAt })).toBe(false)
  })
}
