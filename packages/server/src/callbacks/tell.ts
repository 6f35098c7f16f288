/**
 * How what happens comes to bots: whoever changes something brings a `Telling` along, the store writes in the same
 * transaction what is owed to whom, and what it answers is handed to those who deliver.
 */
import type { AppId, ConversationId, DeliveryId, Uid } from '@confab/protocol'
import type { StoredClaim } from '../delivery/attempt.ts'
import type { Handover } from '../delivery/handover.ts'
import type { BotId } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Claimer } from '../storage/sql/delivery/lane-rows.ts'
import { HOP_LIMIT_REASON } from './relay.ts'

/** What the callbacks carry of whoever caused them, and who may make them at once. */
export interface Telling {
  /** JSON. */
  readonly origin: string
  readonly region: string
  /** Of the first bot; others get it with a number behind. */
  readonly deliveryId: DeliveryId
  readonly claimer: Claimer | undefined
  /** What the client says of how many bots have spoken in turn before. */
  readonly hop: number
  readonly hopLimit: number
  readonly nowMs: number
}

export interface Told {
  /** Lanes that were idle and are now the caller's. */
  readonly claims: readonly StoredClaim[]
  /** Lanes that are due and that nobody works: somebody should look. */
  readonly waiting: number
  /** Bots that have something new to fetch. */
  readonly pulling: readonly Uid[]
  /** Bots that are not called, because too many have spoken in turn. */
  readonly cut: readonly Uid[]
}

/** Under what that is told which is about a user, and no conversation. */
export const userKey = (uid: Uid): ConversationId => `user_${uid}` as ConversationId

export const nobodyTold: Told = { claims: [], waiting: 0, pulling: [], cut: [] }

export interface Teller {
  telling(client: Client): Telling
  told(told: Told, about: { readonly appId: AppId; readonly conversationId: string; readonly sender: string }): void
}

export interface TellerDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly region: string
  /** Where claims of idle lanes go, so that their callbacks leave without another read of the store. */
  readonly handover: Handover
  /** Called when a bot has something new to fetch. */
  readonly onUpdate: (bot: BotId) => void
  /** How many bots may answer each other in turn. */
  readonly hopLimit: number
}

export const makeTeller = ({ clock, ids, log, region, handover, hopLimit, onUpdate }: TellerDeps): Teller => ({
  telling: ({ origin, hop }) => ({
    origin: JSON.stringify(origin),
    region,
    deliveryId: ids.delivery(),
    claimer: handover.claimer(),
    hop,
    hopLimit,
    nowMs: clock.now(),
  }),
  told: ({ claims, waiting, pulling, cut: bots }, about) => {
    handover.accept(claims, waiting)
    for (const bot of pulling) onUpdate({ appId: about.appId, bot })
    if (bots.length > 0) log.warn({ ...about, bots, reason: HOP_LIMIT_REASON }, 'callback.cut')
  },
})
