/**
 * Every list that has pages, walked page by page. With a cursor, whatever is added and removed meanwhile: what was there
 * throughout comes once and in order. By page numbers, while nothing changes: everything once, as many as `total` says, where
 * that is counted.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { nameOf, routes } from '../support/routes.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

type Query = Readonly<Record<string, string | number | boolean>>

interface Ground {
  readonly api: Api
  readonly scene: Scene
}

interface CursorList {
  readonly route: string
  readonly path: (scene: Scene) => string
  readonly query?: Query
  readonly as?: (scene: Scene) => string
  /** Adds something that the list must show; answers its id. */
  readonly add: (ground: Ground) => Promise<string>
  readonly remove?: (ground: Ground, id: string) => Promise<unknown>
  readonly affixes: readonly ('append' | 'prepend')[]
  /** The cursor's own row comes again; then rows stand in the direction of the walk. */
  readonly isInclusive?: boolean
  /** From one app: pages are larger, since all others' rows are in it too. */
  readonly isWide?: boolean
  /** The newest id first, and a cursor named otherwise. */
  readonly cursor?: 'before'
}

const sendAs =
  (who: (scene: Scene) => string, body: (scene: Scene) => object) =>
  async ({ api, scene }: Ground): Promise<string> =>
    (await api.ok('POST', '/messages', { onBehalfOf: who(scene), body: body(scene) })).data.id
const ann = ({ ann: uid }: Scene): string => uid
const bob = ({ bob: uid }: Scene): string => uid
const toBob = sendAs(ann, (scene) => toUser(scene.bob))
const toAnn = sendAs(bob, (scene) => toUser(scene.ann))
const inGroup = sendAs(ann, (scene) => toGroup(scene.group))
const tagged = sendAs(ann, (scene) => toUser(scene.bob, 'tagged', { tags: ['t'] }))
const turns = (...ways: readonly ((ground: Ground) => Promise<string>)[]) => {
  let turn = 0
  return (ground: Ground): Promise<string> => (ways[turn++ % ways.length] ?? toBob)(ground)
}
const removeMessage = ({ api }: Ground, id: string): Promise<unknown> =>
  api.ok('DELETE', `/messages/${id}`, { body: { permanent: true } })
const both = ['append', 'prepend'] as const
const messages = { add: toBob, remove: removeMessage, affixes: both }

const roots = new WeakMap<Scene, Promise<string>>()
/** One message of a scene, which replies and reactions hang on. */
const rootOf = (ground: Ground): Promise<string> => {
  const known = roots.get(ground.scene) ?? toBob(ground)
  roots.set(ground.scene, known)
  return known
}
const paths = new Map<Scene, string>()
const ofRoot = (end: string) => (scene: Scene) => `/messages/${paths.get(scene)}/${end}`
const replyIn = async (ground: Ground, root: string): Promise<string> =>
  (
    await ground.api.ok('POST', `/messages/${root}/thread`, {
      onBehalfOf: ground.scene.bob,
      body: toUser(ground.scene.ann),
    })
  ).data.id
let reactions = 0
const newThread = (root: (ground: Ground) => Promise<string>, body: (scene: Scene) => object) => async (g: Ground) => {
  const id = await root(g)
  await g.api.ok('POST', `/messages/${id}/thread`, { onBehalfOf: g.scene.bob, body: body(g.scene) })
  return id
}
const thread = newThread(toBob, (scene) => toUser(scene.ann))
const groupThread = newThread(inGroup, (scene) => toGroup(scene.group))
const threads = { affixes: both, isInclusive: true, as: ann }

