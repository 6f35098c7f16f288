import type { Limits } from '@confab/protocol'
import type { Logger } from '../kernel/logger.ts'
import { openPostgresStore } from './postgres/postgres-store.ts'
import type { MigrationReport } from './sql/migrate.ts'
import { openSqliteStore } from './sqlite/sqlite-store.ts'
import type { Store } from './store.ts'

/** The engine that the configuration names, with its schema up to date. */
export const openStore = (options: {
  databaseUrl: string | undefined
  dataDir: string
  limits: Limits
  log: Logger
}): Promise<{ store: Store; migration: MigrationReport }> => {
  const { databaseUrl, ...shared } = options
  return databaseUrl === undefined ? openSqliteStore(shared) : openPostgresStore({ ...shared, databaseUrl })
}
