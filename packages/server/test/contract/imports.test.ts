/** Imports: what comes from elsewhere is here as it was there, once, and nobody is told of it. */
import { readFileSync } from 'node:fs'
import { defaultLimits, limits } from '@confab/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { importLines } from '../support/importing.ts'
import { idsOf, makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

const DAY = 86_400

describeEngines('imports', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const add = async (kind: string, rows: object): Promise<Json> =>
    (await api.ok('POST', `/data_import/${kind}`, { body: { [kind]: rows } })).data
  const codesOf = (data: Json): object =>
    Object.fromEntries(Object.entries(data).map(([key, row]) => [key, (row as Json).error?.code]))

  test('users keep their ids and times; roles must be there', async () => {
    await api.ok('POST', '/roles', { body: { role: 'elder', name: 'x' } })
    const times = { createdAt: '1600000000', lastActiveAt: 1600000100, updatedAt: '1600000050' }
    const ada = { uid: 'Ada', name: 'Ada', role: 'Elder', metadata: { a: 1 }, tags: ['x'], ...times }
    const gone = { uid: 'gone', name: 'Gone', deactivatedAt: 1600000200 }
    const data = await add('users', {
      ada,
      gone,
      lost: { uid: 'lost', name: 'x', role: 'none' },
      key: { uid: 'other', name: 'x' },
    })
    expect(data.ada).toEqual({
      success: true,
      data: { data: expect.objectContaining({ uid: 'ada', role: 'elder', createdAt: 1600000000 }) },
    })
    expect(codesOf(data)).toEqual({ lost: 'ERR_ROLE_NOT_FOUND', key: 'ERR_BAD_REQUEST' })
    const { data: found } = await api.ok('GET', '/users/ada')
    expect(found).toMatchObject({ lastActiveAt: 1600000100, updatedAt: 1600000050, metadata: { a: 1 }, tags: ['x'] })
    await api.fails('ERR_UID_NOT_FOUND', 'GET', '/users/gone')
    const deactivated = await api.ok('GET', '/users', { query: { onlyDeactivated: true } })
    expect(deactivated.data).toMatchObject([{ uid: 'gone', deactivatedAt: 1600000200 }])
    await api.ok('PUT', '/users', { body: { uidsToActivate: ['gone'] } })
    await api.ok('GET', '/users/gone')
  })

  test('the same row again changes nothing, and says so', async () => {
    const users = [
      { uid: 'twice', name: 'First', createdAt: 5 },
      { uid: 'twice', name: 'Second' },
    ]
    const data = await add('users', users)
    expect(data.twice).toMatchObject({ success: true, data: { data: { name: 'First' } } })
    expect(data.twice).not.toHaveProperty('existed')
    expect(data[1]).toMatchObject({ success: true, existed: true, data: { data: { name: 'First', createdAt: 5 } } })
  })

  test('one row that is wrong fails alone; the call as a whole has its limit', async () => {
    const rows = [
      17,
      null,
      {},
      { uid: 'x y', name: 'x' },
      { uid: 'app_system', name: 'x' },
      { uid: 'fine', name: 'x', createdAt: '1600000000000' },
    ]
    expect(codesOf(await add('users', rows))).toEqual({
      0: 'ERR_BAD_REQUEST',
      1: 'ERR_BAD_REQUEST',
      2: 'ERR_BAD_REQUEST',
      'x y': 'ERR_BAD_REQUEST',
      app_system: 'ERR_UID_ALREADY_EXISTS',
      fine: 'ERR_BAD_REQUEST',
    })
    await api.fails('ERR_UID_NOT_FOUND', 'GET', '/users/fine')
    const many = Array.from({ length: defaultLimits.importRows + 1 }, (_, n) => ({ uid: `n${n}`, name: 'x' }))
    const error = await api.fails('ERR_BAD_REQUEST', 'POST', '/data_import/users', { body: { users: many } })
    expect(error.details).toHaveProperty('users')
  })

  test('groups and members: counts, owners, bans, passwords', async () => {
    const { ann, bob, cara } = scene
    const group = { name: 'Club', type: 'public', createdAt: '1600000000' }
    const data = await add('groups', {
      club: { guid: 'club', ...group, owner: 'chief', groupOwnerDetails: { uid: 'chief', name: 'Chief' } },
      shut: { guid: 'shut', ...group, type: 'password' },
      safe: { guid: 'safe', ...group, type: 'password', password: 'x' },
      nobodys: { guid: 'nobodys', ...group, owner: 'nobody' },
    })
    expect(codesOf(data)).toEqual({
      club: undefined,
      safe: undefined,
      shut: 'ERR_EMPTY_GROUP_PASS',
      nobodys: 'ERR_UID_NOT_FOUND',
    })
    expect(data.safe.data.data).not.toHaveProperty('password')
    const member = (uid: string, more: object) => ({ guid: 'club', uid, joinedAt: '1600000100', ...more })
    const members = await add('members', {
      one: member(ann, { scope: 'moderator' }),
      two: member(bob, { isBanned: true }),
      three: member('newcomer', { userDetails: { uid: 'newcomer', name: 'x' } }),
      four: member('chief', { scope: 'admin', joinedAt: 1600000001 }),
      five: member('nobody', {}),
      six: { ...member(cara, {}), guid: 'nowhere' },
      seven: member(cara, { guid: 'den', groupDetails: { guid: 'den', name: 'Den', type: 'private' } }),
    })
    expect(codesOf(members)).toMatchObject({
      five: 'ERR_UID_NOT_FOUND',
      six: 'ERR_GUID_NOT_FOUND',
      one: undefined,
      four: undefined,
    })
    expect(members.one).toEqual({
      success: true,
      data: { data: { guid: 'club', uid: ann, scope: 'moderator', joinedAt: 1600000100 } },
    })
    expect((await api.ok('GET', '/groups/club')).data.membersCount).toBe(3)
    const listed = (await api.ok('GET', '/groups/club/members')).data
    expect(listed.map(({ uid, scope, joinedAt }: Json) => [uid, scope, joinedAt]).sort()).toEqual(
      [
        [ann, 'moderator', 1600000100],
        ['chief', 'admin', 1600000001],
        ['newcomer', 'participant', 1600000100],
      ].sort(),
    )
    expect((await api.ok('GET', '/groups/club/bannedusers')).data).toMatchObject([{ uid: bob, bannedAt: 1600000100 }])
    expect(codesOf(await add('members', [member(bob, {}), member(ann, { isBanned: true })]))).toEqual({
      [`club_member_${bob}`]: 'ERR_BANNED_GROUPMEMBER',
      [`club_member_${ann}`]: 'ERR_ALREADY_JOINED',
    })
    expect(
      (await add('members', [member('chief', { scope: 'admin', joinedAt: 1600000001 })])).club_member_chief.existed,
    ).toBe(true)
    expect((await api.ok('GET', '/groups/club')).data.membersCount).toBe(3)
    // Nobody is told.
    expect((await api.ok('GET', '/groups/club/messages', { query: { category: 'action' } })).data).toEqual([])
  })

  test('messages: order, times, receipts, edits, deletions, threads', async () => {
    const people = {
      senderUserDetails: { uid: 'old-ann', name: 'Ann' },
      receiverUserDetails: { uid: 'old-bob', name: 'Bob' },
    }
    const message = (muid: string, sentAt: number, more: object = {}) => ({
      ...{
        muid,
        sender: 'old-ann',
        receiverType: 'user',
        receiver: 'old-bob',
        data: { text: muid },
        sentAt: String(sentAt),
      },
      ...more,
    })
    const rows = {
      3: message('3', 1600000300, { editedAt: 1600000350 }),
      1: message('1', 1600000100, { ...people, deliveredAt: '1600000110', readAt: '1600000120', tags: ['x'] }),
      2: message('2', 1600000200, { sender: 'old-bob', receiver: 'old-ann' }),
      4: message('4', 1600000400, { parentMuid: '1', data: { text: 'reply' } }),
      5: message('5', 1600000500, { data: undefined, deletedAt: 1600000600, deletedBy: 'old-bob' }),
      6: message('6', 1600000550, { receiver: 'nobody' }),
      7: message('7', 1600000560, { parentMuid: 'none' }),
      8: message('8', 1600000570, { data: {} }),
      9: message('9', 1600000580, { parentMuid: '4' }),
    }
    const data = await add('messages', rows)
    expect(codesOf(data)).toEqual({
      ...{ 1: undefined, 2: undefined, 3: undefined, 4: undefined, 5: undefined },
      ...{
        6: 'ERR_UID_NOT_FOUND',
        7: 'ERR_MESSAGE_ID_NOT_FOUND',
        8: 'ERR_EMPTY_MESSAGE_TEXT',
        9: 'ERR_MESSAGE_THREAD_NESTING',
      },
    })
    expect(data[1].data).toMatchObject({
      muid: '1',
      conversationId: 'old-ann_user_old-bob',
      sentAt: 1600000100,
      updatedAt: 1600000100,
      deliveredAt: 1600000110,
      readAt: 1600000120,
      tags: ['x'],
    })
    const shown = (await api.ok('GET', '/users/old-bob/messages', { onBehalfOf: 'old-ann' })).data
    expect(shown.map(({ muid }: Json) => muid)).toEqual(['1', '2', '3', '4', '5'])
    expect(shown[0]).toMatchObject({ replyCount: 1, readAt: 1600000120 })
    expect(shown[0].data.entities.sender.entity).toMatchObject({ uid: 'old-ann', name: 'Ann' })
    expect(shown[2]).toMatchObject({ editedAt: 1600000350, editedBy: 'old-ann', updatedAt: 1600000350 })
    expect(shown[3].parentId).toBe(shown[0].id)
    expect(shown[4]).toMatchObject({ deletedAt: 1600000600, deletedBy: 'old-bob' })
    const of = async (uid: string) => (await api.ok('GET', '/conversations', { onBehalfOf: uid })).data[0]
    expect(await of('old-bob')).toMatchObject({ unreadMessageCount: '1', createdAt: 1600000100, updatedAt: 1600000500 })
    expect(await of('old-ann')).toMatchObject({ unreadMessageCount: '1' })

    const again = await add('messages', rows)
    expect(again[1]).toEqual({ ...data[1], existed: true, data: { ...data[1].data, replyCount: 1 } })
    expect((await api.ok('GET', '/users/old-bob/messages', { onBehalfOf: 'old-ann' })).data).toEqual(shown)
    // What is said here comes after it.
    const sent = (await api.ok('POST', '/messages', { onBehalfOf: 'old-ann', body: toUser('old-bob') })).data
    expect(idsOf(await api.ok('GET', '/users/old-bob/messages', { onBehalfOf: 'old-ann' })).at(-1)).toBe(sent.id)
  })

  test('a group: replies say whose thread it is, and what was read is read by those who are in it', async () => {
    const { ann, bob } = scene
    await add('groups', [{ guid: 'hall', name: 'Hall', type: 'public', owner: ann }])
    await add('members', [{ guid: 'hall', uid: bob, joinedAt: 1 }])
    const message = (muid: string, more: object = {}) => ({
      ...{
        muid,
        sender: 'left-long-ago',
        receiverType: 'group',
        receiver: 'hall',
        data: { text: `<@uid:${bob}> ${muid}` },
      },
      ...{
        sentAt: 1600000000 + Number(muid),
        senderUserDetails: { uid: 'left-long-ago', name: 'x', deactivatedAt: 1600000009 },
      },
      ...more,
    })
    const data = await add('messages', [
      message('1', { readAt: 1600000100 }),
      message('2'),
      message('3', { sender: bob, parentMuid: '1' }),
      message('4', { sender: bob, parentMuid: '1', parentSender: 'left-long-ago' }),
      { ...message('5'), receiver: 'nowhere' },
      {
        ...message('6'),
        receiver: 'cave',
        receiverGroupDetails: { guid: 'cave', name: 'x', type: 'public', owner: 'caver' },
        receiverGroupOwnerDetails: { uid: 'caver', name: 'x' },
      },
    ])
    expect(codesOf(data)).toEqual({
      1: undefined,
      2: undefined,
      3: 'ERR_BAD_REQUEST',
      4: undefined,
      5: 'ERR_GUID_NOT_FOUND',
      6: undefined,
    })
    expect(data[2].data.data.mentions).toHaveProperty(bob)
    const { data: conversation } = await api.ok('GET', '/groups/hall/conversation', { onBehalfOf: bob })
    expect(conversation).toMatchObject({ unreadMessageCount: '1', unreadMentionsCount: '1', updatedAt: 1600000002 })
    expect((await api.ok('GET', '/groups/cave')).data).toMatchObject({ owner: 'caver', membersCount: 1 })
  })

  test('bots hear nothing of it', async () => {
    const { ann } = scene
    await api.ok('POST', '/users', { body: { uid: 'hearer', name: 'x' } })
    await api.ok('POST', '/bots', { body: { uid: 'hearer', receive: 'pull', enabled: true } })
    const message = {
      muid: 'h1',
      sender: ann,
      receiverType: 'user',
      receiver: 'hearer',
      data: { text: 'x' },
      sentAt: 1,
    }
    expect(codesOf(await add('messages', [message]))).toEqual({ h1: undefined })
    expect((await api.ok('GET', '/deliveries', { query: { bot: 'hearer' } })).data).toEqual([])
  })

  test('a stream: each line for itself, and the end says how it went', async () => {
    const rows = [
      { user: { uid: 'line-one', name: 'x' } },
      '',
      { user: { uid: 'line-one', name: 'x' } },
      { room: {} },
      '{"user":{"uid":"poison","name":"x","metadata":{"__proto__":{"x":1}}}}',
      '{"user":{"uid":"nul","name":"a\\u0000b"}}',
      `{"user":{"uid":"long","name":"${'x'.repeat(limits.importLineBytes)}"}}`,
      {
        message: {
          muid: 's1',
          sender: 'line-one',
          receiverType: 'user',
          receiver: 'line-one',
          data: { text: 'x' },
          sentAt: 5,
        },
      },
    ]
    const { status, lines } = await importLines(server, rows)
    expect(status).toBe(200)
    expect(
      lines.slice(0, -1).map(({ line, success, existed, error }) => [line, success, existed ?? error?.code]),
    ).toEqual([
      [1, true, undefined],
      [3, true, true],
      [4, false, 'ERR_BAD_REQUEST'],
      [5, false, 'ERR_BAD_REQUEST'],
      [6, false, 'ERR_BAD_REQUEST'],
      [7, false, 'ERR_PAYLOAD_TOO_LARGE'],
      [8, true, undefined],
    ])
    expect(lines.at(-1)).toEqual({ done: true, line: 8, imported: 2, existed: 1, failed: 4 })
    const rest = await importLines(server, rows, { query: '?fromLine=4&onlyFailures=1' })
    expect(rest.lines.map(({ line, done }) => [line, done])).toEqual([
      [4, undefined],
      [5, undefined],
      [6, undefined],
      [7, undefined],
      [8, true],
    ])
    await api.fails('ERR_UNSUPPORTED_MEDIA_TYPE', 'POST', '/data_import/stream', { body: {} })
    const headers = { 'content-type': 'application/x-ndjson' }
    await api.fails('ERR_UNSUPPORTED_MEDIA_TYPE', 'POST', '/users', { rawBody: '{}', headers })
  })

  /** Kilobytes that the server holds in memory. */
  const residentOf = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1])

  const many = function* (people: number, count: number): Generator<object> {
    for (let n = 0; n < people; n++) yield { user: { uid: `many-${n}`, name: `Many ${n}`, createdAt: 1500000000 } }
    for (let n = 0; n < count; n++) {
      const receiver = `many-${(n * 7 + 1) % people}`
      const data = { text: `message ${n} ${'.'.repeat(400)}` }
      yield {
        message: {
          muid: `m${n}`,
          sender: `many-${n % people}`,
          receiverType: 'user',
          receiver,
          data,
          sentAt: 1500000000 + n,
        },
      }
    }
  }

  test('50,000 lines take no more memory than some', { timeout: 180_000 }, async () => {
    const people = 500
    // What the first lines cost is what the program itself takes.
    await importLines(server, many(people, 2000), { query: '?onlyFailures=1' })
    const before = residentOf()
    let peak = 0
    let last: Json
    let answered = 0
    await importLines(server, many(people, 50_000 - people), {
      onLine: (line) => {
        last = line
        answered++
        if (line.line % 1000 === 0) peak = Math.max(peak, residentOf())
      },
    })
    expect(last).toEqual({ done: true, line: 50_000, imported: 47_500, existed: 2500, failed: 0 })
    expect(answered).toBe(50_001)
    // All the lines together are more than 30 MB, and more than twice that as objects.
    expect((peak - before) / 1024).toBeLessThan(100)
  })

  test('metrics: who was active, and the last hour', async () => {
    const { ann, bob } = scene
    const nowMs = Date.now()
    const active = async (fromDate: number, toDate: number) =>
      (await api.ok('GET', '/stats', { query: { fromDate, toDate } })).data.metrics.active_users
    const before = await active(nowMs - 1000, nowMs + 1000)
    await api.ok('POST', '/messages', { onBehalfOf: bob, body: toUser(ann) })
    await api.ok('POST', `/users/${bob}/conversation/read`, { onBehalfOf: ann })
    const [from, to] = [Math.floor(nowMs / 1000) - 60, Math.floor(nowMs / 1000) + 60]
    expect(await active(from, to)).toBeGreaterThanOrEqual(2)
    expect(await active(from * 1000, to * 1000)).toBe(await active(from, to))
    expect(before).toBeLessThanOrEqual(await active(from, to))
    expect(await active(from - 10 * DAY, to - 10 * DAY)).toBe(0)
    await api.fails('ERR_BAD_REQUEST', 'GET', '/stats', { query: { fromDate: 2, toDate: 1 } })
    await api.fails('ERR_BAD_REQUEST', 'GET', '/stats', {})
    const { data } = await api.ok('GET', '/stats/messages')
    expect(data.appId).toBe(server.appId)
    expect(data.dataPoints).toHaveLength(12)
    const sum = (what: string): number => data.dataPoints.reduce((n: number, point: Json) => n + point[what], 0)
    // What was imported was not sent now.
    expect([sum('messagesSent'), sum('readReceipts'), sum('deliveryReceipts')]).toEqual([2, 1, 1])
    expect(Number(data.endTime) - Number(data.startTime)).toBe(3_600_000)
    expect(data.dataPoints.map(({ startTime }: Json) => Number(startTime) % 300_000)).toEqual(Array(12).fill(0))
    expect([data.dataPoints[0].startTime, data.dataPoints[11].endTime]).toEqual([data.startTime, data.endTime])
  })
})
