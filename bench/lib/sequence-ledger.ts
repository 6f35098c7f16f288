/**
 * What has arrived, by the numbers that the server gives to the deliveries of a lane: 1, 2, 3, … without a gap. Holds a
 * number per lane, not a message, so that a million cost nothing.
 */
import type { Tally } from './ledger.ts'

export class SequenceLedger {
  readonly #last = new Map<number, number>()
  #distinct = 0
  #duplicates = 0
  #outOfOrder = 0
  #lastAtMs = 0

  get distinct(): number {
    return this.#distinct
  }

  get tally(): Tally {
    return {
      distinct: this.#distinct,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      strangers: 0,
      lastAtMs: this.#lastAtMs,
    }
  }

  /** `sequence` may be anything that is no number: then it is out of order. */
  note(lane: number, sequence: number, atMs: number): void {
    const last = this.#last.get(lane) ?? 0
    if (sequence <= last) {
      this.#duplicates++
      return
    }
    if (sequence !== last + 1) this.#outOfOrder++
    this.#distinct++
    this.#lastAtMs = atMs
    if (sequence > last) this.#last.set(lane, sequence)
  }
}
