import { type AppId, type Bot, type CreateBot, parseUid, type Uid, type UpdateBot } from '@confab/protocol'
import { callbackUrlProblem } from '../delivery/guard.ts'
import { badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Store } from '../storage/store.ts'

export interface ManageBots {
  create(appId: AppId, body: CreateBot): Promise<Bot>
  get(appId: AppId, uid: Uid): Promise<Bot>
  list(input: { appId: AppId; searchKey?: string; isAIBot: boolean; page: PageRequest }): Promise<Page<Bot>>
  update(appId: AppId, uid: Uid, body: UpdateBot): Promise<Bot>
  /** What was not delivered is cancelled; the user and the messages stay. */
  remove(appId: AppId, uid: Uid): Promise<void>
}

const assertCallbackUrl = (url: string): void => {
  const problem = callbackUrlProblem(url)
  if (problem !== undefined) throw badRequest({ webhookURL: problem })
}

export const makeManageBots = (deps: {
  store: Pick<Store, 'bots'>
  clock: Clock
  ids: Ids
  /** Called when a bot may have work that waited for the change. */
  onChange: () => void
}): ManageBots => {
  const { store, clock, ids, onChange } = deps
  return {
    create: async (appId, body) => {
      assertCallbackUrl(body.webhookURL)
      // The contract throws credentials away on creation unless they are to be used.
      const { useBasicAuth = false } = body
      const nowMs = clock.now()
      return store.bots.create({
        appId,
        uid: parseUid(body.uid),
        callbackUrl: body.webhookURL,
        groupChatSetting: body.groupChatSetting ?? 'none',
        enabled: body.enabled ?? false,
        useBasicAuth,
        username: useBasicAuth ? (body.username ?? null) : null,
        password: useBasicAuth ? (body.password ?? null) : null,
        secret: ids.signingSecret(),
        now: toSeconds(nowMs),
        nowMs,
      })
    },

    get: (appId, uid) => store.bots.find({ appId, uid }),

    list: (input) => store.bots.list(input),

    update: async (appId, uid, { webhookURL, ...settings }) => {
      if (webhookURL !== undefined) assertCallbackUrl(webhookURL)
      const bot = await store.bots.update({
        ...definedOf(settings),
        appId,
        uid,
        now: toSeconds(clock.now()),
        ...(webhookURL !== undefined && { callbackUrl: webhookURL }),
      })
      onChange()
      return bot
    },

    remove: (appId, uid) => store.bots.remove({ appId, uid, nowMs: clock.now() }),
  }
}
