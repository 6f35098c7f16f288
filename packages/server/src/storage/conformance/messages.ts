import { defaultLimits, type MessageId } from '@confab/protocol'
import { expect, test } from 'vitest'
import { messageJson } from '../../messages/message.ts'
import { tellingIn, uidOf, type World } from '../../testing/builders.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const found = async (w: World, id: MessageId, actor = w.app) => (await w.store.messages.find({ actor, id })).message

export const messagesConformance = (subject: Subject): void => {
  test('a message comes back as it was accepted, with who took part', async () => {
    const w = await worldOf(subject)
    await w.users('bob', 'alice')
    const data = { text: 'héllo 🎉 \u2028 "q" \\ %', metadata: { k: [1, { z: null }] }, custom: 'kept' }
    const { message, isNew, claims, waiting } = await w.send({ from: 'bob', to: 'alice', data, tags: ['a', 'b'] })
    expect({ isNew, claims, waiting }).toEqual({ isNew: true, claims: [], waiting: 0 })
    expect(message).toMatchObject({
      conversationId: 'alice_user_bob',
      sender: 'bob',
      receiverType: 'user',
      receiver: 'alice',
      category: 'message',
      type: 'text',
      tags: '["a","b"]',
      muid: null,
      parentId: null,
      quotedId: null,
      sentAt: w.now(),
      updatedAt: w.now(),
      editedAt: null,
      deletedAt: null,
    })
    expect(JSON.parse(message.data)).toEqual({
      ...data,
      resource: 'test',
      entities: {
        sender: { entity: expect.objectContaining({ uid: 'bob', name: 'BOB' }), entityType: 'user' },
        receiver: {
          entity: expect.objectContaining({ uid: 'alice', conversationId: 'alice_user_bob' }),
          entityType: 'user',
        },
      },
    })
    const stored = await found(w, message.id)
    expect(stored).toEqual(Object.fromEntries(Object.keys(stored).map((key) => [key, Reflect.get(message, key)])))
    expect(messageJson(stored)).toBe(messageJson(message))
  })

  test('one conversation has one id, whoever writes', async () => {
    const w = await worldOf(subject)
    await w.users('b', 'a', 'B-2')
    await w.group('g', { members: { a: 'participant' } })
    const ids = await Promise.all([
      w.send({ from: 'a', to: 'b' }),
      w.send({ from: 'b', to: 'a' }),
      w.send({ from: 'a', to: 'a' }),
      w.send({ from: 'a', toGroup: 'g' }),
      w.send({ to: 'b' }),
      w.send({ from: 'a', to: 'B-2' }),
    ])
    expect(ids.map(({ message }) => message.conversationId)).toEqual([
      'a_user_b',
      'a_user_b',
      'a_user_a',
      'group_g',
      'app_system_user_b',
      'B-2_user_a',
    ])
  })

  test('what is stored does not change when the people in it do', async () => {
    const w = await worldOf(subject)
    await w.user('bob', { metadata: '{"open":1,"@private":{"secret":"s3cret"}}', tags: '["t4g"]' })
    await w.user('alice', { metadata: '{"@private":{"secret":"s3cret"}}' })
    await w.group('g', { members: { bob: 'participant', alice: 'participant' }, tags: '["t4g"]' })
    const one = await w.send({ from: 'bob', to: 'alice', text: 'hi <@uid:bob>' })
    const two = await w.send({ from: 'bob', toGroup: 'g' })
    const three = await w.send({ to: 'alice' })
    const before = await Promise.all([one, two, three].map(({ message }) => found(w, message.id)))
    await w.store.users.update({ appId: w.appId, uid: uidOf('bob'), name: 'Renamed', now: w.now() })
    await w.store.groups.update({ actor: w.app, guid: 'g' as never, name: 'Renamed', telling: tellingIn(w) })
    expect(await Promise.all([one, two, three].map(({ message }) => found(w, message.id)))).toEqual(before)
    const all = before.map(({ data }) => data).join()
    expect(all).not.toContain('s3cret')
    expect(all).not.toContain('t4g')
    expect(JSON.parse(before[0]?.data ?? '').entities.sender.entity.metadata).toEqual({ open: 1 })
    expect(JSON.parse(before[0]?.data ?? '').entities.receiver.entity).not.toHaveProperty('metadata')
    expect(JSON.parse(before[1]?.data ?? '').entities.receiver).toMatchObject({
      entityType: 'group',
      entity: { guid: 'g', hasJoined: true, scope: 'participant', membersCount: 2 },
    })
    expect(JSON.parse(before[2]?.data ?? '').entities.sender.entity).toEqual({
      uid: 'app_system',
      name: 'System',
      status: 'offline',
      role: 'default',
      createdAt: w.appCreatedAt,
    })
  })

  test('mentions are of those who exist', async () => {
    const w = await worldOf(subject)
    await w.users('bob', 'alice', 'gone', '__proto__')
    await w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('gone')], at: 1 })
    const text = '<@uid:Alice> <@uid:nobody> <@uid:gone> <@uid:__proto__> <@uid:alice>'
    const { message } = await w.send({ from: 'bob', to: 'alice', text })
    const { mentions } = JSON.parse(message.data)
    expect(Object.keys(mentions)).toEqual(['alice', '__proto__'])
    expect(mentions.alice).toMatchObject({ uid: 'alice', name: 'ALICE' })
    const none = await w.send({ from: 'bob', to: 'alice', text: '<@uid:nobody>' })
    expect(JSON.parse(none.message.data)).not.toHaveProperty('mentions')
  })

  test('who may write where', async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'out')
    await w.group('g', { owner: 'ann' })
    await expectCode(w.send({ from: 'ann', to: 'nobody' }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.send({ from: 'nobody', to: 'ann' }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.send({ from: 'ann', toGroup: 'no' }), 'ERR_GUID_NOT_FOUND')
    await expectCode(w.send({ from: 'out', toGroup: 'g' }), 'ERR_GROUP_NOT_JOINED')
    expect((await w.send({ toGroup: 'g' })).isNew).toBe(true)
    expect((await w.list()).rows).toHaveLength(1)
  })

  test('a text that no engine can hold is refused', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    await expectCode(w.send({ from: 'a', to: 'b', text: 'x\0y' }), 'ERR_BAD_REQUEST')
    expect((await w.send({ from: 'a', to: 'b', text: 'lone \ud800' })).isNew).toBe(true)
  })

  test('a repeated muid is the first message, within its window and of its sender', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    const first = await w.send({ from: 'a', to: 'b', text: 'one', muid: 'm' })
    w.clock.advance((defaultLimits.muidWindowSeconds - 1) * 1000)
    const again = await w.send({ from: 'a', to: 'b', text: 'two', muid: 'm' })
    expect(again).toMatchObject({ isNew: false, claims: [], waiting: 0, message: { id: first.message.id } })
    expect(JSON.parse(again.message.data).text).toBe('one')
    expect((await w.send({ from: 'b', to: 'a', muid: 'm' })).isNew).toBe(true)
    w.clock.advance(1000)
    const later = await w.send({ from: 'a', to: 'b', text: 'three', muid: 'm' })
    expect(later.isNew).toBe(true)
    expect((await w.send({ from: 'a', to: 'b', muid: 'm' })).message.id).toBe(later.message.id)
  })

  test('a muid of whoever had the uid before says nothing of the one who has it now', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b', 'c')
    const old = await w.send({ from: 'a', to: 'b', muid: 'm' })
    const remove = () =>
      w.store.users.remove({ appId: w.appId, uid: uidOf('a'), system: uidOf('app_system'), nowMs: w.clock.now() })
    await remove()
    await expectCode(w.send({ from: 'a', to: 'b', muid: 'm' }), 'ERR_UID_NOT_FOUND')
    w.clock.advance(1000)
    await w.user('a')
    // In the very second in which they were made.
    const sent = await w.send({ from: 'a', to: 'c', muid: 'm' })
    expect(sent).toMatchObject({ isNew: true, message: { receiver: 'c' } })
    expect(sent.message.id).not.toBe(old.message.id)
    await w.store.users.update({ appId: w.appId, uid: uidOf('a'), name: 'Renamed', now: w.now() })
    w.clock.advance(1000)
    expect(await w.send({ from: 'a', to: 'c', muid: 'm' })).toMatchObject({
      isNew: false,
      message: { id: sent.message.id },
    })
  })

  test('a refused message does not use its muid up', async () => {
    const w = await worldOf(subject)
    await w.user('a')
    await expectCode(w.send({ from: 'a', to: 'b', muid: 'm' }), 'ERR_UID_NOT_FOUND')
    await w.user('b')
    expect((await w.send({ from: 'a', to: 'b', muid: 'm' })).isNew).toBe(true)
  })

  test('fifty at once with one muid are one message', async () => {
    const w = await worldOf(subject)
    const peer: World = { ...w, store: subject().peer }
    await w.user('a')
    await w.bot('b')
    const send = (n: number) => (n % 2 ? w : peer).store.messages.append({ ...base, telling: tellingIn(w) })
    const base = {
      actor: w.app,
      sender: uidOf('a'),
      appCreatedAt: w.appCreatedAt,
      receiverType: 'user' as const,
      receiver: 'b',
      draft: { category: 'message' as const, type: 'text', dataHead: '{"text":"x"', text: 'x', mentions: [] },
      tags: null,
      muid: 'm',
      muidForEver: false,
      toMany: false,
      parentId: null,
      quotedId: null,
      resource: 'test',
    }
    const sent = await Promise.all(Array.from({ length: 50 }, (_, n) => send(n)))
    expect(new Set(sent.map(({ message }) => message.id)).size).toBe(1)
    expect(sent.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect((await w.list()).rows).toHaveLength(1)
    expect((await w.store.lanes.backlog({})).pending).toBe(1)
  })

  test('a reply goes where its thread is, and has no replies of its own', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b', 'c')
    await w.group('g', { owner: 'a', members: { b: 'participant' } })
    const { message: parent } = await w.send({ from: 'a', to: 'b' })
    const { message: reply } = await w.send({ from: 'b', to: 'a', parent: parent.id })
    expect(reply.parentId).toBe(parent.id)
    await expectCode(w.send({ from: 'a', to: 'b', parent: reply.id }), 'ERR_MESSAGE_THREAD_NESTING')
    await expectCode(w.send({ from: 'a', to: 'c', parent: parent.id }), 'ERR_WRONG_MESSAGE_THREAD')
    await expectCode(w.send({ from: 'a', toGroup: 'g', parent: parent.id }), 'ERR_WRONG_MESSAGE_THREAD')
    await expectCode(w.send({ from: 'a', to: 'b', parent: '999999999' as MessageId }), 'ERR_MESSAGE_ID_NOT_FOUND')
    const { action } = await w.store.members.kick({
      actor: w.app,
      appCreatedAt: w.appCreatedAt,
      guid: 'g' as never,
      uid: uidOf('b'),
      telling: tellingIn(w),
    })
    await expectCode(w.send({ from: 'a', toGroup: 'g', parent: action.id }), 'ERR_WRONG_MESSAGE_THREAD_CATEGORY')
    const other = await worldOf(subject)
    await other.users('a', 'b')
    await expectCode(other.send({ from: 'a', to: 'b', parent: parent.id }), 'ERR_MESSAGE_ID_NOT_FOUND')
  })

  test('a message is read by those who take part', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b', 'c')
    await w.group('g', { members: { a: 'participant' } })
    const { message } = await w.send({ from: 'a', to: 'b' })
    const { message: inGroup } = await w.send({ from: 'a', toGroup: 'g' })
    for (const uid of ['a', 'b']) expect(await found(w, message.id, w.as(uid))).toMatchObject({ id: message.id })
    expect(await found(w, inGroup.id, w.as('a'))).toMatchObject({ id: inGroup.id })
    await expectCode(found(w, message.id, w.as('c')), 'ERR_MESSAGE_NO_ACCESS')
    await expectCode(found(w, inGroup.id, w.as('b')), 'ERR_MESSAGE_NO_ACCESS')
    await expectCode(found(w, message.id, w.as('nobody')), 'ERR_UID_NOT_FOUND')
    await expectCode(found(await worldOf(subject), message.id), 'ERR_MESSAGE_ID_NOT_FOUND')
  })

  test('a sender is last active when they last wrote, to the minute', async () => {
    const w = await worldOf(subject)
    await w.users('a', 'b')
    const active = async () => (await w.store.users.find({ appId: w.appId, uid: uidOf('a') }))?.lastActiveAt
    const start = w.now()
    w.clock.advance(59_000)
    await w.send({ from: 'a', to: 'b' })
    expect(await active()).toBe(start)
    w.clock.advance(1000)
    await w.send({ from: 'a', to: 'b' })
    expect(await active()).toBe(start + 60)
  })
}
