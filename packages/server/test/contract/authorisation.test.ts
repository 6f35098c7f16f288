/**
 * Who gets in, over the whole table of routes: what a route declares decides for whom it opens, and what a user is given
 * holds nothing of somebody else.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Route } from '../../src/http/route.ts'
import { type Answer, Api, type CallOptions, type Json } from '../support/api.ts'
import { call, callBody, sessionIn } from '../support/calling.ts'
import { rightBody, rightNames } from '../support/faults/right.ts'
import { makeWorld, type World } from '../support/faults/world.ts'
import { nameOf, routes } from '../support/routes.ts'
import { digestOf, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, type Engine, startServer, type TestServer } from '../support/server.ts'

type Verdict =
  | 'open'
  | 'AUTH_ERR_EMPTY_APIKEY'
  | 'AUTH_ERR_EMPTY_AUTH_HEADER'
  | 'AUTH_ERR_EMPTY_AUTH_TOKEN'
  | 'AUTH_ERR_APIKEY_NOT_FOUND'
  | 'AUTH_ERR_AUTH_TOKEN_NOT_FOUND'
  | 'AUTH_ERR_NO_ACCESS'

interface Credential {
  readonly options: CallOptions
  /** What a route must answer, by what it declares. */
  readonly verdict: (route: Route) => Verdict
}

const openIf = (isOpen: boolean): Verdict => (isOpen ? 'open' : 'AUTH_ERR_NO_ACCESS')
const always = (verdict: Verdict) => (): Verdict => verdict

/** Two apps in one store; the server's own is the second. */
const startWithTwoApps = async (engine: Engine): Promise<{ first: TestServer; server: TestServer }> => {
  const first = await startServer({ engine })
  await first.stop()
  const { dataDir, databaseUrl } = first
  const server = await startServer({ engine, ...(dataDir && { dataDir }), ...(databaseUrl && { databaseUrl }) })
  return { first, server }
}

const pathOf = (route: Route, names: Readonly<Record<string, string>>): string =>
  route.path.replace(/:(\w+)/g, (_, name: string) => names[name] ?? '')

/** In what ann and bob have said, and in what their group says of itself. */
const MARK = 'hush-hush'
const PROFILE_MARK = 'hushed-profile'

interface Others {
  readonly names: Readonly<Record<string, string>>
  /** A private group of ann and bob, in which they have spoken. */
  readonly group: string
  readonly ann: string
  readonly bob: string
  readonly mallory: string
}

/**
 * What a user gets who aims at what belongs to others: a private group without them, messages that are not theirs, the
 * users themselves. A code: it is refused. `nothing`: it is answered, with nothing of others in it, and nothing of theirs
 * is other than before.
 */
