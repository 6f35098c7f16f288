/**
 * What arrives and is no request that Node.js can read: no route and no hook ever sees it, so it is refused here, in the
 * envelope of all errors.
 */
import type { Socket } from 'node:net'
import { type AppError, badRequest } from '../kernel/app-error.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import { errorAnswer } from './error-mapping.ts'

/** Of the first line and all headers together. A query may name a hundred tags of 255 characters. */
export const MAX_HEADER_BYTES = 64 * 1024
/** Who is still sending reads the answer before the connection is cut. */
const READS_WITHIN_MS = 1_000

const failureOf = (code: string | undefined): AppError => {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return badRequest({ headers: `must not be larger than ${MAX_HEADER_BYTES} bytes, with the path and the query` })
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return badRequest({ headers: 'did not come to their end in time' })
  return badRequest({ request: 'must be HTTP/1.1' })
}

export const refuseUnreadable =
  ({ ids, log }: { ids: Pick<Ids, 'request'>; log: Logger }) =>
  (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const failure = failureOf(error.code)
    const requestId = ids.request()
    log.info({ requestId, status: failure.status, code: failure.code, reason: error.code }, 'http.unreadable')
    const body = JSON.stringify(errorAnswer(failure, requestId))
    socket.end(
      `HTTP/1.1 ${failure.status} Bad Request\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    const cut = setTimeout(() => socket.destroy(), READS_WITHIN_MS)
    socket.once('close', () => clearTimeout(cut))
  }
