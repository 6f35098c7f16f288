/** Secrets of a test, and where they are found. And a way to make a store fail with a secret in its hand. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Engine, TestServer } from './server.ts'

interface Secret {
  readonly text: string
  used: boolean
  /** The operations whose answers show it, because that is what they are for. */
  readonly shownBy: readonly string[]
}

/** Short enough for every field. */
export const fresh = (): string => `hush${randomBytes(12).toString('hex')}`

export class Vault {
  readonly secrets = new Map<string, Secret>()

  /** Keeps it and answers it. */
  keep(name: string, text: string, shownBy: readonly string[] = []): string {
    if (this.secrets.has(name)) throw new Error(`two secrets are called ${name}`)
    this.secrets.set(name, { text, used: false, shownBy })
    return text
  }

  make(name: string, shownBy: readonly string[] = []): string {
    return this.keep(name, fresh(), shownBy)
  }

  use(...names: readonly string[]): void {
    for (const name of names) {
      const secret = this.secrets.get(name)
      if (secret === undefined) throw new Error(`no secret is called ${name}`)
      secret.used = true
    }
  }

  /** The names of those that stand in the text, but for those that `operation` may show. */
  foundIn(text: string, operation = ''): string[] {
    return [...this.secrets]
      .filter(([, secret]) => text.includes(secret.text) && !secret.shownBy.includes(operation))
      .map(([name]) => name)
  }
}

/** Makes every write of a row that is called `boom` fail within the database, in words that PostgreSQL fills with the row. */
const minefield: readonly (readonly [table: string, column: string])[] = [
  ['api_keys', 'name'],
  ['auth_tokens', 'platform'],
  ['groups', 'name'],
  ['bots', 'username'],
  ['messages', 'type'],
  ['users', 'name'],
]

/** Past the server. */
export const execute = async (server: TestServer, adminUrl: string | undefined, statements: readonly string[]) => {
  if (adminUrl === undefined) {
    const database = new DatabaseSync(join(server.dataDir ?? '', 'confab.sqlite'), { timeout: 5000 })
    for (const statement of statements) database.exec(statement)
    database.close()
    return
  }
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

export const mine = (engine: Engine): string[] =>
  minefield.flatMap(([table, column]) =>
    engine === 'postgres'
      ? [`ALTER TABLE ${table} ADD CONSTRAINT boom_${table} CHECK (${column} <> 'boom') NOT VALID`]
      : ['INSERT', 'UPDATE'].map(
          (verb) =>
            `CREATE TRIGGER boom_${table}_${verb} BEFORE ${verb} ON ${table} WHEN NEW.${column} = 'boom' ` +
            `BEGIN SELECT RAISE(ABORT, 'boom'); END`,
        ),
  )

export const CUT_OFF = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
