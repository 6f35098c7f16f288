/** Looks into a store from outside, beside the server that has it open or after its end. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'

const BIGINT = 20

/** Counts and times are numbers in either engine. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === BIGINT ? Number : pg.types.getTypeParser(oid, format)),
}

export const readStore = async <Row>(
  where: { dataDir?: string | undefined; databaseUrl?: string | undefined },
  sql: string,
): Promise<readonly Row[]> => {
  if (where.databaseUrl === undefined) {
    const database = new DatabaseSync(join(where.dataDir ?? '', 'confab.sqlite'), { readOnly: true })
    try {
      return database.prepare(sql).all() as Row[]
    } finally {
      database.close()
    }
  }
  const client = new pg.Client({ connectionString: where.databaseUrl, types })
  await client.connect()
  try {
    return (await client.query(sql)).rows as Row[]
  } finally {
    await client.end()
  }
}
