/** How an answer that takes long comes to its end: nobody waits for it, the server stops, or who asked may not any more. */
import { AppError } from '../kernel/app-error.ts'

export type End = 'gone' | 'stopping' | AppError

/** Keys and tokens that are taken away end what was begun with them. */
const RECHECK_EVERY_MS = 5000

export class Ending {
  readonly #own = new AbortController()
  readonly signal: AbortSignal

  /** @param stopping its reason is `stopping` */
  constructor(stopping: AbortSignal) {
    this.signal = AbortSignal.any([this.#own.signal, stopping])
  }

  /** Only the first one counts. */
  end(why: End): void {
    this.#own.abort(why)
  }

  get why(): End | undefined {
    return this.signal.aborted ? (this.signal.reason as End) : undefined
  }

  /** @param mayStill rejects with an `AppError` if not; what else goes wrong is seen the next time */
  recheck(mayStill: () => Promise<void>): void {
    const timer = setInterval(() => {
      mayStill().catch((error: unknown) => {
        if (error instanceof AppError) this.end(error)
      })
    }, RECHECK_EVERY_MS)
    timer.unref()
    this.signal.addEventListener('abort', () => clearInterval(timer))
  }
}
