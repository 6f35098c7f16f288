/**
 * Bots. Secrets and passwords are opaque here: whoever writes them has sealed them, whoever uses them opens them.
 */
import type { AppId, Bot, BotSettingChanges, GroupChatSetting, Uid } from '@confab/protocol'
import type { StoredCallback } from '../../../delivery/attempt.ts'
import { AppError, badRequest } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { countOf, pageOf, prefix } from '../lists.ts'
import { assertQuota } from '../quotas.ts'
import type { Bit } from '../schema.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireUser } from '../users/user-rows.ts'
import { type BotRow, findBotRow, pulls, requireBot, requireCalled, settingsOf, toBot, toCallback } from './bot-rows.ts'

export const lockApp = statement<{ app: string }, { id: string }>(
  'bots.lock_app',
  'SELECT id FROM apps WHERE id = :app {FOR_UPDATE}',
)
export const countCalled = statement<{ app: string; kind: string }, { n: number }>(
  'bots.count',
  'SELECT count(*) AS n FROM bots WHERE app_id = :app AND kind = :kind',
)
const insertBot = statement<{
  app: string
  uid: string
  url: string
  setting: string
  enabled: Bit
  useBasicAuth: Bit
  username: string | null
  password: string | null
  secret: string
  settings: string | null
  now: number
}>(
  'bots.insert',
  `INSERT INTO bots (app_id, uid, callback_url, group_chat_setting, enabled, use_basic_auth, username, password, is_ai_bot,
                     signing_secret, settings, created_at)
   VALUES (:app, :uid, :url, :setting, :enabled, :useBasicAuth, :username, :password, 0, :secret, :settings, :now)`,
)
/** Whatever was the previous one is gone: at most two secrets are valid. */
export const rotateSecretOf = statement<{
  app: string
  uid: string
  secret: string
  keeps: Bit
  expiresAt: number | null
  now: number
}>(
  'bots.rotate_secret',
  `UPDATE bots SET previous_secret = CASE WHEN :keeps = 1 THEN signing_secret ELSE NULL END,
     previous_secret_expires_at = :expiresAt, signing_secret = :secret, updated_at = :now
   WHERE app_id = :app AND uid = :uid`,
)
const deleteBot = statement<{ app: string; uid: string }>(
  'bots.delete',
  'DELETE FROM bots WHERE app_id = :app AND uid = :uid',
)

const forgetConsumer = statement<{ app: string; uid: string }>(
  'consumers.forget',
  'DELETE FROM consumers WHERE app_id = :app AND bot_uid = :uid',
)
/** That it was handed out, to whichever consumer, is no attempt at calling the bot. */
const forgetHandedOut = statement<{ app: string; uid: string }>(
  'updates.forget_handed_out',
  `UPDATE deliveries SET attempts = 0, pulled_by = NULL, pull_offset = NULL
   WHERE app_id = :app AND bot_uid = :uid AND pulled_by IS NOT NULL AND state = 'pending'`,
)
const cancelPending = statement<{ app: string; uid: string; nowMs: number }>(
  'bots.cancel_pending',
  `UPDATE deliveries SET state = 'cancelled', finished_at_ms = :nowMs WHERE state = 'pending'
   AND lane_id IN (SELECT id FROM lanes WHERE app_id = :app AND bot_uid = :uid)`,
)
/** The lanes stay, empty: a bot created anew on this uid goes on with their sequence. */
const emptyLanes = statement<{ app: string; uid: string }>(
  'bots.empty_lanes',
  `UPDATE lanes SET pending = 0, due_at_ms = NULL, lease_id = NULL, lease_node = NULL WHERE app_id = :app AND bot_uid = :uid`,
)

export const cancelBacklog = async (tx: Tx, app: AppId, uid: Uid, nowMs: number): Promise<void> => {
  await tx.run(emptyLanes, { app, uid })
  await tx.run(cancelPending, { app, uid, nowMs })
}

/** Removes the bot, if the user is one. What was not delivered is cancelled; the user and the messages stay. */
export const dropBot = async (tx: Tx, app: AppId, uid: Uid, nowMs: number): Promise<boolean> => {
  if ((await tx.run(deleteBot, { app, uid })) === 0) return false
  await tx.run(forgetConsumer, { app, uid })
  await cancelBacklog(tx, app, uid, nowMs)
  return true
}

export interface CallbackSettings {
  readonly callbackUrl: string
  readonly groupChatSetting: GroupChatSetting
  readonly enabled: boolean
  readonly useBasicAuth: boolean
  readonly username: string | null
  readonly password: string | null
  readonly settings: BotSettingChanges
}

export interface StoredPassword {
  readonly uid: Uid
  readonly password: string
}

export const bit = (value: boolean): Bit => (value ? 1 : 0)

/** JSON, or nothing where nothing is set. */
export const settled = (before: object, changes: BotSettingChanges): string | null => {
  const set = Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null && value !== undefined)
  return set.length === 0 ? null : JSON.stringify(Object.fromEntries(set))
}

/** Another receiver, or one that was switched off: what was learnt of the one before does not count. */
export const isNewReceiver = (before: BotRow, after: BotRow): boolean =>
  after.callback_url !== before.callback_url || after.enabled > before.enabled || pulls(after) !== pulls(before)

