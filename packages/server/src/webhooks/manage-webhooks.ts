import {
  type AppId,
  type BotSettingChanges,
  type CreateWebhook,
  errorCodes,
  isWebhookTrigger,
  limits,
  type RotateSecret,
  type UpdateWebhook,
  type Webhook,
  type WebhookTrigger,
  webhookKey,
  webhookSettingNames,
  webhookTriggers,
} from '@confab/protocol'
import { assertCallbackUrl, type ManageBotsDeps, makeResume, makeTurnBreakerOff } from '../bots/manage-bots.ts'
import { passwordPlace, secretPlace } from '../bots/secrets.ts'
import { badRequest } from '../kernel/app-error.ts'
import { toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Store } from '../storage/store.ts'

export interface TriggerResult {
  readonly success: boolean
  readonly message: string
  readonly error?: { readonly code: string; readonly message: string }
}

export interface ManageWebhooks {
  create(appId: AppId, body: CreateWebhook): Promise<Webhook>
  get(appId: AppId, id: string): Promise<Webhook>
  list(input: { appId: AppId; searchKey?: string; page: PageRequest }): Promise<Page<Webhook>>
  update(appId: AppId, id: string, body: UpdateWebhook): Promise<Webhook>
  remove(appId: AppId, id: string): Promise<void>
  /** Each for itself. */
  addTriggers(appId: AppId, id: string, ids: readonly string[]): Promise<Readonly<Record<string, TriggerResult>>>
  removeTriggers(appId: AppId, id: string, ids: readonly string[]): Promise<void>
  triggers(appId: AppId, id: string): Promise<readonly { id: WebhookTrigger; description: string }[]>
  rotateSecret(appId: AppId, id: string, body: RotateSecret): Promise<Webhook>
  resume(appId: AppId, id: string): Promise<number>
}

export interface ManageWebhooksDeps extends Omit<ManageBotsDeps, 'store'> {
  readonly store: Pick<Store, 'webhooks' | 'bots' | 'lanes' | 'breakers'>
}

const settingsIn = (body: BotSettingChanges, guards: ManageBotsDeps['guards']): BotSettingChanges => {
  const problem = guards.problemOf(body.allowCidrs ?? [])
  if (problem !== undefined) throw badRequest({ allowCidrs: problem })
  return Object.fromEntries(
    webhookSettingNames.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])),
  )
}

const resultOf = (id: string): TriggerResult => {
  if (isWebhookTrigger(id)) return { success: true, message: 'Triggers has been added successfully.' }
  const { meaning: message } = errorCodes.ERR_TRIGGER_NOT_FOUND
  return { success: false, message, error: { code: 'ERR_TRIGGER_NOT_FOUND', message } }
}

