/** The API of the server: every route with the use cases behind it, from what they are made of. */
import { ImportGroup, ImportMember, ImportMessage, ImportUser, type Limits, withLimits } from '@confab/protocol'
import { apiKeyRoutes } from './apps/api-keys.routes.ts'
import { auditRoutes } from './apps/audit.routes.ts'
import { makeListAudit } from './apps/audit.ts'
import { makeManageApiKeys } from './apps/manage-api-keys.ts'
import { botRoutes } from './bots/bots.routes.ts'
import { makeManageBots } from './bots/manage-bots.ts'
import { type FetchUpdates, makeFetchUpdates } from './bots/pull-updates.ts'
import { makeTestCallback } from './bots/test-callback.ts'
import { makeTypeAsBot } from './bots/type-as-bot.ts'
import { updateRoutes } from './bots/updates.routes.ts'
import type { Teller } from './callbacks/tell.ts'
import { callRoutes } from './calls/calls.routes.ts'
import { makeCalls } from './calls/make-calls.ts'
import { limitsOf } from './config/limits.ts'
import type { Config } from './config/schema.ts'
import { conversationRoutes } from './conversations/conversations.routes.ts'
import { makeManageConversations } from './conversations/manage-conversations.ts'
import { makeMarkMessages } from './conversations/mark-messages.ts'
import { deliveryRoutes } from './deliveries/deliveries.routes.ts'
import { makeManageDeliveries } from './deliveries/manage-deliveries.ts'
import { type AddressGuards, makeAddressGuards } from './delivery/guard.ts'
import { makeOwnAddresses } from './delivery/own-addresses.ts'
import { makeSender, type Sender } from './delivery/sender.ts'
import type { Uploads } from './files/announce-uploads.ts'
import { fileRoutes } from './files/files.routes.ts'
import { groupRoutes } from './groups/groups.routes.ts'
import { makeJoinGroups } from './groups/join-groups.ts'
import { joiningRoutes } from './groups/joining.routes.ts'
import { makeManageGroups } from './groups/manage-groups.ts'
import { makeManageMembers } from './groups/manage-members.ts'
import { memberRoutes } from './groups/members.routes.ts'
import { makeCheck } from './http/check.ts'
import type { Route } from './http/route.ts'
import { makeImportData } from './imports/import-data.ts'
import type { RowChecks } from './imports/import-row.ts'
import { importRoutes } from './imports/imports.routes.ts'
import { makeStreamImport } from './imports/stream-import.ts'
import type { BotId } from './kernel/actor.ts'
import { type Clock, systemClock } from './kernel/clock.ts'
import { type Ids, makeIds } from './kernel/ids.ts'
import type { Logger } from './kernel/logger.ts'
import { type Random, systemRandom } from './kernel/random.ts'
import { clearVault, type Vault } from './kernel/vault.ts'
import { type Live, makeLive } from './live/live.ts'
import { makeChangeMessages } from './messages/change-message.ts'
import { makeInteract } from './messages/interact.ts'
import { makeKeepMessages } from './messages/keep-messages.ts'
import { makeListMessages } from './messages/list-messages.ts'
import { messageMarkRoutes } from './messages/message-marks.routes.ts'
import { messageRoutes } from './messages/messages.routes.ts'
import { makeReact } from './messages/react.ts'
import type { SendMessageAs } from './messages/send-message.ts'
import { threadRoutes } from './messages/threads.routes.ts'
import { makeManageRoles } from './roles/manage-roles.ts'
import { permissionRoutes } from './roles/permissions.routes.ts'
import { roleRoutes } from './roles/roles.routes.ts'
import { makeMeasureUsage } from './stats/measure-usage.ts'
import { statsRoutes } from './stats/stats.routes.ts'
import type { Store } from './storage/store.ts'
import { authTokenRoutes } from './users/auth-tokens.routes.ts'
import { makeManageAuthTokens } from './users/manage-auth-tokens.ts'
import { makeManageMe, makeSettings } from './users/manage-me.ts'
import { makeManageRelations } from './users/manage-relations.ts'
import { makeManageUsers } from './users/manage-users.ts'
import { meRoutes } from './users/me.routes.ts'
import { relationRoutes } from './users/relations.routes.ts'
import { userRoutes } from './users/users.routes.ts'
import { VERSION } from './version.ts'
import { makeManageWebhooks } from './webhooks/manage-webhooks.ts'
import { webhookRoutes } from './webhooks/webhooks.routes.ts'

/** What everything is made with. */
export interface Kernel {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly random: Random
  readonly vault: Vault
}

const guardsOf = (config: Config): AddressGuards =>
  makeAddressGuards({ allow: config.callbackAllowCidrs, forBots: config.botCidrs, own: makeOwnAddresses() })

export const buildSender = (config: Config, { clock, vault }: Kernel): Sender =>
  makeSender({ guards: guardsOf(config), clock, userAgent: `Confab/${VERSION}`, vault })

export const makeImportChecks = (limits: Limits): RowChecks => ({
  user: makeCheck(withLimits(ImportUser, limits), 'user'),
  group: makeCheck(withLimits(ImportGroup, limits), 'group'),
  member: makeCheck(withLimits(ImportMember, limits), 'member'),
  message: makeCheck(withLimits(ImportMessage, limits), 'message'),
})

