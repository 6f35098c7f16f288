/**
 * The HTTP edge: Fastify, made from the table of routes.
 *
 * Every request goes the same way: who calls (`admit.ts`, before the body is read) → may they → is the input right → what
 * the route does (`handler.ts`) → answer. Errors become answers in `error-mapping.ts` alone.
 */

import type { RequestListener, Server, ServerOptions } from 'node:http'
import makeSerializer, { type Schema } from 'fast-json-stringify'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Ids } from '../kernel/ids.ts'
import { lazily } from '../kernel/lazily.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Metrics } from '../workers/metrics.ts'
import { type AdmitDeps, admitTo } from './admit.ts'
import { allowOrigin, registerCors } from './cors.ts'
import { drainOnClose } from './drain.ts'
import type { End } from './ending.ts'
import { errorAnswer, toAppError } from './error-mapping.ts'
import { type FilesDeps, registerFiles } from './files.ts'
import { asIs, type HandlerDeps, handlerOf } from './handler.ts'
import { acceptJson, acceptLines } from './json-body.ts'
import { keepOpen, letBy } from './let-by.ts'
import { type OnlineMembersDeps, registerOnlineMembers } from './online-members.ts'
import { type Health, registerOperations } from './operations.ts'
import { type IsTrusted, unifyForwarded } from './reached-at.ts'
import type { Route } from './route.ts'
import { cutSlowBodies } from './slow-bodies.ts'
import { MAX_HEADER_BYTES, refuseUnreadable } from './unreadable.ts'
import { shouldUpgradeCallback } from './upgrades.ts'
import { registerUserSessions } from './user-sessions.ts'

declare module 'fastify' {
  interface FastifyRequest {
    failure: AppError | null
  }
  interface FastifyContextConfig {
    /** Whether the handler reads forms. */
    takesForm?: boolean
    takesLines?: boolean
  }
}

/** All mean the same API: `/v3.0` is read as `/v3`, and the management host is published without a version. */
const PREFIX = '/v3'
const withShortVersion = (url: string): string => {
  if (url.startsWith('/apps/')) return PREFIX + url
  return /^\/v3\.0(?=[/?]|$)/.test(url) ? PREFIX + url.slice(5) : url
}

export interface HttpDeps extends AdmitDeps, Omit<HandlerDeps, 'stopping'> {
  readonly routes: readonly Route[]
  readonly ids: Ids
  readonly log: Logger
  readonly metrics: Metrics
  readonly health: Health
  readonly openApi: () => object
  /** Makes what speaks https; without it we speak http. */
  readonly makeServer: ((handler: RequestListener, options: ServerOptions) => Server) | undefined
  /** Which web pages may call. */
  readonly corsOrigins: readonly string[]
  /** The proxies whose word is taken for who asks, and where. */
  readonly isTrusted: IsTrusted
  readonly online: OnlineMembersDeps
  /** How large a body may be that is no form. */
  readonly bodyBytes: number
  /** Of a node that answers requests. */
  readonly files: FilesDeps | undefined
}

// Hooks take callbacks: a promise for each, and for every request, is felt.
const refuseNulInUrl: onRequestHookHandler = (request, _reply, done) => {
  done(request.url.includes('%00') ? badRequest({ path: 'must not contain the character NUL' }) : undefined)
}

const registerRoutes = (app: FastifyInstance, deps: HttpDeps & HandlerDeps): void => {
  for (const route of deps.routes) {
    app.route({
      method: route.method,
      url: PREFIX + route.path,
      schema: route.isStream || route.takesLines ? {} : { response: { 200: route.answer } },
      config: { takesForm: route.takesForm, takesLines: route.takesLines },
      onRequest: admitTo(route, deps),
      handler: handlerOf(deps, route),
    })
  }
}

