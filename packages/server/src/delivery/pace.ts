/**
 * Bots that are to be left alone for a while, because they have asked for it or their circuit breaker is open. A 429 or 503
 * is about the bot, not about the conversation that was told so: all its lanes wait, and after that one attempt at a time
 * goes out until one succeeds.
 *
 * Owned by the dispatcher of one node. Short pauses every node learns of by itself; longer ones are in the store too (`health.ts`).
 * Holds the bots that are slowed down, and no other.
 */
import type { Attempt } from './attempt.ts'

const FIRST_PAUSE_MS = 1000
/** Of pauses that the bot did not name itself. */
const LONGEST_PAUSE_MS = 60_000

const SLOW_DOWN: ReadonlySet<number | undefined> = new Set([429, 503])

interface Slowed {
  untilMs: number
  /** Pauses since the last success. */
  pauses: number
}

export class Pace {
  /** Monotonic milliseconds. */
  readonly #now: () => number
  readonly #slowed = new Map<string, Slowed>()

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** To be told of every attempt. Answers how many milliseconds the bot is to be left alone, if that begins or is extended now. */
  note(bot: string, { outcome, status }: Pick<Attempt, 'outcome' | 'status'>): number | undefined {
    if (!SLOW_DOWN.has(status)) {
      // One that was under way when the bot asked for a pause does not end it.
      if (outcome.kind === 'delivered' && !this.isPaused(bot)) this.#slowed.delete(bot)
      return undefined
    }
    const slowed = this.#slowed.get(bot) ?? { untilMs: 0, pauses: 0 }
    const asked = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined
    if (this.isPaused(bot) && asked === undefined) return undefined
    if (!this.isPaused(bot)) slowed.pauses++
    const pauseMs = asked ?? Math.min(FIRST_PAUSE_MS * 2 ** (slowed.pauses - 1), LONGEST_PAUSE_MS)
    const untilMs = this.#now() + pauseMs
    if (untilMs <= slowed.untilMs) return undefined
    slowed.untilMs = untilMs
    this.#slowed.set(bot, slowed)
    return pauseMs
  }

  /** For a reason that was found elsewhere. */
  pause(bot: string, ms: number): void {
    const slowed = this.#slowed.get(bot) ?? { untilMs: 0, pauses: 0 }
    slowed.untilMs = Math.max(slowed.untilMs, this.#now() + ms)
    this.#slowed.set(bot, slowed)
  }

  /** All is well again, whatever was asked for before. */
  forget(bot: string): void {
    this.#slowed.delete(bot)
  }

  /** One attempt of it at a time, if any. */
  isSlowed(bot: string): boolean {
    return this.#slowed.has(bot)
  }

  isPaused(bot: string): boolean {
    return this.leftMs(bot) !== undefined
  }

  /** How many milliseconds it is still to be left alone, if it is. */
  leftMs(bot: string): number | undefined {
    const leftMs = (this.#slowed.get(bot)?.untilMs ?? 0) - this.#now()
    return leftMs > 0 ? leftMs : undefined
  }

  paused(): string[] {
    return [...this.#slowed.keys()].filter((bot) => this.isPaused(bot))
  }

  /** How many attempts the bot may have under way, of `most` when all is well. */
  limitOf(bot: string, most: number): number {
    return this.isSlowed(bot) ? Math.min(1, most) : most
  }
}
