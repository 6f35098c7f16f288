/** Who calls, and whether they may: asked before the body is read. */
import { parseUid, SYSTEM_UID } from '@confab/protocol'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { type Authenticate, assertAccess, type Caller, type Credentials } from '../apps/authenticate.ts'
import type { Actor } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Allowance, TakeAllowance } from './rate-limit.ts'
import type { Route } from './route.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null
  }
}

export interface AdmitDeps {
  readonly authenticate: Authenticate
  /** Counts the request, where requests are limited. */
  readonly takeAllowance: TakeAllowance
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

export const credentialsOf = (request: FastifyRequest): Credentials => {
  const ofPath = appIdOfPath(request.params)
  const isManagement = ofPath !== undefined
  return {
    appId: header(request, 'appid') ?? appIdOfHost(request.hostname) ?? ofPath,
    apiKey: header(request, 'apikey') ?? (isManagement ? managementSecret(request) : undefined),
    authToken: header(request, 'authtoken') ?? (request.headers.authtoken === undefined ? undefined : ''),
    isManagement,
  }
}

/** Sets `request.caller`. A hook that takes a callback: a promise for every request is felt. */
export const admitTo = (route: Route, deps: AdmitDeps): onRequestHookHandler => {
  const admit = (request: FastifyRequest, reply: FastifyReply, caller: Caller): void => {
    request.caller = caller
    const allowance = deps.takeAllowance(caller, route)
    if (allowance !== undefined) limitRate(reply, allowance)
    assertAccess(caller, route)
  }
  return (request, reply, done) => {
    try {
      const caller = deps.authenticate(credentialsOf(request))
      if (caller instanceof Promise) {
        caller.then((found) => admit(request, reply, found)).then(() => done(), done)
        return
      }
      admit(request, reply, caller)
    } catch (error) {
      done(error as Error)
      return
    }
    done()
  }
}

export const callerIn = ({ caller }: FastifyRequest): Caller => {
  if (caller === null) throw new Error('a route was reached without its caller')
  return caller
}

export const actorOf = (route: Route, request: FastifyRequest, caller: Caller): Actor => {
  if (caller.kind === 'user') return { kind: 'user', appId: caller.app.id, uid: caller.uid }
  const app: Actor = { kind: 'app', appId: caller.app.id }
  const given = route.onBehalfOf === 'none' ? undefined : header(request, 'onbehalfof')
  if (given === undefined && route.onBehalfOf === 'required') {
    throw badRequest({ onBehalfOf: 'this header is required' })
  }
  if (given === undefined) return app
  const uid = parseUid(given)
  // The app under its own name. Where a user has to act it is one that is not there.
  return uid === SYSTEM_UID && route.onBehalfOf === 'optional' ? app : { kind: 'user', appId: app.appId, uid }
}