/** One wide line per request. The pattern of the path, never the path: keys and tokens stand in some. */
const logRequests = (app: FastifyInstance, { log, metrics }: HttpDeps): void => {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown'
    const { method, caller, failure } = request
    const { statusCode: status, elapsedTime } = reply
    metrics.request({ method, route, status }, elapsedTime / 1000)
    const line = {
      requestId: request.id,
      method,
      route,
      status,
      ms: Math.round(elapsedTime * 100) / 100,
      ...(caller && { appId: caller.app.id }),
      ...(failure && { code: failure.code }),
    }
    if (failure?.code === 'ERR_EXCEPTION') log.error({ ...line, err: failure.cause }, 'http.request')
    else log.info(line, 'http.request')
    done()
  })
}

const fail = (request: FastifyRequest, reply: FastifyReply, error: unknown): void => {
  const failure = toAppError(error, request.server.initialConfig.bodyLimit ?? 0)
  request.failure = failure
  if (failure.code === 'ERR_PAYLOAD_TOO_LARGE') keepOpen(request, reply)
  letBy(request, reply, () => {
    // The serializer of the route's answer would drop what an error says.
    reply
      .code(failure.status)
      .type('application/json; charset=utf-8')
      .serializer(asIs)
      .send(JSON.stringify(errorAnswer(failure, request.id)))
  })
}

/** A body that never comes must not hold a connection for ever. */
const BODY_WITHIN_MS = 60_000

export const buildServer = (deps: HttpDeps): FastifyInstance => {
  const { makeServer } = deps
  const options = { shouldUpgradeCallback, maxHeaderSize: MAX_HEADER_BYTES }
  const cors = { origins: deps.corsOrigins, reachedAt: deps.reachedAt }
  const app = Fastify({
    logger: false,
    bodyLimit: deps.bodyBytes,
    routerOptions: { maxParamLength: 1024, ignoreTrailingSlash: true },
    ...(makeServer ? { serverFactory: (handler: RequestListener) => makeServer(handler, options) } : { http: options }),
    trustProxy: deps.isTrusted,
    rewriteUrl: ({ url = '/', headers }) => {
      // Before anybody looks at them: Fastify reads only one of the two forms.
      unifyForwarded(headers)
      return withShortVersion(url)
    },
    genReqId: () => deps.ids.request(),
    clientErrorHandler: refuseUnreadable(deps),
    // Refused while closing in our own words: see drain.ts.
    return503OnClosing: false,
    // Node's own would end imports that take longer: see slow-bodies.ts.
    requestTimeout: 0,
    // No hook has seen these.
    frameworkErrors: (error, request, reply) => {
      allowOrigin(request.raw, reply, cors)
      fail(request, reply, error)
    },
  })
  app.setSerializerCompiler(({ schema }) => {
    const serializer = lazily(() => makeSerializer(schema as Schema))
    return (answer) => serializer()(answer)
  })
  app.decorateRequest('caller', null)
  app.decorateRequest('failure', null)
  registerCors(app, cors)
  drainOnClose(app)
  acceptJson(app)
  acceptLines(app)
  cutSlowBodies(app, { withinMs: BODY_WITHIN_MS })
  app.addHook('onRequest', refuseNulInUrl)
  logRequests(app, deps)
  app.setErrorHandler((error, request, reply) => fail(request, reply, error))
  app.setNotFoundHandler((request, reply) => {
    const isOtherVersion = /^\/v\d/.test(request.url) && !/^\/v3(\/|$|\?)/.test(request.url)
    fail(request, reply, new AppError(isOtherVersion ? 'ERR_INVALID_API_VERSION' : 'ERR_API_NOT_FOUND'))
  })
  registerOperations(app, deps)
  if (deps.files !== undefined) registerFiles(app, deps.files)
  const stop = new AbortController()
  // Whoever waits long would keep the server from stopping.
  app.addHook('preClose', async () => stop.abort('stopping' satisfies End))
  if (deps.routes.length > 0) {
    registerUserSessions(app, PREFIX)
    registerOnlineMembers(app, deps.online)
  }
  registerRoutes(app, { ...deps, stopping: stop.signal })
  return app
}
