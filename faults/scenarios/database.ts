/** What befalls PostgreSQL. */
import pg from 'pg'
import type { Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause } from '../lib/wait.ts'

const DEADLOCK_DETECTED = '40P01'

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

/** Somebody who takes rows in another order than the server may meet it in a deadlock, and be the one that PostgreSQL ends. */
const lockAllLanes = async (client: pg.Client): Promise<void> => {
  for (;;) {
    await client.query('BEGIN')
    try {
      await client.query('SELECT id FROM lanes FOR UPDATE')
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
        await lockAllLanes(client)
        await run.writing(200, 1300)
        await client.query('ROLLBACK')
      }),
    ),
}

export const databases: readonly Scenario[] = [connectionsCut, databaseCrash, rowsLocked]
