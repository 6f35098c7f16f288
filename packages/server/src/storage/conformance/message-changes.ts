import type { MessageId } from '@confab/protocol'
import { expect, test } from 'vitest'
import { messageJson } from '../../messages/message.ts'
import { guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const changesOf = (w: World) => {
  const base = (id: MessageId, actor = w.app) => ({
    actor,
    appCreatedAt: w.appCreatedAt,
    id,
    telling: tellingIn(w),
  })
  return {
    edit: async (id: MessageId, data: unknown, actor = w.app, tags?: string) =>
      (await w.store.messages.edit({ ...base(id, actor), data, tags })).action,
    remove: async (id: MessageId, actor = w.app, permanent = false) =>
      (await w.store.messages.remove({ ...base(id, actor), permanent })).action,
    find: async (id: MessageId) => (await w.store.messages.find({ actor: w.app, id })).message,
  }
}

const setUp = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('a', 'b', 'c')
  return { w, ...changesOf(w) }
}

export const messageChangesConformance = (subject: Subject): void => {
  test('an edit changes what it names, keeps who took part, and is told of', async () => {
    const { w, edit, find } = await setUp(subject)
    const data = { text: 'one <@uid:b>', metadata: { kept: true } }
    const { message } = await w.send({ from: 'a', to: 'b', data, tags: ['t'] })
    await w.store.users.update({ appId: w.appId, uid: uidOf('a'), name: 'Renamed', now: w.now() })
    w.clock.advance(7000)
    const forged = { text: 'two <@uid:c>', entities: { sender: 'forged' }, resource: 'forged', mentions: {} }
    const action = await edit(message.id, forged, w.as('a'))
    const edited = await find(message.id)
    expect(edited).toMatchObject({
      editedAt: w.now(),
      editedBy: 'a',
      updatedAt: w.now(),
      sentAt: w.now() - 7,
      tags: '["t"]',
    })
    expect(JSON.parse(edited.data)).toMatchObject({
      text: 'two <@uid:c>',
      metadata: { kept: true },
      resource: 'test',
      mentions: { c: { uid: 'c' } },
      entities: JSON.parse(message.data).entities,
    })
    expect(action).toMatchObject({ category: 'action', type: 'message', sender: 'a', receiver: 'b', parentId: null })
    expect(JSON.parse(action.data)).toEqual({
      action: 'edited',
      entities: {
        by: { entity: expect.objectContaining({ uid: 'a', name: 'Renamed' }), entityType: 'user' },
        for: { entity: expect.objectContaining({ uid: 'b' }), entityType: 'user' },
        on: { entity: JSON.parse(messageJson(edited, { withTags: true })), entityType: 'message' },
      },
    })
    await edit(message.id, undefined, w.app, '["new"]')
    expect(await find(message.id)).toMatchObject({ tags: '["new"]', editedBy: 'app_system', data: edited.data })
  })

  test('an edited text is what is searched', async () => {
    const { w, edit } = await setUp(subject)
    const { message } = await w.send({ from: 'a', to: 'b', text: 'apple' })
    await edit(message.id, { text: 'banana' })
    const search = async (searchKey: string) => (await w.list({ filter: { searchKey } })).rows.length
    expect([await search('apple'), await search('nana')]).toEqual([0, 1])
  })

  test('who may change a message, and which', async () => {
    const { w, edit, remove } = await setUp(subject)
    const { message } = await w.send({ from: 'a', to: 'b' })
    for (const change of [
      (actor: typeof w.app) => edit(message.id, { text: 'x' }, actor),
      (actor: typeof w.app) => remove(message.id, actor),
    ]) {
      await expectCode(change(w.as('b')), 'ERR_MESSAGE_NOT_A_SENDER')
      await expectCode(change(w.as('c')), 'ERR_MESSAGE_NO_ACCESS')
      await expectCode(change(w.as('nobody')), 'ERR_UID_NOT_FOUND')
    }
    await expectCode(edit('999999999' as MessageId, { text: 'x' }), 'ERR_MESSAGE_ID_NOT_FOUND')
    await expectCode(remove('999999999' as MessageId), 'ERR_MESSAGE_ID_NOT_FOUND')
    await expectCode(edit(message.id, { text: ' ' }), 'ERR_EMPTY_MESSAGE_TEXT')
    const action = await edit(message.id, { text: 'y' })
    await expectCode(edit(action.id, { text: 'x' }), 'ERR_MESSAGE_ACTION_NOT_ALLOWED')
    await expectCode(remove(action.id), 'ERR_MESSAGE_ACTION_NOT_ALLOWED')
    await remove(message.id)
    await expectCode(edit(message.id, { text: 'x' }), 'ERR_MESSAGE_ACTION_NOT_ALLOWED')
  })

  test('a deleted message keeps who took part and loses what was said, also in what tells of it', async () => {
    const { w, remove, find } = await setUp(subject)
    const { message } = await w.send({ from: 'a', to: 'b', data: { text: 's3cret', metadata: { k: 's3cret' } } })
    w.clock.advance(3000)
    const action = await remove(message.id, w.as('a'))
    const deleted = await find(message.id)
    expect(deleted).toMatchObject({ deletedAt: w.now(), deletedBy: 'a', updatedAt: w.now() })
    expect(messageJson(deleted)).not.toContain('s3cret')
    expect(Object.keys(JSON.parse(messageJson(deleted)).data)).toEqual(['entities'])
    expect(action.data).not.toContain('s3cret')
    expect(JSON.parse(action.data)).toMatchObject({
      action: 'deleted',
      entities: { by: { entity: { uid: 'a' } }, on: { entity: { id: message.id, deletedBy: 'a' } } },
    })
  })

  test('to delete what is deleted changes nothing, tells nobody, and is answered as the first time', async () => {
    const { w, edit, remove, find } = await setUp(subject)
    await w.bot('bot', { settings: { triggers: ['message_deleted'] } })
    const members = { a: 'participant', bot: 'participant' } as const
    await w.group('g', { members })
    const { message } = await w.send({ from: 'a', toGroup: 'g' })
    const { message: other } = await w.send({ from: 'a', toGroup: 'g' })
    await edit(message.id, { text: 'new' })
    await remove(other.id)
    const first = await remove(message.id, w.as('a'))
    const left = await find(message.id)
    w.clock.advance(3600_000)
    await w.send({ from: 'a', toGroup: 'g' })
    const owed = await w.store.lanes.backlog({})
    for (const actor of [w.as('a'), w.app]) {
      const again = { actor, appCreatedAt: w.appCreatedAt, id: message.id, telling: tellingIn(w), permanent: false }
      expect(await w.store.messages.remove(again)).toEqual({
        action: first,
        isNew: false,
        told: { claims: [], waiting: 0, pulling: [], cut: [] },
      })
    }
    expect(await find(message.id)).toEqual(left)
    expect(await w.store.lanes.backlog({})).toEqual(owed)
    const actions = (await w.list({ filter: { types: ['message'] } })).rows
    expect(actions).toHaveLength(3)
    expect(await remove(message.id, w.app, true)).toMatchObject({ category: 'action' })
  })

  test('a permanent deletion leaves nothing; its id is never given again', async () => {
    const { w, remove, find } = await setUp(subject)
    const { message } = await w.send({ from: 'a', to: 'b', text: 's3cret', muid: 'm' })
    const action = await remove(message.id, w.app, true)
    expect(JSON.parse(action.data)).toMatchObject({
      action: 'deleted',
      entities: { by: { entity: { uid: 'a' } }, on: { entity: { deletedBy: 'app_system' } } },
    })
    await expectCode(find(message.id), 'ERR_MESSAGE_ID_NOT_FOUND')
    await remove(action.id).catch(() => undefined)
    const { message: next } = await w.send({ from: 'a', to: 'b' })
    expect(Number(next.id)).toBeGreaterThan(Number(action.id))
    const all = JSON.stringify((await w.list({ filter: { types: ['message', 'text'] } })).rows)
    expect(all).not.toContain('s3cret')
  })

  test('what was said in a group may be deleted after its sender is gone', async () => {
    const { w, remove } = await setUp(subject)
    await w.group('g', { members: { a: 'participant' } })
    const { message } = await w.send({ from: 'a', toGroup: 'g' })
    await w.store.users.remove({ appId: w.appId, uid: uidOf('a'), system: uidOf('app_system'), nowMs: 1 })
    const action = await remove(message.id)
    expect(JSON.parse(action.data)).toMatchObject({ entities: { for: { entity: { guid: 'g' }, entityType: 'group' } } })
    await w.store.groups.remove({ actor: w.app, guid: guidOf('g'), telling: tellingIn(w) })
    const { message: inOther } = await w.send({ from: 'b', to: 'c' })
    await w.store.users.remove({ appId: w.appId, uid: uidOf('c'), system: uidOf('app_system'), nowMs: 1 })
    expect(JSON.parse((await remove(inOther.id)).data).entities).not.toHaveProperty('for')
  })

  test('a purge goes in steps, and takes what it names only', async () => {
    const { w } = await setUp(subject)
    await w.group('g', { members: { a: 'participant', b: 'participant' } })
    for (let n = 0; n < 5; n++) await w.send({ from: n % 2 ? 'a' : 'b', toGroup: 'g', text: `g${n}` })
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
      ['b', 'c'],
      ['c', 'a'],
    ] as const)
      await w.send({ from, to })
    const other = await worldOf(subject)
    await other.users('a', 'b')
    await other.send({ from: 'a', to: 'b' })
    const purge = (of: Parameters<typeof w.store.messages.purge>[0]['of'], limit = 2) =>
      w.store.messages.purge({ appId: w.appId, of, limit, now: w.now() })
    const ofUser = { uid: uidOf('a') }
    expect([await purge(ofUser), await purge(ofUser), await purge(ofUser), await purge(ofUser)]).toEqual([2, 2, 1, 0])
    const left = (await w.list()).rows
    expect(left.map((row) => `${row.sender}>${row.receiver}`)).toEqual(['b>g', 'b>g', 'b>g', 'b>c'])
    const ofGroup = { conversationId: 'group_g' as never }
    expect([await purge(ofGroup), await purge(ofGroup), await purge(ofGroup)]).toEqual([2, 1, 0])
    expect((await w.list()).rows).toHaveLength(1)
    expect((await other.list()).rows).toHaveLength(1)
  })
}
