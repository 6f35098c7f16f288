/** What counts for a bot: what its owner has set, and for the rest what the server is set to. Pure. */
import { type BotSettings, webhookIdOf } from '@confab/protocol'
import type { Callback, CallbackPolicy, StoredCallback } from './attempt.ts'

const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000)

const policyOf = (settings: BotSettings, defaults: CallbackPolicy): CallbackPolicy => {
  const { retryPolicy, circuitBreaker } = settings
  return {
    timeoutMs: ms(settings.timeoutSeconds) ?? defaults.timeoutMs,
    maxConcurrency: settings.maxConcurrency ?? defaults.maxConcurrency,
    schedule: {
      delaysMs: retryPolicy?.delaysSeconds?.map((seconds) => seconds * 1000) ?? defaults.schedule.delaysMs,
      maxAgeMs: ms(retryPolicy?.giveUpAfterSeconds) ?? defaults.schedule.maxAgeMs,
    },
    poisonPolicy: settings.poisonPolicy ?? defaults.poisonPolicy,
    breaker: {
      failureRate: circuitBreaker?.failureRate ?? defaults.breaker.failureRate,
      minAttempts: circuitBreaker?.minAttempts ?? defaults.breaker.minAttempts,
      openMs: ms(circuitBreaker?.openSeconds) ?? defaults.breaker.openMs,
    },
  }
}

export const settle = (callback: StoredCallback, defaults: CallbackPolicy): Callback => ({
  ...callback,
  // Most bots set nothing.
  ...(Object.keys(callback.settings).length === 0 ? defaults : policyOf(callback.settings, defaults)),
  ...(webhookIdOf(callback.bot) === undefined && { mayStream: true }),
})