const cursorLists: readonly CursorList[] = [
  { route: 'GET /messages', path: () => '/messages', isWide: true, ...messages },
  { route: 'GET /messages', path: () => '/messages', as: ann, ...messages, add: turns(toBob, inGroup, toAnn) },
  { route: 'GET /messages', path: () => '/messages', as: ann, query: { tags: 't' }, ...messages, add: tagged },
  { route: 'GET /messages', path: () => '/messages', as: ann, query: { unread: true }, ...messages, add: toAnn },
  {
    route: 'GET /messages',
    path: () => '/messages',
    query: { receiverType: 'group' },
    isWide: true,
    ...messages,
    add: inGroup,
  },
  { route: 'GET /users/:uid/messages', path: ({ bob: uid }) => `/users/${uid}/messages`, as: ann, ...messages },
  { route: 'GET /users/:uid/messages', path: ({ bob: uid }) => `/users/${uid}/messages`, ...messages },
  {
    route: 'GET /groups/:guid/messages',
    path: ({ group }) => `/groups/${group}/messages`,
    query: { category: 'message' },
    as: ann,
    ...messages,
    add: inGroup,
  },
  {
    route: 'GET /messages/:id/thread',
    path: ofRoot('thread'),
    as: ann,
    ...messages,
    add: async (ground) => replyIn(ground, await rootOf(ground)),
  },
  {
    route: 'GET /messages/:id/reactions',
    path: ofRoot('reactions'),
    as: ann,
    affixes: both,
    add: async (ground) => {
      const reaction = `r${(reactions++).toString(36)}`
      const root = await rootOf(ground)
      await ground.api.ok('POST', `/messages/${root}/reactions/${reaction}`, { onBehalfOf: ground.scene.bob })
      const list = await ground.api.ok('GET', `/messages/${root}/reactions`, { onBehalfOf: ground.scene.ann })
      return idsOf(list).at(-1) ?? ''
    },
    remove: async ({ api, scene }, id) => {
      const root = paths.get(scene)
      const list = await api.ok('GET', `/messages/${root}/reactions`, { onBehalfOf: scene.ann })
      const { reaction } = list.data.find((row: Json) => row.id === id)
      await api.ok('DELETE', `/messages/${root}/reactions/${reaction}`, { onBehalfOf: scene.bob })
    },
  },
  { route: 'GET /threads', path: () => '/threads', ...threads, add: turns(thread, groupThread) },
  { route: 'GET /users/:uid/threads', path: ({ bob: uid }) => `/users/${uid}/threads`, ...threads, add: thread },
  { route: 'GET /groups/:guid/threads', path: ({ group }) => `/groups/${group}/threads`, ...threads, add: groupThread },
  {
    route: 'GET /audit',
    path: () => '/audit',
    affixes: ['prepend'],
    cursor: 'before',
    isWide: true,
    add: async ({ api, scene }) => {
      await api.ok('PUT', `/users/${scene.ann}`, { body: { statusMessage: 'changed' } })
      return (await api.ok('GET', '/audit', { query: { limit: 1 } })).data[0].id
    },
  },
  {
    route: 'GET /deliveries',
    path: () => '/deliveries',
    affixes: ['prepend'],
    cursor: 'before',
    isWide: true,
    add: async (ground) => {
      const { api, scene } = ground
      // Nobody listens there: what is owed stays.
      const body = { uid: scene.bot, webhookURL: 'http://127.0.0.1:9/', enabled: true }
      const { status } = await api.call('GET', `/bots/${scene.bot}`)
      if (status !== 200) await api.ok('POST', '/bots', { body })
      const id = await sendAs(ann, () => toUser(scene.bot))(ground)
      return (await api.ok('GET', '/deliveries', { query: { messageId: id } })).data[0].id
    },
  },
]

const optionsOf = ({ as, query = {} }: CursorList, scene: Scene, more: Query): CallOptions => ({
  ...(as && { onBehalfOf: as(scene) }),
  query: { ...query, ...more },
})

/** All ids of a walk, oldest first. */
const walk = async (
  list: CursorList,
  { api, scene }: Ground,
  { affix, limit }: { affix: 'append' | 'prepend'; limit: number },
  between: () => Promise<void>,
): Promise<string[]> => {
  const seen: string[] = []
  const { isInclusive = false, cursor = 'id' } = list
  const size = isInclusive ? limit + 1 : limit
  for (let edge: string | undefined; ; ) {
    const at = edge === undefined ? {} : { [cursor]: edge }
    const direction = cursor === 'before' ? {} : { affix }
    const answer = await api.ok('GET', list.path(scene), optionsOf(list, scene, { ...direction, limit: size, ...at }))
    const ids = idsOf(answer)
    if (affix === 'prepend' && (isInclusive || cursor === 'before')) ids.reverse()
    const isLast = ids.length < size
    if (isInclusive && edge !== undefined) expect(affix === 'append' ? ids.shift() : ids.pop()).toBe(edge)
    if (affix === 'append') seen.push(...ids)
    else seen.unshift(...ids)
    edge = affix === 'append' ? seen.at(-1) : seen[0]
    if (isLast || edge === undefined) return seen
    await between()
  }
}

interface PageList {
  readonly route: string
  readonly path: (scene: Scene) => string
  readonly as?: (scene: Scene) => string
  readonly query?: Query
  /** What the list must show at least. */
  readonly make: (ground: Ground) => Promise<readonly string[]>
}

