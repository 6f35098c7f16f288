import type { AppId, DataPoint, MessageMetrics } from '@confab/protocol'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Store } from '../storage/store.ts'

export interface MeasureUsage {
  usage(
    appId: AppId,
    range: { fromDate: number; toDate: number },
    signal: AbortSignal,
  ): Promise<{
    metrics: Record<
      'audio_minutes' | 'video_minutes' | 'recorded_minutes' | 'active_users' | 'concurrent_users',
      number
    >
    time_range: { fromDate: number; toDate: number }
  }>
  messages(appId: AppId, signal: AbortSignal): Promise<MessageMetrics>
}

const POINT_SECONDS = 300
const POINTS = 12
/** Messages looked at in one transaction: nobody waits long behind it. */
const STEP = 5000

/** Ten digits are seconds, as everywhere else; milliseconds have had more for decades. */
const toMs = (time: number): number => (time <= 9_999_999_999 ? time * 1000 : time)

interface Window {
  readonly appId: AppId
  /** Unix seconds; `to` itself is left out. */
  readonly from: number
  readonly to: number
}

export const makeMeasureUsage = ({
  store,
  clock,
}: {
  store: Pick<Store, 'stats' | 'presence'>
  clock: Clock
}): MeasureUsage => {
  /** The ids of what was sent in the window are within the range; a step of it at a time. */
  async function* stepsOf({ from, to }: Window, signal: AbortSignal): AsyncGenerator<{ after: number; upTo: number }> {
    const { after, upTo } = await store.stats.idRange({ from, to })
    for (let start = after; start < upTo; start += STEP) {
      if (signal.aborted) throw new AppError('ERR_SERVICE_UNAVAILABLE')
      yield { after: start, upTo: Math.min(start + STEP, upTo) }
    }
  }

  return {
    usage: async (appId, { fromDate, toDate }, signal) => {
      const time_range = { fromDate: toMs(fromDate), toDate: toMs(toDate) }
      if (time_range.fromDate > time_range.toDate) throw badRequest({ toDate: 'must not be before fromDate' })
      const window = { appId, from: toSeconds(time_range.fromDate), to: toSeconds(time_range.toDate) + 1 }
      const uids = new Set<string>(await store.stats.readers(window))
      for await (const step of stepsOf(window, signal)) {
        for (const uid of await store.stats.senders({ ...window, ...step })) uids.add(uid)
      }
      const minutes = { audio_minutes: 0, video_minutes: 0, recorded_minutes: 0 }
      const { users: concurrent_users } = await store.presence.count({ appId, guids: [] })
      return { metrics: { ...minutes, active_users: uids.size, concurrent_users }, time_range }
    },

    messages: async (appId, signal) => {
      // Whole data points: the last one is that in which we are.
      const to = (Math.floor(toSeconds(clock.now()) / POINT_SECONDS) + 1) * POINT_SECONDS
      const from = to - POINTS * POINT_SECONDS
      const window = { appId, from, to }
      const points: DataPoint[] = Array.from({ length: POINTS }, (_, index) => ({
        ...{ messagesSent: 0, readReceipts: 0, deliveryReceipts: 0 },
        startTime: String((from + index * POINT_SECONDS) * 1000),
        endTime: String((from + (index + 1) * POINT_SECONDS) * 1000),
      }))
      const add = (point: number, what: 'messagesSent' | 'readReceipts' | 'deliveryReceipts', n: number): void => {
        const known = points[point]
        if (known !== undefined) known[what] += n
      }
      for await (const step of stepsOf(window, signal)) {
        const counts = await store.stats.sent({ ...window, ...step, seconds: POINT_SECONDS })
        for (const { point, n } of counts) add(point, 'messagesSent', n)
      }
      for (const { point, kind, n } of await store.stats.receipts({ ...window, seconds: POINT_SECONDS })) {
        add(point, kind === 'read' ? 'readReceipts' : 'deliveryReceipts', n)
      }
      return { startTime: String(from * 1000), endTime: String(to * 1000), dataPoints: points, appId }
    },
  }
}
