/** Conversations and what is unread in them; and the messages of one, page by page and by every filter. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import {
  createGroup,
  editText,
  history,
  list,
  mark,
  pages,
  sendCustom,
  sendFiles,
  sendText,
  textsOf,
} from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('conversations', (world) => {
  let ann: Tab
  let bob: Tab
  const said: Json[] = []

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
    await world().admin('PUT', '/users/bob', { tags: ['vip'] })
    ann = await world().enter('ann')
    bob = await world().enter('bob')
    await createGroup(bob, 'g')
    await ann.call('joinGroup', 'g', 'public', '')
    for (let n = 1; n <= 5; n++) said.push(await sendText(bob, { user: 'ann' }, `message ${n}`))
    said.push(await sendText(bob, { user: 'ann' }, 'see https://x.example', { setTags: ['link'] }))
    said.push(await sendText(bob, { user: 'ann' }, 'hello <@uid:ann>'))
    said.push(await sendCustom(bob, { user: 'ann' }, 'location', { lat: 1 }))
    const file = { name: 'notes.txt', type: 'text/plain', text: 'some notes' }
    said.push(await sendFiles(bob, { user: 'ann' }, 'file', file))
    // Conversations are in the order of the seconds of what was said last.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await sendText(bob, { group: 'g' }, 'in the group')
    for (const one of said.slice(0, 2)) await ann.event('onTextMessageReceived', { id: one.id })
  })

  const withBob = { setUID: 'bob' }
  const counts = async (tab: Tab) => {
    const rows = await list(tab, 'Conversations', { setLimit: 30 })
    return Object.fromEntries(
      rows.map(({ conversationWith, unreadMessageCount }) => [
        conversationWith.uid ?? conversationWith.guid,
        Number(unreadMessageCount),
      ]),
    )
  }

  describe('MessagesRequest', () => {
    test('backwards, page by page', async () => {
      const answers = await pages(ann, 'Messages', { ...withBob, setLimit: 4 }, Array(4).fill('fetchPrevious'))
      expect(answers.map((page) => page.length)).toEqual([4, 4, 1, 0])
      expect(
        answers
          .map((page) => page.map(({ id }) => id))
          .reverse()
          .flat(),
      ).toEqual(said.map(({ id }) => id))
    })

    test('forwards from a message', async () => {
      const setters = { ...withBob, setLimit: 4, setMessageId: said[0]?.id }
      const answers = await pages(ann, 'Messages', setters, Array(3).fill('fetchNext'))
      expect(answers.flat().map(({ id }) => id)).toEqual(said.slice(1).map(({ id }) => id))
      const after = await pages(ann, 'Messages', { ...withBob, setLimit: 30, setTimestamp: said[0]?.sentAt - 1 }, [
        'fetchNext',
      ])
      expect(after.flat()).toHaveLength(said.length)
      expect(
        await ann.fails('fetchNext', (sdk) =>
          new sdk.MessagesRequestBuilder().setUID('bob').setLimit(2).build().fetchNext(),
        ),
      ).toBe('NOT_ENOUGH_PARAMETERS')
    })

    test.each([
      [{ setCategories: ['custom'] }, 1],
      [{ setCategory: 'custom' }, 1],
      [{ setTypes: ['file'] }, 1],
      [{ setType: 'text' }, 7],
      [{ setCategories: ['message'], setTypes: ['text', 'file'] }, 8],
      [{ setTags: ['link'], withTags: true }, 1],
      [{ setSearchKeyword: 'message 3' }, 1],
      [{ hasLinks: true }, 1],
      [{ hasMentions: true }, 1],
      [{ setMentionedUIDs: ['ann'] }, 1],
      [{ mentionsWithTagInfo: true, mentionsWithBlockedInfo: true }, 9],
      [{ hasAttachments: true }, 1],
      [{ setAttachmentTypes: ['file'] }, 1],
      [{ setAttachmentTypes: ['image'] }, 0],
      [{ hasReactions: true }, 0],
      [{ hideReplies: true, hideDeletedMessages: true, hideQuotedMessages: true }, 9],
      [{ hideMessagesFromBlockedUsers: true, withParent: true }, 9],
    ])('%o', async (setters, expected) => {
      expect(await history(ann, { ...withBob, ...setters })).toHaveLength(expected)
    })

    test('of all conversations, the unread ones', async () => {
      expect((await history(ann, { setUnread: true })).length).toBeGreaterThanOrEqual(10)
      expect(textsOf(await history(ann, { setGUID: 'g', setCategories: ['message'] }))).toEqual(['in the group'])
    })

    test('what was changed since', async () => {
      await new Promise((resolve) => setTimeout(resolve, 1100))
      const { id, sentAt } = said[2] as Json
      await editText(bob, id, { user: 'ann' }, 'message three')
      const setters = { ...withBob, setLimit: 30, setUpdatedAfter: sentAt - 10, updatesOnly: true }
      expect((await list(ann, 'Messages', setters, 'fetchNext')).map((one) => one.text)).toEqual(['message three'])
    })
  })

  describe('ConversationsRequest', () => {
    test('what each is, the newest first', async () => {
      const rows = await list(ann, 'Conversations', { setLimit: 30 })
      expect(rows.map(({ conversationId }) => conversationId)).toEqual(['group_g', 'ann_user_bob'])
      expect(rows[1]).toMatchObject({
        ...{ conversationType: 'user', conversationWith: { uid: 'bob' }, lastMessage: { id: said.at(-1)?.id } },
      })
    })

    test.each([
      [{ setConversationType: 'user' }, ['ann_user_bob']],
      [{ setConversationType: 'group' }, ['group_g']],
      [{ setUserTags: ['vip'], withUserAndGroupTags: true }, ['ann_user_bob']],
      [{ setGroupTags: ['none'] }, []],
      [{ setSearchKeyword: 'Bob' }, ['ann_user_bob']],
      [{ setUnread: true }, ['group_g', 'ann_user_bob']],
      [{ setIncludeBlockedUsers: true, setWithBlockedInfo: true }, ['group_g', 'ann_user_bob']],
      [{ setHideAgentic: true }, ['group_g', 'ann_user_bob']],
    ])('%o', async (setters, expected) => {
      const rows = await list(ann, 'Conversations', { setLimit: 30, ...setters })
      expect(rows.map(({ conversationId }) => conversationId)).toEqual(expected)
    })

    test('pages', async () => {
      const answers = await pages(ann, 'Conversations', { setLimit: 1 }, Array(3).fill('fetchNext'))
      expect(answers.map((page) => page.length)).toEqual([1, 1, 0])
    })
  })

  test('getConversation, tagConversation', async () => {
    expect(await ann.call('getConversation', 'bob', 'user')).toMatchObject({ conversationId: 'ann_user_bob' })
    expect(await ann.call('tagConversation', 'g', 'group', ['work'])).toMatchObject({ tags: ['work'] })
    const rows = await list(ann, 'Conversations', { setLimit: 30, setTags: ['work'], withTags: true })
    expect(rows.map(({ conversationId, tags }) => [conversationId, tags])).toEqual([['group_g', ['work']]])
    expect(await ann.fails('getConversation', (sdk) => sdk.getConversation('cara', 'user'))).toMatch(
      /^ERR_CONVERSATION/,
    )
  })

  test('what is unread', async () => {
    expect(await counts(ann)).toEqual({ bob: 9, g: 1 })
    const [users, groups] = [{ bob: 9 }, { g: 1 }]
    expect(await ann.call('getUnreadMessageCount')).toEqual({ users, groups })
    expect(await ann.call('getUnreadMessageCountForAllUsers')).toEqual(users)
    expect(await ann.call('getUnreadMessageCountForAllGroups', true)).toEqual(groups)
    expect(await ann.call('getUnreadMessageCountForUser', 'bob')).toEqual(users)
    expect(await ann.call('getUnreadMessageCountForGroup', 'g')).toEqual(groups)
  })

  test('what is read, and made unread again', async () => {
    const fifth = (await history(ann, withBob))[4]
    await mark(ann, 'markAsRead', fifth, { user: 'bob' })
    await bob.event('onMessagesRead', { messageId: fifth.id })
    expect(await counts(ann)).toMatchObject({ bob: 4 })
    expect(await ann.call('markConversationAsDelivered', 'bob', 'user')).toEqual(expect.any(String))
    expect(await ann.call('markConversationAsRead', 'bob', 'user')).toEqual(expect.any(String))
    // Of what tells of the edit nobody hears.
    await bob.event('onMessagesRead', { messageId: said.at(-1)?.id })
    expect(await counts(ann)).toMatchObject({ bob: 0 })
    const unread = (method: string) =>
      ann.run(method, async (sdk, [method, id]: string[]) => sdk[method ?? ''](await sdk.getMessageDetails(id)), [
        method,
        said[7]?.id,
      ])
    expect(await unread('markMessageAsUnread')).toMatchObject({ conversationId: 'ann_user_bob' })
    expect(await counts(ann)).toMatchObject({ bob: 2 })
    await ann.call('markConversationAsRead', 'bob', 'user')
    expect(await unread('markAsUnread')).toEqual(expect.anything())
    expect(await counts(ann)).toMatchObject({ bob: 2 })
    // Of a conversation that has not begun.
    expect(await ann.call('markConversationAsRead', 'cara', 'user')).toEqual(expect.any(String))
  })

  test('pinConversation, unpinConversation', async () => {
    const other = await world().enter('ann')
    expect(await ann.call('pinConversation', 'bob', 'user')).toMatchObject({
      conversationId: 'ann_user_bob',
      isPinned: true,
    })
    expect(await other.event('onConversationPinned')).toMatchObject({ conversationId: 'ann_user_bob' })
    const pinned = await list(ann, 'Conversations', { setLimit: 30, setPinnedBy: ['me'] })
    expect(pinned.map(({ conversationId }) => conversationId)).toEqual(['ann_user_bob'])
    expect(await ann.call('unpinConversation', 'bob', 'user')).toMatchObject({ isPinned: false })
    expect(await other.event('onConversationUnpinned')).toMatchObject({ conversationId: 'ann_user_bob' })
    // What the app pins, it pins for all members.
    await world().admin('POST', '/groups/g/conversation/pin')
    for (const tab of [ann, other, bob]) await tab.event('onConversationPinned', { conversationId: 'group_g' })
    for (const [by, expected] of [
      ['me', []],
      ['system', ['group_g']],
    ] as const) {
      const rows = await list(ann, 'Conversations', { setLimit: 30, setPinnedBy: [by] })
      expect(rows.map(({ conversationId }) => conversationId)).toEqual(expected)
    }
    await world().admin('DELETE', '/groups/g/conversation/pin')
    for (const tab of [ann, other, bob]) await tab.event('onConversationUnpinned', { conversationId: 'group_g' })
    await other.close()
  })

  test('deleteConversation', async () => {
    expect(await ann.call('deleteConversation', 'bob', 'user')).toEqual(expect.any(String))
    expect(await history(ann, withBob)).toEqual([])
    expect(await history(bob, { setUID: 'ann' })).toHaveLength(said.length)
    expect(Object.keys(await counts(ann))).toEqual(['g'])
  })
})

describeInterop('what is unread', (world) => {
  let ann: Tab
  let bob: Tab
  let tablet: Tab
  const toAnn = { user: 'ann' }
  const withBob = { user: 'bob' }

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
    await world().admin('PUT', '/users/cara', { tags: ['vip'] })
    ann = await world().enter('ann')
    tablet = await world().enter('ann')
    bob = await world().enter('bob')
    await createGroup(bob, 'g')
    await ann.call('joinGroup', 'g', 'public', '')
  })

  const ofBob = async (tab: Tab): Promise<Json> =>
    (await list(tab, 'Conversations', { setLimit: 30, setConversationType: 'user', includeBlockedUsers: true }))[0]
  const unread = async (tab: Tab): Promise<number> => Number((await ofBob(tab)).unreadMessageCount)

  test('is the same on all devices; what is deleted is not; who is mentioned is told', async () => {
    const first = await sendText(bob, toAnn, 'one')
    const second = await sendText(bob, toAnn, 'two')
    const third = await sendText(bob, toAnn, 'three, <@uid:ann>')
    for (const tab of [ann, tablet]) {
      await tab.event('onTextMessageReceived', { id: third.id })
      expect(await unread(tab)).toBe(3)
    }
    await bob.call('deleteMessage', second.id)
    await tablet.event('onMessageDeleted', { id: second.id })
    expect(await unread(tablet)).toBe(2)
    expect(await ann.call('getUnreadMessageCount')).toEqual({ users: { bob: 2 }, groups: {} })
    const { unreadMentionsCount, lastReadMessageId } = await ofBob(ann)
    expect([Number(unreadMentionsCount), lastReadMessageId]).toEqual([1, ''])
    await mark(ann, 'markAsRead', first, withBob)
    await bob.event('onMessagesRead', { messageId: first.id })
    expect(await unread(tablet)).toBe(1)
    await mark(tablet, 'markAsRead', third, withBob)
    await bob.event('onMessagesRead', { messageId: third.id })
    expect(await ofBob(ann)).toMatchObject({ lastReadMessageId: third.id })
    expect(await unread(ann)).toBe(0)
    expect(await ann.call('getUnreadMessageCountForUser', 'bob')).toEqual({})
  })

  test('one’s own is not, and who marks it tells nobody', async () => {
    const { id } = await sendText(ann, withBob, 'mine')
    await bob.event('onTextMessageReceived', { id })
    const before = bob.heard.length
    await ann.call('markConversationAsRead', 'bob', 'user')
    expect(await unread(ann)).toBe(0)
    await sendText(ann, withBob, 'last')
    await bob.event('onTextMessageReceived', { text: 'last' })
    expect(bob.heard.slice(before).map(({ name }) => name)).toEqual(['onTextMessageReceived'])
  })

  test('in a conversation that was deleted begins anew', async () => {
    await sendText(bob, toAnn, 'old')
    expect(await ann.call('deleteConversation', 'bob', 'user')).toEqual(expect.any(String))
    expect(await ann.call('getUnreadMessageCountForUser', 'bob')).toEqual({})
    await sendText(bob, toAnn, 'new')
    expect([await unread(ann), textsOf(await history(tablet, { setUID: 'bob' }))]).toEqual([1, ['new']])
    await ann.call('markConversationAsRead', 'bob', 'user')
  })

  test('of a group that one has left is not', async () => {
    await sendText(bob, { group: 'g' }, 'in the group')
    expect(await ann.call('getUnreadMessageCountForGroup', 'g')).toEqual({ g: 1 })
    await ann.call('leaveGroup', 'g')
    expect(await ann.call('getUnreadMessageCountForAllGroups')).toEqual({})
    expect(await list(ann, 'Conversations', { setLimit: 30, setConversationType: 'group' })).toEqual([])
    expect(await ann.fails('getConversation', (sdk) => sdk.getConversation('g', 'group'))).toMatch(/^ERR_/)
    await sendText(bob, { group: 'g' }, 'meanwhile')
    await ann.call('joinGroup', 'g', 'public', '')
    expect(await ann.call('getUnreadMessageCountForAllGroups')).toEqual({})
    await sendText(bob, { group: 'g' }, 'again <@uid:cara>')
    expect(await ann.call('getUnreadMessageCountForAllGroups')).toEqual({ g: 1 })
  })

  test('of who is blocked is there, can be hidden, and can be read without their knowing', async () => {
    await sendText(bob, toAnn, 'before the block')
    await ann.call('blockUsers', ['bob'])
    expect(await ann.call('getUnreadMessageCount')).toEqual({ users: { bob: 1 }, groups: { g: 1 } })
    expect(await ann.call('getUnreadMessageCount', true)).toEqual({ users: {}, groups: {} })
    expect(await ann.call('getUnreadMessageCountForUser', 'bob', true)).toEqual({})
    expect(await ann.call('getUnreadMessageCountForGroup', 'g', true)).toEqual({})
    const shown = async (setters: object) =>
      (await list(ann, 'Conversations', { setLimit: 30, ...setters })).map(({ conversationId }) => conversationId)
    expect(await shown({})).toEqual(['group_g'])
    expect((await shown({ setIncludeBlockedUsers: true })).sort()).toEqual(['ann_user_bob', 'group_g'])
    const [row] = await list(ann, 'Conversations', {
      ...{ setLimit: 30, setConversationType: 'user', setIncludeBlockedUsers: true, setWithBlockedInfo: true },
    })
    expect(row.conversationWith).toMatchObject({ uid: 'bob', blockedByMe: true, hasBlockedMe: false })
    const texts = async (setters: object) =>
      textsOf(await history(ann, { setGUID: 'g', setCategories: ['message'], ...setters }))
    expect(await texts({ hideMessagesFromBlockedUsers: true })).toEqual([])
    expect(await texts({ setUnread: true })).toEqual(['again <@uid:cara>'])
    const heard = bob.all('onMessagesRead').length
    const [last] = (await history(ann, { setUID: 'bob' })).slice(-1)
    await mark(ann, 'markAsRead', last, withBob)
    await expect.poll(() => unread(ann), { timeout: 10_000 }).toBe(0)
    await ann.call('unblockUsers', ['bob'])
    await sendText(ann, withBob, 'you again')
    await bob.event('onTextMessageReceived', { text: 'you again' })
    expect(bob.all('onMessagesRead')).toHaveLength(heard)
  })

  test('the filters that have something to hide, or to add', async () => {
    const said = await sendText(bob, { group: 'g' }, 'a quotable thing')
    const gone = await sendText(bob, { group: 'g' }, 'a slip')
    await bob.call('deleteMessage', gone.id)
    await sendText(bob, { group: 'g' }, 'as I said', { setQuotedMessageId: said.id })
    const reply = await sendText(bob, { group: 'g' }, 'in a thread', { setParentMessageId: said.id })
    const ids = async (setters: object) =>
      (await history(ann, { setGUID: 'g', setCategories: ['message'], ...setters })).map(({ id }) => id)
    const all = await ids({})
    expect(all).toEqual(expect.arrayContaining([gone.id, reply.id]))
    for (const [setters, fewer] of [
      [{ hideDeletedMessages: true }, 1],
      [{ hideQuotedMessages: true }, 1],
      [{ hideReplies: true }, 1],
      [{ hideDeletedMessages: true, hideQuotedMessages: true, hideReplies: true }, 3],
    ] as const) {
      expect(await ids(setters), JSON.stringify(setters)).toHaveLength(all.length - fewer)
    }
    await ann.call('blockUsers', ['cara'])
    const mentions = { setGUID: 'g', hasMentions: true, mentionsWithTagInfo: true, mentionsWithBlockedInfo: true }
    const [mentioning] = await history(ann, mentions)
    expect(mentioning.mentionedUsers).toMatchObject([{ uid: 'cara', tags: ['vip'] }])
    // The SDK's own objects of mentioned users lose this part of the answer.
    expect(mentioning.data.mentions.cara).toMatchObject({ blockedByMe: true, hasBlockedMe: false })
    await ann.call('unblockUsers', ['cara'])
    const thread = { setParentMessageId: Number(said.id) }
    expect((await history(ann, { ...thread, withParent: true })).map(({ id }) => id)).toContain(reply.id)
    expect((await history(ann, thread)).map(({ id }) => id)).toEqual([reply.id])
  })
})
