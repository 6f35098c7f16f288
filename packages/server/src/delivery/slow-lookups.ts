/**
 * How many names are looked up at once. A lookup holds one of a few threads that the whole process shares, and cannot be
 * called off; of a name whose name servers do not answer it takes as long as the system waits for them. Such names are
 * remembered, and have few of the threads among them: however many there are, others find one.
 */
import type { Resolve, ResolveCallback } from './connector.ts'

/** `bin/confab.js` asks for 24 threads (each takes memory), of which the system's lookups get half. */
const AT_ONCE = 11
const SLOW_AT_ONCE = 4
/** An answer takes milliseconds; a name server that does not answer, seconds. */
const SLOW_MS = 1000
const REMEMBERED_MAX = 10_000

interface Waiting {
  readonly hostname: string
  readonly callback: ResolveCallback
}

export interface LookupLimits {
  readonly atOnce: number
  /** Of these, for names that were slow the last time. */
  readonly slowAtOnce: number
}

export const limitLookups = (
  resolve: Resolve,
  { atOnce, slowAtOnce }: LookupLimits = { atOnce: AT_ONCE, slowAtOnce: SLOW_AT_ONCE },
  now: () => number = () => performance.now(),
): Resolve => {
  const slow = new Set<string>()
  const waiting: Waiting[] = []
  const slowWaiting: Waiting[] = []
  let underWay = 0
  let slowUnderWay = 0

  const note = (hostname: string, tookMs: number): void => {
    slow.delete(hostname)
    if (tookMs < SLOW_MS) return
    if (slow.size >= REMEMBERED_MAX) slow.clear()
    slow.add(hostname)
  }
  const start = ({ hostname, callback }: Waiting, isSlow: boolean): void => {
    const startedAt = now()
    underWay++
    if (isSlow) slowUnderWay++
    resolve(hostname, (error, addresses) => {
      underWay--
      if (isSlow) slowUnderWay--
      note(hostname, now() - startedAt)
      callback(error, addresses)
      startMore()
    })
  }
  const startMore = (): void => {
    while (underWay < atOnce) {
      const next = waiting.shift()
      const nextSlow = next === undefined && slowUnderWay < slowAtOnce ? slowWaiting.shift() : undefined
      const one = next ?? nextSlow
      if (one === undefined) return
      start(one, one === nextSlow)
    }
  }
  return (hostname, callback) => {
    const queue = slow.has(hostname) ? slowWaiting : waiting
    queue.push({ hostname, callback })
    startMore()
  }
}
