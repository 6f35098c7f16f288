/** What the parts of the suite share. */
import type { ErrorCode } from '@confab/protocol'
import { expect, onTestFinished } from 'vitest'
import { type HeldClock, makeWorld, type World } from '../../testing/builders.ts'
import type { Store } from '../store.ts'

export interface Opened {
  readonly store: Store
  /** What a second node of the same deployment has in hand; the same store where only one process may have it open. */
  readonly peer: Store
  close(): Promise<void>
}

/** The stores under test; only inside hooks and tests. */
export type Subject = () => Pick<Opened, 'store' | 'peer'>

/** An app of the test's own; its bots are gone after the test. */
export const worldOf = async (subject: Subject, clock?: HeldClock): Promise<World> => {
  const world = await makeWorld(subject().store, clock)
  onTestFinished(() => world.dispose())
  return world
}

export const expectCode = (promise: Promise<unknown>, code: ErrorCode): Promise<void> =>
  expect(promise).rejects.toMatchObject({ name: 'AppError', code })

export const page = { page: 1, perPage: 100 }
