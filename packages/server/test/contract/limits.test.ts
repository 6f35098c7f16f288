/** Limits that the operator has lowered, each at its boundary: so many are taken, one more is refused and changes nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { digestOf, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

const lowered = {
  CONFAB_LIMIT_API_KEYS_PER_APP: '4',
  CONFAB_LIMIT_WEBHOOKS_PER_APP: '2',
  CONFAB_LIMIT_ROLES_PER_APP: '3',
  CONFAB_LIMIT_BOTS_PER_APP: '1',
  CONFAB_LIMIT_GROUP_SIZE: '3',
  CONFAB_LIMIT_GROUPS_PER_USER: '2',
  CONFAB_LIMIT_FRIENDS_PER_USER: '1',
  CONFAB_LIMIT_MEMBERS_PER_CALL: '2',
  CONFAB_LIMIT_UIDS_PER_CALL: '2',
  CONFAB_LIMIT_RECEIVERS_PER_MESSAGE: '2',
  CONFAB_LIMIT_IMPORT_ROWS: '2',
  CONFAB_LIMIT_PAGE_SIZE_MAX: '30',
  CONFAB_LIMIT_NAME_LENGTH: '20',
  CONFAB_LIMIT_URL_LENGTH: '255',
  CONFAB_LIMIT_STATUS_MESSAGE_LENGTH: '5',
  CONFAB_LIMIT_GROUP_DESCRIPTION_LENGTH: '6',
  CONFAB_LIMIT_METADATA: '256B',
  CONFAB_LIMIT_TAGS: '2',
  CONFAB_LIMIT_TAG_LENGTH: '3',
  CONFAB_LIMIT_MESSAGE_DATA: '1KB',
  CONFAB_LIMIT_ATTACHMENTS_PER_MESSAGE: '1',
  CONFAB_LIMIT_MENTIONS_PER_MESSAGE: '1',
  CONFAB_LIMIT_REACTIONS_PER_MESSAGE: '1',
  CONFAB_LIMIT_REACTION_LENGTH: '2',
  CONFAB_LIMIT_REMARK_LENGTH: '4',
  CONFAB_LIMIT_PINNED_PER_CONVERSATION: '1',
  CONFAB_LIMIT_SAVED_PER_USER: '1',
  CONFAB_LIMIT_PINNED_CONVERSATIONS: '1',
  CONFAB_LIMIT_BODY: '64KB',
}

/** Raised, so that what the contract would refuse is taken. */
const raised = {
  CONFAB_LIMIT_NAME_LENGTH: '150',
  CONFAB_LIMIT_TAGS: '30',
  CONFAB_LIMIT_MESSAGE_DATA: '40KB',
  CONFAB_LIMIT_MEMBERS_PER_CALL: '60',
  CONFAB_LIMIT_PAGE_SIZE_MAX: '2000',
  CONFAB_LIMIT_USERS_PER_APP: '65',
  CONFAB_LIMIT_GROUPS_PER_APP: '2',
}

type Request = readonly [method: string, path: string, options: CallOptions]

interface Case {
  readonly title: string
  readonly taken: Request
  readonly refused: Request
  readonly code: string
}

const onBehalfOf = 'ann'
const user = (uid: string, more: object): Request => ['POST', '/users', { body: { uid, name: uid, ...more } }]
const send = (data: object, more: object = {}): Request => [
  'POST',
  '/messages',
  { onBehalfOf, body: { receiver: 'bob', receiverType: 'user', data, ...more } },
]
/** Text that makes `data` so many bytes. */
const textOf = (bytes: number): string => 'x'.repeat(bytes - '{"text":""}'.length)
const metadataOf = (bytes: number): object => ({ m: 'x'.repeat(bytes - '{"m":""}'.length) })
const urlOf = (length: number): string => `https://x.example/${'x'.repeat(length - 'https://x.example/'.length)}`
const attachments = (count: number): object => ({ attachments: Array(count).fill({ url: 'https://x.example/a' }) })
const importing = (count: number): Request => [
  'POST',
  '/data_import/users',
  { body: { users: Array.from({ length: count }, (_, n) => ({ uid: `imported-${n}`, name: 'x' })) } },
]
const members = (guid: string, ...participants: string[]): Request => [
  'POST',
  `/groups/${guid}/members`,
  { body: { participants } },
]
const group = (guid: string, more: object = {}): Request => ['POST', '/groups', { body: { guid, name: 'x', ...more } }]
const both = (code: string, title: string, of: (isTooMuch: boolean) => Request): Case => ({
  title,
  code,
  taken: of(false),
  refused: of(true),
})
const bad = (title: string, of: (isTooMuch: boolean) => Request): Case => both('ERR_BAD_REQUEST', title, of)

