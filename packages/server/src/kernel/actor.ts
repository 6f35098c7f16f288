import { type AppId, SYSTEM_UID, type Uid } from '@confab/protocol'

/** Who acts: the app itself (a server key, no `onBehalfOf`), with every right, or a user, with that user's rights. */
export type Actor =
  | { readonly kind: 'app'; readonly appId: AppId }
  | { readonly kind: 'user'; readonly appId: AppId; readonly uid: Uid }

export type UserActor = Extract<Actor, { kind: 'user' }>

/** The uid that messages and marks carry: the app acts as `app_system`. */
export const actorUid = (actor: Actor): Uid => (actor.kind === 'user' ? actor.uid : SYSTEM_UID)

/** A bot, in its app. */
export interface BotId {
  readonly appId: AppId
  readonly bot: Uid
}

/** Of a route that needs one: the edge has seen to it that there is a user. */
export const asUser = (actor: Actor): UserActor => {
  if (actor.kind !== 'user') throw new Error('a route that needs an acting user was reached without one')
  return actor
}
