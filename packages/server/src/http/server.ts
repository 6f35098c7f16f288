/**
 * The HTTP edge: Fastify, made from the table of routes.
 *
 * Every request goes the same way: who calls (before the body is read) → may they → is the input right → handler →
 * answer. Handlers contain no `try`: errors become answers in `error-mapping.ts` alone.
 */

import type { RequestListener, Server, ServerOptions } from 'node:http'
import { Readable } from 'node:stream'
import { parseUid } from '@confab/protocol'
import makeSerializer, { type Schema } from 'fast-json-stringify'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify'
import type { AuditOf } from '../apps/audit.ts'
import { type Authenticate, assertAccess, type Caller, type Credentials } from '../apps/authenticate.ts'
import type { Actor } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import { lazily } from '../kernel/lazily.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Metrics } from '../workers/metrics.ts'
import { makeCheck, makeQueryCheck } from './check.ts'
import { clientOf } from './client-headers.ts'
import { allowOrigin, registerCors } from './cors.ts'
import { drainOnClose } from './drain.ts'
import { type End, Ending } from './ending.ts'
import { errorAnswer, toAppError } from './error-mapping.ts'
import { type FilesDeps, registerFiles } from './files.ts'
import { isForm } from './form.ts'
import { acceptJson, acceptLines } from './json-body.ts'
import type { MessageForm } from './message-form.ts'
import { type OnlineMembersDeps, registerOnlineMembers } from './online-members.ts'
import { type Health, registerOperations } from './operations.ts'
import type { Allowance, TakeAllowance } from './rate-limit.ts'
import { type IsTrusted, type ReachedAt, unifyForwarded } from './reached-at.ts'
import { EventStream, LINES, LineStream, RawJson, type Route } from './route.ts'
import { sendEvents, sendStream } from './send-events.ts'
import { cutSlowBodies } from './slow-bodies.ts'
import { assertHandshake, isUpgrade, shouldUpgradeCallback } from './upgrades.ts'
import { registerUserSessions } from './user-sessions.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null
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

export interface HttpDeps {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  /** Fails if the role of the acting user is kept from the route. */
  readonly assertOpen: (actor: Actor, route: Route) => Promise<void>
  /** Counts the request, where requests are limited. */
  readonly takeAllowance: TakeAllowance
  /** Writes down what administrators do. */
  readonly auditOf: AuditOf
  readonly clock: Clock
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
  readonly reachedAt: ReachedAt
  readonly messageForm: MessageForm
  readonly online: OnlineMembersDeps
  /** How large a body may be that is no form. */
  readonly bodyBytes: number
  /** Of a node that answers requests. */
  readonly files: FilesDeps | undefined
}

const header = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name]
  const text = (Array.isArray(value) ? value[0] : value)?.trim()
  return text || undefined
}

/** `<appId>.api-<region>.…` or `<appId>.apiclient-<region>.…`. */
const appIdOfHost = (host: string): string | undefined => /^([a-z0-9-]+)\.api(?:client)?-/i.exec(host)?.[1]

/** Routes that name the app in their path need no header. */
const appIdOfPath = (params: unknown): string | undefined =>
  typeof params === 'object' && params !== null && 'appId' in params ? String(params.appId) : undefined

const actorOf = (route: Route, request: FastifyRequest, caller: Caller): Actor => {
  if (caller.kind === 'user') return { kind: 'user', appId: caller.app.id, uid: caller.uid }
  const uid = route.onBehalfOf === 'none' ? undefined : header(request, 'onbehalfof')
  if (uid !== undefined) return { kind: 'user', appId: caller.app.id, uid: parseUid(uid) }
  if (route.onBehalfOf === 'required') throw badRequest({ onBehalfOf: 'this header is required' })
  return { kind: 'app', appId: caller.app.id }
}

// Hooks take callbacks: a promise for each, and for every request, is felt.
const refuseNulInUrl: onRequestHookHandler = (request, _reply, done) => {
  done(request.url.includes('%00') ? badRequest({ path: 'must not contain the character NUL' }) : undefined)
}

const limitRate = (reply: FastifyReply, { isSpent, limit, remaining, resetAt, after }: Allowance): void => {
  reply.header('x-rate-limit', limit).header('x-rate-limit-remaining', remaining)
  if (!isSpent) return
  reply.header('retry-after', after).header('x-rate-limit-reset', resetAt)
  throw new AppError('ERR_TOO_MANY_REQUESTS')
}

/** As the management host is called: by the header `secret` beside `key`, or by HTTP Basic. */
const managementSecret = (request: FastifyRequest): string | undefined => {
  const [, basic = ''] = /^Basic ([\w+/=-]+)$/i.exec(header(request, 'authorization') ?? '') ?? []
  return header(request, 'secret') ?? (/:(.+)$/s.exec(Buffer.from(basic, 'base64').toString('utf8'))?.[1] || undefined)
}

