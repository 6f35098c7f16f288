import {
  type AppId,
  type Bot,
  type BotSettingChanges,
  botSettingNames,
  type CreateBot,
  limits,
  parseUid,
  type RotateSecret,
  type Uid,
  type UpdateBot,
} from '@confab/protocol'
import { type AddressGuards, callbackUrlProblem } from '../delivery/guard.ts'
import type { BotId } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Vault } from '../kernel/vault.ts'
import type { Store } from '../storage/store.ts'
import { passwordPlace, secretPlace } from './secrets.ts'

export interface ManageBots {
  create(appId: AppId, body: CreateBot): Promise<Bot>
  get(appId: AppId, uid: Uid): Promise<Bot>
  list(input: { appId: AppId; searchKey?: string; isAIBot: boolean; page: PageRequest }): Promise<Page<Bot>>
  update(appId: AppId, uid: Uid, body: UpdateBot): Promise<Bot>
  /** The secret that was the current one signs too until the overlap is over; whatever signed before it does no more. */
  rotateSecret(appId: AppId, uid: Uid, body: RotateSecret): Promise<Bot>
  /** The bot is well again: its breaker closes, and what waits for a retry or is parked is due at once. Answers how many lanes. */
  resume(appId: AppId, uid: Uid): Promise<number>
  /** What was not delivered is cancelled; the user and the messages stay. */
  remove(appId: AppId, uid: Uid): Promise<void>
}

export interface ManageBotsDeps {
  readonly store: Pick<Store, 'bots' | 'lanes' | 'breakers'>
  readonly guards: Pick<AddressGuards, 'problemOf'>
  readonly clock: Clock
  readonly ids: Ids
  readonly vault: Vault
  readonly log: Logger
  /** Whether answers show the passwords of bots, as the hosted contract does. */
  readonly showPassword: boolean
  /** Called when a bot may have work that waited for the change. */
  readonly onChange: (bot: BotId) => void
  /** Called when what is known of a bot does not count any more: it is well, or another, or gone. */
  readonly onResume: (bot: BotId) => void
}

/** Lanes that one transaction may lock. */
const RESUME_STEP = 500

const resumeLanes = async (store: Pick<Store, 'lanes'>, id: BotId, nowMs: number): Promise<number> => {
  let resumed = 0
  for (;;) {
    const { madeDue, heldBack } = await store.lanes.resume({ ...id, limit: RESUME_STEP, nowMs })
    resumed += madeDue + heldBack
    if (madeDue < RESUME_STEP) return resumed
  }
}

/** What is known of it is forgotten before too: what ends meanwhile, and began before, must not open the breaker again. */
const forgetting = async <T>(
  { onResume }: Pick<ManageBotsDeps, 'onResume'>,
  id: BotId,
  step: () => Promise<T>,
): Promise<T> => {
  onResume(id)
  const done = await step()
  onResume(id)
  return done
}

/** All lanes of a bot or a webhook that wait are due at once, and its breaker closes. Answers how many lanes. */
export const makeResume =
  (deps: Pick<ManageBotsDeps, 'clock' | 'onResume'> & { store: Pick<Store, 'lanes'> }) =>
  (id: BotId): Promise<number> =>
    forgetting(deps, id, () => resumeLanes(deps.store, id, deps.clock.now()))

/** After a change that turns the breaker off: it is not open any more, nor do attempts that began before open it. */
export const makeTurnBreakerOff =
  (deps: Pick<ManageBotsDeps, 'onResume'> & { store: Pick<Store, 'breakers'> }) =>
  async (id: BotId, { circuitBreaker }: BotSettingChanges): Promise<void> => {
    if (circuitBreaker?.openSeconds === 0) await forgetting(deps, id, () => deps.store.breakers.close(id))
  }

export const assertCallbackUrl = (url: string): void => {
  const problem = callbackUrlProblem(url)
  if (problem !== undefined) throw badRequest({ webhookURL: problem })
}

/** What a body says of settings beyond the contract. */
const settingsIn = (body: BotSettingChanges, guards: ManageBotsDeps['guards']): BotSettingChanges => {
  const problem = guards.problemOf(body.allowCidrs ?? [])
  if (problem !== undefined) throw badRequest({ allowCidrs: problem })
  return Object.fromEntries(botSettingNames.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])))
}

type ShowBots = (appId: AppId, bots: readonly Bot[]) => Promise<Bot[]>

