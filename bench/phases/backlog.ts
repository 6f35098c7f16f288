/** How fast a server works off what has piled up while it was down, and how much memory that takes. */
import { rateOf } from '../lib/load.ts'
import { machineMs } from '../lib/now.ts'
import type { Phase } from '../lib/phase.ts'
import type { PosterVerbs } from '../lib/poster.process.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { seedStore } from '../lib/seed.ts'

const LEAST_PER_SECOND = 1500
const MOST_MB = 400
/** As many attempts as the server has under way at most by default. */
const AT_ONCE = 512
const BOTS = 100
const SETTLE_MS = 500

export const backlog: Phase = {
  name: 'backlog',
  title: 'Backlog: a server is started on messages that have piled up',
  run: async (bench) => {
    const { warmUpMs } = bench.scale
    const { pending, lanes } = bench.scale.backlog
    const ask = await bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
    const post = await bench.children.fork<PosterVerbs>('./poster.process.ts')
    const tag = bench.freshTag()
    const receiverPort = await ask('expect', { tag, bySequence: true })
    const seeding = performance.now()
    const { dataDir } = await seedStore(bench, {
      bots: BOTS,
      conversationsPerBot: lanes / BOTS,
      callbackUrl: () => `http://127.0.0.1:${receiverPort}/hook`,
      backlog: { tag, perLane: pending / lanes },
    })
    const seedMs = performance.now() - seeding

    const startedAtMs = machineMs()
    const server = await bench.startServer({ dataDir })
    const readyMs = machineMs() - startedAtMs
    // A server that is half as fast as it must be is still measured to the end.
    const withinMs = (pending / LEAST_PER_SECOND) * 2000 + 30_000
    const { lastAtMs } = await ask('arrived', { count: pending, withinMs })
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const tally = await ask('tally', null)
    const cpu = server.cpuMs()
    const left = await server.metric('confab_deliveries_pending')
    const peakMb = server.peakMb()
    const body = 'x'.repeat(await ask('bodyBytes', null))
    await server.stop()

    const bare = { port: receiverPort, body, connections: AT_ONCE, forMs: warmUpMs }
    await post('post', bare)
    const limit = await post('post', bare)
    const rate = rateOf(tally.distinct, startedAtMs, lastAtMs)
    const { distinct, duplicates, outOfOrder, strangers } = tally
    return {
      figures: [
        { what: `bare undici POST, ${body.length} bytes, ${AT_ONCE} at once`, value: limit, unit: 'posts/s' },
        {
          what: 'callbacks answered since its start, embedded store',
          value: rate,
          unit: 'messages/s',
          limit,
          ratio: rate / limit,
        },
        { what: '  from the start of the server until it listens', value: readyMs, unit: 'ms' },
        { what: 'CPU of the server, main thread', value: (cpu.main * 1000) / distinct, unit: 'µs/message' },
        { what: 'CPU of the server, all threads', value: (cpu.all * 1000) / distinct, unit: 'µs/message' },
        { what: 'memory of the server, peak', value: peakMb, unit: 'MB' },
      ],
      requirements: [
        {
          text: `callbacks per second from a backlog ≥ ${LEAST_PER_SECOND}`,
          value: rate.toFixed(0),
          met: rate >= LEAST_PER_SECOND,
        },
        { text: `memory with a backlog < ${MOST_MB} MB`, value: peakMb.toFixed(0), met: peakMb < MOST_MB },
        {
          text: 'the whole backlog once, each lane in the order of its numbers',
          value: `${pending - distinct} of ${pending} missing, ${outOfOrder} out of order, ${duplicates} twice, ${strangers} unknown, ${left} pending`,
          met: distinct === pending && outOfOrder === 0 && duplicates === 0 && strangers === 0 && left === 0,
        },
      ],
      notes: [`${pending} messages in ${lanes} lanes of ${BOTS} bots, written in ${(seedMs / 1000).toFixed(1)} s`],
    }
  },
}
