/** Which app a request is for, and which key opens it. */
import { type AppId, type KeyScope, parseAppId } from '@confab/protocol'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { App, KeyOfApp } from '../storage/sql/apps.ts'
import type { Store } from '../storage/store.ts'

export interface Credentials {
  /** What the request says: the header `appId`, else the first label of the host name. */
  readonly appId: string | undefined
  readonly apiKey: string | undefined
}

export interface Caller {
  readonly app: App
  readonly apiKey: string
  readonly scope: KeyScope
}

/**
 * How long a key that was found is believed, in ms. Changes on this node take effect at once; changes on another one
 * after this time.
 */
const BELIEVED_MS = 2000
const CACHE_MAX = 10_000

export interface Authenticate {
  (credentials: Credentials): Promise<Caller>
  /** To be called when keys change. */
  forget(): void
}

interface Believed {
  readonly caller: Caller
  readonly untilMs: number
}

export const makeAuthenticate = (deps: { store: Pick<Store, 'apps' | 'apiKeys'>; clock: Clock }): Authenticate => {
  const { store, clock } = deps
  const believed = new Map<string, Believed>()

  const appOf = async (appId: string | undefined, key: KeyOfApp | undefined): Promise<App> => {
    if (appId !== undefined) {
      const app = await store.apps.find({ id: parseAppId(appId) as AppId })
      if (app === undefined) throw new AppError('AUTH_ERR_INVALID_APPID')
      return app
    }
    const [only, ...others] = await store.apps.list({})
    if (only === undefined || others.length > 0) throw new AppError('AUTH_ERR_EMPTY_APPID')
    if (key !== undefined && key.appId !== only.id) throw new AppError('AUTH_ERR_APIKEY_NOT_FOUND')
    return only
  }

  const lookUp = async ({ apiKey, appId }: Credentials): Promise<Caller> => {
    const key = apiKey === undefined ? undefined : await store.apiKeys.find({ key: apiKey })
    const app = await appOf(appId, key)
    if (apiKey === undefined) throw new AppError('AUTH_ERR_EMPTY_APIKEY')
    if (key?.appId !== app.id) throw new AppError('AUTH_ERR_APIKEY_NOT_FOUND')
    return { app, apiKey, scope: key.scope }
  }

  const authenticate = async (credentials: Credentials): Promise<Caller> => {
    const cacheKey = `${credentials.appId ?? ''} ${credentials.apiKey ?? ''}`
    const known = believed.get(cacheKey)
    if (known !== undefined && known.untilMs > clock.now()) return known.caller
    const caller = await lookUp(credentials)
    if (believed.size >= CACHE_MAX) believed.clear()
    believed.set(cacheKey, { caller, untilMs: clock.now() + BELIEVED_MS })
    return caller
  }

  return Object.assign(authenticate, { forget: () => believed.clear() })
}

/** `fullAccess` may everything; `authOnly` what says so. */
export const assertScope = (caller: Caller, least: KeyScope): void => {
  if (least === 'fullAccess' && caller.scope !== 'fullAccess') throw new AppError('AUTH_ERR_NO_ACCESS')
}