const cases: readonly Case[] = [
  bad('name', (over) => user('n1', { name: 'x'.repeat(over ? 21 : 20) })),
  bad('URL', (over) => user('n2', { avatar: urlOf(over ? 256 : 255) })),
  bad('status message', (over) => user('n3', { statusMessage: over ? 'absent' : 'there' })),
  bad('metadata', (over) => user('n4', { metadata: metadataOf(over ? 257 : 256) })),
  bad('tags', (over) => user('n5', { tags: over ? ['a', 'b', 'c'] : ['a', 'b'] })),
  bad('length of a tag', (over) => user('n6', { tags: [over ? 'abcd' : 'abc'] })),
  bad('description of a group', (over) => group('d1', { description: over ? 'sevenxx' : 'sixxxx' })),
  bad('uids of a call', (over) => [
    'PUT',
    '/users',
    { body: { uidsToActivate: over ? ['ann', 'bob', 'cara'] : ['ann', 'bob'] } },
  ]),
  bad('members of a call', (over) => members('many', ...(over ? ['ann', 'bob', 'cara'] : ['cara', 'dan']))),
  bad('rows of an import', (over) => importing(over ? 3 : 2)),
  bad('rows of a page', (over) => ['GET', '/users', { query: { perPage: over ? 31 : 30 } }]),
  both('ERR_INVALID_MESSAGE_DATA', 'data of a message', (over) => send({ text: textOf(over ? 1025 : 1024) })),
  both('ERR_INVALID_MEDIA_MESSAGE', 'attachments', (over) => send(attachments(over ? 2 : 1), { type: 'file' })),
  bad('mentions', (over) => send({ text: over ? '<@uid:bob><@uid:ann>' : '<@uid:bob>' })),
  bad('receivers', (over) => [
    'POST',
    '/messages',
    {
      onBehalfOf,
      body: { multipleReceivers: { uids: ['bob', 'cara', ...(over ? ['dan'] : [])] }, data: { text: 'x' } },
    },
  ]),
  both('ERR_PAYLOAD_TOO_LARGE', 'body', (over) => [
    'POST',
    '/users/ann/auth_tokens',
    { rawBody: JSON.stringify({ x: 'x'.repeat(64 * 1024 - 8 + (over ? 1 : 0)) }) },
  ]),
]

