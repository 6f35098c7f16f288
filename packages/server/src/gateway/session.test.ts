import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { systemClock } from '../kernel/clock.ts'
import { Session, type SessionDeps } from './session.ts'

/** Sessions on real sockets; `hear` is what is under test. */
const startSessions = async (hear: SessionDeps['hear']) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  await once(server, 'listening')
  const broken: unknown[] = []
  const deps: SessionDeps = {
    clock: systemClock,
    admit: async (session) => session.open(new Set()),
    hear,
    recheck: () => {},
    onIgnored: () => {},
    onBroken: (_, error) => broken.push(error),
    onSent: () => {},
    onClosed: () => {},
    maxBuffered: 1_000_000,
    framesPerSecond: 100,
  }
  server.on('connection', (socket) => void new Session(socket, deps, '127.0.0.1'))
  const { port } = server.address() as AddressInfo
  const enter = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    await once(socket, 'open')
    socket.send('{"type":"auth","body":{"auth":"x"}}')
    return socket
  }
  return { enter, broken }
}

const typingOf = (receiver: string): string =>
  `{"type":"typing_indicator","receiver":"${receiver}","receiverType":"user","body":{"action":"started"}}`

it('a fault of ours while somebody is heard ends their session, and no other', async () => {
  const heard: string[] = []
  const { enter, broken } = await startSessions((_, { receiver }) => {
    if (receiver === 'fault') throw new RangeError('a fault of ours')
    heard.push(receiver)
  })
  const [one, other] = [await enter(), await enter()]
  const closed = once(one, 'close')
  one.send(typingOf('fault'))
  one.send(typingOf('after'))
  const [code, reason] = await closed
  expect([code, String(reason)]).toEqual([1011, 'what was said could not be heard'])
  expect(broken).toMatchObject([{ message: 'a fault of ours' }])
  other.send(typingOf('bob'))
  other.send('{"action":"ping"}')
  await once(other, 'message')
  expect(heard).toEqual(['bob'])
  expect(other.readyState).toBe(WebSocket.OPEN)
})
