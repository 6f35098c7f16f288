/**
 * What statements found, for as long as it holds: until a table that they read is written. Only the thread that owns
 * the file writes it, so it sees every write. Owned by one database; to be cleared when a transaction is undone.
 */
import type { AnyStatement, Value } from '../sql/seam.ts'

/** Rows of one statement. They are small, and forgotten all at once when there are too many. */
const ROWS_MAX = 10_000

export class Remembered {
  readonly #rows = new Map<AnyStatement, Map<string, unknown>>()

  /** @param find asked if nothing is remembered; what it finds must not be changed by anybody */
  first<R>(statement: AnyStatement, values: readonly Value[], find: () => R): R {
    let rows = this.#rows.get(statement)
    if (rows === undefined) {
      rows = new Map()
      this.#rows.set(statement, rows)
    }
    const key = values.join('\0')
    const known = rows.get(key)
    if (known !== undefined || rows.has(key)) return known as R
    if (rows.size >= ROWS_MAX) rows.clear()
    const row = find()
    rows.set(key, Object.freeze(row))
    return row
  }

  written(table: string): void {
    for (const [statement, rows] of this.#rows) if (statement.holdsUntil.includes(table)) rows.clear()
  }

  clear(): void {
    this.#rows.clear()
  }
}
