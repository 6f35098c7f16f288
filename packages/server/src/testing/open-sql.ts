/** A store as its engine sees it, for what fills one faster than the API would: while no server has it open. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'

export interface OpenSql {
  run(sql: string): Promise<void>
  all(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  close(): Promise<void>
}

const openSqlite = (dataDir: string): OpenSql => {
  const database = new DatabaseSync(join(dataDir, 'confab.sqlite'))
  // What is not finished is thrown away: nothing has to be on disk before the end.
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -400000')
  return {
    run: async (sql) => database.exec(sql),
    all: async (sql) => database.prepare(sql).all(),
    close: async () => {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      database.close()
    },
  }
}

const openPostgres = async (url: string): Promise<OpenSql> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return {
    run: async (sql) => {
      await client.query(sql)
    },
    all: async (sql) => (await client.query(sql)).rows,
    close: () => client.end(),
  }
}

export const openSql = async (where: { dataDir: string } | { databaseUrl: string }): Promise<OpenSql> =>
  'dataDir' in where ? openSqlite(where.dataDir) : openPostgres(where.databaseUrl)