export const bots = {
  create: write(
    async (
      tx,
      input: CallbackSettings & { appId: AppId; uid: Uid; secret: string; now: number; nowMs: number },
    ): Promise<Bot> => {
      const { appId: app, uid } = input
      await tx.first(lockApp, { app })
      await requireUser(tx, app, uid)
      if ((await findBotRow(tx, app, uid)) !== undefined)
        throw new AppError('ERR_BOT_ALREADY_EXISTS', { details: { uid } })
      assertQuota(tx, 'botsPerApp', (await tx.first(countCalled, { app, kind: 'bot' }))?.n ?? 0)
      const { secret, now, nowMs, username, password } = input
      // With PostgreSQL a message may have been accepted for the bot before this one while that was being deleted.
      await cancelBacklog(tx, app, uid, nowMs)
      await tx.run(insertBot, {
        app,
        uid,
        url: input.callbackUrl,
        setting: input.groupChatSetting,
        enabled: bit(input.enabled),
        useBasicAuth: bit(input.useBasicAuth),
        username,
        password,
        secret,
        settings: settled({}, input.settings),
        now,
      })
      return toBot(await requireBot(tx, app, uid))
    },
  ),

  find: read(
    async (tx, { appId, uid }: { appId: AppId; uid: Uid }): Promise<Bot> => toBot(await requireBot(tx, appId, uid)),
  ),

  /** As whoever calls it must know it. */
  callback: read(
    async (tx, { appId, uid }: { appId: AppId; uid: Uid }): Promise<StoredCallback> =>
      toCallback(await requireCalled(tx, appId, uid)),
  ),

  list: read(
    async (
      tx,
      input: { appId: AppId; searchKey?: string; isAIBot: boolean; page: PageRequest },
    ): Promise<Page<Bot>> => {
      let query = tx.build
        .selectFrom('bots')
        .where('app_id', '=', input.appId)
        .where('kind', '=', 'bot')
        .where('is_ai_bot', '=', bit(input.isAIBot))
      if (input.searchKey) query = query.where(prefix('uid', input.searchKey))
      const rows = await pageOf(tx, query.selectAll().orderBy('uid'), input.page)
      return { rows: rows.map(toBot), total: await countOf(tx, query) }
    },
  ),

  /** Answers also whether callbacks go to another receiver now. */
  update: write(
    async (
      tx,
      input: Partial<CallbackSettings> & { appId: AppId; uid: Uid; now: number },
    ): Promise<{ bot: Bot; isNewReceiver: boolean }> => {
      const { appId: app, uid, now } = input
      const before = await requireBot(tx, app, uid, { lock: true })
      const changes = {
        ...(input.callbackUrl !== undefined && { callback_url: input.callbackUrl }),
        ...(input.groupChatSetting !== undefined && { group_chat_setting: input.groupChatSetting }),
        ...(input.enabled !== undefined && { enabled: bit(input.enabled) }),
        ...(input.useBasicAuth !== undefined && { use_basic_auth: bit(input.useBasicAuth) }),
        ...(input.username !== undefined && { username: input.username }),
        ...(input.password !== undefined && { password: input.password }),
        ...(input.settings !== undefined && { settings: settled(settingsOf(before), input.settings) }),
        updated_at: now,
      }
      await tx.query(
        tx.build.updateTable('bots').set(changes).where('app_id', '=', app).where('uid', '=', uid).compile(),
      )
      const after = await requireBot(tx, app, uid)
      if (pulls(before) && !pulls(after)) await tx.run(forgetHandedOut, { app, uid })
      if (after.callback_url === '' && !pulls(after)) {
        throw badRequest({ webhookURL: 'is required, unless the bot fetches its updates: receive is pull' })
      }
      return { bot: toBot(after), isNewReceiver: isNewReceiver(before, after) }
    },
  ),

  /** `previousExpiresAt` in unix seconds; null: what was the secret signs no more. */
  rotateSecret: write(
    async (
      tx,
      input: { appId: AppId; uid: Uid; secret: string; previousExpiresAt: number | null; now: number },
    ): Promise<Bot> => {
      const { appId: app, uid, secret, previousExpiresAt: expiresAt, now } = input
      await tx.run(rotateSecretOf, { app, uid, secret, keeps: bit(expiresAt !== null), expiresAt, now })
      return toBot(await requireBot(tx, app, uid))
    },
  ),

  /** As they are stored; only of those that have one. */
  passwords: read((tx, { appId, uids }: { appId: AppId; uids: readonly Uid[] }): Promise<readonly StoredPassword[]> => {
    const query = tx.build
      .selectFrom('bots')
      .select(['uid', 'password'])
      .where('app_id', '=', appId)
      .where('uid', 'in', [...uids])
      .where('password', 'is not', null)
    return tx.query(query.$narrowType<StoredPassword>().compile())
  }),

  remove: write(async (tx, { appId: app, uid, nowMs }: { appId: AppId; uid: Uid; nowMs: number }): Promise<void> => {
    await requireBot(tx, app, uid, { lock: true })
    if (!(await dropBot(tx, app, uid, nowMs))) throw new AppError('ERR_BOT_NOT_FOUND', { details: { uid } })
  }),
}
