/**
 * Lanes that this node has claimed, and whose turn it is. Bots take turns, whatever each has waiting; the lanes of
 * one bot take turns among themselves; no bot has more attempts under way than it may, nor has the node; and none takes
 * the last places of the node for more than a few.
 */
import type { AppId, Uid } from '@confab/protocol'
import { YoungMap } from '../kernel/young-map.ts'
import type { Delivery, LaneClaim } from './attempt.ts'
import { type Room, shareOf } from './share.ts'

export interface ClaimedLane {
  claim: LaneClaim
  /** An attempt is under way, or is being put on record. */
  busy: boolean
  /** What is known of the bot was forgotten since the attempt began: what comes of that says nothing of how the bot is now. */
  outdated: boolean
  /** When it was last put to wait for its turn, by `performance.now()`. */
  waitingSince: number
  /** Claimed anew while it was busy, its lease having lapsed: holds if the attempt under way is not the last word. */
  renewed?: LaneClaim | undefined
}

interface BotShare {
  readonly key: string
  readonly ready: ClaimedLane[]
  lanes: number
  inFlight: number
  /** Attempts that it may have under way, as its newest claim says. */
  most: number
  /** It is among the turns. */
  hasTurn: boolean
}

/** Not even replayed since. */
const isSameDuty = (one: Delivery, other: Delivery): boolean =>
  one.id === other.id && one.attempts === other.attempts && one.createdAtMs === other.createdAtMs

export const botKey = (callback: { appId: AppId; bot: Uid }): string => `${callback.appId}/${callback.bot}`

export class FairQueue {
  readonly #maxInFlight: number
  readonly #limitOf: (bot: string, most: number) => number
  readonly #lanes = new YoungMap<number, ClaimedLane>()
  readonly #bots = new YoungMap<string, BotShare>()
  /** Bots that may have a lane ready, in the order of their turns. */
  #turns: BotShare[] = []
  #inFlight = 0

  /** @param options `limitOf`: how many attempts a bot may have under way, of `most` when all is well */
  constructor(options: { maxInFlight: number; limitOf?: (bot: string, most: number) => number }) {
    this.#maxInFlight = options.maxInFlight
    this.#limitOf = options.limitOf ?? ((_bot, most) => most)
  }

  get size(): number {
    return this.#lanes.size
  }

  get inFlight(): number {
    return this.#inFlight
  }

  lanes(): Iterable<ClaimedLane> {
    return this.#lanes.values()
  }

  holds(laneId: number): boolean {
    return this.#lanes.has(laneId)
  }

  lanesOf(key: string): number {
    return this.#bots.get(key)?.lanes ?? 0
  }

