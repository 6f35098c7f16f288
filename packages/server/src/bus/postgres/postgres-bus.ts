/** `LISTEN` and `NOTIFY` on one channel: several nodes need nothing but the database that they share. */
import type { Logger } from '../../kernel/logger.ts'
import type { Bus, Handler, Subscription } from '../bus.ts'
import { Link } from '../link.ts'
import { fits, textOf } from '../message-size.ts'
import { Subscribers } from '../subscribers.ts'
import { dialPostgres, type PostgresConnection } from './connection.ts'
import { Assembly, type Envelope, toPayloads } from './payloads.ts'

/** In UTF-16 units. More can only wait here when the database is slower than we publish for long. */
const MAX_PENDING_LENGTH = 16 * 1024 * 1024

export interface PostgresBusOptions {
  readonly url: string
  readonly log: Logger
}

export const openPostgresBus = async (options: PostgresBusOptions): Promise<Bus> => {
  const bus = new PostgresBus(options)
  await bus.tried
  return bus
}

class PostgresBus implements Bus {
  readonly #log: Logger
  readonly #subscribers: Subscribers
  readonly #link: Link<PostgresConnection>
  #pending: Envelope[] = []
  #pendingLength = 0
  #batch = 0
  /** At most one batch is under way: what is published meanwhile makes the next one. */
  #flushing: Promise<void> | undefined
  #isClosed = false

  constructor({ url, log }: PostgresBusOptions) {
    this.#log = log
    this.#subscribers = new Subscribers(log)
    this.#link = new Link({ log, dial: (signal) => this.#dial(url, signal) })
  }

  get tried(): Promise<void> {
    return this.#link.tried
  }

  publish(subject: string, text: string | (() => string)): void {
    if (this.status() === 'down') return
    const message = textOf(text)
    if (!fits(subject, message, this.#log)) return
    if (this.#pendingLength + message.length > MAX_PENDING_LENGTH) {
      this.#log.warn({ subject, pending: this.#pending.length }, 'bus.publish_dropped')
      return
    }
    this.#pending.push({ subject, message })
    this.#pendingLength += subject.length + message.length
    this.#flushing ??= this.#flush()
  }

  async subscribe(subject: string, handler: Handler): Promise<Subscription> {
    return this.#subscribers.add(subject, handler)
  }

  status(): 'up' | 'down' {
    return this.#isClosed || this.#link.current === undefined ? 'down' : 'up'
  }

  connections(): number {
    return this.#link.connections
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#flushing
    this.#subscribers.clear()
    await this.#link.close()
  }

  #dial(url: string, signal: AbortSignal): Promise<PostgresConnection> {
    const assembly = new Assembly()
    const onPayload = (sender: number, payload: string): void => {
      const envelopes = assembly.add(sender, payload)
      if (envelopes === undefined) this.#log.warn({ sender }, 'bus.payload_skipped')
      for (const { subject, message } of envelopes ?? []) this.#subscribers.deliver(subject, message)
    }
    return dialPostgres(url, onPayload, signal)
  }

  /** Begins at the end of the tick, and goes on until nothing is pending. Never rejects. */
  async #flush(): Promise<void> {
    await new Promise(setImmediate)
    while (this.#pending.length > 0) {
      const envelopes = this.#pending
      this.#pending = []
      this.#pendingLength = 0
      this.#batch += 1
      const connection = this.#link.current
      try {
        await connection?.notify(toPayloads(this.#batch, envelopes))
      } catch (error) {
        // Whether the batch went out is unknown; a session in this state is of no more use.
        connection?.lose(error)
      }
    }
    this.#flushing = undefined
  }
}
