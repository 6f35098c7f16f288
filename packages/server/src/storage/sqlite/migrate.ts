import { loadMigrations, type MigrationReport, pendingMigrations } from '../sql/migrate.ts'
import { statement } from '../sql/seam.ts'
import type { SqliteDatabase } from './database.ts'

const VERSIONS = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, breaking INTEGER NOT NULL
) STRICT`
const applied = statement<Record<string, never>, { version: number; name: string; breaking: number }>(
  'migrations.applied',
  'SELECT version, name, breaking FROM schema_migrations ORDER BY version',
)
const record = statement<{ version: number; name: string; breaking: number }>(
  'migrations.record',
  'INSERT INTO schema_migrations (version, name, breaking) VALUES (:version, :name, :breaking)',
)

export const sqliteMigrations = new URL('./migrations/', import.meta.url)

export const migrateSqlite = async (db: SqliteDatabase): Promise<MigrationReport> => {
  const known = loadMigrations(sqliteMigrations)
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec(VERSIONS)
    const rows = (await db.all(applied, {})).map((row) => ({ ...row, breaking: row.breaking === 1 }))
    const pending = pendingMigrations(known, rows)
    for (const migration of pending) {
      await db.run(record, { version: migration.version, name: migration.name, breaking: migration.breaking ? 1 : 0 })
      db.exec(migration.sql)
    }
    db.exec('COMMIT')
    const before = Math.max(0, ...rows.map(({ version }) => version))
    return { before, after: pending.at(-1)?.version ?? before }
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}
