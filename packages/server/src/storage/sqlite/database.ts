/** One SQLite file as the thread that owns it sees it: pragmas, statements, the seam. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import { makeBuilder } from '../sql/builder.ts'
import {
  type AnyStatement,
  assertStorable,
  bind,
  type Params,
  type Statement,
  type Tx,
  type Value,
} from '../sql/seam.ts'

/**
 * `synchronous=FULL` syncs the log at every commit: what was acknowledged survives loss of power, not only of the
 * process. The cache is in KiB when negative.
 */
const PRAGMAS = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA busy_timeout = 5000',
  'PRAGMA temp_store = MEMORY',
  'PRAGMA cache_size = -32768',
  'PRAGMA wal_autocheckpoint = 2000',
  'PRAGMA journal_size_limit = 67108864',
]

export class SqliteDatabase implements Tx {
  readonly dialect = 'sqlite'
  readonly build = makeBuilder('sqlite')
  readonly #db: DatabaseSync
  readonly #prepared = new Map<object, StatementSync>()
  readonly #dynamic = new Map<string, StatementSync>()

  constructor(path: string) {
    this.#db = new DatabaseSync(path)
    for (const pragma of PRAGMAS) this.#db.exec(pragma)
  }

  exec(sql: string): void {
    this.#db.exec(sql)
  }

  /** Prepared: for what surrounds every call. */
  step(sql: string): void {
    this.#prepareText(sql).run()
  }

  all<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<readonly R[]> {
    return this.#now(() => this.#prepare(statement).all(...bind(statement, 'sqlite', params)) as R[])
  }

  first<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<R | undefined> {
    return this.#now(() => this.#prepare(statement).get(...bind(statement, 'sqlite', params)) as R | undefined)
  }

  run<P extends Params>(statement: Statement<P, never>, params: P): Promise<number> {
    return this.#now(() => Number(this.#prepare(statement).run(...bind(statement, 'sqlite', params)).changes))
  }

  query<R>(compiled: CompiledQuery<R>): Promise<readonly R[]> {
    return this.#now(() => {
      for (const value of compiled.parameters) assertStorable(value, 'query')
      return this.#prepareText(compiled.sql).all(...(compiled.parameters as Value[])) as R[]
    })
  }

  close(): void {
    this.#db.close()
  }

  #prepareText(sql: string): StatementSync {
    let prepared = this.#dynamic.get(sql)
    if (prepared === undefined) {
      // Dynamic lists have few shapes; the bound only guards against a shape per request.
      if (this.#dynamic.size >= 500) this.#dynamic.clear()
      prepared = this.#db.prepare(sql)
      this.#dynamic.set(sql, prepared)
    }
    return prepared
  }

  #prepare(statement: AnyStatement): StatementSync {
    let prepared = this.#prepared.get(statement)
    if (prepared === undefined) {
      prepared = this.#db.prepare(statement.text.sqlite)
      this.#prepared.set(statement, prepared)
    }
    return prepared
  }

  /** SQLite answers at once; the seam is asynchronous for the sake of PostgreSQL. */
  #now<T>(work: () => T): Promise<T> {
    try {
      return Promise.resolve(work())
    } catch (error) {
      return Promise.reject(error)
    }
  }
}
