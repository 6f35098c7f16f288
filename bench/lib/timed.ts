/** Messages on a fixed schedule, each timed from just before it is written until its callback arrives. */
import { sendOpen } from './load.ts'
import type { Ask } from './questions.ts'
import type { ReceiverVerbs } from './receiver.process.ts'
import { quantile } from './statistics.ts'

const ARRIVE_WITHIN_MS = 10_000

export interface Sample {
  /** Unset: it is not waited for. */
  readonly muid?: string
  readonly text: string
}

export interface Timed {
  readonly p50: number
  readonly p99: number
  readonly missing: number
  readonly refused: number
}

/** The receiver must expect the tag of the samples. */
export const sendTimed = async (options: {
  ask: Ask<ReceiverVerbs>
  port: number
  connections: number
  perSecond: number
  forMs: number
  sample: (i: number) => Sample
}): Promise<Timed> => {
  const { ask, port, connections, perSecond, forMs, sample } = options
  const count = Math.round((forMs * perSecond) / 1000)
  const muids: (string | undefined)[] = []
  const request = (i: number): string => {
    const { muid, text } = sample(i)
    muids[i] = muid
    return text
  }
  const load = await sendOpen({ port, connections, perSecond, count, request })
  const awaited = muids.filter((muid) => muid !== undefined).length
  await ask('arrived', { count: awaited, withinMs: ARRIVE_WITHIN_MS })
  const arrivals = new Map(await ask('arrivals', null))
  const latencies = muids.flatMap((muid, i) => {
    const at = muid === undefined ? undefined : arrivals.get(muid)
    return at === undefined ? [] : [at - (load.sentAtMs[i] ?? Number.NaN)]
  })
  return {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    missing: awaited - latencies.length,
    refused: load.refused,
  }
}