const credentialsOf = (request: FastifyRequest): Credentials => {
  const ofPath = appIdOfPath(request.params)
  const isManagement = ofPath !== undefined
  return {
    appId: header(request, 'appid') ?? appIdOfHost(request.hostname) ?? ofPath,
    apiKey: header(request, 'apikey') ?? (isManagement ? managementSecret(request) : undefined),
    authToken: header(request, 'authtoken') ?? (request.headers.authtoken === undefined ? undefined : ''),
    isManagement,
  }
}

const callerOf = (deps: HttpDeps, route: Route) => async (request: FastifyRequest, reply: FastifyReply) => {
  const caller = await deps.authenticate(credentialsOf(request))
  request.caller = caller
  const allowance = deps.takeAllowance(caller, route)
  if (allowance !== undefined) limitRate(reply, allowance)
  assertAccess(caller, route)
}

const endingOf = (reply: FastifyReply, stopping: AbortSignal): Ending => {
  const ending = new Ending(stopping)
  reply.raw.once('close', () => ending.end('gone'))
  return ending
}

const noLines: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
}

const assertLines = (route: Route, body: unknown): void => {
  if (route.takesLines && !(body instanceof Readable)) {
    throw new AppError('ERR_UNSUPPORTED_MEDIA_TYPE', { details: { 'content-type': `must be ${LINES}` } })
  }
}

const callerIn = ({ caller }: FastifyRequest): Caller => {
  if (caller === null) throw new Error('a route was reached without its caller')
  return caller
}

interface HandlerDeps extends HttpDeps {
  readonly stopping: AbortSignal
}

const handlerOf = (deps: HandlerDeps, route: Route) => {
  const checkParams = makeCheck(route.params, 'path')
  const checkQuery = makeQueryCheck(route.query)
  const checkBody = makeCheck(route.body, 'body')
  const audit = deps.auditOf(route)
  const answerOf = async (
    request: FastifyRequest,
    reply: FastifyReply,
    actor: Actor,
    given: unknown,
  ): Promise<unknown> => {
    const ending = lazily(() => endingOf(reply, deps.stopping))
    if (route.isStream && isUpgrade(request.raw)) assertHandshake(request.raw)
    const caller = callerIn(request)
    const params = checkParams(request.params)
    const query = checkQuery(request.query)
    assertLines(route, given)
    const body = checkBody(given)
    if (actor.kind === 'user') await deps.assertOpen(actor, route)
    const answer = await route.handle({
      app: caller.app,
      actor,
      caller,
      // Only messages need it.
      get client() {
        return clientOf(request.headers, deps.clock)
      },
      get origin() {
        return deps.reachedAt(request.raw)
      },
      get signal() {
        return ending().signal
      },
      lines: request.body instanceof Readable ? request.body : noLines,
      params,
      query,
      body,
    })
    if (audit !== undefined) await audit({ caller, actor, params, requestId: request.id })
    if (!(answer instanceof EventStream)) return answer
    ending().recheck(async () => assertAccess(await deps.authenticate(credentialsOf(request)), route))
    return sendEvents({ request, reply, ending: ending() }, answer)
  }
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const isAForm = isForm(request.headers['content-type'])
    if (isAForm && !route.takesForm && route.method !== 'GET') throw new AppError('ERR_UNSUPPORTED_MEDIA_TYPE')
    const actor = actorOf(route, request, callerIn(request))
    // Who may not send need not upload.
    if (isAForm && actor.kind === 'user') await deps.assertOpen(actor, route)
    const answer =
      isAForm && route.takesForm
        ? await deps.messageForm(request.raw, { actor, origin: deps.reachedAt(request.raw) }, (body) =>
            answerOf(request, reply, actor, body),
          )
        : await answerOf(request, reply, actor, request.body ?? null)
    if (answer instanceof LineStream) return sendStream(reply, answer.chunks, LINES)
    if (!(answer instanceof RawJson)) return answer
    return reply.type('application/json; charset=utf-8').serializer(asIs).send(answer.text)
  }
}

const asIs = (text: unknown): string => text as string

const registerRoutes = (app: FastifyInstance, deps: HandlerDeps): void => {
  for (const route of deps.routes) {
    app.route({
      method: route.method,
      url: PREFIX + route.path,
      schema: route.isStream || route.takesLines ? {} : { response: { 200: route.answer } },
      config: { takesForm: route.takesForm, takesLines: route.takesLines },
      onRequest: callerOf(deps, route),
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
  // The serializer of the route's answer would drop what an error says.
  reply
    .code(failure.status)
    .type('application/json; charset=utf-8')
    .serializer(asIs)
    .send(JSON.stringify(errorAnswer(failure, request.id)))
}

/** A body that never comes must not hold a connection for ever. */
const BODY_WITHIN_MS = 60_000

export const buildServer = (deps: HttpDeps): FastifyInstance => {
  const { makeServer } = deps
  const options = { shouldUpgradeCallback }
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
