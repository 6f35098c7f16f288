/**
 * A bot's side of callbacks, over real sockets, that can misbehave in every way that a sender must survive. Depends on
 * no test framework, so that it also serves as a process of its own.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type Clock, systemClock } from '../kernel/clock.ts'

export interface ReceivedCallback {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  /** As it came. */
  readonly body: string
  /** `undefined` if the body is not JSON. */
  readonly json: unknown
  readonly atMs: number
}

export type Behaviour =
  | {
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string | Uint8Array
      readonly delayMs?: number
    }
  /** Never answers. */
  | { readonly kind: 'hang' }
  /** Resets the connection in place of an answer. */
  | { readonly kind: 'reset' }
  /** Headers, then one byte a second. */
  | { readonly kind: 'drip'; readonly status?: number; readonly type?: string }
  | { readonly kind: 'endless-body'; readonly status?: number }
  | { readonly kind: 'endless-headers' }
  | { readonly kind: 'reset-mid-body' }
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** Says 200 and `connection: keep-alive`, then closes the connection all the same. */
  | { readonly kind: 'close-after-answer' }
  /** These bytes in place of an answer; the connection stays open, unless it is to be closed. */
  | { readonly kind: 'raw'; readonly bytes: string; readonly close?: boolean }

/** `n` counts from 1. */
export type Behave = (request: ReceivedCallback, n: number) => Behaviour

export interface CallbackReceiver {
  /** With a path, without a slash at the end. */
  readonly url: string
  readonly port: number
  readonly received: readonly ReceivedCallback[]
  /** How many connections were ever opened. */
  readonly connections: number
  /** How many are open. */
  readonly open: number
  /** The first `count` or more; rejects if they do not come in time. */
  waitFor(count: number, timeoutMs: number): Promise<readonly ReceivedCallback[]>
  setBehaviour(behave: Behave): void
  /** Drops every connection. */
  close(): Promise<void>
}

export interface CallbackReceiverOptions {
  readonly behave?: Behave
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly host?: string
  /** Any free one unless given. */
  readonly port?: number
  readonly clock?: Clock
}

interface Waiter {
  readonly count: number
  readonly resolve: (received: readonly ReceivedCallback[]) => void
  readonly timer: NodeJS.Timeout
}

const DRIP_MS = 1000
const FILLER = 'x'.repeat(1024)

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

/** Writes as long as the other side takes it, with a breath after each piece. */
const pour = (socket: Socket, piece: string): void => {
  const next = (): void => {
    if (socket.destroyed) return
    if (socket.write(piece)) setImmediate(next)
    else socket.once('drain', next)
  }
  next()
}

const drip = (socket: Socket): void => {
  const timer = setInterval(() => socket.write('.'), DRIP_MS)
  socket.once('close', () => clearInterval(timer))
}

const head = (status: number, ...headers: string[]): string =>
  `${[`HTTP/1.1 ${status} X`, ...headers].join('\r\n')}\r\n`

type Misbehaviour = Exclude<Behaviour, { status: number; kind?: never } | { kind: 'redirect' }> & { kind: string }

const misbehave = (behaviour: Misbehaviour, socket: Socket): void => {
  switch (behaviour.kind) {
    case 'hang':
      return
    case 'reset':
      socket.resetAndDestroy()
      return
    case 'drip':
      socket.write(
        `${head(behaviour.status ?? 200, `content-type: ${behaviour.type ?? 'text/plain'}`, 'content-length: 1000')}\r\n`,
      )
      drip(socket)
      return
    case 'endless-body':
      socket.write(`${head(behaviour.status ?? 200, 'connection: close')}\r\n`)
      pour(socket, FILLER)
      return
    case 'endless-headers':
      socket.write(head(200))
      pour(socket, `x-filler: ${FILLER}\r\n`)
      return
    case 'reset-mid-body':
      socket.write(`${head(200, 'content-length: 1000')}\r\nhalf of it`, () =>
        setTimeout(() => socket.resetAndDestroy(), 20),
      )
      return
    case 'close-after-answer':
      socket.end(`${head(200, 'content-length: 2', 'connection: keep-alive')}\r\nok`)
      return
    case 'raw':
      socket.write(behaviour.bytes)
      if (behaviour.close === true) socket.end()
      return
    default:
      behaviour satisfies never
  }
}

const answer = (behaviour: Behaviour, response: ServerResponse): void => {
  if (!('kind' in behaviour)) {
    const { status, headers = {}, body = '', delayMs = 0 } = behaviour
    const respond = (): void => {
      response.writeHead(status, headers).end(body)
    }
    if (delayMs === 0) respond()
    else setTimeout(respond, delayMs)
  } else if (behaviour.kind === 'redirect') {
    response.writeHead(behaviour.status ?? 302, { location: behaviour.location }).end()
  } else if (response.socket !== null) misbehave(behaviour, response.socket)
}

export const startCallbackReceiver = async (options: CallbackReceiverOptions = {}): Promise<CallbackReceiver> => {
  const { clock = systemClock, host = '127.0.0.1', port: wanted = 0, tls } = options
  let behave: Behave = options.behave ?? (() => ({ status: 200 }))
  const received: ReceivedCallback[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  let waiters: Waiter[] = []

  const note = (callback: ReceivedCallback): void => {
    received.push(callback)
    const served = waiters.filter(({ count }) => received.length >= count)
    waiters = waiters.filter(({ count }) => received.length < count)
    for (const { timer, resolve } of served) {
      clearTimeout(timer)
      resolve([...received])
    }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request)
    const { method = '', url: path = '' } = request
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    const callback = { method, path, headers, body, json: parseJson(body), atMs: clock.now() }
    note(callback)
    answer(behave(callback, received.length), response)
  }

  // A sender that gives up in the middle of its request is part of the game.
  const listener: RequestListener = (request, response) =>
    void handle(request, response).catch(() => response.destroy())
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.on('connection', (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, host, resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  const hostname = host.includes(':') ? `[${host}]` : host

  return {
    url: `${tls === undefined ? 'http' : 'https'}://${hostname}:${port}/callback`,
    port,
    received,
    get connections() {
      return connections
    },
    get open() {
      return sockets.size
    },
    waitFor: (count, timeoutMs) =>
      new Promise((resolve, reject) => {
        if (received.length >= count) {
          resolve([...received])
          return
        }
        const fail = (): void => {
          waiters = waiters.filter((waiter) => waiter.timer !== timer)
          reject(new Error(`${received.length} of ${count} callbacks came within ${timeoutMs} ms`))
        }
        const timer = setTimeout(fail, timeoutMs)
        waiters.push({ count, resolve, timer })
      }),
    setBehaviour: (next) => {
      behave = next
    },
    close: async () => {
      for (const { timer } of waiters) clearTimeout(timer)
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
