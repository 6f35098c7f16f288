import { defaultLimits, type FlagReason, groupConversationId, type MessageId } from '@confab/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { UserActor } from '../../kernel/actor.ts'
import { draftMessage } from '../../messages/draft.ts'
import { reactionsOf } from '../../messages/message.ts'
import { guidOf, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

const asUser = (w: World, uid: string): UserActor => ({ kind: 'user', appId: w.appId, uid: uidOf(uid) })

const marksOf = (w: World, store = w.store) => ({
  react: (uid: string, id: MessageId, reaction: string) =>
    store.reactions.add({ actor: asUser(w, uid), id, reaction, telling: tellingIn(w) }),
  takeBack: (uid: string, id: MessageId, reaction: string) =>
    store.reactions.remove({ actor: asUser(w, uid), id, reaction, telling: tellingIn(w) }),
  reactions: (id: MessageId, cursor: object = {}, reaction?: string) =>
    store.reactions.list({
      actor: w.app,
      id,
      ...(reaction !== undefined && { reaction }),
      cursor: { affix: 'append', limit: 100, ...cursor },
    }),
  use: (uid: string, id: MessageId, ...elements: string[]) =>
    store.interactions.mark({ actor: asUser(w, uid), id, elements, telling: tellingIn(w) }),
  pin: (id: MessageId) => store.messages.pin({ actor: w.app, id, now: w.now() }),
  unpin: (id: MessageId) => store.messages.unpin({ actor: w.app, id }),
  save: (uid: string, id: MessageId) => store.messages.save({ actor: asUser(w, uid), id, now: w.now() }),
  unsave: (uid: string, id: MessageId) => store.messages.unsave({ actor: asUser(w, uid), id }),
})

const made = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'bob', 'cara', 'stranger')
  await w.group('g', { members: { ann: 'participant', bob: 'participant', cara: 'participant' } })
  const { id } = (await w.send({ from: 'ann', toGroup: guidOf('g') })).message
  return { w, id, ...marksOf(w), peer: marksOf(w, subject().peer) }
}

const form = {
  interactiveData: { formFields: [{ elementId: 'a' }, { options: [{ elementId: 'b' }] }] },
  interactionGoal: { type: 'allOf', elementIds: ['a', 'b'] },
}

