/**
 * The dispatcher works lanes: it claims those that are due, makes the attempt of each head, puts it on record and goes
 * on with the next head.
 *
 * Owns: the lanes that this node has claimed, and the loop that looks for more. Does not own: what an attempt is
 * (sender), when a failed one is repeated (schedule), which lanes are due (store).
 * Invariants: a lane has one attempt under way; the next head starts only after the last attempt is on record; memory
 * holds one head per claimed lane, and no more lanes than there is room for: the rest waits in the store.
 * Concurrency: one event loop; hints (`poke`) only make it look sooner, the poll finds everything without them.
 * Shutdown: `drain` starts nothing more and waits for attempts under way; `stop` then gives all lanes back, also those
 * that are claimed or handed over meanwhile. `abort` does not wait: what was under way is made again by whoever claims
 * the lane next, and costs the bot none of its attempts.
 */
import type { LeaseId } from '@confab/protocol'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import { ignoring } from '../kernel/ignoring.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Random } from '../kernel/random.ts'
import type { Claimer, Disposition, RecordAttempt, Recorded, StoredClaim } from '../storage/sql/lanes.ts'
import type { Store } from '../storage/store.ts'
import type { Attempt, LaneClaim } from './attempt.ts'
import { dispositionOf } from './disposition.ts'
import { botKey, type ClaimedLane, FairQueue } from './fair-queue.ts'
import type { Handover } from './handover.ts'
import { Pace } from './pace.ts'
import type { RetrySchedule } from './schedule.ts'
import type { Sender } from './sender.ts'

/** A lease outlives two renewals that fail. */
const RENEWALS_PER_LEASE = 3
/** What finds work without any hint. */
const POLL_EVERY_MS = 1000
/** Claims per poll: one transaction. */
const CLAIM_BATCH = 256
/** Lanes claimed per attempt that may be under way: the next ones are at hand when one ends. */
const LANES_PER_SLOT = 2
const RECORD_AGAIN_MS = 500
/** A claim that has waited longer than this for its turn is read again: the bot may have been changed, or be gone. */
const STALE_MS = 250
/** Work was left in the store: what is claimed between two looks makes the second worth its transaction. */
const BEHIND_MS = 5

export interface DispatcherMetrics {
  attempted(outcome: string, seconds: number): void
  handedOver(seconds: number): void
  finished(state: 'delivered' | 'dead'): void
}

export interface DispatcherDeps {
  readonly store: Pick<Store, 'lanes'>
  readonly sender: Sender
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly log: Logger
  readonly metrics: DispatcherMetrics
  /** Attempts under way on this node. */
  readonly maxInFlight: number
  /** Attempts under way for one bot. */
  readonly maxPerBot: number
  readonly timeoutMs: number
  /** How long a lane is this node's without renewal: so long is the wait if the node dies. */
  readonly leaseMs: number
  readonly schedule?: RetrySchedule
}

export class Dispatcher implements Handover {
  readonly #deps: DispatcherDeps
  readonly #node: string
  readonly #pace = new Pace()
  readonly #queue: FairQueue
  /** Attempts until they are on record, polls, and what is given back. */
  readonly #underWay = new Set<Promise<void>>()
  #state: 'new' | 'running' | 'stopping' | 'aborting' = 'new'
  #polling = false
  #again = false
  #pollAtMs = 0
  #pollTimer: NodeJS.Timeout | undefined
  #renewTimer: NodeJS.Timeout | undefined
  /** Work was left in the store for want of room, on the node or for these bots: look again as soon as there is some. */
  #behind: 'node' | ReadonlySet<string> = new Set()

