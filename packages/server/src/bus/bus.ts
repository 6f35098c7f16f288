/**
 * The port through which nodes tell each other that something happened: hints and fan-out.
 *
 * Owns: nothing that must survive. Whatever is published may be lost, and the store is the truth; a subscriber
 * that was told nothing finds out later by asking the store.
 * Does not own: what subjects and messages mean.
 * Invariants: a message reaches every subscriber of its subject on every node, the publisher's own included, and no
 * subscriber of another; the messages of one publisher arrive in the order in which it published them; a handler
 * never runs inside `publish`. While the driver has no connection (`down`), messages are dropped, not stored up: after
 * an outage they would be old news, and storing them would cost memory for as long as it lasts. Subscriptions outlive
 * every outage: the driver reconnects for ever, and takes them with it.
 * Shutdown: `close` sends what was published before it, as far as there is a connection, then lets go of everything.
 */

/** What one publish may carry, in bytes of UTF-8. Larger messages are dropped and logged: that is a fault of ours. */
export const MAX_MESSAGE_BYTES = 512 * 1024

export type Handler = (message: string) => void

export interface Subscription {
  /** The handler is not called again, not even for what is under way. */
  unsubscribe(): void
}

export interface Bus {
  /**
   * Fire and forget: returns at once and never throws.
   *
   * @param message made only if it is known that somebody may hear it
   */
  publish(subject: string, message: string | (() => string)): void
  /** Resolves once what is published from now on will arrive; during an outage, at once. */
  subscribe(subject: string, handler: Handler): Promise<Subscription>
  status(): 'up' | 'down'
  /** Grows with every connection: whoever finds it changed may have missed something. */
  connections(): number
  close(): Promise<void>
}
