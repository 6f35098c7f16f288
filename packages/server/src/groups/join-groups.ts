import type { Guid, Uid } from '@confab/protocol'
import { groupConversationId } from '@confab/protocol'
import type { Teller } from '../callbacks/tell.ts'
import { type Actor, actorUid, type UserActor } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
import type { Live } from '../live/live.ts'
import type { StoredMessage } from '../messages/message.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Moved } from '../storage/sql/groups/joining.ts'
import type { Store } from '../storage/store.ts'
import { checkPassword } from './password.ts'

interface OfThemself {
  readonly app: App
  readonly actor: UserActor
  readonly client: Client
  readonly guid: Guid
}

/** What members do about their own membership. */
export interface JoinGroups {
  /** Answers the action message that tells of it. */
  join(input: OfThemself, password: string | undefined): Promise<StoredMessage>
  leave(input: OfThemself): Promise<void>
  transfer(input: { actor: Actor; client: Client; guid: Guid; owner: Uid }): Promise<void>
}

export const makeJoinGroups = (deps: {
  store: Pick<Store, 'groups'>
  teller: Teller
  live: Pick<Live, 'moved'>
}): JoinGroups => {
  const { store, teller, live } = deps
  const inputOf = ({ app, actor, client, guid }: OfThemself) => ({
    actor,
    appCreatedAt: app.createdAt,
    guid,
    telling: teller.telling(client),
  })
  const handOn = (input: OfThemself, { action, told }: Moved, isIn: boolean): StoredMessage => {
    const { actor, client, guid } = input
    const { appId, uid } = actor
    teller.told(told, { appId, conversationId: groupConversationId(guid), sender: uid })
    const cause = { appId, deviceId: client.resource }
    live.moved(cause, { guid, action, ...(isIn ? { entered: [uid] } : { left: [uid] }) })
    return action
  }
  return {
    join: async (input, password) => {
      const { actor, guid } = input
      const passwordHash = await store.groups.passwordHash({ actor, guid })
      if (passwordHash !== null) await checkPassword(password, passwordHash)
      return handOn(input, await store.groups.join({ ...inputOf(input), passwordHash }), true)
    },
    leave: async (input) => void handOn(input, await store.groups.leave(inputOf(input)), false),
    transfer: async ({ actor, client, guid, owner }) => {
      const told = await store.groups.transfer({ actor, guid, owner, telling: teller.telling(client) })
      teller.told(told, { appId: actor.appId, conversationId: groupConversationId(guid), sender: actorUid(actor) })
    },
  }
}
