/**
 * Notices when the clock is set back: what was planned by the old time would come as much later. Compares it with time
 * that only passes. Setting it ahead needs nobody: what is planned then comes sooner.
 */
import type { Clock } from '../kernel/clock.ts'

/** Clocks are corrected all the time, by less than anybody notices. */
const NOTICED_MS = 5000

export class ClockWatch implements Clock {
  readonly #clock: Clock
  /** Monotonic milliseconds. */
  readonly #passed: () => number
  #lastMs: number
  #lastPassedMs: number
  #setBackMs = 0

  constructor(clock: Clock, passed: () => number = () => performance.now()) {
    this.#clock = clock
    this.#passed = passed
    this.#lastMs = clock.now()
    this.#lastPassedMs = passed()
  }

  /** Unix milliseconds. Whatever is planned is planned by this: no step goes unnoticed between two plans. */
  now(): number {
    const nowMs = this.#clock.now()
    const passedMs = this.#passed()
    const backMs = passedMs - this.#lastPassedMs - (nowMs - this.#lastMs)
    this.#lastMs = nowMs
    this.#lastPassedMs = passedMs
    if (backMs > NOTICED_MS) this.#setBackMs += Math.round(backMs)
    return nowMs
  }

  /** By how many milliseconds it was set back since this was asked last; 0 if it was not. */
  takeSetBackMs(): number {
    this.now()
    const ms = this.#setBackMs
    this.#setBackMs = 0
    return ms
  }
}
