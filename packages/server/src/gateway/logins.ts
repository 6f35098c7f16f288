/**
 * When a socket may be opened. On a page that is loaded again, the client SDKs send `PUT /me` and open the socket at the same
 * time, and never authenticate on a socket that opens before the answer. So the socket waits for it: nothing in the
 * handshake says who comes, but the address does well enough.
 *
 * A socket that is opened too early all the same is closed when it does not authenticate, and the client comes back.
 */
import type { Clock } from '../kernel/clock.ts'

/** How long after the handshake a `PUT /me` (or the preflight before it) may begin. */
const BEGINS_WITHIN_MS = 250
/** No socket waits longer. */
const ANSWERED_WITHIN_MS = 5000
/** Whoever has been answered so recently has just logged in, and opens the socket because of it. */
const FRESH_MS = 1500
/** What the answer may take on its way, and the page to read it: no socket opens sooner after it. */
const ON_ITS_WAY_MS = 200
/** How long a `PUT /me` may take to come after its preflight. */
const ANNOUNCED_MS = 2000
/** Kept of one address. */
const MAX_ANSWERS = 1000
const MAX_ADDRESSES = 100_000

interface Visitor {
  under: number
  /** When answers were given that no socket has waited for: each is good for one that opens at once. */
  answers: number[]
  announcedUntilMs: number
  waiting: Set<() => void>
}

export class Logins {
  readonly #visitors = new Map<string, Visitor>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A preflight has come: the `PUT /me` comes after its answer. */
  announced(address: string): void {
    this.#visitor(address).announcedUntilMs = this.#clock.now() + ANNOUNCED_MS
  }

  /** A `PUT /me` has come. */
  begun(address: string): void {
    const visitor = this.#visitor(address)
    visitor.under += 1
    visitor.announcedUntilMs = Number.NEGATIVE_INFINITY
  }

  answered(address: string): void {
    const visitor = this.#visitor(address)
    visitor.under = Math.max(0, visitor.under - 1)
    if (visitor.waiting.size === 0) this.#keep(visitor)
    else if (visitor.under === 0) for (const go of [...visitor.waiting]) go()
  }

  /** Resolves when a socket from there may be opened. */
  mayOpen(address: string): Promise<void> {
    const visitor = this.#visitor(address)
    const answeredAtMs = visitor.under === 0 ? this.#takeAnswer(visitor) : undefined
    if (answeredAtMs !== undefined) {
      const left = answeredAtMs + ON_ITS_WAY_MS - this.#clock.now()
      return left <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, left))
    }
    return new Promise((resolve) => {
      const timers: NodeJS.Timeout[] = []
      const open = (): void => {
        for (const timer of timers) clearTimeout(timer)
        visitor.waiting.delete(go)
        resolve()
      }
      const go = (): void => {
        visitor.waiting.delete(go)
        timers.push(setTimeout(open, ON_ITS_WAY_MS))
      }
      const openUnlessExpected = (): void => {
        const left = visitor.announcedUntilMs - this.#clock.now()
        if (visitor.under > 0 || !visitor.waiting.has(go)) return
        if (left <= 0) open()
        else timers.push(setTimeout(openUnlessExpected, left))
      }
      visitor.waiting.add(go)
      timers.push(setTimeout(openUnlessExpected, BEGINS_WITHIN_MS), setTimeout(open, ANSWERED_WITHIN_MS))
    })
  }

  #keep(visitor: Visitor): void {
    visitor.answers.push(this.#clock.now())
    if (visitor.answers.length > MAX_ANSWERS) visitor.answers.shift()
  }

  /**
   * Only one socket per answer: whoever comes next from the same address may be somebody else behind it, or the same page
   * that is loaded again, and has yet to be answered.
   */
  #takeAnswer(visitor: Visitor): number | undefined {
    const since = this.#clock.now() - FRESH_MS
    visitor.answers = visitor.answers.filter((atMs) => atMs > since)
    return visitor.answers.shift()
  }

  #visitor(address: string): Visitor {
    const known = this.#visitors.get(address)
    if (known !== undefined) return known
    if (this.#visitors.size >= MAX_ADDRESSES) this.#forget()
    const never = Number.NEGATIVE_INFINITY
    const visitor = { under: 0, answers: [], announcedUntilMs: never, waiting: new Set<() => void>() }
    this.#visitors.set(address, visitor)
    return visitor
  }

  #forget(): void {
    for (const [address, { under, waiting }] of this.#visitors) {
      if (under === 0 && waiting.size === 0) this.#visitors.delete(address)
    }
  }
}
