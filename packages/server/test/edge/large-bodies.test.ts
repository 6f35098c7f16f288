/** Bodies that are refused, from a sender who has much more to send when the answer could be there already. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startServer, type TestServer } from '../support/server.ts'

const MB = 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'x')

const closed = async (socket: Socket): Promise<void> => {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

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
  const headWith = (fields: Readonly<Record<string, string>>): string => {
    const all = {
      host: 'x',
      appid: server.appId,
      apikey: server.restApiKey,
      'content-type': 'application/json',
      ...fields,
    }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    return `POST /v3/users HTTP/1.1\r\n${lines.join('')}\r\n`
  }
  const head = (bytes: number): string => headWith({ 'content-length': `${bytes}` })
  /** Rejects if the connection is closed before. */
  const write = (socket: Socket, bytes: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())))

  test('is answered at once, and let by, so that its sender can go on', async () => {
    const { socket, next } = open()
    socket.write(head(2 * MB))
    await next(/^HTTP\/1\.1 413 [\s\S]*ERR_PAYLOAD_TOO_LARGE/)
    for (let sent = 0; sent < 2 * MB; sent += PIECE.length) {
      await write(socket, PIECE)
    }
    socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`)
    const [, status] = await next(/HTTP\/1\.1 (\d+) /)
    expect(status).toBe('200')
  })

  test('is not waited for if there is very much of it', async () => {
    const { socket, next } = open()
    socket.write(head(100 * MB))
    await next(/^HTTP\/1\.1 413 [\s\S]*[Cc]onnection: close[\s\S]*ERR_PAYLOAD_TOO_LARGE/)
    await closed(socket)
  })

  describe('whose connection will be closed, is read before it is answered', () => {
    const close = { connection: 'close' }
    const announced = { ...close, 'content-length': `${2 * MB}` }

    test.each([
      { what: 'too large', fields: announced, code: 'ERR_PAYLOAD_TOO_LARGE' },
      {
        what: 'of somebody unknown',
        fields: { ...announced, apikey: 'f'.repeat(40) },
        code: 'AUTH_ERR_APIKEY_NOT_FOUND',
      },
      { what: 'no JSON', fields: { ...announced, 'content-type': 'text/plain' }, code: 'ERR_UNSUPPORTED_MEDIA_TYPE' },
    ])('$what', async ({ fields, code }) => {
      const { socket, next } = open()
      await write(socket, headWith(fields))
      for (let sent = 0; sent < 2 * MB; sent += PIECE.length) {
        await write(socket, PIECE)
        await delay(1)
      }
      await next(new RegExp(`^HTTP/1\\.1 4\\d\\d [\\s\\S]*[Cc]onnection: close[\\s\\S]*${code}`))
      await closed(socket)
    })

    test('too large, of unknown length', async () => {
      const { socket, next } = open()
      await write(socket, headWith({ 'transfer-encoding': 'chunked' }))
      for (let sent = 0; sent < 4 * MB; sent += PIECE.length) {
        await write(socket, `${PIECE.length.toString(16)}\r\n`)
        await write(socket, PIECE)
        await write(socket, '\r\n')
        await delay(1)
      }
      await write(socket, '0\r\n\r\n')
      await next(/^HTTP\/1\.1 413 [\s\S]*[Cc]onnection: close[\s\S]*ERR_PAYLOAD_TOO_LARGE/)
      await closed(socket)
    })

    test('but not for ever', async () => {
      const { socket, next } = open()
      await write(socket, headWith(announced))
      await write(socket, PIECE)
      await next(/^HTTP\/1\.1 413 [\s\S]*ERR_PAYLOAD_TOO_LARGE/)
      await closed(socket)
    })
  })
})
