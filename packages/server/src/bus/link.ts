import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../kernel/logger.ts'

/** One connection of a driver, good until it is lost. */
export interface Connection {
  /** Resolves, never rejects, with what ended the connection; also after `close`. */
  readonly lost: Promise<unknown>
  /** Sends what is under way if it can, and lets go of every handle. Never rejects. */
  close(): Promise<void>
}

export interface LinkOptions<C extends Connection> {
  /** Makes a connection that is ready for use; gives up when told to. */
  readonly dial: (signal: AbortSignal) => Promise<C>
  /** Called as soon as `current` is the new connection, before anybody else can see it. */
  readonly onUp?: (connection: C) => void
  readonly log: Logger
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** Keeps a connection for as long as it is not closed: what is lost is dialled again, for ever. */
export class Link<C extends Connection> {
  readonly #dial: LinkOptions<C>['dial']
  readonly #onUp: (connection: C) => void
  readonly #log: Logger
  readonly #closing = new AbortController()
  readonly #tried = Promise.withResolvers<void>()
  readonly #life: Promise<void>
  #current: C | undefined
  #connections = 0

  constructor({ dial, onUp = () => {}, log }: LinkOptions<C>) {
    this.#dial = dial
    this.#onUp = onUp
    this.#log = log
    this.#life = this.#live()
  }

  /** `undefined` while there is none. */
  get current(): C | undefined {
    return this.#current
  }

  /** How many there have been. */
  get connections(): number {
    return this.#connections
  }

  /** When the first attempt has succeeded or failed. A bus that is down must not keep the server from starting. */
  get tried(): Promise<void> {
    return this.#tried.promise
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#current?.close()
    await this.#life
  }

  async #live(): Promise<void> {
    const { signal } = this.#closing
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.#spend(signal)
        pause = FIRST_PAUSE_MS
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ err: error }, 'bus.connect_failed')
      }
      this.#tried.resolve()
      // Rejects when the link is closed meanwhile, which the loop sees by itself.
      await sleep(pause, undefined, { signal }).catch(() => {})
    }
  }

  /** One connection, from the first byte to the last. */
  async #spend(signal: AbortSignal): Promise<void> {
    const connection = await this.#dial(signal)
    if (!signal.aborted) {
      this.#current = connection
      this.#connections += 1
      this.#onUp(connection)
      this.#log.info({}, 'bus.up')
      this.#tried.resolve()
      const reason = await connection.lost
      this.#current = undefined
      if (!signal.aborted) this.#log.warn({ err: reason }, 'bus.down')
    }
    await connection.close()
  }
}
