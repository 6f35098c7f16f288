/** Core publish and subscribe of NATS: for more fan-out than a database should carry. */
import type { Logger } from '../../kernel/logger.ts'
import type { Bus, Handler, Subscription } from '../bus.ts'
import { Link } from '../link.ts'
import { fits, textOf } from '../message-size.ts'
import { Subscribers } from '../subscribers.ts'
import { dialNats, type NatsBusConnection, type NatsConnectionOptions } from './connection.ts'

export interface NatsBusOptions {
  readonly url: string
  readonly log: Logger
}

export const openNatsBus = async (options: NatsBusOptions): Promise<Bus> => {
  const bus = new NatsBus(options)
  await bus.tried
  return bus
}

class NatsBus implements Bus {
  readonly #log: Logger
  readonly #subscribers: Subscribers
  readonly #link: Link<NatsBusConnection>
  #isClosed = false

  constructor({ url, log }: NatsBusOptions) {
    this.#log = log
    this.#subscribers = new Subscribers(log)
    const options: NatsConnectionOptions = {
      url,
      onMessage: (subject, message) => this.#subscribers.deliver(subject, message),
      onError: (error, subject) => log.error({ err: error, subject }, 'bus.subscription_refused'),
    }
    this.#link = new Link({
      log,
      dial: () => dialNats(options),
      onUp: (connection) => {
        for (const subject of this.#subscribers.subjects()) connection.subscribe(subject)
      },
    })
  }

  get tried(): Promise<void> {
    return this.#link.tried
  }

  publish(subject: string, text: string | (() => string)): void {
    if (this.#isClosed || this.#link.current === undefined) return
    const message = textOf(text)
    if (!fits(subject, message, this.#log)) return
    try {
      this.#link.current?.publish(subject, message)
    } catch (error) {
      // The connection is just being lost, or the server takes less than we may send.
      this.#log.warn({ err: error, subject }, 'bus.publish_dropped')
    }
  }

  async subscribe(subject: string, handler: Handler): Promise<Subscription> {
    const subscription = this.#subscribers.add(subject, handler, () => this.#link.current?.unsubscribe(subject))
    try {
      const connection = this.#link.current
      connection?.subscribe(subject)
      await connection?.flush()
    } catch (error) {
      // The connection was lost meanwhile; the next one takes the subscription with it.
      this.#log.debug({ err: error, subject }, 'bus.subscribe_postponed')
    }
    return subscription
  }

  status(): 'up' | 'down' {
    return this.#isClosed || this.#link.current === undefined ? 'down' : 'up'
  }

  connections(): number {
    return this.#link.connections
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#link.close()
    this.#subscribers.clear()
  }
}
