import { type ErrorCode, errorCodes } from '@confab/protocol'

/** Field → what is wrong with it. Never holds what a secret field contained. */
export type ErrorDetails = Readonly<Record<string, string>>

/**
 * "This request cannot go on." The only error that reaches a client with its own code; everything else is answered
 * as `ERR_EXCEPTION` and logged in full.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails | undefined

  constructor(code: ErrorCode, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(errorCodes[code].meaning, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details
  }

  get status(): number {
    return errorCodes[this.code].status
  }
}

export const badRequest = (details: ErrorDetails): AppError => new AppError('ERR_BAD_REQUEST', { details })
