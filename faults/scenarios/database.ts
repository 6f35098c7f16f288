/** What befalls PostgreSQL. */
import pg from 'pg'
import type { Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause } from '../lib/wait.ts'

const DEADLOCK_DETECTED = '40P01'
/** Of `storage/postgres/migrate.ts`. */
const MIGRATION_LOCK = 0x636f6e66

const withClient = async (run: Run, work: (client: pg.Client) => Promise<void>): Promise<void> => {
  const client = new pg.Client({ connectionString: run.storage.databaseUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

const connectionsCut: Scenario = {
  name: 'connections-cut',
  faults: 'F10',
  what: 'all connections to the database are terminated in the middle of work, several times',
  engines: ['postgres'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(() =>
      withClient(run, async (client) => {
        for (let left = run.between(2, 5); left > 0; left--) {
          run.injected('F10 connections terminated')
          await client.query(
            'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
          )
          await run.writing(20, 200)
        }
      }),
    ),
}

const databaseCrash: Scenario = {
  name: 'database-crash',
  faults: 'F10',
  what: 'the database crashes and comes back',
  engines: ['postgres'],
  storage: 'own-database-server',
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F10 database crashed')
      await run.storage.databaseServer?.crash()
      await pause(run.between(0, 800))
      await run.storage.databaseServer?.start()
      await run.writing(100, 300)
    }),
}

/**
 * In a transaction that is left open. Somebody who takes rows or tables in another order than the server may meet it in a
 * deadlock, and be the one that PostgreSQL ends.
 */
const holding = async (client: pg.Client, statements: string): Promise<void> => {
  for (;;) {
    await client.query('BEGIN')
    try {
      await client.query(statements)
      return
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== DEADLOCK_DETECTED) throw error
      await client.query('ROLLBACK')
    }
  }
}

const rowsLocked: Scenario = {
  name: 'rows-locked',
  faults: 'F11',
  what: 'somebody else holds the rows of all lanes for a while',
  engines: ['postgres'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(() =>
      withClient(run, async (client) => {
        run.injected('F11 rows of lanes locked')
        await holding(client, 'SELECT id FROM lanes FOR UPDATE')
        await run.writing(200, 1300)
        await client.query('ROLLBACK')
      }),
    ),
}

/** As a migration of a version to come would be, under the lock of migrations: it changes what the server works with most. */
const NEWER_SCHEMA = `
  SELECT pg_advisory_xact_lock(${MIGRATION_LOCK});
  INSERT INTO schema_migrations (version, name, breaking) SELECT max(version) + 1, 'newer', 0 FROM schema_migrations;
  ALTER TABLE bots ADD COLUMN newer TEXT;
  ALTER TABLE messages ADD COLUMN newer BIGINT NOT NULL DEFAULT 0;
  ALTER TABLE lanes ADD COLUMN newer BIGINT NOT NULL DEFAULT 0;
  ALTER TABLE deliveries ADD COLUMN newer TEXT;
  ALTER TABLE attempts ADD COLUMN newer TEXT;
  CREATE INDEX newer_index ON deliveries (created_at_ms);
  CREATE TABLE newer_table (id BIGINT PRIMARY KEY)`

const newerSchema: Scenario = {
  name: 'newer-schema',
  faults: 'F32, F33',
  what: 'a newer version changes the schema in the middle of work: the server goes on as it is, and starts again on what is newer than itself',
  engines: ['postgres'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      await withClient(run, async (client) => {
        run.injected('F33 migration under load')
        await holding(client, NEWER_SCHEMA)
        await run.writing(0, 300)
        await client.query('COMMIT')
      })
      await run.writing(100, 300)
      run.injected('F32 start on a newer schema')
      if (run.random() < 0.5) await run.kill()
      else {
        await run.stop()
        await run.start()
      }
      await run.writing(100, 300)
    }),
}

export const databases: readonly Scenario[] = [connectionsCut, databaseCrash, rowsLocked, newerSchema]
