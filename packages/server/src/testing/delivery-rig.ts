/**
 * Dispatchers on a real store, sending to real receivers on loopback. What becomes of a delivery is read from the
 * store's file, beside the store. Time stands still where it is the server's; timers run.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BreakerLimits } from '../delivery/breaker.ts'
import { Dispatcher, type DispatcherDeps } from '../delivery/dispatcher.ts'
import { makeAddressGuards } from '../delivery/guard.ts'
import type { RetrySchedule } from '../delivery/schedule.ts'
import { makeSender, type Sender } from '../delivery/sender.ts'
import type { CallbackSettings } from '../storage/sql/delivery/bots.ts'
import { openSqliteStore } from '../storage/sqlite/sqlite-store.ts'
import type { Store } from '../storage/store.ts'
import { makeHeldClock, makeWorld, type Sent, type World } from './builders.ts'
import {
  type Behave,
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from './callback-receiver.ts'
import { readStore } from './read-store.ts'

export interface DeliveryStore {
  readonly store: Store
  readonly dataDir: string
  close(): Promise<void>
}

export const openDeliveryStore = async (): Promise<DeliveryStore> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'confab-delivery-'))
  const { store } = await openSqliteStore({ dataDir })
  return {
    store,
    dataDir,
    close: async () => {
      await store.close()
      rmSync(dataDir, { recursive: true })
    },
  }
}

export type Lanes = Store['lanes']

export interface DeliveryRigOptions extends Partial<Omit<DispatcherDeps, 'defaults'>> {
  /** Attempts under way for one bot. */
  readonly maxPerBot?: number
  readonly schedule?: RetrySchedule
  readonly breaker?: BreakerLimits
  /** Lays faults over the lanes of the store: what fails, or answers late. */
  readonly faults?: (lanes: Lanes) => Partial<Lanes>
  /** Lays delays over the sender. */
  readonly slowed?: (sender: Sender) => Sender
}

export interface LaneState {
  readonly id: number
  readonly conversation: string
  readonly pending: number
  readonly dueAtMs: number | null
  readonly lease: string | null
}

export interface DeliveryRig {
  readonly w: World
  readonly dispatcher: Dispatcher
  /** Events logged, as `level event`. */
  readonly log: readonly string[]
  readonly metrics: readonly string[]
  /** A bot with a receiver of its own. */
  bot(uid: string, behave?: Behave, settings?: Partial<CallbackSettings>): Promise<CallbackReceiver>
  /** As the accept path does it: claims what is idle, and hands it over. */
  say(message: Sent): Promise<void>
  /** Into the store, without any hint. */
  leave(message: Sent): Promise<void>
  /** By conversation. */
  lanes(): Promise<readonly LaneState[]>
  /** `conversation/sequence state attempts`, in that order. */
  deliveries(): Promise<string[]>
  /** `conversation/sequence number outcome`, in the order in which they were put on record. */
  attempts(): Promise<string[]>
  /** What is wrong with attempts, likewise. */
  errors(): Promise<string[]>
  dispose(): Promise<void>
}

export const textOf = ({ json }: ReceivedCallback): string =>
  (json as { data: { data: { text: string } } }).data.data.text // a text message: see `makeWorld`

export const textsOf = (received: readonly ReceivedCallback[]): string[] => received.map(textOf)

/** Resolves when it is told to. */
export const makeGate = (): { readonly opened: Promise<void>; open(): void } => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

const LANES_SQL = `SELECT id, conversation_id AS conversation, pending, due_at_ms AS dueAtMs, lease_id AS lease FROM lanes`
const DELIVERIES_SQL = `FROM deliveries d JOIN lanes l ON l.id = d.lane_id`

