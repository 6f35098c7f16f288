import { encodeTime } from 'ulid'
import type { IdRange } from '../storage/sql/delivery/delivery-walk.ts'

/** An id is made a moment before its delivery, by the clock of its node, and never before the one that was made last. */
const SLACK_MS = 60_000

/** Less than every id that was made then or later. */
export const prefixAt = (ms: number): string => `dlv_${encodeTime(Math.max(0, ms))}`

/** The ids of what was made between two times are within these bounds, and few others. */
export const idsBetween = (sinceMs: number | undefined, untilMs: number | undefined): IdRange => ({
  ...(sinceMs !== undefined && { after: prefixAt(sinceMs - SLACK_MS) }),
  ...(untilMs !== undefined && { before: prefixAt(untilMs + SLACK_MS) }),
})
