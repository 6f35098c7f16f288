/** Users: looking for them, making and changing them, blocking them, and seeing them come and go. */
import { beforeAll, describe, expect, test } from 'vitest'
import { list, pages, sendText, typing, uidsOf } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop, type World } from './support/world.ts'

// Online counts are asked for without a port, whatever the settings say.
const HOST = 'chat.confab.test'

const suite = (world: () => World): void => {
  let ann: Tab
  let bob: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara', 'dan')
    await world().admin('POST', '/roles', { role: 'helper', name: 'Helper' })
    await world().admin('PUT', '/users/cara', { role: 'helper', tags: ['vip'] })
    await world().admin('POST', '/users/ann/friends', { accepted: ['dan'] })
    ann = await world().enter('ann')
    bob = await world().enter('bob')
  })

  describe('UsersRequest', () => {
    test.each([
      [{ setSearchKeyword: 'ar' }, ['cara']],
      [{ setSearchKeyword: 'bob', searchIn: ['uid'] }, ['bob']],
      [{ setStatus: 'online' }, ['bob']],
      [{ setStatus: 'offline' }, ['cara', 'dan']],
      [{ setRoles: ['helper'] }, ['cara']],
      [{ setRole: 'helper' }, ['cara']],
      [{ setTags: ['vip'], withTags: true }, ['cara']],
      [{ friendsOnly: true }, ['dan']],
      [{ setUIDs: ['dan', 'bob'] }, ['bob', 'dan']],
      [{ sortBy: 'name', sortByOrder: 'desc' }, ['dan', 'cara', 'bob']],
    ])('%o', async (setters, expected) => {
      expect(uidsOf(await list(ann, 'Users', { setLimit: 30, ...setters }))).toEqual(expected)
    })

    test('pages end with an empty one', async () => {
      const answers = await pages(ann, 'Users', { setLimit: 2 }, Array(3).fill('fetchNext'))
      expect(answers.map(uidsOf)).toEqual([['bob', 'cara'], ['dan'], []])
      const second = await list(ann, 'Users', { setLimit: 2, setPage: 1 })
      expect(second.length).toBeGreaterThan(0)
    })
  })

  test('getUser', async () => {
    expect(await ann.call('getUser', 'cara')).toMatchObject({
      ...{ uid: 'cara', name: 'Cara', role: 'helper', status: 'offline', blockedByMe: false, hasBlockedMe: false },
    })
    expect(await ann.call('getUser', 'bob')).toMatchObject({ status: 'online' })
    expect(await ann.fails('getUser', (sdk) => sdk.getUser('nobody'))).toBe('ERR_UID_NOT_FOUND')
  })

  test('createUser and updateUser, with the auth key', async () => {
    const change = (method: string, name: string, key = world().server.authKey) =>
      ann.run(
        method,
        (sdk, { method, name, key }) => {
          const user = new sdk.User('eve')
          user.setName(name)
          user.setMetadata({ from: 'sdk' })
          return sdk[method](user, key)
        },
        { method, name, key },
      )
    expect(await change('createUser', 'Eve')).toMatchObject({ uid: 'eve', name: 'Eve' })
    expect(await change('updateUser', 'Eva')).toMatchObject({ uid: 'eve', name: 'Eva', metadata: { from: 'sdk' } })
    await expect(change('createUser', 'Eve')).rejects.toMatchObject({ code: 'ERR_UID_ALREADY_EXISTS' })
    await expect(change('updateUser', 'X', 'no-such-key-at-all')).rejects.toMatchObject({
      code: 'AUTH_ERR_APIKEY_NOT_FOUND',
    })
    expect(await ann.call('getUser', 'eve')).toMatchObject({ name: 'Eva' })
    // A key that nobody knows has ended nobody's session.
    expect(await ann.call('getLoggedinUser')).toMatchObject({ uid: 'ann' })
  })

  test('updateCurrentUserDetails', async () => {
    const changed = await bob.run('updateCurrentUserDetails', (sdk) => {
      const user = new sdk.User('bob')
      user.setName('Bobby')
      user.setStatusMessage('here')
      user.setAvatar('https://x.example/bob.png')
      return sdk.updateCurrentUserDetails(user)
    })
    expect(changed).toMatchObject({ uid: 'bob', name: 'Bobby' })
    expect(await ann.call('getUser', 'bob')).toMatchObject({
      ...{ name: 'Bobby', statusMessage: 'here', avatar: 'https://x.example/bob.png' },
    })
    expect(await bob.call('getLoggedinUser')).toMatchObject({ name: 'Bobby' })
  })

  test('blockUsers, unblockUsers, BlockedUsersRequest', async () => {
    expect(await ann.call('blockUsers', ['bob', 'nobody'])).toMatchObject({ bob: expect.anything() })
    expect(uidsOf(await list(ann, 'BlockedUsers', { setLimit: 30, setDirection: 'blockedByMe' }))).toEqual(['bob'])
    expect(uidsOf(await list(bob, 'BlockedUsers', { setLimit: 30, setDirection: 'hasBlockedMe' }))).toEqual(['ann'])
    expect(uidsOf(await list(ann, 'BlockedUsers', { setLimit: 30, setDirection: 'both' }))).toEqual(['bob'])
    expect(uidsOf(await list(ann, 'BlockedUsers', { setLimit: 30, blockedByMe: null }))).toEqual(['bob'])
    expect(uidsOf(await list(ann, 'BlockedUsers', { setLimit: 30, hasBlockedMe: null }))).toEqual([])
    expect(await list(ann, 'BlockedUsers', { setLimit: 30, setSearchKeyword: 'car' })).toEqual([])
    expect(await ann.call('getUser', 'bob')).toMatchObject({ blockedByMe: true, hasBlockedMe: false })
    expect(await bob.call('getUser', 'ann')).toMatchObject({ blockedByMe: false, hasBlockedMe: true })
    expect(uidsOf(await list(ann, 'Users', { setLimit: 30, hideBlockedUsers: true }))).not.toContain('bob')
    await expect(sendText(bob, { user: 'ann' }, 'hello?')).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_/),
    })
    expect(await ann.call('unblockUsers', ['bob'])).toMatchObject({ bob: expect.anything() })
    expect(await list(ann, 'BlockedUsers', { setLimit: 30 })).toEqual([])
    await sendText(bob, { user: 'ann' }, 'hello again')
    await ann.event('onTextMessageReceived', { text: 'hello again' })
    expect(ann.all('onTextMessageReceived', { text: 'hello?' })).toEqual([])
  })

  test('getOnlineUserCount, getOnlineGroupMemberCount', async () => {
    await world().admin('POST', '/groups', {
      ...{ guid: 'count', name: 'Count', type: 'public', members: { participants: ['ann', 'bob', 'cara'] } },
    })
    expect(await ann.call('getOnlineUserCount')).toBe(2)
    expect(await ann.call('getOnlineGroupMemberCount', ['count'])).toEqual({ count: 2 })
  })

  test('users are seen to come and to go', async () => {
    const cara = await world().enter('cara', { presence: 'none' })
    expect(await ann.event('onUserOnline', { uid: 'cara' })).toMatchObject({ name: 'Cara', status: 'online' })
    await cara.call('logout')
    const gone = await ann.event('onUserOffline', { uid: 'cara' })
    expect(gone).toMatchObject({ status: 'offline', lastActiveAt: expect.any(Number) })
    expect(cara.all('onUserOnline')).toEqual([])
    await cara.close()
  })

  test('whoever is blocked is not seen to come and go, and does not see it either', async () => {
    await ann.call('blockUsers', ['dan'])
    const seen = ann.all('onUserOnline', { uid: 'dan' }).length
    const dan = await world().enter('dan')
    await bob.event('onUserOnline', { uid: 'dan' })
    await typing(dan, 'startTyping', { user: 'ann' })
    await dan.call('blockUsers', ['cara'])
    const cara = await world().enter('cara')
    await bob.event('onUserOnline', { uid: 'cara' })
    await dan.call('logout')
    await bob.event('onUserOffline', { uid: 'dan' })
    expect(ann.all('onUserOnline', { uid: 'dan' })).toHaveLength(seen)
    for (const [tab, uid] of [
      [ann, 'dan'],
      [cara, 'dan'],
      [dan, 'cara'],
    ] as const) {
      expect(tab.all('onUserOffline', { uid })).toEqual([])
    }
    expect(dan.all('onUserOnline', { uid: 'cara' })).toEqual([])
    expect(ann.all('onTypingStarted')).toEqual([])
    await ann.call('unblockUsers', ['dan'])
    await world().admin('DELETE', '/users/dan/blockedusers', { blockedUids: ['cara'] })
    bob.forget('onUserOffline')
    for (const tab of [dan, cara]) await tab.close()
    await bob.event('onUserOffline', { uid: 'cara' })
  })

  test('presence of friends, and of roles', async () => {
    const dan = await world().enter('dan', { presence: 'friends' })
    const helped = await world().enter('eve', { presence: 'helper' })
    const cara = await world().enter('cara')
    await helped.event('onUserOnline', { uid: 'cara' })
    await ann.event('onUserOnline', { uid: 'cara' })
    const again = await world().visit('ann again')
    await ann.page.close()
    await dan.event('onUserOffline', { uid: 'ann' })
    expect(dan.all('onUserOnline', { uid: 'cara' })).toEqual([])
    expect(helped.all('onUserOffline', { uid: 'ann' })).toEqual([])
    for (const tab of [dan, helped, cara, again]) await tab.close()
  })
}

describeInterop('users', suite, { host: HOST })
