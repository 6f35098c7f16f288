import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findProgram, type Missing, startServer, type ThrowAwayServer } from './services-child.ts'

const run = promisify(execFile)

/** Newest first. */
const installedVersions = (): string[] => {
  const root = '/usr/lib/postgresql'
  try {
    const versions = readdirSync(root).filter((name) => /^\d+$/.test(name))
    return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, 'bin'))
  } catch {
    return []
  }
}

const idOf = async (flag: '-u' | '-g'): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout)

/** PostgreSQL refuses to run as root. */
const unprivilegedUser = async (): Promise<{ uid: number; gid: number } | undefined> =>
  process.getuid?.() === 0 ? { uid: await idOf('-u'), gid: await idOf('-g') } : undefined

/**
 * Nothing has to survive the machine, so the server never waits for the disk. But what it committed must survive its
 * own crash, for the tests that crash it: so `synchronous_commit` stays on, which costs little without fsync.
 */
const settings = ['fsync=off', 'full_page_writes=off', 'max_connections=200']

export const startPostgres = async (): Promise<ThrowAwayServer | Missing> => {
  const initdb = findProgram('initdb', installedVersions())
  if (initdb === undefined) return { missing: 'PostgreSQL is not installed (Debian and Ubuntu: postgresql)' }
  const user = await unprivilegedUser()
  const directory = mkdtempSync(join(tmpdir(), 'confab-postgres-'))
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  const create = ['--auth=trust', '--no-sync', '--locale=C', '--encoding=UTF8', '-U', 'postgres', '-D', data]
  const options = [...settings, 'listen_addresses=127.0.0.1', 'unix_socket_directories='].flatMap((it) => ['-c', it])
  try {
    await run(initdb, create, { ...user, cwd: '/' })
    return await startServer(
      (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
      (port) => ({
        command: join(dirname(initdb), 'postgres'),
        args: ['-D', data, '-p', String(port), ...options],
        ...(user === undefined ? {} : { user }),
        directory,
        signal: 'QUIT',
        ready: /ready to accept connections/,
        // A client that calls while it recovers is told FATAL too.
        failed: /FATAL(?!: +the database system is)|not found|cannot execute/,
      }),
    )
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    throw error
  }
}

const execute = async (url: string, statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

export interface FreshDatabase {
  readonly url: string
  /** Also when somebody is still connected. */
  drop(): Promise<void>
}

/** A database of one's own, empty. */
export const freshDatabase = async (adminUrl: string): Promise<FreshDatabase> => {
  const name = `confab_test_${randomUUID().replaceAll('-', '')}`
  await execute(adminUrl, `CREATE DATABASE ${name}`)
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => execute(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }
}
