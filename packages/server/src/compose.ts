/**
 * The only place where parts meet. Opened in the order in which they need each other, closed in reverse: first nothing
 * new comes in, then what is under way ends, then the store goes.
 */
import { apiKeyRoutes } from './apps/api-keys.routes.ts'
import { makeAuthenticate } from './apps/authenticate.ts'
import { makeManageApiKeys } from './apps/manage-api-keys.ts'
import { botRoutes } from './bots/bots.routes.ts'
import { makeManageBots } from './bots/manage-bots.ts'
import type { Bus } from './bus/bus.ts'
import { openBus } from './bus/open-bus.ts'
import type { Config } from './config/schema.ts'
import { Dispatcher } from './delivery/dispatcher.ts'
import { makeAddressGuard } from './delivery/guard.ts'
import type { Handover } from './delivery/handover.ts'
import type { RetrySchedule } from './delivery/schedule.ts'
import { makeSender } from './delivery/sender.ts'
import { groupRoutes } from './groups/groups.routes.ts'
import { makeManageGroups } from './groups/manage-groups.ts'
import { makeManageMembers } from './groups/manage-members.ts'
import { memberRoutes } from './groups/members.routes.ts'
import { openApiOf } from './http/openapi.ts'
import type { Route } from './http/route.ts'
import { buildServer } from './http/server.ts'
import { AppError } from './kernel/app-error.ts'
import { type Clock, systemClock, toSeconds } from './kernel/clock.ts'
import { type Ids, makeIds } from './kernel/ids.ts'
import { ignoring } from './kernel/ignoring.ts'
import type { Logger } from './kernel/logger.ts'
import { type Random, systemRandom } from './kernel/random.ts'
import { makeChangeMessages } from './messages/change-message.ts'
import { makeListMessages } from './messages/list-messages.ts'
import { messageRoutes } from './messages/messages.routes.ts'
import { makeSendMessage } from './messages/send-message.ts'
import { openStore } from './storage/open-store.ts'
import type { Store } from './storage/store.ts'
import { authTokenRoutes } from './users/auth-tokens.routes.ts'
import { makeManageAuthTokens } from './users/manage-auth-tokens.ts'
import { makeManageUsers } from './users/manage-users.ts'
import { userRoutes } from './users/users.routes.ts'
import { VERSION } from './version.ts'
import { type Metrics, makeMetrics } from './workers/metrics.ts'
import { makeSweeper } from './workers/sweeper.ts'

/** Subject on which nodes tell those who deliver that a lane is due. */
const LANES_WAITING = 'lanes.waiting'

export interface World {
  readonly log: Logger
  readonly clock?: Clock
  readonly random?: Random
  readonly retrySchedule?: RetrySchedule
}

export interface Server {
  /** Where it listens. */
  readonly url: string
  readonly store: Store
  readonly ids: Ids
  /** Takes nothing new, lets what is under way end, gives back what it holds. After the grace, as `abort`. */
  stop(): Promise<void>
  /** Does not wait for what is under way. */
  abort(): Promise<void>
}

interface Kernel {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly random: Random
  readonly retrySchedule: RetrySchedule | undefined
}

const buildDispatcher = (config: Config, store: Store, metrics: Metrics, kernel: Kernel): Dispatcher => {
  const { clock, ids, log, random, retrySchedule } = kernel
  const guard = makeAddressGuard({ allow: config.callbackAllowCidrs })
  return new Dispatcher({
    store,
    sender: makeSender({ guard, clock, userAgent: `Confab/${VERSION}` }),
    clock,
    ids,
    random,
    log,
    metrics,
    maxInFlight: config.callbackConcurrency,
    maxPerBot: config.botConcurrency,
    timeoutMs: config.callbackTimeoutMs,
    ...(retrySchedule && { schedule: retrySchedule }),
  })
}

/** A node that delivers takes idle lanes over at once; what it has no room for, and all of one that does not, is told to the others. */
const handoverOf = (dispatcher: Dispatcher | undefined, bus: Bus): Handover => ({
  claimer: () => dispatcher?.claimer(),
  accept: (claims, waiting) => {
    dispatcher?.accept(claims, waiting)
    if (waiting > 0) bus.publish(LANES_WAITING, '')
  },
})

const buildRoutes = (
  config: Config,
  store: Store,
  parts: { handover: Handover; metrics: Metrics; kernel: Kernel; onKeysChanged: () => void; onBotsChanged: () => void },
): readonly Route[] => {
  const { clock, ids } = parts.kernel
  const { region } = config
  const send = makeSendMessage({
    store,
    clock,
    ids,
    region,
    handover: parts.handover,
    onAccepted: () => parts.metrics.accepted(),
  })
  return [
    ...apiKeyRoutes(makeManageApiKeys({ store, clock, ids, onChange: parts.onKeysChanged })),
    ...userRoutes(makeManageUsers({ store, clock, ids })),
    ...authTokenRoutes(makeManageAuthTokens({ store, clock, ids })),
    ...groupRoutes(makeManageGroups({ store, clock })),
    ...memberRoutes(makeManageMembers({ store, clock })),
    ...messageRoutes({ send, change: makeChangeMessages({ store, clock }), list: makeListMessages({ store }) }),
    ...botRoutes(makeManageBots({ store, clock, ids, onChange: parts.onBotsChanged }), send),
  ]
}

