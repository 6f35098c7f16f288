/**
 * What is left of the body of a request that is refused. Node.js does not wait for it when it closes a connection: its
 * sender, still at it, meets the closed connection in place of the answer. So of a connection that will be closed the
 * rest is read first, where it is not much. A connection that stays is answered at once; Node.js reads the rest.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'

/** So much of a body that is refused is read all the same. */
const MOST_BYTES = 8 * 1024 * 1024
/** Who sends slower is answered before the end. */
const WITHIN_MS = 5_000

const announcedBytes = ({ headers }: FastifyRequest): number | undefined =>
  headers['content-length'] === undefined ? undefined : Number(headers['content-length'])

/** Fastify closes the connection on everybody whose body is too large; who has said that it is not much longer may stay. */
export const keepOpen = (request: FastifyRequest, reply: FastifyReply): void => {
  const mayStay = reply.raw.shouldKeepAlive && (announcedBytes(request) ?? Number.POSITIVE_INFINITY) <= MOST_BYTES
  if (mayStay) reply.removeHeader('connection')
}

/** Calls `answer` once, now or when the rest of the body has come. */
export const letBy = (request: FastifyRequest, reply: FastifyReply, answer: () => void): void => {
  const { raw } = request
  const stays = reply.raw.shouldKeepAlive && reply.getHeader('connection') !== 'close'
  if (stays || raw.complete || raw.destroyed || (announcedBytes(request) ?? 0) > MOST_BYTES) {
    answer()
    return
  }
  let bytes = 0
  const end = (): void => {
    clearTimeout(timer)
    raw.off('data', onData).off('end', end).off('close', end)
    answer()
  }
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > MOST_BYTES) end()
  }
  const timer = setTimeout(end, WITHIN_MS)
  raw.on('data', onData).once('end', end).once('close', end).resume()
}
