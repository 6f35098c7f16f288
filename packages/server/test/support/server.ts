/**
 * The program itself, as an operator starts it: a process of its own, a data folder or database of its own, a free
 * port. Tests speak HTTP with it and read its log; nothing of it runs in theirs.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ConfabClient } from '@confab/bot-sdk'
import { describe } from 'vitest'
import { freshDatabase } from '../../src/testing/postgres.ts'
import { describeWithPostgres, services } from '../../src/testing/services.ts'

export type Engine = 'sqlite' | 'postgres'

export interface ServerOptions {
  readonly engine: Engine
  /** Settings beside those below; they win. */
  readonly env?: Readonly<Record<string, string>>
  /** An existing folder, which is left as it is; by default a fresh one, which goes with the server. */
  readonly dataDir?: string
  /** An existing database, which is left as it is; by default a fresh one, which goes with the server. */
  readonly databaseUrl?: string
  /** The app of the configuration and its keys; by default fresh ones. */
  readonly appId?: string
  readonly restApiKey?: string
  readonly authKey?: string
}

/** A line of the log; `msg` is the event. */
export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly level: number
  readonly time: string
  readonly msg: string
}

const PROGRAM = fileURLToPath(new URL('../../bin/confab.js', import.meta.url))
const START_WITHIN_MS = 20_000
const EXIT_WITHIN_MS = 20_000

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** The environment without settings that the person at the keyboard happens to have. */
const baseEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('CONFAB_'),
    ),
  )

const parseLine = (text: string): LogLine | undefined => {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return undefined
  }
}

const inTime = async <T>(work: Promise<T>, ms: number, late: () => string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(late())), ms)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** One run of the program. */
class Run {
  readonly child: ChildProcess
  readonly exited: Promise<number | NodeJS.Signals>
  readonly #listening = Promise.withResolvers<string>()

  constructor(env: Readonly<Record<string, string>>, onLine: (text: string) => void) {
    this.child = spawn(process.execPath, [PROGRAM, 'serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(this.child)
    const errors: string[] = []
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors.push(text)
      onLine(text)
    })
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', (text) => {
        onLine(text)
        const line = parseLine(text)
        if (line?.msg === 'server.listening') this.#listening.resolve(String(line.url))
      })
    }
    // 'close' comes after the last line of the log, 'exit' may not.
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this.child)
      this.#listening.reject(new Error(`the server ended with ${code ?? signal}: ${errors.join('')}`))
      return code ?? signal
    })
    this.#listening.promise.catch(() => {})
  }

  /** The URL, once it listens. */
  listening(): Promise<string> {
    return inTime(this.#listening.promise, START_WITHIN_MS, () => 'the server did not start in time')
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | NodeJS.Signals> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return inTime(this.exited, EXIT_WITHIN_MS, () => `the server did not end in time after ${signal}`)
  }
}

export class TestServer {
  readonly engine: Engine
  readonly appId: string
  /** Of scope fullAccess. */
  readonly restApiKey: string
  /** Of scope authOnly. */
  readonly authKey: string
  readonly databaseUrl: string | undefined
  readonly dataDir: string | undefined
  /** Everything that all runs so far have written, line by line. */
  readonly log: string[] = []
  readonly #env: Readonly<Record<string, string>>
  readonly #discard: () => Promise<void>
  #run: Run | undefined
  #url = ''

