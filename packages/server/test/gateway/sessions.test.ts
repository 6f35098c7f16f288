/** How sessions begin, live and end: who gets in, what clients may send, and what becomes of those who do not behave. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { makeScene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { type Client, Clients, socketUrl } from '../support/sessions.ts'

const metric = async (server: TestServer, name: string): Promise<number> => {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** What the server answers to a handshake that it does not take: the line of the status. */
const handshake = (server: TestServer, path: string, headers: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname, () => {
      const lines = {
        ...{ host: 'x', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
        ...{ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers },
      }
      const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`GET ${path} HTTP/1.1\r\n${text.join('')}\r\n`)
    })
    socket.once('data', (data) => {
      resolve(data.toString().split('\r\n')[0] ?? '')
      socket.destroy()
    })
    socket.once('error', reject)
  })

describeEngines('sessions of the gateway', (engine) => {
  let server: TestServer
  let api: Api
  let clients: Clients

  beforeAll(async () => {
    server = await startServer({
      engine,
      env: {
        CONFAB_GATEWAY_PATH: '/socket',
        CONFAB_GATEWAY_MAX_BUFFERED: '256KB',
        CONFAB_GATEWAY_MAX_FRAME: '8KB',
        CONFAB_GATEWAY_FRAMES_PER_SECOND: '20',
      },
    })
    api = new Api(server)
    clients = new Clients(server)
  })
  afterAll(async () => {
    await clients?.dispose()
    await server?.dispose()
  })

  const authOf = (client: Client, auth: unknown, more: object = {}): object => ({
    ...{ appId: server.appId, deviceId: client.deviceId, type: 'auth', sender: client.uid },
    ...{ body: { auth, deviceId: client.deviceId }, ...more },
  })
  const closeOf = (client: Client): Promise<{ code: number; reason: string }> =>
    client.until('the close', () => client.closed, 10_000)

  describe('getting in', () => {
    test('is answered with the string 200 and the own device, on either path', async () => {
      const { ann: uid } = await makeScene(api)
      for (const path of ['/', '/socket', '/socket?x=1']) {
        const client = await clients.signIn({ uid, path })
        expect(client.frames[0]).toEqual({
          ...{ appId: server.appId, type: 'auth', sender: uid, receiver: uid, receiverType: 'user' },
          ...{ deviceId: client.deviceId, body: { code: '200', status: 'OK' } },
        })
      }
      expect(await handshake(server, '/other')).toBe('HTTP/1.1 404 Not Found')
    })

    test('needs a pass that is good, and of this app', async () => {
      const { ann: uid, bob } = await makeScene(api)
      const good = await clients.passOf(uid)
      const token = await clients.tokenOf(uid)
      const [app, , seal] = good.split('.')
      const others = [token, `${good}x`, `${app}.${Buffer.from(bob).toString('base64url')}.${seal}`, '', '..', 'a.b.c']
      for (const auth of others) {
        const client = await clients.connect({ uid })
        client.send(authOf(client, auth))
        expect(await closeOf(client)).toEqual({ code: 1008, reason: 'not authenticated' })
        expect(client.frames).toEqual([])
      }
      const elsewhere = await clients.connect({ uid })
      elsewhere.send({ ...authOf(elsewhere, good), appId: 'another' })
      expect((await closeOf(elsewhere)).code).toBe(1008)
    })

    test('makes the session that of whose pass it is, whatever it says of itself', async () => {
      const { ann, bob, cara } = await makeScene(api)
      const watch = await clients.signIn({ uid: cara })
      const client = await clients.connect({ uid: bob })
      client.send(authOf(client, await clients.passOf(ann), { sender: bob }))
      await client.frame('auth')
      client.say('typing_indicator', { user: cara }, { action: 'started', user: { uid: bob } })
      const frame = await watch.frame('typing_indicator')
      expect([frame.sender, frame.body.user.uid]).toEqual([ann, ann])
    })

    test('is to be done soon', async () => {
      const client = await clients.connect({ uid: 'nobody' })
      client.send({ type: 'message', body: {} })
      client.send('no json')
      expect(await client.until('the close', () => client.closed, 6000)).toEqual({
        code: 1008,
        reason: 'not authenticated in time',
      })
      expect(client.frames).toEqual([])
    })

    test('keeps what is said before the answer', async () => {
      const { ann, bob } = await makeScene(api)
      const watch = await clients.signIn({ uid: bob })
      const client = await clients.connect({ uid: ann })
      client.send(authOf(client, await clients.passOf(ann)))
      client.say('typing_indicator', { user: bob }, { action: 'started' })
      client.send({ action: 'ping', ack: 'true' })
      await watch.frame('typing_indicator')
      await client.until('a pong', () => client.frames.some(({ action }) => action === 'pong'))
    })
  })

  describe('what clients send', () => {
    test('may be too much, but a ping is answered all the same', async () => {
      const { ann, bob } = await makeScene(api)
      const client = await clients.signIn({ uid: ann })
      for (let n = 0; n < 300; n++) client.say('typing_indicator', { user: bob }, { action: 'started' })
      client.send({ action: 'ping', ack: 'true' })
      await client.until('a pong', () => client.frames.some(({ action }) => action === 'pong'), 1000)
    })

    test('is ignored and counted, where it is nothing that they may send', async () => {
      const { ann, bob } = await makeScene(api)
      const watch = await clients.signIn({ uid: bob })
      const client = await clients.signIn({ uid: ann })
      const before = await metric(server, 'confab_gateway_frames_ignored_total{why="malformed"}')
      const bad = [
        ...['', 'x', '{', '[]', 'null', '1', '"ping"', '{"action":"pang"}', '{"type":"auth"}'],
        ...['{"type":"typing_indicator"}', '{"type":"constructor"}', '{"type":"message","body":{}}'],
        JSON.stringify({ type: 'typing_indicator', receiver: bob, receiverType: 'user', body: { action: 'danced' } }),
        JSON.stringify({ type: 'receipts', receiver: bob, receiverType: 'user', body: { action: 'read' } }),
      ]
      for (const text of bad) client.send(text)
      await client.settled()
      expect(await metric(server, 'confab_gateway_frames_ignored_total{why="malformed"}')).toBe(before + bad.length)
      client.socket.send(Buffer.from('{"action":"ping"}'), { binary: true })
      await client.settled()
      expect(await metric(server, 'confab_gateway_frames_ignored_total{why="binary"}')).toBeGreaterThan(0)
      await watch.settled()
      expect(watch.frames.filter(({ type }) => type !== 'auth' && type !== undefined)).toEqual([])
    })

    test('is bounded in size', async () => {
      const { ann, bob } = await makeScene(api)
      const client = await clients.signIn({ uid: ann })
      client.say('transient_message', { user: bob }, { data: { text: 'x'.repeat(9000) } })
      expect((await closeOf(client)).code).toBe(1009)
    })

    test('is bounded in number, and is heard again later', async () => {
      const { ann, bob } = await makeScene(api)
      const watch = await clients.signIn({ uid: bob })
      const client = await clients.signIn({ uid: ann })
      for (let n = 0; n < 300; n++) client.say('transient_message', { user: bob }, { data: { n } })
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await watch.settled()
      const heard = watch.of('transient_message').length
      expect(heard).toBeGreaterThanOrEqual(90)
      expect(heard).toBeLessThanOrEqual(150)
      client.say('transient_message', { user: bob }, { data: { n: 'last' } })
      await watch.frame('transient_message', ({ body }) => body.data.n === 'last')
    })
  })

  describe('ending', () => {
    test('a client that does not read is let go, and delays nobody', async () => {
      const { ann, bob } = await makeScene(api)
      const stalled = await clients.signIn({ uid: bob })
      const other = await clients.signIn({ uid: bob })
      stalled.socket.pause()
      const text = 'x'.repeat(8000)
      const before = await metric(server, 'confab_gateway_sessions_closed_total{why="slow"}')
      // The system buffers some megabytes of its own before it says that nobody reads.
      let sent = 0
      while ((await metric(server, 'confab_gateway_sessions_closed_total{why="slow"}')) === before && sent < 4000) {
        await Promise.all(
          Array.from({ length: 50 }, () => api.ok('POST', '/messages', { body: toUser(bob, text), onBehalfOf: ann })),
        )
        sent += 50
      }
      expect(await metric(server, 'confab_gateway_sessions_closed_total{why="slow"}')).toBe(before + 1)
      await other.until('all messages', () => other.messages.length === sent, 10_000)
      stalled.socket.resume()
      await closeOf(stalled)
    }, 60_000)

    test('a client that comes back gets more than may wait for it, as fast as it reads', async () => {
      const { ann, bob } = await makeScene(api)
      const text = 'x'.repeat(4000)
      for (let n = 0; n < 300; n += 20) {
        await Promise.all(
          Array.from({ length: 20 }, () => api.ok('POST', '/messages', { body: toUser(bob, text), onBehalfOf: ann })),
        )
      }
      const client = await clients.signIn({ uid: bob, confab: { since: 0 } })
      await client.frame('resumed')
      expect(client.messages).toHaveLength(300)
      const ids = client.messages.map(({ id }) => Number(id))
      expect(ids).toEqual(ids.toSorted((a, b) => a - b))
      expect(client.closed).toBeUndefined()
    }, 30_000)

    test('an auth token that is deleted ends its sessions, and no others', async () => {
      const { ann: uid } = await makeScene(api)
      const client = await clients.signIn({ uid })
      const { data: other } = await api.ok('POST', `/users/${uid}/auth_tokens`, { body: { force: true } })
      const path = `/users/${uid}/auth_tokens`
      await api.ok('DELETE', `${path}/${other.authToken}`)
      await client.settled()
      await client.settled()
      expect(client.closed).toBeUndefined()
      await api.ok('DELETE', `${path}/${await clients.tokenOf(uid)}`)
      expect(await closeOf(client)).toEqual({ code: 1008, reason: 'the auth token is not valid any more' })
    })

    test('so does the end of the user, and their deactivation', async () => {
      const { ann, bob } = await makeScene(api)
      const [one, two] = [await clients.signIn({ uid: ann }), await clients.signIn({ uid: bob })]
      await api.ok('DELETE', `/users/${ann}`)
      await api.ok('DELETE', '/users', { body: { uidsToDeactivate: [bob] } })
      for (const client of [one, two]) expect((await closeOf(client)).code).toBe(1008)
    })

    test('frames show the user as they are now', async () => {
      const { ann, bob } = await makeScene(api)
      const [one, two] = [await clients.signIn({ uid: ann }), await clients.signIn({ uid: bob })]
      await api.ok('PUT', `/users/${ann}`, { body: { name: 'Anna' } })
      await two.until('the new name', () => {
        one.say('typing_indicator', { user: bob }, { action: 'started' })
        return two.of('typing_indicator').some(({ body }) => body.user.name === 'Anna')
      })
    })
  })
})

