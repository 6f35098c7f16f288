/** Answers that go on until their reader leaves: as `text/event-stream`, or over a WebSocket if that was asked for. */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Ending } from './ending.ts'
import { errorAnswer, toAppError } from './error-mapping.ts'
import { sendOverSocket } from './event-socket.ts'
import type { EventStream, StreamEvent } from './route.ts'
import { acceptSocket, isUpgrade } from './upgrades.ts'

/** Keeps connections from being taken for dead. */
const HEARTBEAT_MS = 15_000

async function* textOf(events: AsyncIterable<StreamEvent | 'quiet'>): AsyncGenerator<string> {
  let quietSince = performance.now()
  yield ': connected\n\n'
  for await (const one of events) {
    if (one !== 'quiet') yield `id: ${one.id}\nevent: ${one.event}\ndata: ${one.data}\n\n`
    else if (performance.now() - quietSince < HEARTBEAT_MS) continue
    else yield ': still here\n\n'
    quietSince = performance.now()
  }
}

export const sendStream = (reply: FastifyReply, chunks: AsyncIterable<string>, type: string): FastifyReply =>
  reply
    .type(type)
    .header('cache-control', 'no-store')
    // Proxies that buffer would keep what is sent.
    .header('x-accel-buffering', 'no')
    .send(Readable.from(chunks))

interface Conversation {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly ending: Ending
}

const overSocket = async ({ request, reply, ending }: Conversation, stream: EventStream): Promise<void> => {
  reply.hijack()
  const errorOf = (error: unknown) => {
    const failure = toAppError(error, 0)
    request.failure = failure
    return { failure, json: JSON.stringify(errorAnswer(failure, request.id)) }
  }
  const socket = await acceptSocket(request.raw)
  if (socket !== undefined) await sendOverSocket(socket, stream, { ending, errorOf })
  else {
    // What was taken for the reader is given back.
    ending.end('gone')
    for await (const _ of stream.events);
  }
  // For those who want to hear of the end: nothing is written to it any more.
  reply.raw.statusCode = 101
  reply.raw.emit('finish')
}

export const sendEvents = (to: Conversation, stream: EventStream): FastifyReply | Promise<void> =>
  isUpgrade(to.request.raw) ? overSocket(to, stream) : sendStream(to.reply, textOf(stream.events), 'text/event-stream')
