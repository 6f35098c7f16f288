import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, connect, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import type { Connection } from '../link.ts'
import { wireSubject } from './wire-subject.ts'

const CONNECT_TIMEOUT_MS = 3000
/** Two of them unanswered, and the connection is lost. */
const PING_INTERVAL_MS = 10_000
const GOODBYE_MS = 1000

/** User and password, or a token alone, stand in the first server's URL; a cluster has the same everywhere. */
const credentialsOf = ({ username, password }: URL): ConnectionOptions => {
  if (username === '') return {}
  const user = decodeURIComponent(username)
  return password === '' ? { token: user } : { user, pass: decodeURIComponent(password) }
}

export const connectionOptions = (busUrl: string): ConnectionOptions => {
  const urls = busUrl.split(',').map((part) => new URL(part.trim()))
  const [first] = urls
  const wantsTls = urls.some((url) => url.protocol === 'tls:')
  return {
    servers: urls.map((url) => url.host),
    ...(first === undefined ? {} : credentialsOf(first)),
    // An empty object insists on TLS; without it TLS is used if the server offers it.
    ...(wantsTls ? { tls: {} } : {}),
    name: 'confab',
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    // `Link` dials again: one way to reconnect for all drivers.
    reconnect: false,
  }
}

export type OnMessage = (subject: string, message: string) => void
export type OnError = (error: unknown, subject: string) => void

export interface NatsConnectionOptions {
  readonly url: string
  readonly onMessage: OnMessage
  /** The server refused a subscription; the others go on. */
  readonly onError: OnError
}

export class NatsBusConnection implements Connection {
  readonly lost: Promise<unknown>
  readonly #nats: NatsConnection
  readonly #options: NatsConnectionOptions
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(nats: NatsConnection, options: NatsConnectionOptions) {
    this.#nats = nats
    this.#options = options
    this.lost = nats.closed()
  }

  publish(subject: string, message: string): void {
    this.#nats.publish(wireSubject(subject), message)
  }

  /** Once for a subject, however often it is called. */
  subscribe(subject: string): void {
    if (this.#subscriptions.has(subject)) return
    const subscription = this.#nats.subscribe(wireSubject(subject), {
      callback: (error, message) => {
        if (error === null) this.#options.onMessage(subject, message.string())
        else this.#options.onError(error, subject)
      },
    })
    this.#subscriptions.set(subject, subscription)
  }

  /** Resolves once the server knows what was done before. */
  flush(): Promise<void> {
    return this.#nats.flush()
  }

  unsubscribe(subject: string): void {
    this.#subscriptions.get(subject)?.unsubscribe()
    this.#subscriptions.delete(subject)
  }

  async close(): Promise<void> {
    // What cannot be sent any more is lost with the connection, as the port allows.
    await Promise.race([this.flush().catch(() => {}), sleep(GOODBYE_MS, 0, { ref: false })])
    await this.#nats.close().catch(() => {})
  }
}

export const dialNats = async (options: NatsConnectionOptions): Promise<NatsBusConnection> =>
  new NatsBusConnection(await connect(connectionOptions(options.url)), options)
