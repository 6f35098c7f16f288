/** Messages per second to the callbacks of many bots, while a backlog of some hundreds is kept. */
import type { Phase } from '../lib/phase.ts'
import type { PosterVerbs } from '../lib/poster.process.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { seedStore } from '../lib/seed.ts'
import { forwardSteadily, wholeness } from '../lib/steady.ts'
import { Messages } from '../lib/workload.ts'

const BOTS = 100
const CONVERSATIONS = 1000
const MOST_ON_THE_WAY = 1000

export const delivery: Phase = {
  name: 'delivery',
  title: `Delivery: ${CONVERSATIONS} conversations with ${BOTS} bots, ${MOST_ON_THE_WAY} messages on their way all the time`,
  run: async (bench) => {
    const { warmUpMs, steadyMs } = bench.scale
    const ask = await bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
    const post = await bench.children.fork<PosterVerbs>('./poster.process.ts')
    const receiverPort = await ask('expect', { tag: 'none' })
    const { dataDir, conversations } = await seedStore(bench, {
      bots: BOTS,
      conversationsPerBot: CONVERSATIONS / BOTS,
      callbackUrl: () => `http://127.0.0.1:${receiverPort}/hook`,
    })
    const server = await bench.startServer({ dataDir })
    const tag = bench.freshTag()
    await ask('expect', { tag })
    const messages = new Messages({ tag, path: '/v3/messages', headers: {}, conversations })
    const load = { ask, port: server.port, messages, connections: MOST_ON_THE_WAY, mostOnTheWay: MOST_ON_THE_WAY }
    const cpu = server.cpuMs()
    const found = await forwardSteadily({ ...load, warmUpMs, forMs: steadyMs })
    const { main, all } = server.cpuMs()
    const peakMb = server.peakMb()
    const body = 'x'.repeat(await ask('bodyBytes', null))
    await server.stop()
    const bare = { port: receiverPort, body, connections: 200, forMs: warmUpMs }
    await post('post', bare)
    const limit = await post('post', bare)
    const usPerMessage = (ms: number): number => (ms * 1000) / found.accepted
    return {
      figures: [
        { what: `bare undici POST, ${body.length} bytes, ${bare.connections} at once`, value: limit, unit: 'posts/s' },
        {
          what: 'callbacks answered, embedded store',
          value: found.rate,
          unit: 'messages/s',
          limit,
          ratio: found.rate / limit,
        },
        { what: '  meanwhile accepted and not delivered, median', value: found.waiting, unit: 'messages' },
        { what: '  and at the least', value: found.leastWaiting, unit: 'messages' },
        { what: '  delivered after the last was accepted, in', value: found.drainMs, unit: 'ms' },
        { what: 'CPU of the server, main thread', value: usPerMessage(main - cpu.main), unit: 'µs/message' },
        { what: 'CPU of the server, all threads', value: usPerMessage(all - cpu.all), unit: 'µs/message' },
        { what: 'memory of the server, peak', value: peakMb, unit: 'MB' },
      ],
      requirements: [wholeness([found], 'delivery to many bots', { ordered: true })],
      notes: [],
    }
  },
}
