/** How much is under way, for whoever has to wait until nothing is. Counts, and holds on to none of it (see `young-map.ts`). */
export class UnderWay {
  #count = 0
  #waiting: (() => void)[] = []

  /** Counts until the work is settled, either way. Whoever begins it sees to its errors. */
  add(work: Promise<unknown>): void {
    this.#count++
    work.then(this.#done, this.#done)
  }

  /** Also what begins meanwhile. */
  async nothing(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  readonly #done = (): void => {
    if (--this.#count > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
