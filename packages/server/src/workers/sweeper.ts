/** Forgets what is over, in small steps: nobody waits long behind one. */
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { ignoring } from '../kernel/ignoring.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Store } from '../storage/store.ts'

const SWEEP_EVERY_MS = 10 * 60_000
const STEP = 500

export interface Sweeper {
  start(): void
  stop(): Promise<void>
}

export const makeSweeper = (deps: { store: Pick<Store, 'messages'>; clock: Clock; log: Logger }): Sweeper => {
  const { store, clock, log } = deps
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const sweep = async (): Promise<void> => {
    for (let swept = STEP; swept === STEP && !stopped; ) {
      swept = await store.messages.sweepMuids({ now: toSeconds(clock.now()), limit: STEP })
    }
  }
  return {
    start: () => {
      timer = setInterval(() => {
        running = sweep()
        ignoring(running, 'the next sweep takes it up', log)
      }, SWEEP_EVERY_MS)
    },
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await running.catch(() => undefined)
    },
  }
}