let made = 0
const six = async (one: (name: string) => Promise<string>): Promise<string[]> => {
  const ids: string[] = []
  for (let n = 0; n < 6; n++) ids.push(await one(`made-${++made}`))
  return ids
}
const makeUser = async (api: Api, uid: string): Promise<string> => {
  await api.ok('POST', '/users', { body: { uid, name: `Name ${uid.length}` } })
  return uid
}
const makeUsers = ({ api }: Ground): Promise<string[]> => six((uid) => makeUser(api, uid))
const related =
  (end: string, bodyOf: (uids: readonly string[]) => object) =>
  async (ground: Ground): Promise<string[]> => {
    const uids = await makeUsers(ground)
    await ground.api.ok('POST', `/users/${ground.scene.ann}/${end}`, { body: bodyOf(uids) })
    return uids
  }

const pageLists: readonly PageList[] = [
  { route: 'GET /users', path: () => '/users', make: makeUsers },
  { route: 'GET /users', path: () => '/users', as: ann, query: { sortBy: 'name', sortOrder: 'desc' }, make: makeUsers },
  {
    route: 'GET /groups',
    path: () => '/groups',
    make: ({ api }) =>
      six(
        async (guid) => (await api.ok('POST', '/groups', { body: { guid, name: 'Same', type: 'public' } })).data.guid,
      ),
  },
  {
    route: 'GET /groups/:guid/members',
    path: ({ group }) => `/groups/${group}/members`,
    make: async (ground) => {
      const participants = await makeUsers(ground)
      await ground.api.ok('POST', `/groups/${ground.scene.group}/members`, { body: { participants } })
      return participants
    },
  },
  {
    route: 'GET /groups/:guid/bannedusers',
    path: ({ group }) => `/groups/${group}/bannedusers`,
    make: async (ground) => {
      const usersToBan = await makeUsers(ground)
      await ground.api.ok('POST', `/groups/${ground.scene.group}/members`, { body: { usersToBan } })
      return usersToBan
    },
  },
  {
    route: 'GET /users/:uid/friends',
    path: (s) => `/users/${s.ann}/friends`,
    make: related('friends', (accepted) => ({ accepted })),
  },
  {
    route: 'GET /users/:uid/blockedusers',
    path: (s) => `/users/${s.ann}/blockedusers`,
    make: related('blockedusers', (blockedUids) => ({ blockedUids })),
  },
  {
    route: 'GET /users/:uid/blockedusers',
    path: (s) => `/users/${s.ann}/blockedusers`,
    query: { direction: 'both' },
    make: related('blockedusers', (blockedUids) => ({ blockedUids })),
  },
  {
    route: 'GET /blockedusers',
    path: () => '/blockedusers',
    as: ann,
    make: related('blockedusers', (blockedUids) => ({ blockedUids })),
  },
  {
    route: 'GET /conversations',
    path: () => '/conversations',
    as: ann,
    make: async (ground) => {
      const uids = await makeUsers(ground)
      const ids: string[] = []
      for (const uid of uids) ids.push((await sendTo(ground, uid)).conversationId)
      return ids
    },
  },
  {
    route: 'GET /conversations',
    path: () => '/conversations',
    make: async (ground) => [(await sendTo(ground, ground.scene.cara)).conversationId],
  },
  {
    route: 'GET /roles',
    path: () => '/roles',
    make: ({ api }) => six(async (role) => (await api.ok('POST', '/roles', { body: { role, name: role } })).data.role),
  },
  {
    route: 'GET /webhooks',
    path: () => '/webhooks',
    make: ({ api }) =>
      six(async (name) => {
        const id = name.replace('-', '_')
        await api.ok('POST', '/webhooks', { body: { id, name, webhookURL: 'https://hook.example' } })
        return id
      }),
  },
  {
    route: 'GET /bots',
    path: () => '/bots',
    make: ({ api }) =>
      six(async (name) => {
        const uid = await makeUser(api, name)
        await api.ok('POST', '/bots', { body: { uid, webhookURL: 'https://bot.example/callback' } })
        return uid
      }),
  },
  {
    route: 'GET /apikeys',
    path: () => '/apikeys',
    make: ({ api }) => six(async (name) => (await api.ok('POST', '/apikeys', { body: { name } })).data.apiKey),
  },
  {
    route: 'GET /users/:uid/auth_tokens',
    path: (s) => `/users/${s.ann}/auth_tokens`,
    make: ({ api, scene }) =>
      six(
        async () => (await api.ok('POST', `/users/${scene.ann}/auth_tokens`, { body: { force: true } })).data.authToken,
      ),
  },
]

