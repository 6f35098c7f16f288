/** The last SDK of the generation before: what it has of all this. */
import { beforeAll, expect, test } from 'vitest'
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
    for (const [category, data] of [
      ['interactive', { interactiveData: { title: 'Form' } }],
      ['card', { card: { title: 'Card' } }],
      ['agentic', { text: 'thinking' }],
    ] as const) {
      await world().admin(
        'POST',
        '/messages',
        { ...{ receiver: 'ann', receiverType: 'user', category, type: 'x', data } },
        'bob',
      )
    }
    const rows = await list(ann, 'Conversations', { setLimit: 30 })
    expect(rows.map(({ conversationId }) => conversationId).sort()).toEqual(['ann_user_bob', 'group_g'])
    expect(rows.every(({ lastMessage }) => lastMessage !== null)).toBe(true)
    const messages = await history(ann, { setUID: 'bob' })
    expect(messages.length).toBeGreaterThan(2)
    expect(messages).not.toContain(null)
    expect(await ann.call('getUnreadMessageCountForGroup', 'g')).toEqual({ g: 1 })
    expect(await ann.call('getConversation', 'bob', 'user')).toMatchObject({ conversationWith: { uid: 'bob' } })
  })

  test('users that are made and changed, lists page by page', async () => {
    const change = (method: string, name: string) =>
      ann.run(
        method,
        (sdk, { method, name, key }) => {
          const user = new sdk.User('eve')
          user.setName(name)
          return sdk[method](user, key)
        },
        { method, name, key: world().server.authKey },
      )
    expect(await change('createUser', 'Eve')).toMatchObject({ uid: 'eve', name: 'Eve' })
    expect(await change('updateUser', 'Eva')).toMatchObject({ uid: 'eve', name: 'Eva' })
    expect(
      await ann.run('updateCurrentUserDetails', (sdk) => {
        const user = new sdk.User('ann')
        user.setName('Anna')
        return sdk.updateCurrentUserDetails(user)
      }),
    ).toMatchObject({ uid: 'ann', name: 'Anna' })
    const answers = await pages(ann, 'Users', { setLimit: 2 }, Array(3).fill('fetchNext'))
    expect(answers.map(uidsOf)).toEqual([['bob', 'cara'], ['eve'], []])
    expect(uidsOf(await list(ann, 'Users', { setLimit: 30, setStatus: 'online' }))).toEqual(['bob'])
    expect(uidsOf(await list(ann, 'Users', { setLimit: 30, setSearchKeyword: 'ev' }))).toEqual(['eve'])
    expect(await ann.call('registerTokenForPushNotification', 'push-to-me')).toEqual(expect.any(String))
  })

  test('messages page by page, in both directions', async () => {
    const texts = ['one', 'two', 'three', 'four', 'five']
    const sent = []
    for (const text of texts) sent.push(await sendText(ann, { user: 'cara' }, text))
    const back = await pages(ann, 'Messages', { setUID: 'cara', setLimit: 2 }, Array(4).fill('fetchPrevious'))
    expect(back.map(textsOf)).toEqual([['four', 'five'], ['two', 'three'], ['one'], []])
    const setters = { setUID: 'cara', setLimit: 2, setMessageId: sent[0]?.id }
    const on = await pages(ann, 'Messages', setters, Array(3).fill('fetchNext'))
    expect(on.map(textsOf)).toEqual([['two', 'three'], ['four', 'five'], []])
    const found = { setUID: 'cara', setSearchKeyword: 'thr', setCategories: ['message'], setTypes: ['text'] }
    expect(textsOf(await history(ann, found))).toEqual(['three'])
    await ann.call('deleteMessage', sent[1]?.id)
    expect((await history(ann, { setUID: 'cara' })).map(({ deletedAt }) => deletedAt !== undefined)).toContain(true)
    expect(textsOf(await history(ann, { setUID: 'cara', hideDeletedMessages: true }))).toHaveLength(4)
  })

  test('threads, receipts, what is not kept', async () => {
    const root = await sendText(ann, { group: 'g' }, 'a topic')
    const heard = await bob.event('onTextMessageReceived', { id: root.id })
    const reply = await sendText(bob, { group: 'g' }, 'an answer', { setParentMessageId: root.id })
    await ann.event('onTextMessageReceived', { id: reply.id })
    expect(textsOf(await history(ann, { setParentMessageId: root.id }))).toEqual(['an answer'])
    expect(await ann.call('getMessageDetails', root.id)).toMatchObject({ replyCount: 1 })
    await mark(bob, 'markAsRead', heard, { group: 'g' })
    await ann.event('onMessagesRead', { messageId: root.id })
    const receipts = await ann.call('getMessageReceipts', root.id)
    expect(receipts).toMatchObject([{ sender: { uid: 'bob' }, readAt: expect.any(Number) }])
    await ann.run('sendTransientMessage', (sdk) => {
      sdk.sendTransientMessage(new sdk.TransientMessage('g', 'group', { live: 'heart' }))
    })
    expect(await bob.event('onTransientMessageReceived')).toMatchObject({ data: { live: 'heart' } })
  })

  test('groups that are changed, left, handed over and given up', async () => {
    const { group, members } = await ann.run('createGroupWithMembers', (sdk) =>
      sdk.createGroupWithMembers(
        new sdk.Group('crew', 'Crew', 'public'),
        [new sdk.GroupMember('bob', 'participant')],
        ['eve'],
      ),
    )
    expect([group.guid, members]).toMatchObject(['crew', { bob: 'success', eve: 'success' }])
    expect(
      await ann.run('updateGroup', (sdk) => sdk.updateGroup(new sdk.Group('crew', 'The crew', 'public'))),
    ).toMatchObject({ name: 'The crew' })
    expect(await bob.call('getGroup', 'crew')).toMatchObject({ name: 'The crew', hasJoined: true })
    expect(await ann.call('kickGroupMember', 'crew', 'bob')).toBe(true)
    await bob.event('onGroupMemberKicked', { actionOn: { uid: 'bob' } })
    await bob.call('joinGroup', 'crew', 'public', '')
    expect(await ann.call('unbanGroupMember', 'crew', 'eve')).toBe(true)
    await bob.event('onGroupMemberUnbanned', { actionOn: { uid: 'eve' } })
    expect(await ann.call('transferGroupOwnership', 'crew', 'bob')).toEqual(expect.any(String))
    expect(await ann.call('leaveGroup', 'crew')).toBe(true)
    await bob.event('onGroupMemberLeft', { actionOn: { uid: 'ann' } })
    const actions = (await history(bob, { setGUID: 'crew', setCategories: ['action'] })).map(({ action }) => action)
    expect(actions).toEqual(['kicked', 'joined', 'unbanned', 'left'])
    expect(await bob.call('deleteGroup', 'crew')).toBe(true)
    expect(await bob.fails('getGroup', (sdk) => sdk.getGroup('crew'))).toBe('ERR_GUID_NOT_FOUND')
  })

  test('what is unread; conversations that are tagged and deleted', async () => {
    await ann.call('blockUsers', ['cara'])
    const before = await ann.call('getUnreadMessageCountForUser', 'bob')
    const last = await sendText(bob, { user: 'ann' }, 'unread')
    const users = { bob: (before.bob ?? 0) + 1 }
    expect(await ann.call('getUnreadMessageCount')).toMatchObject({ users })
    expect(await ann.call('getUnreadMessageCountForAllUsers', true)).toEqual(users)
    expect(await ann.call('getUnreadMessageCountForUser', 'bob')).toEqual(users)
    expect(await ann.call('getUnreadMessageCountForAllGroups')).toEqual(expect.any(Object))
    await mark(ann, 'markAsRead', last, { user: 'bob' })
    await bob.event('onMessagesRead', { messageId: last.id })
    expect(await ann.call('getUnreadMessageCountForAllUsers')).toEqual({})
    await ann.call('unblockUsers', ['cara'])
    expect(await ann.call('tagConversation', 'bob', 'user', ['work'])).toMatchObject({ tags: ['work'] })
    const tagged = await list(ann, 'Conversations', { setLimit: 30, setTags: ['work'], withTags: true })
    expect(tagged.map(({ conversationId }) => conversationId)).toEqual(['ann_user_bob'])
    expect(await ann.call('deleteConversation', 'bob', 'user')).toEqual(expect.any(String))
    expect(await history(ann, { setUID: 'bob' })).toEqual([])
  })

  test('calls', async () => {
    const ring = (): Promise<Json> =>
      ann.run('initiateCall', (sdk) => sdk.initiateCall(new sdk.Call('bob', 'audio', 'user')))
    const first = await ring()
    await bob.event('onIncomingCallReceived', { sessionId: first.sessionId })
    await bob.call('acceptCall', first.sessionId)
    await ann.event('onOutgoingCallAccepted', { sessionId: first.sessionId })
    await ann.call('endCall', first.sessionId)
    const second = await ring()
    await bob.event('onIncomingCallReceived', { sessionId: second.sessionId })
    await bob.call('rejectCall', second.sessionId, 'rejected')
    await ann.event('onOutgoingCallRejected', { sessionId: second.sessionId })
    const third = await ring()
    await bob.event('onIncomingCallReceived', { sessionId: third.sessionId })
    await ann.call('rejectCall', third.sessionId, 'cancelled')
    await bob.event('onIncomingCallCancelled', { sessionId: third.sessionId })
    for (const [method, event, from, to] of [
      ['rejectIncomingCall', 'onOutgoingCallRejected', bob, ann],
      ['sendBusyResponse', 'onOutgoingCallRejected', bob, ann],
      ['cancelCall', 'onIncomingCallCancelled', ann, bob],
      ['sendUnansweredResponse', 'onIncomingCallCancelled', ann, bob],
    ] as const) {
      const { sessionId } = await ring()
      await bob.event('onIncomingCallReceived', { sessionId })
      await from.call(method, sessionId)
      await to.event(event, { sessionId })
    }
    expect(await bob.call('getActiveCall')).not.toMatchObject({ sessionId: first.sessionId })
  })

  test('the names that methods had before', async () => {
    for (const [method, receiver, receiverType] of [
      ['sendDirectMessage', 'bob', 'user'],
      ['sendGroupMessage', 'g', 'group'],
    ]) {
      const { id } = await ann.run(
        String(method),
        (sdk, [method, receiver, receiverType]: string[]) =>
          sdk[method ?? ''](new sdk.TextMessage(receiver, 'as ever', receiverType)),
        [method, receiver, receiverType] as string[],
      )
      await bob.event('onTextMessageReceived', { id })
    }
    expect(await ann.call('getLoggedInUser')).toMatchObject({ uid: 'ann' })
  })

  test('what is not there is refused with a code', async () => {
    expect(await ann.call('isExtensionEnabled', 'polls')).toBe(false)
    expect(await ann.call('isFeatureEnabled', 'core.conversations.updateOnGroupActions')).toBe(true)
    expect(await ann.fails('callExtension', (sdk) => sdk.callExtension('polls', 'POST', 'create', {}))).toMatch(/^ERR_/)
    expect(await ann.fails('getExtensionDetails', (sdk) => sdk.getExtensionDetails('polls'))).toMatch(/^ERR/)
    expect(await ann.fails('getGroup', (sdk) => sdk.getGroup('nowhere'))).toBe('ERR_GUID_NOT_FOUND')
    expect(await ann.call('getLoggedinUser')).toMatchObject({ uid: 'ann' })
    expect(await ann.call('getAppSettings')).toMatchObject({ MODE: 'DEFAULT' })
    expect(await ann.call('getConnectionStatus')).toBe('connected')
  })

  test('sockets are closed and opened by the application, and what the page remembers is forgotten', async () => {
    const cara = await world().enter('cara')
    bob.forget('onUserOffline')
    await cara.call('disconnect')
    await bob.event('onUserOffline', { uid: 'cara' })
    await cara.call('connect')
    await cara.online(2)
    await cara.call('clearCache')
    expect(await cara.call('getLoggedinUser')).toBeNull()
    await cara.close()
    await bob.event('onUserOffline', { uid: 'cara' })
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

  test('the wire is cut, the server restarted: the session goes on', async () => {
    for (const interrupt of [() => world().wire.cut(), () => world().server.restart()]) {
      const [ofAnn, ofBob] = [ann.authenticated, bob.authenticated]
      await interrupt()
      world().wire.mend()
      await Promise.all([ann.online(ofAnn + 1, 30_000), bob.online(ofBob + 1, 30_000)])
      const { id } = await sendText(bob, { user: 'ann' }, 'are you there?')
      await ann.event('onTextMessageReceived', { id })
    }
  })

  test('online counts, where the server is at the usual port', async () => {
    expect(await ann.call('getOnlineUserCount')).toBe(2)
    expect(await ann.call('getOnlineGroupMemberCount', ['g'])).toEqual({ g: 2 })
  })

  test('a token that is revoked ends the session', async () => {
    const { data } = await world().admin('POST', '/users/cara/auth_tokens', {})
    const cara = await world().enter('cara', { token: data.authToken })
    await world().admin('DELETE', `/users/cara/auth_tokens/${data.authToken}`)
    expect(await cara.fails('getUser', (sdk) => sdk.getUser('bob'))).toBe('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    expect(await cara.call('getLoggedinUser')).toBeNull()
    await cara.close()
  })
}

describeInterop('all that it has', suite, { sdk: '3.0.13', host: 'chat.confab.test' })
