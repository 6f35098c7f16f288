/**
 * What has arrived, message by message. A message is known by its muid, `<tag>-<conversation>-<index>`, all of fixed
 * width; the indices of a conversation count from 0 in the order in which they were sent.
 */
export const TAG_LENGTH = 4
const CONVERSATION_DIGITS = 4
const INDEX_DIGITS = 7
export const MUID_LENGTH = TAG_LENGTH + CONVERSATION_DIGITS + INDEX_DIGITS + 2

export const muidOf = (tag: string, conversation: number, index: number): string =>
  `${tag}-${String(conversation).padStart(CONVERSATION_DIGITS, '0')}-${String(index).padStart(INDEX_DIGITS, '0')}`

export const conversationOf = (muid: string): number =>
  Number(muid.slice(TAG_LENGTH + 1, TAG_LENGTH + 1 + CONVERSATION_DIGITS))

export interface Tally {
  /** Messages that arrived at least once. */
  readonly distinct: number
  readonly duplicates: number
  /** First arrivals that were not the next one of their conversation. */
  readonly outOfOrder: number
  /** Of earlier rounds, or of nobody. */
  readonly strangers: number
  readonly lastAtMs: number
}

export class Ledger {
  readonly #tag: string
  readonly #arrivals = new Map<string, number>()
  readonly #again = new Map<string, number>()
  readonly #next = new Map<number, number>()
  #duplicates = 0
  #outOfOrder = 0
  #strangers = 0
  #lastAtMs = 0

  constructor(tag: string) {
    this.#tag = tag
  }

  get distinct(): number {
    return this.#arrivals.size
  }

  get tally(): Tally {
    return {
      distinct: this.#arrivals.size,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      strangers: this.#strangers,
      lastAtMs: this.#lastAtMs,
    }
  }

  get arrivals(): readonly (readonly [muid: string, atMs: number])[] {
    return [...this.#arrivals]
  }

  /** When what came more than once came for the second time. */
  get again(): readonly (readonly [muid: string, atMs: number])[] {
    return [...this.#again]
  }

  note(muid: string, atMs: number): void {
    if (!muid.startsWith(this.#tag)) {
      this.#strangers++
      return
    }
    if (this.#arrivals.has(muid)) {
      this.#duplicates++
      if (!this.#again.has(muid)) this.#again.set(muid, atMs)
      return
    }
    this.#arrivals.set(muid, atMs)
    this.#lastAtMs = atMs
    const conversation = conversationOf(muid)
    const index = Number(muid.slice(-INDEX_DIGITS))
    if (index !== (this.#next.get(conversation) ?? 0)) this.#outOfOrder++
    this.#next.set(conversation, index + 1)
  }
}
