/**
 * The circuit breaker of each bot, as far as one node sees it: it counts how the attempts of the last minute went, and
 * says when too many failed. That it is open is in the store, for all nodes; so is whose turn it is to probe.
 */
import type { Random } from '../kernel/random.ts'
import type { Attempt } from './attempt.ts'
import { jittered } from './schedule.ts'

export interface BreakerLimits {
  /** Of the attempts of the last minute: from this share on it opens. */
  readonly failureRate: number
  /** Of fewer attempts nothing is concluded. */
  readonly minAttempts: number
  /** Until the first probe; twice as long after each that fails. 0: it never opens. */
  readonly openMs: number
}

export const defaultBreaker: BreakerLimits = { failureRate: 0.7, minAttempts: 10, openMs: 30_000 }

/** However many probes have failed. */
const LONGEST_MS = 600_000
const WINDOW_MS = 60_000
const SLOTS = 6
const SLOT_MS = WINDOW_MS / SLOTS

/** 429: the bot is alive, and has said so. What is our fault says nothing of the bot. */
export const verdictOf = ({ outcome, status }: Pick<Attempt, 'outcome' | 'status'>): 'passed' | 'failed' | 'ours' => {
  if (outcome.kind === 'ours') return 'ours'
  return outcome.kind === 'delivered' || outcome.kind === 'gone' || status === 429 ? 'passed' : 'failed'
}

/** How long it is open after so many probes that failed. */
export const openForMs = ({ openMs }: BreakerLimits, failedProbes: number, random: Random): number =>
  jittered(Math.min(openMs * 2 ** Math.min(failedProbes, 20), Math.max(LONGEST_MS, openMs)), random)

interface Slot {
  at: number
  ok: number
  failed: number
}

export class Breaker {
  /** Monotonic milliseconds. */
  readonly #now: () => number
  readonly #windows = new Map<string, Slot[]>()

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** To be told of every attempt; answers whether the breaker of the bot is to be opened now. */
  note(bot: string, attempt: Pick<Attempt, 'outcome' | 'status'>, limits: BreakerLimits): boolean {
    const verdict = verdictOf(attempt)
    if (verdict === 'ours' || limits.openMs === 0) return false
    const window = this.#windowOf(bot)
    const slot = window.at(-1)
    if (slot === undefined) return false
    if (verdict === 'passed') {
      slot.ok++
      return false
    }
    slot.failed++
    const failed = window.reduce((sum, each) => sum + each.failed, 0)
    const all = window.reduce((sum, each) => sum + each.ok, failed)
    return all >= limits.minAttempts && failed / all >= limits.failureRate
  }

  /** What was counted does not matter any more. */
  forget(bot: string): void {
    this.#windows.delete(bot)
  }

  /** The newest slot is that of now. */
  #windowOf(bot: string): readonly Slot[] {
    const at = Math.floor(this.#now() / SLOT_MS)
    const known = this.#windows.get(bot)
    if (known !== undefined && known.at(-1)?.at === at) return known
    const window = [...(known ?? []).filter((slot) => slot.at > at - SLOTS), { at, ok: 0, failed: 0 }]
    this.#windows.set(bot, window)
    return window
  }
}
