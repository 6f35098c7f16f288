/**
 * What `docs/reference` says of the API is so: every error that the page names for a route is asked of the server, and the
 * published description of the API is the one that is served.
 */
import { readFileSync } from 'node:fs'
import { defaultLimits, limits } from '@confab/protocol'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Route } from '../../src/http/route.ts'
import { expanded } from '../../src/testing/described.ts'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { loweredEnv } from '../support/faults/limits.ts'
import { requestOf } from '../support/faults/requests.ts'
import { makeWorld, type World } from '../support/faults/world.ts'
import { nameOf, routes } from '../support/routes.ts'
import { idsOf, makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

const read = (name: string): string =>
  readFileSync(new URL(`../../../../docs/reference/${name}`, import.meta.url), 'utf8')

// The page --------------------------------------------------------------------------------------------------------

const page = read('contract.md')
const section = (heading: string): string => {
  const [, text = ''] = page.split(`\n## ${heading}\n`)
  return text.split('\n## ')[0] ?? ''
}
const codesIn = (text: string): string[] => [...text.matchAll(/`((?:AUTH_)?ERR_\w+)`/g)].map(([, code = '']) => code)

interface Row {
  readonly route: Route
  readonly cells: readonly string[]
  readonly errors: readonly string[]
}

/** As the page names a route: `GET /users/{uid}`. */
const titleOf = ({ method, path }: Route): string => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`

const contentErrors = codesIn(section('What a message holds'))
const rowOf = (line: string): Row => {
  const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
  const [, title = '', , , , , errors = ''] = cells
  const route = routes.find((one) => title.startsWith(`\`${titleOf(one)}\``))
  if (route === undefined) throw new Error(`the page tells of a route that is not there: ${title}`)
  const all = errors.includes('(#what-a-message-holds)') ? [...codesIn(errors), ...contentErrors] : codesIn(errors)
  return { route, cells, errors: [...new Set(all)] }
}
const rows = [...page.matchAll(/^\| `(?:GET|POST|PUT|PATCH|DELETE) .*$/gm)].map(([line]) => rowOf(line))

describe('the page', () => {
  test('has every route once, and says who may call it', () => {
    expect(rows.map(({ route }) => nameOf(route)).sort()).toEqual(routes.map(nameOf).sort())
    for (const { route, cells } of rows) {
      const { access, forUsers, onBehalfOf } = route
      expect([nameOf(route), cells[2], cells[3]]).toEqual([
        nameOf(route),
        `${access === 'authOnly' ? 'any' : '`fullAccess`'}${forUsers ? ' or token' : ''}`,
        { none: '–', optional: 'may', required: 'must' }[onBehalfOf],
      ])
    }
  })

  test('shows every field that a route takes', () => {
    for (const { body, query } of routes) {
      for (const schema of [body, query]) {
        const { properties = {}, anyOf = [] } = (schema ?? {}) as {
          properties?: object
          anyOf?: { properties?: object }[]
        }
        for (const name of Object.keys(Object.assign({}, properties, ...anyOf.map((branch) => branch.properties)))) {
          expect(page).toContain(`| \`${name}\` |`)
        }
      }
    }
  })

  test('every object that it refers to is there', () => {
    const anchors = new Set([...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => `#${slugOf(title)}`))
    const links = [...page.matchAll(/\]\((#[^)]*)\)/g)].map(([, target = '']) => target)
    expect(links.length).toBeGreaterThan(100)
    expect(links.filter((target) => !anchors.has(target))).toEqual([])
  })
})

const slugOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

const pairs = rows.flatMap(({ route, errors }) =>
  errors.map((code) => ({ title: `${nameOf(route)} ${code}`, route, code })),
)

describeEngines('the errors of the page', (engine) => {
  let server: TestServer
  let world: World
  beforeAll(async () => {
    server = await startServer({ engine, env: loweredEnv })
    world = await makeWorld(new Api(server))
  })
  afterAll(() => server?.dispose())

  test.each(pairs)('$title', async ({ route, code }) => {
    const [path, options] = await requestOf(route, code, world)
    await world.api.fails(code, route.method, path, options)
  })
})

// Choices that no other suite shows -------------------------------------------------------------------------------

describeEngines('what the page says of our choices', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  test('the order in which a request is checked', async () => {
    const path = '/messages/1/thread'
    const wrong = { appId: 'other', key: null, rawBody: '{', query: {} }
    await api.fails('AUTH_ERR_INVALID_APPID', 'POST', path, wrong)
    await api.fails('AUTH_ERR_EMPTY_APIKEY', 'POST', path, { ...wrong, appId: server.appId })
    await api.fails('AUTH_ERR_NO_ACCESS', 'POST', path, { rawBody: '{', key: server.authKey })
    const detailsOf = async (options: CallOptions): Promise<string[]> =>
      Object.keys((await api.fails('ERR_BAD_REQUEST', 'POST', path, options)).details)
    expect(await detailsOf({ rawBody: '{' })).toEqual(['body'])
    expect(await detailsOf({ body: [] })).toEqual(['onBehalfOf'])
    expect(await detailsOf({ body: [], onBehalfOf: 'nobody' })).toEqual(['body'])
    await api.fails('ERR_UID_NOT_FOUND', 'POST', path, { body: toUser(scene.bob), onBehalfOf: 'nobody' })
  })

  test('messages that tell of edits and deletions are listed where they are asked for', async () => {
    const { ann, bob } = scene
    const { id } = (await api.ok('POST', '/messages', { body: toUser(bob), onBehalfOf: ann })).data
    const edit = (await api.ok('PUT', `/messages/${id}`, { body: { tags: ['x'] } })).data.id
    const deletion = (await api.ok('DELETE', `/messages/${id}`)).data.id
    const conversationId = `${ann}_user_${bob}`
    const list = async (more: object) => idsOf(await api.ok('GET', '/messages', { query: { conversationId, ...more } }))
    expect(await list({})).toEqual([id])
    expect(await list({ category: 'action' })).toEqual([])
    expect(await list({ type: 'message' })).toEqual([edit, deletion])
  })

  test('others see who is in a group, but for private ones, and not what is said in any', async () => {
    const { ann, bob } = scene
    await api.ok('POST', '/groups', { body: { guid: 'cellar', name: 'x', type: 'private', owner: ann } })
    for (const path of ['/groups/cellar', '/groups/cellar/members', '/groups/cellar/messages']) {
      await api.fails('ERR_GROUP_NOT_JOINED', 'GET', path, { onBehalfOf: bob })
    }
    expect(idsOf(await api.ok('GET', '/groups', { onBehalfOf: bob }))).not.toContain('cellar')
    await api.ok('POST', '/groups', { body: { guid: 'porch', name: 'x', owner: ann } })
    expect((await api.ok('GET', '/groups/porch', { onBehalfOf: bob })).data.hasJoined).toBe(false)
    expect(idsOf(await api.ok('GET', '/groups/porch/members', { onBehalfOf: bob }))).toEqual([ann])
    await api.fails('ERR_GROUP_NOT_JOINED', 'GET', '/groups/porch/messages', { onBehalfOf: bob })
  })

  test('a group is public unless told, and tells nothing of the members it began with', async () => {
    const { ann, bob } = scene
    const body = { guid: 'begun', name: 'x', members: { participants: [ann] } }
    expect((await api.ok('POST', '/groups', { body })).data.type).toBe('public')
    const actions = async () => idsOf(await api.ok('GET', '/groups/begun/messages', { query: { category: 'action' } }))
    expect(await actions()).toEqual([])
    await api.ok('POST', '/groups/begun/members', { body: { participants: [bob] } })
    expect(await actions()).toHaveLength(1)
  })

  test('`receiver` is one of several receivers, if it is there', async () => {
    const { ann, bob, cara } = scene
    const body = { ...toUser(bob), multipleReceivers: { uids: [cara, bob] } }
    const { data } = await api.ok('POST', '/messages', { body, onBehalfOf: ann })
    expect(Object.keys(data.uids).sort()).toEqual([bob, cara])
    expect(data.uids[bob]).toMatchObject({ success: true, data: { receiver: bob } })
  })

  test('bans go with the group and with the user', async () => {
    const { bob, cara } = scene
    const banned = async () => idsOf(await api.ok('GET', '/groups/strict/bannedusers'))
    const create = () => api.ok('POST', '/groups', { body: { guid: 'strict', name: 'x', owner: bob } })
    await create()
    await api.ok('POST', `/groups/strict/bannedusers/${cara}`)
    expect(await banned()).toEqual([cara])
    await api.ok('DELETE', '/groups/strict')
    await create()
    expect(await banned()).toEqual([])
    await api.ok('POST', '/users', { body: { uid: 'rude', name: 'x' } })
    await api.ok('POST', '/groups/strict/bannedusers/rude')
    await api.ok('DELETE', '/users/rude')
    await api.ok('POST', '/users', { body: { uid: 'rude', name: 'x' } })
    expect(await banned()).toEqual([])
  })

  test('limits that stand in no table', async () => {
    const metadata = { x: 'x'.repeat(defaultLimits.metadataBytes) }
    const body = { guid: 'large', name: 'x', metadata }
    expect((await api.fails('ERR_BAD_REQUEST', 'POST', '/groups', { body })).details).toHaveProperty('metadata')
    expect((await api.ok('GET', '/users')).meta.pagination.per_page).toBe(limits.pageSize)
    expect((await api.ok('GET', '/messages')).meta.current.limit).toBe(limits.pageSize)
  })

  test('any role gives no rights in a group', async () => {
    const { cara, group } = scene
    await api.ok('POST', '/roles', { body: { role: 'Admin', name: 'x' } })
    expect((await api.ok('PUT', `/users/${cara}`, { body: { role: 'Admin' } })).data.role).toBe('admin')
    await api.fails('ERR_GROUP_NO_ADMIN_SCOPE', 'DELETE', `/groups/${group}`, { onBehalfOf: cara })
  })

  test('nobody is online', async () => {
    const users = await api.ok('GET', '/users', { query: { count: true } })
    expect(new Set(users.data.map(({ status }: Json) => status))).toEqual(new Set(['offline']))
    expect((await api.ok('GET', '/users', { query: { status: 'available' } })).data).toEqual([])
  })
})

// The description for machines ------------------------------------------------------------------------------------

const description: Json = JSON.parse(read('openapi.json'))

describeEngines('the server', (engine) => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ engine })
  })
  afterAll(() => server?.dispose())

  test('serves the published description, and answers as it says', async () => {
    const response = await fetch(`${server.url}/openapi.json`)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(await response.json()).toEqual(description)
    const api = new Api(server)
    const { ann, bob } = await makeScene(api)
    await api.ok('POST', '/messages', { body: toUser(bob), onBehalfOf: ann })
    for (const [path, template] of [
      ['/users', '/users'],
      [`/users/${ann}`, '/users/{uid}'],
      ['/groups', '/groups'],
      ['/bots', '/bots'],
      ['/messages', '/messages'],
      ['/apikeys', '/apikeys'],
    ] as const) {
      const { schema } = description.paths[template].get.responses[200].content['application/json']
      const answer = await api.ok('GET', path)
      expect([path, Compile(expanded(description, schema) as TSchema).Check(answer)]).toEqual([path, true])
    }
    const failure = await api.call('GET', '/users/nobody')
    expect(Compile(expanded(description, description.components.schemas.Error) as TSchema).Check(failure.json)).toBe(
      true,
    )
  })
})