const sendTo = async ({ api, scene }: Ground, uid: string): Promise<Json> =>
  (await api.ok('POST', '/messages', { onBehalfOf: scene.ann, body: toUser(uid) })).data

/** Lists without pages, or with what another test shows. */
const others: Readonly<Record<string, string>> = {
  'GET /bots/:uid/updates': 'test/delivery/updates.test.ts, and the test below',
  'GET /roles/:role/restrictedfeatures': 'has no pages',
  'GET /roles/:role/permissions': 'has no pages',
  'GET /groups/:guid/scopes/:scope/permissions': 'has no pages',
  'GET /messages/:id/flags': 'has no pages: one per user who reported it',
  'GET /webhooks/:webhookId/triggers': 'has no pages: there are only so many triggers',
  'GET /apps/:appId/webhooks/:webhookId/triggers': 'the same under another path',
  'GET /apps/:appId/webhooks': 'the same as without the app',
  'GET /messages/:id/reactions/:reaction': 'the same list as without the reaction, with a condition',
}

const keyOf = (row: Json): string =>
  row.conversationId !== undefined && row.conversationWith !== undefined
    ? row.conversationId
    : (row.authToken ?? row.apiKey ?? row.guid ?? row.uid ?? row.role ?? row.id)

const isList = (answer: Json): boolean =>
  answer.properties?.data?.type === 'array' || (answer.anyOf ?? []).some((one: Json) => isList(one))

test('no list of the table of routes is missing here', () => {
  const here = new Set([...cursorLists, ...pageLists].map(({ route }) => route).concat(Object.keys(others)))
  const listed = routes.filter((route) => route.method === 'GET' && isList(route.answer)).map(nameOf)
  expect(listed.length).toBeGreaterThan(20)
  expect(listed.filter((name) => !here.has(name))).toEqual([])
  expect([...here].filter((name) => !listed.includes(name))).toEqual([])
})

