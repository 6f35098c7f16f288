/**
 * A user with no rights over others says everything that comes to mind: a hundred thousand frames and ten thousand requests,
 * at random and mutated from good ones. The server lives, never answers that it is its fault, keeps its memory, and
 * nothing of anybody else's has changed. `CONFAB_TEST_SEED` says which of all runs it is.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { sampleOf } from '../support/cases.ts'
import { nameOf, routes } from '../support/routes.ts'
import { makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { type Client, Clients } from '../support/sessions.ts'

const FRAMES = 100_000
const REQUESTS = 10_000
const SOCKETS = 20
const ENTRIES = 1000
const SEED = Number(process.env.CONFAB_TEST_SEED ?? 20_261_123)

/** Mulberry32: numbers that look random and are the same in every run with one seed. */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  return (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const STRANGE: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, 2 ** 53, '', ' ', '\0', '\ud800', '😀', '__proto__', 'constructor', '../..', '%00'],
  ...[[], {}, [[[]]], { length: 1e9 }, "'; DROP TABLE messages; --", '<@uid:ann>', 'x'.repeat(5000), '9'.repeat(30)],
]

describe('whatever is said', () => {
  const random = randomOf(SEED)
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T

  /** The value with something of it changed, somewhere. */
  const mutated = (value: unknown): unknown => {
    if (random(6) === 0) return pick(STRANGE)
    if (Array.isArray(value)) return random(3) === 0 ? [...value, pick(STRANGE)] : value.map(mutated)
    if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value)
      if (entries.length === 0) return { [String(pick(STRANGE))]: pick(STRANGE) }
      const at = random(entries.length)
      return Object.fromEntries(
        entries.flatMap(([key, one], n) => (n !== at ? [[key, one]] : random(5) === 0 ? [] : [[key, mutated(one)]])),
      )
    }
    if (typeof value === 'string' && random(2) === 0) {
      const at = random(value.length + 1)
      return value.slice(0, at) + String(pick(STRANGE)).slice(0, 8) + value.slice(at)
    }
    return pick(STRANGE)
  }

  let server: TestServer
  let api: Api
  let clients: Clients
  let scene: Scene
  let mallory = ''
  const hidden = { group: 'hidden', message: '', reply: '' }

  beforeAll(async () => {
    server = await startServer({
      engine: 'sqlite',
      env: { CONFAB_GATEWAY_FRAMES_PER_SECOND: '100000', CONFAB_RATE_LIMIT_TOKEN: '0' },
    })
    api = new Api(server)
    clients = new Clients(server)
    scene = await makeScene(api)
    mallory = 'mallory'
    await api.ok('POST', '/users', { body: { uid: mallory, name: 'Mallory' } })
    const { ann, bob } = scene
    await api.ok('POST', '/groups', {
      body: { guid: hidden.group, name: 'Hidden', type: 'private', owner: ann, members: { participants: [bob] } },
    })
    hidden.message = (await api.ok('POST', '/messages', { body: toUser(bob, 'secret'), onBehalfOf: ann })).data.id
    hidden.reply = (await api.ok('POST', '/messages', { body: toGroup(hidden.group), onBehalfOf: bob })).data.id
  })
  afterAll(async () => {
    await clients?.dispose()
    await server?.dispose()
  })

  /** What is nobody's business but that of ann, bob and their groups. */
  const belongings = async (): Promise<string> => {
    const { ann, bob, cara, bot, group } = scene
    const parts: Json[] = []
    for (const guid of [group, hidden.group]) {
      parts.push((await api.ok('GET', `/groups/${guid}`)).data)
      parts.push((await api.ok('GET', `/groups/${guid}/members`)).data.map(({ uid, scope }: Json) => [uid, scope]))
      parts.push((await api.ok('GET', `/groups/${guid}/messages`, { query: { limit: 1000 } })).data)
    }
    for (const uid of [ann, bob, cara, bot]) {
      const { lastActiveAt: _, status: __, ...user } = (await api.ok('GET', `/users/${uid}`)).data
      parts.push(
        user,
        (await api.ok('GET', `/users/${uid}/friends`)).data.map((friend: Json) => friend.uid),
      )
      parts.push((await api.ok('GET', `/users/${uid}/blockedusers`)).data.map((other: Json) => other.uid))
      parts.push((await api.ok('GET', `/users/${uid}/auth_tokens`)).data)
    }
    parts.push((await api.ok('GET', `/users/${bob}/messages`, { onBehalfOf: ann })).data)
    for (const list of ['bots', 'roles', 'webhooks', 'apikeys']) parts.push((await api.ok('GET', `/${list}`)).data)
    return JSON.stringify(parts)
  }

  const heapMb = async (): Promise<number> => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 1024 / 1024
  }

  const goodFrame = (): object => {
    const to = pick([
      { receiver: scene.ann, receiverType: 'user' },
      { receiver: hidden.group, receiverType: 'group' },
      { receiver: 'nobody', receiverType: 'user' },
      { receiver: mallory, receiverType: 'user' },
    ])
    const more = { appId: server.appId, sender: scene.ann, deviceId: 'x', ...to }
    return pick([
      { type: 'typing_indicator', ...more, body: { action: 'started', user: { uid: scene.ann } } },
      { type: 'transient_message', ...more, body: { user: { uid: scene.ann }, data: { a: [1, { b: 2 }] } } },
      {
        ...{ type: 'receipts', ...more, messageSender: scene.bob },
        body: { action: 'read', messageId: pick([hidden.message, hidden.reply]) },
      },
      { type: 'message', ...more, body: { id: hidden.message, data: { text: 'forged' } } },
      { type: 'presence', ...more, body: { action: 'offline', user: { uid: scene.ann } } },
      { type: 'auth', ...more, body: { auth: 'x' } },
      { action: 'ping', ack: 'true' },
    ])
  }

  const frame = (): string => {
    const kind = random(10)
    if (kind === 0) return String.fromCharCode(...Array.from({ length: random(60) }, () => random(0x2000)))
    if (kind === 1) return JSON.stringify(pick(STRANGE)) ?? ''
    const text = JSON.stringify(kind < 4 ? goodFrame() : mutated(goodFrame())) ?? ''
    return kind === 9 ? text.slice(0, random(text.length + 1)) : text
  }

  test(`${FRAMES} frames, seed ${SEED}`, async () => {
    const watch = await clients.signIn({ uid: scene.ann })
    const member = await clients.signIn({ uid: scene.bob })
    const before = await belongings()
    const sockets: Client[] = []
    for (let n = 0; n < SOCKETS; n++) sockets.push(await clients.signIn({ uid: mallory }))
    let early = 0
    for (let sent = 0; sent < FRAMES; sent++) {
      const at = random(SOCKETS)
      let socket = sockets[at] as Client
      if (socket.closed !== undefined) {
        socket = await clients.signIn({ uid: mallory })
        sockets[at] = socket
      }
      socket.send(frame())
      if (sent % 1000 === 0) await socket.settled().catch(() => {})
      if (sent === FRAMES / 5) early = await heapMb()
    }
    for (const socket of sockets) if (socket.closed === undefined) await socket.settled()
    for (const client of [watch, member]) {
      await client.settled()
      // Whatever mallory has forged, it came as from mallory, and not to a group that is hidden from them.
      for (const { sender, receiver, type } of client.frames) {
        if (type === 'auth' || type === undefined) continue
        expect([sender, receiver === hidden.group, ['typing_indicator', 'transient_message'].includes(type)]).toEqual([
          mallory,
          false,
          true,
        ])
      }
    }
    expect(await belongings()).toBe(before)
    expect((await heapMb()) - early).toBeLessThan(60)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  }, 180_000)

  test(`${ENTRIES} sockets that are not opened as they should be, seed ${SEED}`, async () => {
    const [pass, ofAnn] = [await clients.passOf(mallory), await clients.passOf(scene.ann)]
    const before = await belongings()
    /** What opens a session, or nearly does: never anybody else's than that of whose pass it is. */
    const opening = (): object => ({
      ...{ appId: server.appId, type: 'auth', sender: scene.ann, deviceId: 'x' },
      body: {
        ...{ auth: pick([pass, pass, pass, ofAnn.slice(0, -1), pass.replace(/^[^.]+/, '')]), deviceId: 'x' },
        ...{ presenceSubscription: pick(['ALL_USERS', 'FRIENDS', 'ROLES', 'x']), roles: ['default'] },
        confab: { streams: true, since: pick([0, '0', hidden.message]), seen: { [`group_${hidden.group}`]: '0' } },
      },
    })
    const enter = async (): Promise<void> => {
      const client = await clients.connect({ uid: mallory })
      for (let n = random(3); n > 0; n--) client.send(frame())
      for (let n = 1 + random(2); n > 0; n--)
        client.send(JSON.stringify(random(3) ? mutated(opening()) : opening()) ?? '')
      for (let n = random(3); n > 0; n--) client.send(frame())
      await client.until('an end, or a beginning', () => client.closed ?? client.of('auth')[0], 30_000)
      for (const { type, body, sender } of client.frames) {
        if (type === 'auth') expect(sender).toBe(mallory)
        if (type === 'message') expect(JSON.stringify(body)).toContain(mallory)
      }
      await client.close()
    }
    for (let opened = 0; opened < ENTRIES; opened += 200) await Promise.all(Array.from({ length: 200 }, enter))
    expect(await belongings()).toBe(before)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect(server.log.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([])
  }, 180_000)

  test(`${REQUESTS} requests of a user, seed ${SEED}`, async () => {
    const before = await belongings()
    const token = await clients.tokenOf(mallory)
    // What ends their own session or existence would end the test.
    const open = routes.filter((route) => route.forUsers && !route.isStream && nameOf(route) !== 'DELETE /me')
    const statuses = new Map<number, number>()
    let early = 0
    const names = (): string =>
      encodeURIComponent(
        pick([
          ...[scene.ann, scene.bob, scene.group, hidden.group, hidden.message, hidden.reply, 'nobody', '0', '😀'],
          ...[`${scene.ann}_user_${scene.bob}`, `group_${hidden.group}`, String(pick(STRANGE)).slice(0, 60)],
        ]).toWellFormed(),
      )
    const request = async (): Promise<void> => {
      const route = pick(open)
      const path = route.path.replace(/:\w+/g, names)
      const isRight = random(4) === 0
      const sample = route.body && sampleOf(route.body as Parameters<typeof sampleOf>[0])
      const body = sample === undefined ? undefined : JSON.stringify(isRight ? sample : mutated(sample))
      const query = random(3) === 0 ? `?${names()}=${names()}&limit=${names()}&id=${names()}` : ''
      const answer = await fetch(`${server.url}/v3${path}${query}`, {
        method: route.method,
        headers: {
          ...{ appid: server.appId, authtoken: token },
          ...(body !== undefined && { 'content-type': 'application/json' }),
          // A user acts as themself, whomever they name.
          onbehalfof: scene.ann,
        },
        ...(body !== undefined && route.method !== 'GET' && { body }),
      })
      await answer.arrayBuffer()
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      expect(answer.status, `${route.method} ${path} ${body}`).toBeLessThan(500)
    }
    for (let sent = 0; sent < REQUESTS; sent += 20) {
      await Promise.all(Array.from({ length: 20 }, request))
      if (sent === REQUESTS / 5) early = await heapMb()
    }
    const joined = (await api.ok('GET', `/groups/${scene.group}/members`)).data.some(({ uid }: Json) => uid === mallory)
    // To join a public group is their right: what it leaves there is theirs.
    if (joined) await api.call('DELETE', `/groups/${scene.group}/members/${mallory}`)
    const withoutOwn = (text: string): string =>
      JSON.stringify(
        JSON.parse(text, (key, value) => {
          if (key === 'membersCount' || key === 'updatedAt') return undefined
          if (!Array.isArray(value)) return value
          return value.filter(
            (one) =>
              !(one?.category === 'action' && JSON.stringify(one).includes(mallory)) &&
              one?.sender !== mallory &&
              one?.uid !== mallory,
          )
        }),
      )
    expect(withoutOwn(await belongings())).toBe(withoutOwn(before))
    expect(statuses.get(200) ?? 0).toBeGreaterThan(100)
    expect((statuses.get(400) ?? 0) + (statuses.get(404) ?? 0)).toBeGreaterThan(1000)
    expect((await heapMb()) - early).toBeLessThan(80)
  }, 180_000)
})
