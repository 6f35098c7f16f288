/** One SQLite file as the thread that owns it sees it: pragmas, statements, the seam. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { defaultLimits, type Limits } from '@confab/protocol'
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
import { Remembered } from './remembered.ts'

/**
 * `synchronous=FULL` syncs the log at every commit: what was acknowledged survives loss of power, not only of the
 * process. The cache is in KiB when negative.
 */
const PRAGMAS = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA busy_timeout = 5000',
  'PRAGMA temp_store = MEMORY',
  'PRAGMA cache_size = -16384',
  'PRAGMA wal_autocheckpoint = 8000',
  'PRAGMA journal_size_limit = 67108864',
]

interface Prepared {
  readonly native: StatementSync
  /** The table that it writes. */
  readonly writes: string | undefined
}

const READS = /^\s*(?:SELECT|WITH(?!.*\b(?:INSERT|UPDATE|DELETE)\b)|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b/is
const WRITES = /^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)/i

/** Neither triggers nor cascades write another. */
const writtenTable = (sql: string): string | undefined => {
  const table = WRITES.exec(sql)?.[1]
  if (table === undefined && !READS.test(sql)) throw new Error(`what does this statement write? ${sql}`)
  return table
}

export class SqliteDatabase implements Tx {
  readonly dialect = 'sqlite'
  readonly build = makeBuilder('sqlite')
  readonly limits: Limits
  readonly #db: DatabaseSync
  readonly #prepared = new Map<AnyStatement, Prepared>()
  readonly #dynamic = new Map<string, Prepared>()
  readonly #remembered = new Remembered()
  #writes = 0

  constructor(path: string, limits: Limits = defaultLimits) {
    this.limits = limits
    this.#db = new DatabaseSync(path)
    for (const pragma of PRAGMAS) this.#db.exec(pragma)
  }

  /** How many statements that write have been run, or begun. */
  get writes(): number {
    return this.#writes
  }

  /** The log may be all that fills the disk: what stands in it goes to its place. */
  emptyLog(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // The disk is as full as before, and callers have been told.
    }
  }

  exec(sql: string): void {
    this.#db.exec(sql)
  }

  /** Prepared: for what surrounds every call. */
  step(sql: string): void {
    if (sql.startsWith('ROLLBACK')) this.#remembered.clear()
    this.#prepareText(sql).native.run()
  }

  // SQLite answers at once; the seam is asynchronous for the sake of PostgreSQL, and what is thrown in here is a rejection.

  async all<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<readonly R[]> {
    return this.#prepare(statement).native.all(...bind(statement, 'sqlite', params)) as R[]
  }

  async first<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<R | undefined> {
    const values = bind(statement, 'sqlite', params)
    if (statement.holdsUntil.length === 0) return this.#prepare(statement).native.get(...values) as R | undefined
    return this.#remembered.first(
      statement,
      values,
      () => this.#prepare(statement).native.get(...values) as R | undefined,
    )
  }

  async run<P extends Params>(statement: Statement<P, never>, params: P): Promise<number> {
    return Number(this.#prepare(statement).native.run(...bind(statement, 'sqlite', params)).changes)
  }

  async insert<P extends Params>(statement: Statement<P, never>, params: P): Promise<number> {
    return Number(this.#prepare(statement).native.run(...bind(statement, 'sqlite', params)).lastInsertRowid)
  }

  async query<R>(compiled: CompiledQuery<R>): Promise<readonly R[]> {
    for (const value of compiled.parameters) assertStorable(value, 'query')
    return this.#prepareText(compiled.sql).native.all(...(compiled.parameters as Value[])) as R[]
  }

  close(): void {
    this.#db.close()
  }

  #prepareText(sql: string): Prepared {
    let prepared = this.#dynamic.get(sql)
    if (prepared === undefined) {
      // Dynamic lists have few shapes; the bound only guards against a shape per request.
      if (this.#dynamic.size >= 500) this.#dynamic.clear()
      prepared = { native: this.#db.prepare(sql), writes: writtenTable(sql) }
      this.#dynamic.set(sql, prepared)
    }
    return this.#aboutToRun(prepared)
  }

  #prepare(statement: AnyStatement): Prepared {
    let prepared = this.#prepared.get(statement)
    if (prepared === undefined) {
      const sql = statement.text.sqlite
      prepared = { native: this.#db.prepare(sql), writes: writtenTable(sql) }
      this.#prepared.set(statement, prepared)
    }
    return this.#aboutToRun(prepared)
  }

  #aboutToRun(prepared: Prepared): Prepared {
    if (prepared.writes !== undefined) {
      this.#writes++
      this.#remembered.written(prepared.writes)
    }
    return prepared
  }
}
