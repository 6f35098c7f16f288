/**
 * The store: everything that must outlive a process. A call settles when its transaction is on disk; if it rejects,
 * nothing was changed (but for a lost connection to PostgreSQL, where the outcome may be unknown).
 *
 * The nouns and verbs are those of `sql/operations.ts`, written once and run by every engine; features name the nouns
 * they need: `Pick<Store, 'messages'>`.
 */
import type { operations } from './sql/operations.ts'
import type { PortOf } from './sql/seam.ts'

export type Store = PortOf<typeof operations> & {
  readonly engine: 'sqlite' | 'postgres'
  /** Lets what was called settle, then lets go of files and connections. */
  close(): Promise<void>
}
