/** Logging in and out, and what becomes of a session when pages, wires and servers do what they do. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import { history, list, sendText, textsOf } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('sessions', (world) => {
  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
  })

  const tokenOf = async (uid: string): Promise<string> =>
    (await world().admin('POST', `/users/${uid}/auth_tokens`, {})).data.authToken

  describe('login', () => {
    test('with uid and key', async () => {
      const tab = await world().visit('ann')
      expect(await tab.call('getLoggedinUser')).toBeNull()
      expect(await tab.call('login', 'ann', world().server.authKey)).toMatchObject({ uid: 'ann', name: 'Ann' })
      expect(await tab.event('loginSuccess')).toMatchObject({ uid: 'ann' })
      await tab.event('onConnected')
      await tab.online(1)
      expect(await tab.call('getConnectionStatus')).toBe('connected')
      // The same user again: no request, no second socket.
      expect(await tab.call('login', 'ann', world().server.authKey)).toMatchObject({ uid: 'ann' })
      expect(await tab.call('getLoggedinUser')).toMatchObject({ uid: 'ann' })
      expect(tab.authenticated).toBe(1)
      await tab.close()
    })

    test('with an auth token', async () => {
      const tab = await world().enter('ann', { token: await tokenOf('ann') })
      expect(await tab.call('getLoggedinUser')).toMatchObject({ uid: 'ann' })
      await tab.close()
    })

    test('with an object that holds either', async () => {
      for (const given of [{ authToken: await tokenOf('ann') }, { username: 'ann', apiKey: world().server.authKey }]) {
        const tab = await world().visit('ann')
        expect(await tab.call('login', given)).toMatchObject({ uid: 'ann' })
        await tab.online(1)
        expect(await tab.call('getLoggedInUser')).toMatchObject({ uid: 'ann' })
        await tab.close()
      }
    })

    test('without a socket, until one is asked for', async () => {
      const tab = await world().enter('ann', { socket: 'no' })
      expect(await tab.call('getUser', 'bob')).toMatchObject({ uid: 'bob' })
      expect(tab.authenticated).toBe(0)
      await tab.call('connect')
      await tab.online(1)
      const bob = await world().enter('bob')
      await sendText(bob, { user: 'ann' }, 'now I hear you')
      await tab.event('onTextMessageReceived', { text: 'now I hear you' })
      await tab.call('disconnect')
      await bob.event('onUserOffline', { uid: 'ann' })
      await Promise.all([tab.close(), bob.close()])
    })

    test('fails with a code', async () => {
      const tab = await world().visit('nobody')
      const { authKey } = world().server
      const login = (...args: string[]) => tab.fails('login', (sdk, given: string[]) => sdk.login(...given), args)
      expect(await login('nobody', authKey)).toBe('ERR_UID_NOT_FOUND')
      expect(await login('ann', 'no-such-key-at-all')).toBe('AUTH_ERR_APIKEY_NOT_FOUND')
      expect(await login('ann_no_such_token')).toBe('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
      expect(await tab.call('getLoggedinUser')).toBeNull()
      expect(tab.all('loginFailure')).toHaveLength(3)
      await tab.close()
    })

    test('as another user takes the place of the first', async () => {
      const tab = await world().enter('ann')
      const bob = await world().enter('bob')
      expect(await tab.call('login', 'cara', world().server.authKey)).toMatchObject({ uid: 'cara' })
      await tab.online(2)
      expect(await tab.call('getLoggedinUser')).toMatchObject({ uid: 'cara' })
      await sendText(bob, { user: 'cara' }, 'to cara')
      await tab.event('onTextMessageReceived', { text: 'to cara' })
      await sendText(bob, { user: 'ann' }, 'to ann')
      await sendText(bob, { user: 'cara' }, 'to cara again')
      await tab.event('onTextMessageReceived', { text: 'to cara again' })
      expect(tab.all('onTextMessageReceived', { text: 'to ann' })).toEqual([])
      await Promise.all([tab.close(), bob.close()])
    })
  })

  test('what the settings say', async () => {
    const tab = await world().enter('ann')
    expect(await tab.call('isExtensionEnabled', 'polls')).toBe(false)
    expect(await tab.call('isAIFeatureEnabled', 'smart-replies')).toBe(false)
    expect(await tab.call('isFeatureEnabled', 'core.conversations.updateOnGroupActions')).toBe(true)
    expect(await tab.call('getConversationUpdateSettings')).toMatchObject({ shouldUpdateOnMessageReplies: false })
    const reasons = await tab.call('getFlagReasons')
    expect(reasons.map(({ id }: { id: string }) => id)).toContain('spam')
    expect(await tab.call('getAppSettings')).toMatchObject({ MODE: 'DEFAULT' })
    for (const method of ['isPinConversationEnabled', 'isPinMessageEnabled', 'isSaveMessageEnabled'])
      expect(await tab.call(method), method).toBe(true)
    for (const method of [
      ...['getPinnedMessagesLimit', 'getSystemPinnedMessagesLimit', 'getSavedMessagesLimit'],
      ...['getPinnedConversationsLimit', 'getSystemPinnedConversationsLimit'],
    ]) {
      expect(await tab.call(method), method).toBeNull()
    }
    expect(await tab.call('getMaxAttachmentCount')).toBeGreaterThan(0)
    expect(await tab.call('registerTokenForPushNotification', 'push-to-me')).toEqual(expect.any(String))
    await tab.close()
  })

  test('what is not there is refused with a code', async () => {
    const tab = await world().enter('ann')
    const notThere = 'ERR_API_NOT_FOUND'
    const code = await tab.fails('callExtension', (sdk) =>
      sdk.callExtension('polls', 'POST', 'create', { question: '?' }),
    )
    expect(code).toBe(notThere)
    const extension = await tab.fails('getExtensionDetails', (sdk) => sdk.getExtensionDetails('polls'))
    expect(extension).toBe('ERROR_EXTENSION_NOT_FOUND')
    const refused = async (calls: readonly (readonly string[])[], ofNotifications = false) => {
      for (const call of calls) {
        const code = await tab.fails(
          call.join(' '),
          (sdk, { call: [name, ...args], ofNotifications }: Json) =>
            (ofNotifications ? (globalThis as Json).CometChatNotifications : sdk)[name](...args),
          { call, ofNotifications },
        )
        expect(code, call[0]).toBe(notThere)
      }
    }
    await refused([
      ['getSmartReplies', 'bob', 'user'],
      ['getConversationStarter', 'bob', 'user'],
      ['getConversationSummary', 'bob', 'user'],
      ['askBot', 'bob', 'user', 'cara', 'why?'],
      ['getNotificationFeedUnreadCount'],
      ['getNotificationFeedItem', 'x'],
    ])
    await expect(list(tab, 'NotificationFeed', { setLimit: 5 })).rejects.toMatchObject({ code: notThere })
    await refused(
      [
        ...['fetchPreferences', 'fetchPushPreferences', 'resetPreferences', 'resetPushPreferences'].map((name) => [
          name,
        ]),
        ...['getMutedConversations', 'unregisterPushToken', 'getTimezone'].map((name) => [name]),
        ['registerPushToken', 'token', 'fcm-web'],
        ['updateTimezone', 'Europe/Berlin'],
      ],
      true,
    )
    expect(await tab.call('getLoggedinUser')).toMatchObject({ uid: 'ann' })
    await tab.close()
  })

  describe('logout', () => {
    test('ends the session, and the token stays good', async () => {
      const token = await tokenOf('ann')
      const tab = await world().enter('ann', { token })
      const bob = await world().enter('bob')
      await tab.call('logout')
      await tab.event('logoutSuccess')
      expect(await tab.call('getLoggedinUser')).toBeNull()
      await bob.event('onUserOffline', { uid: 'ann' })
      expect(await tab.call('login', token)).toMatchObject({ uid: 'ann' })
      await tab.online(2)
      await Promise.all([tab.close(), bob.close()])
    })

    test('is possible where the page has forgotten everything', async () => {
      const tab = await world().enter('ann')
      await tab.call('clearCache')
      expect(await tab.call('getLoggedinUser')).toBeNull()
      await tab.reload()
      expect(await tab.call('login', 'ann', world().server.authKey)).toMatchObject({ uid: 'ann' })
      await tab.call('logout')
      expect(await tab.call('getLoggedinUser')).toBeNull()
      await tab.close()
    })

    test('a token that is revoked ends it too', async () => {
      const token = await tokenOf('cara')
      const tab = await world().enter('cara', { token })
      const bob = await world().enter('bob')
      await tab.reported()
      await world().admin('DELETE', `/users/cara/auth_tokens/${token}`)
      await tab.event('onDisconnected')
      // The SDK knows nothing of it, and comes back with what it has: in vain.
      await tab.event('onConnected', undefined, 30_000)
      await tab.event('onConnected', undefined, 30_000)
      await sendText(bob, { user: 'cara' }, 'not for everybody')
      await sendText(bob, { user: 'ann' }, 'a while later')
      expect([tab.authenticated, tab.all('onTextMessageReceived')]).toEqual([1, []])
      expect(await tab.fails('getUser', (sdk) => sdk.getUser('bob'))).toBe('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
      expect(await tab.call('getLoggedinUser')).toBeNull()
      await Promise.all([tab.close(), bob.close()])
    })
  })

  test('a page that is loaded again is back at once, ten times in a row', async () => {
    const ann = await world().enter('ann')
    const bob = await world().enter('bob')
    for (let round = 1; round <= 10; round++) {
      const before = ann.authenticated
      const started = Date.now()
      await ann.reload()
      await ann.online(before + 1)
      await sendText(bob, { user: 'ann' }, `round ${round}`)
      await ann.event('onTextMessageReceived', { text: `round ${round}` })
      expect(Date.now() - started, `round ${round}`).toBeLessThan(10_000)
      expect(await ann.call('getLoggedinUser')).toMatchObject({ uid: 'ann' })
    }
    await Promise.all([ann.close(), bob.close()])
  })

  test('two devices of one user see the same, each what the other does', async () => {
    const [one, two] = [await world().enter('ann'), await world().enter('ann')]
    const bob = await world().enter('bob')
    const sent = await sendText(one, { user: 'bob' }, 'from one')
    expect(await two.event('onTextMessageReceived', { text: 'from one' })).toMatchObject({ id: sent.id })
    await sendText(bob, { user: 'ann' }, 'to both')
    for (const tab of [one, two]) await tab.event('onTextMessageReceived', { text: 'to both' })
    // The page that sends it draws it by itself.
    expect(one.all('onTextMessageReceived', { text: 'from one' })).toEqual([])
    await one.close()
    await sendText(bob, { user: 'ann' }, 'to the other')
    await two.event('onTextMessageReceived', { text: 'to the other' })
    expect(bob.all('onUserOffline', { uid: 'ann' })).toEqual([])
    await Promise.all([two.close(), bob.close()])
  })

  describe('interruptions', () => {
    const missed = async (tab: Tab, id: string) =>
      textsOf(await list(tab, 'Messages', { setUID: 'bob', setLimit: 30, setMessageId: id }, 'fetchNext'))

    test('the wire is cut, and mended', async () => {
      const ann = await world().enter('ann')
      const last = await sendText(ann, { user: 'bob' }, 'before')
      await ann.reported()
      world().wire.cut()
      await ann.event('onDisconnected')
      expect(await ann.fails('getUser', (sdk) => sdk.getUser('bob'))).toBe('FAILED_TO_FETCH')
      world().wire.mend()
      await world().admin(
        'POST',
        '/messages',
        { receiver: 'ann', receiverType: 'user', data: { text: 'meanwhile' } },
        'bob',
      )
      await ann.online(2, 30_000)
      expect(await missed(ann, last.id)).toEqual(['meanwhile'])
      await world().admin(
        'POST',
        '/messages',
        { receiver: 'ann', receiverType: 'user', data: { text: 'again' } },
        'bob',
      )
      await ann.event('onTextMessageReceived', { text: 'again' })
      expect(await ann.call('getConnectionStatus')).toBe('connected')
      await ann.close()
    })

    test('the server is restarted', async () => {
      const ann = await world().enter('ann')
      const bob = await world().enter('bob')
      const last = await sendText(ann, { user: 'bob' }, 'before the restart')
      await Promise.all([ann.reported(), bob.reported()])
      await world().server.restart()
      await world().admin(
        'POST',
        '/messages',
        { receiver: 'ann', receiverType: 'user', data: { text: 'early' } },
        'bob',
      )
      // With what they were given before it.
      for (const tab of [ann, bob]) await tab.online(2, 30_000)
      expect(await missed(ann, last.id)).toEqual(['early'])
      await sendText(bob, { user: 'ann' }, 'late')
      await ann.event('onTextMessageReceived', { text: 'late' })
      expect(textsOf(await history(ann, { setUID: 'bob' })).slice(-3)).toEqual(['before the restart', 'early', 'late'])
      await Promise.all([ann.close(), bob.close()])
    })
  })
})
