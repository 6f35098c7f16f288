/** Requests that offer another protocol: a WebSocket where there is one, an ordinary answer where there is none. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request as requestTls } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { selfSigned } from '../../src/tls/self-signed.ts'
import { temporaryFolder } from '../cli/support.ts'
import { makePuller, openSocket } from '../support/pulling.ts'
import { startServer, type TestServer } from '../support/server.ts'

const DAY = 86_400_000

describe('upgrades', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await startServer({ engine: 'sqlite' })
  })
  afterAll(() => server?.dispose())

  /** One part a while after the other; answers what came back until the server has closed the connection. */
  const speak = async (...parts: readonly string[]): Promise<string> => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const answer = readText(socket)
    for (const part of parts) {
      socket.write(part)
      await pause(300)
    }
    return answer
  }
  const requestOf = (method: string, path: string, headers: readonly string[], body = ''): string =>
    [
      `${method} ${path} HTTP/1.1`,
      'host: localhost',
      `apikey: ${server.restApiKey}`,
      `appid: ${server.appId}`,
      ...headers,
      ...(body === '' ? [] : ['content-type: application/json', `content-length: ${body.length}`]),
      '',
      body,
    ].join('\r\n')
  const websocket = [
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
  ]

  test('clients that offer HTTP/2 with every request, as those of Java do, are answered in HTTP/1.1', async () => {
    const h2c = [
      'connection: Upgrade, HTTP2-Settings',
      'upgrade: h2c',
      'http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
    ]
    const body = JSON.stringify({ uid: 'java', name: 'Java' })
    const made = requestOf('POST', '/v3/users', h2c, body)
    const asked = requestOf('GET', '/v3/users/java', [...h2c.slice(1), 'connection: close, Upgrade, HTTP2-Settings'])
    // Its body comes a while after its head; the next request, on the same connection, after its answer.
    const answers = await speak(made.slice(0, -body.length), body, asked)
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
    expect(answers.match(/"uid":"java"/g)).toHaveLength(2)
  })

  test('where there is no socket to be had, the request is answered as any other', async () => {
    const found = await speak(requestOf('GET', '/v3/users?limit=1', websocket))
    expect(found).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(found).toMatch(/\r\nconnection: close\r\n/i)
    const missing = await speak(requestOf('GET', '/elsewhere', websocket))
    expect(missing).toMatch(/^HTTP\/1\.1 404 /)
    expect(missing).toContain('"code":"ERR_API_NOT_FOUND"')
    expect(await speak(requestOf('POST', '/v3/users', websocket, '{"uid":"post"}'))).toMatch(/^HTTP\/1\.1 405 /)
    const { data } = await server.client.request<unknown[]>('GET', '/users', { query: { searchKey: 'post' } })
    expect(data).toEqual([])
  })

  test('what is no handshake is told so, and takes nobody’s place', async () => {
    await makePuller(server, 'robot')
    const path = '/v3/bots/robot/updates/stream'
    const [connection, upgrade, version, key] = websocket
    for (const headers of [
      [connection, upgrade, version],
      [connection, upgrade, version, 'sec-websocket-key: short'],
      [connection, upgrade, 'sec-websocket-version: 8', key],
    ]) {
      const answer = await speak(requestOf('GET', path, headers as string[]))
      expect(answer).toMatch(/^HTTP\/1\.1 400 /)
      expect(answer).toContain('"code":"ERR_BAD_REQUEST"')
    }
    const socket = await openSocket(server, 'robot')
    expect(socket.status).toBe(101)
    socket.socket.close()
    await socket.closed
  })

  test('a socket is pinged, and told when the server stops', { timeout: 30_000 }, async () => {
    const robot = await startServer({ engine: 'sqlite' })
    onTestFinished(() => robot.dispose())
    await makePuller(robot, 'robot')
    const one = await openSocket(robot, 'robot')
    await once(one.socket, 'ping')
    const stopped = performance.now()
    await robot.stop()
    expect(performance.now() - stopped).toBeLessThan(2000)
    expect(await one.closed).toEqual({ code: 1001, reason: 'the server stops' })
    const lines = robot.log.filter((line) => line.includes('updates/stream')).map((line) => JSON.parse(line))
    expect(lines).toMatchObject([{ msg: 'http.request', method: 'GET', status: 101, appId: robot.appId }])
    expect(lines[0].ms).toBeGreaterThan(15_000)
  })

  test('a reader that does not read, and so does not answer, does not keep the server from stopping', async () => {
    const robot = await startServer({ engine: 'sqlite' })
    onTestFinished(() => robot.dispose())
    await makePuller(robot, 'robot')
    const socket = connect(Number(new URL(robot.url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(
      requestOf('GET', '/v3/bots/robot/updates/stream', websocket)
        .replace(server.restApiKey, robot.restApiKey)
        .replace(server.appId, robot.appId),
    )
    const [first] = (await once(socket, 'data')) as [Buffer]
    expect(first.toString()).toMatch(/^HTTP\/1\.1 101 /)
    socket.pause()
    const stopped = performance.now()
    await robot.stop()
    expect(performance.now() - stopped).toBeLessThan(4000)
  })

  test('over TLS as without', async () => {
    const folder = temporaryFolder()
    const pair = selfSigned({
      name: 'edge',
      hosts: ['localhost', '127.0.0.1'],
      notBeforeMs: Date.now() - DAY,
      notAfterMs: Date.now() + 60 * DAY,
    })
    const files = { CONFAB_TLS_CERT: join(folder, 'x.crt'), CONFAB_TLS_KEY: join(folder, 'x.key') }
    writeFileSync(files.CONFAB_TLS_CERT, pair.cert)
    writeFileSync(files.CONFAB_TLS_KEY, pair.key)
    const secure = await startServer({ engine: 'sqlite', env: files })
    onTestFinished(() => secure.dispose())
    const put = (path: string, body: object) =>
      new Promise<void>((resolve, reject) => {
        const headers = { apikey: secure.restApiKey, appid: secure.appId, 'content-type': 'application/json' }
        const options = { method: 'POST', headers, rejectUnauthorized: false }
        requestTls(`${secure.url}/v3${path}`, options, (answer) => answer.resume().once('end', resolve))
          .once('error', reject)
          .end(JSON.stringify(body))
      })
    await put('/users', { uid: 'robot', name: 'Robot' })
    await put('/bots', { uid: 'robot', receive: 'pull' })
    const one = await openSocket(secure, 'robot')
    expect(one.status).toBe(101)
    one.say({ acknowledge: { offset: 0 } })
    await expect.poll(() => one.frames).toEqual([{ acknowledged: 0 }])
    one.socket.close()
    const refused = await openSocket(secure, 'nobody')
    expect(refused).toMatchObject({ status: 404, code: 'ERR_BOT_NOT_FOUND' })
  })
})
