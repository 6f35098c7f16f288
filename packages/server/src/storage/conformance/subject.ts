/** What the parts of the suite share. */
import { defaultLimits, type ErrorCode, type Limits } from '@confab/protocol'
import { expect, onTestFinished } from 'vitest'
import { type HeldClock, makeWorld, type World } from '../../testing/builders.ts'
import type { Store } from '../store.ts'

export interface Opened {
  readonly store: Store
  /** What a second node of the same deployment has in hand; the same store where only one process may have it open. */
  readonly peer: Store
  /** Two stores as those, whose operator has lowered the limits. */
  readonly lowered: { readonly store: Store; readonly peer: Store }
  close(): Promise<void>
}

export const loweredLimits: Limits = {
  ...defaultLimits,
  ...{ usersPerApp: 13, groupsPerApp: 8, rolesPerApp: 3, botsPerApp: 2, groupSize: 4, groupsPerUser: 3 },
  ...{ friendsPerUser: 2, pinnedPerConversation: 2, savedPerUser: 2, pinnedConversations: 1, reactionsPerMessage: 2 },
  muidWindowSeconds: 100,
  mentionsPerMessage: 1,
}

/** The stores under test; only inside hooks and tests. */
export type Subject = () => Pick<Opened, 'store' | 'peer' | 'lowered'>

/** An app of the test's own; its bots are gone after the test. */
export const worldOf = async (subject: Subject, clock?: HeldClock): Promise<World> => {
  const world = await makeWorld(subject().store, clock)
  onTestFinished(() => world.dispose())
  return world
}

export const expectCode = (promise: Promise<unknown>, code: ErrorCode): Promise<void> =>
  expect(promise).rejects.toMatchObject({ name: 'AppError', code })

export const page = { page: 1, perPage: 100 }
