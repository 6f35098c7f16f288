/**
 * How the bots are, as far as this node has seen: which of them want to be left alone for a while. The dispatcher asks
 * it before it takes lanes and tells it of every attempt.
 */
import type { BotId } from '../kernel/actor.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Random } from '../kernel/random.ts'
import type { ProbeResult } from '../storage/sql/breakers.ts'
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

  forget(bot: string): void {
    this.#pace.forget(bot)
    this.#breaker.forget(bot)
  }

  /** @throws what the store throws: then nothing is known of it but here */
  async note(claim: LaneClaim, attempt: Attempt): Promise<HealthChange> {
    if (claim.probe !== undefined) return this.#judgeProbe(claim.callback, claim.probe.failedBefore, attempt)
    const { callback } = claim
    const bot = botKey(callback)
    const askedMs = this.#pace.note(bot, attempt)
    if (askedMs !== undefined) {
      this.#deps.log.info({ ...nameOf(callback), status: attempt.status, ms: askedMs }, 'bot.slowed')
    }
    const openMs = this.#breaker.note(bot, attempt, callback.breaker) ? await this.#open(callback) : undefined
    const pauseMs = openMs ?? askedMs
    return pauseMs === undefined ? {} : { pauseMs }
  }

  async #open(callback: Callback): Promise<number> {
    const { store, clock, random, log, metrics } = this.#deps
    const bot = botKey(callback)
    const nowMs = clock.now()
    const openMs = openForMs(callback.breaker, 0, random)
    this.#breaker.forget(bot)
    this.#pace.pause(bot, openMs)
    if (await store.breakers.open({ ...idOf(callback), untilMs: nowMs + openMs, nowMs })) {
      log.warn({ ...nameOf(callback), ms: openMs }, 'bot.breaker_opened')
      metrics.breakerOpened()
    }
    return openMs
  }

  #judgeProbe(callback: Callback, failedBefore: number, attempt: Attempt): HealthChange {
    const { clock, random, log } = this.#deps
    const bot = botKey(callback)
    const verdict = verdictOf(attempt)
    if (verdict === 'passed') {
      this.forget(bot)
      log.info(nameOf(callback), 'bot.breaker_closed')
      return { probe: { kind: 'passed' } }
    }
    const isOurs = verdict === 'ours'
    const failedProbes = failedBefore + (isOurs ? 0 : 1)
    const pauseMs = isOurs ? OUR_FAULT_DELAY_MS : openForMs(callback.breaker, failedProbes, random)
    this.#pace.pause(bot, pauseMs)
    log.info({ ...nameOf(callback), failedProbes, ms: pauseMs }, 'bot.breaker_stays_open')
    return { pauseMs, probe: { kind: 'failed', untilMs: clock.now() + pauseMs, isOurs } }
  }
}
