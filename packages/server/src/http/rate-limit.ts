/**
 * How many requests a minute: of an app, and of an auth token. Counted in memory by each node for itself, in minutes of the
 * clock, so what is kept is bounded and forgotten every minute. Decided before the body is read.
 */
import type { Caller } from '../apps/authenticate.ts'
import type { Clock } from '../kernel/clock.ts'

/** Requests a minute; 0 is any number. */
export interface RateLimits {
  readonly rateLimitApp: number
  readonly rateLimitAppCore: number
  readonly rateLimitToken: number
}

/** What is left of the limit that is nearest. */
export interface Allowance {
  readonly isSpent: boolean
  readonly limit: number
  readonly remaining: number
  /** Unix seconds: when the next minute begins. */
  readonly resetAt: number
  /** Seconds until then. */
  readonly after: number
}

const MINUTE_MS = 60_000
/** Tokens that are counted at once; beyond that the count that was begun first is begun anew. */
const COUNTED_MAX = 100_000

class Window {
  readonly #limit: number
  readonly #counts = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many are left; of a limit that is none, nothing is counted. */
  left(key: string): number | undefined {
    return this.#limit === 0 ? undefined : this.#limit - (this.#counts.get(key) ?? 0)
  }

  count(key: string): void {
    if (this.#limit === 0) return
    const counted = this.#counts.get(key)
    if (counted === undefined && this.#counts.size >= COUNTED_MAX) {
      for (const first of this.#counts.keys()) {
        this.#counts.delete(first)
        break
      }
    }
    this.#counts.set(key, (counted ?? 0) + 1)
  }

  clear(): void {
    this.#counts.clear()
  }

  get limit(): number {
    return this.#limit
  }
}

export type TakeAllowance = (caller: Caller, route: { readonly isCore: boolean }) => Allowance | undefined

/** Nothing where nothing is limited. What is refused is not counted. */
export const makeTakeAllowance = (limits: RateLimits, clock: Clock): TakeAllowance => {
  const apps = new Window(limits.rateLimitApp)
  const core = new Window(limits.rateLimitAppCore)
  const tokens = new Window(limits.rateLimitToken)
  let minute = 0
  return (caller, route) => {
    const ofApp = route.isCore ? core : apps
    if (ofApp.limit === 0 && (caller.kind === 'key' || tokens.limit === 0)) return undefined
    const nowMs = clock.now()
    const current = Math.floor(nowMs / MINUTE_MS)
    if (current !== minute) {
      minute = current
      for (const window of [apps, core, tokens]) window.clear()
    }
    const counted: (readonly [Window, string])[] = [[ofApp, caller.app.id]]
    if (caller.kind === 'user') counted.push([tokens, caller.authToken])
    const nearest = counted
      .map(([window, key]) => ({ limit: window.limit, left: window.left(key) ?? Number.POSITIVE_INFINITY }))
      .reduce((one, other) => (other.left < one.left ? other : one))
    const isSpent = nearest.left <= 0
    if (!isSpent) for (const [window, key] of counted) window.count(key)
    const resetMs = (current + 1) * MINUTE_MS
    return {
      isSpent,
      limit: nearest.limit,
      remaining: isSpent ? 0 : nearest.left - 1,
      resetAt: resetMs / 1000,
      after: Math.max(1, Math.ceil((resetMs - nowMs) / 1000)),
    }
  }
}
