/** The last SDK of the generation before: what it has of all this. */
import { beforeAll, expect, test } from 'vitest'
import {
  createGroup,
  editText,
  history,
  list,
  mark,
  sendCustom,
  sendFiles,
  sendText,
  textsOf,
  typing,
  uidsOf,
} from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop, type World } from './support/world.ts'

const suite = (world: () => World): void => {
  let ann: Tab
  let bob: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
  })

  test('users, and who is online', async () => {
    expect(uidsOf(await list(ann, 'Users', { setLimit: 30 }))).toEqual(['bob', 'cara'])
    expect(await ann.call('getUser', 'bob')).toMatchObject({ uid: 'bob', status: 'online' })
    const cara = await world().enter('cara')
    await ann.event('onUserOnline', { uid: 'cara' })
    await cara.call('logout')
    await ann.event('onUserOffline', { uid: 'cara' })
    expect(await cara.call('getLoggedinUser')).toBeNull()
    await cara.close()
    expect(await ann.call('blockUsers', ['cara'])).toMatchObject({ cara: expect.anything() })
    expect(uidsOf(await list(ann, 'BlockedUsers', { setLimit: 30 }))).toEqual(['cara'])
    await ann.call('unblockUsers', ['cara'])
  })

  test('text, receipts, typing, edits', async () => {
    const sent = await sendText(ann, { user: 'bob' }, 'hi')
    const heard = await bob.event('onTextMessageReceived', { id: sent.id })
    expect(heard).toMatchObject({ text: 'hi', sender: { uid: 'ann' } })
    await mark(bob, 'markAsDelivered', heard, { user: 'ann' })
    await ann.event('onMessagesDelivered', { messageId: sent.id })
    await mark(bob, 'markAsRead', heard, { user: 'ann' })
    await ann.event('onMessagesRead', { messageId: sent.id })
    await typing(ann, 'startTyping', { user: 'bob' })
    expect(await bob.event('onTypingStarted')).toMatchObject({ sender: { uid: 'ann' } })
    await typing(ann, 'endTyping', { user: 'bob' })
    await bob.event('onTypingEnded')
    expect(await editText(ann, sent.id, { user: 'bob' }, 'hi there')).toMatchObject({ text: 'hi there' })
    expect(await bob.event('onMessageEdited')).toMatchObject({ id: sent.id, text: 'hi there' })
    expect(await ann.call('deleteMessage', sent.id)).toMatchObject({ id: sent.id })
    expect(await bob.event('onMessageDeleted')).toMatchObject({ id: sent.id })
  })

  test('files, and custom messages', async () => {
    const file = { name: 'a.txt', type: 'text/plain', text: 'a' }
    const sent = await sendFiles(ann, { user: 'bob' }, 'file', file)
    expect(await bob.event('onMediaMessageReceived', { id: sent.id })).toMatchObject({
      attachments: [{ name: 'a.txt' }],
    })
    const byUrl = await ann.run('sendMediaMessage', (sdk) => {
      const message = new sdk.MediaMessage('bob', '', 'image', 'user')
      message.setAttachment(
        new sdk.Attachment({ name: 'one', extension: 'png', mimeType: 'image/png', url: 'https://x.example/1.png' }),
      )
      return sdk.sendMediaMessage(message)
    })
    expect(await bob.event('onMediaMessageReceived', { id: byUrl.id })).toMatchObject({ type: 'image' })
    const custom = await sendCustom(ann, { user: 'bob' }, 'location', { lat: 1 })
    expect(await bob.event('onCustomMessageReceived', { id: custom.id })).toMatchObject({ customData: { lat: 1 } })
  })

  test('groups and their members', async () => {
    expect(await createGroup(ann, 'g', 'password', 'secret')).toMatchObject({ guid: 'g', hasJoined: true })
    expect(await bob.call('joinGroup', 'g', 'password', 'secret')).toMatchObject({ hasJoined: true })
    await ann.event('onGroupMemberJoined', { actionOn: { uid: 'bob' } })
    await ann.run('addMembersToGroup', (sdk) =>
      sdk.addMembersToGroup('g', [new sdk.GroupMember('cara', 'participant')], []),
    )
    await bob.event('onMemberAddedToGroup', { actionOn: { uid: 'cara' } })
    await ann.call('updateGroupMemberScope', 'g', 'cara', 'moderator')
    await bob.event('onGroupMemberScopeChanged', { actionOn: { uid: 'cara' }, newScope: 'moderator' })
    expect(uidsOf(await list(bob, 'GroupMembers', { setGuid: 'g', setLimit: 30 })).sort()).toEqual([
      'ann',
      'bob',
      'cara',
    ])
    await ann.call('banGroupMember', 'g', 'cara')
    expect(uidsOf(await list(ann, 'BannedMembers', { setGuid: 'g', setLimit: 30 }))).toEqual(['cara'])
    expect((await list(bob, 'Groups', { setLimit: 30, joinedOnly: true })).map(({ guid }) => guid)).toEqual(['g'])
    await sendText(bob, { group: 'g' }, 'to all')
    await ann.event('onTextMessageReceived', { text: 'to all' })
    expect(textsOf(await history(ann, { setGUID: 'g', setCategories: ['message'] }))).toEqual(['to all'])
  })

  test('conversations, and messages of kinds that it does not know', async () => {
    const interactiveData = { title: 'Form' }
    await world().admin(
      'POST',
      '/messages',
      { receiver: 'ann', receiverType: 'user', category: 'interactive', type: 'form', data: { interactiveData } },
      'bob',
    )
    const rows = await list(ann, 'Conversations', { setLimit: 30 })
    expect(rows.map(({ conversationId }) => conversationId).sort()).toEqual(['ann_user_bob', 'group_g'])
    expect(rows.every(({ lastMessage }) => lastMessage !== null)).toBe(true)
    const messages = await history(ann, { setUID: 'bob' })
    expect(messages.length).toBeGreaterThan(2)
    expect(messages).not.toContain(null)
    expect(await ann.call('getUnreadMessageCountForGroup', 'g')).toEqual({ g: 1 })
    expect(await ann.call('getConversation', 'bob', 'user')).toMatchObject({ conversationWith: { uid: 'bob' } })
  })

  test('a page that is loaded again is back at once', async () => {
    for (let round = 1; round <= 3; round++) {
      const before = ann.authenticated
      await ann.reload()
      await ann.online(before + 1)
      await sendText(bob, { user: 'ann' }, `round ${round}`)
      await ann.event('onTextMessageReceived', { text: `round ${round}` })
    }
  })
}

describeInterop('all that it has', suite, { sdk: '3.0.13' })
