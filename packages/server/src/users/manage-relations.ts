import {
  type AppId,
  type BlockDirection,
  errorCodes,
  type Outcome,
  parseUid,
  type Uid,
  type User,
} from '@confab/protocol'
import { type Teller, userKey } from '../callbacks/tell.ts'
import type { Actor } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Live } from '../live/live.ts'
import type { Blocked, UidOutcomes } from '../storage/sql/users/relations.ts'
import type { Store } from '../storage/store.ts'

export type Outcomes = Readonly<Record<string, Outcome>>

interface OfUser {
  readonly appId: AppId
  readonly uid: Uid
}

/** Whose blocks: the app names somebody, a user acts for themself. */
interface Blocker extends OfUser {
  readonly actor: Actor
  readonly client: Client
}

export interface ManageRelations {
  /** What became of each. */
  addFriends(input: OfUser, uids: readonly string[], options: { addToConversations: boolean }): Promise<Outcomes>
  /** All, or none. */
  removeFriends(input: OfUser, uids: readonly string[]): Promise<void>
  listFriends(input: OfUser & { searchKey?: string; page: PageRequest }): Promise<Page<User>>
  /** What became of each. */
  block(input: Blocker, uids: readonly string[]): Promise<Outcomes>
  /** What became of each. */
  unblock(input: Blocker, uids: readonly string[]): Promise<Outcomes>
  listBlocked(
    input: Omit<Blocker, 'client'> & { direction: BlockDirection; searchKey?: string; page: PageRequest },
  ): Promise<Page<User>>
}

const uniqueUids = (uids: readonly string[]): Uid[] => [...new Set(uids.map(parseUid))]

const answered = (outcomes: UidOutcomes, done: (uid: Uid) => string): Outcomes =>
  Object.fromEntries(
    outcomes.map(({ uid, failure }): [string, Outcome] => {
      if (failure === undefined) return [uid, { success: true, message: done(uid) }]
      const message = errorCodes[failure].meaning
      return [uid, { success: false, message, error: { code: failure, message } }]
    }),
  )

export const makeManageRelations = (deps: {
  store: Pick<Store, 'friends' | 'blocks'>
  clock: Clock
  teller: Teller
  live: Pick<Live, 'stale'>
}): ManageRelations => {
  const { store, clock, teller, live } = deps
  const blocking = ({ client, ...input }: Blocker, uids: readonly string[]) => ({
    ...input,
    others: uniqueUids(uids),
    telling: teller.telling(client),
  })
  /** Of everybody concerned. */
  const changed = ({ appId, uid }: OfUser, others: readonly Uid[]): void => {
    for (const one of [uid, ...others]) live.stale(appId, one, 'relations')
  }
  const handOn = (input: Blocker, { outcomes, told }: Blocked): UidOutcomes => {
    const { appId, uid } = input
    teller.told(told, { appId, conversationId: userKey(uid), sender: uid })
    changed(
      input,
      outcomes.map((one) => one.uid),
    )
    return outcomes
  }
  const now = (): number => toSeconds(clock.now())
  return {
    addFriends: async (input, uids, { addToConversations }) => {
      const others = uniqueUids(uids)
      const outcomes = await store.friends.add({ ...input, others, addToConversations, now: now() })
      changed(input, others)
      return answered(outcomes, () => 'Created relationship with status accepted.')
    },
    removeFriends: async (input, uids) => {
      const others = uniqueUids(uids)
      await store.friends.remove({ ...input, others })
      changed(input, others)
    },
    listFriends: (input) => store.friends.list(input),
    block: async (input, uids) => {
      const outcomes = handOn(input, await store.blocks.add(blocking(input, uids)))
      return answered(
        outcomes,
        (uid) => `The user with UID ${input.uid} has blocked user with UID ${uid} successfully.`,
      )
    },
    unblock: async (input, uids) => {
      const outcomes = handOn(input, await store.blocks.remove(blocking(input, uids)))
      return answered(
        outcomes,
        (uid) => `The user with UID ${input.uid} has unblocked user with UID ${uid} successfully.`,
      )
    },
    listBlocked: (input) => store.blocks.list(input),
  }
}
