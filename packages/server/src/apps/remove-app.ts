/** An app goes for good: what opens it, what works for it, what it has, its files, itself. In small steps, so that nobody waits long. */
import type { AppId } from '@confab/protocol'
import type { KeepFiles } from '../files/keep-files.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Store } from '../storage/store.ts'
import { BELIEVED_MS } from './authenticate.ts'

const STEP = 200

export const makeRemoveApp =
  (deps: {
    store: Pick<Store, 'appRemoval' | 'engine'>
    keep: Pick<KeepFiles, 'removeOf'>
    clock: Clock
    wait: (ms: number) => Promise<void>
  }) =>
  /** What was begun before, and not brought to its end, goes on. */
  async (appId: AppId): Promise<void> => {
    const { store, keep, clock, wait } = deps
    const input = () => ({ appId, limit: STEP, now: toSeconds(clock.now()) })
    while (await store.appRemoval.step({ ...input(), part: 'credentials' }));
    // Other nodes believe a key for as long; what they write meanwhile is to go too.
    if (store.engine !== 'sqlite') await wait(BELIEVED_MS + 500)
    do {
      while (await store.appRemoval.step({ ...input(), part: 'content' }));
      while ((await keep.removeOf(appId, STEP)) > 0);
    } while (!(await store.appRemoval.finish(input())))
  }
