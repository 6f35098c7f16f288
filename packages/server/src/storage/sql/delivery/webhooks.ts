/**
 * Webhooks of an app. They are called as bots are, so their callbacks stand among those of bots, under `webhookKey`.
 * Secrets and passwords are opaque here, as with bots.
 */
import {
  type AppId,
  type BotSettingChanges,
  type Uid,
  type Webhook,
  type WebhookTrigger,
  webhookIdOf,
} from '@confab/protocol'
import type { StoredCallback } from '../../../delivery/attempt.ts'
import { AppError } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { contains, countOf, pageOf } from '../lists.ts'
import { assertQuota } from '../quotas.ts'
import type { Bit } from '../schema.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { triggersOf, webhooksOf } from './announce.ts'
import { type BotRow, findBotRow, requireWebhook, settingsOf, toCallback } from './bot-rows.ts'
import { bit, cancelBacklog, countCalled, dropBot, isNewReceiver, lockApp, rotateSecretOf, settled } from './bots.ts'

const insertWebhook = statement<{
  app: string
  uid: string
  name: string
  url: string
  enabled: Bit
  retry: Bit
  useBasicAuth: Bit
  username: string | null
  password: string | null
  secret: string
  settings: string | null
  now: number
}>(
  'webhooks.insert',
  `INSERT INTO bots (app_id, uid, kind, name, callback_url, group_chat_setting, enabled, retry_on_failure, use_basic_auth,
                     username, password, is_ai_bot, signing_secret, settings, created_at, updated_at)
   VALUES (:app, :uid, 'webhook', :name, :url, 'none', :enabled, :retry, :useBasicAuth, :username, :password, 0, :secret,
           :settings, :now, :now)`,
)
const setTriggers = statement<{ app: string; uid: string; triggers: string }>(
  'webhooks.set_triggers',
  'UPDATE bots SET triggers = :triggers WHERE app_id = :app AND uid = :uid',
)

export interface WebhookSettings {
  readonly name: string
  readonly callbackUrl: string
  readonly enabled: boolean
  readonly retryOnFailure: boolean
  readonly useBasicAuth: boolean
  readonly username: string | null
  readonly password: string | null
  readonly settings: BotSettingChanges
}

interface Which {
  readonly appId: AppId
  /** `webhookKey` of its id. */
  readonly key: Uid
}

const toWebhook = (row: BotRow): Webhook => ({
  id: webhookIdOf(row.uid) ?? row.uid,
  name: row.name ?? '',
  webhookURL: row.callback_url,
  enabled: row.enabled === 1,
  useBasicAuth: row.use_basic_auth === 1,
  ...(row.username && { username: row.username }),
  retryOnFailure: row.retry_on_failure === 1,
  ...settingsOf(row),
  createdAt: row.created_at,
  updatedAt: row.updated_at ?? row.created_at,
})

const changeTriggers = async (
  tx: Tx,
  { appId: app, key: uid }: Which,
  change: (now: readonly WebhookTrigger[]) => readonly WebhookTrigger[],
): Promise<void> => {
  const row = await requireWebhook(tx, app, uid, { lock: true })
  await tx.run(setTriggers, { app, uid, triggers: JSON.stringify(change(triggersOf(row))) })
}

