/**
 * How what happens is told: whoever changes something calls `announce` (or `tellWebhooks`, where no bot can hear of it)
 * in the transaction of the change, once, with everything that there is to say, and hands on what it answers.
 *
 * Once, because lanes are locked in one order: bots as they come, then webhooks by their keys, each with all its news.
 */
import type { AppId, ConversationId, Uid, WebhookTrigger } from '@confab/protocol'
import { webhookBody } from '../../../callbacks/payload.ts'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import type { StoredClaim } from '../../../delivery/attempt.ts'
import { remembering } from '../../../kernel/remembering.ts'
import { statement, type Tx } from '../seam.ts'
import { BOT_COLUMNS, type BotRow } from './bot-rows.ts'
import { deliveryIdIn, enqueue, tellBots } from './outbox.ts'

/** Most apps have none: then this is all that a message pays. */
const countWebhooks = statement<{ app: string }, { n: number }>(
  'webhooks.count_enabled',
  "SELECT count(*) AS n FROM bots WHERE app_id = :app AND kind = 'webhook' AND enabled = 1",
  { holdsUntil: ['bots'] },
)
const enabledWebhooks = statement<{ app: string }, BotRow>(
  'webhooks.enabled',
  `SELECT ${BOT_COLUMNS.join(', ')} FROM bots WHERE app_id = :app AND kind = 'webhook' AND enabled = 1 ORDER BY uid`,
)

const readTriggers = remembering((text) => JSON.parse(text) as WebhookTrigger[])

export const triggersOf = ({ triggers }: Pick<BotRow, 'triggers'>): readonly WebhookTrigger[] =>
  triggers === null ? [] : readTriggers(triggers)

/** Those that are switched on, in the order of their ids. */
export const webhooksOf = async (tx: Tx, app: AppId): Promise<readonly BotRow[]> =>
  (await tx.first(countWebhooks, { app }))?.n ? tx.all(enabledWebhooks, { app }) : []

export interface OneNews {
  readonly trigger: WebhookTrigger
  /** `data` of the callbacks, JSON; asked for only if somebody listens. */
  readonly data: () => string | Promise<string>
}

export interface Announcement {
  readonly app: AppId
  /** What is told under one key comes in order: a conversation, or `user_` and a uid. */
  readonly key: ConversationId
  /** The message that it is, or that tells of it; 0 for none. */
  readonly messageId?: number
  readonly what: readonly OneNews[]
}

/**
 * @example
 * const told = await tellWebhooks(tx, telling, {
 *   app,
 *   key: userKey(uid),
 *   what: [{ trigger: 'user_blocked', data: () => JSON.stringify({ users, by }) }],
 * })
 */
export const tellWebhooks = async (tx: Tx, telling: Telling, news: Announcement): Promise<Told> => {
  const claims: StoredClaim[] = []
  let waiting = 0
  const { app: appId, key: conversationId, messageId = 0, what } = news
  const { origin, region, claimer, nowMs } = telling
  const webhooks = await webhooksOf(tx, appId)
  if (webhooks.length === 0) return nobodyTold
  const bodies = new Map<WebhookTrigger, string>()
  for (const row of webhooks) {
    const heard = triggersOf(row)
    // The claim of its lane is for the first of its news; the others come behind it.
    let mayClaim = true
    for (const { trigger, data } of what) {
      if (!heard.includes(trigger)) continue
      const json = bodies.get(trigger) ?? (await data())
      bodies.set(trigger, json)
      const { claim, isWaiting } = await enqueue(
        tx,
        {
          bot: row,
          conversationId,
          deliveryId: deliveryIdIn(telling),
          messageId,
          trigger,
          body: webhookBody({ trigger, dataJson: json, appId, origin, region, key: row.uid }),
          hop: 0,
          nowMs,
        },
        mayClaim ? claimer : undefined,
      )
      mayClaim = false
      if (claim !== undefined) claims.push(claim)
      if (isWaiting) waiting++
    }
  }
  return claims.length + waiting === 0 ? nobodyTold : { ...nobodyTold, claims, waiting }
}

export interface Announced extends Announcement {
  /** What bots hear of it: one trigger, those who listen, and the bot that did it, if one did. */
  readonly forBots?: OneNews & {
    readonly bots: readonly BotRow[]
    readonly byBot: () => Uid | undefined | Promise<Uid | undefined>
  }
}

/** Tells bots and webhooks. */
export const announce = async (tx: Tx, telling: Telling, news: Announced): Promise<Told> => {
  const { app, key: conversationId, messageId = 0, forBots } = news
  const bots =
    forBots === undefined || forBots.bots.length === 0
      ? nobodyTold
      : await tellBots(tx, telling, {
          app,
          conversationId,
          messageId,
          trigger: forBots.trigger,
          data: await forBots.data(),
          byBot: await forBots.byBot(),
          bots: forBots.bots,
        })
  const webhooks = await tellWebhooks(tx, telling, news)
  if (webhooks === nobodyTold) return bots
  return { ...bots, claims: [...bots.claims, ...webhooks.claims], waiting: bots.waiting + webhooks.waiting }
}
