import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../../bot-sdk/test/server.ts'
import { type ConsoleApi, ConsoleError, makeConsoleApi, type PageOf } from '../src/index.ts'

const MESSAGES = 60
const MANY = 103
let server: TestServer
let api: ConsoleApi

beforeAll(async () => {
  server = await startServer()
  const { client } = server
  api = makeConsoleApi({ url: server.url, apiKey: server.apiKey, appId: server.appId })
  const uids = ['ann', 'bob', 'cara', ...Array.from({ length: MANY - 3 }, (_, n) => `user-${n}`)]
  await Promise.all(uids.map((uid) => client.createUser({ uid, name: uid })))
  const members = { participants: ['bob', 'cara'] }
  await client.createGroup({ guid: 'lounge', name: 'Lounge', type: 'private', owner: 'ann', members })
  await client.createGroup({ guid: 'empty', name: 'Empty', type: 'public', owner: 'ann' })
  const bot = { uid: 'cara', webhookURL: 'http://127.0.0.1:9/', enabled: false }
  await client.request('POST', '/bots', { body: bot })
  for (let n = 1; n <= MESSAGES; n++) {
    const [from, to] = n % 2 === 0 ? ['ann', 'bob'] : ['bob', 'ann']
    await client.sendMessage({ receiver: to ?? '', receiverType: 'user' }, `private ${n}`, { onBehalfOf: from ?? '' })
    await client.sendMessage({ receiver: 'lounge', receiverType: 'group' }, `group ${n}`, { onBehalfOf: 'bob' })
  }
  // What is not between the two must not show.
  await client.sendMessage({ receiver: 'cara', receiverType: 'user' }, 'not for Bob', { onBehalfOf: 'ann' })
  await client.sendMessage({ receiver: 'bob', receiverType: 'user' }, 'not for Ann', { onBehalfOf: 'cara' })
}, 60_000)
afterAll(() => server?.dispose())

const everything = async <T>(list: (page: number) => Promise<PageOf<T>>): Promise<T[]> => {
  const first = await list(1)
  const rows = [...first.rows]
  for (let page = 2; page <= first.pagination.total_pages; page++) rows.push(...(await list(page)).rows)
  return rows
}

const numbered = (word: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `${word} ${from + n}`)

describe('the console', () => {
  test('lists all users, page by page, the first one unless told otherwise', async () => {
    const first = await api.users()
    expect(first).toEqual(await api.users(1))
    expect(first.pagination).toMatchObject({ total: MANY, count: 100, current_page: 1, total_pages: 2 })
    const uids = (await everything(api.users)).map(({ uid }) => uid)
    expect(new Set(uids).size).toBe(MANY)
    expect(uids).toHaveLength(MANY)
    expect((await api.users(2)).rows).toHaveLength(MANY - 100)
  })

  test('lists groups and bots', async () => {
    const groups = await api.groups()
    expect(groups.rows.map(({ guid, type }) => [guid, type]).toSorted()).toEqual([
      ['empty', 'public'],
      ['lounge', 'private'],
    ])
    expect(groups.pagination).toMatchObject({ total: 2, count: 2 })
    const bots = await api.bots()
    expect(bots.rows).toEqual([expect.objectContaining({ uid: 'cara', webhookURL: 'http://127.0.0.1:9/' })])
    expect(JSON.stringify(bots)).not.toContain('whsec_')
  })

  test('shows the newest messages of a group, oldest first', async () => {
    const texts = async (limit?: number) => (await api.groupMessages('lounge', limit)).map(({ data }) => data.text)
    expect(await texts()).toEqual(numbered('group', MESSAGES - 49, MESSAGES))
    expect(await texts(3)).toEqual(numbered('group', MESSAGES - 2, MESSAGES))
    expect(await api.groupMessages('empty')).toEqual([])
  })

  test('shows the newest messages of two users, oldest first, from either side', async () => {
    const between = async (uid: string, other: string, limit?: number) =>
      (await api.userMessages(uid, other, limit)).map(({ data }) => data.text)
    const newest = numbered('private', MESSAGES - 49, MESSAGES)
    expect(await between('ann', 'bob')).toEqual(newest)
    expect(await between('bob', 'ann')).toEqual(newest)
    expect(await between('ann', 'bob', 2)).toEqual(numbered('private', MESSAGES - 1, MESSAGES))
    expect(await between('bob', 'user-1')).toEqual([])
  })

  test('does not mind a slash behind the address, and needs no app where there is one', async () => {
    const other = makeConsoleApi({ url: `${server.url}/`, apiKey: server.apiKey })
    expect((await other.groups()).rows).toHaveLength(2)
  })
})

describe('a refusal is a ConsoleError that begins with its code', () => {
  test.each<[string, string, (api: ConsoleApi) => Promise<unknown>]>([
    ['an unknown group', 'ERR_GUID_NOT_FOUND', (it) => it.groupMessages('nowhere')],
    ['an unknown user', 'ERR_UID_NOT_FOUND', (it) => it.userMessages('ann', 'nobody')],
    ['a page that is none', 'ERR_BAD_REQUEST', (it) => it.users(0)],
    ['a limit that is none', 'ERR_BAD_REQUEST', (it) => it.groupMessages('lounge', -1)],
    ['an id that would be a path', 'ERR_', (it) => it.groupMessages('lounge/members?a=')],
  ])('%s', async (_, code, ask) => {
    const error = await ask(api).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConsoleError)
    expect(error).toMatchObject({ name: 'ConsoleError', code: expect.stringMatching(new RegExp(`^${code}`)) })
    expect(String(error)).toMatch(new RegExp(`^ConsoleError: ${code}\\w*: .`))
    expect(inspect(error)).not.toContain(server.apiKey)
  })

  test('a key that is wrong, or not enough', async () => {
    for (const apiKey of ['sesame-sesame-sesame', server.authKey]) {
      const error = await makeConsoleApi({ url: server.url, apiKey })
        .users()
        .catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ConsoleError)
      expect(inspect(error)).not.toContain(apiKey)
    }
  })
})
