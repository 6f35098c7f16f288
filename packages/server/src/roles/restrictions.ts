/** Whether the role of the acting user may use a route: asked once per request, at the edge. */
import type { AppId } from '@confab/protocol'
import type { Actor, UserActor } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Store } from '../storage/store.ts'
import { type FeatureKey, featuresByRoute, shownKey } from './features.ts'

/**
 * How long it is believed what the roles of an app are kept from, in ms: most apps restrict nothing, and their requests
 * ask nothing. Changes on this node take effect at once; changes on another one after this time.
 */
const BELIEVED_MS = 2000

type ByRole = ReadonlyMap<string, ReadonlySet<string>>

interface Believed {
  readonly byRole: ByRole
  readonly untilMs: number
}

export interface RestrictedRoute {
  readonly method: string
  readonly path: string
}

/** Fails if the role of the acting user is kept from the route. Nothing to wait for where it is known that nobody is. */
export type AssertOpen = (actor: Actor) => void | Promise<void>

export interface Restrictions {
  (route: RestrictedRoute): AssertOpen
  /** To be called when the restrictions of roles change. */
  forget(): void
}

export const makeRestrictions = (deps: { store: Pick<Store, 'roles'>; clock: Clock }): Restrictions => {
  const { store, clock } = deps
  const believed = new Map<AppId, Believed>()

  const knownOf = (appId: AppId): ByRole | undefined => {
    const known = believed.get(appId)
    return known !== undefined && known.untilMs > clock.now() ? known.byRole : undefined
  }

  const restrictionsOf = async (appId: AppId): Promise<ByRole> => {
    const known = knownOf(appId)
    if (known !== undefined) return known
    const rows = await store.roles.restrictions({ appId })
    const byRole = new Map(rows.map(({ role, features }) => [role, new Set(features)]))
    believed.set(appId, { byRole, untilMs: clock.now() + BELIEVED_MS })
    return byRole
  }

  const assertUserMay = async (actor: UserActor, keys: readonly FeatureKey[]): Promise<void> => {
    const byRole = await restrictionsOf(actor.appId)
    if (byRole.size === 0) return
    // Whoever is not there is told so by what they ask for.
    const role = await store.roles.ofUser({ appId: actor.appId, uid: actor.uid })
    const restricted = role === undefined ? undefined : byRole.get(role)
    const feature = restricted && keys.find((key) => restricted.has(key))
    if (feature !== undefined) throw new AppError('ERR_PERMISSION_DENIED', { details: { feature: shownKey(feature) } })
  }

  const assertOpenFor = ({ method, path }: RestrictedRoute): AssertOpen => {
    const keys = featuresByRoute.get(`${method} ${path}`)
    if (keys === undefined) return () => {}
    return (actor) => {
      if (actor.kind === 'app' || knownOf(actor.appId)?.size === 0) return
      return assertUserMay(actor, keys)
    }
  }

  return Object.assign(assertOpenFor, { forget: () => believed.clear() })
}
