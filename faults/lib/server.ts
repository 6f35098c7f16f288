/** The real server, in a process of its own that can be ended, stopped, started again and held still. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Children } from '../../bench/lib/children.ts'
import { ConfabClient } from '../../packages/bot-sdk/src/index.ts'
import { within } from './wait.ts'

const PROGRAM = fileURLToPath(new URL('../../packages/server/bin/confab.js', import.meta.url))
const PRELOAD = new URL('../preload.ts', import.meta.url).href
const START_WITHIN_MS = 20_000
const EXIT_WITHIN_MS = 10_000

export type Exit = number | NodeJS.Signals

export interface ServerOptions {
  readonly children: Children
  readonly host: string
  readonly logFile: string
  readonly planFile: string
  readonly settings: Readonly<Record<string, string>>
}

/** Settings of the machine must not become settings of a run. */
const environment = (settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CONFAB_'))),
  ...settings,
})

export class ServerProcess {
  readonly appId = 'faults'
  readonly apiKey = 'key-of-the-fault-harness'
  readonly #options: ServerOptions
  #child: ChildProcess | undefined
  #exited: Promise<Exit> | undefined
  #port = 0
  #up = Promise.withResolvers<void>()
  #isUp = false
  #mayEnd = false
  /** How it ended when nobody had asked for that. */
  readonly collapses: Exit[] = []
  starts = 0

  constructor(options: ServerOptions) {
    this.#options = options
  }

  get url(): string {
    return `http://${this.#options.host}:${this.#port}`
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  get client(): ConfabClient {
    return new ConfabClient({ url: this.url, apiKey: this.apiKey, appId: this.appId })
  }

  /** Resolves while it listens: who writes to a server that is down learns nothing. */
  up(): Promise<void> {
    return this.#up.promise
  }

  /** The settings of another process on the same data. */
  settings(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    const { host, settings } = this.#options
    return environment({
      CONFAB_HOST: host,
      CONFAB_PORT: String(this.#port),
      CONFAB_APP_ID: this.appId,
      CONFAB_REST_API_KEY: this.apiKey,
      CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8',
      ...settings,
      ...more,
    })
  }

  /** On the same data and address, with a port of its own. */
  another(logFile: string): ServerProcess {
    return new ServerProcess({ ...this.#options, logFile })
  }

  spawn(env: NodeJS.ProcessEnv, logFile = this.#options.logFile): ChildProcess {
    const log = openSync(logFile, 'a')
    const child = spawn(process.execPath, [PROGRAM, 'serve'], { env, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#options.children.add(child)
    return child
  }

  async start(): Promise<void> {
    const { logFile, planFile } = this.#options
    this.#mayEnd = false
    this.starts += 1
    const from = this.#log().length
    const child = this.spawn(this.settings({ FAULTS_PLAN: planFile, NODE_OPTIONS: `--import=${PRELOAD}` }))
    this.#child = child
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(this.#ended(code ?? signal ?? 'SIGKILL')))
    })
    const isReady = (): boolean => {
      const port = /"url":"http:\/\/[\d.]+:(\d+)".*"msg":"server\.listening"/.exec(this.#log().slice(from))?.[1]
      if (port !== undefined) this.#port = Number(port)
      return port !== undefined || this.#child !== child
    }
    const inTime = await within(START_WITHIN_MS, isReady, 10)
    if (!inTime || this.#child !== child) throw new Error(`the server did not start: see ${logFile}`)
    this.#isUp = true
    this.#up.resolve()
  }

  /** Answers its exit code, or the signal that ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<Exit | undefined> {
    this.signal(signal)
    return this.ended()
  }

  /** That it ends is what is wanted from here on. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#mayEnd = true
    this.#child?.kill(signal)
  }

  expectEnd(): void {
    this.#mayEnd = true
  }

  hold(): void {
    this.#child?.kill('SIGSTOP')
  }

  release(): void {
    this.#child?.kill('SIGCONT')
  }

  async ended(timeoutMs = EXIT_WITHIN_MS): Promise<Exit | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, undefined)
    })
    const exit = await Promise.race([this.#exited, late])
    clearTimeout(timer)
    return exit
  }

  #ended(exit: Exit): Exit {
    this.#child = undefined
    // Those who wait already wait on.
    if (this.#isUp) this.#up = Promise.withResolvers()
    this.#isUp = false
    if (!this.#mayEnd) this.collapses.push(exit)
    return exit
  }

  #log(): string {
    try {
      return readFileSync(this.#options.logFile, 'utf8')
    } catch {
      return ''
    }
  }
}
