import { type Limits, type ListReactions, limits, type Reaction } from '@confab/protocol'
import type { Teller } from '../callbacks/tell.ts'
import type { Actor, UserActor } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import type { Live } from '../live/live.ts'
import type { ViewedMessage } from '../storage/sql/messages/message-views.ts'
import type { Reacted } from '../storage/sql/messages/reactions.ts'
import type { Store } from '../storage/store.ts'
import { messageIdOf } from './change-message.ts'

interface ReactInput {
  readonly actor: UserActor
  readonly client: Client
  /** As the path has it. */
  readonly id: string
  readonly reaction: string
}

export interface React {
  /** Reacting twice is as reacting once. */
  add(input: ReactInput): Promise<ViewedMessage>
  remove(input: ReactInput): Promise<ViewedMessage>
  list(input: { actor: Actor; id: string; reaction?: string }, query: ListReactions): Promise<ReactionPage>
}

export interface ReactionPage {
  readonly rows: readonly Reaction[]
  readonly limit: number
}

const checkedBy =
  (most: number) =>
  (reaction: string): string => {
    if (reaction.trim() !== '' && reaction.length <= most) return reaction
    throw badRequest({ reaction: `must have 1 to ${most} characters` })
  }

export const makeReact = (deps: {
  store: Pick<Store, 'reactions'>
  teller: Teller
  live: Pick<Live, 'reacted'>
  limits: Limits
}): React => {
  const { store, teller, live } = deps
  const checked = checkedBy(deps.limits.reactionLength)
  const inputOf = ({ actor, client, id, reaction }: ReactInput) => ({
    actor,
    id: messageIdOf(id),
    reaction: checked(reaction),
    telling: teller.telling(client),
  })
  const handOn = (
    { actor, client }: ReactInput,
    { told, change, ...viewed }: Reacted,
    isRemoved: boolean,
  ): ViewedMessage => {
    const { appId, uid } = actor
    teller.told(told, { appId, conversationId: viewed.message.conversationId, sender: uid })
    const cause = { appId, deviceId: client.resource }
    if (change !== undefined) live.reacted(cause, uid, viewed.message, change, isRemoved)
    return viewed
  }
  return {
    add: async (input) => handOn(input, await store.reactions.add(inputOf(input)), false),
    remove: async (input) => handOn(input, await store.reactions.remove(inputOf(input)), true),
    list: async ({ actor, id, reaction }, { affix = 'append', id: after, limit = limits.pageSize }) => {
      const cursor = { affix, limit, ...(after !== undefined && { id: Number(after) }) }
      const wanted = reaction === undefined ? {} : { reaction: checked(reaction) }
      return { rows: await store.reactions.list({ actor, id: messageIdOf(id), ...wanted, cursor }), limit }
    },
  }
}