describeEngines('limits that are set', (engine) => {
  let server: TestServer
  let api: Api
  let high: TestServer
  beforeAll(async () => {
    server = await startServer({ engine, env: lowered })
    api = new Api(server)
    for (const uid of ['ann', 'bob', 'cara', 'dan', 'eve']) await api.ok('POST', '/users', { body: { uid, name: uid } })
    await api.ok(...group('many'))
    high = await startServer({ engine, env: raised })
  }, 60_000)
  afterAll(async () => {
    await server?.dispose()
    await high?.dispose()
  })

  const digest = async (): Promise<string> => digestOf(api, { perPage: 30 })

  test.each(cases)('$title', async ({ taken, refused, code }) => {
    const before = await digest()
    await api.fails(code, ...refused)
    expect(await digest()).toBe(before)
    await api.ok(...taken)
  })

  test('places in a group: one more is refused, wherever they come from', async () => {
    await api.ok(...group('small', { owner: 'ann', members: { participants: ['bob'] } }))
    const join = (uid: string): Request => ['POST', '/groups/small/members', { onBehalfOf: uid, body: {} }]
    await api.ok(...join('eve'))
    const before = await digest()
    const { details } = await api.fails('ERR_NO_VACANCY', ...join('cara'))
    expect(details).toEqual({ guid: 'small', members: 'at most 3' })
    const { data } = await api.ok(...members('small', 'cara', 'bob'))
    const codesOf = (list: Json) => [list.cara.error.code, list.bob.error.code]
    expect(codesOf(data.participants)).toEqual(['ERR_NO_VACANCY', 'ERR_ALREADY_JOINED'])
    expect(await digest()).toBe(before)
    await api.ok('DELETE', '/groups/small/members/bob')
    await api.ok(...join('cara'))
    await api.fails('ERR_NO_VACANCY', ...join('bob'))
    // Nobody is asked whether there is room for who was somewhere else before.
    await api.ok('POST', '/data_import/members', {
      body: { members: { small_member_bob: { guid: 'small', uid: 'bob', scope: 'participant', joinedAt: 1 } } },
    })
    expect((await api.ok('GET', '/groups/small')).data.membersCount).toBe(4)
    await api.ok('DELETE', '/groups/small')
  })

  test('the last place goes to one of those who want it', async () => {
    await api.ok(...group('rush'))
    const uids = ['bob', 'eve', ...(await moreUsers(4))]
    const answers = await Promise.all(
      uids.map((uid) => api.call('POST', '/groups/rush/members', { onBehalfOf: uid, body: {} })),
    )
    const codes = answers.map(({ json }) => json.error?.code ?? 'joined')
    expect(codes.filter((code) => code === 'joined')).toHaveLength(3)
    expect(new Set(codes)).toEqual(new Set(['joined', 'ERR_NO_VACANCY']))
    expect((await api.ok('GET', '/groups/rush')).data.membersCount).toBe(3)
    await api.ok('DELETE', '/groups/rush')
  })

  const moreUsers = async (count: number): Promise<string[]> => {
    const uids = Array.from({ length: count }, (_, n) => `more-${n}`)
    for (const uid of uids) await api.ok('POST', '/users', { body: { uid, name: uid } })
    return uids
  }

  test('groups of a user', async () => {
    await api.ok('POST', '/users', { body: { uid: 'fay', name: 'Fay' } })
    for (const guid of ['f1', 'f2']) await api.ok(...group(guid, { owner: 'fay' }))
    const before = await digest()
    const { details } = await api.fails('ERR_PLAN_QUOTA_RESTRICTION', ...group('f3', { owner: 'fay' }))
    expect(details).toEqual({ groups: 'at most 2 per user' })
    await api.fails('ERR_PLAN_QUOTA_RESTRICTION', 'POST', '/groups/many/members', { onBehalfOf: 'fay', body: {} })
    const { data } = await api.ok(...members('many', 'fay'))
    expect(data.participants.fay.error.code).toBe('ERR_PLAN_QUOTA_RESTRICTION')
    expect(await digest()).toBe(before)
    await api.ok('DELETE', '/groups/f1')
    await api.ok(...group('f3', { owner: 'fay' }))
  })

  test('keys, webhooks, roles and bots of an app, friends', async () => {
    const over = async (path: string, body: (n: number) => object, count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await api.ok('POST', path, { body: body(n) })
      const before = await digest()
      await api.fails('ERR_PLAN_QUOTA_RESTRICTION', 'POST', path, { body: body(count) })
      expect(await digest()).toBe(before)
    }
    await over('/apikeys', () => ({ name: 'x' }), 2)
    await over('/webhooks', (n) => ({ id: `h${n}`, name: 'x', webhookURL: 'https://hook.example' }), 2)
    await over('/bots', (n) => ({ uid: n === 0 ? 'bob' : 'ann', webhookURL: 'https://bot.example' }), 1)
    await over('/roles', (n) => ({ role: `r${n}`, name: 'x' }), 2)
    const { data } = await api.ok('POST', '/users/ann/friends', { body: { accepted: ['bob', 'cara'] } })
    expect([data.accepted.bob.success, data.accepted.cara.error.code]).toEqual([true, 'ERR_PLAN_QUOTA_RESTRICTION'])
  })

  test('what is done to messages', async () => {
    const sent = async (receiver = 'bob') => {
      const { data } = await api.ok('POST', '/messages', { onBehalfOf, body: toUser(receiver) })
      return data.id as string
    }
    const [one, two] = [await sent(), await sent()]
    for (const [what, code] of [
      ['pin', 'ERR_PINNED_MESSAGES_LIMIT_EXCEEDED'],
      ['save', 'ERR_SAVED_MESSAGES_LIMIT_EXCEEDED'],
    ] as const) {
      await api.ok('POST', `/messages/${one}/${what}`, { onBehalfOf })
      await api.fails(code, 'POST', `/messages/${two}/${what}`, { onBehalfOf })
    }
    await sent('cara')
    await api.ok('POST', '/users/bob/conversation/pin', { onBehalfOf })
    const pin: Request = ['POST', '/users/cara/conversation/pin', { onBehalfOf }]
    await api.fails('ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED', ...pin)
    await api.ok('POST', `/messages/${one}/reactions/ok`, { onBehalfOf })
    await api.fails('ERR_BAD_REQUEST', 'POST', `/messages/${one}/reactions/no`, { onBehalfOf })
    await api.fails('ERR_BAD_REQUEST', 'POST', `/messages/${two}/reactions/wow`, { onBehalfOf })
    const flag = (remark: string): CallOptions => ({ onBehalfOf: 'bob', body: { id: 'spam', remark } })
    await api.fails('ERR_BAD_REQUEST', 'POST', `/messages/${one}/flagged`, flag('fives'))
    await api.ok('POST', `/messages/${one}/flagged`, flag('four'))
    // An edit keeps to the limits too.
    await api.fails('ERR_INVALID_MESSAGE_DATA', 'PUT', `/messages/${one}`, {
      ...{ onBehalfOf, body: { data: { text: textOf(1025) } } },
    })
  })

  test('the description that the server gives of itself says what it takes', async () => {
    const described = async (url: string) => (await (await fetch(`${url}/openapi.json`)).json()) as Json
    const low = await described(server.url)
    const bodyOf = (of: Json, path: string) => of.paths[path].post.requestBody.content['application/json'].schema
    expect(bodyOf(low, '/users').properties.name).toMatchObject({ maxLength: 20 })
    expect(bodyOf(low, '/users').properties.tags).toMatchObject({ maxItems: 2, items: { maxLength: 3 } })
    const perPage = low.paths['/users'].get.parameters.find(({ name }: Json) => name === 'perPage').schema
    expect(perPage).toMatchObject({ maximum: 30, default: 30 })
    expect(bodyOf(await described(high.url), '/users').properties.name).toMatchObject({ maxLength: 150 })
  })

  test('pages are no longer than they may be where nothing is said', async () => {
    expect((await api.ok('GET', '/users')).meta.pagination.per_page).toBe(30)
    expect((await api.ok('GET', '/messages')).meta.current.limit).toBe(30)
  })

  test('raised, they take what the contract would refuse; an app has so many users and groups', async () => {
    const other = new Api(high)
    const tags = Array.from({ length: 30 }, (_, n) => `t${n}`)
    await other.ok('POST', '/users', { body: { uid: 'ann', name: 'x'.repeat(150), tags } })
    const uids = Array.from({ length: 64 }, (_, n) => `u${n}`)
    for (const uid of uids) await other.ok('POST', '/users', { body: { uid, name: uid } })
    const before = await digestOf(other)
    const { details } = await other.fails('ERR_PLAN_QUOTA_RESTRICTION', ...user('one-more', {}))
    expect(details).toEqual({ users: 'at most 65 per app' })
    expect(await digestOf(other)).toBe(before)
    await other.ok('POST', '/groups', { body: { guid: 'g', name: 'x', members: { participants: uids.slice(0, 60) } } })
    await other.ok(...group('h'))
    await other.fails('ERR_PLAN_QUOTA_RESTRICTION', ...group('i'))
    await other.ok('POST', '/messages', { onBehalfOf, body: toUser('u1', textOf(40 * 1024)) })
    expect((await other.ok('GET', '/groups/g/members', { query: { perPage: 2000 } })).data).toHaveLength(60)
  })
})
