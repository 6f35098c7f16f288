/**
 * The words of delivery: what is to be sent, what one try of it came to. Pure types and rules; the sender makes
 * attempts, the dispatcher decides by them, the store remembers them.
 */
import {
  type AppId,
  type BotSettings,
  type ConversationId,
  type DeliveryId,
  type GroupChatSetting,
  type LeaseId,
  type PoisonPolicy,
  type TEST_TRIGGER,
  type Uid,
  type WebhookTrigger,
  webhookIdOf,
} from '@confab/protocol'
import type { BreakerLimits } from './breaker.ts'
import type { RetrySchedule } from './schedule.ts'
import type { Streamed } from './streamed-answer.ts'

/** A callback as the store holds it; what is not set for the bot is decided by the server: see `settle.ts`. */
export interface StoredCallback {
  readonly appId: AppId
  /** The uid of a bot, or the key of a webhook. */
  readonly bot: Uid
  readonly url: string
  readonly enabled: boolean
  /** Sent as HTTP Basic if set; the password as the store holds it. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  readonly groupChatSetting: GroupChatSetting
  /** The signing secrets as the store holds them, newest first; one signature each. */
  readonly secrets: readonly string[]
  /** Signs too, until then (unix seconds): the secret before the last rotation. */
  readonly previousSecret?: { readonly secret: string; readonly expiresAt: number }
  readonly settings: BotSettings
  /** Its circuit breaker is not closed: only a probe may be sent. */
  readonly isOpen: boolean
  /** It has asked to be left alone: likewise. */
  readonly isSlowed: boolean
}

/** How whoever is called is named where people read it. */
export const calledOf = (key: Uid): { readonly bot: Uid } | { readonly webhook: string } => {
  const webhook = webhookIdOf(key)
  return webhook === undefined ? { bot: key } : { webhook }
}

/** Whether it is to be called at all: it may be switched off, or fetch its updates itself. */
export const mayBeCalled = ({ enabled, settings }: StoredCallback): boolean => enabled && settings.receive !== 'pull'

/** Whether the next callback may be sent to it, if that is no probe. */
export const maySend = (callback: StoredCallback): boolean =>
  mayBeCalled(callback) && !callback.isOpen && !callback.isSlowed

/** How the callbacks of one bot are made. */
export interface CallbackPolicy {
  /** Total deadline of one attempt, from the first lookup to the last byte of the answer. */
  readonly timeoutMs: number
  /** How many lanes of this bot may have an attempt under way. */
  readonly maxConcurrency: number
  readonly schedule: RetrySchedule
  readonly poisonPolicy: PoisonPolicy
  readonly breaker: BreakerLimits
}

/** A bot's callback as it must be known to make an attempt. */
export interface Callback extends StoredCallback, CallbackPolicy {
  /** Its answer may come as a stream, which is not over when the deadline is: what it says is wanted, as a bot's is. */
  readonly mayStream?: true
}

/** The duty to bring one trigger to one callback, as the head of its lane. */
export interface Delivery {
  readonly id: DeliveryId
  readonly laneId: number
  readonly conversationId: ConversationId
  /** Place in the lane, gap-free from 1. */
  readonly sequence: number
  readonly trigger: WebhookTrigger | typeof TEST_TRIGGER
  /** What is sent, byte for byte, on every attempt. */
  readonly body: string
  /** Attempts already on record that count. */
  readonly attempts: number
  /** How many bots have spoken in turn before it. */
  readonly hop: number
  /** When the duty arose, unix milliseconds. */
  readonly createdAtMs: number
}

interface Claim {
  readonly leaseId: LeaseId
  /** When the lease lapses, if it is not renewed; unix milliseconds. */
  readonly untilMs: number
  readonly head: Delivery
  /** The bot's breaker is half open, or a pause that it had asked for is over: this is the one lane to find out with. */
  readonly probe?: { readonly failedBefore: number; readonly isSlowed?: true }
}

/** The right to work one lane, with its head. */
export interface LaneClaim extends Claim {
  readonly callback: Callback
}

/** As the store hands it out. The callback is JSON: that of a bot is the same text every time, and is read once. */
export interface StoredClaim extends Claim {
  readonly callbackJson: string
}

export const readCallback = (callbackJson: string): StoredCallback => JSON.parse(callbackJson) as StoredCallback

/** Where the time of an attempt went; milliseconds since its start, as far as it came. */
export interface Phases {
  readonly dns?: number
  readonly connect?: number
  readonly tls?: number
  readonly firstByte?: number
  readonly total: number
}

/** Why an attempt did not succeed. `http` has a status; the others never got one, or not in time. */
export type FailureReason =
  | 'http'
  | 'timeout'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'reset'
  | 'protocol'
  | 'url'
  | 'redirect'
  | 'secrets'
  | 'stopped'

/** What one attempt came to. A bot's failure is an expected value, never an exception. */
export type AttemptOutcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly reason: FailureReason; readonly retryAfterMs?: number }
  /** The bot answered 410: it will never want this. */
  | { readonly kind: 'gone' }
  /** Our own rules forbid the address; no byte was sent. */
  | { readonly kind: 'refused' }
  /** It failed for our fault: it costs the bot none of its attempts. */
  | { readonly kind: 'ours'; readonly reason: FailureReason }

/** As it is put on record. */
export const outcomeText = (outcome: AttemptOutcome): string =>
  'reason' in outcome ? `${outcome.kind}:${outcome.reason}` : outcome.kind

/** One HTTP try of a delivery: append-only once recorded. */
export interface Attempt {
  /** From 1. */
  readonly number: number
  readonly startedAtMs: number
  readonly outcome: AttemptOutcome
  readonly status: number | undefined
  /** One line for people; holds no secret. */
  readonly error: string | undefined
  /** The address dialled, if it came to that, or the one that is not allowed. */
  readonly address: string | undefined
  readonly phases: Phases
  /** First bytes of the answer, as text. */
  readonly response: string | undefined
  /** The whole answer, where it says that it is JSON: it may hold replies. Not put on record. */
  readonly json?: string
  /** What was said in an answer that came as a stream. Not put on record. */
  readonly streamed?: Streamed
}