  constructor(deps: DispatcherDeps) {
    this.#deps = deps
    this.#node = deps.ids.node()
    this.#queue = new FairQueue({
      maxInFlight: deps.maxInFlight,
      limitOf: (bot, most) => this.#pace.limitOf(bot, most),
    })
  }

  get lanes(): number {
    return this.#queue.size
  }

  get inFlight(): number {
    return this.#queue.inFlight
  }

  start(): void {
    this.#state = 'running'
    this.#renewTimer = setInterval(
      () => ignoring(this.#renew(), 'leases are renewed again soon', this.#deps.log),
      this.#deps.leaseMs / RENEWALS_PER_LEASE,
    )
    this.poke()
  }

  claimer(): Claimer | undefined {
    if (this.#state !== 'running' || this.#roomForLanes() <= 0) return undefined
    return this.#claimer(this.#queue.busy(this.#lanesPerBot))
  }

  accept(claims: readonly StoredClaim[], waiting: number): void {
    const surplus = this.#take(claims)
    if (waiting + surplus === 0) return
    this.#behind = 'node'
    if (this.#roomForLanes() > 0) this.#schedulePoll(BEHIND_MS)
  }

  /** There may be something due: look now. */
  poke(): void {
    this.#schedulePoll(0)
  }

  /** Starts nothing more; resolves when nothing is under way. */
  async drain(): Promise<void> {
    if (this.#state !== 'aborting') this.#state = 'stopping'
    clearTimeout(this.#pollTimer)
    await this.#nothingUnderWay()
  }

  async stop(): Promise<void> {
    await this.drain()
    clearInterval(this.#renewTimer)
    await this.#deps.sender.close()
    await this.#giveBack([...this.#queue.lanes()])
    // Whoever waits for this closes the store next: what is handed over until then must have been given back.
    await this.#nothingUnderWay()
  }

  /** Ends attempts under way, also while `stop` waits for them. */
  async abort(): Promise<void> {
    this.#state = 'aborting'
    clearTimeout(this.#pollTimer)
    clearInterval(this.#renewTimer)
    await this.#deps.sender.close({ abort: true })
    await this.#nothingUnderWay()
  }

  /** What ends may have begun something else: a poll that of giving back what it has claimed. */
  async #nothingUnderWay(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  get #lanesPerBot(): number {
    return this.#deps.maxPerBot * LANES_PER_SLOT
  }

  #roomForLanes(): number {
    return this.#deps.maxInFlight * LANES_PER_SLOT - this.#queue.size
  }

  #claimer(busy: Record<string, number>): Claimer {
    const { clock, ids, leaseMs } = this.#deps
    const perBot = this.#lanesPerBot
    for (const bot of this.#pace.paused()) busy[bot] = perBot
    return { node: this.#node, leaseId: ids.lease(), untilMs: clock.now() + leaseMs, busy, perBot }
  }

  #withDefaults({ callback, ...claim }: StoredClaim): LaneClaim {
    const { timeoutMs, maxPerBot } = this.#deps
    return { ...claim, callback: { ...callback, timeoutMs, maxConcurrency: maxPerBot } }
  }

  /**
   * Messages that are accepted at the same time are all promised the same room: what is too much for the node or for its
   * bot goes back, and waits its turn in the store. Answers how many lanes that are.
   */
  #take(claims: readonly StoredClaim[]): number {
    const surplus: StoredClaim[] = []
    for (const claim of claims) {
      if (this.#mayHold(claim)) this.#queue.add(this.#withDefaults(claim))
      else surplus.push(claim)
    }
    if (surplus.length > 0) this.#giveBackSoon(surplus)
    this.#pump()
    return surplus.length
  }

  #mayHold({ callback, head }: StoredClaim): boolean {
    if (this.#state !== 'running') return false
    // A lane that is held already, its lease having lapsed, stays one lane.
    if (this.#queue.holds(head.laneId)) return true
    const bot = botKey(callback)
    return this.#roomForLanes() > 0 && this.#queue.lanesOf(bot) < this.#lanesPerBot && !this.#pace.isPaused(bot)
  }

  #giveBackSoon(claims: readonly StoredClaim[]): void {
    const leases = claims.map(({ leaseId, head }) => ({ laneId: head.laneId, leaseId }))
    this.#track(this.#release(leases), 'the leases lapse by themselves')
  }

  #pump(): void {
    if (this.#state !== 'running') return
    for (let lane = this.#queue.next(); lane !== undefined; lane = this.#queue.next()) {
      this.#track(this.#work(lane), 'the lane is claimed again when its lease has lapsed')
    }
  }

  #track(work: Promise<void>, consequence: string): void {
    const tracked = work.catch((error: unknown) => {
      this.#deps.log.error({ err: error, consequence }, 'delivery.failed')
    })
    this.#underWay.add(tracked)
    void tracked.then(() => this.#underWay.delete(tracked))
  }

  /** One head of one lane: attempt, record, next. */
  async #work(lane: ClaimedLane): Promise<void> {
    let next: StoredClaim | undefined
    try {
      const claim = await this.#freshClaim(lane)
      if (claim === undefined) return
      lane.claim = claim
      const attempt = await this.#deps.sender.send(claim.callback, claim.head)
      if (this.#state === 'aborting' && attempt.outcome.kind !== 'delivered') {
        await this.#release([{ laneId: claim.head.laneId, leaseId: claim.leaseId }])
        return
      }
      this.#notePace(claim, attempt)
      const recorded = await this.#record(claim, attempt)
      next = recorded?.next
      if (next !== undefined && !this.#mayKeep(claim)) {
        this.#giveBackSoon([next])
        next = undefined
      }
    } finally {
      this.#queue.settle(lane, next && this.#withDefaults(next))
      this.#afterWork(lane.claim)
    }
  }

  /** Lanes of a bot that asks for less go back: they would take the room of others. */
  #notePace({ callback }: LaneClaim, attempt: Attempt): void {
    const bot = botKey(callback)
    const pauseMs = this.#pace.note(bot, attempt)
    if (pauseMs === undefined) return
    this.#deps.log.info({ appId: callback.appId, bot: callback.bot, status: attempt.status, ms: pauseMs }, 'bot.slowed')
    const waiting = [...this.#queue.lanes()].filter((lane) => !lane.busy && botKey(lane.claim.callback) === bot)
    this.#track(this.#giveBack(waiting, this.#deps.clock.now() + pauseMs), 'the leases lapse by themselves')
    setTimeout(() => this.poke(), pauseMs).unref()
  }

  /** The claim as it may be worked now; nothing, if it may not be. */
  async #freshClaim({ claim, waitingSince }: ClaimedLane): Promise<LaneClaim | undefined> {
    if (performance.now() - waitingSince < STALE_MS) return claim
    const lease = { laneId: claim.head.laneId, leaseId: claim.leaseId }
    const found = await this.#deps.store.lanes.reread(lease)
    if (found?.callback.enabled && this.#state === 'running') return this.#withDefaults(found)
    if (found !== undefined) await this.#release([lease])
    return undefined
  }

  #afterWork({ callback }: LaneClaim): void {
    this.#pump()
    const bot = botKey(callback)
    const isBehind = this.#behind === 'node' || this.#behind.has(bot)
    if (isBehind && this.#queue.lanesOf(bot) <= this.#lanesPerBot / 2) this.#schedulePoll(BEHIND_MS)
  }

  async #record(claim: LaneClaim, attempt: Attempt): Promise<Recorded | undefined> {
    const { clock, random, schedule, leaseMs } = this.#deps
    const nowMs = clock.now()
    const disposition = dispositionOf(attempt, { nowMs, random, ...(schedule && { schedule }) })
    const input: RecordAttempt = {
      laneId: claim.head.laneId,
      leaseId: claim.leaseId,
      deliveryId: claim.head.id,
      attempt,
      disposition,
      keepUntilMs: this.#mayKeep(claim) ? nowMs + leaseMs : undefined,
      nowMs,
    }
    const recorded = await this.#untilRecorded(input, nowMs + leaseMs)
    this.#report(claim, attempt, disposition, recorded)
    if (disposition.kind === 'retry') this.#schedulePoll(disposition.dueAtMs - clock.now())
    return recorded
  }

  #mayKeep({ callback }: LaneClaim): boolean {
    return this.#state === 'running' && !this.#pace.isPaused(botKey(callback))
  }

  /** The attempt has happened: it is put on record again and again, never made again blindly, while the lane is ours. */
  async #untilRecorded(input: RecordAttempt, untilMs: number): Promise<Recorded | undefined> {
    const { store, clock, log } = this.#deps
    for (;;) {
      try {
        return await store.lanes.record(input)
      } catch (error) {
        log.error({ err: error, deliveryId: input.deliveryId }, 'delivery.record_failed')
        if (clock.now() + RECORD_AGAIN_MS >= untilMs || this.#state === 'aborting') return undefined
        await new Promise((resolve) => setTimeout(resolve, RECORD_AGAIN_MS))
      }
    }
  }

  #report(
    { callback, head }: LaneClaim,
    attempt: Attempt,
    disposition: Disposition,
    recorded: Recorded | undefined,
  ): void {
    const { metrics, log } = this.#deps
    const outcome = attempt.outcome.kind === 'retry' ? attempt.outcome.reason : attempt.outcome.kind
    metrics.attempted(outcome, attempt.phases.total / 1000)
    if (attempt.number === 1) metrics.handedOver(Math.max(0, attempt.startedAtMs - head.createdAtMs) / 1000)
    if (disposition.kind !== 'retry' && recorded?.fenced === false) metrics.finished(disposition.kind)
    const line = {
      deliveryId: head.id,
      appId: callback.appId,
      bot: callback.bot,
      conversationId: head.conversationId,
      sequence: head.sequence,
      attempt: attempt.number,
      outcome,
      ...(attempt.status !== undefined && { status: attempt.status }),
      ...(attempt.error !== undefined && { error: attempt.error }),
      ms: Math.round(attempt.phases.total * 100) / 100,
      next: disposition.kind === 'retry' ? new Date(disposition.dueAtMs).toISOString() : disposition.kind,
      ...(recorded === undefined ? { recorded: false } : recorded.fenced && { fenced: true }),
    }
    if (disposition.kind === 'dead') log.warn(line, 'delivery.attempted')
    else log.info(line, 'delivery.attempted')
  }

  /** The soonest wish counts. */
  #schedulePoll(inMs: number): void {
    if (this.#state !== 'running') return
    const atMs = performance.now() + Math.max(0, Math.min(inMs, POLL_EVERY_MS))
    if (this.#pollTimer !== undefined && this.#pollAtMs <= atMs) return
    clearTimeout(this.#pollTimer)
    this.#pollAtMs = atMs
    this.#pollTimer = setTimeout(
      () => {
        this.#pollTimer = undefined
        this.#track(this.#poll(), 'the next poll looks again')
      },
      Math.max(0, atMs - performance.now()),
    )
  }

  async #poll(): Promise<void> {
    if (this.#polling || this.#state !== 'running') {
      // The poll under way may have looked before the wish arose: it looks once more.
      this.#again = true
      return
    }
    this.#polling = true
    this.#again = false
    let waitMs = POLL_EVERY_MS
    try {
      waitMs = await this.#claimDue()
    } finally {
      this.#polling = false
      this.#schedulePoll(this.#again ? 0 : waitMs)
    }
  }

  /** Answers in how many milliseconds to look again. */
  async #claimDue(): Promise<number> {
    const { store, clock } = this.#deps
    const limit = Math.min(CLAIM_BATCH, this.#roomForLanes())
    if (limit <= 0) {
      this.#behind = 'node'
      return POLL_EVERY_MS
    }
    const found = await store.lanes.claimDue({
      claimer: this.#claimer(this.#queue.busy(1)),
      limit,
      nowMs: clock.now(),
    })
    this.#take(found.claims)
    const isFull = found.claims.length >= limit
    this.#behind = found.hasMore && isFull ? 'node' : new Set(Object.keys(this.#queue.busy(this.#lanesPerBot)))
    if (found.claims.length > 0 && found.hasMore && this.#roomForLanes() > 0) return BEHIND_MS
    return found.nextDueMs === undefined ? POLL_EVERY_MS : found.nextDueMs - clock.now()
  }

  async #renew(): Promise<void> {
    const held = [...this.#queue.lanes()]
    if (held.length === 0) return
    const leases = held.map(({ claim }) => ({ laneId: claim.head.laneId, leaseId: claim.leaseId }))
    const kept = new Set(
      await this.#deps.store.lanes.renew({ leases, untilMs: this.#deps.clock.now() + this.#deps.leaseMs }),
    )
    for (const [index, lane] of held.entries()) {
      const lease = leases[index]
      const isSame = lane.claim.leaseId === lease?.leaseId
      if (isSame && !lane.busy && !kept.has(lane.claim.head.laneId)) this.#queue.drop(lane)
    }
  }

  async #giveBack(lanes: readonly ClaimedLane[], dueAtMs = this.#deps.clock.now()): Promise<void> {
    const leases = lanes.map(({ claim }) => ({ laneId: claim.head.laneId, leaseId: claim.leaseId }))
    for (const lane of lanes) this.#queue.drop(lane)
    await this.#release(leases, dueAtMs)
  }

  async #release(
    leases: readonly { laneId: number; leaseId: LeaseId }[],
    dueAtMs = this.#deps.clock.now(),
  ): Promise<void> {
    if (leases.length > 0) await this.#deps.store.lanes.release({ leases, dueAtMs })
  }
}