export const messageMarksConformance = (subject: Subject): void => {
  test('reactions are counted as they are there, whatever is given and taken back by whom', async () => {
    const uids = ['ann', 'bob', 'cara']
    const step = fc.tuple(fc.boolean(), fc.constantFrom(...uids), fc.constantFrom('x', 'y', 'z'))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const { w, id, react, takeBack, reactions } = await made(subject)
        const model: string[] = []
        for (const [give, uid, reaction] of steps) {
          const key = `${uid} ${reaction}`
          const changed = give ? await react(uid, id, reaction) : await takeBack(uid, id, reaction)
          expect(changed.change !== undefined).toBe(give !== model.includes(key))
          if (give && !model.includes(key)) model.push(key)
          else if (!give && model.includes(key)) model.splice(model.indexOf(key), 1)
        }
        const rows = await reactions(id)
        expect(rows.map(({ uid, reaction }) => `${uid} ${reaction}`)).toEqual(model)
        const { message } = await w.store.messages.find({ actor: w.app, id })
        const counts = new Map(reactionsOf(message).map(({ reaction, count }) => [reaction, count]))
        for (const kind of ['x', 'y', 'z']) {
          expect(counts.get(kind) ?? 0).toBe(model.filter((key) => key.endsWith(kind)).length)
        }
      }),
      { numRuns: 10 },
    )
  })

  test('reactions from two nodes at once are all counted', async () => {
    const { w, id, react, peer } = await made(subject)
    const all = ['ann', 'bob', 'cara'].flatMap((uid) => ['x', 'y', 'z', 'x'].map((kind) => [uid, kind] as const))
    await Promise.all(all.map(([uid, kind], n) => (n % 2 ? react : peer.react)(uid, id, kind)))
    const { message } = await w.store.messages.find({ actor: w.app, id })
    expect(new Set(reactionsOf(message).map(({ count }) => count))).toEqual(new Set([3]))
  })

  test('reactions are for those who take part, to what is said, within limits', async () => {
    const { w, id, react } = await made(subject)
    await expectCode(react('stranger', id, 'x'), 'ERR_MESSAGE_NO_ACCESS')
    await expectCode(react('ann', '999999' as MessageId, 'x'), 'ERR_MESSAGE_ID_NOT_FOUND')
    for (let n = 0; n < defaultLimits.reactionsPerMessage; n++) await react('ann', id, `r${n}`)
    await expectCode(react('bob', id, 'more'), 'ERR_BAD_REQUEST')
    await react('bob', id, 'r0')
    await w.store.messages.remove({
      actor: w.app,
      appCreatedAt: w.appCreatedAt,
      id,
      permanent: false,
      telling: tellingIn(w),
    })
    await expectCode(react('ann', id, 'x'), 'ERR_MESSAGE_ACTION_NOT_ALLOWED')
  })

  test('interactions count once each; with the last one that is needed the goal is reached', async () => {
    const { w, use } = await made(subject)
    const send = async (data: object) => {
      const draft = draftMessage({ category: 'interactive', type: 'form', data }, defaultLimits)
      const { category, type } = draft
      return (await w.send({ from: 'ann', toGroup: guidOf('g'), category, type, data })).message.id
    }
    const id = await send(form)
    expect(await use('bob', id, 'a')).toMatchObject({ completed: false, interactions: [{ elementId: 'a' }] })
    expect((await use('bob', id, 'a', 'b')).completed).toBe(true)
    expect(await use('bob', id, 'b')).toMatchObject({ completed: false, interactions: [{}, {}] })
    expect((await use('cara', id, 'a')).completed).toBe(false)
    const done = async (uid: string) =>
      (await w.list({ actor: asUser(w, uid), filter: { answered: true } })).rows.map((row) => row.id)
    expect(await done('bob')).toEqual([id])
    expect(await done('cara')).toEqual([])
    const { views } = await w.list({ actor: asUser(w, 'bob'), filter: { answered: true } })
    expect(views[0]?.myInteractions?.map(({ elementId }) => elementId)).toEqual(['a', 'b'])
    await expectCode(use('bob', id, 'c'), 'ERR_BAD_REQUEST')
    await expectCode(use('ann', id, 'a'), 'ERR_MESSAGE_ACTION_NOT_ALLOWED')
    await use('ann', await send({ ...form, allowSenderInteraction: true }), 'a')
    const any = await send({ ...form, interactionGoal: { type: 'anyAction' } })
    expect((await use('bob', any, 'b')).completed).toBe(true)
    const none = await send({ interactiveData: form.interactiveData })
    expect((await use('bob', none, 'a', 'b')).completed).toBe(false)
  })

  test('pins and saves are there until they are taken back, and no more than may be', async () => {
    const { w, id, pin, unpin, save, unsave } = await made(subject)
    expect(await pin(id)).toMatchObject({ isNew: true, message: { pinnedAt: w.now(), pinnedBy: 'app_system' } })
    expect((await pin(id)).isNew).toBe(false)
    const pinned = async () => (await w.list({ filter: { pinned: true } })).rows.map((row) => row.id)
    expect(await pinned()).toEqual([id])
    expect(await unpin(id)).toMatchObject({ isNew: true, message: { pinnedAt: null } })
    expect((await unpin(id)).isNew).toBe(false)
    expect(await pinned()).toEqual([])
    expect(await save('bob', id)).toMatchObject({ isNew: true, view: { savedAt: w.now() } })
    expect((await save('bob', id)).isNew).toBe(false)
    const saved = async (uid: string) =>
      (await w.list({ actor: asUser(w, uid), filter: { saved: true } })).rows.map((row) => row.id)
    expect([await saved('bob'), await saved('cara')]).toEqual([[id], []])
    expect((await unsave('bob', id)).isNew).toBe(true)
    expect((await unsave('bob', id)).isNew).toBe(false)
    const next = async () => (await w.send({ from: 'ann', toGroup: guidOf('g') })).message.id
    for (let n = 0; n < defaultLimits.pinnedPerConversation; n++) {
      const more = await next()
      await pin(more)
      await save('bob', more)
    }
    await expectCode(pin(await next()), 'ERR_PINNED_MESSAGES_LIMIT_EXCEEDED')
    await expectCode(save('bob', await next()), 'ERR_SAVED_MESSAGES_LIMIT_EXCEEDED')
    expect(await saved('bob')).toHaveLength(defaultLimits.savedPerUser)
    await save('cara', await next())
  })

  test('a message is reported once per user', async () => {
    const { w, id } = await made(subject)
    const put = (uid: string, reason: FlagReason) =>
      w.store.flags.put({ actor: asUser(w, uid), id, reason, remark: null, now: w.now() })
    await put('bob', 'spam')
    await put('bob', 'hate')
    await put('cara', 'other')
    const actor = { kind: 'app' as const, appId: w.appId }
    const rows = await w.store.flags.list({ actor, id })
    expect(rows.map(({ uid, reason }) => `${uid} ${reason}`)).toEqual(['bob hate', 'cara other'])
    await expectCode(put('stranger', 'spam'), 'ERR_MESSAGE_NO_ACCESS')
  })

  test('what hangs on a message goes with it', async () => {
    const { w, id, react, save } = await made(subject)
    await react('bob', id, 'x')
    await save('bob', id)
    await w.store.messages.purge({
      appId: w.appId,
      of: { conversationId: groupConversationId(guidOf('g')) },
      limit: 100,
      now: w.now(),
    })
    const next = (await w.send({ from: 'ann', toGroup: guidOf('g') })).message.id
    expect(await w.store.reactions.list({ actor: w.app, id: next, cursor: { affix: 'append', limit: 9 } })).toEqual([])
    expect((await w.list({ actor: asUser(w, 'bob'), filter: { saved: true } })).rows).toEqual([])
  })

  test('reactions are listed in pages, each once', async () => {
    const { id, react, reactions } = await made(subject)
    for (const uid of ['ann', 'bob', 'cara']) for (const kind of ['x', 'y', 'z']) await react(uid, id, kind)
    const all = (await reactions(id)).map((row) => row.id)
    const walk = async (affix: 'append' | 'prepend') => {
      const seen: string[] = []
      for (;;) {
        const edge = affix === 'append' ? seen.at(-1) : seen[0]
        const rows = await reactions(id, { affix, limit: 2, ...(edge !== undefined && { id: Number(edge) }) })
        if (rows.length === 0) return seen
        seen.splice(affix === 'append' ? seen.length : 0, 0, ...rows.map((row) => row.id))
      }
    }
    expect(await walk('append')).toEqual(all)
    expect(await walk('prepend')).toEqual(all)
    expect((await reactions(id, {}, 'y')).map(({ uid }) => uid)).toEqual(['ann', 'bob', 'cara'])
  })
}
