/** Bots as rows: what every operation that concerns a bot reads. Secrets and passwords are as they were sealed. */
import { type AppId, type Bot, type BotSettings, limits, type Uid, webhookIdOf } from '@confab/protocol'
import type { Selectable } from 'kysely'
import type { StoredCallback } from '../../../delivery/attempt.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { remembering, rememberingFrozen } from '../../../kernel/remembering.ts'
import type { Schema } from '../schema.ts'
import { statement, type Tx } from '../seam.ts'

/** Of a bot or of a webhook: whoever is called. */
export type BotRow = Selectable<Schema['bots']>

export const BOT_COLUMNS = [
  'app_id',
  'uid',
  'callback_url',
  'group_chat_setting',
  'enabled',
  'use_basic_auth',
  'username',
  'password',
  'is_ai_bot',
  'kind',
  'name',
  'triggers',
  'retry_on_failure',
  'signing_secret',
  'previous_secret',
  'previous_secret_expires_at',
  'settings',
  'breaker_until_ms',
  'breaker_opened_at_ms',
  'breaker_failed_probes',
  'created_at',
  'updated_at',
] as const
const COLUMNS = BOT_COLUMNS.join(', ')

const findBot = statement<{ app: string; uid: string }, BotRow>(
  'bots.find',
  `SELECT ${COLUMNS} FROM bots WHERE app_id = :app AND uid = :uid`,
  { holdsUntil: ['bots'] },
)
const lockBot = statement<{ app: string; uid: string }, BotRow>(
  'bots.lock',
  `SELECT ${COLUMNS} FROM bots WHERE app_id = :app AND uid = :uid {FOR_UPDATE}`,
)

/**
 * Those that are switched on and may speak: what a deactivated user heard they could not answer. A subquery for each
 * bot found, so that no planner begins with the users.
 */
export const botsOfGroup = statement<{ app: string; guid: string }, BotRow>(
  'bots.of_group',
  `SELECT ${BOT_COLUMNS.map((column) => `bots.${column}`).join(', ')} FROM bots
   JOIN members ON members.app_id = bots.app_id AND members.guid = :guid AND members.uid = bots.uid
   WHERE bots.app_id = :app AND bots.enabled = 1 AND
     (SELECT deactivated_at FROM users WHERE users.app_id = bots.app_id AND users.uid = bots.uid) IS NULL`,
)

export const findBotRow = (tx: Tx, app: AppId, uid: Uid): Promise<BotRow | undefined> => tx.first(findBot, { app, uid })

export const requireBot = async (tx: Tx, app: AppId, uid: Uid, { lock = false } = {}): Promise<BotRow> => {
  const row = await tx.first(lock ? lockBot : findBot, { app, uid })
  if (row?.kind !== 'bot') throw new AppError('ERR_BOT_NOT_FOUND', { details: { uid } })
  return row
}

export const requireWebhook = async (tx: Tx, app: AppId, uid: Uid, { lock = false } = {}): Promise<BotRow> => {
  const row = await tx.first(lock ? lockBot : findBot, { app, uid })
  if (row?.kind !== 'webhook') throw new AppError('ERR_WEBHOOK_NOT_FOUND', { details: { id: webhookIdOf(uid) ?? uid } })
  return row
}

/** The bot or the webhook that has this key. */
export const requireCalled = (tx: Tx, app: AppId, key: Uid): Promise<BotRow> =>
  webhookIdOf(key) === undefined ? requireBot(tx, app, key) : requireWebhook(tx, app, key)

const noSettings: BotSettings = {}

// Written by us, from what the schema let through; read several times for every message.
const readSettings = remembering((text) => JSON.parse(text) as BotSettings)

export const settingsOf = ({ settings }: Pick<BotRow, 'settings'>): BotSettings =>
  settings === null ? noSettings : readSettings(settings)

/** A webhook has less time, as the contract says, and one attempt unless it asks for more. */
const callSettings = (row: BotRow): BotSettings => {
  if (row.kind === 'bot') return settingsOf(row)
  const once = { retryPolicy: { giveUpAfterSeconds: 0 }, poisonPolicy: 'skip' as const }
  return {
    timeoutSeconds: limits.webhookTimeoutSeconds,
    ...settingsOf(row),
    ...(row.retry_on_failure === 0 && once),
  }
}

/** Whether callbacks go out to it. */
export const isCalled = (row: Pick<BotRow, 'enabled' | 'settings'>): boolean => row.enabled === 1 && !pulls(row)

/** Whether it fetches its updates itself. */
export const pulls = (row: Pick<BotRow, 'settings'>): boolean => settingsOf(row).receive === 'pull'

/** As the contract answers it: what is empty or false is left out, and what is secret always. */
export const toBot = (row: BotRow): Bot => ({
  uid: row.uid,
  ...(row.callback_url !== '' && { webhookURL: row.callback_url }),
  groupChatSetting: row.group_chat_setting,
  ...(row.enabled === 1 && { enabled: true as const }),
  ...(row.use_basic_auth === 1 && { useBasicAuth: true as const }),
  ...(row.username && { username: row.username }),
  ...(row.is_ai_bot === 1 && { isAIBot: true as const }),
  ...settingsOf(row),
  createdAt: row.created_at,
  ...(row.updated_at !== null && { updatedAt: row.updated_at }),
})

export const toCallback = (row: BotRow): StoredCallback => ({
  appId: row.app_id,
  bot: row.uid,
  url: row.callback_url,
  enabled: row.enabled === 1,
  credentials: row.use_basic_auth === 1 ? { username: row.username ?? '', password: row.password ?? '' } : undefined,
  groupChatSetting: row.group_chat_setting,
  settings: callSettings(row),
  isOpen: row.breaker_until_ms !== null && row.breaker_opened_at_ms !== null,
  isSlowed: row.breaker_until_ms !== null && row.breaker_opened_at_ms === null,
  secrets: [row.signing_secret],
  ...(row.previous_secret !== null &&
    row.previous_secret_expires_at !== null && {
      previousSecret: { secret: row.previous_secret, expiresAt: row.previous_secret_expires_at },
    }),
})

/** Rows that an engine remembers are frozen, and come again with every message to their bot. */
export const callbackJsonOf = rememberingFrozen((row: BotRow) => JSON.stringify(toCallback(row)))
