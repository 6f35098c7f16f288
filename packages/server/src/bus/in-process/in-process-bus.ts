import type { Logger } from '../../kernel/logger.ts'
import type { Bus, Handler, Subscription } from '../bus.ts'
import { fits, textOf } from '../message-size.ts'
import { Subscribers } from '../subscribers.ts'

/** Joins the buses of one process. One node needs one of them; tests open several. */
export class InProcessHub {
  readonly #nodes = new Set<InProcessBus>()
  #published: { readonly subject: string; readonly message: string }[] = []

  open(log: Logger): Bus {
    const bus = new InProcessBus(this, log)
    this.#nodes.add(bus)
    return bus
  }

  hasSubscriber(subject: string): boolean {
    for (const node of this.#nodes) if (node.has(subject)) return true
    return false
  }

  leave(bus: InProcessBus): void {
    this.#nodes.delete(bus)
  }

  /** Delivers at the end of the tick, in one go: a publisher never runs the handlers of others. */
  publish(subject: string, message: string): void {
    if (this.#published.length === 0) setImmediate(() => this.flush())
    this.#published.push({ subject, message })
  }

  flush(): void {
    const published = this.#published
    this.#published = []
    for (const { subject, message } of published) {
      for (const node of this.#nodes) node.deliver(subject, message)
    }
  }
}

class InProcessBus implements Bus {
  readonly #hub: InProcessHub
  readonly #log: Logger
  readonly #subscribers: Subscribers
  #isClosed = false

  constructor(hub: InProcessHub, log: Logger) {
    this.#hub = hub
    this.#log = log
    this.#subscribers = new Subscribers(log)
  }

  publish(subject: string, message: string | (() => string)): void {
    if (this.#isClosed || !this.#hub.hasSubscriber(subject)) return
    const text = textOf(message)
    if (fits(subject, text, this.#log)) this.#hub.publish(subject, text)
  }

  has(subject: string): boolean {
    return this.#subscribers.has(subject)
  }

  async subscribe(subject: string, handler: Handler): Promise<Subscription> {
    return this.#subscribers.add(subject, handler)
  }

  status(): 'up' | 'down' {
    return this.#isClosed ? 'down' : 'up'
  }

  connections(): number {
    return 1
  }

  deliver(subject: string, message: string): void {
    this.#subscribers.deliver(subject, message)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#hub.flush()
    this.#hub.leave(this)
    this.#subscribers.clear()
  }
}
