/**
 * What administrators do is written down: which key, or which of its users, did what to whom, and when. Never what was said
 * in a body, never a secret: keys and tokens that stand in a path are told by their last characters.
 */
import type { AppId, AuditActor, AuditEntry, ListAudit } from '@confab/protocol'
import { limits } from '@confab/protocol'
import type { Actor } from '../kernel/actor.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Store } from '../storage/store.ts'
import type { Caller } from './authenticate.ts'

/** The tags of operations by which an app is administered. What users do among themselves is not written down. */
const AUDITED: ReadonlySet<string> = new Set([
  'API keys',
  'Users',
  'Friends',
  'Auth tokens',
  'Roles',
  'Permissions',
  'Groups',
  'Members',
  'Bots',
  'Deliveries',
  'Webhooks',
  'Import',
])

/** Those of other operations that take something from somebody, or say it in another way. */
const AUDITED_TOO: ReadonlySet<string> = new Set([
  'POST /users/:uid/blockedusers',
  'DELETE /users/:uid/blockedusers',
  'DELETE /users/:uid/conversation',
  'DELETE /groups/:guid/conversation',
])
/** The app does it to what users have said; in a user's name it is what users do. */
const AUDITED_OF_APP: ReadonlySet<string> = new Set(['PUT /messages/:id', 'DELETE /messages/:id'])

/** Sending is no administration, whoever does it; it is what must be fast. */
const isAudited = ({ method, path, tag }: AuditedRoute): boolean => {
  const action = `${method} ${path}`
  if (AUDITED_TOO.has(action) || AUDITED_OF_APP.has(action)) return true
  return method !== 'GET' && AUDITED.has(tag) && path !== '/bots/:uid/messages'
}

export interface AuditedRoute {
  readonly method: string
  readonly path: string
  readonly tag: string
}

const KEY_END = 4
const endOf = (secret: string): string => secret.slice(-KEY_END)

const SECRET: ReadonlySet<string> = new Set(['apiKey', 'authToken'])
/** Those of which `A` and `a` are two. */
const EXACT: ReadonlySet<string> = new Set(['id', 'webhookId', 'permission', 'reaction', 'sessionId'])

const targetOf = (path: string, params: unknown): string | null => {
  const values = new Map(Object.entries(params ?? {}))
  const ids = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    const id = String(values.get(name))
    if (SECRET.has(name)) return endOf(id)
    return EXACT.has(name) ? id : id.toLowerCase()
  })
  return ids.length === 0 ? null : ids.join('/')
}

const actorOf = ({ apiKey, keyName }: Extract<Caller, { kind: 'key' }>, actor: Actor): AuditActor => ({
  kind: 'key',
  name: keyName,
  keyEnd: endOf(apiKey),
  ...(actor.kind === 'user' && { onBehalfOf: actor.uid }),
})

/** Undefined for what is not to be written down; else to be called once it is done. */
export type AuditOf = (
  route: AuditedRoute,
) => ((done: { caller: Caller; actor: Actor; params: unknown; requestId: string }) => Promise<void>) | undefined

export const makeAuditOf = (deps: { store: Pick<Store, 'audit'>; clock: Clock; log: Logger }): AuditOf => {
  const { store, clock, log } = deps
  return (route) => {
    if (!isAudited(route)) return undefined
    const action = `${route.method} ${route.path}`
    return async ({ caller, actor, params, requestId }) => {
      if (caller.kind !== 'key' || (actor.kind === 'user' && AUDITED_OF_APP.has(action))) return
      const by = actorOf(caller, actor)
      const target = targetOf(route.path, params)
      const entry = { appId: caller.app.id, at: toSeconds(clock.now()), actor: by, action, target, requestId }
      // What was asked for is done: it cannot be answered as if it were not.
      await store.audit.add(entry).catch((error: unknown) => {
        log.error({ err: error, requestId, action }, 'audit.failed')
      })
    }
  }
}

export interface AuditSlice {
  /** Newest first. */
  readonly rows: readonly AuditEntry[]
  readonly limit: number
  readonly hasMore: boolean
}

export type ListAuditEntries = (appId: AppId, query: ListAudit) => Promise<AuditSlice>

export const makeListAudit =
  ({ store }: { store: Pick<Store, 'audit'> }): ListAuditEntries =>
  async (appId, { limit = limits.pageSize, before, action, target, since, until }) => {
    const filter = definedOf({ action, target, since, until })
    const found = await store.audit.list({
      appId,
      filter,
      before: before === undefined ? undefined : Number(before),
      limit,
    })
    return { ...found, limit }
  }
