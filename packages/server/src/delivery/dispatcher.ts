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
import { type LeaseId, webhookIdOf } from '@confab/protocol'
import type { PostReplies } from '../callbacks/replies.ts'
import type { StreamWatch, WatchStream } from '../callbacks/watch-stream.ts'
import type { BotId } from '../kernel/actor.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import { ignoring } from '../kernel/ignoring.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Random } from '../kernel/random.ts'
import { remembering } from '../kernel/remembering.ts'
import { UnderWay } from '../kernel/under-way.ts'
import type { ProbeResult } from '../storage/sql/delivery/breakers.ts'
import type { Claimer } from '../storage/sql/delivery/lane-rows.ts'
import type { RecordAttempt, Recorded } from '../storage/sql/delivery/lanes.ts'
import type { Store } from '../storage/store.ts'
import {
  type Attempt,
  type Callback,
  type CallbackPolicy,
  type LaneClaim,
  mayBeCalled,
  maySend,
  readCallback,
  type StoredClaim,
} from './attempt.ts'
import { ClockWatch } from './clock-watch.ts'
import { dispositionOf } from './disposition.ts'
import { botKey, type ClaimedLane, FairQueue } from './fair-queue.ts'
import type { Handover } from './handover.ts'
import { BotHealth, type HealthChange } from './health.ts'
import { Look } from './look.ts'
import { type DispatcherMetrics, reportAttempt } from './report.ts'
import type { Sender } from './sender.ts'
import { settle } from './settle.ts'
import { type Room, shareOf } from './share.ts'

/** A lease outlives two renewals that fail. */
const RENEWALS_PER_LEASE = 3
/** What finds work without any hint. */
const POLL_EVERY_MS = 1000
/** Claims per poll: one transaction. */
const CLAIM_BATCH = 256
/** Lanes claimed per attempt that may be under way: the next ones are at hand when one ends. */
const LANES_PER_SLOT = 2
const AGAIN_MS = 500
/** A claim that has waited longer than this for its turn is read again: the bot may have been changed, or be gone. */
const STALE_MS = 250
/** Work was left in the store: what is claimed between two looks makes the second worth its transaction. */
const BEHIND_MS = 5

export interface DispatcherDeps {
  readonly store: Pick<Store, 'lanes' | 'breakers'>
  readonly sender: Sender
  readonly watchStream?: WatchStream
  /** Told of a bot that was left alone, by other nodes too, and is well again. */
  readonly onPassed?: (bot: BotId) => void
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly log: Logger
  readonly metrics: DispatcherMetrics
  /** Attempts under way on this node. */
  readonly maxInFlight: number
  /** For bots that do not say otherwise. */
  readonly defaults: CallbackPolicy
  readonly postReplies: PostReplies
  /** How long a lane is this node's without renewal: so long is the wait if the node dies. */
  readonly leaseMs: number
}

const isProbing = ({ claim, outdated }: ClaimedLane): boolean => claim.probe !== undefined && !outdated

export class Dispatcher implements Handover {
  readonly #deps: DispatcherDeps
  readonly #node: string
  readonly #health: BotHealth
  readonly #clock: ClockWatch
  readonly #look: Look
  readonly #queue: FairQueue
  /** One object for all lanes of a bot, as long as the bot stays as it is. */
  readonly #callbackOf: (callbackJson: string) => Callback
  /** Attempts until they are on record, polls, and what is given back. */
  readonly #underWay = new UnderWay()
  #state: 'new' | 'running' | 'stopping' | 'aborting' = 'new'
  #renewTimer: NodeJS.Timeout | undefined
  #full: Readonly<Record<string, number>> | undefined
  /** Work was left in the store for want of room, on the node or for these bots: look again as soon as there is some. */
  #behind: 'node' | ReadonlySet<string> = new Set()

