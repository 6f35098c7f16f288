/**
 * Which web pages may call us from a browser. Client SDKs ask before every call (a preflight), and can read no answer, an
 * error neither, that does not allow their page; so every answer says it, whoever made it. A page that may not call is
 * told nothing.
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ReachedAt } from './reached-at.ts'

export interface OriginRules {
  /** Origins of pages, or `*`. */
  readonly origins: readonly string[]
  /** Where the server is reached: pages that it serves itself may always call. */
  readonly own: string | undefined
}

const ANY = '*'

/** Whoever names no origin is no browser, and bound by credentials alone. */
export const isOriginAllowed = (origin: string | undefined, { origins, own }: OriginRules): boolean =>
  origin === undefined || origin === own || origins.includes(ANY) || origins.includes(origin)

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
/** What client SDKs send, for who does not say what it will send. */
const HEADERS =
  'accept, apikey, appid, authorization, authtoken, chatapiversion, content-type, onbehalfof, onbehalfofuser, resource, sdk'
const EXPOSED = 'retry-after, x-rate-limit, x-rate-limit-remaining, x-rate-limit-reset'
/** Browsers take less where they want to. */
const REMEMBERED_SECONDS = 86_400

/** Files have their own rules: whoever has the address may show them. */
const isFile = (request: IncomingMessage): boolean => request.url?.startsWith('/files/') === true

const isPreflight = ({ method, headers }: IncomingMessage): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined

export interface CorsDeps {
  readonly origins: readonly string[]
  readonly reachedAt: ReachedAt
}

const ownOf = (request: IncomingMessage, reachedAt: ReachedAt): string | undefined => {
  try {
    return reachedAt(request)
  } catch {
    // A host that is none is refused elsewhere.
    return undefined
  }
}

/** Whether a page may open a socket: browsers ask nobody before they do. */
export const makeMayConnect =
  ({ origins, reachedAt }: CorsDeps) =>
  (request: IncomingMessage): boolean =>
    isOriginAllowed(request.headers.origin, { origins, own: ownOf(request, reachedAt) })

/** Says in the answer whether the page may read it. */
export const allowOrigin = (
  request: IncomingMessage,
  reply: FastifyReply,
  { origins, reachedAt }: CorsDeps,
): boolean => {
  const { origin } = request.headers
  if (isFile(request)) {
    reply.header('access-control-allow-origin', ANY)
    return true
  }
  const isAny = origins.includes(ANY)
  if (!isAny) reply.header('vary', 'origin')
  if (origin === undefined || !isOriginAllowed(origin, { origins, own: isAny ? undefined : ownOf(request, reachedAt) }))
    return false
  reply.header('access-control-allow-origin', isAny ? ANY : origin).header('access-control-expose-headers', EXPOSED)
  return true
}

export const registerCors = (app: FastifyInstance, deps: CorsDeps): void => {
  app.addHook('onRequest', (request, reply, done) => {
    const isAllowed = allowOrigin(request.raw, reply, deps)
    if (!isPreflight(request.raw) || isFile(request.raw)) {
      done()
      return
    }
    if (isAllowed) {
      const asked = request.headers['access-control-request-headers']
      reply
        .header('access-control-allow-methods', METHODS)
        .header('access-control-allow-headers', asked || HEADERS)
        .header('access-control-max-age', REMEMBERED_SECONDS)
    }
    reply.code(204).send()
  })
}
