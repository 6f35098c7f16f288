/**
 * The sweeper deletes deliveries that are over, with their attempts, once they are old enough.
 *
 * Concurrency: small transactions with pauses between, so that nobody waits for it; several nodes may sweep at once, each
 * takes what no other is at. Shutdown: `stop` waits for the step under way.
 */
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Store } from '../storage/store.ts'

const STEP = 200
const PAUSE_MS = 20
const EVERY_MIN_MS = 500
const EVERY_MAX_MS = 60_000

export interface SweeperDeps {
  readonly store: Pick<Store, 'deliveries'>
  readonly clock: Clock
  readonly log: Logger
  /** How long what is over is kept. */
  readonly keepMs: number
}

export class Sweeper {
  readonly #deps: SweeperDeps
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(deps: SweeperDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#wait(EVERY_MIN_MS)
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
    const { store, clock, log, keepMs } = this.#deps
    const everyMs = Math.min(EVERY_MAX_MS, Math.max(EVERY_MIN_MS, keepMs / 10))
    try {
      const swept = await store.deliveries.sweep({ beforeMs: clock.now() - keepMs, limit: STEP })
      if (swept > 0) log.debug({ swept }, 'deliveries.swept')
      this.#wait(swept < STEP ? everyMs : PAUSE_MS)
    } catch (error) {
      log.warn({ err: error, consequence: 'old deliveries stay for now' }, 'deliveries.sweep_failed')
      this.#wait(everyMs)
    }
  }
}