const aimedAtOthers: Readonly<Record<string, string>> = {
  'GET /users': 'nothing',
  'GET /users/:uid': 'nothing',
  'GET /me': 'nothing',
  'PUT /me': 'nothing',
  'DELETE /me': 'nothing',
  'GET /settings': 'nothing',
  'POST /blockedusers': 'nothing',
  'GET /blockedusers': 'nothing',
  'DELETE /blockedusers': 'nothing',
  'POST /groups': 'ERR_GUID_ALREADY_EXISTS',
  'GET /groups': 'nothing',
  'GET /groups/:guid': 'ERR_GROUP_NOT_JOINED',
  'PUT /groups/:guid': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid': 'ERR_GROUP_NOT_JOINED',
  'POST /groups/:guid/members': 'ERR_GROUP_NOT_JOINED',
  'PUT /groups/:guid/members': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid/members': 'ERR_GROUP_NOT_JOINED',
  'PATCH /groups/:guid/owner': 'ERR_GROUP_NO_CLEARANCE',
  'GET /groups/:guid/members': 'ERR_GROUP_NOT_JOINED',
  'PUT /groups/:guid/members/:uid': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid/members/:uid': 'ERR_GROUP_NOT_JOINED',
  'POST /groups/:guid/bannedusers/:uid': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid/bannedusers/:uid': 'ERR_GROUP_NOT_JOINED',
  'GET /groups/:guid/bannedusers': 'ERR_GROUP_NOT_JOINED',
  'POST /messages': 'ERR_GROUP_NOT_JOINED',
  'GET /messages': 'nothing',
  'GET /messages/:id': 'ERR_MESSAGE_NO_ACCESS',
  'PUT /messages/:id': 'ERR_MESSAGE_NO_ACCESS',
  'DELETE /messages/:id': 'ERR_MESSAGE_NO_ACCESS',
  'GET /users/:uid/messages': 'nothing',
  'GET /groups/:guid/messages': 'ERR_GROUP_NOT_JOINED',
  'POST /messages/:id/thread': 'ERR_WRONG_MESSAGE_THREAD',
  'GET /messages/:id/thread': 'ERR_MESSAGE_NO_ACCESS',
  'POST /messages/:id/thread/subscription': 'ERR_MESSAGE_NO_ACCESS',
  'DELETE /messages/:id/thread/subscription': 'ERR_MESSAGE_NO_ACCESS',
  'GET /threads': 'nothing',
  'GET /users/:uid/threads': 'nothing',
  'GET /groups/:guid/threads': 'ERR_GROUP_NOT_JOINED',
  'POST /messages/:id/reactions/:reaction': 'ERR_MESSAGE_NO_ACCESS',
  'POST /messages/:id/reactions': 'ERR_MESSAGE_NO_ACCESS',
  'DELETE /messages/:id/reactions/:reaction': 'ERR_MESSAGE_NO_ACCESS',
  'GET /messages/:id/reactions': 'ERR_MESSAGE_NO_ACCESS',
  'GET /messages/:id/reactions/:reaction': 'ERR_MESSAGE_NO_ACCESS',
  'PATCH /messages/:id/interacted': 'ERR_MESSAGE_NO_ACCESS',
  'POST /messages/:id/flagged': 'ERR_MESSAGE_NO_ACCESS',
  'POST /messages/:id/pin': 'ERR_MESSAGE_NO_ACCESS',
  'DELETE /messages/:id/pin': 'ERR_MESSAGE_NO_ACCESS',
  'POST /messages/:id/save': 'ERR_MESSAGE_NO_ACCESS',
  'DELETE /messages/:id/save': 'ERR_MESSAGE_NO_ACCESS',
  'GET /conversations': 'nothing',
  'GET /conversations/:conversationId': 'ERR_CONVERSATION_NOT_FOUND',
  'DELETE /conversations/:conversationId': 'ERR_CONVERSATION_NOT_FOUND',
  'GET /users/:uid/conversation': 'ERR_CONVERSATION_NOT_ACCESSIBLE',
  'PUT /users/:uid/conversation': 'ERR_CONVERSATION_NOT_ACCESSIBLE',
  'DELETE /users/:uid/conversation': 'ERR_CONVERSATION_NOT_ACCESSIBLE',
  'POST /users/:uid/conversation/delivered': 'nothing',
  'POST /users/:uid/conversation/read': 'nothing',
  'DELETE /users/:uid/conversation/read': 'ERR_CONVERSATION_NOT_ACCESSIBLE',
  'POST /users/:uid/conversation/pin': 'ERR_CONVERSATION_NOT_ACCESSIBLE',
  'DELETE /users/:uid/conversation/pin': 'ERR_CONVERSATION_NOT_ACCESSIBLE',
  'GET /groups/:guid/conversation': 'ERR_GROUP_NOT_JOINED',
  'PUT /groups/:guid/conversation': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid/conversation': 'ERR_GROUP_NOT_JOINED',
  'POST /groups/:guid/conversation/delivered': 'ERR_GROUP_NOT_JOINED',
  'POST /groups/:guid/conversation/read': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid/conversation/read': 'ERR_GROUP_NOT_JOINED',
  'POST /groups/:guid/conversation/pin': 'ERR_GROUP_NOT_JOINED',
  'DELETE /groups/:guid/conversation/pin': 'ERR_GROUP_NOT_JOINED',
  'POST /calls': 'ERR_GROUP_NOT_JOINED',
  'PUT /calls/:sessionId': 'ERR_CALL_NOT_A_PART',
  'GET /calls/:sessionId': 'ERR_CALL_NOT_A_PART',
  'POST /files/upload-url': 'nothing',
}

