/**
 * The outbox: what is owed to bots is written in the transaction of what they are to hear of. The invariants are those of
 * `lanes.ts`.
 */
import type {
  AppId,
  ConversationId,
  DeliveryId,
  Guid,
  LeaseId,
  OptionalTrigger,
  Uid,
  WebhookTrigger,
} from '@confab/protocol'
import { callbackBody } from '../../../callbacks/payload.ts'
import { HOP_LIMIT_REASON, HOP_MEMORY_MS } from '../../../callbacks/relay.ts'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import type { StoredClaim } from '../../../delivery/attempt.ts'
import type { Actor } from '../../../kernel/actor.ts'
import { type Params, statement, type Tx } from '../seam.ts'
import { type BotRow, botsOfGroup, callbackJsonOf, findBotRow, pulls, settingsOf } from './bot-rows.ts'
import { isOpen, openUntil } from './breakers.ts'
import { type Claimer, type HeadRow, roomOf, toHead } from './lane-rows.ts'

interface Entry extends Params {
  app: string
  bot: string
  conversation: string
  hop: number
  nowMs: number
}

const enterLane = statement<
  Entry & { lease: string | null; node: string | null; dueMs: number },
  { id: number; sequence: number; lease_id: string | null; due_at_ms: number }
>(
  'lanes.enter',
  `INSERT INTO lanes (app_id, bot_uid, conversation_id, next_sequence, pending, due_at_ms, lease_id, lease_node, hop,
                      entered_at_ms)
   VALUES (:app, :bot, :conversation, 2, 1, :dueMs, :lease, :node, :hop, :nowMs)
   ON CONFLICT (app_id, bot_uid, conversation_id) DO UPDATE SET
     next_sequence = lanes.next_sequence + 1,
     hop = excluded.hop,
     entered_at_ms = excluded.entered_at_ms,
     pending = lanes.pending + 1,
     due_at_ms = CASE WHEN lanes.pending = 0 AND lanes.lease_id IS NULL THEN excluded.due_at_ms ELSE lanes.due_at_ms END,
     lease_id = CASE WHEN lanes.pending = 0 AND lanes.lease_id IS NULL THEN excluded.lease_id ELSE lanes.lease_id END,
     lease_node = CASE WHEN lanes.pending = 0 AND lanes.lease_id IS NULL THEN excluded.lease_node ELSE lanes.lease_node END
   RETURNING id, next_sequence - 1 AS sequence, lease_id, due_at_ms`,
)
/** For what is cut off at once: its sequence is used up, so that a gap tells of it, and nothing is due. */
const passLane = statement<Entry, { id: number; sequence: number }>(
  'lanes.pass_by',
  `INSERT INTO lanes (app_id, bot_uid, conversation_id, next_sequence, pending, hop, entered_at_ms)
   VALUES (:app, :bot, :conversation, 2, 0, :hop, :nowMs)
   ON CONFLICT (app_id, bot_uid, conversation_id) DO UPDATE SET
     next_sequence = lanes.next_sequence + 1, hop = excluded.hop, entered_at_ms = excluded.entered_at_ms
   RETURNING id, next_sequence - 1 AS sequence`,
)
interface NewDelivery extends Params {
  id: string
  app: string
  bot: string
  lane: number
  sequence: number
  message: number
  trigger: string
  body: string
  hop: number
  nowMs: number
}
const INSERT_DELIVERY =
  'INSERT INTO deliveries (id, app_id, bot_uid, lane_id, sequence, message_id, trigger, body, hop, created_at_ms, attempts, state'
const insertDelivery = statement<NewDelivery>(
  'deliveries.insert',
  `${INSERT_DELIVERY})
   VALUES (:id, :app, :bot, :lane, :sequence, :message, :trigger, :body, :hop, :nowMs, 0, 'pending')`,
)
const insertCut = statement<NewDelivery & { reason: string }>(
  'deliveries.insert_cut',
  `${INSERT_DELIVERY}, finished_at_ms, reason)
   VALUES (:id, :app, :bot, :lane, :sequence, :message, :trigger, :body, :hop, :nowMs, 0, 'cancelled', :nowMs, :reason)`,
)
const findHop = statement<{ app: string; bot: string; conversation: string; sinceMs: number }, { hop: number }>(
  'lanes.hop',
  `SELECT hop FROM lanes
   WHERE app_id = :app AND bot_uid = :bot AND conversation_id = :conversation AND entered_at_ms > :sinceMs`,
)

/** What a message owes one bot. */
interface Duty {
  readonly bot: BotRow
  readonly conversationId: ConversationId
  readonly deliveryId: DeliveryId
  readonly messageId: number
  readonly trigger: WebhookTrigger
  readonly body: string
  /** How many bots have spoken in turn, the one that is heard now included. */
  readonly hop: number
  /** Why it is not to be made, if so: it is on record, and that is all. */
  readonly cut?: string
  readonly nowMs: number
}

interface Enqueued {
  readonly claim: StoredClaim | undefined
  /** The lane is due and nobody works it: somebody should look. */
  readonly isWaiting: boolean
}

const entryOf = ({ bot, conversationId, hop, nowMs }: Duty): Entry => ({
  app: bot.app_id,
  bot: bot.uid,
  conversation: conversationId,
  hop,
  nowMs,
})

const deliveryOf = (duty: Duty, { id: lane, sequence }: { id: number; sequence: number }): NewDelivery => {
  const { bot, deliveryId: id, messageId: message, trigger, body, hop, nowMs } = duty
  return { id, app: bot.app_id, bot: bot.uid, lane, sequence, message, trigger, body, hop, nowMs }
}

const nothingToDo: Enqueued = { claim: undefined, isWaiting: false }

