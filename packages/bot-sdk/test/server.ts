/** A real Confab to speak with: the program as an operator starts it. The SDK knows nothing of the server's code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ConfabClient } from '../src/index.ts'

const PROGRAM = fileURLToPath(new URL('../../server/bin/confab.js', import.meta.url))

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Without settings that the person at the keyboard happens to have. */
export const cleanEnvironment = (): Record<string, string> => {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('CONFAB_'))
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']))
}

/** A program under test; it never outlives the tests. */
export const start = (args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess => {
  const child = spawn(process.execPath, args, {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

export const end = async (child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> => {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode ?? 0
  const closed = once(child, 'close')
  child.kill(signal)
  const [code, by] = await closed
  return code ?? by
}

export interface TestServer {
  readonly url: string
  readonly appId: string
  readonly apiKey: string
  /** Of scope authOnly. */
  readonly authKey: string
  readonly client: ConfabClient
  /** kill -9, as if the machine had gone; `start` brings it back where it was, with what it had. */
  kill(): Promise<void>
  start(): Promise<void>
  dispose(): Promise<void>
}

/** Its URL, once it listens. */
const listening = (child: ChildProcess): Promise<string> => {
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  return new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the server did not start in time')), 20_000)
    child.once('close', (code) => reject(new Error(`the server ended with ${code}: ${errors}`)))
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /"url":"(http:[^"]+)"/.exec(line)?.[1]
      if (found === undefined) return
      clearTimeout(late)
      resolve(found)
    })
  })
}

/** Attempts of callbacks are repeated soon, and may go to this machine. */
export const startServer = async (): Promise<TestServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-sdk-'))
  const [apiKey, authKey] = [randomBytes(20).toString('hex'), randomBytes(20).toString('hex')]
  const appId = 'sdk-tests'
  const run = (port: string): ChildProcess =>
    start([PROGRAM, 'serve'], {
      CONFAB_HOST: '127.0.0.1',
      CONFAB_PORT: port,
      CONFAB_DATA_DIR: folder,
      CONFAB_APP_ID: appId,
      CONFAB_REST_API_KEY: apiKey,
      CONFAB_AUTH_KEY: authKey,
      CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8',
      CONFAB_CALLBACK_TIMEOUT: '1s',
      CONFAB_RETRY_SCHEDULE: '100ms',
      CONFAB_SHUTDOWN_GRACE: '1s',
    })
  let child = run('0')
  const url = await listening(child)
  return {
    url,
    appId,
    apiKey,
    authKey,
    client: new ConfabClient({ url, apiKey, appId }),
    kill: async () => void (await end(child, 'SIGKILL')),
    start: async () => {
      child = run(new URL(url).port)
      await listening(child)
    },
    dispose: async () => {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