export const webhooks = {
  create: write(
    async (tx, input: WebhookSettings & Which & { secret: string; now: number; nowMs: number }): Promise<Webhook> => {
      const { appId: app, key: uid, name, callbackUrl: url, username, password, secret, now, nowMs } = input
      await tx.first(lockApp, { app })
      const id = webhookIdOf(uid) ?? uid
      if ((await findBotRow(tx, app, uid)) !== undefined)
        throw new AppError('ERR_WEBHOOK_ALREADY_EXISTS', { details: { id } })
      assertQuota(tx, 'webhooksPerApp', (await tx.first(countCalled, { app, kind: 'webhook' }))?.n ?? 0)
      // What was owed to one that had this id before is not owed to this one.
      await cancelBacklog(tx, app, uid, nowMs)
      await tx.run(insertWebhook, {
        ...{ app, uid, name, url, username, password, secret, now },
        enabled: bit(input.enabled),
        retry: bit(input.retryOnFailure),
        useBasicAuth: bit(input.useBasicAuth),
        settings: settled({}, input.settings),
      })
      return toWebhook(await requireWebhook(tx, app, uid))
    },
  ),

  find: read(async (tx, { appId, key }: Which): Promise<{ webhook: Webhook; triggers: readonly WebhookTrigger[] }> => {
    const row = await requireWebhook(tx, appId, key)
    return { webhook: toWebhook(row), triggers: triggersOf(row) }
  }),

  list: read(async (tx, input: { appId: AppId; searchKey?: string; page: PageRequest }): Promise<Page<Webhook>> => {
    let query = tx.build.selectFrom('bots').where('app_id', '=', input.appId).where('kind', '=', 'webhook')
    if (input.searchKey) query = query.where(contains('name', input.searchKey))
    const rows = await pageOf(tx, query.selectAll().orderBy('uid'), input.page)
    return { rows: rows.map(toWebhook), total: await countOf(tx, query) }
  }),

  /** Answers also whether callbacks go to another receiver now. */
  update: write(
    async (
      tx,
      input: Partial<WebhookSettings> & Which & { now: number },
    ): Promise<{ webhook: Webhook; isNewReceiver: boolean }> => {
      const { appId: app, key: uid } = input
      const before = await requireWebhook(tx, app, uid, { lock: true })
      const changes = {
        ...(input.name !== undefined && { name: input.name }),
        ...(input.callbackUrl !== undefined && { callback_url: input.callbackUrl }),
        ...(input.enabled !== undefined && { enabled: bit(input.enabled) }),
        ...(input.retryOnFailure !== undefined && { retry_on_failure: bit(input.retryOnFailure) }),
        ...(input.useBasicAuth !== undefined && { use_basic_auth: bit(input.useBasicAuth) }),
        ...(input.username !== undefined && { username: input.username }),
        ...(input.password !== undefined && { password: input.password }),
        ...(input.settings !== undefined && { settings: settled(settingsOf(before), input.settings) }),
        updated_at: input.now,
      }
      await tx.query(
        tx.build.updateTable('bots').set(changes).where('app_id', '=', app).where('uid', '=', uid).compile(),
      )
      const after = await requireWebhook(tx, app, uid)
      return { webhook: toWebhook(after), isNewReceiver: isNewReceiver(before, after) }
    },
  ),

  /** `previousExpiresAt` in unix seconds; null: what was the secret signs no more. */
  rotateSecret: write(
    async (tx, input: Which & { secret: string; previousExpiresAt: number | null; now: number }): Promise<Webhook> => {
      const { appId: app, key: uid, secret, previousExpiresAt: expiresAt, now } = input
      await tx.run(rotateSecretOf, { app, uid, secret, keeps: bit(expiresAt !== null), expiresAt, now })
      return toWebhook(await requireWebhook(tx, app, uid))
    },
  ),

  remove: write(async (tx, { appId, key, nowMs }: Which & { nowMs: number }): Promise<void> => {
    await requireWebhook(tx, appId, key, { lock: true })
    await dropBot(tx, appId, key, nowMs)
  }),

  addTriggers: write(
    async (tx, input: Which & { triggers: readonly WebhookTrigger[] }): Promise<void> =>
      changeTriggers(tx, input, (known) => [...new Set([...known, ...input.triggers])]),
  ),

  /** All of them, or none if it does not have one. */
  removeTriggers: write(
    async (tx, input: Which & { triggers: readonly string[] }): Promise<void> =>
      changeTriggers(tx, input, (known) => {
        const missing = input.triggers.find((one) => !known.some((trigger) => trigger === one))
        if (missing !== undefined) throw new AppError('ERR_TRIGGER_NOT_FOUND', { details: { triggerIds: missing } })
        return known.filter((one) => !input.triggers.includes(one))
      }),
  ),

  /** Those that are asked before a message is accepted, in the order of their ids. */
  asked: read(
    async (tx, { appId }: { appId: AppId }): Promise<readonly StoredCallback[]> =>
      (await webhooksOf(tx, appId)).filter((row) => triggersOf(row).includes('before_message')).map(toCallback),
  ),
}
