/**
 * Runs a foreign server for tests under a guardian: a shell that is the server's parent and waits on a pipe from us.
 * Whatever ends this process (the end of the run, a failure, an interrupt, even kill −9) closes the pipe; the guardian
 * then ends the server and removes its directory. So there is one way to clean up, and nothing is left behind.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { freePort } from './free-port.ts'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** Whom to run it as, if not as ourselves. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Removed when the server is stopped, or we are gone. */
  readonly directory?: string
  /** What ends it at once. */
  readonly signal: 'QUIT' | 'KILL'
  /** What it writes once it can be used, and when it never will be. */
  readonly ready: RegExp
  readonly failed: RegExp
}

export interface ThrowAwayServer {
  readonly url: string
  readonly port: number
  /** As if its machine had lost power. Its data stays. */
  crash(): Promise<void>
  /** After a crash: the same data on the same port. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** A program that is not installed is an expected value: the suites that need it are skipped. */
export interface Missing {
  readonly missing: string
}

/** Background programs of a shell ignore INT and QUIT unless they ask for them, as PostgreSQL does. */
const guardian = `
directory=$1; signal=$2; shift 2
end() { [ -z "$server" ] || { kill -s "$signal" $server; wait $server; }; server=; }
"$@" & server=$!
while read -r order; do
  case $order in
    crash) end; echo guardian: crashed ;;
    start) "$@" & server=$! ;;
  esac
done
end
[ -z "$directory" ] || rm -rf "$directory"
`
const ANSWER_TIMEOUT_MS = 30_000

type Guardian = ChildProcessWithoutNullStreams

const spawnGuardian = ({ command, args, user, directory = '', signal }: Program): Guardian => {
  const child = spawn('/bin/sh', ['-c', guardian, 'guardian', directory, signal, command, ...args], {
    // Not in our process group: an interrupt from the terminal must reach the server through the guardian alone.
    detached: true,
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    stdio: 'pipe',
    ...user,
  })
  // Orders to a guardian that is gone; whoever gave them waits for the answer in vain, and says so.
  child.stdin.on('error', () => {})
  return child
}

/** Waits until what is written from now on matches; `undefined` then, else what went wrong. */
const hear = (child: Guardian, wanted: RegExp, failed?: RegExp): Promise<string | undefined> =>
  new Promise((resolve) => {
    let output = ''
    const settle = (value: string | undefined): void => {
      clearTimeout(timer)
      for (const stream of [child.stdout, child.stderr]) stream.off('data', read)
      resolve(value)
    }
    const timer = setTimeout(() => settle(`no answer in time: ${output}`), ANSWER_TIMEOUT_MS)
    const read = (chunk: Buffer): void => {
      output = `${output}${chunk}`.slice(-4000)
      if (wanted.test(output)) settle(undefined)
      else if (failed?.test(output)) settle(output)
    }
    for (const stream of [child.stdout, child.stderr]) stream.on('data', read)
    child.once('error', (error) => settle(error.message))
  })

/** Another process may take a free port before the server does. */
const PORT_TRIES = 3

export const startServer = async (
  toUrl: (port: number) => string,
  toProgram: (port: number) => Program,
  tries = PORT_TRIES,
): Promise<ThrowAwayServer> => {
  const port = await freePort()
  const program = toProgram(port)
  const child = spawnGuardian(program)
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const failure = await hear(child, program.ready, program.failed)
  if (failure !== undefined) {
    // The directory holds what the next try needs.
    child.stdin.write('crash\n')
    await hear(child, /guardian: crashed/)
    child.kill('SIGKILL')
    if (tries > 1) return startServer(toUrl, toProgram, tries - 1)
    throw new Error(`${program.command} did not start: ${failure}`)
  }
  const order = async (word: string, wanted: RegExp, failed?: RegExp): Promise<void> => {
    const answer = hear(child, wanted, failed)
    child.stdin.write(`${word}\n`)
    const problem = await answer
    if (problem !== undefined) throw new Error(`${program.command} did not ${word}: ${problem}`)
  }
  return {
    url: toUrl(port),
    port,
    crash: () => order('crash', /guardian: crashed/),
    start: () => order('start', program.ready, program.failed),
    stop: async () => {
      child.stdin.end()
      await exited
    },
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Looks on PATH first, then in `folders`. */
export const findProgram = (name: string, folders: readonly string[] = []): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), ...folders]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
