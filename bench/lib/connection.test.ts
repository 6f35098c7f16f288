import { createServer, type Server, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Connection } from './connection.ts'
import { sendClosed, sendOpen } from './load.ts'

const listen = async (serve: (socket: Socket, request: string) => void): Promise<number> => {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.setNoDelay(true).on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => serve(socket, chunk.toString('latin1')))
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return address.port
}

const answerOf = (status: number): string => `HTTP/1.1 ${status} X\r\ncontent-length: 4\r\n\r\nbody`

const open = async (port: number): Promise<{ ask: () => Promise<number>; lost: Promise<Error> }> => {
  const lost = Promise.withResolvers<Error>()
  const connection = await Connection.open(port, lost.resolve)
  onTestFinished(() => connection.close())
  return { ask: () => new Promise((resolve) => connection.send('GET', resolve)), lost: lost.promise }
}

test('an answer that comes byte by byte is one answer', async () => {
  const port = await listen((socket) => {
    const left = [...answerOf(201)]
    const next = (): void => {
      const byte = left.shift()
      if (byte !== undefined) socket.write(byte, () => setImmediate(next))
    }
    next()
  })
  const { ask } = await open(port)
  expect([await ask(), await ask()]).toEqual([201, 201])
})

test.each([
  ['closes in place of an answer', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')],
  ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ['answers without a length', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n')],
])('a server that %s is told of', async (_, serve) => {
  const { ask, lost } = await open(await listen(serve))
  const answered = ask()
  expect(await Promise.race([lost, answered])).toBeInstanceOf(Error)
})

test('a closed load counts answers and refusals apart, and sends as much as there is', async () => {
  const received: string[] = []
  const port = await listen((socket, request) => {
    received.push(request)
    socket.write(answerOf(request.endsWith('2') ? 503 : 200))
  })
  const sent = [0, 0, 0]
  const next = (connection: number): string | undefined => {
    const n = (sent[connection] ?? 0) + 1
    sent[connection] = n
    return n > 4 ? undefined : `${connection}:${n}`
  }
  const load = await sendClosed({ port, connections: 3, forMs: 60_000, next })
  expect([load.answered, load.refused]).toEqual([12, 3])
  const seconds = (load.endedAtMs - load.startedAtMs) / 1000
  expect(load.rate).toBeCloseTo(9 / seconds, 6)
  // Each connection asks in order, one at a time.
  for (const connection of [0, 1, 2]) {
    const own = received.filter((request) => request.startsWith(`${connection}:`))
    expect(own).toEqual([1, 2, 3, 4].map((n) => `${connection}:${n}`))
  }
})

test('a closed load ends when its time is over', async () => {
  const port = await listen((socket) => socket.write(answerOf(200)))
  const load = await sendClosed({ port, connections: 2, forMs: 50, next: () => 'x' })
  expect(load.answered).toBeGreaterThan(0)
  expect(load.endedAtMs - load.startedAtMs).toBeGreaterThanOrEqual(40)
})

test('a load whose server breaks off fails, rather than to report less', async () => {
  let answers = 0
  const port = await listen((socket) => (++answers > 5 ? socket.destroy() : socket.write(answerOf(200))))
  await expect(sendClosed({ port, connections: 2, forMs: 10_000, next: () => 'x' })).rejects.toThrow()
})

test('an open load sends when it is time, whether or not there are answers', async () => {
  const COUNT = 20
  const waiting: Socket[] = []
  const port = await listen((socket) => {
    waiting.push(socket)
    // Nobody is answered until all have asked: a closed loop would wait for ever.
    if (waiting.length === COUNT) for (const [n, one] of waiting.entries()) one.write(answerOf(n === 0 ? 500 : 200))
  })
  const load = await sendOpen({ port, connections: 2, perSecond: 200, count: COUNT, request: (i) => `${i}` })
  expect([load.answered, load.refused, load.sentAtMs.length]).toEqual([COUNT, 1, COUNT])
  // None before its time; how much later is the machine's affair.
  for (const [i, atMs] of load.sentAtMs.entries()) {
    expect(atMs - load.startedAtMs).toBeGreaterThanOrEqual(((i + 1) * 1000) / 200)
  }
})