export const makeManageWebhooks = (deps: ManageWebhooksDeps): ManageWebhooks => {
  const { store, clock, ids, vault, log, guards, showPassword, onChange, onResume } = deps

  const showAll = async (appId: AppId, webhooks: readonly Webhook[]): Promise<Webhook[]> => {
    if (!showPassword || webhooks.length === 0) return [...webhooks]
    const stored = await store.bots.passwords({ appId, uids: webhooks.map(({ id }) => webhookKey(id)) })
    const passwords = new Map(
      stored.map(({ uid, password }) => [uid, vault.open(password, passwordPlace({ appId, uid }))]),
    )
    return webhooks.map((webhook) => ({
      ...webhook,
      ...definedOf({ password: passwords.get(webhookKey(webhook.id)) }),
    }))
  }
  const show = async (appId: AppId, webhook: Webhook): Promise<Webhook> =>
    (await showAll(appId, [webhook]))[0] ?? webhook

  const resume = makeResume(deps)
  const turnBreakerOff = makeTurnBreakerOff(deps)

  return {
    create: async (appId, body) => {
      assertCallbackUrl(body.webhookURL)
      const key = webhookKey(body.id)
      const { useBasicAuth = false } = body
      const password = useBasicAuth ? body.password : undefined
      const signingSecret = ids.signingSecret()
      const nowMs = clock.now()
      const webhook = await store.webhooks.create({
        appId,
        key,
        name: body.name,
        callbackUrl: body.webhookURL,
        enabled: body.enabled ?? true,
        retryOnFailure: body.retryOnFailure ?? false,
        useBasicAuth,
        username: useBasicAuth ? (body.username ?? null) : null,
        password: password === undefined ? null : vault.seal(password, passwordPlace({ appId, uid: key })),
        secret: vault.seal(signingSecret, secretPlace({ appId, uid: key })),
        settings: settingsIn(body, guards),
        now: toSeconds(nowMs),
        nowMs,
      })
      // Nothing that was learnt of one that had this id before counts for this one.
      onResume({ appId, bot: key })
      onChange({ appId, bot: key })
      return { ...(await show(appId, webhook)), signingSecret }
    },

    get: async (appId, id) => show(appId, (await store.webhooks.find({ appId, key: webhookKey(id) })).webhook),

    list: async (input) => {
      const { rows, ...rest } = await store.webhooks.list(input)
      return { ...rest, rows: await showAll(input.appId, rows) }
    },

    update: async (appId, id, body) => {
      const { webhookURL, password, name, enabled, useBasicAuth, username, retryOnFailure } = body
      if (webhookURL !== undefined) assertCallbackUrl(webhookURL)
      const key = webhookKey(id)
      const { webhook, isNewReceiver } = await store.webhooks.update({
        ...definedOf({ name, enabled, useBasicAuth, username, retryOnFailure }),
        settings: settingsIn(body, guards),
        appId,
        key,
        now: toSeconds(clock.now()),
        ...(webhookURL !== undefined && { callbackUrl: webhookURL }),
        ...(password !== undefined && { password: vault.seal(password, passwordPlace({ appId, uid: key })) }),
      })
      if (isNewReceiver) await resume({ appId, bot: key })
      else await turnBreakerOff({ appId, bot: key }, body)
      onChange({ appId, bot: key })
      return show(appId, webhook)
    },

    remove: async (appId, id) => {
      const key = webhookKey(id)
      await store.webhooks.remove({ appId, key, nowMs: clock.now() })
      onResume({ appId, bot: key })
      onChange({ appId, bot: key })
    },

    addTriggers: async (appId, id, named) => {
      const triggers = [...new Set(named)]
      await store.webhooks.addTriggers({ appId, key: webhookKey(id), triggers: triggers.filter(isWebhookTrigger) })
      onChange({ appId, bot: webhookKey(id) })
      return Object.fromEntries(triggers.map((one) => [one, resultOf(one)]))
    },

    removeTriggers: async (appId, id, triggers) => {
      await store.webhooks.removeTriggers({ appId, key: webhookKey(id), triggers })
      onChange({ appId, bot: webhookKey(id) })
    },

    triggers: async (appId, id) => {
      const { triggers } = await store.webhooks.find({ appId, key: webhookKey(id) })
      return triggers.map((one) => ({ id: one, description: webhookTriggers[one].description }))
    },

    rotateSecret: async (appId, id, body) => {
      const { overlapSeconds = limits.secretOverlapSecondsDefault } = body ?? {}
      const now = toSeconds(clock.now())
      const key = webhookKey(id)
      const signingSecret = ids.signingSecret()
      const previousSecretExpiresAt = now + overlapSeconds
      const webhook = await store.webhooks.rotateSecret({
        appId,
        key,
        secret: vault.seal(signingSecret, secretPlace({ appId, uid: key })),
        previousExpiresAt: overlapSeconds === 0 ? null : previousSecretExpiresAt,
        now,
      })
      onChange({ appId, bot: webhookKey(id) })
      log.info({ appId, webhook: id, previousSecretExpiresAt }, 'webhook.secret_rotated')
      return { ...(await show(appId, webhook)), signingSecret, previousSecretExpiresAt }
    },

    resume: async (appId, id) => {
      const resumed = await resume({ appId, bot: webhookKey(id) })
      log.info({ appId, webhook: id, resumed }, 'webhook.resumed')
      return resumed
    },
  }
}