describeEngines('authorisation', (engine) => {
  let first: TestServer
  let server: TestServer
  let api: Api
  let world: World
  let credentials: Readonly<Record<string, Credential>>

  const tokenOf = async (uid: string): Promise<string> =>
    (await api.ok('POST', `/users/${uid}/auth_tokens`, { body: { force: true } })).data.authToken

  const makeCredentials = async (): Promise<Readonly<Record<string, Credential>>> => {
    await api.ok('POST', '/users', { body: { uid: 'retired', name: 'Retired' } })
    const retired = await tokenOf('retired')
    await api.ok('DELETE', '/users', { body: { uidsToDeactivate: ['retired'] } })
    const deleted = await tokenOf(world.bob)
    await api.ok('GET', '/users', { token: deleted })
    await api.ok('DELETE', `/users/${world.bob}/auth_tokens/${deleted}`)
    const forUsers = (route: Route): Verdict => openIf(route.forUsers)
    return {
      'no credentials': {
        options: { key: null },
        verdict: ({ path }) => (path.startsWith('/apps/') ? 'AUTH_ERR_EMPTY_AUTH_HEADER' : 'AUTH_ERR_EMPTY_APIKEY'),
      },
      'an empty token': { options: { token: '' }, verdict: always('AUTH_ERR_EMPTY_AUTH_TOKEN') },
      'the key of another app': { options: { key: first.restApiKey }, verdict: always('AUTH_ERR_APIKEY_NOT_FOUND') },
      'a key of scope authOnly': {
        options: { key: server.authKey },
        verdict: ({ access }) => openIf(access === 'authOnly'),
      },
      'a key of scope fullAccess': { options: {}, verdict: always('open') },
      'their own token': { options: { token: await tokenOf(world.ann) }, verdict: forUsers },
      'the token of another user': { options: { token: await tokenOf(world.outsider) }, verdict: forUsers },
      'the token of a bot': { options: { token: await tokenOf(world.bot) }, verdict: forUsers },
      'the token of a deactivated user': {
        options: { token: retired },
        verdict: always('AUTH_ERR_AUTH_TOKEN_NOT_FOUND'),
      },
      'a deleted token': { options: { token: deleted }, verdict: always('AUTH_ERR_AUTH_TOKEN_NOT_FOUND') },
    }
  }

  beforeAll(async () => {
    const started = await startWithTwoApps(engine)
    first = started.first
    server = started.server
    api = new Api(server)
    world = await makeWorld(api)
    credentials = await makeCredentials()
  }, 120_000)
  afterAll(async () => {
    await server?.dispose()
    await first?.dispose()
  })

  describe('of every route', () => {
    /** As it would be right: if it got through, it would do something. */
    const rightly = (route: Route, options: CallOptions): Promise<Answer> => {
      const body = rightBody(route, world)
      const onBehalfOf = route.onBehalfOf === 'none' ? undefined : world.ann
      return api.call(route.method, pathOf(route, rightNames(route, world)), {
        onBehalfOf,
        ...(body !== undefined && { body }),
        ...options,
      })
    }
    /** Who gets in is told that this is no JSON; what has no body to be wrong only reads. */
    const brokenly = (route: Route, options: CallOptions): Promise<Answer> =>
      route.method === 'GET'
        ? rightly(route, options)
        : api.call(route.method, pathOf(route, rightNames(route, world)), { rawBody: '{', ...options })

    test('whoever may not call it is told so, and changes nothing', { timeout: 120_000 }, async () => {
      const before = await digestOf(api)
      const found: string[] = []
      const expected: string[] = []
      for (const route of routes) {
        for (const [who, { options, verdict }] of Object.entries(credentials)) {
          const due = verdict(route)
          if (due === 'open') continue
          const { json } = await rightly(route, options)
          expected.push(`${nameOf(route)}, ${who}: ${due}`)
          found.push(`${nameOf(route)}, ${who}: ${json?.error?.code}`)
        }
      }
      expect(found).toEqual(expected)
      expect(found.length).toBeGreaterThan(routes.length * 4)
      expect(await digestOf(api)).toBe(before)
    })

    test('whoever may call it gets past the door', { timeout: 120_000 }, async () => {
      const before = await digestOf(api)
      const notOpen: string[] = []
      let tried = 0
      for (const route of routes) {
        for (const [who, { options, verdict }] of Object.entries(credentials)) {
          if (verdict(route) !== 'open') continue
          tried += 1
          const { status, json } = await brokenly(route, options)
          const code = json?.error?.code ?? status
          const isIn = route.method === 'GET' ? !String(code).startsWith('AUTH_') : code === 'ERR_BAD_REQUEST'
          if (!isIn) notOpen.push(`${nameOf(route)}, ${who}: ${code}`)
        }
      }
      expect(notOpen).toEqual([])
      expect(tried).toBeGreaterThan(routes.length)
      expect(await digestOf(api)).toBe(before)
    })
  })

  describe('of what belongs to others', () => {
    const forUsers = routes.filter((route) => route.forUsers)
    let others: Others
    let token: string

    const makeOthers = async (): Promise<Others> => {
      const [ann, bob, mallory, group] = ['hushed-ann', 'hushed-bob', 'mallory', 'hushed']
      for (const uid of [ann, bob, mallory]) await api.ok('POST', '/users', { body: { uid, name: uid } })
      const metadata = { secret: PROFILE_MARK }
      const about = { guid: group, name: PROFILE_MARK, type: 'private', owner: ann, metadata, tags: [PROFILE_MARK] }
      await api.ok('POST', '/groups', { body: { ...about, members: { participants: [bob] } } })
      await api.ok('POST', '/groups', { body: { guid: 'open', name: 'Open', owner: ann } })
      const send = async (body: object): Promise<string> =>
        (await api.ok('POST', '/messages', { body, onBehalfOf: ann })).data.id
      const id = await send(toUser(bob, MARK))
      await send(toUser(bob, `${MARK} reply`, { parentMessageId: id }))
      const inGroup = await send(toGroup(group, MARK))
      await send(toGroup(group, `${MARK} reply`, { parentMessageId: inGroup }))
      await api.ok('POST', `/messages/${id}/reactions/x`, { onBehalfOf: bob })
      await api.ok('POST', `/messages/${id}/pin`, { onBehalfOf: ann })
      await api.ok('POST', `/messages/${id}/save`, { onBehalfOf: ann })
      await api.ok('POST', `/users/${ann}/blockedusers`, { body: { blockedUids: [world.cara] } })
      for (const of of [`users/${bob}`, `groups/${group}`]) {
        await api.ok('PUT', `/${of}/conversation`, { onBehalfOf: ann, body: { tags: [MARK] } })
      }
      const sessionId = sessionIn(await call(api, ann, callBody(group, 'group')))
      const names = { uid: ann, guid: group, id, sessionId, reaction: 'x', conversationId: `${ann}_user_${bob}` }
      return { names, group, ann, bob, mallory }
    }

    /** All that ann, bob and their group have. */
    const theirs = async (): Promise<string> => {
      const { ann, bob, group, names } = others
      const paths = [
        ...[`/users/${bob}`, `/groups/${group}`, `/groups/${group}/members`, `/groups/${group}/bannedusers`],
        ...[
          `/groups/${group}/messages`,
          `/users/${bob}/messages`,
          `/messages/${names.id}`,
          '/threads',
          '/blockedusers',
        ],
        ...[`/messages/${names.id}/reactions`, `/messages/${names.id}/thread`, `/users/${bob}/conversation`],
        ...[`/groups/${group}/conversation`],
      ]
      const parts: Json[] = []
      for (const path of paths) parts.push((await api.ok('GET', path, { onBehalfOf: ann })).data)
      for (const path of [`/users/${ann}/friends`, `/users/${bob}/blockedusers`, `/users/${ann}/auth_tokens`]) {
        parts.push((await api.ok('GET', path)).data)
      }
      return JSON.stringify(parts, (key, value) => (key === 'lastActiveAt' ? undefined : value))
    }

    beforeAll(async () => {
      others = await makeOthers()
      token = await tokenOf(others.mallory)
    }, 60_000)

    const bodyOf = (route: Route): unknown => {
      const { ann, bob, group, mallory } = others
      if (route.path === '/groups') return { guid: group, name: 'mine now' }
      if (route.path.endsWith('/members') && route.method === 'POST') return { participants: [mallory] }
      if (route.path === '/blockedusers') return { blockedUids: [ann] }
      if (route.path === '/calls') return callBody(group, 'group')
      if (route.path === '/messages') return toGroup(group, 'let me in')
      if (route.path.endsWith('/thread')) return toUser(bob, 'let me in')
      return rightBody(route, { ...world, ann, bob, group, message: others.names.id ?? '' })
    }

    test('the table has a row for every route that is for users, and no other', () => {
      expect(Object.keys(aimedAtOthers).sort()).toEqual(forUsers.map(nameOf).sort())
    })

    test('the mark is there to be seen by those whom it concerns', async () => {
      expect((await theirs()).split(MARK).length).toBeGreaterThan(8)
    })

    test.each(forUsers.map((route) => [nameOf(route), route] as const))('%s', async (name, route) => {
      const before = await theirs()
      const body = bodyOf(route)
      const isMember = /members|bannedusers/.test(route.path)
      const names = { ...others.names, ...(isMember && { uid: others.bob }) }
      for (const query of route.method === 'GET' ? [{}, { searchKey: 'hush', tags: PROFILE_MARK }] : [{}]) {
        const answer = await api.call(route.method, pathOf(route, names), {
          token,
          query,
          // It says nothing where a token does.
          onBehalfOf: others.ann,
          ...(body !== undefined && route.method !== 'GET' && { body }),
        })
        const got = answer.json?.error?.code ?? 'nothing'
        expect(answer.text).not.toContain(MARK)
        expect(answer.text).not.toContain(PROFILE_MARK)
        if (Object.keys(query).length === 0 || got !== 'ERR_BAD_REQUEST')
          expect([name, got]).toEqual([name, aimedAtOthers[name]])
      }
      expect(await theirs()).toBe(before)
    })
  })
})
