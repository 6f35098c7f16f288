/** From just before a message is written to the arrival of its callback, at a steady rate that leaves the machine air. */
import { postText } from '../lib/frames.ts'
import { muidOf } from '../lib/ledger.ts'
import type { Figure, Phase } from '../lib/phase.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { median, medianRatio } from '../lib/statistics.ts'
import { type Sample, sendTimed, type Timed } from '../lib/timed.ts'
import { Messages, peopleAskingBots } from '../lib/workload.ts'

const PER_SECOND = 200
const MOST_MS = { p50: 5, p99: 25 } as const

const figuresOf = (
  what: string,
  quantileName: 'p50' | 'p99',
  ours: readonly Timed[],
  bare: readonly Timed[],
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

const requirementOf = (quantileName: 'p50' | 'p99', ours: readonly Timed[]) => {
  const value = median(ours.map((round) => round[quantileName]))
  const most = MOST_MS[quantileName]
  return {
    text: `from sending to the callback, ${PER_SECOND} messages/s, ${quantileName} ≤ ${most} ms`,
    value: value.toFixed(2),
    met: value <= most,
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

    const send = async (port: number, forMs: number, sample: (tag: string, i: number) => Sample): Promise<Timed> => {
      const tag = bench.freshTag()
      await ask('expect', { tag })
      return sendTimed({ ask, port, connections, perSecond: PER_SECOND, forMs, sample: (i) => sample(tag, i) })
    }

    const ours = (forMs: number): Promise<Timed> => {
      let messages: Messages | undefined
      return send(server.port, forMs, (tag, i) => {
        messages ??= new Messages({ tag, path: '/v3/messages', headers: server.headers, conversations })
        return messages.next(i % count)
      })
    }
    let filler = ''
    const bare = (forMs: number): Promise<Timed> =>
      send(receiverPort, forMs, (tag, i) => {
        const muid = muidOf(tag, i % count, Math.floor(i / count))
        return { muid, text: postText('/hook', {}, JSON.stringify({ muid, filler })) }
      })

    await ours(warmUpMs)
    filler = 'x'.repeat(await ask('bodyBytes', null))
    await bare(warmUpMs / 2)
    const found = { ours: [] as Timed[], bare: [] as Timed[] }
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
        requirementOf('p50', found.ours),
        requirementOf('p99', found.ours),
      ],
      notes: [],
    }
  },
}
