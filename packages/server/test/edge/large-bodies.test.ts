/** Bodies that are too large, from a sender who has much more to send when the answer is there already. */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startServer, type TestServer } from '../support/server.ts'

const MB = 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'x')

describe('a body that is too large', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ engine: 'sqlite' })
  })
  afterAll(() => server.dispose())

  const open = (): { socket: Socket; next: (text: RegExp) => Promise<RegExpExecArray> } => {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    onTestFinished(() => void socket.destroy())
    let received = ''
    socket.on('data', (bytes) => {
      received += bytes.toString('utf8')
    })
    const next = (text: RegExp): Promise<RegExpExecArray> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = text.exec(received)
          if (found === null) return
          received = received.slice(found.index + found[0].length)
          socket.off('data', look)
          resolve(found)
        }
        socket.on('data', look)
        socket.on('error', reject)
        socket.on('close', () => reject(new Error(`closed after ${received.slice(0, 500)}`)))
        look()
      })
    return { socket, next }
  }
  const head = (bytes: number): string =>
    `POST /v3/users HTTP/1.1\r\nhost: x\r\nappid: ${server.appId}\r\napikey: ${server.restApiKey}\r\n` +
    `content-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`

  test('is answered at once, and let by, so that its sender can go on', async () => {
    const { socket, next } = open()
    socket.write(head(2 * MB))
    await next(/^HTTP\/1\.1 413 [\s\S]*ERR_PAYLOAD_TOO_LARGE/)
    for (let sent = 0; sent < 2 * MB; sent += PIECE.length) {
      await new Promise((resolve) => socket.write(PIECE, resolve))
    }
    socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`)
    const [, status] = await next(/HTTP\/1\.1 (\d+) /)
    expect(status).toBe('200')
  })

  test('is not waited for if there is very much of it', async () => {
    const { socket, next } = open()
    socket.write(head(100 * MB))
    await next(/^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*ERR_PAYLOAD_TOO_LARGE/)
    await new Promise((resolve) => socket.once('close', resolve))
  })
})