  constructor(
    options: ServerOptions,
    storage: { env: Readonly<Record<string, string>>; discard: () => Promise<void> },
  ) {
    this.engine = options.engine
    this.appId = options.appId ?? `app${randomBytes(6).toString('hex')}`
    this.restApiKey = options.restApiKey ?? randomBytes(20).toString('hex')
    this.authKey = options.authKey ?? randomBytes(20).toString('hex')
    this.databaseUrl = storage.env.CONFAB_DATABASE_URL
    this.dataDir = storage.env.CONFAB_DATA_DIR
    this.#discard = storage.discard
    this.#env = {
      ...baseEnvironment(),
      CONFAB_HOST: '127.0.0.1',
      CONFAB_PORT: '0',
      CONFAB_APP_ID: this.appId,
      CONFAB_REST_API_KEY: this.restApiKey,
      CONFAB_AUTH_KEY: this.authKey,
      CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8',
      CONFAB_SHUTDOWN_GRACE: '5s',
      ...storage.env,
      ...options.env,
    }
  }

  /** Changes with every start: the port is any free one. */
  get url(): string {
    return this.#url
  }

  get pid(): number {
    const pid = this.#run?.child.pid
    if (pid === undefined) throw new Error('the server does not run')
    return pid
  }

  /** The lines of the log that are JSON. */
  get lines(): readonly LogLine[] {
    return this.log.map(parseLine).filter((line) => line !== undefined)
  }

  /** With the key of scope fullAccess, for where the server is now. */
  get client(): ConfabClient {
    return new ConfabClient({ url: this.#url, apiKey: this.restApiKey, appId: this.appId })
  }

  async start(): Promise<this> {
    if (this.#run !== undefined) throw new Error('the server runs already')
    const run = new Run(this.#env, (text) => this.log.push(text))
    this.#run = run
    try {
      this.#url = await run.listening()
    } catch (error) {
      this.#run = undefined
      await run.end('SIGKILL')
      throw error
    }
    return this
  }

  /** SIGTERM; answers the exit code, or the signal that ended it. The data stays. */
  async stop(): Promise<number | NodeJS.Signals | undefined> {
    return this.#end('SIGTERM')
  }

  /** SIGKILL. The data stays. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Starts again on the same data; stops first if it runs. */
  async restart(): Promise<this> {
    await this.stop()
    return this.start()
  }

  /** Ends it for good: what was made for it goes too. */
  async dispose(): Promise<void> {
    await this.stop().catch(() => this.kill())
    await this.#discard()
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | NodeJS.Signals | undefined> {
    const run = this.#run
    const ended = await run?.end(signal)
    if (this.#run === run) this.#run = undefined
    return ended
  }
}

const nothing = async (): Promise<void> => {}

const sqliteStorage = ({ dataDir }: ServerOptions) => {
  const folder = dataDir ?? mkdtempSync(join(tmpdir(), 'confab-data-'))
  return {
    env: { CONFAB_DATA_DIR: folder },
    discard: dataDir === undefined ? async () => rmSync(folder, { recursive: true, force: true }) : nothing,
  }
}

const postgresStorage = async ({ databaseUrl, dataDir }: ServerOptions) => {
  const folder = dataDir ?? mkdtempSync(join(tmpdir(), 'confab-data-'))
  const discardFolder = async (): Promise<void> => {
    if (dataDir === undefined) rmSync(folder, { recursive: true, force: true })
  }
  const env = { CONFAB_DATA_DIR: folder }
  if (databaseUrl !== undefined) return { env: { ...env, CONFAB_DATABASE_URL: databaseUrl }, discard: discardFolder }
  const adminUrl = services().postgresUrl
  if (adminUrl === undefined) throw new Error('there is no PostgreSQL: use describeEngines or describeWithPostgres')
  const database = await freshDatabase(adminUrl)
  return {
    env: { ...env, CONFAB_DATABASE_URL: database.url },
    discard: async () => {
      await discardFolder()
      await database.drop()
    },
  }
}

/** To be ended with `dispose()`. */
export const startServer = async (options: ServerOptions): Promise<TestServer> => {
  const storage = options.engine === 'sqlite' ? sqliteStorage(options) : await postgresStorage(options)
  try {
    return await new TestServer(options, storage).start()
  } catch (error) {
    await storage.discard()
    throw error
  }
}

/** The suite on both engines; that on PostgreSQL is skipped where there is none. */
export const describeEngines = (name: string, suite: (engine: Engine) => void): void => {
  describe(`${name} (SQLite)`, () => suite('sqlite'))
  describeWithPostgres(`${name} (PostgreSQL)`, () => suite('postgres'))
}
