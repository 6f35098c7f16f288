/** When a failed delivery is tried again. Pure; the schedule is data, so that a bot or a test can have another one. */

export interface RetrySchedule {
  /** The delay after attempt 1, 2, …; the last one repeats. Milliseconds. */
  readonly delaysMs: readonly number[]
  /** No attempt is planned later than this after the first one: then the delivery is dead. */
  readonly maxAgeMs: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

export const defaultSchedule: RetrySchedule = {
  delaysMs: [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR],
  maxAgeMs: 72 * HOUR,
}

/** A receiver may ask for patience, but not park its lane for days. */
export const MAX_RETRY_AFTER_MS = HOUR

/** ± this share, so that what failed together is not tried again together. */
export const JITTER = 0.2

export const jittered = (ms: number, random: () => number): number =>
  Math.round(ms * (1 - JITTER + 2 * JITTER * random()))

/** After what was our fault: soon, and not all at once. */
export const OUR_FAULT_DELAY_MS = 10 * SECOND

export interface RetryQuestion {
  /** The number of the attempt that has just failed, from 1. */
  readonly attempt: number
  /** What the receiver asked for, if it did. */
  readonly retryAfterMs?: number | undefined
  /** In [0, 1). */
  readonly random: () => number
  /**
   * How long ago the first attempt was. Left out, the plan's own times count, so that waiting which was not the
   * receiver's fault (an open breaker, a stopped server) does not bring the end nearer.
   */
  readonly ageMs?: number | undefined
  readonly schedule?: RetrySchedule
}

/** When attempt `n` is due by the plan, counted from the first: closed form, as `n` may be large. */
const plannedAgeMs = (delaysMs: readonly number[], attempt: number): number => {
  const listed = delaysMs.slice(0, attempt - 1).reduce((sum, delay) => sum + delay, 0)
  return listed + Math.max(0, attempt - 1 - delaysMs.length) * (delaysMs.at(-1) ?? 0)
}

/** How long to wait after attempt `n`; `undefined` when there is to be no further one. */
export const retryDelayMs = (question: RetryQuestion): number | undefined => {
  const { attempt, random, schedule = defaultSchedule } = question
  const { delaysMs, maxAgeMs } = schedule
  const delay = delaysMs[attempt - 1] ?? delaysMs.at(-1)
  if (delay === undefined) return undefined
  if ((question.ageMs ?? plannedAgeMs(delaysMs, attempt)) + delay > maxAgeMs) return undefined
  return Math.max(jittered(delay, random), Math.min(question.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS))
}
