import type { Logger } from '../kernel/logger.ts'
import type { Handler, Subscription } from './bus.ts'

/** The handlers of this node, by subject. What every driver delivers to. */
export class Subscribers {
  readonly #bySubject = new Map<string, Set<{ readonly handler: Handler }>>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** `onLast` is called when the subject has no handler any more. */
  add(subject: string, handler: Handler, onLast: () => void = () => {}): Subscription {
    // An entry of its own: the same handler may subscribe twice.
    const entry = { handler }
    const entries = this.#bySubject.get(subject) ?? new Set()
    this.#bySubject.set(subject, entries.add(entry))
    return {
      unsubscribe: () => {
        if (!entries.delete(entry) || entries.size > 0) return
        this.#bySubject.delete(subject)
        onLast()
      },
    }
  }

  /** A handler that throws hurts no other. */
  deliver(subject: string, message: string): void {
    for (const { handler } of this.#bySubject.get(subject) ?? []) {
      try {
        handler(message)
      } catch (error) {
        this.#log.error({ err: error, subject }, 'bus.handler_failed')
      }
    }
  }

  has(subject: string): boolean {
    return this.#bySubject.has(subject)
  }

  clear(): void {
    for (const entries of this.#bySubject.values()) entries.clear()
    this.#bySubject.clear()
  }

  subjects(): string[] {
    return [...this.#bySubject.keys()]
  }
}
