import { type AppId, type BotSettings, type Uid, webhookKey } from '@confab/protocol'
import { describe, expect, it } from 'vitest'
import type { CallbackPolicy, StoredCallback } from './attempt.ts'
import { settle } from './settle.ts'

const defaults: CallbackPolicy = {
  timeoutMs: 10_000,
  maxConcurrency: 40,
  schedule: { delaysMs: [5000, 30_000], maxAgeMs: 3_600_000 },
  poisonPolicy: 'skip',
  breaker: { failureRate: 0.7, minAttempts: 10, openMs: 30_000 },
}
const stored = (settings: BotSettings): StoredCallback => ({
  appId: 'app' as AppId,
  bot: 'bot' as Uid,
  url: 'https://bot.example/',
  enabled: true,
  credentials: undefined,
  groupChatSetting: 'none',
  secrets: ['secret'],
  settings,
  isOpen: false,
  isSlowed: false,
})
const settled = (settings: BotSettings) => settle(stored(settings), defaults)
const asServer = { ...stored({}), ...defaults, mayStream: true }

describe('what counts for a bot', () => {
  it('is what the server is set to, where the bot sets nothing', () => {
    expect(settled({})).toEqual(asServer)
  })

  it.each<[BotSettings, Partial<CallbackPolicy>]>([
    [{ timeoutSeconds: 2.5 }, { timeoutMs: 2500 }],
    [{ maxConcurrency: 1 }, { maxConcurrency: 1 }],
    [{ poisonPolicy: 'park' }, { poisonPolicy: 'park' }],
    [{ retryPolicy: { delaysSeconds: [0.05, 2] } }, { schedule: { delaysMs: [50, 2000], maxAgeMs: 3_600_000 } }],
    [{ retryPolicy: { giveUpAfterSeconds: 0 } }, { schedule: { delaysMs: [5000, 30_000], maxAgeMs: 0 } }],
    [{ retryPolicy: {} }, {}],
    [{ circuitBreaker: { openSeconds: 0 } }, { breaker: { failureRate: 0.7, minAttempts: 10, openMs: 0 } }],
    [{ circuitBreaker: { failureRate: 1 } }, { breaker: { failureRate: 1, minAttempts: 10, openMs: 30_000 } }],
    [{ circuitBreaker: { minAttempts: 1 } }, { breaker: { failureRate: 0.7, minAttempts: 1, openMs: 30_000 } }],
    [{ relayBotMessages: true, triggers: ['message_edited'], allowCidrs: ['10.0.0.0/8'] }, {}],
  ])('%j changes that and nothing else', (settings, policy) => {
    expect(settled(settings)).toEqual({ ...asServer, settings, ...policy })
  })

  it('is all of it, where the bot sets all', () => {
    const settings: BotSettings = {
      timeoutSeconds: 60,
      maxConcurrency: 1000,
      retryPolicy: { delaysSeconds: [1], giveUpAfterSeconds: 7 },
      circuitBreaker: { failureRate: 0.1, minAttempts: 2, openSeconds: 3 },
      poisonPolicy: 'park',
    }
    expect(settled(settings)).toMatchObject({
      timeoutMs: 60_000,
      maxConcurrency: 1000,
      schedule: { delaysMs: [1000], maxAgeMs: 7000 },
      breaker: { failureRate: 0.1, minAttempts: 2, openMs: 3000 },
      poisonPolicy: 'park',
    })
  })

  it('lets bots stream their answers, and webhooks not', () => {
    expect(settle({ ...stored({}), bot: webhookKey('w') }, defaults)).not.toHaveProperty('mayStream')
  })
})
