import type { AppId, ConversationId, DeliveryId, LeaseId, Uid } from '@confab/protocol'
import type { LaneClaim } from '../delivery/attempt.ts'
import { defaultBreaker } from '../delivery/breaker.ts'
import { defaultSchedule } from '../delivery/schedule.ts'

/** A lane of `bot`, of the app `app`, with its first head. */
export const makeLaneClaim = (bot: string, laneId: number, lease = 'first', maxConcurrency = 10): LaneClaim => ({
  leaseId: lease as LeaseId,
  untilMs: Number.MAX_SAFE_INTEGER,
  callback: {
    appId: 'app' as AppId,
    bot: bot as Uid,
    url: 'http://127.0.0.1',
    enabled: true,
    credentials: undefined,
    groupChatSetting: 'none',
    secrets: [],
    settings: {},
    isOpen: false,
    isSlowed: false,
    timeoutMs: 1000,
    maxConcurrency,
    schedule: defaultSchedule,
    poisonPolicy: 'skip',
    breaker: defaultBreaker,
  },
  head: {
    id: `dlv_${laneId}` as DeliveryId,
    laneId,
    conversationId: `c${laneId}` as ConversationId,
    sequence: 1,
    trigger: 'after_message',
    body: '',
    attempts: 0,
    hop: 0,
    createdAtMs: 0,
  },
})