const readings = (
  dataDir: string,
  appId: string,
): Pick<DeliveryRig, 'lanes' | 'deliveries' | 'attempts' | 'errors'> => {
  const ofApp = `l.app_id = '${appId}'`
  const place = `l.conversation_id || '/' || d.sequence || ' '`
  const lines = async (sql: string): Promise<string[]> =>
    (await readStore<{ line: string }>({ dataDir }, sql)).map(({ line }) => line)
  return {
    lanes: () => readStore<LaneState>({ dataDir }, `${LANES_SQL} l WHERE ${ofApp} ORDER BY conversation_id`),
    deliveries: () =>
      lines(
        `SELECT ${place} || d.state || ' ' || d.attempts AS line ${DELIVERIES_SQL}
         WHERE ${ofApp} ORDER BY l.conversation_id, d.sequence`,
      ),
    attempts: () =>
      lines(
        `SELECT ${place} || a.number || ' ' || a.outcome AS line ${DELIVERIES_SQL}
         JOIN attempts a ON a.delivery_id = d.id WHERE ${ofApp} ORDER BY a.id`,
      ),
    errors: () =>
      lines(
        `SELECT a.error AS line ${DELIVERIES_SQL}
         JOIN attempts a ON a.delivery_id = d.id WHERE ${ofApp} AND a.error IS NOT NULL ORDER BY a.id`,
      ),
  }
}

const recorders = () => {
  const log: string[] = []
  const metrics: string[] = []
  const at = (level: string) => (_: object, event: string) => void log.push(`${level} ${event}`)
  return {
    log,
    metrics,
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    meters: {
      attempted: (outcome: string) => void metrics.push(`attempted ${outcome}`),
      handedOver: () => void metrics.push('handedOver'),
      finished: (state: string) => void metrics.push(`finished ${state}`),
      breakerOpened: () => void metrics.push('breakerOpened'),
    },
  }
}

/** A dispatcher that is not started. At once again and again is its schedule, unless it is given another. */
export const makeDeliveryRig = async (
  { store, dataDir }: Pick<DeliveryStore, 'store' | 'dataDir'>,
  {
    faults,
    slowed = (sender) => sender,
    maxPerBot = 8,
    schedule = { delaysMs: [0], maxAgeMs: 1000 },
    // Never opens.
    breaker = { failureRate: 1, minAttempts: 1, openMs: 0 },
    ...deps
  }: DeliveryRigOptions = {},
): Promise<DeliveryRig> => {
  const clock = makeHeldClock()
  const w = await makeWorld(store, clock)
  await w.users('ann', 'ben', 'cat', 'dan')
  const { log, metrics, logger, meters } = recorders()
  const receivers: CallbackReceiver[] = []
  const guards = makeAddressGuards({ allow: ['127.0.0.0/8'], forBots: [] })
  const dispatcher = new Dispatcher({
    store: { ...store, lanes: { ...store.lanes, ...faults?.(store.lanes) } },
    sender: slowed(makeSender({ guards, clock, userAgent: 'Confab/test' })),
    clock,
    ids: w.ids,
    random: () => 0.5,
    log: logger,
    metrics: meters,
    maxInFlight: 16,
    defaults: { timeoutMs: 30_000, maxConcurrency: maxPerBot, schedule, poisonPolicy: 'skip', breaker },
    postReplies: () => Promise.resolve(undefined),
    leaseMs: 30_000,
    ...deps,
  })
  return {
    w,
    dispatcher,
    log,
    metrics,
    ...readings(dataDir, w.appId),
    bot: async (uid, behave = () => ({ status: 200 }), settings = {}) => {
      const receiver = await startCallbackReceiver({ behave })
      receivers.push(receiver)
      await w.bot(uid, { callbackUrl: receiver.url, ...settings })
      return receiver
    },
    say: async (message) => {
      const claimer = dispatcher.claimer()
      const { claims, waiting } = await w.send({ ...message, ...(claimer && { claimer }) })
      dispatcher.accept(claims, waiting)
    },
    leave: async (message) => {
      await w.send(message)
    },
    dispose: async () => {
      await dispatcher.abort()
      await dispatcher.stop()
      await w.dispose()
      for (const receiver of receivers) await receiver.close()
    },
  }
}
