/**
 * What every operation must refuse, whatever operations there are: the cases come from the table of routes. Each is
 * refused with a documented code (`Api` checks code, status and envelope), and none of them changes anything.
 */
import { defaultLimits, isErrorCode } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Route } from '../../src/http/route.ts'
import { type Answer, Api, type CallOptions } from '../support/api.ts'
import { sessionIn } from '../support/calling.ts'
import { BAD_NAMES, badBodies, badQueries, nested, sampleOf } from '../support/cases.ts'
import { nameOf, routes } from '../support/routes.ts'
import { digestOf, makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

interface World {
  readonly api: Api
  readonly scene: Scene
  /** What stands for the parameters of a path. */
  readonly names: Readonly<Record<string, string>>
}

const makeWorld = async (api: Api): Promise<World> => {
  const scene = await makeScene(api)
  const { data: token } = await api.ok('POST', `/users/${scene.bot}/auth_tokens`)
  const { data: key } = await api.ok('POST', '/apikeys', { body: { name: 'Spare' } })
  const { data: message } = await api.ok('POST', '/messages', { body: toUser(scene.bot), onBehalfOf: scene.ann })
  await api.ok('POST', '/messages', { body: { ...toUser(scene.group), receiverType: 'group' }, onBehalfOf: scene.ann })
  const call = { receiver: scene.bob, receiverType: 'user', type: 'audio' }
  const { data: called } = await api.ok('POST', '/calls', { body: call, onBehalfOf: scene.ann })
  const hook = { id: 'hook', name: 'Hook', webhookURL: 'https://hook.example' }
  await api.ok('POST', '/webhooks', { body: hook })
  await api.ok('POST', '/webhooks/hook/triggers', { body: { triggerIds: ['group_created'] } })
  const names = {
    webhookId: hook.id,
    appId: api.server.appId,
    uid: scene.bot,
    guid: scene.group,
    id: message.id,
    apiKey: key.apiKey,
    authToken: token.authToken,
    role: 'default',
    scope: 'participant',
    permission: 'sendMessage',
    reaction: 'x',
    conversationId: `${scene.ann}_user_${scene.bob}`,
    sessionId: sessionIn(called),
  }
  return { api, scene, names }
}

const parametersOf = ({ path }: Route): string[] => [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)

const pathOf = ({ path }: Route, names: Readonly<Record<string, string>>): string =>
  path.replace(/:(\w+)/g, (_, name: string) => {
    const value = names[name]
    if (value === undefined) throw new Error(`the world has nothing for :${name}`)
    return value
  })

/** A request that would do no harm, were it not for what is wrong with it. */
const requestOf = (route: Route, { scene }: World): CallOptions => ({
  ...(route.body && { body: sampleOf(route.body as Parameters<typeof sampleOf>[0]) }),
  ...(route.onBehalfOf === 'required' && { onBehalfOf: scene.ann }),
})

/** Tests only what is there to be tested. */
const when = (condition: unknown): typeof test | (() => void) => (condition ? test : () => {})

const codeOf = ({ json }: Answer): string => json?.error?.code

/** Whatever is said of a request that may be right or wrong: it is documented, and it is not our fault. */
const isDocumented = (answer: Answer): boolean => answer.status === 200 || isErrorCode(codeOf(answer))

describeEngines('bad input', (engine) => {
  let server: TestServer
  let world: World
  beforeAll(async () => {
    server = await startServer({ engine })
    world = await makeWorld(new Api(server))
  })
  afterAll(() => server?.dispose())

  /** Runs what must change nothing. */
  const changingNothing = async (work: () => Promise<void>): Promise<void> => {
    const before = await digestOf(world.api)
    await work()
    expect(await digestOf(world.api)).toBe(before)
  }

  describe.each(routes.map((route) => ({ name: nameOf(route), route })))('$name', ({ route }) => {
    const { method, query, body } = route
    const url = (names: Readonly<Record<string, string>> = {}): string => pathOf(route, { ...world.names, ...names })
    const refuse = async (code: string, what: string, options: CallOptions, path = url()) => {
      const answer = await world.api.call(method, path, { ...requestOf(route, world), ...options })
      expect({ what, code: codeOf(answer), text: answer.text }).toMatchObject({ what, code })
      return answer
    }

    test('by a key that may not', () =>
      changingNothing(async () => {
        const empty = route.path.startsWith('/apps/') ? 'AUTH_ERR_EMPTY_AUTH_HEADER' : 'AUTH_ERR_EMPTY_APIKEY'
        await refuse(empty, 'no key', { key: null })
        await refuse('AUTH_ERR_APIKEY_NOT_FOUND', 'unknown key', { key: 'f'.repeat(40) })
        await refuse('AUTH_ERR_APIKEY_NOT_FOUND', 'odd key', { key: "' OR 1=1 --" })
        await refuse('AUTH_ERR_INVALID_APPID', 'unknown app', { appId: 'nobody' })
        await refuse('AUTH_ERR_INVALID_APPID', 'odd app', { appId: '../%00' })
        if (route.access === 'fullAccess')
          await refuse('AUTH_ERR_NO_ACCESS', 'authOnly', { key: world.api.server.authKey })
      }))

    when(route.onBehalfOf !== 'none')('on behalf of nobody', async () => {
      await changingNothing(async () => {
        // A body that is right, so that nothing else is wrong.
        const { scene } = world
        const body = method === 'GET' || !route.body ? {} : { body: bodyOf(route, scene) }
        for (const uid of ['nobody', 'x'.repeat(500), '%00', '__proto__', 'é']) {
          await refuse('ERR_UID_NOT_FOUND', `onBehalfOf: ${uid}`, { ...body, onBehalfOf: uid })
        }
        if (route.onBehalfOf === 'required')
          await refuse('ERR_BAD_REQUEST', 'onBehalfOf is missing', { onBehalfOf: '' })
      })
    })

    // A reaction names nothing: it is what the user says.
    const parameters = parametersOf(route).filter((name) => name !== 'reaction')
    when(parameters.length > 0)('names that nothing has', async () => {
      await changingNothing(async () => {
        for (const parameter of parameters) {
          for (const name of BAD_NAMES) {
            const body = route.body && method !== 'GET' ? { body: bodyOf(route, world.scene) } : {}
            const path = url({ [parameter]: name })
            const answer = await world.api.call(method, path, { ...requestOf(route, world), ...body })
            expect({ path, status: answer.status, text: answer.text }).toMatchObject({
              // An app that is not there opens nothing.
              status: expect.toSatisfy((status) => [404, 400, parameter === 'appId' ? 401 : 404].includes(status)),
            })
          }
        }
      })
    })

    when(query)('a query of the wrong types', async () => {
      await changingNothing(async () => {
        const required = query && (sampleOf(query as Parameters<typeof sampleOf>[0]) as Record<string, string>)
        for (const { what, name, text } of badQueries(query)) {
          const { json } = await refuse('ERR_BAD_REQUEST', what, { query: { ...required, [name]: text } })
          expect(Object.keys(json.error.details ?? {})[0]).toMatch(new RegExp(`^${name}(\\.|$)`))
        }
      })
    })

    when(query)('queries that are odd, but may be', async () => {
      await changingNothing(async () => {
        for (const name of [
          ...Object.keys((query as { properties?: object } | undefined)?.properties ?? {}),
          '__proto__',
          'x[y]',
        ]) {
          for (const text of ['', '%', '_', "'", '\\', '"', 'é😀', '\ud800', 'a,b,,', '0', '1', '999999999999999']) {
            const answer = await world.api.call(method, url(), { query: { [name]: text } })
            expect({ name, text, answer: answer.text, isDocumented: isDocumented(answer) }).toMatchObject({
              isDocumented: true,
            })
          }
          const twice = await world.api.call(method, `${url()}?${name}=1&${name}=2&${name}[]=3&${name}[x]=4`)
          expect(isDocumented(twice)).toBe(true)
        }
      })
    })

    when(method !== 'GET')('bodies that are no JSON', async () => {
      await changingNothing(async () => {
        const malformed = [
          '{',
          '{"a":}',
          '{"a":1,}',
          "{'a':1}",
          'undefined',
          'NaN',
          '[1,2',
          '"',
          '\u0001',
          '{"a":"\u0001"}',
        ]
        for (const rawBody of malformed) await refuse('ERR_BAD_REQUEST', rawBody, { rawBody })
        const polluting = ['{"__proto__":{"x":1}}', '{"a":{"__proto__":1}}', '{"constructor":{"prototype":{"x":1}}}']
        for (const rawBody of polluting) await refuse('ERR_BAD_REQUEST', rawBody, { rawBody })
        await refuse('ERR_BAD_REQUEST', 'NUL', { rawBody: '{"name":"a\\u0000b"}' })
        const large = JSON.stringify({ x: 'x'.repeat(1024 * 1024) })
        await refuse('ERR_PAYLOAD_TOO_LARGE', '1 MB', { rawBody: large })
        await refuse('ERR_PAYLOAD_TOO_LARGE', 'a byte too large', {
          rawBody: JSON.stringify({ x: 'x'.repeat(defaultLimits.bodyBytes - 7) }),
        })
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'nonsense']) {
          const headers = { 'content-type': type }
          await refuse('ERR_UNSUPPORTED_MEDIA_TYPE', type, { rawBody: '{"a":1}', headers })
        }
      })
    })

    when(body)('bodies of the wrong types', async () => {
      await changingNothing(async () => {
        for (const { what, value, field } of badBodies(body)) {
          const { json } = await refuse('ERR_BAD_REQUEST', what, { body: value })
          const fields = Object.keys(json.error.details ?? {})
          const isNamed = fields.some((name) => field === undefined || `${name}.`.startsWith(`${field}.`))
          expect({ what, fields, isNamed }).toMatchObject({ isNamed: true })
        }
      })
    })

    when(body)('bodies that are nested deeply', async () => {
      await changingNothing(async () => {
        for (const rawBody of [nested(40_000), nested(60_000, '[', ']'), deepWithin(body, nested(10_000))]) {
          await refuse('ERR_BAD_REQUEST', rawBody.slice(0, 40), { rawBody })
        }
      })
    })
  })
})

/** A body with which the operation would go on to look for what it names. */
const bodyOf = (route: Route, scene: Scene): unknown => {
  const sample = sampleOf(route.body as Parameters<typeof sampleOf>[0]) as Record<string, unknown>
  if (/\/(messages|thread)$/.test(route.path)) return toUser(scene.bob)
  if (route.path === '/calls') return { receiver: scene.bob, receiverType: 'user', type: 'audio' }
  if (route.path === '/messages/:id' && route.method === 'PUT') return { data: { text: 'edited' } }
  if (route.path.endsWith('/members')) return { participants: [scene.cara] }
  return sample
}

/** The sample of the body, with `inner` as every object in it that may hold anything. */
const deepWithin = (body: Route['body'], inner: string): string => {
  const sample = sampleOf(body as Parameters<typeof sampleOf>[0]) as Record<string, unknown>
  const mark = '"<deep>"'
  const open = { metadata: '<deep>', appInfo: '<deep>', data: '<deep>' }
  return JSON.stringify({ ...sample, ...open }).replaceAll(mark, () => inner)
}
