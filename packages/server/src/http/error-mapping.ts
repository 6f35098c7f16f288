/** The one place where errors become answers. */
import { type ErrorAnswer, type ErrorCode, errorCodes } from '@confab/protocol'
import { tooLarge } from '../files/receive.ts'
import { AppError } from '../kernel/app-error.ts'

/** What the HTTP layer itself objects to, as our codes. */
const ofFramework: Readonly<Record<string, { code: ErrorCode; details?: Record<string, string> }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'ERR_UNSUPPORTED_MEDIA_TYPE' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'ERR_BAD_REQUEST',
    details: { body: 'is not as long as content-length says' },
  },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'ERR_BAD_REQUEST', details: { body: 'must be valid JSON' } },
  FST_ERR_BAD_URL: { code: 'ERR_BAD_REQUEST', details: { path: 'must be a valid URL path' } },
  FST_ERR_ASYNC_CONSTRAINT: { code: 'ERR_API_NOT_FOUND' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'ERR_API_NOT_FOUND' },
}

/**
 * The error that the client is told: its own, or that something went wrong.
 *
 * @param bodyBytes how large a body may be
 */
export const toAppError = (error: unknown, bodyBytes: number): AppError => {
  if (error instanceof AppError) return error
  if (error instanceof SyntaxError) return new AppError('ERR_BAD_REQUEST', { details: { body: 'must be valid JSON' } })
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge('body', bodyBytes)
  const known = ofFramework[code]
  if (known !== undefined)
    return new AppError(known.code, { cause: error, ...(known.details && { details: known.details }) })
  return new AppError('ERR_EXCEPTION', { cause: error })
}

export const errorAnswer = (error: AppError, requestId: string): ErrorAnswer => {
  const { meaning, fix } = errorCodes[error.code]
  return {
    error: {
      code: error.code,
      message: meaning,
      devMessage: fix,
      ...(error.details !== undefined && { details: error.details }),
      requestId,
    },
  }
}
