/**
 * Migrations: numbered files, the same numbers and names in every engine's folder, immutable once released, forward
 * only. Each begins with a comment that says why, and `-- breaking: yes|no`.
 *
 * Invariants: no gaps; the version row is written before the file's own statements, in the same transaction, so that
 * two servers that start together collide there; a schema newer than this program is refused if it is breaking.
 */
import { readdirSync, readFileSync } from 'node:fs'

export interface Migration {
  readonly version: number
  readonly name: string
  readonly breaking: boolean
  readonly sql: string
}

/** The store was written by a newer program whose schema this one cannot use. Has an exit code of its own. */
export class SchemaTooNewError extends Error {
  readonly found: number
  readonly known: number

  constructor(found: number, known: number) {
    super(
      `The store has schema version ${found}; this program knows versions up to ${known}. Run a newer version of Confab.`,
    )
    this.name = 'SchemaTooNewError'
    this.found = found
    this.known = known
  }
}

const FILE = /^(\d{4})_([a-z0-9_]+)\.sql$/

export const loadMigrations = (folder: URL): readonly Migration[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file, index) => {
      const match = FILE.exec(file)
      const sql = readFileSync(new URL(file, folder), 'utf8')
      const breaking = /^-- breaking: (yes|no)$/m.exec(sql)?.[1]
      if (match?.[1] === undefined || match[2] === undefined)
        throw new Error(`${file}: not named like 0001_what_for.sql`)
      if (Number(match[1]) !== index + 1) throw new Error(`${file}: migrations must be numbered without gaps`)
      if (breaking === undefined) throw new Error(`${file}: says neither "-- breaking: yes" nor "-- breaking: no"`)
      return { version: index + 1, name: match[2], breaking: breaking === 'yes', sql }
    })

export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly breaking: boolean
}

/** What is left to apply. */
export const pendingMigrations = (
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] => {
  const latest = Math.max(0, ...applied.map(({ version }) => version))
  for (const { version, name } of applied) {
    const file = known[version - 1]
    if (file !== undefined && file.name !== name) {
      throw new Error(
        `The store has migration ${version} "${name}", this program has "${file.name}" under that number.`,
      )
    }
  }
  if (applied.some(({ version, breaking }) => version > known.length && breaking)) {
    throw new SchemaTooNewError(latest, known.length)
  }
  return known.filter(({ version }) => version > latest)
}

export interface MigrationReport {
  readonly before: number
  readonly after: number
}
