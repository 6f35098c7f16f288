/**
 * WebSockets on the port of the API. Those of the gateway are its own; every other request for one goes the way of all
 * requests (who calls, may they, is the input right), so that what is refused is refused in the same words, and what has
 * no socket to give answers as it always does.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type WebSocket, WebSocketServer } from 'ws'
import { badRequest } from '../kernel/app-error.ts'

/** Who takes sockets before the routes do. */
export interface TakesSockets {
  takes(request: IncomingMessage): boolean
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/**
 * For Node: some clients offer another protocol with every request (`Upgrade: h2c`), and want it answered when we decline.
 */
export const shouldUpgradeCallback = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket'

interface Upgrade {
  readonly socket: Socket
  readonly head: Buffer
  readonly response: ServerResponse
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/** What a client may say at once: a thousand ids, and some more. */
const FRAME_BYTES_MAX = 128 * 1024
const sockets = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload: FRAME_BYTES_MAX,
  perMessageDeflate: false,
})

const route = (app: FastifyInstance, request: IncomingMessage, socket: Socket, head: Buffer): void => {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.once('finish', () => socket.end())
  upgrades.set(request, { socket, head, response })
  response.assignSocket(socket)
  app.routing(request, response)
}

export const serveUpgrades = (app: FastifyInstance, first: TakesSockets | undefined): void => {
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // What breaks a socket closes it, too.
    socket.on('error', () => socket.destroy())
    if (first?.takes(request)) first.take(request, socket, head)
    // A body would not be read: nobody asks for a socket like that.
    else if (request.method !== 'GET') socket.end('HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\n\r\n')
    else route(app, request, socket as Socket, head)
  })
}

/** Whether a WebSocket is asked for. */
export const isUpgrade = (request: IncomingMessage): boolean => upgrades.has(request)

/** @throws {AppError} if what is asked for is none */
export const assertHandshake = ({ headers }: IncomingMessage): void => {
  const isKey = /^[A-Za-z0-9+/]{22}==$/.test(headers['sec-websocket-key'] ?? '')
  if (!isKey) throw badRequest({ 'sec-websocket-key': 'must be 16 bytes in base64' })
  if (headers['sec-websocket-version'] !== '13') throw badRequest({ 'sec-websocket-version': 'must be 13' })
}

/** Undefined: nobody is there any more. */
export const acceptSocket = (request: IncomingMessage): Promise<WebSocket | undefined> => {
  const upgrade = upgrades.get(request)
  if (upgrade === undefined) throw new Error('no WebSocket was asked for')
  const { socket, head, response } = upgrade
  const { promise, resolve } = Promise.withResolvers<WebSocket | undefined>()
  response.detachSocket(socket)
  if (socket.destroyed) return Promise.resolve(undefined)
  socket.once('close', () => resolve(undefined))
  sockets.handleUpgrade(request, socket, head, resolve)
  return promise
}
