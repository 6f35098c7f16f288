/**
 * The embedded engine: SQLite in a thread of its own (`thread.ts`), so that no sync to disk ever blocks the event loop. Only
 * the thread loads what is asked of the store; here are the names of it.
 *
 * Owns: the data directory, its lock and the thread. Concurrency: calls of one turn of the event loop travel
 * together; the thread runs them in order. Shutdown: `close` stops taking calls, lets those under way settle, then
 * ends the thread, then lets go of the directory.
 */
import { join, resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { defaultLimits, type Limits } from '@confab/protocol'
import { AppError } from '../../kernel/app-error.ts'
import { makeFolder } from '../../kernel/make-folder.ts'
import { Slots } from '../../kernel/young-map.ts'
import { type MigrationReport, SchemaTooNewError } from '../sql/migrate.ts'
import type { operations } from '../sql/operations.ts'
import { makePort, type Verbs } from '../sql/seam.ts'
import type { Store } from '../store.ts'
import { lockDirectory } from './directory-lock.ts'
import type { Answer, Call, Failure, FromThread, ThreadData, ToThread } from './messages.ts'

/** The sources run as they are; a build has JavaScript in their place. */
const threadFile = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

const errorOf = (failure: Failure): Error => {
  if (failure.kind === 'app') {
    return new AppError(failure.code, failure.details === undefined ? {} : { details: failure.details })
  }
  const error = new Error(failure.message)
  if (failure.stack !== undefined) error.stack = failure.stack
  return error
}

/**
 * Does not wait for the end of a long turn: else the thread idles while requests are read, and the event loop idles
 * while the thread works, in turns.
 */
const BATCH_MAX = 16

/**
 * Of the thread's space for young objects: hardly any outlive their call. Said by a flag, since that of the process
 * (`bin/start.js`) takes precedence over limits of workers; the heap that is there already keeps what it was made with.
 */
const YOUNG_MB = 4

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

class StoreThread {
  readonly #worker: Worker
  readonly #waiting = new Slots<Waiting>()
  readonly #ended: Promise<void>
  #outbox: Call[] = []
  #closed = false

  private constructor(data: ThreadData) {
    setFlagsFromString(`--max-semi-space-size=${YOUNG_MB}`)
    this.#worker = new Worker(threadFile, { workerData: data, name: 'confab-store' })
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
  }

  static async start(data: ThreadData): Promise<{ thread: StoreThread; migration: MigrationReport; verbs: Verbs }> {
    const thread = new StoreThread(data)
    const ready = await new Promise<{ migration: MigrationReport; verbs: Verbs }>((resolve, reject) => {
      thread.#worker.on('message', (text: string) => {
        const message = JSON.parse(text) as FromThread
        if (message.kind === 'ready') resolve(message)
        else if (message.kind === 'too-new') reject(new SchemaTooNewError(message.found, message.known))
        else for (const answer of message.answers) thread.#settle(answer)
      })
      thread.#worker.once('error', (error: Error) => {
        reject(error)
        thread.#fail(error)
      })
      thread.#worker.once('exit', () => {
        const error = new Error('the store thread has ended')
        reject(error)
        thread.#fail(error)
      })
    })
    return { thread, migration: ready.migration, verbs: ready.verbs }
  }

  call(path: string, input: unknown): Promise<unknown> {
    if (this.#closed) return Promise.reject(new AppError('ERR_SERVICE_UNAVAILABLE'))
    return new Promise((resolve, reject) => {
      const id = this.#waiting.add({ resolve, reject })
      if (this.#outbox.length === 0) setImmediate(() => this.#flush())
      this.#outbox.push({ id, path, input })
      if (this.#outbox.length >= BATCH_MAX) this.#flush()
    })
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#flush()
      this.#post({ kind: 'close' })
    }
    await this.#ended
  }

  #flush(): void {
    const calls = this.#outbox
    this.#outbox = []
    if (calls.length > 0) this.#post({ kind: 'calls', calls })
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(JSON.stringify(message))
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.take(answer.id)
    if (answer.ok) waiting?.resolve(answer.value)
    else waiting?.reject(errorOf(answer.failure))
  }

  #fail(error: Error): void {
    this.#closed = true
    for (const { reject } of this.#waiting) reject(error)
  }
}

export const openSqliteStore = async (options: {
  dataDir: string
  limits?: Limits
}): Promise<{ store: Store; migration: MigrationReport }> => {
  const { limits = defaultLimits } = options
  const directory = resolve(options.dataDir)
  await makeFolder(directory, 0o700)
  const lock = lockDirectory(directory)
  try {
    const { thread, migration, verbs } = await StoreThread.start({ path: join(directory, 'confab.sqlite'), limits })
    let closed: Promise<void> | undefined
    const store: Store = {
      ...makePort<typeof operations>(verbs, (path) => (input) => thread.call(path, input)),
      engine: 'sqlite',
      close: () => {
        closed ??= thread.close().then(() => lock.release())
        return closed
      },
    }
    return { store, migration }
  } catch (error) {
    lock.release()
    throw error
  }
}
