import type pg from 'pg'
import { loadMigrations, type MigrationReport, pendingMigrations } from '../sql/migrate.ts'

/** Servers that start together take turns. Any constant does; this one is the project's name in hexadecimal. */
const LOCK = 0x636f6e66

const VERSIONS = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version BIGINT PRIMARY KEY, name TEXT NOT NULL, breaking BIGINT NOT NULL
)`

export const postgresMigrations = new URL('./migrations/', import.meta.url)

export const migratePostgres = async (pool: pg.Pool): Promise<MigrationReport> => {
  const known = loadMigrations(postgresMigrations)
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
    await client.query(VERSIONS)
    const { rows } = await client.query('SELECT version, name, breaking FROM schema_migrations ORDER BY version')
    const applied = rows.map((row) => ({
      version: Number(row.version),
      name: String(row.name),
      breaking: Number(row.breaking) === 1,
    }))
    const pending = pendingMigrations(known, applied)
    for (const { version, name, breaking, sql } of pending) {
      await client.query('INSERT INTO schema_migrations (version, name, breaking) VALUES ($1, $2, $3)', [
        version,
        name,
        breaking ? 1 : 0,
      ])
      await client.query(sql)
    }
    await client.query('COMMIT')
    const before = Math.max(0, ...applied.map(({ version }) => version))
    return { before, after: pending.at(-1)?.version ?? before }
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}
