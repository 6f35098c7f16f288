/** Events over a WebSocket, for as long as somebody reads them; what is said is heard one after the other. */
import type { RawData, WebSocket } from 'ws'
import type { AppError } from '../kernel/app-error.ts'
import type { Ending } from './ending.ts'
import type { EventStream } from './route.ts'

/** Keeps connections from being taken for dead, by proxies and by us. */
const HEARTBEAT_MS = 15_000
/** A reader that does not answer for so long is gone, or does not read. */
const DEAD_AFTER_MS = 3 * HEARTBEAT_MS
/** How long a reader may take to say that it has heard the end. */
const CLOSE_WITHIN_MS = 1000
/** Frames that may wait for those before them. */
const WAITING_MAX = 100

/** Close codes of RFC 6455, and why we use them. */
const closing = {
  stopping: [1001, 'the server stops'],
  refused: [1008, 'see the frame before this'],
  failed: [1011, 'cannot go on at the moment'],
} as const

export interface SocketDeps {
  readonly ending: Ending
  /** In the form that answers have. */
  readonly errorOf: (error: unknown) => { readonly failure: AppError; readonly json: string }
}

const send = (socket: WebSocket, text: string): Promise<void> =>
  // Called with an error, too, if it closes before.
  new Promise((resolve) => socket.send(text, () => resolve()))

/** One after the other, in order; a reader that says more than is heard is not read until it is. */
const hearAll = (socket: WebSocket, { hear }: EventStream, { errorOf }: SocketDeps): void => {
  let waiting = 0
  let last = Promise.resolve()
  const answer = async (data: RawData, isBinary: boolean): Promise<void> => {
    const text = await hear(isBinary ? '' : data.toString()).catch((error: unknown) => errorOf(error).json)
    await send(socket, text)
    waiting -= 1
    if (waiting < WAITING_MAX) socket.resume()
  }
  socket.on('message', (data, isBinary) => {
    waiting += 1
    if (waiting >= WAITING_MAX) socket.pause()
    last = last.then(() => answer(data, isBinary))
  })
}

/** Answers what is to be called when the socket is closed. */
const keepAlive = (socket: WebSocket): (() => void) => {
  let heardMs = performance.now()
  const heard = (): void => {
    heardMs = performance.now()
  }
  for (const event of ['message', 'ping', 'pong'] as const) socket.on(event, heard)
  const timer = setInterval(() => {
    if (performance.now() - heardMs > DEAD_AFTER_MS) socket.terminate()
    else socket.ping()
  }, HEARTBEAT_MS)
  return () => clearInterval(timer)
}

const close = (socket: WebSocket, why: keyof typeof closing): void => {
  const [code, reason] = closing[why]
  socket.close(code, reason)
  setTimeout(() => socket.terminate(), CLOSE_WITHIN_MS).unref()
}

/** @returns why there are no more */
const sendAll = async (socket: WebSocket, { events }: EventStream, ending: Ending): Promise<unknown> => {
  try {
    for await (const one of events) if (one !== 'quiet') await send(socket, `{"${one.event}":${one.data}}`)
    return ending.why
  } catch (error) {
    return ending.why ?? error
  }
}

/**
 * Sends `{"<event>": …}` per event, and hears what is said. Ends with the socket; what goes wrong is said before it is closed.
 *
 * @returns when the socket is closed
 */
export const sendOverSocket = async (socket: WebSocket, stream: EventStream, deps: SocketDeps): Promise<void> => {
  const { ending, errorOf } = deps
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  socket.on('close', () => {
    ending.end('gone')
    resolve()
  })
  // What is wrong with a socket closes it.
  socket.on('error', () => {})
  const rest = keepAlive(socket)
  hearAll(socket, stream, deps)
  const why = await sendAll(socket, stream, ending)
  if (why === 'gone' || why === 'stopping') close(socket, 'stopping')
  else {
    const { failure, json } = errorOf(why)
    await send(socket, json)
    close(socket, failure.status >= 500 ? 'failed' : 'refused')
  }
  await closed
  rest()
}
