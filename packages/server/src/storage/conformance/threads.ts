import type { MessageId } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { UserActor } from '../../kernel/actor.ts'
import { guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { ThreadCursor } from '../sql/messages/threads.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const asUser = (w: World, uid: string): UserActor => ({ kind: 'user', appId: w.appId, uid: uidOf(uid) })

const made = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'bob', 'cara')
  await w.group('g', { members: { ann: 'participant', bob: 'participant' } })
  const send = async (from: string, parent?: MessageId) =>
    (await w.send({ from, toGroup: guidOf('g'), ...(parent && { parent }) })).message.id
  const list = (uid: string, more: object = {}, cursor: Partial<ThreadCursor> = {}) =>
    w.store.threads.list({
      actor: asUser(w, uid),
      participatedByMe: false,
      cursor: { affix: 'prepend', limit: 100, ...cursor },
      ...more,
    })
  const ids = async (rows: ReturnType<typeof list>) => (await rows).map(({ message }) => message.id)
  return { w, send, list, ids }
}

export const threadsConformance = (subject: Subject): void => {
  test('a root counts what is in its thread, also when replies come from two nodes at once', async () => {
    const { w, send, list } = await made(subject)
    const root = await send('ann')
    const peer: World = { ...w, store: subject().peer }
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        n % 2
          ? send('bob', root)
          : peer.store.messages
              .append({
                actor: w.app,
                sender: uidOf('ann'),
                appCreatedAt: w.appCreatedAt,
                receiverType: 'group',
                receiver: 'g',
                draft: { category: 'message', type: 'text', dataHead: '{"text":"x"', text: 'x', mentions: [] },
                tags: null,
                muid: null,
                muidForEver: false,
                toMany: false,
                parentId: root,
                quotedId: null,
                resource: 'test',
                telling: tellingIn(w),
              })
              .then(({ message }) => message.id),
      ),
    )
    const [thread] = await list('ann')
    expect(thread?.message.replyCount).toBe(10)
    expect(thread?.view.thread?.lastReply?.id).toBe(String(Math.max(...replies.map(Number))))
    expect(thread?.view.thread?.unreadReplies).toBe(5)
  })

  test('threads are listed by their last replies; the cursor comes again', async () => {
    const { w, send, list, ids } = await made(subject)
    const roots: MessageId[] = []
    for (let n = 0; n < 5; n++) roots.push(await send('ann'))
    for (const root of [...roots].reverse()) await send('bob', root)
    expect(await ids(list('ann'))).toEqual(roots)
    expect(await ids(list('ann', {}, { limit: 2, id: Number(roots[1]) }))).toEqual(roots.slice(1, 3))
    expect(await ids(list('ann', {}, { affix: 'append', id: Number(roots[1]) }))).toEqual([roots[1], roots[0]])
    expect(await ids(list('ann', { participatedByMe: true }))).toEqual(roots)
    expect(await ids(list('bob', { participatedByMe: true }))).toEqual(roots)
    expect(await ids(list('cara'))).toEqual([])
    const partner = { kind: 'group' as const, guid: guidOf('g') }
    expect(await ids(list('bob', { partner }))).toEqual(roots)
    await expectCode(list('cara', { partner }), 'ERR_GROUP_NOT_JOINED')
    expect(await ids(list('bob', { partner: { kind: 'user', uid: uidOf('ann') } }))).toEqual([])
    expect((await w.list({ filter: { hideReplies: true } })).rows.map((row) => row.id)).toEqual(roots)
  })

  test('who writes follows, until they say no', async () => {
    const { w, send, list } = await made(subject)
    const root = await send('ann')
    const reply = await send('bob', root)
    const follows = async (uid: string) => (await list(uid))[0]?.view.threadSubscribed
    const subscribe = (uid: string, subscribed: boolean, id = root) =>
      w.store.threads.subscribe({ actor: asUser(w, uid), id, subscribed })
    expect([await follows('ann'), await follows('bob')]).toEqual([true, true])
    await subscribe('bob', false, reply)
    await subscribe('ann', false)
    await send('bob', root)
    expect([await follows('ann'), await follows('bob')]).toEqual([false, false])
    await subscribe('ann', true)
    expect(await follows('ann')).toBe(true)
    await expectCode(subscribe('cara', true), 'ERR_MESSAGE_NO_ACCESS')
  })
}