  constructor(deps: DispatcherDeps) {
    this.#deps = deps
    this.#node = deps.ids.node()
    this.#clock = new ClockWatch(deps.clock)
    this.#health = new BotHealth({ ...deps, clock: this.#clock })
    this.#queue = new FairQueue({
      maxInFlight: deps.maxInFlight,
      limitOf: (bot, most) => this.#health.limitOf(bot, most),
    })
    this.#callbackOf = remembering((json) => settle(readCallback(json), deps.defaults))
    this.#look = new Look({
      look: () => this.#claimDue(),
      longestMs: POLL_EVERY_MS,
      track: (look) => this.#track(look, 'the next poll looks again'),
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
    return this.#claimer(this.#fullBots())
  }

  accept(claims: readonly StoredClaim[], waiting: number): void {
    const surplus = this.#take(claims)
    if (waiting + surplus === 0) return
    this.#behind = 'node'
    if (this.#roomForLanes() > 0) this.#lookWithin(BEHIND_MS)
  }

  /** There may be something due: look now. */
  poke(): void {
    this.#lookWithin(0)
  }

  /** The bot is set otherwise: what waits for its turn is claimed anew. */
  changed(bot: BotId): void {
    // What is claimed to probe with is nobody else's before its time.
    const waiting = this.#waitingOf(botKey(bot)).filter(({ claim }) => claim.probe === undefined)
    this.#claimAnew(waiting)
  }

  /** The bot is said to be well again: whatever was learnt about it is forgotten. */
  resume(bot: BotId): void {
    const key = botKey(bot)
    this.#health.forget(key)
    for (const lane of this.#lanesOf(key)) lane.outdated = lane.busy
    this.#claimAnew(this.#waitingOf(key))
  }

  /** Another node has found the bot to be well: it is not left alone any longer. */
  passed(bot: BotId): void {
    const key = botKey(bot)
    this.#health.forget(key)
    this.#queue.again(key)
    this.#pump()
    this.poke()
  }

  /** Starts nothing more; resolves when nothing is under way. */
  async drain(): Promise<void> {
    if (this.#state !== 'aborting') this.#state = 'stopping'
    this.#look.stop()
    await this.#underWay.nothing()
  }

  async stop(): Promise<void> {
    await this.drain()
    clearInterval(this.#renewTimer)
    await this.#deps.sender.close()
    await this.#giveBack([...this.#queue.lanes()])
    // Whoever waits for this closes the store next: what is handed over until then must have been given back.
    await this.#underWay.nothing()
  }

  /** Ends attempts under way, also while `stop` waits for them. */
  async abort(): Promise<void> {
    this.#state = 'aborting'
    this.#look.stop()
    clearInterval(this.#renewTimer)
    await this.#deps.sender.close({ abort: true })
    await this.#underWay.nothing()
  }

  #room(): Room {
    const of = this.#deps.maxInFlight * LANES_PER_SLOT
    return { of, free: of - this.#queue.size }
  }

  #roomForLanes(): number {
    return this.#room().free
  }

  /** Looked up once per turn of the event loop: messages that are accepted at the same time are promised the same room. */
  #fullBots(): Readonly<Record<string, number>> {
    if (this.#full === undefined) {
      this.#full = this.#queue.full(LANES_PER_SLOT, this.#room())
      setImmediate(() => {
        this.#full = undefined
      })
    }
    return this.#full
  }

  #claimer(lanesOfBots: Readonly<Record<string, number>>): Claimer {
    const { ids, leaseMs, defaults } = this.#deps
    const paused = this.#health.paused().map((bot) => [bot, Number.MAX_SAFE_INTEGER] as const)
    const busy = paused.length === 0 ? lanesOfBots : { ...lanesOfBots, ...Object.fromEntries(paused) }
    return {
      node: this.#node,
      leaseId: ids.lease(),
      untilMs: this.#clock.now() + leaseMs,
      busy,
      perBot: defaults.maxConcurrency * LANES_PER_SLOT,
      perSlot: LANES_PER_SLOT,
      room: this.#room(),
    }
  }

  #settle({ callbackJson, ...claim }: StoredClaim): LaneClaim {
    return { ...claim, callback: this.#callbackOf(callbackJson) }
  }

  /**
   * Messages that are accepted at the same time are all promised the same room: what is too much for the node or for its
   * bot goes back, and waits its turn in the store. Answers how many lanes that are.
   */
  #take(claims: readonly StoredClaim[]): number {
    const surplus: StoredClaim[] = []
    for (const stored of claims) {
      const claim = this.#settle(stored)
      if (this.#mayHold(claim)) this.#queue.add(claim)
      else surplus.push(stored)
    }
    if (surplus.length > 0) this.#giveBackSoon(surplus)
    this.#pump()
    return surplus.length
  }

  #mayHold({ callback, head, probe }: LaneClaim): boolean {
    if (this.#state !== 'running') return false
    // A lane that is held already, its lease having lapsed, stays one lane.
    if (this.#queue.holds(head.laneId)) return true
    const bot = botKey(callback)
    // The one under way has outlived what it was taken with.
    if (probe !== undefined && this.#lanesOf(bot).some(isProbing)) return false
    const most = callback.maxConcurrency * LANES_PER_SLOT
    const has = this.#queue.lanesOf(bot)
    return has < most && shareOf(this.#room(), has) > 0 && !this.#health.isPaused(bot)
  }

  #giveBackSoon(claims: readonly StoredClaim[]): void {
    const leases = claims.map(({ leaseId, head }) => ({ laneId: head.laneId, leaseId }))
    this.#track(this.#release(leases), 'the leases lapse by themselves')
  }

  #lanesOf(bot: string): ClaimedLane[] {
    return [...this.#queue.lanes()].filter(({ claim }) => botKey(claim.callback) === bot)
  }

  #probes(): ClaimedLane[] {
    return [...this.#queue.lanes()].filter(isProbing)
  }

  #waitingOf(bot: string): readonly ClaimedLane[] {
    return this.#lanesOf(bot).filter(({ busy }) => !busy)
  }

  #claimAnew(lanes: readonly ClaimedLane[]): void {
    if (lanes.length === 0) this.poke()
    else
      this.#track(
        this.#giveBack(lanes).finally(() => this.poke()),
        'the leases lapse by themselves',
      )
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
  }

  /** One head of one lane: attempt, record, next. */
  async #work(lane: ClaimedLane): Promise<void> {
    let next: StoredClaim | undefined
    try {
      const claim = await this.#freshClaim(lane)
      if (claim === undefined) return
      if (claim !== lane.claim) this.#refresh(lane, claim)
      if (this.#hasLapsed(claim)) {
        await this.#release([{ laneId: claim.head.laneId, leaseId: claim.leaseId }])
        return
      }
      const attempt = await this.#attempt(lane, claim)
      if (attempt === undefined) return
      if (this.#state === 'aborting' && attempt.outcome.kind !== 'delivered') {
        await this.#release([{ laneId: claim.head.laneId, leaseId: claim.leaseId }])
        return
      }
      const { probe, pauseMs }: HealthChange = lane.outdated ? {} : await this.#health.note(claim, attempt)
      if (pauseMs !== undefined) this.#leaveAlone(botKey(claim.callback), pauseMs)
      const recorded = await this.#record(lane, attempt, probe)
      if (probe?.kind === 'passed') this.#deps.onPassed?.({ appId: claim.callback.appId, bot: claim.callback.bot })
      // What has waited for it is due.
      if (probe !== undefined && pauseMs === undefined) this.#lookWithin(0)
      // Put on record under the fresh lease: that is done with. Another one is of what was sent since.
      if (recorded?.fenced === false && lane.renewed?.leaseId === lane.claim.leaseId) lane.renewed = undefined
      next = recorded?.next
      if (next !== undefined && !this.#mayKeep(claim)) {
        this.#giveBackSoon([next])
        next = undefined
      }
    } finally {
      this.#queue.settle(lane, next && this.#settle(next))
      this.#afterWork(lane.claim)
    }
  }

  /** Whoever the bot talks to sees it talk. */
  async #attempt(lane: ClaimedLane, claim: LaneClaim): Promise<Attempt | undefined> {
    const { sender, watchStream } = this.#deps
    const watch = watchStream?.(claim.callback, claim.head)
    const onText = watch && this.#health.isSlowed(botKey(claim.callback)) ? this.#hearing(lane, watch) : watch?.onText
    try {
      return await this.#withReplies(claim, await sender.send(claim.callback, claim.head, onText))
    } finally {
      watch?.end()
    }
  }

  /** A stream may last for minutes: the others, who wait for what comes of it, need not. */
  #hearing(lane: ClaimedLane, watch: StreamWatch): StreamWatch['onText'] {
    const bot = botKey(lane.claim.callback)
    return (text) => {
      if (!lane.outdated && this.#health.isSlowed(bot)) {
        this.#health.answers(bot)
        this.#queue.again(bot)
        this.#pump()
      }
      watch.onText(text)
    }
  }

  /** This process has slept, or its store was long in answering: the lane may be another node's by now. */
  #hasLapsed({ untilMs }: LaneClaim): boolean {
    return this.#clock.now() >= untilMs
  }

  /**
   * Replies are posted before the attempt is on record. While the store takes nothing, nothing is: the callback is made
   * again. If it takes all but the replies, for a whole lease, that is a fault of ours which no repetition mends: the
   * attempt says so, and the conversation goes on.
   */
  async #withReplies(claim: LaneClaim, attempt: Attempt): Promise<Attempt | undefined> {
    const { json, streamed, outcome } = attempt
    // What webhooks answer is nobody's message.
    if (webhookIdOf(claim.callback.bot) !== undefined) return attempt
    if (outcome.kind !== 'delivered' || (json === undefined && streamed === undefined)) return attempt
    const { postReplies, leaseMs } = this.#deps
    let isForReplies = true
    const post = async (): Promise<string | undefined> => {
      try {
        return await postReplies(claim.callback, claim.head, attempt)
      } catch (error) {
        isForReplies &&= await this.#canWrite(claim)
        throw error
      }
    }
    const posted = await this.#untilDone(claim, this.#clock.now() + leaseMs, 'delivery.reply_failed', async () => ({
      problem: await post(),
    }))
    if (posted === undefined && (!isForReplies || this.#state === 'aborting')) return undefined
    const { problem } = posted ?? { problem: 'the replies were not posted: the server has failed to, see its log' }
    const problems = [attempt.error, problem].filter((one) => one !== undefined)
    return { ...attempt, error: problems.length === 0 ? undefined : problems.join('; ') }
  }

  /** Whether the store takes what is written, the lane being ours. */
  async #canWrite({ head: { laneId }, leaseId }: LaneClaim): Promise<boolean> {
    const untilMs = this.#clock.now() + this.#deps.leaseMs
    const kept = await this.#deps.store.lanes
      .renew({ leases: [{ laneId, leaseId }], untilMs })
      .catch((): readonly number[] => [])
    return kept.includes(laneId)
  }

  /** Lanes of a bot that is to be left alone go back: they would take the room of others. */
  #leaveAlone(bot: string, pauseMs: number): void {
    this.#track(this.#giveBack(this.#waitingOf(bot)), 'the leases lapse by themselves')
    setTimeout(() => this.poke(), pauseMs).unref()
  }

  /** The claim as it may be worked now; nothing, if it may not be. */
  async #freshClaim({ claim, waitingSince }: ClaimedLane): Promise<LaneClaim | undefined> {
    if (performance.now() - waitingSince < STALE_MS) return claim
    const lease = { laneId: claim.head.laneId, leaseId: claim.leaseId }
    const found = await this.#deps.store.lanes.reread(lease)
    const mayGo = claim.probe === undefined ? maySend : mayBeCalled
    if (found === undefined) return undefined
    const fresh = this.#settle(found)
    if (mayGo(fresh.callback) && this.#state === 'running') {
      return { ...fresh, ...(claim.probe && { probe: claim.probe }) }
    }
    await this.#release([lease])
    return undefined
  }

  #afterWork({ callback }: LaneClaim): void {
    this.#pump()
    const bot = botKey(callback)
    const isBehind = this.#behind === 'node' || this.#behind.has(bot)
    const most = callback.maxConcurrency * LANES_PER_SLOT
    if (isBehind && this.#queue.lanesOf(bot) <= most / 2) this.#lookWithin(BEHIND_MS)
  }

  #refresh(lane: ClaimedLane, claim: LaneClaim): void {
    this.#queue.refresh(lane, claim)
    this.#pump()
  }

  async #record(lane: ClaimedLane, attempt: Attempt, probe: ProbeResult | undefined): Promise<Recorded | undefined> {
    const { random, leaseMs } = this.#deps
    const { claim } = lane
    const nowMs = this.#clock.now()
    const disposition = dispositionOf(attempt, { nowMs, random, policy: claim.callback })
    const input: Omit<RecordAttempt, 'leaseId'> = {
      laneId: claim.head.laneId,
      deliveryId: claim.head.id,
      attempt,
      disposition,
      keepUntilMs: this.#mayKeep(claim) ? nowMs + leaseMs : undefined,
      ...(probe && { probe }),
      nowMs,
    }
    // The attempt has happened: it is not made again blindly while the lane is ours.
    const recorded = await this.#untilDone(claim, nowMs + leaseMs, 'delivery.record_failed', () =>
      // The lane may have been claimed anew meanwhile, its lease having lapsed.
      this.#deps.store.lanes.record({ ...input, leaseId: lane.claim.leaseId }),
    )
    reportAttempt(this.#deps, claim, attempt, disposition, recorded)
    if (disposition.kind === 'retry') this.#lookWithin(disposition.dueAtMs - this.#clock.now())
    return recorded
  }

  #mayKeep({ callback }: LaneClaim): boolean {
    return this.#state === 'running' && !this.#health.isPaused(botKey(callback))
  }

  /** Again and again until it succeeds, or the lane is not ours any more. */
  async #untilDone<T>(
    { head }: LaneClaim,
    untilMs: number,
    event: string,
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    const { log } = this.#deps
    for (;;) {
      try {
        return await work()
      } catch (error) {
        log.error({ err: error, deliveryId: head.id }, event)
        if (this.#clock.now() + AGAIN_MS >= untilMs || this.#state === 'aborting') return undefined
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  #lookWithin(ms: number): void {
    if (this.#state === 'running') this.#look.within(ms)
  }

  /** Answers in how many milliseconds to look again. */
  async #claimDue(): Promise<number> {
    const { store } = this.#deps
    await this.#followClock()
    const limit = Math.min(CLAIM_BATCH, this.#roomForLanes())
    if (limit <= 0) {
      this.#behind = 'node'
      return POLL_EVERY_MS
    }
    const found = await store.lanes.claimDue({
      claimer: this.#claimer(this.#queue.busy()),
      limit,
      nowMs: this.#clock.now(),
    })
    this.#take(found.claims)
    const isFull = found.claims.length >= limit
    this.#behind =
      found.hasMore && isFull ? 'node' : new Set(Object.keys(this.#queue.full(LANES_PER_SLOT, this.#room())))
    if (found.claims.length > 0 && found.hasMore && this.#roomForLanes() > 0) return BEHIND_MS
    return found.nextDueMs === undefined ? POLL_EVERY_MS : found.nextDueMs - this.#clock.now()
  }

  async #followClock(): Promise<void> {
    const { store, log } = this.#deps
    const byMs = this.#clock.takeSetBackMs()
    if (byMs === 0) return
    const lanes = await store.lanes.bringForward({ byMs, nowMs: this.#clock.now() })
    log.warn({ ms: byMs, lanes }, 'clock.set_back')
  }

  async #renew(): Promise<void> {
    const held = [...this.#queue.lanes()]
    if (held.length === 0) return
    const leases = held.map(({ claim }) => ({ laneId: claim.head.laneId, leaseId: claim.leaseId }))
    const untilMs = this.#clock.now() + this.#deps.leaseMs
    await this.#keepProbes(untilMs)
    const kept = new Set(await this.#deps.store.lanes.renew({ leases, untilMs }))
    for (const [index, lane] of held.entries()) {
      const lease = leases[index]
      const isSame = lane.claim.leaseId === lease?.leaseId
      if (!isSame) continue
      if (kept.has(lane.claim.head.laneId)) this.#queue.extend(lane, untilMs)
      else if (!lane.busy) this.#queue.drop(lane)
    }
  }

  /** Before the leases: what these are until says what the probes are until. */
  async #keepProbes(untilMs: number): Promise<void> {
    for (const { claim } of this.#probes()) {
      const { appId, bot } = claim.callback
      await this.#deps.store.breakers.keepProbe({ appId, bot, wasMs: claim.untilMs, untilMs })
    }
  }

  async #giveBack(lanes: readonly ClaimedLane[], dueAtMs = this.#clock.now()): Promise<void> {
    const leases = lanes.map(({ claim }) => ({ laneId: claim.head.laneId, leaseId: claim.leaseId }))
    for (const lane of lanes) this.#queue.drop(lane)
    await this.#release(leases, dueAtMs)
  }

  async #release(leases: readonly { laneId: number; leaseId: LeaseId }[], dueAtMs = this.#clock.now()): Promise<void> {
    if (leases.length > 0) await this.#deps.store.lanes.release({ leases, dueAtMs })
  }
}
