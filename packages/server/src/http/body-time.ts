/** How long a body may take: an hour for an upload (`requestTimeout` of the server), a minute for anything else. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { isForm } from './form.ts'

const BODY_WITHIN_MS = 60_000
/** For whoever was answered before all was said, so that they can read the answer. */
const LINGER_MS = 10_000

const endWithin = (raw: IncomingMessage, ms: number): void => {
  // A connection that has gone on to its next request is left alone.
  const late = setTimeout(() => {
    if (!raw.complete) raw.destroy()
  }, ms)
  raw.once('close', () => clearTimeout(late))
  raw.once('end', () => clearTimeout(late))
}

export const limitBodyTime = (
  app: FastifyInstance,
  { bodyWithinMs = BODY_WITHIN_MS, lingerMs = LINGER_MS }: { bodyWithinMs?: number; lingerMs?: number } = {},
): void => {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    // Most bodies are there with their head.
    const isUpload = request.routeOptions.config.takesForm && isForm(request.headers['content-type'])
    if (!request.raw.complete && !isUpload) endWithin(request.raw, bodyWithinMs)
    done(null, payload)
  })
  app.addHook('onResponse', (request, _reply, done) => {
    if (!request.raw.complete) endWithin(request.raw, lingerMs)
    done()
  })
}
