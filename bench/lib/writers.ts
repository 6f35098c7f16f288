/**
 * People who write as fast as they are answered, but hold back while so many messages are on their way: what waits in the
 * server stays about the same, however fast it is. The messages of a conversation are all written by one of them.
 */
import { Connection } from './connection.ts'

export interface WritersOptions {
  readonly port: number
  readonly connections: number
  readonly mostOnTheWay: number
  readonly next: (connection: number) => string
  /** Of each answer. */
  readonly onAnswer?: (connection: number, status: number) => void
}

export interface Written {
  readonly accepted: number
  /** Answers that are not 2xx. */
  readonly refused: number
}

export class Writers {
  readonly #options: WritersOptions
  readonly #lost: PromiseWithResolvers<never>
  readonly #idle: number[] = []
  #connections: Connection[] = []
  #sent = 0
  #delivered = 0
  #accepted = 0
  #refused = 0
  #stopped: (() => void) | undefined

  private constructor(options: WritersOptions) {
    this.#options = options
    this.#lost = Promise.withResolvers<never>()
    // It may happen while nobody waits.
    this.#lost.promise.catch(() => {})
  }

  static async start(options: WritersOptions): Promise<Writers> {
    const writers = new Writers(options)
    const open = () => Connection.open(options.port, writers.#lost.reject)
    writers.#connections = await Promise.all(Array.from({ length: options.connections }, open))
    for (let connection = 0; connection < options.connections; connection++) writers.#write(connection)
    return writers
  }

  get written(): Written {
    return { accepted: this.#accepted, refused: this.#refused }
  }

  /** Accepted, and not delivered as far as is known. */
  get waiting(): number {
    return this.#accepted - this.#delivered
  }

  /** Rejects if a connection was lost. */
  get lost(): Promise<never> {
    return this.#lost.promise
  }

  /** To be told, again and again, how many have been delivered by now. */
  delivered(count: number): void {
    this.#delivered = count
    for (const connection of this.#idle.splice(0)) this.#write(connection)
  }

  /** No more messages; resolves when the last one is answered. */
  async stop(): Promise<Written> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stopped = resolve
    this.#endIfIdle()
    await Promise.race([promise, this.lost])
    this.abandon()
    return this.written
  }

  /** Without waiting for answers. */
  abandon(): void {
    for (const connection of this.#connections) connection.close()
  }

  #write(connection: number): void {
    const mayWrite =
      this.#stopped === undefined && this.#sent - this.#refused - this.#delivered < this.#options.mostOnTheWay
    if (!mayWrite) {
      this.#idle.push(connection)
      this.#endIfIdle()
      return
    }
    this.#sent++
    this.#connections[connection]?.send(this.#options.next(connection), (status) => {
      if (status >= 200 && status < 300) this.#accepted++
      else this.#refused++
      this.#options.onAnswer?.(connection, status)
      this.#write(connection)
    })
  }

  #endIfIdle(): void {
    if (this.#idle.length === this.#connections.length) this.#stopped?.()
  }
}
