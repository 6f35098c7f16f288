/** What is done to messages: reactions, reports, pins, saves, subscriptions; and their threads. */
import { beforeAll, expect, test } from 'vitest'
import { createGroup, history, list, pages, sendText, type To } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('marks', (world) => {
  let ann: Tab
  let bob: Tab
  let other: Tab
  const toGroup: To = { group: 'g' }

  beforeAll(async () => {
    await world().users('ann', 'bob')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
    other = await world().enter('bob')
    await createGroup(ann, 'g')
    await bob.call('joinGroup', 'g', 'public', '')
  })

  test('addReaction, removeReaction, ReactionsRequest', async () => {
    const { id } = await sendText(ann, toGroup, 'like it?')
    const family = '👨‍👩‍👧‍👦'
    for (const emoji of ['😀', family]) {
      const marked = await bob.call('addReaction', id, emoji)
      expect(marked).toMatchObject({ id })
      expect(await ann.event('onMessageReactionAdded', { reaction: { reaction: emoji } })).toMatchObject({
        ...{ receiverId: 'g', receiverType: 'group', conversationId: 'group_g' },
        reaction: { messageId: id, uid: 'bob', reactedBy: { uid: 'bob' }, reactedAt: expect.any(Number) },
      })
    }
    // Another device of the one who reacted sees it, too.
    await other.event('onMessageReactionAdded', { reaction: { reaction: family } })
    await ann.call('addReaction', id, '😀')
    expect((await ann.call('getMessageDetails', id)).reactions).toEqual(
      expect.arrayContaining([
        { reaction: '😀', count: 2, reactedByMe: true },
        { reaction: family, count: 1, reactedByMe: false },
      ]),
    )
    const reacted = await list(ann, 'Reactions', { setMessageId: id, setLimit: 10 })
    expect(reacted.map(({ uid, reaction }) => `${uid} ${reaction}`).sort()).toEqual(
      ['ann 😀', 'bob 😀', `bob ${family}`].sort(),
    )
    expect(await list(ann, 'Reactions', { setMessageId: id, setLimit: 10, setReaction: family })).toHaveLength(1)
    const forth = await pages(ann, 'Reactions', { setMessageId: id, setLimit: 2 }, Array(3).fill('fetchNext'))
    expect(forth.map((page) => page.length)).toEqual([2, 1, 0])
    const both = await pages(ann, 'Reactions', { setMessageId: id, setLimit: 2 }, ['fetchNext', 'fetchPrevious'])
    expect(both.map((page) => page.length)).toEqual([2, 0])
    // The same again changes nothing.
    expect((await ann.call('addReaction', id, '😀')).reactions).toContainEqual({
      ...{ reaction: '😀', count: 2, reactedByMe: true },
    })
    expect((await bob.call('removeReaction', id, family)).reactions).toHaveLength(1)
    await ann.event('onMessageReactionRemoved', { reaction: { reaction: family, messageId: id } })
    expect(await history(bob, { setGUID: 'g', hasReactions: true })).toHaveLength(1)
  })

  test('reactions one to one', async () => {
    const { id } = await sendText(ann, { user: 'bob' }, 'like it, too?')
    await bob.call('addReaction', id, '👍')
    expect(await ann.event('onMessageReactionAdded', { reaction: { reaction: '👍' } })).toMatchObject({
      ...{ receiverType: 'user', conversationId: 'ann_user_bob', reaction: { messageId: id, uid: 'bob' } },
    })
    await bob.call('removeReaction', id, '👍')
    await ann.event('onMessageReactionRemoved', { reaction: { reaction: '👍', messageId: id } })
    expect((await ann.call('getMessageDetails', id)).reactions).toEqual([])
  })

  test('flagMessage', async () => {
    const { id } = await sendText(ann, toGroup, 'buy now')
    const report = (reasonId: string) =>
      bob.run('flagMessage', (sdk, [id, reasonId]: string[]) => sdk.flagMessage(id, { reasonId, remark: 'again' }), [
        id,
        reasonId,
      ])
    expect(await report('spam')).toMatchObject({ success: true })
    await expect(report('no such reason')).rejects.toMatchObject({ code: 'INVALID_REASON_ID' })
  })

  test('pinMessage, unpinMessage', async () => {
    const { id } = await sendText(ann, toGroup, 'the rules')
    expect(await ann.call('pinMessage', id)).toMatchObject({ id, isPinned: true, pinnedBy: 'ann' })
    expect(await bob.event('onMessagePinned')).toMatchObject({ id, pinnedAt: expect.any(Number), pinnedBy: 'ann' })
    expect((await history(bob, { setGUID: 'g', setPinned: true })).map((one) => one.id)).toEqual([id])
    expect(await ann.call('unpinMessage', id)).toMatchObject({ id, isPinned: false })
    expect(await bob.event('onMessageUnpinned')).toMatchObject({ id })
    expect(await history(bob, { setGUID: 'g', setPinned: true })).toEqual([])
  })

  test('saveMessage, unsaveMessage', async () => {
    const { id } = await sendText(ann, toGroup, 'for later')
    expect(await bob.call('saveMessage', id)).toMatchObject({ id, isSaved: true })
    expect(await other.event('onMessageSaved')).toMatchObject({ id, savedAt: expect.any(Number) })
    expect((await history(bob, { setSaved: true })).map((one) => one.id)).toEqual([id])
    expect(await bob.call('unsaveMessage', id)).toMatchObject({ id, isSaved: false })
    expect(await other.event('onMessageUnsaved')).toMatchObject({ id })
    expect(await history(bob, { setSaved: true })).toEqual([])
    expect(ann.all('onMessageSaved')).toEqual([])
  })

  test('threads, and who follows them', async () => {
    const root = await sendText(ann, toGroup, 'a topic')
    await sendText(bob, toGroup, 'an answer', { setParentMessageId: root.id })
    const threads = await list(ann, 'Threads', { setLimit: 10, setGuid: 'g' })
    expect(threads).toHaveLength(1)
    expect(threads[0]).toMatchObject({
      replyCount: 1,
      lastReply: { text: 'an answer' },
      parentMessage: { text: 'a topic' },
    })
    expect(await list(bob, 'Threads', { setLimit: 10, setParticipatedByMe: true })).toHaveLength(1)
    expect(await list(bob, 'Threads', { setLimit: 10, setUid: 'ann' })).toEqual([])
    expect(await ann.call('subscribeToThread', Number(root.id))).toEqual(expect.any(String))
    expect(await ann.call('getMessageDetails', root.id)).toMatchObject({ isThreadSubscribed: true })
    expect(await ann.call('unsubscribeFromThread', Number(root.id))).toEqual(expect.any(String))
    expect(await ann.call('getMessageDetails', root.id)).toMatchObject({ isThreadSubscribed: false })
  })

  test('threads page by page, those with the newest replies first', async () => {
    for (const text of ['first', 'second', 'third']) {
      const root = await sendText(bob, { user: 'ann' }, text)
      await sendText(ann, { user: 'bob' }, `on the ${text}`, { setParentMessageId: root.id })
    }
    const answers = await pages(bob, 'Threads', { setLimit: 2, setUid: 'ann' }, Array(3).fill('fetchNext'))
    const texts = answers.map((page) => page.map(({ parentMessage }) => parentMessage.text))
    expect(texts).toEqual([['third', 'second'], ['first'], []])
    const parentMessage = { unreadRepliesCount: 1 }
    expect(answers[0]?.[0]).toMatchObject({ replyCount: 1, parentMessage, lastReply: { text: 'on the third' } })
  })
})
