/** Messages of every kind: sent, received, changed, and what passes without being kept. */
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createGroup,
  editText,
  history,
  list,
  mark,
  sendCustom,
  sendFiles,
  sendText,
  type To,
  typing,
  uidsOf,
} from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('messages', (world) => {
  let ann: Tab
  let bob: Tab
  let cara: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
    cara = await world().enter('cara')
    await createGroup(ann, 'g')
    await Promise.all([bob.call('joinGroup', 'g', 'public', ''), cara.call('joinGroup', 'g', 'public', '')])
  })

  const toBob: To = { user: 'bob' }
  const toGroup: To = { group: 'g' }

  describe('text', () => {
    test('to a user', async () => {
      const setters = { setMetadata: { a: 1 }, setTags: ['t'], setMuid: 'm-1' }
      const sent = await sendText(ann, toBob, 'hi', setters)
      const expected = {
        ...{ id: sent.id, text: 'hi', conversationId: 'ann_user_bob', category: 'message', type: 'text', muid: 'm-1' },
        ...{ metadata: { a: 1 }, tags: ['t'], receiverId: 'bob', receiverType: 'user', sentAt: expect.any(Number) },
        ...{ sender: { uid: 'ann', name: 'Ann' }, receiver: { uid: 'bob', name: 'Bob' } },
      }
      expect(sent).toMatchObject(expected)
      expect(await bob.event('onTextMessageReceived', { id: sent.id })).toMatchObject(expected)
      // The same muid again is the same message.
      expect(await sendText(ann, toBob, 'hi', setters)).toMatchObject({ id: sent.id })
    })

    test('by the names that the method had before', async () => {
      const send = (method: string, receiver: string, receiverType: string) =>
        ann.run(
          method,
          (sdk, [method, receiver, receiverType]: string[]) =>
            sdk[method ?? ''](new sdk.TextMessage(receiver, 'as ever', receiverType)),
          [method, receiver, receiverType],
        )
      const direct = await send('sendDirectMessage', 'bob', 'user')
      expect(await bob.event('onTextMessageReceived', { id: direct.id })).toMatchObject({ text: 'as ever' })
      const inGroup = await send('sendGroupMessage', 'g', 'group')
      expect(await cara.event('onTextMessageReceived', { id: inGroup.id })).toMatchObject({ text: 'as ever' })
    })

    test('to a group, with somebody mentioned', async () => {
      const sent = await sendText(ann, toGroup, 'look <@uid:bob>')
      for (const tab of [bob, cara]) {
        const heard = await tab.event('onTextMessageReceived', { id: sent.id })
        expect(heard).toMatchObject({ receiver: { guid: 'g' }, conversationId: 'group_g', hasMentionedMe: tab === bob })
        expect(uidsOf(heard.mentionedUsers)).toEqual(['bob'])
      }
    })

    test('that quotes another', async () => {
      const quoted = await sendText(ann, toBob, 'to be quoted')
      const sent = await sendText(ann, toBob, 'as I said', { setQuotedMessageId: quoted.id })
      expect(await bob.event('onTextMessageReceived', { id: sent.id })).toMatchObject({
        quotedMessage: { id: quoted.id, text: 'to be quoted' },
      })
    })

    test('that is edited still quotes, and is still read', async () => {
      const quoted = await sendText(ann, toBob, 'to be quoted')
      const sent = await sendText(ann, toBob, 'as I sad', { setQuotedMessageId: quoted.id })
      await mark(bob, 'markAsRead', await bob.event('onTextMessageReceived', { id: sent.id }), { user: 'ann' })
      await ann.event('onMessagesRead', { messageId: sent.id })
      const expected = {
        ...{ id: sent.id, text: 'as I said', quotedMessage: { id: quoted.id, text: 'to be quoted' } },
        ...{ deliveredAt: expect.any(Number), readAt: expect.any(Number) },
      }
      expect(await editText(ann, sent.id, toBob, 'as I said')).toMatchObject(expected)
      expect(await bob.event('onMessageEdited', { id: sent.id })).toMatchObject(expected)
      await ann.call('pinMessage', sent.id)
      expect(await bob.event('onMessagePinned', { id: sent.id })).toMatchObject(expected)
      await ann.call('unpinMessage', sent.id)
    })

    test('that is refused is told why', async () => {
      await expect(sendText(ann, { user: 'nobody' }, 'x')).rejects.toMatchObject({ code: 'ERR_UID_NOT_FOUND' })
      await expect(sendText(ann, { group: 'nowhere' }, 'x')).rejects.toMatchObject({ code: 'ERR_GUID_NOT_FOUND' })
    })
  })

  test('custom', async () => {
    const sent = await sendCustom(
      ann,
      toBob,
      'location',
      { lat: 1.5 },
      { setSubType: 'pin', setConversationText: 'a place' },
    )
    const expected = { id: sent.id, category: 'custom', type: 'location', customData: { lat: 1.5 }, subType: 'pin' }
    expect(sent).toMatchObject(expected)
    expect(await bob.event('onCustomMessageReceived', { id: sent.id })).toMatchObject(expected)
  })

  test('interactive, until its goal is reached', async () => {
    const sent = await ann.run('sendInteractiveMessage', (sdk) => {
      const form = { title: 'Survey', formFields: [{ elementType: 'textInput', elementId: 'e1' }] }
      const message = new sdk.InteractiveMessage('g', 'group', 'form', form)
      message.setInteractionGoal(new sdk.InteractionGoal('anyOf', ['e1']))
      return sdk.sendInteractiveMessage(message)
    })
    expect(sent).toMatchObject({ category: 'interactive', type: 'form', interactiveData: { title: 'Survey' } })
    for (const tab of [bob, cara]) {
      expect(await tab.event('onInteractiveMessageReceived', { id: sent.id })).toMatchObject({
        ...{ interactiveData: { title: 'Survey' }, interactionGoal: { type: 'anyOf', elementIds: ['e1'] } },
      })
    }
    expect(await bob.call('markAsInteracted', sent.id, 'e1')).toEqual(expect.any(String))
    expect(await ann.event('onInteractionGoalCompleted')).toMatchObject({
      ...{ messageId: sent.id, sender: { uid: 'bob' }, interactions: [{ elementId: 'e1' }] },
    })
    const answered = await list(
      bob,
      'Messages',
      { setGUID: 'g', setLimit: 30, setInteractionGoalCompletedOnly: true },
      'fetchPrevious',
    )
    expect(answered.map(({ id }) => id)).toEqual([sent.id])
  })

  test('a card, and what an AI says of its work', async () => {
    const say = async (category: string, type: string, data: object): Promise<string> =>
      (await world().admin('POST', '/messages', { receiver: 'ann', receiverType: 'user', category, type, data }, 'bob'))
        .data.id
    const run = { runId: 'r', threadId: 't' }
    const card = await say('card', 'card', { card: { title: 'Offer' }, text: 'an offer' })
    expect(await ann.event('onCardMessageReceived', { id: card })).toMatchObject({
      ...{ category: 'card', type: 'card', card: { title: 'Offer' }, sender: { uid: 'bob' } },
    })
    const answer = await say('agentic', 'assistant', { ...run, text: 'I have looked' })
    expect(await ann.event('onAIAssistantMessageReceived', { id: answer })).toMatchObject({
      ...{ category: 'agentic', type: 'assistant', assistantMessageData: { ...run, text: 'I have looked' } },
    })
    const calls = [{ id: 'c', type: 'function', function: { name: 'look', arguments: '{}' } }]
    const asked = await say('agentic', 'tool-arguments', { ...run, toolCalls: calls })
    expect(await ann.event('onAIToolArgumentsReceived', { id: asked })).toMatchObject({
      toolArgumentMessageData: { ...run, toolCalls: [{ id: 'c', function: { name: 'look' } }] },
    })
    const found = await say('agentic', 'tool-result', { ...run, text: 'found', toolCallId: 'c' })
    expect(await ann.event('onAIToolResultReceived', { id: found })).toMatchObject({
      toolResultMessageData: { ...run, text: 'found', toolCallId: 'c' },
    })
    const shown = await history(ann, { setUID: 'bob', setCategories: ['card', 'agentic'] })
    expect(shown.map(({ id, type }) => [id, type])).toEqual([
      [card, 'card'],
      [answer, 'assistant'],
      [asked, 'tool-arguments'],
      [found, 'tool-result'],
    ])
    const rows = await list(ann, 'Conversations', { setLimit: 30, setConversationType: 'user' })
    expect(rows[0]).toMatchObject({ conversationWith: { uid: 'bob' }, lastMessage: { id: found } })
  })

  test('edited, and deleted', async () => {
    const sent = await sendText(ann, toGroup, 'first draft')
    const edited = await editText(ann, sent.id, toGroup, 'second draft', { setMetadata: { v: 2 } })
    const expected = {
      id: sent.id,
      text: 'second draft',
      editedAt: expect.any(Number),
      editedBy: 'ann',
      metadata: { v: 2 },
    }
    expect(edited).toMatchObject(expected)
    for (const tab of [bob, cara]) expect(await tab.event('onMessageEdited', { id: sent.id })).toMatchObject(expected)
    expect(await ann.call('deleteMessage', sent.id)).toMatchObject({
      id: sent.id,
      deletedAt: expect.any(Number),
      deletedBy: 'ann',
    })
    for (const tab of [bob, cara]) {
      expect(await tab.event('onMessageDeleted', { id: sent.id })).toMatchObject({ deletedAt: expect.any(Number) })
    }
    const other = await sendText(ann, toGroup, 'mine')
    expect(await bob.fails('deleteMessage', (sdk, id) => sdk.deleteMessage(id), other.id)).toMatch(/^ERR_/)
    await expect(editText(bob, other.id, toGroup, 'yours')).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_/),
    })
    expect(ann.all('onMessageEdited')).toEqual([])
    // Whoever was away asks for what was changed.
    const actions = await list(
      cara,
      'Messages',
      { setGUID: 'g', setLimit: 30, setMessageId: sent.id, setCategories: ['action'], setTypes: ['message'] },
      'fetchNext',
    )
    expect(actions.map(({ action }) => action)).toEqual(['edited', 'deleted'])
  })

  test('custom ones and files are edited, too', async () => {
    const custom = await sendCustom(ann, toBob, 'location', { lat: 1 })
    const moved = await ann.run(
      'editMessage',
      (sdk, id) => {
        const message = new sdk.CustomMessage('bob', 'user', 'location', { lat: 2 })
        message.setId(id)
        return sdk.editMessage(message)
      },
      custom.id,
    )
    expect(moved).toMatchObject({ id: custom.id, customData: { lat: 2 }, editedBy: 'ann' })
    expect(await bob.event('onMessageEdited', { id: custom.id })).toMatchObject({ customData: { lat: 2 } })
    const file = { name: 'a.txt', type: 'text/plain', text: 'a' }
    const { id } = await sendFiles(ann, toBob, 'file', file, { setCaption: 'draft' })
    await ann.run(
      'editMessage',
      async (sdk, id) => {
        const message = await sdk.getMessageDetails(id)
        message.setCaption('final')
        return sdk.editMessage(message)
      },
      id,
    )
    const expected = { caption: 'final', attachments: [{ name: 'a.txt', size: 1 }] }
    expect(await bob.event('onMessageEdited', { id })).toMatchObject(expected)
    expect(await bob.call('getMessageDetails', id)).toMatchObject(expected)
    await ann.call('deleteMessage', id)
    expect(await bob.event('onMessageDeleted', { id })).toMatchObject({ attachments: [], deletedBy: 'ann' })
  })

  test('in a thread', async () => {
    const root = await sendText(ann, toGroup, 'a topic')
    const reply = await sendText(bob, toGroup, 'an answer', { setParentMessageId: root.id })
    expect(reply).toMatchObject({ parentMessageId: expect.anything() })
    expect(await cara.event('onTextMessageReceived', { id: reply.id })).toMatchObject({ text: 'an answer' })
    expect(await cara.call('getMessageDetails', root.id)).toMatchObject({ id: root.id, replyCount: 1 })
    const thread = await history(cara, { setParentMessageId: root.id })
    expect(thread.map(({ id }) => id)).toEqual([reply.id])
    const shown = await history(cara, { setGUID: 'g', hideReplies: true })
    expect(shown.map(({ id }) => id)).not.toContain(reply.id)
    // Files and custom messages are replies, too.
    const file = { name: 'a.txt', type: 'text/plain', text: 'a' }
    const more = { setParentMessageId: Number(root.id) }
    const replies = [
      await sendFiles(bob, toGroup, 'file', file, more),
      await sendCustom(cara, toGroup, 'location', { lat: 1 }, more),
    ]
    for (const one of replies) {
      const name = one.category === 'custom' ? 'onCustomMessageReceived' : 'onMediaMessageReceived'
      expect(await ann.event(name, { id: one.id })).toMatchObject({ parentMessageId: expect.anything() })
    }
    expect(await ann.call('getMessageDetails', root.id)).toMatchObject({ replyCount: 3 })
    await bob.call('deleteMessage', reply.id)
    await ann.event('onMessageDeleted', { id: reply.id })
    expect(await ann.call('getMessageDetails', root.id)).toMatchObject({ replyCount: 2 })
  })

  test('delivered and read, by one and by all', async () => {
    const sent = await sendText(ann, toBob, 'got it?')
    const heard = await bob.event('onTextMessageReceived', { id: sent.id })
    const from: To = { user: 'ann' }
    await mark(bob, 'markAsDelivered', heard, from)
    expect(await ann.event('onMessagesDelivered', { messageId: sent.id })).toMatchObject({
      ...{ sender: { uid: 'bob' }, receiverType: 'user', deliveredAt: expect.any(Number) },
    })
    await mark(bob, 'markAsRead', heard, from)
    expect(await ann.event('onMessagesRead', { messageId: sent.id })).toMatchObject({
      ...{ sender: { uid: 'bob' }, readAt: expect.any(Number) },
    })
    expect(await ann.call('getMessageDetails', sent.id)).toMatchObject({ readAt: expect.any(Number) })

    const toAll = await sendText(ann, toGroup, 'all of you?')
    for (const tab of [bob, cara]) {
      const heard = await tab.event('onTextMessageReceived', { id: toAll.id })
      await mark(tab, 'markAsDelivered', heard, toGroup)
      await mark(tab, 'markAsRead', heard, toGroup)
      await ann.event('onMessagesRead', { messageId: toAll.id, sender: { uid: tab.name } })
    }
    await ann.event('onMessagesDeliveredToAll', { messageId: toAll.id })
    await ann.event('onMessagesReadByAll', { messageId: toAll.id })
    const receipts = await ann.call('getMessageReceipts', toAll.id)
    expect(uidsOf(receipts.map(({ sender }: { sender: { uid: string } }) => sender)).sort()).toEqual(['bob', 'cara'])
  })

  test('typing, and what is not kept', async () => {
    await typing(ann, 'startTyping', toBob, { draft: 1 })
    expect(await bob.event('onTypingStarted')).toMatchObject({
      sender: { uid: 'ann' },
      receiverType: 'user',
      metadata: { draft: 1 },
    })
    await typing(ann, 'endTyping', toBob)
    expect(await bob.event('onTypingEnded')).toMatchObject({ sender: { uid: 'ann' } })
    await typing(bob, 'startTyping', toGroup)
    for (const tab of [ann, cara]) {
      expect(await tab.event('onTypingStarted')).toMatchObject({
        sender: { uid: 'bob' },
        receiverId: 'g',
        receiverType: 'group',
      })
    }
    await ann.run('sendTransientMessage', (sdk) => {
      sdk.sendTransientMessage(new sdk.TransientMessage('g', 'group', { live: 'heart' }))
    })
    for (const tab of [bob, cara]) {
      expect(await tab.event('onTransientMessageReceived')).toMatchObject({
        sender: { uid: 'ann' },
        data: { live: 'heart' },
      })
    }
    expect(cara.all('onTypingStarted', { receiverType: 'user' })).toEqual([])
  })
})