describeEngines('sessions when the server stops', (engine) => {
  test('are closed, and the same pass is good for the next run; users are online again, and in time offline', async () => {
    const server = await startServer({ engine })
    const clients = new Clients(server)
    try {
      const api = new Api(server)
      const { ann: uid, bob } = await makeScene(api)
      const client = await clients.signIn({ uid })
      const gone = await clients.signIn({ uid: bob })
      const pass = await clients.passOf(uid)
      expect(await server.stop()).toBe(0)
      expect(await client.until('the close', () => client.closed)).toEqual({ code: 1001, reason: 'the server stops' })
      expect(gone.closed?.code).toBe(1001)
      await server.start()
      const again = await clients.signIn({ uid })
      expect(await clients.passOf(uid)).toBe(pass)
      expect((await api.ok('GET', `/users/${uid}`)).data.status).toBe('available')
      const status = async (of: string): Promise<string> => (await api.ok('GET', `/users/${of}`)).data.status
      const end = Date.now() + 40_000
      while ((await status(bob)) !== 'offline' && Date.now() < end)
        await new Promise((resolve) => setTimeout(resolve, 500))
      expect([await status(bob), await status(uid)]).toEqual(['offline', 'available'])
      expect(socketUrl(server)).toMatch(/^ws:/)
      await again.close()
    } finally {
      await clients.dispose()
      await server.dispose()
    }
  }, 60_000)
})