/** The table of routes without a server: for documents and for tests over the whole table. */
export const routeTable = (config: Config, store: Store): readonly Route[] => {
  const kernel: Kernel = {
    clock: systemClock,
    ids: makeIds(systemClock),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    random: systemRandom,
    retrySchedule: undefined,
  }
  const nothing = (): void => {}
  const handover: Handover = { claimer: () => undefined, accept: nothing }
  return buildRoutes(config, store, {
    handover,
    metrics: makeMetrics(),
    kernel,
    onKeysChanged: nothing,
    onBotsChanged: nothing,
  })
}

/** The app and keys of the configuration, made or found again. */
const ensureConfiguredApp = async (config: Config, store: Store, clock: Clock): Promise<void> => {
  const { appId, restApiKey, authKey } = config
  if (appId === undefined) return
  await store.apps.ensure({
    id: appId,
    name: appId,
    keys: [
      ...(restApiKey === undefined ? [] : [{ key: restApiKey, name: 'Rest API Key', scope: 'fullAccess' as const }]),
      ...(authKey === undefined ? [] : [{ key: authKey, name: 'Auth Key', scope: 'authOnly' as const }]),
    ],
    now: toSeconds(clock.now()),
  })
}

/** Ends what is under way, but no later than after the grace. */
const stopInTime = async (
  steps: readonly (() => Promise<void>)[],
  abort: () => Promise<void>,
  graceMs: number,
): Promise<void> => {
  const timer = setTimeout(() => void abort(), graceMs)
  try {
    for (const step of steps) await step()
  } finally {
    clearTimeout(timer)
  }
}

export const compose = async (config: Config, world: World): Promise<Server> => {
  const { log, clock = systemClock, random = systemRandom, retrySchedule } = world
  const ids = makeIds(clock)
  const kernel: Kernel = { clock, ids, log, random, retrySchedule }
  const { store, migration } = await openStore({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, log })
  if (migration.before !== migration.after) log.info({ ...migration, engine: store.engine }, 'store.migrated')
  await ensureConfiguredApp(config, store, clock)
  const metrics = makeMetrics()
  const bus = await openBus({ busUrl: config.busUrl, databaseUrl: config.databaseUrl, log })

  const dispatcher = config.roles.includes('delivery') ? buildDispatcher(config, store, metrics, kernel) : undefined
  // Nobody else can hold a lease in a store that one process owns.
  if (store.engine === 'sqlite') await store.lanes.seizeAll({ nowMs: clock.now() })
  if (dispatcher !== undefined) await bus.subscribe(LANES_WAITING, () => dispatcher.poke())
  metrics.watch({
    lanes: () => dispatcher?.lanes ?? 0,
    inFlight: () => dispatcher?.inFlight ?? 0,
    backlog: async () => {
      const { pending, oldestMs } = await store.lanes.backlog({})
      return { pending, oldestAgeSeconds: oldestMs === undefined ? 0 : (clock.now() - oldestMs) / 1000 }
    },
  })

  const authenticate = makeAuthenticate({ store, clock })
  const lookForWork = (): void => {
    dispatcher?.poke()
    bus.publish(LANES_WAITING, '')
  }
  const routes = config.roles.includes('api')
    ? buildRoutes(config, store, {
        handover: handoverOf(dispatcher, bus),
        metrics,
        kernel,
        onKeysChanged: authenticate.forget,
        onBotsChanged: lookForWork,
      })
    : []
  let stopping: Promise<void> | undefined
  const health = {
    ready: async () => {
      if (stopping !== undefined) throw new AppError('ERR_SERVICE_UNAVAILABLE')
      await store.apps.list({})
    },
  }
  const http = buildServer({
    routes,
    authenticate,
    clock,
    ids,
    log,
    metrics,
    health,
    openApi: openApiOf(routes, { version: VERSION }),
  })
  const sweeper = makeSweeper({ store, clock, log })
  const url = await http.listen({ host: config.host, port: config.port })
  dispatcher?.start()
  sweeper.start()

  const abort = async (): Promise<void> => {
    http.server.closeAllConnections()
    await dispatcher?.abort()
  }
  const stop = (): Promise<void> => {
    const steps = [
      () => http.close(),
      async () => dispatcher?.stop(),
      () => sweeper.stop(),
      () => bus.close(),
      () => store.close(),
    ]
    stopping ??= stopInTime(steps, abort, config.shutdownGraceMs)
    return stopping
  }
  return {
    url,
    store,
    ids,
    stop,
    abort: async () => {
      ignoring(stop(), 'the process ends anyway', log)
      await abort()
    },
  }
}
