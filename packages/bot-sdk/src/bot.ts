import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Message } from '@confab/protocol'
import { CallbackRefusedError, type Headers, type VerifiedCallback, verifyCallback } from './callback.ts'
import { type ConfabClient, type Outgoing, outgoing, type Receiver } from './client.ts'

export interface Incoming extends VerifiedCallback {
  readonly message: Message
  /** Text or caption; empty where there is none. */
  readonly text: string
  /**
   * Answers where the message came from: to the sender, or in the group. Sent once, also if the callback is repeated:
   * the nth reply to a callback has one muid.
   */
  reply(message: Outgoing): Promise<Message>
}

export interface BotOptions {
  readonly uid: string
  /** `signingSecret` of the answer that created the bot. */
  readonly signingSecret: string
  readonly client: ConfabClient
  /** The callback counts as received when this settles; if it rejects, the server tries again. */
  readonly onMessage: (incoming: Incoming) => Promise<void> | void
  /** Told of what went wrong; printed to standard error unless given. */
  readonly onError?: (error: unknown) => void
}

export interface Bot {
  /** For any web framework: give it the headers and the raw body, answer with the status. */
  handle(headers: Headers, body: string): Promise<{ status: number }>
  /** A web server of its own. */
  listen(options?: { port?: number; host?: string }): Promise<{ url: string; close(): Promise<void> }>
}

/** How many finished callbacks are remembered, so that a repetition is not handled again. */
const REMEMBERED = 10_000
const BODY_BYTES_MAX = 1024 * 1024

const answerTo = (message: Message): Receiver =>
  message.receiverType === 'group'
    ? { receiver: message.receiver, receiverType: 'group' }
    : { receiver: message.sender, receiverType: 'user' }

const incomingOf = (verified: VerifiedCallback, { client, uid }: BotOptions): Incoming => {
  const { data: message } = verified.callback
  let replies = 0
  return {
    ...verified,
    message,
    text: message.data.text ?? '',
    reply: (answer) =>
      client.sendBotMessage(uid, answerTo(message), { muid: `${verified.id}_${++replies}`, ...outgoing(answer) }),
  }
}

/** Undefined: too large. Read to its end all the same: a request that is left in the middle takes the answer with it. */
const readBody = async (request: IncomingMessage): Promise<string | undefined> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk)
    else chunks.length = 0
  }
  return bytes > BODY_BYTES_MAX ? undefined : Buffer.concat(chunks).toString('utf8')
}

const listen = (server: Server, port: number, host: string): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      const at = typeof address === 'object' && address !== null ? address.port : port
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${at}`)
    })
  })

/**
 * A bot: receives callbacks, checks that they are the server's, and answers.
 *
 * @example
 * const bot = createBot({
 *   uid: 'echo',
 *   signingSecret,
 *   client,
 *   onMessage: async ({ text, reply }) => {
 *     await reply(`You said: ${text}`)
 *   },
 * })
 * await bot.listen({ port: 8080 })
 */
export const createBot = (options: BotOptions): Bot => {
  const { onMessage, onError = (error) => process.stderr.write(`${String(error)}\n`) } = options
  const done = new Set<string>()

  const remember = (id: string): void => {
    done.add(id)
    const [oldest] = done
    if (done.size > REMEMBERED && oldest !== undefined) done.delete(oldest)
  }

  const handle = async (headers: Headers, body: string): Promise<{ status: number }> => {
    try {
      const verified = verifyCallback(options.signingSecret, headers, body)
      if (done.has(verified.id)) return { status: 200 }
      await onMessage(incomingOf(verified, options))
      remember(verified.id)
      return { status: 200 }
    } catch (error) {
      onError(error)
      return { status: error instanceof CallbackRefusedError ? 401 : 500 }
    }
  }

  const serve = async ({ port = 0, host = '127.0.0.1' }: { port?: number; host?: string } = {}) => {
    const server = createServer(async (request, response) => {
      const body = await readBody(request).catch(() => undefined)
      const { status } = body === undefined ? { status: 413 } : await handle(request.headers, body)
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
    const url = await listen(server, port, host)
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      })
    return { url, close }
  }

  return { handle, listen: serve }
}
