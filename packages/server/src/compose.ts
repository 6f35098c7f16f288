/**
 * The only place where parts meet. Opened in the order in which they need each other, closed in reverse: first nothing
 * new comes in, then what is under way ends, then the store goes.
 */
import { type Limits, SendMessage, withLimits } from '@confab/protocol'
import type { FastifyInstance } from 'fastify'
import { buildRoutes, buildSender, type Kernel } from './api.ts'
import { makeAuditOf } from './apps/audit.ts'
import { makeAuthenticate } from './apps/authenticate.ts'
import { openVault } from './bots/open-vault.ts'
import { makeFetchUpdates } from './bots/pull-updates.ts'
import { resealSecrets } from './bots/reseal.ts'
import type { Bus } from './bus/bus.ts'
import { openBus } from './bus/open-bus.ts'
import { makePostReplies } from './callbacks/replies.ts'
import { makeTeller, type Teller } from './callbacks/tell.ts'
import { makeWatchStream } from './callbacks/watch-stream.ts'
import { limitsOf } from './config/limits.ts'
import type { Config } from './config/schema.ts'
import { makeMarkMessages } from './conversations/mark-messages.ts'
import type { CallbackPolicy } from './delivery/attempt.ts'
import { Dispatcher } from './delivery/dispatcher.ts'
import { Hints } from './delivery/hints.ts'
import type { Sender } from './delivery/sender.ts'
import { buildFiles, type FileParts } from './files/build-files.ts'
import { openFileStore } from './files/open-file-store.ts'
import { Gateway } from './gateway/gateway.ts'
import { Logins } from './gateway/logins.ts'
import { makeCheck } from './http/check.ts'
import { makeMayConnect } from './http/cors.ts'
import { watchLogins } from './http/logins.ts'
import { makeMessageForm } from './http/message-form.ts'
import { openApiOf } from './http/openapi.ts'
import { makeTakeAllowance } from './http/rate-limit.ts'
import { makeAddressOf, makeIsTrusted, makeReachedAt } from './http/reached-at.ts'
import { buildServer } from './http/server.ts'
import { serveUpgrades } from './http/upgrades.ts'
import { type Clock, systemClock, toSeconds } from './kernel/clock.ts'
import { type Ids, makeIds } from './kernel/ids.ts'
import { ignoring } from './kernel/ignoring.ts'
import type { Logger } from './kernel/logger.ts'
import { type Random, systemRandom } from './kernel/random.ts'
import type { Vault } from './kernel/vault.ts'
import { type Live, makeLive } from './live/live.ts'
import type { AskBefore } from './messages/ask-before.ts'
import { makeSendMessage, type SendMessageAs } from './messages/send-message.ts'
import { makeRestrictions } from './roles/restrictions.ts'
import { openStore } from './storage/open-store.ts'
import type { Store } from './storage/store.ts'
import { type Certificate, openCertificate } from './tls/certificate.ts'
import { makeCountOnline } from './users/count-online.ts'
import { makeCheckPass } from './users/pass.ts'
import { VERSION } from './version.ts'
import { type BeforeMessage, makeBeforeMessage } from './webhooks/before-message.ts'
import { FileSweeper } from './workers/file-sweeper.ts'
import { type Metrics, makeMetrics } from './workers/metrics.ts'
import { Sweeper } from './workers/sweeper.ts'

