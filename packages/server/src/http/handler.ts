/** One request of a route, from its checked input to its answer. */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuditOf } from '../apps/audit.ts'
import { type Authenticate, assertAccess, type Caller } from '../apps/authenticate.ts'
import type { Actor } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AssertOpen } from '../roles/restrictions.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import { actorOf, callerIn, credentialsOf } from './admit.ts'
import { makeCheck, makeQueryCheck } from './check.ts'
import { clientOf } from './client-headers.ts'
import { Ending } from './ending.ts'
import { isForm } from './form.ts'
import type { MessageForm } from './message-form.ts'
import type { ReachedAt } from './reached-at.ts'
import { EventStream, LINES, LineStream, RawJson, type Route, type RouteRequest } from './route.ts'
import { sendEvents, sendStream } from './send-events.ts'
import { assertHandshake, isUpgrade } from './upgrades.ts'

export interface HandlerDeps {
  readonly authenticate: Authenticate
  readonly assertOpenFor: (route: Route) => AssertOpen
  /** Writes down what administrators do. */
  readonly auditOf: AuditOf
  readonly clock: Clock
  readonly reachedAt: ReachedAt
  readonly messageForm: MessageForm
  readonly stopping: AbortSignal
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

/** What a handler is given. What only few of them want is made when they ask for it, and only then. */
class Asked implements RouteRequest {
  readonly app: App
  readonly actor: Actor
  readonly caller: Caller
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly #deps: HandlerDeps
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  #ending: Ending | undefined

  constructor(
    deps: HandlerDeps,
    [request, reply]: readonly [FastifyRequest, FastifyReply],
    checked: Pick<RouteRequest, 'actor' | 'caller' | 'params' | 'query' | 'body'>,
  ) {
    this.#deps = deps
    this.#request = request
    this.#reply = reply
    this.app = checked.caller.app
    this.actor = checked.actor
    this.caller = checked.caller
    this.params = checked.params
    this.query = checked.query
    this.body = checked.body
  }

  get client(): Client {
    return clientOf(this.#request.headers, this.#deps.clock)
  }

  get origin(): string {
    return this.#deps.reachedAt(this.#request.raw)
  }

  get ending(): Ending {
    this.#ending ??= endingOf(this.#reply, this.#deps.stopping)
    return this.#ending
  }

  get signal(): AbortSignal {
    return this.ending.signal
  }

  get lines(): AsyncIterable<Uint8Array> {
    const { body } = this.#request
    return body instanceof Readable ? body : noLines
  }
}

/** Handlers contain no `try`: errors become answers in `error-mapping.ts` alone. */
export const handlerOf = (deps: HandlerDeps, route: Route) => {
  const checkParams = makeCheck(route.params, 'path')
  const checkQuery = makeQueryCheck(route.query)
  const checkBody = makeCheck(route.body, 'body')
  const audit = deps.auditOf(route)
  const assertOpen = deps.assertOpenFor(route)
  const answerOf = async (
    request: FastifyRequest,
    reply: FastifyReply,
    actor: Actor,
    given: unknown,
  ): Promise<unknown> => {
    if (route.isStream && isUpgrade(request.raw)) assertHandshake(request.raw)
    const caller = callerIn(request)
    const params = checkParams(request.params)
    const query = checkQuery(request.query)
    assertLines(route, given)
    const body = checkBody(given)
    const open = assertOpen(actor)
    if (open !== undefined) await open
    const asked = new Asked(deps, [request, reply], { actor, caller, params, query, body })
    const answer = await route.handle(asked)
    if (audit !== undefined) await audit({ caller, actor, params, requestId: request.id })
    if (!(answer instanceof EventStream)) return answer
    const { ending } = asked
    ending.recheck(async () => assertAccess(await deps.authenticate(credentialsOf(request)), route))
    return sendEvents({ request, reply, ending }, answer)
  }
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const isAForm = isForm(request.headers['content-type'])
    if (isAForm && !route.takesForm && route.method !== 'GET') throw new AppError('ERR_UNSUPPORTED_MEDIA_TYPE')
    const actor = actorOf(route, request, callerIn(request))
    // Who may not send need not upload.
    if (isAForm) await assertOpen(actor)
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

/** What is JSON already. */
export const asIs = (text: unknown): string => text as string