  /** Bot → lanes claimed. */
  busy(): Record<string, number> {
    return Object.fromEntries([...this.#bots.values()].map(({ key, lanes }) => [key, lanes]))
  }

  /** As `busy`, of the bots that have `perSlot` lanes or more for each attempt that they may have under way, or their share of the room. */
  full(perSlot: number, room: Room): Record<string, number> {
    const full: Record<string, number> = {}
    for (const { key, lanes, most } of this.#bots.values()) {
      if (lanes >= most * perSlot || shareOf(room, lanes) === 0) full[key] = lanes
    }
    return full
  }

  /** A lane that is held already, by a lease that has lapsed, stays one lane: it never has two attempts under way. */
  add(claim: LaneClaim): void {
    const share = this.#share(botKey(claim.callback))
    share.most = claim.callback.maxConcurrency
    const held = this.#lanes.get(claim.head.laneId)
    if (held !== undefined) {
      if (share.ready.length > 0) this.#giveTurn(share)
      if (!held.busy) {
        held.claim = claim
        return
      }
      held.renewed = claim
      const { leaseId, untilMs } = claim
      // The attempt under way goes on record under the fresh lease: it is the same one, and nobody else made it.
      if (isSameDuty(held.claim.head, claim.head)) held.claim = { ...held.claim, leaseId, untilMs }
      return
    }
    const lane: ClaimedLane = { claim, busy: false, outdated: false, waitingSince: 0 }
    this.#lanes.add(claim.head.laneId, lane)
    share.lanes++
    this.#wait(share, lane)
  }

  /** The next lane whose head may be attempted now; it is busy from here on. */
  next(): ClaimedLane | undefined {
    const room = { of: this.#maxInFlight, free: this.#maxInFlight - this.#inFlight }
    for (let at = 0; room.free > 0; ) {
      const share = this.#turns[at]
      if (share === undefined) return undefined
      // It keeps its turn, and lets those behind it go first.
      if (shareOf(room, share.inFlight) === 0) {
        at++
        continue
      }
      this.#turns.splice(at, 1)
      share.hasTurn = false
      const lane = share.ready[0]
      if (lane === undefined) continue
      // It gets a turn again when one of its attempts ends, or when it may have more of them.
      if (share.inFlight >= this.#limitOf(share.key, share.most)) continue
      share.ready.shift()
      if (share.ready.length > 0) this.#giveTurn(share)
      share.inFlight++
      this.#inFlight++
      lane.busy = true
      return lane
    }
    return undefined
  }

  /** The claim of a busy lane was read again: the bot may be another now. */
  refresh(lane: ClaimedLane, claim: LaneClaim): void {
    lane.claim = claim
    const share = this.#share(botKey(claim.callback))
    const isMore = claim.callback.maxConcurrency > share.most
    share.most = claim.callback.maxConcurrency
    if (isMore) this.again(share.key)
  }

  /** The bot may have more under way than when its turn came last. */
  again(key: string): void {
    const share = this.#bots.get(key)
    if (share !== undefined && share.ready.length > 0) this.#giveTurn(share)
  }

  /** The lease was renewed until then. */
  extend(lane: ClaimedLane, untilMs: number): void {
    lane.claim = { ...lane.claim, untilMs }
  }

  /** The attempt is on record: the lane waits for its turn with its next head, or is done with. */
  settle(lane: ClaimedLane, next: LaneClaim | undefined): void {
    const share = this.#share(botKey(lane.claim.callback))
    share.inFlight--
    this.#inFlight--
    lane.busy = false
    lane.outdated = false
    const claim = next ?? lane.renewed
    lane.renewed = undefined
    if (claim === undefined) {
      this.#forget(share, lane)
    } else {
      lane.claim = claim
      // The other one is older than what has been claimed since.
      if (next !== undefined) share.most = next.callback.maxConcurrency
      this.#wait(share, lane)
    }
    // The bot may have been passed over while it had too much under way.
    if (share.ready.length > 0) this.#giveTurn(share)
  }

  /** Lets go of a lane that is not busy; of one that is not held any more there is nothing to let go. */
  drop(lane: ClaimedLane): void {
    if (this.#lanes.get(lane.claim.head.laneId) !== lane) return
    const share = this.#share(botKey(lane.claim.callback))
    const at = share.ready.indexOf(lane)
    if (at >= 0) share.ready.splice(at, 1)
    this.#forget(share, lane)
  }

  #share(key: string): BotShare {
    let share = this.#bots.get(key)
    if (share === undefined) {
      share = { key, ready: [], lanes: 0, inFlight: 0, most: 0, hasTurn: false }
      this.#bots.add(key, share)
    }
    return share
  }

  #wait(share: BotShare, lane: ClaimedLane): void {
    lane.waitingSince = performance.now()
    share.ready.push(lane)
    this.#giveTurn(share)
  }

  #giveTurn(share: BotShare): void {
    if (share.hasTurn) return
    share.hasTurn = true
    this.#turns.push(share)
  }

  #forget(share: BotShare, lane: ClaimedLane): void {
    this.#lanes.delete(lane.claim.head.laneId)
    if (--share.lanes === 0 && share.inFlight === 0) this.#bots.delete(share.key)
  }
}
