/** Time comes from here alone, so that tests and fault runs can hold it. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** What the contract's objects carry. */
export const toSeconds = (ms: number): number => Math.floor(ms / 1000)
