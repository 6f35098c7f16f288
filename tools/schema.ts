/**
 * Writes `storage/sqlite/schema.sql` and `storage/postgres/schema.sql`: what the migrations of each engine make, so that
 * a review sees the schema and not only its changes. With `--check` it writes nothing, and exits 1 if SQLite's is stale;
 * PostgreSQL's needs a server and is checked by a test.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freshDatabase, startPostgres } from '../packages/server/src/testing/postgres.ts'
import { dumpPostgres, dumpSqlite } from '../packages/server/src/testing/schema-dump.ts'

const fileOf = (engine: 'sqlite' | 'postgres'): string =>
  fileURLToPath(new URL(`../packages/server/src/storage/${engine}/schema.sql`, import.meta.url))

const writePostgres = async (): Promise<void> => {
  const given = process.env.CONFAB_TEST_POSTGRES_URL
  const server = given ? undefined : await startPostgres()
  if (server !== undefined && 'missing' in server) {
    console.warn(`${fileOf('postgres')} is left as it is: ${server.missing}.`)
    return
  }
  try {
    const database = await freshDatabase(server?.url ?? given ?? '')
    const { text } = await dumpPostgres(database.url)
    writeFileSync(fileOf('postgres'), text)
    await database.drop()
  } finally {
    await server?.stop()
  }
}

const { text } = await dumpSqlite()
if (process.argv.includes('--check')) {
  if (readFileSync(fileOf('sqlite'), 'utf8') !== text) {
    console.error(`${fileOf('sqlite')} is stale: run tools/schema.ts`)
    process.exitCode = 1
  }
} else {
  writeFileSync(fileOf('sqlite'), text)
  await writePostgres()
}
