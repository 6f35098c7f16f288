/** Whatever the benchmark starts or creates, and how it all ends: nothing outlives the run. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Ask, askChild, type Verbs } from './questions.ts'

const GRACE_MS = 5000

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

export class Children {
  /** With the signal that asks each to end. */
  readonly #children = new Map<ChildProcess, NodeJS.Signals>()
  readonly #directories = new Set<string>()
  /** A file system that has its data on a disk, or the syncs cost nothing. */
  readonly #root: string

  constructor(root = tmpdir()) {
    this.#root = root
  }

  add(child: ChildProcess, endsOn: NodeJS.Signals = 'SIGTERM'): void {
    this.#children.set(child, endsOn)
    child.once('exit', () => this.#children.delete(child))
  }

  directory(): string {
    const directory = mkdtempSync(join(this.#root, 'confab-bench-'))
    this.#directories.add(directory)
    return directory
  }

  async fork<V extends Verbs>(file: string): Promise<Ask<V>> {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.add(child)
    return askChild<V>(child, file)
  }

  async end(child: ChildProcess): Promise<void> {
    if (hasEnded(child)) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(this.#children.get(child) ?? 'SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    await ended
    clearTimeout(timer)
  }

  /** Without asking it. */
  async kill(child: ChildProcess): Promise<void> {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.kill('SIGKILL')) await ended
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((child) => this.end(child)))
    this.#removeDirectories()
  }

  /** For the end that cannot wait. */
  killAll(): void {
    for (const child of this.#children.keys()) child.kill('SIGKILL')
    this.#removeDirectories()
  }

  #removeDirectories(): void {
    for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true })
    this.#directories.clear()
  }
}