/**
 * Writes the delivery into its lane. If the lane is idle and the caller wants it, the lane is claimed in the same
 * transaction: the caller may make the attempt without another read.
 */
export const enqueue = async (tx: Tx, duty: Duty, claimer: Claimer | undefined): Promise<Enqueued> => {
  const { bot, conversationId, nowMs, cut: reason } = duty
  if (reason !== undefined) {
    const passed = await tx.first(passLane, entryOf(duty))
    if (passed === undefined) throw new Error('lanes.pass_by returned no row')
    await tx.run(insertCut, { ...deliveryOf(duty, passed), reason })
    return nothingToDo
  }
  const wanted = claimer !== undefined && !pulls(bot) && !isOpen(bot) && roomOf(claimer, bot) > 0
  const leaseId = wanted ? (`${claimer.leaseId}_${bot.uid}` as LeaseId) : null
  const lane = await tx.first(enterLane, {
    ...entryOf(duty),
    lease: leaseId,
    node: wanted ? claimer.node : null,
    dueMs: wanted ? claimer.untilMs : nowMs,
  })
  if (lane === undefined) throw new Error('lanes.enter returned no row')
  const row = deliveryOf(duty, lane)
  await tx.run(insertDelivery, row)
  if (leaseId === null || lane.lease_id !== leaseId) {
    const isDue = lane.lease_id === null && lane.due_at_ms <= nowMs
    const isWaiting = isDue && !pulls(bot) && openUntil(bot, nowMs) === undefined
    return { claim: undefined, isWaiting }
  }
  const { deliveryId: id, trigger, body, hop } = duty
  const head: HeadRow = { id, sequence: lane.sequence, trigger, body, hop, attempts: 0, created_at_ms: nowMs }
  const claimed = {
    leaseId,
    untilMs: lane.due_at_ms,
    callbackJson: callbackJsonOf(bot),
    head: toHead({ id: lane.id, conversation_id: conversationId }, head),
  }
  return { claim: claimed, isWaiting: false }
}

const idsGiven = new WeakMap<Telling, number>()

/** The id of the next delivery that one change causes. */
export const deliveryIdIn = (telling: Telling): DeliveryId => {
  const given = idsGiven.get(telling) ?? 0
  idsGiven.set(telling, given + 1)
  return (given === 0 ? telling.deliveryId : `${telling.deliveryId}_${given}`) as DeliveryId
}

/** What is told, and to whom. */
export interface News {
  readonly app: AppId
  readonly conversationId: ConversationId
  /** The message that it is, or that tells of it. */
  readonly messageId: number
  readonly trigger: WebhookTrigger
  /** `data` of the callbacks, JSON. */
  readonly data: string
  /** The bot that did it, if one did. */
  readonly byBot: Uid | undefined
  readonly bots: readonly BotRow[]
}

/** Bots do not hear bots unless they ask for it: two that answer each other would go on until the limit of hops. */
const hearsBots = (bot: BotRow): boolean => settingsOf(bot).relayBotMessages === true

/** Of what a bot does: 1 and more. What it has just heard there counts, and what it says itself. */
const hopOf = async (tx: Tx, { app, byBot: bot, conversationId: conversation }: News, telling: Telling) => {
  if (bot === undefined) return 0
  const sinceMs = telling.nowMs - HOP_MEMORY_MS
  const heard = await tx.first(findHop, { app, bot, conversation, sinceMs })
  return Math.max(heard?.hop ?? 0, telling.hop) + 1
}

/** One delivery per bot, in the transaction of what they are told. */
export const tellBots = async (tx: Tx, telling: Telling, news: News): Promise<Told> => {
  const bots = news.byBot === undefined ? news.bots : news.bots.filter(hearsBots)
  if (bots.length === 0) return nobodyTold
  const { app: appId, conversationId, messageId, trigger, data: messageJson } = news
  const { origin, region, nowMs } = telling
  const hop = await hopOf(tx, news, telling)
  const isCut = hop > telling.hopLimit
  const claims: StoredClaim[] = []
  let waiting = 0
  for (const bot of bots) {
    const duty: Duty = {
      bot,
      conversationId,
      deliveryId: deliveryIdIn(telling),
      messageId,
      trigger,
      body: callbackBody({ trigger, messageJson, appId, origin, region, bot: bot.uid }),
      hop,
      ...(isCut && { cut: HOP_LIMIT_REASON }),
      nowMs,
    }
    const { claim, isWaiting } = await enqueue(tx, duty, telling.claimer)
    if (claim !== undefined) claims.push(claim)
    if (isWaiting) waiting++
  }
  const pulling = isCut ? [] : bots.filter(pulls).map(({ uid }) => uid)
  return { claims, waiting, pulling, cut: isCut ? bots.map(({ uid }) => uid) : [] }
}

/** The bot as which somebody acts, if it is one. */
export const botOf = async (tx: Tx, actor: Actor): Promise<Uid | undefined> =>
  actor.kind === 'user' ? (await findBotRow(tx, actor.appId, actor.uid))?.uid : undefined

/** The bots that have asked to hear of it: those in the group, and these, but for the one that did it. */
export const subscribersIn = async (
  tx: Tx,
  question: { app: AppId; guid?: Guid; uids?: readonly Uid[]; trigger: OptionalTrigger; by: Uid },
): Promise<BotRow[]> => {
  const { app, guid, uids = [], trigger, by } = question
  const rows = guid === undefined ? [] : [...(await tx.all(botsOfGroup, { app, guid }))]
  for (const uid of uids) {
    const row = rows.some((known) => known.uid === uid) ? undefined : await findBotRow(tx, app, uid)
    if (row?.enabled === 1) rows.push(row)
  }
  return rows.filter((row) => row.uid !== by && settingsOf(row).triggers?.includes(trigger))
}