/** What is checked, and what `/openapi.json` says, is what this server takes. */
const limited =
  (limits: Limits) =>
  (route: Route): Route => ({
    ...route,
    query: route.query && withLimits(route.query, limits),
    body: route.body && withLimits(route.body, limits),
  })

export interface RouteParts {
  readonly store: Store
  readonly kernel: Kernel
  readonly send: SendMessageAs
  readonly sender: Sender
  readonly teller: Teller
  readonly live: Live
  readonly updates: FetchUpdates
  readonly uploads: Uploads
  /** Keys, tokens or users have changed: what was believed of credentials is to be forgotten. */
  readonly onCredentialsChanged: () => void
  /** What roles are kept from has changed. */
  readonly onRestrictionsChanged: () => void
  /** Deliveries that were over, or waited, are due. */
  readonly onWorkFound: () => void
  readonly onBotChanged: (bot: BotId) => void
  readonly onWebhooksChanged: () => void
  readonly onResume: (bot: BotId) => void
}

export const buildRoutes = (config: Config, parts: RouteParts): readonly Route[] => {
  const { store, kernel, send, sender, teller, live, updates, onCredentialsChanged, onResume } = parts
  const { region, showBotPassword: showPassword, callbackTimeoutMs: timeoutMs } = config
  const limits = limitsOf(config)
  const shared = { store, ...kernel, teller, live, limits }
  const calling = { ...shared, guards: guardsOf(config), showPassword, onChange: parts.onBotChanged, onResume }
  const bots = makeManageBots(calling)
  const deliveries = makeManageDeliveries({ ...shared, onChange: parts.onWorkFound })
  const onWebhooksChanged = (webhook: BotId): void => {
    parts.onWebhooksChanged()
    parts.onBotChanged(webhook)
  }
  const webhooks = makeManageWebhooks({ ...calling, onChange: onWebhooksChanged })
  const messages = { send, change: makeChangeMessages(shared), list: makeListMessages(shared) }
  const roles = makeManageRoles({ ...shared, onRestrictionsChanged: parts.onRestrictionsChanged })
  const members = makeManageMembers(shared)
  const settingsOf = makeSettings(config, kernel.clock)
  const data = makeImportData({ ...shared, checks: makeImportChecks(limits) })
  const testCallback = makeTestCallback({ ...shared, sender, region, timeoutMs })
  const routes = [
    ...apiKeyRoutes(makeManageApiKeys({ ...shared, onChange: onCredentialsChanged })),
    ...auditRoutes(makeListAudit(shared)),
    ...userRoutes(makeManageUsers({ ...shared, onGone: onCredentialsChanged, onResume })),
    ...meRoutes({ me: makeManageMe({ ...shared, settingsOf }), settingsOf }),
    ...relationRoutes(makeManageRelations(shared)),
    ...authTokenRoutes(makeManageAuthTokens({ ...shared, onChange: onCredentialsChanged })),
    ...roleRoutes(roles),
    ...permissionRoutes(roles),
    ...groupRoutes(makeManageGroups(shared)),
    ...memberRoutes(members),
    ...joiningRoutes({ members, join: makeJoinGroups(shared) }),
    ...messageRoutes(messages),
    ...threadRoutes({ store, ...messages }),
    ...messageMarkRoutes({
      ...{ ...shared, react: makeReact(shared) },
      ...{ interact: makeInteract(shared), keep: makeKeepMessages(shared) },
    }),
    ...conversationRoutes(makeManageConversations({ ...shared, mark: makeMarkMessages(shared) })),
    ...callRoutes(makeCalls(shared)),
    ...fileRoutes(parts.uploads),
    ...botRoutes({ bots, testCallback, sendMessage: send, type: makeTypeAsBot(shared) }),
    ...updateRoutes(updates),
    ...importRoutes({ data, stream: makeStreamImport({ ...shared, data }) }),
    ...statsRoutes(makeMeasureUsage(shared)),
    ...deliveryRoutes(deliveries),
    ...webhookRoutes({ webhooks, testCallback, deliveries }),
  ]
  return routes.map(limited(limits))
}

/** The table of routes without a server: for documents and for tests over the whole table. */
export const routeTable = (config: Config, store: Store): readonly Route[] => {
  const kernel: Kernel = {
    clock: systemClock,
    ids: makeIds(systemClock),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    random: systemRandom,
    vault: clearVault,
  }
  const nothing = (): void => {}
  return buildRoutes(config, {
    store,
    kernel,
    send: () => Promise.reject(new Error('there is no server')),
    sender: buildSender(config, kernel),
    teller: {
      telling: () => {
        throw new Error('there is no server')
      },
      told: nothing,
    },
    live: makeLive({ bus: { publish: nothing } }),
    updates: makeFetchUpdates({ store, ...kernel }),
    uploads: {
      announce: () => Promise.reject(new Error('there is no server')),
      expected: () => Promise.reject(new Error('there is no server')),
      complete: () => Promise.reject(new Error('there is no server')),
    },
    onCredentialsChanged: nothing,
    onRestrictionsChanged: nothing,
    onWorkFound: nothing,
    onBotChanged: nothing,
    onWebhooksChanged: nothing,
    onResume: nothing,
  })
}
