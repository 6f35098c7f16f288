import type { AppId, AuthToken, Uid } from '@confab/protocol'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Ids } from '../kernel/ids.ts'
import { jsonText } from '../kernel/json.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Live } from '../live/live.ts'
import type { Store } from '../storage/store.ts'

interface DeviceFields {
  readonly platform?: string
  readonly userAgent?: string
  readonly appInfo?: Record<string, unknown>
}

interface TokenOf {
  readonly appId: AppId
  readonly uid: Uid
  readonly token: string
}

export interface ManageAuthTokens {
  /** Without `force` a token that the user has already will do. */
  create(appId: AppId, uid: Uid, body: DeviceFields & { force?: boolean }): Promise<AuthToken>
  get(input: TokenOf): Promise<AuthToken>
  list(input: { appId: AppId; uid: Uid; page: PageRequest }): Promise<Page<AuthToken>>
  update(input: TokenOf, body: DeviceFields): Promise<AuthToken>
  remove(input: TokenOf): Promise<void>
  removeAll(appId: AppId, uid: Uid): Promise<void>
}

/** `<uid>_` + unix seconds + 30 hexadecimal digits, as the contract's tokens look. */
export const newAuthToken = (uid: Uid, now: number, ids: Ids): string => `${uid}_${now}${ids.authToken()}`

export const makeManageAuthTokens = (deps: {
  store: Pick<Store, 'authTokens'>
  clock: Clock
  ids: Ids
  onChange: () => void
  live: Pick<Live, 'stale'>
}): ManageAuthTokens => {
  const { store, clock, ids, onChange, live } = deps
  const gone = ({ appId, uid }: { appId: AppId; uid: Uid }): void => {
    onChange()
    live.stale(appId, uid, 'credentials')
  }
  return {
    create: (appId, uid, body) => {
      const now = toSeconds(clock.now())
      return store.authTokens.create({
        appId,
        uid,
        token: newAuthToken(uid, now, ids),
        fresh: body.force ?? false,
        platform: body.platform ?? null,
        userAgent: body.userAgent ?? null,
        appInfo: jsonText(body.appInfo),
        now,
      })
    },
    get: (input) => store.authTokens.find(input),
    list: (input) => store.authTokens.list(input),
    update: (input, { appInfo, ...body }) =>
      store.authTokens.update({
        ...definedOf(body),
        ...input,
        ...(appInfo !== undefined && { appInfo: jsonText(appInfo) }),
      }),
    remove: async (input) => {
      await store.authTokens.remove(input)
      gone(input)
    },
    removeAll: async (appId, uid) => {
      await store.authTokens.removeAll({ appId, uid })
      gone({ appId, uid })
    },
  }
}
