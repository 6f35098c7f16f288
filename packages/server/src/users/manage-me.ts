/** What a user asks for and changes of themself: how client SDKs log in, and out. */
import type { ChangeMe, Limits, Me } from '@confab/protocol'
import type { UserActor } from '../kernel/actor.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import { jsonText } from '../kernel/json.ts'
import type { Live } from '../live/live.ts'
import { clientSettingsOf } from '../settings/client-settings.ts'
import type { Store } from '../storage/store.ts'
import { passOf } from './pass.ts'

/** Who asks, by which token if by one, and where they have reached us. */
export interface Asking {
  readonly actor: UserActor
  readonly authToken: string | undefined
  readonly origin: string
}

export type SettingsOf = (origin: string) => Me['settings']

export interface ManageMe {
  get(asking: Asking): Promise<Me>
  /** All of it or nothing: the profile, and what the token says of its device. */
  change(asking: Asking, body: ChangeMe): Promise<Me>
}

export const makeSettings =
  (
    {
      region,
      gatewayPath,
      extensionDomain,
    }: { region: string; gatewayPath: string; extensionDomain: string | undefined },
    clock: Clock,
  ): SettingsOf =>
  (origin) =>
    clientSettingsOf({ origin, region, gatewayPath, extensionDomain, now: toSeconds(clock.now()) })

const orNull = (text: string | null | undefined): string | null | undefined => (text === '' ? null : text)

const profileOf = ({ name, avatar, link, statusMessage, metadata, tags }: ChangeMe, bytes: number) =>
  definedOf({
    ...{ name, avatar: orNull(avatar), link: orNull(link), statusMessage: orNull(statusMessage) },
    metadata: metadata && jsonText(metadata, { field: 'metadata', bytes }),
    tags: tags && jsonText(tags),
  })

const deviceOf = ({ platform, deviceId, appInfo }: ChangeMe) => ({
  ...(platform !== undefined && { platform }),
  appInfo: { ...appInfo, ...(deviceId !== undefined && { deviceId }) },
})

export const makeManageMe = (deps: {
  store: Pick<Store, 'users'>
  clock: Clock
  limits: Limits
  live: Pick<Live, 'stale'>
  settingsOf: SettingsOf
}): ManageMe => {
  const { store, clock, limits, live, settingsOf } = deps
  const get = async ({ actor, authToken, origin }: Asking): Promise<Me> => {
    const user = await store.users.findAs({ actor, uid: actor.uid })
    const settings = settingsOf(origin)
    return authToken === undefined
      ? { ...user, settings }
      : { ...user, authToken, jwt: passOf({ ...actor, authToken }), settings }
  }
  return {
    get,
    change: async (asking, body) => {
      const { actor, authToken } = asking
      const profile = profileOf(body, limits.metadataBytes)
      await store.users.changeSelf({
        ...{ appId: actor.appId, uid: actor.uid, now: toSeconds(clock.now()), profile },
        ...(authToken !== undefined && { device: { ...deviceOf(body), token: authToken } }),
      })
      if (Object.keys(profile).length > 0) live.stale(actor.appId, actor.uid, 'user')
      return get(asking)
    },
  }
}
