/**
 * Fetching updates in place of being called.
 *
 * Invariants: of a conversation one update is handled at a time, in order; the next one only when the one before it is
 * handled. What is handled is acknowledged by its id before the next look, whatever came before it and could not be handled;
 * what is not acknowledged comes again, with some look.
 */
import { limits, type Update } from '@confab/protocol'
import type { VerifiedCallback } from './callback.ts'
import { type ConfabClient, ConfabError } from './client.ts'
import type { AnyCallback } from './triggers.ts'

export interface PullOptions {
  readonly client: ConfabClient
  readonly uid: string
  readonly signal: AbortSignal
  /** How many conversations may be handled at the same time. */
  readonly maxConcurrency: number
  readonly handle: (received: VerifiedCallback<AnyCallback>) => Promise<void>
  readonly onError: (error: unknown) => void
}

/** How long the server waits for the first update; below what proxies take for dead. */
const WAIT_SECONDS = 25
/** What an answer may take beyond that. */
const ANSWER_MS = 10_000
/** What is not handled is in every answer, which then comes at once: so new ones are looked for at this pace. */
const LOOK_AGAIN_MS = 1000
const CONSUMED_MS = 2000
const BACKOFF_MIN_MS = 1000
const BACKOFF_MAX_MS = 30_000

/** Less by chance: what failed together is not tried again together. */
const jittered = (ms: number): number => ms * (0.75 + Math.random() * 0.25)

const backoffMs = (failures: number): number =>
  Math.max(BACKOFF_MIN_MS, jittered(Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (failures - 1))))

/** Ends sooner with the signal, or with the other promise. */
const pause = (ms: number, signal: AbortSignal, other?: Promise<unknown>): Promise<void> => {
  if (signal.aborted) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = (): void => resolve()
  const timer = setTimeout(end, ms)
  signal.addEventListener('abort', end)
  other?.then(end, end)
  return promise.finally(() => {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  })
}

// The server's own, of the form that its schema says.
const callbackOf = ({ callback }: Update): AnyCallback => callback as AnyCallback

const receivedOf = (update: Update): VerifiedCallback<AnyCallback> => {
  const { id, attempt, sequence, previousSequence, hop } = update
  return { callback: callbackOf(update), id, attempt, sequence, previousSequence, hop }
}

class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** In the order of their coming. */
  async use(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

class Puller {
  readonly #options: PullOptions
  readonly #slots: Slots
  /** What the latest look brought. */
  #latest: readonly Update[] = []
  #byConversation = new Map<string, readonly Update[]>()
  /** Of the latest look. */
  #handled = new Set<string>()
  /** Handled, and not known to be acknowledged. */
  readonly #owed = new Set<string>()
  readonly #busy = new Map<string, Promise<void>>()
  /** Conversations whose head could not be handled, and when it is to be tried again. */
  readonly #failed = new Map<string, { readonly times: number; readonly untilMs: number }>()

  constructor(options: PullOptions) {
    this.#options = options
    this.#slots = new Slots(options.maxConcurrency)
  }

  async run(): Promise<void> {
    const { signal, onError } = this.#options
    let failures = 0
    while (!signal.aborted) {
      try {
        await this.#look()
        failures = 0
        await this.#work()
      } catch (error) {
        if (signal.aborted) break
        const isConsumed = error instanceof ConfabError && error.code === 'ERR_BOT_ALREADY_CONSUMED'
        if (!isConsumed) onError(error)
        await pause(isConsumed ? jittered(CONSUMED_MS) : backoffMs(++failures), signal)
      }
    }
    await Promise.all(this.#busy.values())
    await this.#acknowledge().catch(onError)
  }

  async #look(): Promise<void> {
    const { client, signal } = this.#options
    await this.#acknowledge()
    const { data } = await client.request<readonly Update[]>('GET', this.#path(), {
      query: { limit: limits.updatesPerCall, timeoutSeconds: WAIT_SECONDS },
      timeoutMs: WAIT_SECONDS * 1000 + ANSWER_MS,
      signal,
    })
    this.#latest = data
    this.#byConversation = Map.groupBy(data, ({ conversationId }) => conversationId)
    this.#handled = new Set(data.map(({ id }) => id).filter((id) => this.#handled.has(id)))
  }

  /** Until all is handled, or it is time to look for more. */
  async #work(): Promise<void> {
    const { signal } = this.#options
    for (const conversation of this.#byConversation.keys()) {
      const { untilMs = 0 } = this.#failed.get(conversation) ?? {}
      if (this.#busy.has(conversation) || untilMs > performance.now()) continue
      const done = this.#handleAll(conversation).finally(() => this.#busy.delete(conversation))
      this.#busy.set(conversation, done)
    }
    await pause(LOOK_AGAIN_MS, signal, Promise.all(this.#busy.values()))
    const isOver = this.#latest.every(({ id }) => this.#handled.has(id))
    if (!isOver && this.#busy.size === 0) await pause(LOOK_AGAIN_MS, signal)
  }

  /** Also what later looks bring, as long as it is at it. */
  async #handleAll(conversation: string): Promise<void> {
    let isWell = true
    while (isWell && this.#next(conversation) !== undefined) {
      await this.#slots.use(async () => {
        const update = this.#next(conversation)
        isWell = update !== undefined && (await this.#handle(conversation, update))
      })
    }
  }

  #next(conversation: string): Update | undefined {
    if (this.#options.signal.aborted) return undefined
    return this.#byConversation.get(conversation)?.find(({ id }) => !this.#handled.has(id))
  }

  async #handle(conversation: string, update: Update): Promise<boolean> {
    try {
      await this.#options.handle(receivedOf(update))
      this.#handled.add(update.id)
      this.#owed.add(update.id)
      this.#failed.delete(conversation)
      return true
    } catch (error) {
      const times = (this.#failed.get(conversation)?.times ?? 0) + 1
      this.#failed.set(conversation, { times, untilMs: performance.now() + backoffMs(times) })
      this.#options.onError(error)
      return false
    }
  }

  async #acknowledge(): Promise<void> {
    while (this.#owed.size > 0) {
      const ids = [...this.#owed].slice(0, limits.updatesPerCall)
      await this.#options.client.request('POST', `${this.#path()}/acknowledge`, {
        body: { ids },
        timeoutMs: ANSWER_MS,
      })
      for (const id of ids) this.#owed.delete(id)
    }
  }

  #path(): string {
    return `/bots/${encodeURIComponent(this.#options.uid)}/updates`
  }
}

/** Until the signal; then ends what it has begun, and acknowledges it. */
export const pullUpdates = (options: PullOptions): Promise<void> => new Puller(options).run()
