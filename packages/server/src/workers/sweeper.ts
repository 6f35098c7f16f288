/**
 * A sweeper deletes what was kept for a time, once it is old enough: deliveries that are over, entries of the audit log.
 *
 * Concurrency: small transactions with pauses between, so that nobody waits for it; several nodes may sweep at once, each
 * takes what no other is at. Shutdown: `stop` waits for the step under way.
 */
import type { Clock } from '../kernel/clock.ts'

const STEP = 200
const PAUSE_MS = 20
const EVERY_MIN_MS = 500
const EVERY_MAX_MS = 60_000

export interface SweeperDeps {
  readonly clock: Clock
  /** How long it is kept; 0 is for ever. */
  readonly keepMs: number
  /** One small step; answers how many went. */
  readonly sweep: (beforeMs: number, limit: number) => Promise<number>
  readonly onSwept: (swept: number) => void
  readonly onFailed: (error: unknown) => void
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
    if (this.#deps.keepMs > 0) this.#wait(EVERY_MIN_MS)
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
    const { clock, keepMs, sweep, onSwept, onFailed } = this.#deps
    const everyMs = Math.min(EVERY_MAX_MS, Math.max(EVERY_MIN_MS, keepMs / 10))
    try {
      const swept = await sweep(clock.now() - keepMs, STEP)
      if (swept > 0) onSwept(swept)
      this.#wait(swept < STEP ? everyMs : PAUSE_MS)
    } catch (error) {
      onFailed(error)
      this.#wait(everyMs)
    }
  }
}
