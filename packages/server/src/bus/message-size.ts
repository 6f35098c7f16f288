import type { Logger } from '../kernel/logger.ts'
import { MAX_MESSAGE_BYTES } from './bus.ts'

export const textOf = (message: string | (() => string)): string => (typeof message === 'string' ? message : message())

/** The same for all drivers, so that what works on one node works on many. Logs what it refuses. */
export const fits = (subject: string, message: string, log: Logger): boolean => {
  // A UTF-16 unit is at most three bytes of UTF-8: most messages need no counting.
  if (message.length * 3 <= MAX_MESSAGE_BYTES) return true
  const bytes = Buffer.byteLength(message)
  if (bytes <= MAX_MESSAGE_BYTES) return true
  log.error({ subject, bytes, limit: MAX_MESSAGE_BYTES }, 'bus.message_too_large')
  return false
}