describeEngines('lists', (engine) => {
  let server: TestServer
  let api: Api
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server.dispose())
  /** Without the bot of the scene: an app may have only so many. */
  const makeGround = async (): Promise<Ground> => {
    const scene = await makeScene(api)
    await api.ok('DELETE', `/bots/${scene.bot}`)
    return { api, scene }
  }

  const nameOfList = ({ route, as, query }: { route: string; as?: unknown; query?: Query | undefined }): string =>
    [route, ...(as ? ['for a user'] : []), ...(query ? [JSON.stringify(query)] : [])].join(' ')

  test.each(cursorLists.map((list) => [nameOfList(list), list] as const))('%s: by cursor', async (_, list) => {
    const ground = await makeGround()
    paths.set(ground.scene, await rootOf(ground))
    const plan = fc.record({
      before: fc.integer({ min: 1, max: 4 }),
      steps: fc.array(fc.constantFrom('add', 'add', 'remove'), { maxLength: 4 }),
      which: fc.nat(),
      limit: list.isWide ? fc.integer({ min: 20, max: 40 }) : fc.integer({ min: 1, max: 4 }),
      affix: fc.constantFrom(...list.affixes),
    })
    const mine = new Set<string>()
    const run = fc.asyncProperty(plan, async ({ before, steps, which, ...page }) => {
      for (let n = 0; n < before; n++) mine.add(await list.add(ground))
      const throughout = new Set(mine)
      const left = [...steps]
      const seen = await walk(list, ground, page, async () => {
        const step = left.shift()
        if (step === 'add') mine.add(await list.add(ground))
        const gone = [...mine][which % mine.size]
        if (step !== 'remove' || list.remove === undefined || gone === undefined) return
        await list.remove(ground, gone)
        mine.delete(gone)
        throughout.delete(gone)
      })
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.filter((id) => throughout.has(id))).toEqual([...throughout])
    })
    await fc.assert(run, { numRuns: 6, seed: 11, endOnFailure: true })
  })

  const ofMessages = cursorLists.filter(({ route }) => route.includes('messages') && !route.endsWith('reactions'))
  test.each(ofMessages.map((list) => [nameOfList(list), list] as const))('%s: by page', async (_, list) => {
    const ground = await makeGround()
    paths.set(ground.scene, await rootOf(ground))
    for (let n = 0; n < 5; n++) await list.add(ground)
    const read = (query: Query): Promise<Json> =>
      api.ok('GET', list.path(ground.scene), optionsOf(list, ground.scene, query))
    const all = idsOf(await read({ limit: 1000 }))
    expect(all.length).toBeGreaterThanOrEqual(5)
    for (const affix of list.affixes) {
      const seen: string[] = []
      const limit = list.isWide ? Math.ceil(all.length / 3) : 2
      for (let page = 1; ; page++) {
        const answer = await read({ affix, limit, page })
        seen.splice(affix === 'append' ? seen.length : 0, 0, ...idsOf(answer))
        const { count, current_page, total_pages } = answer.meta.pagination
        expect([count, current_page]).toEqual([idsOf(answer).length, page])
        if (page >= total_pages) break
      }
      expect(seen).toEqual(all)
    }
    await api.fails('ERR_BAD_REQUEST', 'GET', list.path(ground.scene), optionsOf(list, ground.scene, { page: 102 }))
  })

  test('GET /groups: by the time of the last change, from either end, whatever is added meanwhile', async () => {
    let rounds = 0
    const plan = fc.record({
      times: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 9 }),
      later: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
      affix: fc.constantFrom('append', 'prepend'),
      perPage: fc.integer({ min: 1, max: 4 }),
    })
    const run = fc.asyncProperty(plan, async ({ times, later, affix, perPage }) => {
      const searchKey = `round${++rounds}x`
      const timeOf = new Map<string, number>()
      const add = async (time: number): Promise<void> => {
        const guid = `${searchKey}${timeOf.size}`
        timeOf.set(guid, time)
        const groups = { [guid]: { guid, name: 'x', type: 'public', createdAt: 1_600_000_000 + time } }
        await api.ok('POST', '/data_import/groups', { body: { groups } })
      }
      for (const time of times) await add(time)
      const throughout = [...timeOf.keys()]
      const left = [...later]
      const seen: string[] = []
      for (let updatedAt: number | undefined; ; ) {
        const query = { searchKey, affix, perPage, ...(updatedAt !== undefined && { updatedAt }) }
        const { data, cursor } = await api.ok('GET', '/groups', { query })
        if (data.length === 0) break
        seen.splice(affix === 'append' ? seen.length : 0, 0, ...data.map(keyOf))
        expect(cursor.affix).toBe(affix)
        updatedAt = cursor.updatedAt
        const next = left.shift()
        if (next !== undefined) await add(next)
      }
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.filter((guid) => throughout.includes(guid)).sort()).toEqual(throughout.sort())
      const shown = seen.map((guid) => timeOf.get(guid) ?? 0)
      expect(shown).toEqual(shown.toSorted((one, other) => one - other))
    })
    await fc.assert(run, { numRuns: 20, seed: 7, endOnFailure: true })
  })

  test.each(pageLists.map((list) => [nameOfList(list), list] as const))('%s: by page', async (_, list) => {
    const ground = await makeGround()
    const wanted = await list.make(ground)
    const read = (page: number, perPage: number): Promise<Json> => {
      const query = { ...list.query, page, perPage }
      return api.ok('GET', list.path(ground.scene), { query, ...(list.as && { onBehalfOf: list.as(ground.scene) }) })
    }
    const all = (await read(1, 1000)).data.map(keyOf)
    expect(all).toEqual(expect.arrayContaining([...wanted]))
    for (const perPage of [2, 5, all.length]) {
      const seen: string[] = []
      for (let page = 1; ; page++) {
        const { data, meta } = await read(page, perPage)
        expect(meta.pagination).toMatchObject({ total: all.length, total_pages: Math.ceil(all.length / perPage) })
        seen.push(...data.map(keyOf))
        if (page >= meta.pagination.total_pages) break
      }
      expect(seen).toEqual(all)
      expect(new Set(seen).size).toBe(seen.length)
    }
  })

  test('updates are handed out once and in order, whatever is sent meanwhile', async () => {
    const ground = await makeGround()
    const bot = await makeUser(api, `puller-${++made}`)
    await api.ok('POST', '/bots', { body: { uid: bot, receive: 'pull', enabled: true } })
    const sent: string[] = []
    for (let n = 0; n < 5; n++) sent.push((await sendTo(ground, bot)).id)
    const seen: string[] = []
    for (let offset: number | undefined; ; ) {
      const query = { limit: 2, ...(offset !== undefined && { offset }) }
      const { data, meta } = await api.ok('GET', `/bots/${bot}/updates`, { query })
      if (data.length === 0) break
      seen.push(...data.map((update: Json) => update.callback.data?.id ?? update.callback.data?.message?.id))
      offset = meta.next.offset
      if (sent.length < 8) sent.push((await sendTo(ground, bot)).id)
    }
    expect(seen).toEqual(sent)
  })
})
