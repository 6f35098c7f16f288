/**
 * The sweeper of files removes the bytes of files that no message has any more, or never had, and what processes that died
 * have left half-way.
 *
 * Concurrency: small steps with pauses between; several nodes may sweep at once, since removing twice is as removing once.
 * What fails stays due. Shutdown: `stop` waits for the step under way.
 */
import type { KeepFiles } from '../files/keep-files.ts'
import type { Receiver } from '../files/receive.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'

const STEP = 50
const PAUSE_MS = 20
const EVERY_MS = 2000
const FAILED_EVERY_MS = 60_000
const INCOMING_EVERY_MS = 3_600_000
/** Longer than any upload takes. */
const INCOMING_KEEP_MS = 24 * 3_600_000

export interface FileSweeperDeps {
  readonly keep: Pick<KeepFiles, 'sweep'>
  readonly receiver: Pick<Receiver, 'sweep'>
  readonly clock: Clock
  readonly log: Logger
  /** Nobody else writes to the data folder: what is on its way in at the start is of a process that is gone. */
  readonly isAlone: boolean
}

export class FileSweeper {
  readonly #deps: FileSweeperDeps
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> = Promise.resolve()
  #incomingDueMs: number
  #isStopped = false

  constructor(deps: FileSweeperDeps) {
    this.#deps = deps
    this.#incomingDueMs = deps.clock.now()
  }

  /** Before anything can come in. */
  async start(): Promise<void> {
    const { receiver, isAlone, log } = this.#deps
    if (isAlone) {
      const left = await receiver.sweep(Number.POSITIVE_INFINITY)
      if (left > 0) log.info({ left }, 'files.incoming_removed')
    }
    this.#wait(EVERY_MS)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#underWay
  }

  #wait(ms: number): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => {
      this.#underWay = this.#step()
    }, ms)
  }

  async #step(): Promise<void> {
    const { keep, receiver, clock, log } = this.#deps
    try {
      const nowMs = clock.now()
      if (nowMs >= this.#incomingDueMs) {
        this.#incomingDueMs = nowMs + INCOMING_EVERY_MS
        await receiver.sweep(nowMs - INCOMING_KEEP_MS)
      }
      const swept = await keep.sweep(STEP)
      if (swept > 0) log.debug({ swept }, 'files.swept')
      this.#wait(swept < STEP ? EVERY_MS : PAUSE_MS)
    } catch (error) {
      log.warn({ err: error, consequence: 'files that are due to go stay for now' }, 'files.sweep_failed')
      this.#wait(FAILED_EVERY_MS)
    }
  }
}
