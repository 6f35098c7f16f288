import type { ApiKey, AppId, KeyScope } from '@confab/protocol'
import { AppError } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Store } from '../storage/store.ts'
import type { Caller } from './authenticate.ts'

interface Change {
  readonly appId: AppId
  /** The key to change. */
  readonly key: string
  /** Who makes the request: a key cannot change itself. */
  readonly by: Caller
}

export interface ManageApiKeys {
  create(input: { appId: AppId; name: string; scope?: KeyScope }): Promise<ApiKey>
  get(input: { appId: AppId; key: string }): Promise<ApiKey>
  list(input: { appId: AppId; scope?: KeyScope; searchKey?: string; page: PageRequest }): Promise<Page<ApiKey>>
  update(input: Change & { name?: string; scope?: KeyScope }): Promise<ApiKey>
  remove(input: Change): Promise<void>
}

export const makeManageApiKeys = (deps: {
  store: Pick<Store, 'apiKeys'>
  clock: Clock
  ids: Ids
  onChange: () => void
}): ManageApiKeys => {
  const { store, clock, ids, onChange } = deps
  const assertOther = ({ key, by }: Change): void => {
    if (by.kind === 'key' && by.apiKey === key) throw new AppError('ERR_APIKEY_NO_SELF_ACTION')
  }
  return {
    create: ({ appId, name, scope = 'authOnly' }) =>
      store.apiKeys.create({ appId, key: ids.apiKey(), name, scope, now: toSeconds(clock.now()) }),

    get: async ({ appId, key }) => {
      const found = await store.apiKeys.find({ key })
      if (found?.appId !== appId) throw new AppError('ERR_APIKEY_NOT_FOUND')
      return found
    },

    list: (input) => store.apiKeys.list(input),

    update: async (input) => {
      assertOther(input)
      const updated = await store.apiKeys.update(input)
      onChange()
      return updated
    },

    remove: async (input) => {
      assertOther(input)
      await store.apiKeys.remove(input)
      onChange()
    },
  }
}
