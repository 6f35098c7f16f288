import type { Teller } from '../callbacks/tell.ts'
import type { UserActor } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
import type { Live } from '../live/live.ts'
import type { Store } from '../storage/store.ts'
import { messageIdOf } from './change-message.ts'

/** Marks elements of an interactive message as used. */
export type Interact = (input: {
  actor: UserActor
  client: Client
  id: string
  elements: readonly string[]
}) => Promise<void>

export const makeInteract =
  ({
    store,
    teller,
    live,
  }: {
    store: Pick<Store, 'interactions'>
    teller: Teller
    live: Pick<Live, 'completed'>
  }): Interact =>
  async ({ actor, client, id, elements }) => {
    const telling = teller.telling(client)
    const { message, told, by, completed, interactions } = await store.interactions.mark({
      actor,
      id: messageIdOf(id),
      elements,
      telling,
    })
    teller.told(told, { appId: actor.appId, conversationId: message.conversationId, sender: actor.uid })
    const cause = { appId: actor.appId, deviceId: client.resource }
    if (completed && by !== undefined) live.completed(cause, message, by, interactions)
  }
