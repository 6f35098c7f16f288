import { createServer, type IncomingMessage, type Server } from 'node:http'
import { TEST_TRIGGER } from '@confab/protocol'
import { CallbackRefusedError, type Headers, type VerifiedCallback, verifyCallback } from './callback.ts'
import type { ConfabClient } from './client.ts'
import { type Incoming, type IncomingTrigger, incomingOf, incomingTriggerOf } from './incoming.ts'
import { pullUpdates } from './pull.ts'
import type { AnyCallback } from './triggers.ts'

export interface BotOptions {
  readonly uid: string
  /** `signingSecret` of the answer that created the bot. A bot that only pulls needs none. */
  readonly signingSecret?: string
  readonly client: ConfabClient
  /** The callback counts as received when this settles; if it rejects, it comes again. */
  readonly onMessage: (incoming: Incoming) => Promise<void> | void
  /**
   * The same for what else the bot has asked for by its `triggers`. Without it they are received, and that is all.
   *
   * @example
   * onTrigger: ({ trigger, data }) => {
   *   if (trigger === 'group_member_added') console.log(`new in ${data.group.name}:`, Object.keys(data.members))
   * }
   */
  readonly onTrigger?: (incoming: IncomingTrigger) => Promise<void> | void
  /** Told of what went wrong; printed to standard error unless given. */
  readonly onError?: (error: unknown) => void
}

export interface Bot {
  /** For any web framework: give it the headers and the raw body, answer with the status. */
  handle(headers: Headers, body: string): Promise<{ status: number }>
  /**
   * A web server of its own.
   *
   * @throws {TypeError} without a signing secret
   */
  listen(options?: { port?: number; host?: string }): Promise<{ url: string; close(): Promise<void> }>
  /**
   * Fetches what there is to hear, in place of being called: for a bot with `receive: "pull"`, which needs no URL. In the
   * order of each conversation, side by side between conversations. What was handled is acknowledged; what could not be
   * is tried again after a second, two, … half a minute, and holds up its conversation until then. One consumer per
   * bot: while there is another, it waits for its turn.
   *
   * Goes on until the signal: then it ends what it has begun, and resolves. Whatever fails before is told to `onError`.
   *
   * @param options.maxConcurrency how many conversations are handled at the same time, 40 unless given
   * @example
   * const stop = new AbortController()
   * process.once('SIGTERM', () => stop.abort())
   * await bot.pull({ signal: stop.signal })
   */
  pull(options?: { signal?: AbortSignal; maxConcurrency?: number }): Promise<void>
}

/** How many finished callbacks are remembered, so that a repetition is not handled again. */
const REMEMBERED = 10_000
const BODY_BYTES_MAX = 1024 * 1024
const DEFAULT_CONCURRENCY = 40

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
 * A bot: receives callbacks, checks that they are the server's, and answers. Or fetches them itself: see `pull`.
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
  const { uid, client, onMessage, onTrigger, onError = (error) => process.stderr.write(`${String(error)}\n`) } = options
  const done = new Set<string>()

  const remember = (id: string): void => {
    done.add(id)
    const [oldest] = done
    if (done.size > REMEMBERED && oldest !== undefined) done.delete(oldest)
  }

  const tell = async (received: VerifiedCallback<AnyCallback>): Promise<void> => {
    const { callback } = received
    if (callback.trigger === TEST_TRIGGER || done.has(received.id)) return
    if (callback.trigger === 'after_message') await onMessage(incomingOf({ ...received, callback }, options))
    else await onTrigger?.(incomingTriggerOf({ ...received, callback }))
    remember(received.id)
  }

  const handle = async (headers: Headers, body: string): Promise<{ status: number }> => {
    try {
      await tell(verifyCallback<AnyCallback>(options.signingSecret ?? '', headers, body))
      return { status: 200 }
    } catch (error) {
      onError(error)
      return { status: error instanceof CallbackRefusedError ? 401 : 500 }
    }
  }

  const serve = async ({ port = 0, host = '127.0.0.1' }: { port?: number; host?: string } = {}) => {
    if (options.signingSecret === undefined) {
      throw new TypeError('signingSecret: is needed to be called, as anybody could call; to fetch updates, use pull()')
    }
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

  const pull: Bot['pull'] = ({ signal = new AbortController().signal, maxConcurrency = DEFAULT_CONCURRENCY } = {}) =>
    pullUpdates({ client, uid, signal, maxConcurrency, handle: tell, onError })

  return { handle, listen: serve, pull }
}
