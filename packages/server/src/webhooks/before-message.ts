/**
 * `before_message`: webhooks that are asked before a message is accepted. What they answer is put into the message, or
 * refuses it. These calls are no deliveries: nothing is owed, nothing is stored, nothing is repeated.
 *
 * Which webhooks are asked is believed for a moment, so that a message of an app without any costs nothing. Changes on
 * this node count at once, those on another one after that time.
 */
import { type AppId, type ConversationId, limits, webhookIdOf } from '@confab/protocol'
import { webhookBody } from '../callbacks/payload.ts'
import { type Attempt, outcomeText, type StoredCallback } from '../delivery/attempt.ts'
import type { Sender } from '../delivery/sender.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import { parseSafely } from '../kernel/json-text.ts'
import type { Logger } from '../kernel/logger.ts'
import type { AskBefore, JsonObject } from '../messages/ask-before.ts'
import type { Store } from '../storage/store.ts'

const BELIEVED_MS = 2000
const APPS_MAX = 1000
const BUDGET_MS = limits.webhookTimeoutSeconds * 1000

export type BeforeOutcome = 'accepted' | 'injected' | 'blocked' | 'failed'

export interface BeforeMessageDeps {
  readonly store: Pick<Store, 'webhooks'>
  readonly sender: Sender
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly metrics: { askedBefore(outcome: BeforeOutcome, seconds: number): void }
  readonly region: string
  /** What becomes of a message when a webhook does not answer in time, or not as it should. */
  readonly onFailure: 'accept' | 'refuse'
}

export interface BeforeMessage extends AskBefore {
  /** To be called when webhooks change. */
  forget(): void
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What it answered, if that is a JSON object which may become part of a message. */
const answerOf = ({ json, response }: Attempt): JsonObject | undefined => {
  const { value } = parseSafely(json ?? response ?? '')
  return isObject(value) ? value : undefined
}

export const makeBeforeMessage = (deps: BeforeMessageDeps): BeforeMessage => {
  const { store, sender, clock, ids, log, metrics, region, onFailure } = deps
  const believed = new Map<AppId, { readonly callbacks: readonly StoredCallback[]; readonly untilMs: number }>()

  const knownOf = (appId: AppId): readonly StoredCallback[] | undefined => {
    const known = believed.get(appId)
    return known !== undefined && known.untilMs > clock.now() ? known.callbacks : undefined
  }

  const askedOf = async (appId: AppId): Promise<readonly StoredCallback[]> => {
    const known = knownOf(appId)
    if (known !== undefined) return known
    const callbacks = await store.webhooks.asked({ appId })
    if (believed.size >= APPS_MAX) believed.clear()
    believed.set(appId, { callbacks, untilMs: clock.now() + BELIEVED_MS })
    return callbacks
  }

  const call = (callback: StoredCallback, body: string, timeoutMs: number): Promise<Attempt> =>
    sender.send(
      { ...callback, timeoutMs },
      {
        id: ids.delivery(),
        laneId: 0,
        conversationId: '' as ConversationId,
        sequence: 1,
        trigger: 'before_message',
        body,
        attempts: 0,
        hop: 0,
        createdAtMs: clock.now(),
      },
    )

  const refused = (webhook: string, reason?: string): AppError =>
    new AppError('ERR_BLOCKED_BY_WEBHOOK', { details: { webhook, ...(reason && { reason }) } })

  return {
    forget: () => believed.clear(),
    isAsked: (appId) => {
      const known = knownOf(appId)
      return known === undefined ? askedOf(appId).then((asked) => asked.length > 0) : known.length > 0
    },
    ask: async ({ appId, origin, messageWith }) => {
      const injected: Record<string, JsonObject> = {}
      const endMs = performance.now() + BUDGET_MS
      for (const callback of await askedOf(appId)) {
        const id = webhookIdOf(callback.bot) ?? callback.bot
        const leftMs = Math.floor(endMs - performance.now())
        const dataJson = messageWith(injected)
        const body = webhookBody({ trigger: 'before_message', dataJson, appId, origin, region, key: callback.bot })
        const mayAsk = leftMs > 0 && !callback.isOpen
        const attempt = mayAsk ? await call(callback, body, leftMs) : undefined
        const isAnswered = attempt?.outcome.kind === 'delivered'
        const answer = isAnswered ? answerOf(attempt) : undefined
        const isBlocked = answer?.action === 'do_not_propagate'
        const outcome: BeforeOutcome = !isAnswered ? 'failed' : isBlocked ? 'blocked' : answer ? 'injected' : 'accepted'
        const ms = attempt?.phases.total ?? 0
        metrics.askedBefore(outcome, ms / 1000)
        const why = attempt === undefined ? 'not asked' : outcomeText(attempt.outcome)
        const line = { appId, webhook: id, outcome, ms, ...(!isAnswered && { why, error: attempt?.error }) }
        if (outcome === 'failed') log.warn({ ...line, message: onFailure }, 'webhook.asked_before')
        else log.info(line, 'webhook.asked_before')
        if (isBlocked) throw refused(id)
        if (!isAnswered && onFailure === 'refuse') throw refused(id, 'it did not answer as it should')
        if (answer !== undefined && Object.keys(answer).length > 0) injected[id] = answer
      }
      return injected
    },
  }
}
