import { type Actor, actorUid, type UserActor } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Live } from '../live/live.ts'
import type { ViewedMessage } from '../storage/sql/messages/message-views.ts'
import type { Store } from '../storage/store.ts'
import { messageIdOf } from './change-message.ts'

interface Which<A extends Actor> {
  readonly actor: A
  readonly client: Client
  /** As the path has it. */
  readonly id: string
}

/** Messages are pinned for everybody in their conversation, and saved for one user alone. */
export interface KeepMessages {
  pin(which: Which<Actor>): Promise<ViewedMessage>
  unpin(which: Which<Actor>): Promise<ViewedMessage>
  save(which: Which<UserActor>): Promise<ViewedMessage>
  unsave(which: Which<UserActor>): Promise<ViewedMessage>
}

export const makeKeepMessages = (deps: {
  store: Pick<Store, 'messages'>
  clock: Clock
  live: Pick<Live, 'pinned' | 'saved'>
}): KeepMessages => {
  const { store, clock, live } = deps
  const inputOf = <A extends Actor>({ actor, id }: Which<A>) => ({
    actor,
    id: messageIdOf(id),
    now: toSeconds(clock.now()),
  })
  const causeOf = ({ actor, client }: Which<Actor>) => ({ appId: actor.appId, deviceId: client.resource })
  const pinned = (which: Which<Actor>, { isNew, ...viewed }: ViewedMessage & { isNew: boolean }): ViewedMessage => {
    if (isNew) live.pinned(causeOf(which), actorUid(which.actor), viewed)
    return viewed
  }
  const saved = (which: Which<UserActor>, { isNew, ...viewed }: ViewedMessage & { isNew: boolean }): ViewedMessage => {
    if (isNew) live.saved(causeOf(which), which.actor.uid, viewed)
    return viewed
  }
  return {
    pin: async (which) => pinned(which, await store.messages.pin(inputOf(which))),
    unpin: async (which) => pinned(which, await store.messages.unpin(inputOf(which))),
    save: async (which) => saved(which, await store.messages.save(inputOf(which))),
    unsave: async (which) => saved(which, await store.messages.unsave(inputOf(which))),
  }
}
