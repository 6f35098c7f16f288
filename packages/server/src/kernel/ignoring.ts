import type { Logger } from './logger.ts'

/** The one way to let a promise fail without consequence: it says why that is right, and logs that it happened. */
export const ignoring = (promise: Promise<unknown>, why: string, log: Logger): void => {
  promise.catch((error: unknown) => log.warn({ err: error, why }, 'ignored.failure'))
}
