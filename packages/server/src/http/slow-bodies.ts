/**
 * Ends connections whose requests do not come to their end in time. Lines and uploads may take as long as they like, as
 * long as they come. Looked at from time to time, so that a request costs no timer of its own.
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Slots } from '../kernel/young-map.ts'
import { isForm } from './form.ts'

interface Awaited {
  readonly request: IncomingMessage
  readonly isLong: boolean
  sinceMs: number
  bytes: number
  /** -1 when it is not awaited any more. */
  slot: number
}

declare module 'fastify' {
  interface FastifyRequest {
    awaited: Awaited | null
  }
}

/** @param options `withinMs`: a request is given this long, and up to a quarter more */
export const cutSlowBodies = (app: FastifyInstance, { withinMs }: { withinMs: number }): void => {
  const all = new Slots<Awaited>()

  const forget = (awaited: Awaited): void => {
    all.take(awaited.slot)
    awaited.slot = -1
  }

  const look = (awaited: Awaited): void => {
    const { request } = awaited
    const nowMs = performance.now()
    const { bytesRead } = request.socket
    if (request.complete || request.destroyed) forget(awaited)
    else if (awaited.isLong && bytesRead > awaited.bytes) Object.assign(awaited, { sinceMs: nowMs, bytes: bytesRead })
    else if (nowMs - awaited.sinceMs >= withinMs) {
      forget(awaited)
      request.socket.destroy()
    }
  }

  app.decorateRequest('awaited', null)
  app.addHook('onRequest', (request, _reply, done) => {
    const { raw } = request
    if (!raw.complete) {
      const { takesForm, takesLines } = request.routeOptions.config
      const isLong = takesLines === true || (takesForm === true && isForm(request.headers['content-type']))
      // Most bodies are short: how much has come matters for the others, and is dear to ask.
      const bytes = isLong ? raw.socket.bytesRead : 0
      const awaited: Awaited = { request: raw, isLong, sinceMs: performance.now(), bytes, slot: -1 }
      awaited.slot = all.add(awaited)
      request.awaited = awaited
    }
    done()
  })
  // What was answered before it came to its end is still awaited.
  app.addHook('onResponse', ({ awaited, raw }, _reply, done) => {
    if (awaited !== null && raw.complete) forget(awaited)
    done()
  })
  const looking = setInterval(() => {
    for (const awaited of all) look(awaited)
  }, withinMs / 4)
  looking.unref()
  app.addHook('onClose', async () => clearInterval(looking))
}
