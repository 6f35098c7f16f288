/** The program as somebody calls it at a prompt: its arguments, its environment, what it prints, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const PROGRAM = fileURLToPath(new URL('../../bin/confab.js', import.meta.url))

export type Environment = Readonly<Record<string, string>>

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Without settings that the person at the keyboard happens to have. */
const environment = (env: Environment): Record<string, string> => {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('CONFAB_'))
  return { ...Object.fromEntries(ours.map(([name, value]) => [name, value ?? ''])), ...env }
}

export class Confab {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  /** Exit code, or the signal that ended it; comes after the last line that it wrote. */
  readonly ended: Promise<number | NodeJS.Signals>

  constructor(args: readonly string[], env: Environment, node: readonly string[]) {
    const [command = process.execPath, ...flags] = node
    this.child = spawn(command, [...flags, PROGRAM, ...args], {
      env: environment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.child)
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this.child)
      return code ?? signal
    })
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('it was not started')
    return this.child.pid
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** The first match in what it printed; fails if it ends or nothing comes. */
  async prints(pattern: RegExp, timeoutMs = 15_000): Promise<string> {
    const end = performance.now() + timeoutMs
    for (;;) {
      const found = pattern.exec(this.stdout + this.stderr)
      if (found !== null) return found[1] ?? found[0]
      if (this.hasEnded || performance.now() > end) {
        throw new Error(`${pattern} was not printed, but:\n${this.stdout}${this.stderr}`)
      }
      await pause(20)
    }
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Still running when the test is over: it is killed. */
export const startConfab = (args: readonly string[], env: Environment = {}, node: readonly string[] = []): Confab => {
  const confab = new Confab(args, env, node)
  onTestFinished(() => confab.kill())
  return confab
}

export interface Ended {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

const PATIENCE_MS = 15_000

/** To its end; what does not end by itself is killed, and its code is SIGKILL. */
export const runConfab = async (
  args: readonly string[],
  env: Environment = {},
  node: readonly string[] = [],
): Promise<Ended> => {
  const confab = new Confab(args, env, node)
  const late = setTimeout(() => confab.signal('SIGKILL'), PATIENCE_MS)
  const code = await confab.ended
  clearTimeout(late)
  return { code, stdout: confab.stdout, stderr: confab.stderr }
}

export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
