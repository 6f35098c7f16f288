/** The real server, as `confab serve` starts it, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Children } from './children.ts'
import { machineMs } from './now.ts'
import { type CpuMs, cpuMs, peakMb, residentMb } from './process-usage.ts'

const PROGRAM = fileURLToPath(new URL('../../packages/server/bin/confab.js', import.meta.url))
const READY_WITHIN_MS = 30_000

export interface ServerUnderTest {
  readonly port: number
  readonly appId: string
  /** The headers that open the app. */
  readonly headers: Readonly<Record<string, string>>
  call(method: string, path: string, body?: object): Promise<unknown>
  /** The value of a metric without labels. */
  metric(name: string): Promise<number>
  cpuMs(): CpuMs
  peakMb(): number
  residentMb(): number
  stop(): Promise<void>
  /** Ends it as a power failure of the process would. @returns when that was, in machine time */
  kill(): Promise<number>
}

export interface ServerOptions {
  /** Unset: the embedded store, in a fresh folder. */
  readonly databaseUrl?: string
  /** The folder of an embedded store that is there already. Unset: a fresh one. */
  readonly dataDir?: string
  /** Settings that differ from what the benchmark else uses. */
  readonly settings?: Readonly<Record<string, string>>
  /** The program to run in place of this checkout's, to compare two. */
  readonly program?: string
  /** The folder for CPU profiles, if some are wanted. */
  readonly profileDir?: string
}

/** Settings of the machine must not become settings of the benchmark. */
const environment = (settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CONFAB_'))),
  ...settings,
})

const listeningPort = async (child: ChildProcess, logFile: string): Promise<number> => {
  const until = performance.now() + READY_WITHIN_MS
  for (;;) {
    const text = readFileSync(logFile, 'utf8')
    const port = /"url":"http:\/\/127\.0\.0\.1:(\d+)".*"msg":"server\.listening"/.exec(text)?.[1]
    if (port !== undefined) return Number(port)
    if (child.exitCode !== null || performance.now() > until) throw new Error(`the server did not start:\n${text}`)
    await sleep(20)
  }
}

const launch = (children: Children, program: string, directory: string, settings: Readonly<Record<string, string>>) => {
  const logFile = join(directory, 'server.log')
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, [program, 'serve'], {
    env: environment(settings),
    stdio: ['ignore', log, log],
    cwd: directory,
  })
  closeSync(log)
  children.add(child)
  return { child, logFile }
}

const profilerSettings = (profileDir: string | undefined): Record<string, string> => {
  if (profileDir === undefined) return {}
  mkdirSync(profileDir, { recursive: true })
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir} --cpu-prof-interval=500` }
}

export const startServer = async (children: Children, options: ServerOptions = {}): Promise<ServerUnderTest> => {
  const directory = children.directory()
  // A database that several runs share has an app of each.
  const appId = `bench-${process.pid}-${process.hrtime.bigint()}`
  const apiKey = `key-of-${appId}`
  const { child, logFile } = launch(children, options.program ?? PROGRAM, directory, {
    CONFAB_HOST: '127.0.0.1',
    CONFAB_PORT: '0',
    CONFAB_DATA_DIR: options.dataDir ?? join(directory, 'data'),
    CONFAB_APP_ID: appId,
    CONFAB_REST_API_KEY: apiKey,
    CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8',
    CONFAB_LOG_LEVEL: 'info',
    ...(options.databaseUrl === undefined ? {} : { CONFAB_DATABASE_URL: options.databaseUrl }),
    ...options.settings,
    ...profilerSettings(options.profileDir),
  })
  const port = await listeningPort(child, logFile)
  const pid = child.pid ?? 0
  const headers = { appid: appId, apikey: apiKey }
  const base = `http://127.0.0.1:${port}`
  return {
    port,
    appId,
    headers,
    call: async (method, path, body) => {
      const answer = await fetch(`${base}/v3${path}`, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
      return answer.json()
    },
    metric: async (name) => {
      const text = await (await fetch(`${base}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
    },
    cpuMs: () => cpuMs(pid),
    peakMb: () => peakMb(pid),
    residentMb: () => residentMb(pid),
    stop: () => children.end(child),
    kill: async () => {
      const ended = children.kill(child)
      const atMs = machineMs()
      await ended
      return atMs
    },
  }
}
