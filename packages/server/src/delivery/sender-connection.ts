/**
 * Kept-alive connections by origin. An attempt has a connection to itself from its start to its end, which makes it
 * plain whose lookup, whose handshake and whose reset it was, and lets a deadline end the attempt by destroying the
 * connection without touching another. Owns the idle ones; those in use belong to their attempt.
 */
import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher } from 'undici'
import type { DialObserver, DialPhase } from './connector.ts'

/** What an attempt hears of its connection; nothing, if it got a kept-alive one. */
export interface ConnectionUser {
  reached(phase: DialPhase): void
}

const MAX_HEADER_BYTES = 16 * 1024
/** Below the 5 s after which common servers close: a POST must not meet a closing socket. */
const KEEP_ALIVE_MS = 4000
/** However much longer a server says it will wait. */
const MAX_KEEP_ALIVE_MS = 60_000

export type Connect = (observer: DialObserver) => buildConnector.connector

/** Whom a connection leads to, and under which rules it was dialled: it serves no one with others. */
export interface Destination {
  /** Scheme, host and port. */
  readonly origin: string
  /** Address ranges that this bot alone may be called at. */
  readonly allowCidrs: readonly string[]
}

const keyOf = ({ origin, allowCidrs }: Destination): string =>
  allowCidrs.length === 0 ? origin : `${origin} ${allowCidrs.join(',')}`

export class Connection implements DialObserver {
  readonly key: string
  readonly #client: Client
  #user: ConnectionUser | undefined
  /** Connecting or connected: the client knows only of the latter. */
  #socket: Socket | undefined
  #address: string | undefined

  constructor(
    { key, origin }: { key: string; origin: string },
    connect: Connect,
    disconnected: (connection: Connection) => void,
  ) {
    this.key = key
    this.#client = new Client(origin, {
      connect: connect(this),
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The deadline of the attempt is the only clock.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: MAX_KEEP_ALIVE_MS,
    })
    this.#client.on('disconnect', () => disconnected(this))
  }

  /** The address dialled, if it came to that. */
  get address(): string | undefined {
    return this.#address
  }

  lend(user: ConnectionUser): void {
    this.#user = user
  }

  giveBack(): void {
    this.#user = undefined
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler)
  }

  /** At once, whatever it is doing. Resolves when the socket is closed. */
  destroy(): Promise<void> {
    this.#user = undefined
    const destroyed = new Promise<void>((resolve) => this.#client.destroy(null, () => resolve()))
    this.#socket?.destroy()
    this.#socket = undefined
    return destroyed
  }

  dialling(socket: Socket): void {
    this.#socket = socket
    this.#address = undefined
  }

  trying(address: string): void {
    this.#address = address
  }

  reached(phase: DialPhase): void {
    this.#user?.reached(phase)
  }
}

export interface ConnectionPoolOptions {
  readonly connectTo: (destination: Destination) => Connect
  /** Idle connections kept per destination, and in all. */
  readonly maxIdlePerOrigin: number
  readonly maxIdle: number
}

/** There is no limit on those in use: whoever starts attempts sets it. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions
  readonly #idle = new Map<string, Connection[]>()
  #idleCount = 0

  constructor(options: ConnectionPoolOptions) {
    this.#options = options
  }

  /** The one used last, so that those no longer needed run out. */
  take(destination: Destination): Connection {
    const key = keyOf(destination)
    const idle = this.#idle.get(key)
    const connection = idle?.pop()
    if (connection === undefined) {
      const { origin } = destination
      return new Connection({ key, origin }, this.#options.connectTo(destination), (it) => this.#forget(it))
    }
    this.#idleCount -= 1
    if (idle?.length === 0) this.#idle.delete(key)
    return connection
  }

  giveBack(connection: Connection): void {
    connection.giveBack()
    const idle = this.#idle.get(connection.key)
    if (this.#idleCount >= this.#options.maxIdle || (idle?.length ?? 0) >= this.#options.maxIdlePerOrigin) {
      void connection.destroy()
      return
    }
    if (idle === undefined) this.#idle.set(connection.key, [connection])
    else idle.push(connection)
    this.#idleCount += 1
  }

  /** Destroys the idle ones. */
  async close(): Promise<void> {
    const all = [...this.#idle.values()].flat()
    this.#idle.clear()
    this.#idleCount = 0
    await Promise.all(all.map((connection) => connection.destroy()))
  }

  /** An idle connection was closed by its peer or by age. One in use tells its user instead. */
  #forget(connection: Connection): void {
    const idle = this.#idle.get(connection.key)
    const at = idle?.indexOf(connection) ?? -1
    if (idle === undefined || at < 0) return
    idle.splice(at, 1)
    this.#idleCount -= 1
    if (idle.length === 0) this.#idle.delete(connection.key)
    void connection.destroy()
  }
}
