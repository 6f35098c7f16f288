/**
 * Code of the documents, as it is run by a test: named code blocks (`title=` behind the language), and the programs that
 * they become, each with its own interpreter.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { findProgram } from '../packages/server/src/testing/services-child.ts'

export interface Snippet {
  readonly language: string
  /** The name of its file. */
  readonly title: string
  readonly code: string
}

export const snippetsIn = (text: string): readonly Snippet[] =>
  [...text.matchAll(/^```(\w+)[ \t]+title=(\S+)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', title = '', code = '']) => ({
      language,
      title,
      code,
    }),
  )

const isRequired = (name: string): boolean =>
  (process.env.CONFAB_TEST_REQUIRE ?? '').split(',').some((required) => required.trim() === name)

/**
 * Where the program is. One that is not installed is nowhere, and whatever needs it is skipped with one line, unless
 * `CONFAB_TEST_REQUIRE` names it.
 *
 * @param name as `CONFAB_TEST_REQUIRE` has it
 * @throws Error if it is required
 */
export const interpreterOf = (name: string, program: string): string | undefined => {
  const found = findProgram(program, [])
  if (found !== undefined) return found
  if (isRequired(name)) throw new Error(`CONFAB_TEST_REQUIRE names ${name}, but ${program} is not installed`)
  console.warn(`Tests that need ${name} are skipped: ${program} is not installed.`)
  return undefined
}

const START_WITHIN_MS = 15_000

const answers = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Our own variables are none of its business, but for those that it is given. */
const environment = (env: Readonly<Record<string, string>>): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('CONFAB_'),
    ),
  ),
  ...env,
})

export interface RunningProgram {
  /** What it has written so far. */
  readonly output: () => string
  stop(): Promise<void>
}

export interface ProgramOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Where it will listen, if it does. */
  readonly port?: number
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Resolves when it listens, if it is to. */
export const startProgram = async (options: ProgramOptions): Promise<RunningProgram> => {
  const { command, args, cwd, env, port } = options
  const child = spawn(command, args, { cwd, env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  child.once('error', (error) => {
    output += error.message
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
    running.delete(child)
  }
  const end = performance.now() + START_WITHIN_MS
  while (port !== undefined && !(await answers(port))) {
    if (child.exitCode !== null || child.pid === undefined || performance.now() > end) {
      await stop()
      throw new Error(`${command} ${args.join(' ')} does not listen: ${output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { output: () => output, stop }
}

/** A request that is refused ends the script; each answer has a line of its own. */
const PRELUDE = 'curl() { command curl -sS --fail-with-body "$@" && echo; }\n'

/** Runs the lines as they are; answers what was written. Rejects if one of them fails. */
export const runShell = async (code: string, env: Readonly<Record<string, string>>): Promise<string> => {
  const child = spawn('/bin/sh', ['-eu', '-c', PRELUDE + code], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [status] = await once(child, 'close')
  if (status !== 0) throw new Error(`${code}ended with ${status}: ${output}${errors}`)
  return output
}
