/** Groups and their members: every method, and what the others see of it. */
import { beforeAll, expect, test } from 'vitest'
import { createGroup, history, list, pages, sendText, textsOf, uidsOf } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('groups', (world) => {
  let ann: Tab
  let bob: Tab
  let cara: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara', 'dan', 'eve')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
    cara = await world().enter('cara')
  })

  const inGroup = (guid: string) => ({ receiverId: guid })
  const members = async (tab: Tab, guid: string, setters: object = {}) =>
    (await list(tab, 'GroupMembers', { setGuid: guid, setLimit: 30, ...setters })).map(({ uid, scope }) => [uid, scope])

  test('createGroup, getGroup, updateGroup, deleteGroup', async () => {
    expect(await createGroup(ann, 'one')).toMatchObject({
      ...{ guid: 'one', name: 'ONE', type: 'public', owner: 'ann', hasJoined: true, scope: 'admin', membersCount: 1 },
    })
    expect(await bob.call('getGroup', 'one')).toMatchObject({ guid: 'one', hasJoined: false, membersCount: 1 })
    const changed = await ann.run('updateGroup', (sdk) => {
      const group = new sdk.Group('one', 'First', 'public')
      group.setDescription('the first')
      group.setIcon('https://x.example/icon.png')
      group.setMetadata({ a: 1 })
      return sdk.updateGroup(group)
    })
    expect(changed).toMatchObject({ name: 'First', description: 'the first', metadata: { a: 1 } })
    expect(await bob.fails('updateGroup', (sdk) => sdk.updateGroup(new sdk.Group('one', 'X', 'public')))).toMatch(
      /^ERR_/,
    )
    expect(await ann.fails('createGroup', (sdk) => sdk.createGroup(new sdk.Group('one', 'X', 'public')))).toBe(
      'ERR_GUID_ALREADY_EXISTS',
    )
    expect(await ann.call('deleteGroup', 'one')).toBe(true)
    expect(await ann.fails('getGroup', (sdk) => sdk.getGroup('one'))).toBe('ERR_GUID_NOT_FOUND')
  })

  test('createGroupWithMembers', async () => {
    const { group, members: results } = await ann.run('createGroupWithMembers', (sdk) =>
      sdk.createGroupWithMembers(
        new sdk.Group('crew', 'Crew', 'private'),
        [new sdk.GroupMember('bob', 'moderator'), new sdk.GroupMember('nobody', 'participant')],
        ['dan'],
      ),
    )
    expect(group).toMatchObject({ guid: 'crew', owner: 'ann' })
    expect(results).toMatchObject({ bob: 'success', nobody: expect.any(String), dan: 'success' })
    expect(await members(bob, 'crew')).toEqual([
      ['ann', 'admin'],
      ['bob', 'moderator'],
    ])
    expect(uidsOf(await list(ann, 'BannedMembers', { setGuid: 'crew', setLimit: 30 }))).toEqual(['dan'])
    expect(await cara.fails('getGroup', (sdk) => sdk.getGroup('crew'))).toMatch(/^ERR_/)
    // Who is a member from the start hears what is said.
    await sendText(ann, { group: 'crew' }, 'welcome')
    await bob.event('onTextMessageReceived', { text: 'welcome' })
  })

  test('joinGroup, with a password; leaveGroup', async () => {
    await createGroup(ann, 'locked', 'password', 'open sesame')
    expect(await bob.fails('joinGroup', (sdk) => sdk.joinGroup('locked', 'password', 'wrong'))).toBe(
      'ERR_WRONG_GROUP_PASS',
    )
    expect(await bob.call('joinGroup', 'locked', 'password', 'open sesame')).toMatchObject({
      ...{ guid: 'locked', hasJoined: true, membersCount: 2 },
    })
    const joined = await ann.event('onGroupMemberJoined', inGroup('locked'))
    expect(joined).toMatchObject({
      action: 'joined',
      actionOn: { uid: 'bob' },
      actionFor: { guid: 'locked', membersCount: 2 },
    })
    expect(await bob.fails('joinGroup', (sdk) => sdk.joinGroup('locked', 'password', 'open sesame'))).toBe(
      'ERR_ALREADY_JOINED',
    )
    await sendText(bob, { group: 'locked' }, 'in')
    await ann.event('onTextMessageReceived', { text: 'in' })
    expect(await bob.call('leaveGroup', 'locked')).toBe(true)
    expect(await ann.event('onGroupMemberLeft', inGroup('locked'))).toMatchObject({ actionOn: { uid: 'bob' } })
    await sendText(ann, { group: 'locked' }, 'alone')
    await expect(sendText(bob, { group: 'locked' }, 'out')).rejects.toMatchObject({ code: 'ERR_GROUP_NOT_JOINED' })
    expect(bob.all('onTextMessageReceived', { text: 'alone' })).toEqual([])
    expect(bob.all('onGroupMemberJoined', inGroup('locked'))).toEqual([])
  })

  test('another device of who acts sees what they do', async () => {
    const tablet = await world().enter('bob')
    await createGroup(ann, 'open')
    await bob.call('joinGroup', 'open', 'public', '')
    await tablet.event('onGroupMemberJoined', { ...inGroup('open'), actionOn: { uid: 'bob' } })
    await sendText(ann, { group: 'open' }, 'hello both')
    await tablet.event('onTextMessageReceived', { text: 'hello both' })
    await bob.call('leaveGroup', 'open')
    await tablet.event('onGroupMemberLeft', { ...inGroup('open'), actionOn: { uid: 'bob' } })
    await ann.call('deleteGroup', 'open')
    expect(bob.all('onGroupMemberLeft', inGroup('open'))).toEqual([])
    await tablet.close()
  })

  test('addMembersToGroup', async () => {
    await createGroup(ann, 'team')
    const results = await ann.run('addMembersToGroup', (sdk) =>
      sdk.addMembersToGroup(
        'team',
        [
          new sdk.GroupMember('bob', 'admin'),
          new sdk.GroupMember('cara', 'participant'),
          new sdk.GroupMember('nobody', 'moderator'),
        ],
        ['dan'],
      ),
    )
    expect(results).toMatchObject({ bob: 'success', cara: 'success', dan: 'success', nobody: expect.any(String) })
    for (const tab of [bob, cara]) {
      const added = await tab.event('onMemberAddedToGroup', {
        actionFor: { guid: 'team' },
        actionOn: { uid: tab.name },
      })
      expect(added).toMatchObject({ action: 'added', actionBy: { uid: 'ann' } })
    }
    expect(await ann.call('getGroup', 'team')).toMatchObject({ membersCount: 3 })
  })

  test('GroupMembersRequest', async () => {
    expect(await members(cara, 'team')).toEqual([
      ['ann', 'admin'],
      ['bob', 'admin'],
      ['cara', 'participant'],
    ])
    expect(await members(ann, 'team', { setScopes: ['participant'] })).toEqual([['cara', 'participant']])
    expect(await members(ann, 'team', { setSearchKeyword: 'bo' })).toEqual([['bob', 'admin']])
    await world().admin('POST', '/groups/team/members', { participants: ['eve'] })
    expect(await members(ann, 'team', { setStatus: 'online' })).toHaveLength(3)
    expect(await members(ann, 'team', { setStatus: 'offline' })).toEqual([['eve', 'participant']])
    await ann.call('kickGroupMember', 'team', 'eve')
    await cara.event('onGroupMemberKicked', { actionOn: { uid: 'eve' } })
    for (const tab of [bob, cara]) tab.heard.splice(0)
    const answers = await pages(ann, 'GroupMembers', { setGuid: 'team', setLimit: 2 }, Array(3).fill('fetchNext'))
    expect(answers.map(uidsOf)).toEqual([['ann', 'bob'], ['cara'], []])
    expect(answers[0]?.[0].joinedAt).toEqual(expect.any(Number))
  })

  test('GroupsRequest', async () => {
    await world().admin('PUT', '/groups/team', { tags: ['blue'] })
    const guids = async (setters: object) =>
      (await list(cara, 'Groups', { setLimit: 30, ...setters })).map(({ guid }) => guid)
    expect(await guids({})).toEqual(expect.arrayContaining(['team', 'locked']))
    expect(await guids({})).not.toContain('crew')
    expect(await guids({ joinedOnly: true })).toEqual(['team'])
    expect(await guids({ setSearchKeyword: 'lock' })).toEqual(['locked'])
    expect(await guids({ setTags: ['blue'], withTags: true })).toEqual(['team'])
    const answers = await pages(cara, 'Groups', { setLimit: 1 }, Array(3).fill('fetchNext'))
    expect(answers.map((page) => page.length)).toEqual([1, 1, 0])
  })

  test('updateGroupMemberScope', async () => {
    expect(await ann.call('updateGroupMemberScope', 'team', 'cara', 'moderator')).toBe(true)
    for (const tab of [bob, cara]) {
      expect(await tab.event('onGroupMemberScopeChanged', { actionFor: { guid: 'team' } })).toMatchObject({
        ...{ actionBy: { uid: 'ann' }, actionOn: { uid: 'cara' }, newScope: 'moderator', oldScope: 'participant' },
      })
    }
    expect(await members(ann, 'team', { setScopes: ['moderator'] })).toEqual([['cara', 'moderator']])
    expect(await cara.fails('kickGroupMember', (sdk) => sdk.kickGroupMember('team', 'bob'))).toMatch(/^ERR_/)
  })

  test('kickGroupMember', async () => {
    expect(await ann.call('kickGroupMember', 'team', 'cara')).toBe(true)
    for (const tab of [bob, cara]) {
      expect(await tab.event('onGroupMemberKicked', { actionFor: { guid: 'team' } })).toMatchObject({
        ...{ actionBy: { uid: 'ann' }, actionOn: { uid: 'cara' } },
      })
    }
    await sendText(ann, { group: 'team' }, 'without cara')
    await bob.event('onTextMessageReceived', { text: 'without cara' })
    expect(cara.all('onTextMessageReceived', { text: 'without cara' })).toEqual([])
  })

  test('banGroupMember, BannedMembersRequest, unbanGroupMember', async () => {
    await cara.call('joinGroup', 'team', 'public', '')
    await bob.event('onGroupMemberJoined', { actionFor: { guid: 'team' } })
    expect(await ann.call('banGroupMember', 'team', 'cara')).toBe(true)
    for (const tab of [bob, cara]) {
      expect(await tab.event('onGroupMemberBanned', { actionFor: { guid: 'team' } })).toMatchObject({
        actionOn: { uid: 'cara' },
      })
    }
    const banned = await list(ann, 'BannedMembers', { setGuid: 'team', setLimit: 30 })
    expect(uidsOf(banned).sort()).toEqual(['cara', 'dan'])
    expect(
      uidsOf(await list(ann, 'BannedMembers', { setGuid: 'team', setLimit: 30, setSearchKeyword: 'car' })),
    ).toEqual(['cara'])
    expect(await cara.fails('joinGroup', (sdk) => sdk.joinGroup('team', 'public', ''))).toBe('ERR_BANNED_GROUPMEMBER')
    expect(await ann.call('unbanGroupMember', 'team', 'cara')).toBe(true)
    expect(await bob.event('onGroupMemberUnbanned', { actionFor: { guid: 'team' } })).toMatchObject({
      actionOn: { uid: 'cara' },
    })
    expect(await cara.call('joinGroup', 'team', 'public', '')).toMatchObject({ hasJoined: true })
  })

  test('transferGroupOwnership', async () => {
    expect(await ann.fails('leaveGroup', (sdk) => sdk.leaveGroup('team'))).toMatch(/^ERR_/)
    expect(await ann.call('transferGroupOwnership', 'team', 'bob')).toEqual(expect.any(String))
    for (const tab of [ann, bob, cara]) {
      const shown = { owner: 'bob', scope: tab === cara ? 'participant' : 'admin' }
      expect(await tab.call('getGroup', 'team')).toMatchObject(shown)
    }
    expect(await bob.fails('leaveGroup', (sdk) => sdk.leaveGroup('team'))).toMatch(/^ERR_/)
    expect(await ann.call('leaveGroup', 'team')).toBe(true)
    for (const tab of [bob, cara]) {
      await tab.event('onGroupMemberLeft', { actionFor: { guid: 'team' }, actionOn: { uid: 'ann' } })
    }
    await sendText(bob, { group: 'team' }, 'my group')
    await cara.event('onTextMessageReceived', { text: 'my group' })
    expect(ann.all('onTextMessageReceived', { text: 'my group' })).toEqual([])
  })

  test('what happened to members stands in the history of the group', async () => {
    const actions = await history(bob, { setGUID: 'team', setCategories: ['action'] })
    expect(actions.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['added', 'scopeChanged', 'kicked', 'joined', 'banned', 'unbanned', 'left']),
    )
    expect(actions.every(({ message }) => typeof message === 'string' && message !== '')).toBe(true)
    expect(textsOf(await history(bob, { setGUID: 'team', setCategories: ['message'] }))).toEqual([
      ...['without cara', 'my group'],
    ])
  })
})
