/** Messages to callbacks while a backlog is kept: how many arrive per second, and what became of each. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Tally } from './ledger.ts'
import { rateOf } from './load.ts'
import type { Requirement } from './phase.ts'
import type { Ask } from './questions.ts'
import type { ReceiverVerbs } from './receiver.process.ts'
import { median } from './statistics.ts'
import type { Messages } from './workload.ts'
import { Writers } from './writers.ts'

const LOOK_EVERY_MS = 5
const DRAIN_WITHIN_MS = 30_000
/** A callback that comes twice comes after the answer to the first. */
const AFTERMATH_MS = 300

export interface Steady extends Tally {
  readonly accepted: number
  readonly refused: number
  /** Callbacks per second, without the warm-up and the end. */
  readonly rate: number
  /** Accepted and not delivered: the median of the time measured, and the least. */
  readonly waiting: number
  readonly leastWaiting: number
  /** From the last acceptance to the last callback. */
  readonly drainMs: number
}

interface Count {
  readonly distinct: number
  readonly atMs: number
}

/** The receiver must expect the tag of the messages. */
export const forwardSteadily = async (options: {
  ask: Ask<ReceiverVerbs>
  port: number
  messages: Messages
  connections: number
  mostOnTheWay: number
  warmUpMs: number
  forMs: number
}): Promise<Steady> => {
  const { ask, port, connections, mostOnTheWay, warmUpMs, forMs } = options
  const next = options.messages.byConnection(connections)
  const writers = await Writers.start({ port, connections, mostOnTheWay, next: (connection) => next(connection) ?? '' })
  const waiting: number[] = []
  const writeFor = async (ms: number): Promise<Count> => {
    const until = performance.now() + ms
    for (;;) {
      const count = await Promise.race([ask('count', null), writers.lost])
      writers.delivered(count.distinct)
      waiting.push(writers.waiting)
      if (performance.now() >= until) return count
      await sleep(LOOK_EVERY_MS)
    }
  }
  try {
    const first = await writeFor(warmUpMs)
    waiting.length = 0
    const last = await writeFor(forMs)
    const stopping = performance.now()
    const written = await writers.stop()
    await ask('arrived', { count: written.accepted, withinMs: DRAIN_WITHIN_MS })
    const drainMs = performance.now() - stopping
    await sleep(AFTERMATH_MS)
    return {
      ...(await ask('tally', null)),
      ...written,
      rate: rateOf(last.distinct - first.distinct, first.atMs, last.atMs),
      waiting: median(waiting),
      leastWaiting: Math.min(...waiting),
      drainMs,
    }
  } finally {
    writers.abandon()
  }
}

export const sumOf = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0)

/** Everything once, and in order if that was promised. */
export const wholeness = (rounds: readonly Steady[], who: string, options: { ordered: boolean }): Requirement => {
  const of = (value: (round: Steady) => number): number => sumOf(rounds, value)
  const [accepted, refused, distinct] = [of((it) => it.accepted), of((it) => it.refused), of((it) => it.distinct)]
  const [disorder, twice, strangers] = [of((it) => it.outOfOrder), of((it) => it.duplicates), of((it) => it.strangers)]
  const lost = accepted - distinct
  return {
    text: `none lost${options.ordered ? ', none out of order within its conversation' : ''}, ${who}`,
    value:
      `${accepted} accepted, ${refused} refused, ${lost} lost, ${disorder} out of order, ` +
      `${twice} twice, ${strangers} unknown`,
    met:
      accepted > 0 &&
      refused === 0 &&
      lost === 0 &&
      twice === 0 &&
      strangers === 0 &&
      !(options.ordered && disorder > 0),
  }
}