export interface World {
  readonly log: Logger
  readonly clock?: Clock
  readonly random?: Random
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

interface Parts {
  readonly store: Store
  readonly bus: Bus
  readonly live: Live
  readonly metrics: Metrics
  readonly kernel: Kernel
  readonly fileParts: FileParts
  readonly certificate: Certificate | undefined
  readonly limits: Limits
}

const policyOf = (config: Config): CallbackPolicy => ({
  timeoutMs: config.callbackTimeoutMs,
  maxConcurrency: config.botConcurrency,
  schedule: { delaysMs: config.retryDelaysMs, maxAgeMs: config.retryForMs },
  poisonPolicy: config.poisonPolicy,
  breaker: {
    failureRate: config.breakerFailurePercent / 100,
    minAttempts: config.breakerMinAttempts,
    openMs: config.breakerOpenMs,
  },
})

const buildSend = ({ store, metrics, live, limits }: Parts, teller: Teller, asking: AskBefore): SendMessageAs =>
  makeSendMessage({ store, teller, live, asking, limits, onAccepted: () => metrics.accepted() })

/** The app and keys of the configuration, made or found again. */
export const ensureConfiguredApp = async (config: Config, store: Store, clock: Clock): Promise<void> => {
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

/** A store that one process owns is sealed with one key from its start; several nodes change keys by `confab migrate`. */
const openSecrets = async (config: Config, parts: { store: Store; clock: Clock; log: Logger }): Promise<Vault> => {
  const { store, log } = parts
  const vault = await openVault({ ...config, ...parts })
  if (vault.keyId === undefined) {
    log.warn({ fix: 'Set CONFAB_MASTER_KEY on every node, and run confab migrate.' }, 'secrets.in_clear')
  } else if (store.engine === 'sqlite') {
    const sealed = await resealSecrets({ store, vault, log })
    if (sealed > 0) log.info({ sealed, keyId: vault.keyId }, 'secrets.encrypted')
  }
  return vault
}

/** What was opened, closed in reverse. */
class Opened {
  readonly #closers: (() => Promise<void>)[] = []

  add(close: () => Promise<void>): void {
    this.#closers.unshift(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0)) await close()
  }
}

interface Sending {
  readonly sender: Sender
  readonly send: SendMessageAs
  readonly asking: BeforeMessage
  readonly teller: Teller
  readonly hints: Hints
}

const buildDispatcher = (
  config: Config,
  { store, live, metrics, kernel, limits }: Parts,
  { sender, send, hints }: Sending,
): Dispatcher =>
  new Dispatcher({
    store,
    ...kernel,
    sender,
    metrics,
    maxInFlight: config.callbackConcurrency,
    defaults: policyOf(config),
    watchStream: makeWatchStream({ store, live, log: kernel.log }),
    postReplies: makePostReplies({ store, send, checkMessage: makeCheck(withLimits(SendMessage, limits), 'reply') }),
    leaseMs: config.leaseMs,
    onPassed: hints.hasPassed,
  })

const openDelivery = async (config: Config, parts: Parts, sending: Sending): Promise<Dispatcher | undefined> => {
  const { store, metrics, kernel } = parts
  const { clock } = kernel
  // Nobody else can hold a lease in a store that one process owns.
  if (store.engine === 'sqlite') await store.lanes.seizeAll({ nowMs: clock.now() })
  const dispatcher = config.roles.includes('delivery') ? buildDispatcher(config, parts, sending) : undefined
  if (dispatcher !== undefined) await sending.hints.reachDispatcher(dispatcher)
  metrics.watch({
    lanes: () => dispatcher?.lanes ?? 0,
    inFlight: () => dispatcher?.inFlight ?? 0,
    backlog: async () => {
      const { pending, oldestMs } = await store.lanes.backlog({})
      return { pending, oldestAgeSeconds: oldestMs === undefined ? 0 : (clock.now() - oldestMs) / 1000 }
    },
  })
  return dispatcher
}

/** What is kept for a time; answers what ends it. */
const startSweepers = (config: Config, { store, kernel }: { store: Store; kernel: Kernel }): (() => Promise<void>) => {
  const { clock, log } = kernel
  const sweepers = [
    new Sweeper({
      ...{ clock, keepMs: config.deliveryRetentionMs },
      sweep: (beforeMs, limit) => store.deliveries.sweep({ beforeMs, limit }),
      onSwept: (swept) => log.debug({ swept }, 'deliveries.swept'),
      onFailed: (err) => log.warn({ err, consequence: 'old deliveries stay for now' }, 'deliveries.sweep_failed'),
    }),
    new Sweeper({
      ...{ clock, keepMs: config.auditRetentionMs },
      sweep: (beforeMs, limit) => store.audit.sweep({ before: toSeconds(beforeMs), limit }),
      onSwept: (swept) => log.debug({ swept }, 'audit.swept'),
      onFailed: (err) => log.warn({ err, consequence: 'old entries stay for now' }, 'audit.sweep_failed'),
    }),
  ]
  if (config.roles.includes('delivery')) for (const sweeper of sweepers) sweeper.start()
  return async () => {
    await Promise.all(sweepers.map((sweeper) => sweeper.stop()))
  }
}

/** Whoever takes files removes them; answers what ends it. */
const startFileSweeper = async (config: Config, parts: Parts): Promise<() => Promise<void>> => {
  if (!config.roles.includes('api')) return () => Promise.resolve()
  const { store, kernel, fileParts } = parts
  const sweeper = new FileSweeper({ ...kernel, ...fileParts, isAlone: store.engine === 'sqlite' })
  await sweeper.start()
  return () => sweeper.stop()
}

/** Who is at the other end, and where they have found us. */
const makeEdge = ({ publicUrl, trustedProxies }: Config) => {
  const isTrusted = makeIsTrusted(trustedProxies)
  return { isTrusted, reachedAt: makeReachedAt({ publicUrl, isTrusted }), addressOf: makeAddressOf({ isTrusted }) }
}
type Edge = ReturnType<typeof makeEdge>

const openHttp = async (
  config: Config,
  { store, live, metrics, kernel, fileParts, certificate, limits }: Parts,
  { sender, send, asking, teller, hints }: Sending,
  edge: Edge,
): Promise<FastifyInstance> => {
  const { clock, ids, log } = kernel
  const authenticate = makeAuthenticate({ store, clock })
  const assertOpenFor = makeRestrictions({ store, clock })
  const updates = makeFetchUpdates({ store, ...kernel })
  const routes = config.roles.includes('api')
    ? buildRoutes(config, {
        store,
        kernel,
        send,
        sender,
        teller,
        live,
        updates,
        uploads: fileParts.uploads,
        onCredentialsChanged: authenticate.forget,
        onRestrictionsChanged: assertOpenFor.forget,
        onWorkFound: hints.lookForWork,
        onBotChanged: hints.hasChanged,
        onWebhooksChanged: asking.forget,
        onResume: hints.isWell,
      })
    : []
  if (routes.length > 0) await hints.reachFetchers(updates.wake)
  const health = {
    ready: async () => {
      await store.apps.list({})
    },
  }
  const openApi = (): object => openApiOf(routes, { version: VERSION })
  const { isTrusted, reachedAt } = edge
  const messageForm = makeMessageForm({ ...fileParts, ...config, limits })
  const files = { store, ...fileParts, clock, maxUploadBytes: config.maxUploadBytes }
  const http = buildServer({
    ...{ routes, authenticate, assertOpenFor, clock, ids, log, metrics, health, openApi, messageForm },
    makeServer: certificate && ((handler, options) => certificate.makeServer(handler, options)),
    ...{ corsOrigins: config.corsOrigins, isTrusted, reachedAt },
    bodyBytes: limits.bodyBytes,
    files: routes.length > 0 ? files : undefined,
    online: { checkPass: makeCheckPass({ store }), countOnline: makeCountOnline({ store }) },
    auditOf: makeAuditOf({ store, clock, log }),
    takeAllowance: makeTakeAllowance(config, clock),
  })
  return http
}

/** Sockets are opened on the port of the API. */
const openGateway = async (
  config: Config,
  { store, bus, live, metrics, kernel }: Parts,
  { http, teller, edge }: { http: FastifyInstance; teller: Teller; edge: Edge },
): Promise<Gateway | undefined> => {
  if (!config.roles.includes('gateway')) return undefined
  const { clock, ids, log } = kernel
  const logins = new Logins(clock)
  watchLogins(http.server, logins, edge.addressOf)
  const gateway = new Gateway({
    ...{ store, bus, live, teller, clock, log, metrics, logins },
    options: {
      path: config.gatewayPath,
      maxFrame: config.gatewayMaxFrame,
      maxBuffered: config.gatewayMaxBuffered,
      framesPerSecond: config.gatewayFramesPerSecond,
      maxPresenceUsers: config.gatewayPresenceUsers,
    },
    mark: makeMarkMessages({ store, teller, live }),
    checkPass: makeCheckPass({ store }),
    mayConnect: makeMayConnect({ origins: config.corsOrigins, reachedAt: edge.reachedAt }),
    addressOf: edge.addressOf,
    node: ids.node(),
  })
  await gateway.start()
  return gateway
}

export const compose = async (config: Config, world: World): Promise<Server> => {
  const { log, clock = systemClock, random = systemRandom } = world
  const ids = makeIds(clock)
  const opened = new Opened()
  let stopping: Promise<void> | undefined
  try {
    const { databaseUrl, dataDir } = config
    const limits = limitsOf(config)
    const { store, migration } = await openStore({ databaseUrl, dataDir, limits, log })
    opened.add(() => store.close())
    if (migration.before !== migration.after) log.info({ ...migration, engine: store.engine }, 'store.migrated')
    const vault = await openSecrets(config, { store, clock, log })
    const kernel: Kernel = { clock, ids, log, random, vault }
    await ensureConfiguredApp(config, store, clock)
    const bus = await openBus({ busUrl: config.busUrl, databaseUrl, log })
    opened.add(() => bus.close())
    const metrics = makeMetrics()
    const certificate = await openCertificate(config, { clock, log })
    opened.add(async () => certificate?.close())
    if (certificate !== undefined) metrics.watchCertificate(() => certificate.notAfterMs / 1000)
    const files = openFileStore(config, { log })
    opened.add(() => files.close())
    const fileParts = buildFiles({ ...config, limits }, { store, files, ...kernel })
    const parts = { store, bus, live: makeLive({ bus }), metrics, kernel, fileParts, certificate, limits }
    const hints = new Hints(bus, ids)
    const { region, botHopLimit: hopLimit } = config
    const teller = makeTeller({ ...kernel, region, hopLimit, handover: hints.handover, onUpdate: hints.hasUpdate })
    const sender = buildSender(config, kernel)
    const { beforeMessageOnFailure: onFailure } = config
    const asking = makeBeforeMessage({ store, sender, ...kernel, metrics, region, onFailure })
    const sending = { sender, send: buildSend(parts, teller, asking), asking, teller, hints }
    opened.add(() => sending.sender.close())
    const dispatcher = await openDelivery(config, parts, sending)
    opened.add(async () => dispatcher?.stop())
    opened.add(startSweepers(config, parts))
    opened.add(await startFileSweeper(config, parts))
    const edge = makeEdge(config)
    const http = await openHttp(config, parts, sending, edge)
    const gateway = await openGateway(config, parts, { http, teller, edge })
    serveUpgrades(http, gateway)
    opened.add(async () => {
      await Promise.all([http.close(), gateway?.stop(), dispatcher?.drain()])
    })
    const listening = await http.listen({ host: config.host, port: config.port })
    const url = certificate === undefined ? listening : listening.replace(/^http:/, 'https:')
    dispatcher?.start()

    const abort = async (): Promise<void> => {
      gateway?.abort()
      http.server.closeAllConnections()
      await dispatcher?.abort()
    }
    const stop = (): Promise<void> => {
      if (stopping === undefined) {
        const late = setTimeout(() => ignoring(abort(), 'the stop goes on', log), config.shutdownGraceMs)
        stopping = opened.close().finally(() => clearTimeout(late))
      }
      return stopping
    }
    return {
      url,
      store,
      ids,
      stop,
      abort: async () => {
        ignoring(stop(), 'told by who called stop', log)
        await abort()
      },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}
