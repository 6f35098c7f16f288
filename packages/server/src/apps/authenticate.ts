/** Which app a request is for, and what opens it: an API key, or the auth token of a user. */
import { type AppId, type ErrorCode, type KeyScope, parseAppId, type Uid } from '@confab/protocol'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Store } from '../storage/store.ts'

export interface Credentials {
  /** What the request says: the header `appId`, else the first label of the host name. */
  readonly appId: string | undefined
  readonly apiKey: string | undefined
  /** Of a user; an API key decides where both are given. Empty: the header is there, and says nothing. */
  readonly authToken: string | undefined
  /** For an operation of the management host, where credentials have other names. */
  readonly isManagement?: boolean
}

/** What the credentials open: the app with a key's scope, or what one of its users may do. */
export type Caller =
  | {
      readonly kind: 'key'
      readonly app: App
      readonly apiKey: string
      readonly keyName: string
      readonly scope: KeyScope
    }
  | { readonly kind: 'user'; readonly app: App; readonly authToken: string; readonly uid: Uid }

/**
 * How long a key or a token that was found is believed, in ms. Changes on this node take effect at once; changes on
 * another one after this time.
 */
export const BELIEVED_MS = 2000
const CACHE_MAX = 10_000

export interface Authenticate {
  /** At once for what is believed: a promise for every request is felt. */
  (credentials: Credentials): Caller | Promise<Caller>
  /** To be called when keys, tokens or users change. */
  forget(): void
}

interface Believed {
  readonly caller: Caller
  readonly untilMs: number
}

/** Keys and tokens come in headers, which hold no line ends: no two credentials have the same text. */
const cacheKeyOf = ({ apiKey, appId, authToken }: Credentials): string =>
  `${apiKey ?? ''}\n${apiKey === undefined ? (authToken ?? '') : ''}\n${appId ?? ''}`

export const makeAuthenticate = (deps: {
  store: Pick<Store, 'apps' | 'apiKeys' | 'authTokens'>
  clock: Clock
}): Authenticate => {
  const { store, clock } = deps
  const believed = new Map<string, Believed>()

  /** @param known the app of the key or token, where that is known; another one than the only one there is has no say */
  const appOf = async (appId: string | undefined, known: AppId | undefined, unknown: ErrorCode): Promise<App> => {
    if (appId !== undefined) {
      const app = await store.apps.find({ id: parseAppId(appId) })
      if (app === undefined) throw new AppError('AUTH_ERR_INVALID_APPID')
      return app
    }
    const [only, ...others] = await store.apps.list({})
    if (only === undefined || others.length > 0) throw new AppError('AUTH_ERR_EMPTY_APPID')
    if (known !== undefined && known !== only.id) throw new AppError(unknown)
    return only
  }

  const userOf = async (appId: string | undefined, authToken: string): Promise<Caller> => {
    if (authToken === '') throw new AppError('AUTH_ERR_EMPTY_AUTH_TOKEN')
    const found = await store.authTokens.identify({ token: authToken })
    const app = await appOf(appId, found?.appId, 'AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    if (found?.appId !== app.id) throw new AppError('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    return { kind: 'user', app, authToken, uid: found.uid }
  }

  const lookUp = async ({ apiKey, appId, authToken, isManagement }: Credentials): Promise<Caller> => {
    if (apiKey === undefined && authToken !== undefined) return userOf(appId, authToken)
    const key = apiKey === undefined ? undefined : await store.apiKeys.find({ key: apiKey })
    const app = await appOf(appId, key?.appId, 'AUTH_ERR_APIKEY_NOT_FOUND')
    if (apiKey === undefined) throw new AppError(isManagement ? 'AUTH_ERR_EMPTY_AUTH_HEADER' : 'AUTH_ERR_EMPTY_APIKEY')
    if (key?.appId !== app.id) throw new AppError('AUTH_ERR_APIKEY_NOT_FOUND')
    return { kind: 'key', app, apiKey, keyName: key.name, scope: key.scope }
  }

  const remembering = async (credentials: Credentials, cacheKey: string): Promise<Caller> => {
    const caller = await lookUp(credentials)
    if (believed.size >= CACHE_MAX) believed.clear()
    believed.set(cacheKey, { caller, untilMs: clock.now() + BELIEVED_MS })
    return caller
  }

  const authenticate = (credentials: Credentials): Caller | Promise<Caller> => {
    const cacheKey = cacheKeyOf(credentials)
    const known = believed.get(cacheKey)
    return known !== undefined && known.untilMs > clock.now() ? known.caller : remembering(credentials, cacheKey)
  }

  return Object.assign(authenticate, { forget: () => believed.clear() })
}

/** A key of scope `fullAccess` opens everything; one of scope `authOnly`, and users, what says so. */
export const assertAccess = (
  caller: Caller,
  route: { readonly access: KeyScope; readonly forUsers: boolean },
): void => {
  const isOpen = caller.kind === 'user' ? route.forUsers : caller.scope === 'fullAccess' || route.access === 'authOnly'
  if (!isOpen) throw new AppError('AUTH_ERR_NO_ACCESS')
}
