/**
 * Lets connections end when the server closes. Node closes those that are idle at that moment; without this, the rest
 * would stay until their keep-alive runs out, and the stop with them.
 */
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../kernel/app-error.ts'

/** How soon after its last answer a connection is closed. */
const LOOK_EVERY_MS = 20

export const drainOnClose = (app: FastifyInstance): void => {
  const sockets = new Set<Socket>()
  const asked = new WeakSet<Socket>()
  let isClosing = false
  const isTls = app.server instanceof TlsServer
  // With TLS the bytes of the handshake count, so it is the first request that does. Sockets of sessions are closed by the
  // gateway, which says why.
  if (isTls) for (const event of ['request', 'upgrade']) app.server.on(event, ({ socket }) => asked.add(socket))
  app.server.on(isTls ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  app.addHook('preClose', async () => {
    isClosing = true
    // Opened ahead of a request that has not begun: Node counts these as busy. Some come even now: whoever has been
    // accepted, and whose handshake ends after this.
    const hasBegun = (socket: Socket): boolean => (isTls ? asked.has(socket) : socket.bytesRead > 0)
    const look = (): void => {
      for (const socket of sockets) if (!hasBegun(socket)) socket.destroy()
      app.server.closeIdleConnections()
    }
    look()
    const looking = setInterval(look, LOOK_EVERY_MS)
    app.server.once('close', () => clearInterval(looking))
  })
  // Fastify adds `connection: close` to the answer.
  app.addHook('onRequest', (_request, _reply, done) => {
    done(isClosing ? new AppError('ERR_SERVICE_UNAVAILABLE') : undefined)
  })
}
