/**
 * The scale-out engine: PostgreSQL through a pool. An operation that writes is one transaction; one that only reads
 * runs its statements as they come.
 *
 * Rows are locked where an operation reads before it writes (`{FOR_UPDATE}`); deadlocks and serialisation failures
 * are run again, since nothing of them has happened. Shutdown: `close` waits for calls under way.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultLimits, type Limits } from '@confab/protocol'
import type { CompiledQuery } from 'kysely'
import pg from 'pg'
import { AppError } from '../../kernel/app-error.ts'
import type { Logger } from '../../kernel/logger.ts'
import { UnderWay } from '../../kernel/under-way.ts'
import { makeBuilder } from '../sql/builder.ts'
import type { MigrationReport } from '../sql/migrate.ts'
import { operations } from '../sql/operations.ts'
import {
  type AnyStatement,
  assertStorable,
  bind,
  makePort,
  type Operation,
  operationAt,
  type Params,
  type Statement,
  type Tx,
  verbsOf,
} from '../sql/seam.ts'
import type { Store } from '../store.ts'
import { migratePostgres } from './migrate.ts'

const builder = makeBuilder('postgres')

/** The port speaks in numbers: ids and times stay below 2^53. */
const INT8 = 20
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
}

class PostgresTx implements Tx {
  readonly dialect = 'postgres'
  readonly build = builder
  readonly limits: Limits
  readonly #client: pg.ClientBase

  constructor(client: pg.ClientBase, limits: Limits) {
    this.#client = client
    this.limits = limits
  }

  async all<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<readonly R[]> {
    return (await this.#execute(statement, params)).rows as R[]
  }

  async first<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<R | undefined> {
    return (await this.#execute(statement, params)).rows[0] as R | undefined
  }

  async run<P extends Params>(statement: Statement<P, never>, params: P): Promise<number> {
    return (await this.#execute(statement, params)).rowCount ?? 0
  }

  async insert<P extends Params>(statement: Statement<P, never>, params: P): Promise<number> {
    const [row] = (await this.#execute(statement, params)).rows as { id: number }[]
    if (row === undefined) throw new Error(`${statement.name} returned no row`)
    return row.id
  }

  async query<R>(compiled: CompiledQuery<R>): Promise<readonly R[]> {
    for (const value of compiled.parameters) assertStorable(value, 'query')
    return (await this.#client.query({ text: compiled.sql, values: [...compiled.parameters] })).rows as R[]
  }

  #execute(statement: AnyStatement, params: Params): Promise<pg.QueryResult> {
    const values = bind(statement, 'postgres', params)
    return this.#client.query({ name: statement.name, text: statement.text.postgres, values })
  }
}

const RETRIED = new Set(['40001', '40P01'])
const TRIES = 8

const isConnectionLoss = (error: unknown): boolean =>
  error instanceof Error &&
  ('code' in error
    ? /^(08|57P)/.test(String(error.code)) || /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND)/.test(String(error.code))
    : /Connection terminated|not queryable|connection timeout|timeout exceeded/i.test(error.message))

class PostgresEngine {
  readonly #pool: pg.Pool
  readonly #limits: Limits
  readonly #underWay = new UnderWay()
  #closed: Promise<void> | undefined

  constructor(pool: pg.Pool, limits: Limits) {
    this.#pool = pool
    this.#limits = limits
  }

  execute(operation: Operation<unknown, unknown>, input: unknown): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(new AppError('ERR_SERVICE_UNAVAILABLE'))
    const call = this.#execute(operation, input)
    this.#underWay.add(call)
    return call
  }

  /** A pool that is ended forgets those who wait for a connection, so they go first. */
  close(): Promise<void> {
    this.#closed ??= this.#underWay.nothing().then(() => this.#pool.end())
    return this.#closed
  }

  async #execute(operation: Operation<unknown, unknown>, input: unknown): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(operation, input)
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : ''
        if (RETRIED.has(code) && attempt < TRIES) {
          await sleep(2 ** attempt)
          continue
        }
        if (isConnectionLoss(error)) throw new AppError('ERR_SERVICE_UNAVAILABLE', { cause: error })
        throw error
      }
    }
  }

  async #once(operation: Operation<unknown, unknown>, input: unknown): Promise<unknown> {
    const client = await this.#pool.connect()
    let broken = false
    try {
      if (operation.kind === 'read') return await operation.run(new PostgresTx(client, this.#limits), input)
      await client.query('BEGIN')
      try {
        const value = await operation.run(new PostgresTx(client, this.#limits), input)
        await client.query('COMMIT')
        return value
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {
          broken = true
        })
        throw error
      }
    } finally {
      client.release(broken)
    }
  }
}

export const openPostgresStore = async (options: {
  databaseUrl: string
  maxConnections?: number
  limits?: Limits
  log: Logger
}): Promise<{ store: Store; migration: MigrationReport }> => {
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: options.maxConnections ?? 16,
    connectionTimeoutMillis: 10_000,
    types,
  })
  // An idle connection that breaks is replaced by the pool; the next call tells if the server is really gone.
  pool.on('error', (error) => options.log.warn({ err: error }, 'store.connection_lost'))
  // While a connection is in use the pool does not listen, and what nobody hears ends the process. Its call fails.
  pool.on('connect', (client) => client.on('error', () => {}))
  try {
    const migration = await migratePostgres(pool)
    const engine = new PostgresEngine(pool, options.limits ?? defaultLimits)
    const store: Store = {
      ...makePort<typeof operations>(verbsOf(operations), (path) => {
        const operation = operationAt(operations, path)
        return (input) => engine.execute(operation, input)
      }),
      engine: 'postgres',
      close: () => engine.close(),
    }
    return { store, migration }
  } catch (error) {
    await pool.end()
    throw error
  }
}
