import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Connection } from '../link.ts'

const CHANNEL = 'confab_bus'
const CONNECT_TIMEOUT_MS = 5000
const QUERY_TIMEOUT_MS = 10_000
/** A peer that vanished without a word is found out by asking: a listening connection says nothing by itself. */
const HEARTBEAT_MS = 10_000
const GOODBYE_MS = 1000

/** Keeps the order of the payloads, in one transaction and one round trip. */
const NOTIFY = 'SELECT count(pg_notify($1, payload)) FROM unnest($2::text[]) AS payload'

export type OnPayload = (sender: number, payload: string) => void

/** A session of its own that listens and notifies. Not from a pool: `LISTEN` belongs to the session. */
export class PostgresConnection implements Connection {
  /** Ours, so that we can let go of it whatever the client waits for. */
  readonly #socket = new Socket()
  readonly #client: pg.Client
  readonly #lost = Promise.withResolvers<unknown>()
  #heartbeat: NodeJS.Timeout | undefined

  constructor(url: string) {
    this.#client = new pg.Client({
      connectionString: url,
      stream: () => this.#socket,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'confab bus',
    })
    this.#client.on('error', (error) => this.lose(error))
    this.#client.on('end', () => this.lose(new Error('the connection ended')))
  }

  get lost(): Promise<unknown> {
    return this.#lost.promise
  }

  async listen(onPayload: OnPayload): Promise<void> {
    await this.#client.connect()
    this.#client.on('notification', ({ processId, payload }) => onPayload(processId, payload ?? ''))
    await this.#client.query(`LISTEN ${CHANNEL}`)
    this.#heartbeat = setInterval(() => {
      this.#client.query('SELECT 1').catch((error: unknown) => this.lose(error))
    }, HEARTBEAT_MS)
  }

  async notify(payloads: readonly string[]): Promise<void> {
    await this.#client.query(NOTIFY, [CHANNEL, payloads])
  }

  /** Declares the connection unusable. */
  lose(reason: unknown): void {
    this.#lost.resolve(reason)
  }

  async close(): Promise<void> {
    const isListening = this.#heartbeat !== undefined
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    // An end that does not come, or not without error, is made by the destruction below.
    if (isListening) await Promise.race([this.#client.end().catch(() => {}), sleep(GOODBYE_MS, 0, { ref: false })])
    this.#socket.destroy()
    this.lose(new Error('closed'))
  }
}

export const dialPostgres = async (
  url: string,
  onPayload: OnPayload,
  signal: AbortSignal,
): Promise<PostgresConnection> => {
  const connection = new PostgresConnection(url)
  const abort = (): Promise<void> => connection.close()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await connection.listen(onPayload)
    return connection
  } catch (error) {
    await connection.close()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
