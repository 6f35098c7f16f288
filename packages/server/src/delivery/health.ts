/**
 * How the bots are, as far as this node has seen: which of them want to be left alone for a while. The dispatcher asks
 * it before it takes lanes and tells it of every attempt.
 */
import type { BotId } from '../kernel/actor.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Random } from '../kernel/random.ts'
import type { ProbeResult } from '../storage/sql/delivery/breakers.ts'
import type { Store } from '../storage/store.ts'
import { type Attempt, type Callback, calledOf, type LaneClaim } from './attempt.ts'
import { Breaker, openForMs, verdictOf } from './breaker.ts'
import { botKey } from './fair-queue.ts'
import { Pace } from './pace.ts'
import { OUR_FAULT_DELAY_MS } from './schedule.ts'

export interface HealthDeps {
  readonly store: Pick<Store, 'breakers'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: { breakerOpened(): void }
}

export interface HealthChange {
  /** For how long the bot is to be left alone from now on, if that is news. */
  readonly pauseMs?: number
  /** To be put on record with the attempt. */
  readonly probe?: ProbeResult
}

/** A pause that is shorter is over before another node, or the next start, would have known of it. */
const STORED_FROM_MS = 5000

const idOf = ({ appId, bot }: Callback): BotId => ({ appId, bot })
const nameOf = ({ appId, bot }: Callback) => ({ appId, ...calledOf(bot) })

export class BotHealth {
  readonly #deps: HealthDeps
  readonly #pace = new Pace()
  readonly #breaker = new Breaker()

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  isPaused(bot: string): boolean {
    return this.#pace.isPaused(bot)
  }

  paused(): string[] {
    return this.#pace.paused()
  }

  /** How many attempts the bot may have under way, of `most` when all is well. */
  limitOf(bot: string, most: number): number {
    return this.#pace.limitOf(bot, most)
  }

  isSlowed(bot: string): boolean {
    return this.#pace.isSlowed(bot)
  }

  /** It takes callbacks again, though what it has to say to this one is not at its end. */
  answers(bot: string): void {
    if (!this.#pace.isPaused(bot)) this.#pace.forget(bot)
  }

  forget(bot: string): void {
    this.#pace.forget(bot)
    this.#breaker.forget(bot)
  }

  async note({ callback, probe }: LaneClaim, attempt: Attempt): Promise<HealthChange> {
    if (probe !== undefined && probe.isSlowed !== true) return this.#judgeProbe(callback, probe.failedBefore, attempt)
    const bot = botKey(callback)
    const askedMs = this.#noteAsked(callback, attempt)
    if (this.#breaker.note(bot, attempt, callback.breaker)) return { pauseMs: await this.#open(callback, askedMs) }
    if (probe !== undefined) return this.#afterPause(callback, attempt, askedMs)
    if (askedMs === undefined) return {}
    if (askedMs >= STORED_FROM_MS) {
      const untilMs = this.#deps.clock.now() + askedMs
      await this.#told(callback, this.#deps.store.breakers.slowDown({ ...idOf(callback), untilMs }))
    }
    return { pauseMs: askedMs }
  }

  /** For how long the bot wants to be left alone, if that is news. */
  #noteAsked(callback: Callback, attempt: Attempt): number | undefined {
    const askedMs = this.#pace.note(botKey(callback), attempt)
    if (askedMs !== undefined) {
      this.#deps.log.info({ ...nameOf(callback), status: attempt.status, ms: askedMs }, 'bot.slowed')
    }
    return askedMs
  }

  /** Nobody probes during a pause: there is one since, asked for in the answer to what was under way. */
  #askedMeanwhileMs(callback: Callback): number | undefined {
    return this.#pace.leftMs(botKey(callback))
  }

  /** What the store does not take is known here at least, and must not keep the attempt off the record. */
  async #told<T>(callback: Callback, telling: Promise<T>): Promise<T | undefined> {
    try {
      return await telling
    } catch (error) {
      const consequence = 'other nodes, and the next start, do not know that it is left alone'
      this.#deps.log.error({ ...nameOf(callback), err: error, consequence }, 'bot.note_failed')
      return undefined
    }
  }

  /** An attempt after a pause that is in the store, where one is made at a time until one succeeds. */
  #afterPause(callback: Callback, attempt: Attempt, askedMs: number | undefined): HealthChange {
    const pauseMs = attempt.outcome.kind === 'ours' ? OUR_FAULT_DELAY_MS : (askedMs ?? this.#askedMeanwhileMs(callback))
    const nowMs = this.#deps.clock.now()
    if (pauseMs === undefined) {
      const isWell = attempt.outcome.kind === 'delivered'
      return { probe: isWell ? { kind: 'passed' } : { kind: 'stays-slowed', untilMs: nowMs } }
    }
    this.#pace.pause(botKey(callback), pauseMs)
    return { pauseMs, probe: { kind: 'stays-slowed', untilMs: nowMs + pauseMs } }
  }

  /** @param leastMs what it has asked for */
  async #open(callback: Callback, leastMs = 0): Promise<number> {
    const { store, clock, random, log, metrics } = this.#deps
    const bot = botKey(callback)
    const nowMs = clock.now()
    const openMs = Math.max(openForMs(callback.breaker, 0, random), leastMs)
    this.#breaker.forget(bot)
    this.#pace.pause(bot, openMs)
    if (await this.#told(callback, store.breakers.open({ ...idOf(callback), untilMs: nowMs + openMs, nowMs }))) {
      log.warn({ ...nameOf(callback), ms: openMs }, 'bot.breaker_opened')
      metrics.breakerOpened()
    }
    return openMs
  }

  #judgeProbe(callback: Callback, failedBefore: number, attempt: Attempt): HealthChange {
    const { clock, random, log } = this.#deps
    const bot = botKey(callback)
    // It may have been turned off since it opened.
    const verdict = callback.breaker.openMs === 0 ? 'passed' : verdictOf(attempt)
    if (verdict === 'passed') {
      // It is alive, and may want to be left alone all the same.
      const meanwhileMs = this.#askedMeanwhileMs(callback)
      if (meanwhileMs === undefined) this.forget(bot)
      else this.#breaker.forget(bot)
      log.info(nameOf(callback), 'bot.breaker_closed')
      const askedMs = this.#noteAsked(callback, attempt) ?? meanwhileMs
      return askedMs === undefined
        ? { probe: { kind: 'passed' } }
        : { pauseMs: askedMs, probe: { kind: 'slowed', untilMs: clock.now() + askedMs } }
    }
    const isOurs = verdict === 'ours'
    const failedProbes = failedBefore + (isOurs ? 0 : 1)
    const askedMs = this.#noteAsked(callback, attempt) ?? this.#askedMeanwhileMs(callback) ?? 0
    const pauseMs = isOurs ? OUR_FAULT_DELAY_MS : Math.max(openForMs(callback.breaker, failedProbes, random), askedMs)
    this.#pace.pause(bot, pauseMs)
    log.info({ ...nameOf(callback), failedProbes, ms: pauseMs }, 'bot.breaker_stays_open')
    return { pauseMs, probe: { kind: 'failed', untilMs: clock.now() + pauseMs, isOurs } }
  }
}
