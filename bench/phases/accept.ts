/** Messages accepted per second, between people: nothing is forwarded. */
import { startEcho } from '../lib/echo.ts'
import { type Load, sendClosed } from '../lib/load.ts'
import type { Bench, Findings, Phase } from '../lib/phase.ts'
import type { ServerOptions, ServerUnderTest } from '../lib/server-under-test.ts'
import { median, medianRatio } from '../lib/statistics.ts'
import { bodyOf, type Conversation, Messages, peopleTalking } from '../lib/workload.ts'

const LEAST_RATIO = 0.35
const MOST_MB = 300
const SAMPLE_EVERY_MS = 250

/** The size of the answer to one message: the echo answers as much. */
const answerBytesOf = async (server: ServerUnderTest, { sender, receiver }: Conversation): Promise<number> => {
  const { text } = new Messages({
    tag: 'size',
    path: '/v3/messages',
    headers: {},
    conversations: [{ sender, receiver }],
  }).next(0)
  const answer = await fetch(`http://127.0.0.1:${server.port}/v3/messages`, {
    method: 'POST',
    headers: { ...server.headers, onbehalfof: sender, 'content-type': 'application/json' },
    body: bodyOf(text),
  })
  return (await answer.text()).length
}

const sampling = (read: () => number): (() => number) => {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, read())
  }, SAMPLE_EVERY_MS)
  return () => {
    clearInterval(timer)
    return most
  }
}

export interface AcceptRounds {
  readonly ours: readonly number[]
  readonly echo: readonly number[]
  /** CPU time of the server per message, in µs: of its main thread, and of all. */
  readonly mainUs: readonly number[]
  readonly allUs: readonly number[]
  readonly peakMb: number
  readonly residentMb: number
  readonly answered: number
  readonly refused: number
  /** What the server counts as accepted. */
  readonly counted: number
}

export const measureAccept = async (
  bench: Bench,
  options: Pick<ServerOptions, 'databaseUrl'> = {},
): Promise<AcceptRounds> => {
  const { connections, conversations: count, roundMs, rounds, warmUpMs } = bench.scale
  const server = await bench.startServer(options)
  const conversations = await peopleTalking(server, count)
  const [first = { sender: '', receiver: '' }] = conversations
  const answerBytes = await answerBytesOf(server, first)
  const before = await server.metric('confab_messages_accepted_total')
  const sampled = new Messages({ tag: 'size', path: '/', headers: {}, conversations }).next(0).text
  const echoPort = await startEcho(bench.children, { answerBytes, bodyBytes: bodyOf(sampled).length })
  const loads: Load[] = []

  const run = (port: number, path: string, forMs: number): Promise<Load> => {
    const messages = new Messages({ tag: bench.freshTag(), path, headers: server.headers, conversations })
    return sendClosed({ port, connections, forMs, next: messages.byConnection(connections) })
  }
  const echo = (forMs: number) => run(echoPort, '/echo', forMs)
  const ours = async (forMs: number): Promise<Load & { mainUs: number; allUs: number }> => {
    const cpu = server.cpuMs()
    const load = await run(server.port, '/v3/messages', forMs)
    loads.push(load)
    const { main, all } = server.cpuMs()
    return {
      ...load,
      mainUs: ((main - cpu.main) * 1000) / load.answered,
      allUs: ((all - cpu.all) * 1000) / load.answered,
    }
  }

  await echo(warmUpMs)
  await ours(warmUpMs)
  const mostResident = sampling(server.residentMb)
  const echoRounds: Load[] = []
  const ourRounds: Awaited<ReturnType<typeof ours>>[] = []
  for (let round = 0; round < rounds; round++) {
    echoRounds.push(await echo(roundMs))
    ourRounds.push(await ours(roundMs))
  }
  const counted = (await server.metric('confab_messages_accepted_total')) - before
  const result = {
    ours: ourRounds.map(({ rate }) => rate),
    echo: echoRounds.map(({ rate }) => rate),
    mainUs: ourRounds.map(({ mainUs }) => mainUs),
    allUs: ourRounds.map(({ allUs }) => allUs),
    residentMb: mostResident(),
    peakMb: server.peakMb(),
    answered: loads.reduce((sum, load) => sum + load.answered, 0),
    refused: loads.reduce((sum, load) => sum + load.refused, 0),
    counted,
  }
  await server.stop()
  return result
}

export const acceptFindings = (found: AcceptRounds, engine: string): Findings => {
  const ratio = medianRatio(found.ours, found.echo)
  const limit = median(found.echo)
  return {
    figures: [
      { what: 'bare Fastify echo', value: limit, unit: 'requests/s' },
      { what: `messages accepted, ${engine}`, value: median(found.ours), unit: 'messages/s', limit, ratio },
      { what: 'CPU of the server, main thread', value: median(found.mainUs), unit: 'µs/message' },
      { what: 'CPU of the server, all threads', value: median(found.allUs), unit: 'µs/message' },
      { what: 'memory of the server, peak', value: found.peakMb, unit: 'MB' },
      { what: 'memory of the server, under load', value: found.residentMb, unit: 'MB' },
    ],
    requirements: [
      { text: `accepted / bare echo, ${engine} ≥ ${LEAST_RATIO}`, value: ratio.toFixed(2), met: ratio >= LEAST_RATIO },
      {
        text: `memory while accepting, ${engine} < ${MOST_MB} MB`,
        value: found.peakMb.toFixed(0),
        met: found.peakMb < MOST_MB,
      },
      {
        text: `every answer a 200, each message counted once, ${engine}`,
        value: `${found.answered} answers, ${found.refused} refused, ${found.counted} counted`,
        met: found.refused === 0 && found.counted === found.answered,
      },
    ],
    notes: [],
  }
}

export const accept: Phase = {
  name: 'accept',
  title: 'Accept: messages between people',
  run: async (bench) => acceptFindings(await measureAccept(bench), 'embedded store'),
}
