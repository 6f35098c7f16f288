import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Writers, type WritersOptions } from './writers.ts'

const answerOf = (status: number): string => `HTTP/1.1 ${status} x\r\ncontent-length: 2\r\n\r\n{}`

const listen = async (serve: (socket: Socket, request: string) => void): Promise<number> => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => serve(socket, String(bytes)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const writing = async (options: Pick<WritersOptions, 'port'> & Partial<WritersOptions>): Promise<Writers> => {
  const writers = await Writers.start({ connections: 3, mostOnTheWay: 10, next: String, ...options })
  onTestFinished(() => writers.abandon())
  return writers
}

const answering = (status: number) => (socket: Socket) => void socket.write(answerOf(status))

test('writers hold back at the most that may be on its way, and go on as it is delivered', async () => {
  const writers = await writing({ port: await listen(answering(200)) })
  await expect.poll(() => writers.written).toEqual({ accepted: 10, refused: 0 })
  await sleep(50)
  expect([writers.written.accepted, writers.waiting]).toEqual([10, 10])
  writers.delivered(4)
  await expect.poll(() => writers.written.accepted).toBe(14)
  await sleep(50)
  expect([writers.written.accepted, writers.waiting]).toEqual([14, 10])
})

test('what is refused is not on its way', async () => {
  let requests = 0
  const port = await listen((socket) => void socket.write(answerOf(++requests <= 5 ? 503 : 200)))
  const writers = await writing({ port })
  await expect.poll(() => writers.written).toEqual({ accepted: 10, refused: 5 })
})

test('writers stop when their last message is answered, and each has written one after the other', async () => {
  const received: string[] = []
  const port = await listen((socket, request) => {
    received.push(request)
    setTimeout(() => socket.write(answerOf(200)), 20)
  })
  const answered: number[] = []
  const writers = await writing({ port, mostOnTheWay: 1000, onAnswer: (connection) => answered.push(connection) })
  await expect.poll(() => received.length).toBeGreaterThan(6)
  const { accepted } = await writers.stop()
  expect(accepted).toBe(received.length)
  expect(answered.length).toBe(received.length)
  // One request under way per connection: two on one would arrive as one text.
  expect(received.every((request) => request.length === 1)).toBe(true)
  await sleep(50)
  expect(received.length).toBe(accepted)
})

test('writers who hold back can be stopped', async () => {
  const writers = await writing({ port: await listen(answering(200)), mostOnTheWay: 2 })
  await expect.poll(() => writers.written.accepted).toBe(2)
  expect(await writers.stop()).toEqual({ accepted: 2, refused: 0 })
})

test('a server that breaks off is told of, also to whoever stops', async () => {
  let answers = 0
  const port = await listen((socket) => void (++answers > 5 ? socket.destroy() : socket.write(answerOf(200))))
  const writers = await writing({ port })
  await expect(writers.lost).rejects.toThrow()
  await expect(writers.stop()).rejects.toThrow()
})
