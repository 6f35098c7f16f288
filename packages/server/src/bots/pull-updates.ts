/**
 * Updates for bots that fetch them: by long polling, or as a stream. Owns who waits; what there is to fetch, and
 * who may, is in the store. A hint ends the wait sooner, a look every second finds everything without it.
 */
import type { AcknowledgeUpdates, PullUpdates, Update } from '@confab/protocol'
import type { BotId } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { StoredUpdate } from '../storage/sql/delivery/updates.ts'
import type { Store } from '../storage/store.ts'
import { Waiting } from './waiting.ts'

export interface PulledUpdates {
  /** Each is JSON, of the form of `Update`. */
  readonly updates: readonly string[]
  /** Acknowledges these, and all that was handed out before. */
  readonly offset: number
}

export interface StreamedUpdate {
  readonly offset: number
  /** JSON of the form of `Update`. */
  readonly json: string
}

export interface FetchUpdates {
  /** Waits for the first one if it may. @param signal ends the wait */
  poll(of: BotId, query: PullUpdates, signal: AbortSignal): Promise<PulledUpdates>
  /** Rejects if somebody else is at it; then never ends by itself. Says `quiet` after each look that finds nothing. */
  stream(of: BotId, offset: number | undefined, signal: AbortSignal): Promise<AsyncIterable<StreamedUpdate | 'quiet'>>
  /** Answers how many updates are delivered by that. */
  acknowledge(of: BotId, which: AcknowledgeUpdates): Promise<number>
  /** There may be something new for the bot. */
  wake(of: BotId): void
}

export interface FetchUpdatesDeps {
  readonly store: Pick<Store, 'updates'>
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

const LOOK_EVERY_MS = 1000
/** How long the place of a consumer is kept that does not come back: its process may be gone. */
const HOLD_MS = 10_000
/** Updates that a stream sends ahead of their acknowledgement. */
const WINDOW = 100
const STREAM_ROOM = { limit: WINDOW, window: WINDOW, laneWindow: WINDOW / 4 }
const DEFAULT_LIMIT = 100

interface Room {
  readonly limit: number
  readonly window?: number
  readonly laneWindow?: number
}

const json = (update: Omit<Update, 'callback'>, body: string): string =>
  `${JSON.stringify(update).slice(0, -1)},"callback":${body}}`

const updateJson = ({ id, offset, attempt, conversationId, sequence, trigger, hop, body }: StoredUpdate): string =>
  json({ offset, id, attempt, conversationId, sequence, previousSequence: sequence - 1, trigger, hop }, body)

export const makeFetchUpdates = ({ store, clock, ids, log }: FetchUpdatesDeps): FetchUpdates => {
  const waiting = new Waiting()
  const keyOf = ({ appId, bot }: BotId): string => `${appId}/${bot}`

  const takeAs = (of: BotId, consumer: string) => (room: Room, offset?: number) => {
    const nowMs = clock.now()
    return store.updates.take({ ...of, ...room, consumer, untilMs: nowMs + HOLD_MS, offset, nowMs })
  }
  /** Before the answer: who has it may come again at once. */
  const release = async (of: BotId, consumer: string): Promise<void> => {
    try {
      await store.updates.release({ ...of, consumer })
    } catch (error) {
      log.warn({ err: error, ...of, consequence: 'its place is free in a few seconds' }, 'updates.not_released')
    }
  }

  async function* follow(
    of: BotId,
    consumer: string,
    first: Awaited<ReturnType<ReturnType<typeof takeAs>>>,
    signal: AbortSignal,
  ): AsyncGenerator<StreamedUpdate | 'quiet'> {
    const take = takeAs(of, consumer)
    let found = first
    try {
      while (!signal.aborted) {
        for (const update of found.updates) yield { offset: update.offset, json: updateJson(update) }
        if (found.updates.length === 0) {
          yield 'quiet'
          await waiting.wait(keyOf(of), LOOK_EVERY_MS, signal)
        }
        if (!signal.aborted) found = await take(STREAM_ROOM)
      }
    } finally {
      await release(of, consumer)
    }
  }

  return {
    poll: async (of, { offset, limit = DEFAULT_LIMIT, timeoutSeconds = 0 }, signal) => {
      const consumer = ids.lease()
      const take = takeAs(of, consumer)
      const endMs = performance.now() + timeoutSeconds * 1000
      try {
        let found = await take({ limit }, offset)
        for (;;) {
          const leftMs = endMs - performance.now()
          if (found.updates.length > 0 || leftMs <= 0 || signal.aborted) break
          await waiting.wait(keyOf(of), Math.min(leftMs, LOOK_EVERY_MS), signal)
          found = await take({ limit })
        }
        return { updates: found.updates.map(updateJson), offset: found.offset }
      } finally {
        await release(of, consumer)
      }
    },

    stream: async (of, offset, signal) => {
      const consumer = ids.lease()
      return follow(of, consumer, await takeAs(of, consumer)(STREAM_ROOM, offset), signal)
    },

    acknowledge: async (of, { offset, ids: named }) => {
      if ((offset === undefined) === (named === undefined)) {
        // A bot that is not there, or is called, comes first.
        await store.updates.acknowledgeIds({ ...of, ids: [], nowMs: clock.now() })
        throw badRequest({ offset: 'is needed, or ids, and not both' })
      }
      const nowMs = clock.now()
      const acknowledged =
        named === undefined
          ? await store.updates.acknowledge({ ...of, offset: offset ?? 0, nowMs })
          : await store.updates.acknowledgeIds({ ...of, ids: named, nowMs })
      waiting.wake(keyOf(of))
      return acknowledged
    },

    wake: (of) => waiting.wake(keyOf(of)),
  }
}
