import type { Teller } from '../callbacks/tell.ts'
import type { UserActor } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
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
  ({ store, teller }: { store: Pick<Store, 'interactions'>; teller: Teller }): Interact =>
  async ({ actor, client, id, elements }) => {
    const telling = teller.telling(client)
    const { message, told } = await store.interactions.mark({ actor, id: messageIdOf(id), elements, telling })
    teller.told(told, { appId: actor.appId, conversationId: message.conversationId, sender: actor.uid })
  }
