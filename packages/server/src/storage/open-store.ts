import type { Limits } from '@confab/protocol'
import type { Logger } from '../kernel/logger.ts'
import type { MigrationReport } from './sql/migrate.ts'
import type { Store } from './store.ts'

/** The engine that the configuration names, with its schema up to date; the other one is not even loaded. */
export const openStore = async (options: {
  databaseUrl: string | undefined
  dataDir: string
  limits: Limits
  log: Logger
}): Promise<{ store: Store; migration: MigrationReport }> => {
  const { databaseUrl, ...shared } = options
  if (databaseUrl === undefined) {
    const { openSqliteStore } = await import('./sqlite/sqlite-store.ts')
    return openSqliteStore(shared)
  }
  const { openPostgresStore } = await import('./postgres/postgres-store.ts')
  return openPostgresStore({ ...shared, databaseUrl })
}
