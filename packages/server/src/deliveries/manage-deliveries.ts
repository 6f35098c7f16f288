import {
  type AppId,
  type BotStats,
  type ConversationId,
  type Delivery,
  type DeliveryDetail,
  type ListDeliveries,
  limits,
  parseMessageId,
  parseUid,
  type ReplayDeliveries,
  type Replayed,
  type Uid,
  webhookKey,
} from '@confab/protocol'
import type { Clock } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { DeliveryFilter, IdRange } from '../storage/sql/delivery/delivery-walk.ts'
import type { Store } from '../storage/store.ts'
import { idsBetween, prefixAt } from './id-range.ts'

export interface DeliverySlice {
  /** Newest first. */
  readonly rows: readonly Delivery[]
  readonly limit: number
  /** Where the next page begins, if there may be one. */
  readonly before: string | undefined
}

export interface ManageDeliveries {
  list(appId: AppId, query: ListDeliveries): Promise<DeliverySlice>
  get(appId: AppId, id: string): Promise<DeliveryDetail>
  cancel(appId: AppId, id: string): Promise<Delivery>
  replay(appId: AppId, id: string): Promise<Delivery>
  /** All of one bot since a time; as much as one request may take. */
  replayAll(appId: AppId, bot: Uid, body: ReplayDeliveries): Promise<Replayed>
  stats(appId: AppId, bot: Uid): Promise<BotStats>
}

/** How many rows a page may look at: some 10 ms of the store. */
const SCAN = 5000
/** Lanes that one transaction may lock. */
const STEP = 100
const STEPS_PER_CALL = 50
const SECOND_MS = 1000
const HOUR_MS = 3_600_000
/** The latest time that an id can carry. */
const MAX_MS = 2 ** 47

const startOf = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : Math.min(seconds * SECOND_MS, MAX_MS)
/** The second that is named belongs to it. */
const endOf = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : Math.min(seconds * SECOND_MS + SECOND_MS - 1, MAX_MS)

const filterOf = ({
  bot,
  webhook,
  conversationId,
  state,
  since,
  until,
}: Omit<ListDeliveries, 'messageId'>): DeliveryFilter => ({
  ...(bot !== undefined && { bot: parseUid(bot) }),
  ...(webhook !== undefined && { bot: webhookKey(webhook) }),
  ...(conversationId !== undefined && { conversationId: conversationId as ConversationId }),
  ...(state !== undefined && { states: [state] }),
  ...definedOf({ sinceMs: startOf(since), untilMs: endOf(until) }),
})

/** Both bounds hold: the lower of two upper ones, the higher of two lower ones. */
const narrowed = (range: IdRange, { before, after }: { before?: string; after?: string }): IdRange => ({
  ...definedOf({
    before: before === undefined || (range.before !== undefined && range.before < before) ? range.before : before,
    after: after === undefined || (range.after !== undefined && range.after > after) ? range.after : after,
  }),
})

export const makeManageDeliveries = (deps: {
  store: Pick<Store, 'deliveries'>
  clock: Clock
  /** Called when a lane may be due sooner than it was. */
  onChange: () => void
}): ManageDeliveries => {
  const { clock, onChange } = deps
  const { deliveries } = deps.store
  const told = async <T>(change: Promise<T>): Promise<T> => {
    const changed = await change
    onChange()
    return changed
  }
  return {
    list: async (appId, { messageId, before, limit = limits.pageSize, ...query }) => {
      const message = messageId === undefined ? undefined : parseMessageId(messageId)
      if (messageId !== undefined && message === undefined) return { rows: [], limit, before: undefined }
      const filter = { ...filterOf(query), ...(message !== undefined && { messageId: Number(message) }) }
      const range = narrowed(idsBetween(filter.sinceMs, filter.untilMs), definedOf({ before }))
      return { limit, ...(await deliveries.list({ appId, filter, range, limit, scan: SCAN })) }
    },

    get: (appId, id) => deliveries.get({ appId, id }),

    cancel: (appId, id) => told(deliveries.cancel({ appId, id, nowMs: clock.now() })),

    replay: (appId, id) => told(deliveries.replay({ appId, id, nowMs: clock.now() })),

    replayAll: async (appId, bot, { since, until, states = ['dead'], after: from }) => {
      const filter = { ...filterOf(definedOf({ since, until })), states: [...new Set(states)] }
      let after = from
      let replayed = 0
      for (let step = 0; step < STEPS_PER_CALL; step++) {
        const range = narrowed(idsBetween(filter.sinceMs, filter.untilMs), definedOf({ after }))
        const nowMs = clock.now()
        const done = await told(deliveries.replaySome({ appId, bot, filter, range, limit: STEP, scan: SCAN, nowMs }))
        replayed += done.replayed
        if (done.after === undefined) return { replayed }
        after = done.after
      }
      return { replayed, ...(after !== undefined && { next: { after } }) }
    },

    stats: async (appId, bot) => {
      const nowMs = clock.now()
      const since = { hour: prefixAt(nowMs - HOUR_MS), day: prefixAt(nowMs - 24 * HOUR_MS) }
      const { oldestMs, slowedUntilMs, ...stats } = await deliveries.stats({ appId, bot, ...since, nowMs })
      return {
        ...stats,
        ...(slowedUntilMs !== undefined && { slowedUntil: Math.ceil(slowedUntilMs / SECOND_MS) }),
        ...(oldestMs !== undefined && { oldestPendingAge: Math.max(0, nowMs - oldestMs) / SECOND_MS }),
      }
    },
  }
}
