/** Those who wait for something to happen, by what it is to happen to. */
export class Waiting {
  readonly #waiting = new Map<string, Set<() => void>>()

  /** Until it is woken, or the time is over, or the signal ends it. */
  wait(key: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    const others = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, others.add(resolve))
    const end = (): void => resolve()
    signal.addEventListener('abort', end)
    return promise.finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      others.delete(resolve)
      if (others.size === 0 && this.#waiting.get(key) === others) this.#waiting.delete(key)
    })
  }

  wake(key: string): void {
    for (const resolve of this.#waiting.get(key) ?? []) resolve()
  }
}