const makeShowBots = ({ store, vault, showPassword }: ManageBotsDeps): ShowBots => {
  if (!showPassword) return async (_, bots) => [...bots]
  return async (appId, bots) => {
    const ids = bots.map((bot) => parseUid(bot.uid))
    const stored = ids.length === 0 ? [] : await store.bots.passwords({ appId, uids: ids })
    const passwords = new Map(
      stored.map(({ uid, password }) => [uid, vault.open(password, passwordPlace({ appId, uid }))]),
    )
    return bots.map((bot) => {
      const password = passwords.get(parseUid(bot.uid))
      return password ? { ...bot, password } : bot
    })
  }
}

export const makeManageBots = (deps: ManageBotsDeps): ManageBots => {
  const { store, clock, ids, vault, log, guards, onChange, onResume } = deps
  const showAll = makeShowBots(deps)
  const show = async (appId: AppId, bot: Bot): Promise<Bot> => (await showAll(appId, [bot]))[0] ?? bot

  const resume = makeResume(deps)
  const turnBreakerOff = makeTurnBreakerOff(deps)

  return {
    create: async (appId, body) => {
      const settings = settingsIn(body, guards)
      if (body.webhookURL !== undefined) assertCallbackUrl(body.webhookURL)
      else if (settings.receive !== 'pull') throw badRequest({ webhookURL: 'is required' })
      const uid = parseUid(body.uid)
      // The contract throws credentials away on creation unless they are to be used.
      const { useBasicAuth = false } = body
      const password = useBasicAuth ? body.password : undefined
      const signingSecret = ids.signingSecret()
      const nowMs = clock.now()
      const bot = await store.bots.create({
        appId,
        uid,
        callbackUrl: body.webhookURL ?? '',
        groupChatSetting: body.groupChatSetting ?? 'none',
        enabled: body.enabled ?? false,
        useBasicAuth,
        username: useBasicAuth ? (body.username ?? null) : null,
        password: password === undefined ? null : vault.seal(password, passwordPlace({ appId, uid })),
        secret: vault.seal(signingSecret, secretPlace({ appId, uid })),
        settings,
        now: toSeconds(nowMs),
        nowMs,
      })
      // Nothing that was learnt of one that had this uid before counts for this one.
      onResume({ appId, bot: uid })
      return { ...(await show(appId, bot)), signingSecret }
    },

    get: async (appId, uid) => show(appId, await store.bots.find({ appId, uid })),

    list: async (input) => {
      const { rows, ...rest } = await store.bots.list(input)
      return { ...rest, rows: await showAll(input.appId, rows) }
    },

    update: async (appId, uid, body) => {
      const { webhookURL, password, groupChatSetting, enabled, useBasicAuth, username } = body
      if (webhookURL !== undefined) assertCallbackUrl(webhookURL)
      const { bot, isNewReceiver } = await store.bots.update({
        ...definedOf({ groupChatSetting, enabled, useBasicAuth, username }),
        settings: settingsIn(body, guards),
        appId,
        uid,
        now: toSeconds(clock.now()),
        ...(webhookURL !== undefined && { callbackUrl: webhookURL }),
        ...(password !== undefined && { password: vault.seal(password, passwordPlace({ appId, uid })) }),
      })
      if (isNewReceiver) await resume({ appId, bot: uid })
      else await turnBreakerOff({ appId, bot: uid }, body)
      onChange({ appId, bot: uid })
      return show(appId, bot)
    },

    rotateSecret: async (appId, uid, body) => {
      const { overlapSeconds = limits.secretOverlapSecondsDefault } = body ?? {}
      const now = toSeconds(clock.now())
      const signingSecret = ids.signingSecret()
      const previousSecretExpiresAt = now + overlapSeconds
      const bot = await store.bots.rotateSecret({
        appId,
        uid,
        secret: vault.seal(signingSecret, secretPlace({ appId, uid })),
        previousExpiresAt: overlapSeconds === 0 ? null : previousSecretExpiresAt,
        now,
      })
      log.info({ appId, uid, previousSecretExpiresAt }, 'bot.secret_rotated')
      return { ...(await show(appId, bot)), signingSecret, previousSecretExpiresAt }
    },

    resume: async (appId, uid) => {
      const resumed = await resume({ appId, bot: uid })
      log.info({ appId, uid, resumed }, 'bot.resumed')
      return resumed
    },

    remove: async (appId, uid) => {
      await store.bots.remove({ appId, uid, nowMs: clock.now() })
      onResume({ appId, bot: uid })
    },
  }
}
