/** When to look for work next: the soonest wish counts, one look at a time, and never later than the longest wait. */
export interface LookOptions {
  /** Answers in how many milliseconds to look again. What it rejects with is its own to tell: it is done again. */
  readonly look: () => Promise<number>
  readonly longestMs: number
  /** Holds on to looks that are under way. */
  readonly track: (look: Promise<void>) => void
}

export class Look {
  readonly #options: LookOptions
  #stopped = false
  #looking = false
  #again = false
  #atMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: LookOptions) {
    this.#options = options
  }

  within(ms: number): void {
    if (this.#stopped) return
    const atMs = performance.now() + Math.max(0, Math.min(ms, this.#options.longestMs))
    if (this.#timer !== undefined && this.#atMs <= atMs) return
    clearTimeout(this.#timer)
    this.#atMs = atMs
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#options.track(this.#run())
      },
      Math.max(0, atMs - performance.now()),
    )
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    if (this.#stopped) return
    if (this.#looking) {
      // The look under way may have been over before the wish arose: it is done once more.
      this.#again = true
      return
    }
    this.#looking = true
    this.#again = false
    let waitMs = this.#options.longestMs
    try {
      waitMs = await this.#options.look()
    } finally {
      this.#looking = false
      this.within(this.#again ? 0 : waitMs)
    }
  }
}
