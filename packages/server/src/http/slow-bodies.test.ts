import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { acceptJson, acceptLines } from './json-body.ts'
import { cutSlowBodies } from './slow-bodies.ts'
import { acceptSocket, serveUpgrades } from './upgrades.ts'

const WITHIN_MS = 400

const open = async (): Promise<FastifyInstance> => {
  const app = Fastify({ logger: false, requestTimeout: 0 })
  onTestFinished(() => app.close())
  acceptJson(app)
  acceptLines(app)
  cutSlowBodies(app, { withinMs: WITHIN_MS })
  app.post('/json', () => 'done')
  app.post('/lines', { config: { takesLines: true } }, async ({ body }) => {
    let size = 0
    for await (const part of body as AsyncIterable<Buffer>) size += part.length
    return String(size)
  })
  app.get('/socket', async (request, reply) => {
    reply.hijack()
    await acceptSocket(request.raw)
  })
  serveUpgrades(app, undefined)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app
}

const request = (path: string, type: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`

/** What comes until the connection ends, and after how many ms that is. */
const exchange = (app: FastifyInstance, send: (socket: Socket) => void): Promise<{ text: string; ms: number }> =>
  new Promise((resolve) => {
    const { port } = app.server.address() as AddressInfo
    const started = performance.now()
    let text = ''
    const socket = connect(port, '127.0.0.1', () => send(socket))
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve({ text, ms: performance.now() - started }))
  })

test('a request that became a WebSocket has come to its end', async () => {
  const app = await open()
  const { port } = app.server.address() as AddressInfo
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
  onTestFinished(() => socket.terminate())
  await sleep(3 * WITHIN_MS)
  expect(socket.readyState).toBe(WebSocket.OPEN)
})

const drip = async (socket: Socket, parts: number, everyMs: number): Promise<void> => {
  for (let n = 0; n < parts && !socket.destroyed; n++) {
    socket.write('x')
    await sleep(everyMs)
  }
}

test('a body that does not come to its end in time ends the connection, however it drips', async () => {
  const app = await open()
  const [none, slow] = await Promise.all([
    exchange(app, (socket) => socket.write(request('/json', 'application/json', 10))),
    exchange(app, (socket) => {
      socket.write(request('/json', 'application/json', 100))
      void drip(socket, 100, 50)
    }),
  ])
  for (const { text, ms } of [none, slow]) {
    expect(text).not.toContain('200 OK')
    expect(ms).toBeGreaterThanOrEqual(WITHIN_MS - 10)
    expect(ms).toBeLessThan(WITHIN_MS * 3)
  }
})

test('lines may take as long as they like while they come, and no longer', async () => {
  const app = await open()
  const [whole, stalled] = await Promise.all([
    exchange(app, (socket) => {
      socket.write(request('/lines', 'application/x-ndjson', 20))
      void drip(socket, 20, 100)
    }),
    exchange(app, (socket) => {
      socket.write(request('/lines', 'application/x-ndjson', 20))
      void drip(socket, 5, 50)
    }),
  ])
  expect(whole.text).toContain('200 OK')
  expect(whole.ms).toBeGreaterThan(WITHIN_MS * 4)
  expect(stalled.text).not.toContain('200 OK')
  expect(stalled.ms).toBeLessThan(WITHIN_MS * 4)
})

test('a request that came in time is left alone', async () => {
  const app = await open()
  const { text } = await exchange(app, (socket) => socket.write(`${request('/json', 'application/json', 2)}{}`))
  expect(text).toContain('200 OK')
})
