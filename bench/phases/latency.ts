/** From just before a message is written to the arrival of its callback, at a steady rate that leaves the machine air. */
import { postText } from '../lib/frames.ts'
import { muidOf } from '../lib/ledger.ts'
import { sendOpen } from '../lib/load.ts'
import type { Figure, Phase } from '../lib/phase.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { median, medianRatio, quantile } from '../lib/statistics.ts'
import { Messages, peopleAskingBots } from '../lib/workload.ts'

const PER_SECOND = 200
const ARRIVE_WITHIN_MS = 10_000

interface Sample {
  readonly muid: string
  readonly text: string
}

interface Round {
  readonly p50: number
  readonly p99: number
  readonly missing: number
  readonly refused: number
}

const figuresOf = (
  what: string,
  quantileName: 'p50' | 'p99',
  ours: readonly Round[],
  bare: readonly Round[],
): Figure => {
  const [values, limits] = [ours, bare].map((rounds) => rounds.map((round) => round[quantileName]))
  return {
    what: `${what}, ${quantileName}`,
    value: median(values ?? []),
    unit: 'ms',
    limit: median(limits ?? []),
    ratio: medianRatio(values ?? [], limits ?? []),
  }
}

export const latency: Phase = {
  name: 'latency',
  title: `Latency: from sending to the callback, ${PER_SECOND} messages/s on a fixed schedule`,
  run: async (bench) => {
    const { connections, conversations: count, bots, roundMs, rounds, warmUpMs } = bench.scale
    const ask = await bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
    const receiverPort = await ask('expect', { tag: 'none' })
    const server = await bench.startServer()
    const conversations = await peopleAskingBots(server, { conversations: count, bots, receiverPort })

    const send = async (port: number, forMs: number, sample: (tag: string, i: number) => Sample): Promise<Round> => {
      const tag = bench.freshTag()
      await ask('expect', { tag })
      const number = Math.round((forMs * PER_SECOND) / 1000)
      const muids: string[] = []
      const request = (i: number): string => {
        const { muid, text } = sample(tag, i)
        muids[i] = muid
        return text
      }
      const load = await sendOpen({ port, connections, perSecond: PER_SECOND, count: number, request })
      await ask('arrived', { count: number, withinMs: ARRIVE_WITHIN_MS })
      const arrivals = new Map(await ask('arrivals', null))
      const latencies = muids.flatMap((muid, i) => {
        const at = arrivals.get(muid)
        return at === undefined ? [] : [at - (load.sentAtMs[i] ?? Number.NaN)]
      })
      return {
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
        missing: number - latencies.length,
        refused: load.refused,
      }
    }

    const ours = (forMs: number): Promise<Round> => {
      let messages: Messages | undefined
      return send(server.port, forMs, (tag, i) => {
        messages ??= new Messages({ tag, path: '/v3/messages', headers: server.headers, conversations })
        return messages.next(i % count)
      })
    }
    let filler = ''
    const bare = (forMs: number): Promise<Round> =>
      send(receiverPort, forMs, (tag, i) => {
        const muid = muidOf(tag, i % count, Math.floor(i / count))
        return { muid, text: postText('/hook', {}, JSON.stringify({ muid, filler })) }
      })

    await ours(warmUpMs)
    filler = 'x'.repeat(await ask('bodyBytes', null))
    await bare(warmUpMs / 2)
    const found = { ours: [] as Round[], bare: [] as Round[] }
    for (let round = 0; round < rounds; round++) {
      found.bare.push(await bare(roundMs))
      found.ours.push(await ours(roundMs))
    }
    await server.stop()
    const missing = [...found.ours, ...found.bare].reduce((sum, round) => sum + round.missing + round.refused, 0)
    return {
      figures: [
        { what: 'bare POST to the receiver, p50', value: median(found.bare.map(({ p50 }) => p50)), unit: 'ms' },
        { what: 'bare POST to the receiver, p99', value: median(found.bare.map(({ p99 }) => p99)), unit: 'ms' },
        figuresOf('sending to callback, embedded store', 'p50', found.ours, found.bare),
        figuresOf('sending to callback, embedded store', 'p99', found.ours, found.bare),
      ],
      requirements: [
        { text: 'every message of the latency phase arrived', value: `${missing} missing`, met: missing === 0 },
      ],
      notes: [],
    }
  },
}
