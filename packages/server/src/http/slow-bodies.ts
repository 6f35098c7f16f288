/**
 * Ends connections whose requests do not come to their end in time. Lines and uploads may take as long as they like, as
 * long as they come. Looked at from time to time, so that a request costs no timer of its own.
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { isForm } from './form.ts'

interface Awaited {
  sinceMs: number
  bytes: number
  readonly isLong: boolean
}

/** @param options `withinMs`: a request is given this long, and up to a quarter more */
export const cutSlowBodies = (app: FastifyInstance, { withinMs }: { withinMs: number }): void => {
  const awaited = new Map<IncomingMessage, Awaited>()

  const look = (request: IncomingMessage, state: Awaited): void => {
    const nowMs = performance.now()
    const { bytesRead } = request.socket
    if (request.complete || request.destroyed) awaited.delete(request)
    else if (state.isLong && bytesRead > state.bytes) Object.assign(state, { sinceMs: nowMs, bytes: bytesRead })
    else if (nowMs - state.sinceMs >= withinMs) {
      awaited.delete(request)
      request.socket.destroy()
    }
  }

  app.addHook('onRequest', (request, _reply, done) => {
    const { raw } = request
    const { takesForm, takesLines } = request.routeOptions.config
    const isLong = takesLines === true || (takesForm === true && isForm(request.headers['content-type']))
    // Most bodies are short: how much has come matters for the others, and is dear to ask.
    if (!raw.complete)
      awaited.set(raw, { sinceMs: performance.now(), bytes: isLong ? raw.socket.bytesRead : 0, isLong })
    done()
  })
  // What was answered before it came to its end is still awaited.
  app.addHook('onResponse', ({ raw }, _reply, done) => {
    if (raw.complete) awaited.delete(raw)
    done()
  })
  const looking = setInterval(() => {
    for (const [request, state] of awaited) look(request, state)
  }, withinMs / 4)
  looking.unref()
  app.addHook('onClose', async () => clearInterval(looking))
}
