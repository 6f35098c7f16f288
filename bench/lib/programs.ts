/** Programs that others have written, for what is compared with ours: found if installed, and started on free ports. */
import { spawn, spawnSync } from 'node:child_process'
import { chownSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { freePort } from '../../packages/server/src/testing/free-port.ts'
import { findProgram } from '../../packages/server/src/testing/services-child.ts'
import type { Children } from './children.ts'

const READY_WITHIN_MS = 20_000
const POSTGRES_FOLDER = '/usr/lib/postgresql'

/** Of what cannot be run here. */
export class Missing extends Error {}

/** Debian keeps the server's programs off PATH. Newest first. */
const postgresFolders = (): string[] => {
  try {
    const versions = readdirSync(POSTGRES_FOLDER).filter((name) => /^\d+$/.test(name))
    return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(POSTGRES_FOLDER, version, 'bin'))
  } catch {
    return []
  }
}

export interface ProgramOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly endsOn?: NodeJS.Signals
  /** What it writes once it can be used. */
  readonly ready: RegExp
}

/** @returns what it has written about being ready */
export const startProgram = async (children: Children, options: ProgramOptions): Promise<RegExpExecArray> => {
  const { command, args, env = process.env, cwd = '/', user, endsOn, ready } = options
  const child = spawn(command, args, { env, cwd, ...user, stdio: ['ignore', 'pipe', 'pipe'] })
  // One that could not be started has no end to wait for.
  if (child.pid !== undefined) children.add(child, endsOn)
  const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
  let output = ''
  const fail = (why: string): void => reject(new Error(`${command} ${why}:\n${output}`))
  const timer = setTimeout(() => fail('was not ready in time'), READY_WITHIN_MS)
  const read = (chunk: Buffer): void => {
    output = `${output}${chunk}`.slice(-4000)
    const found = ready.exec(output)
    if (found !== null) resolve(found)
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  child.once('error', reject)
  child.once('close', (code) => fail(`has ended with ${code}`))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** A Redis that has everything on disk before it answers. @returns its port */
export const startRedis = async (children: Children): Promise<number> => {
  const command = findProgram('redis-server')
  if (command === undefined) throw new Missing('redis-server is not installed (Debian: redis-server)')
  const port = await freePort()
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
  const args = ['--port', String(port), '--dir', children.directory(), ...settings]
  await startProgram(children, { command, args, ready: /Ready to accept connections/ })
  return port
}

const idOf = (flag: '-u' | '-g'): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)

/** A PostgreSQL as it is installed: every commit is on disk before it is answered. @returns its URL */
export const startPostgres = async (children: Children): Promise<string> => {
  const initdb = findProgram('initdb', postgresFolders())
  if (initdb === undefined) throw new Missing('PostgreSQL is not installed (Debian: postgresql)')
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined
  const directory = children.directory()
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  const create = ['--auth=trust', '--locale=C', '--encoding=UTF8', '-U', 'postgres', '-D', data]
  const made = spawnSync(initdb, create, { ...user, cwd: '/', encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`initdb has failed: ${made.stderr}`)
  const port = await freePort()
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'synchronous_commit=on']
  await startProgram(children, {
    command: join(dirname(initdb), 'postgres'),
    args: ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    ...(user === undefined ? {} : { user }),
    // Does not wait for clients to leave.
    endsOn: 'SIGINT',
    ready: /ready to accept connections/,
  })
  return `postgres://postgres@127.0.0.1:${port}/postgres`
}
