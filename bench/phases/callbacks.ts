/** Messages per second from the first request to the last callback that was answered with 200. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startEcho } from '../lib/echo.ts'
import type { Tally } from '../lib/ledger.ts'
import { rateOf, sendClosed } from '../lib/load.ts'
import type { Bench, Findings, Phase } from '../lib/phase.ts'
import type { PosterVerbs } from '../lib/poster.process.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import type { ServerOptions, ServerUnderTest } from '../lib/server-under-test.ts'
import { median, medianRatio } from '../lib/statistics.ts'
import { bodyOf, Messages, peopleAskingBots } from '../lib/workload.ts'

/** After the last message was accepted. */
const ARRIVE_WITHIN_MS = 30_000
/** A callback that comes twice comes after the answer to the first. */
const AFTERMATH_MS = 300
const SETTLE_WITHIN_MS = 5000
const WARM_UP_MESSAGES = 1000

interface Round extends Tally {
  readonly sent: number
  readonly refused: number
  readonly rate: number
  /** Until every message was accepted. */
  readonly acceptRate: number
  readonly mainUs: number
  readonly allUs: number
}

export interface CallbackRounds {
  readonly rounds: readonly Round[]
  readonly echo: readonly number[]
  readonly undici: readonly number[]
  readonly bodyBytes: number
  readonly concurrency: number
  readonly pending: number
  readonly peakMb: number
}

const settledBacklog = async (server: ServerUnderTest): Promise<number> => {
  const until = performance.now() + SETTLE_WITHIN_MS
  for (;;) {
    const pending = await server.metric('confab_deliveries_pending')
    if (pending === 0 || performance.now() > until) return pending
    await sleep(100)
  }
}

export const measureCallbacks = async (
  bench: Bench,
  options: Pick<ServerOptions, 'databaseUrl'> = {},
): Promise<CallbackRounds> => {
  const { connections, conversations: count, bots, roundMs, rounds, warmUpMs, maxMessages } = bench.scale
  const ask = await bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
  const post = await bench.children.fork<PosterVerbs>('./poster.process.ts')
  const receiverPort = await ask('expect', { tag: 'none' })
  const server = await bench.startServer(options)
  const conversations = await peopleAskingBots(server, { conversations: count, bots, receiverPort })

  const messagesOf = (path: string, tag: string): Messages =>
    new Messages({ tag, path, headers: server.headers, conversations })

  const forward = async (sent: number): Promise<Round> => {
    const tag = bench.freshTag()
    await ask('expect', { tag })
    const next = messagesOf('/v3/messages', tag).byConnection(connections, sent)
    const cpu = server.cpuMs()
    const load = await sendClosed({ port: server.port, connections, forMs: ARRIVE_WITHIN_MS, next })
    const { lastAtMs } = await ask('arrived', { count: load.answered - load.refused, withinMs: ARRIVE_WITHIN_MS })
    const { main, all } = server.cpuMs()
    await sleep(AFTERMATH_MS)
    const tally = await ask('tally', null)
    return {
      ...tally,
      sent: load.answered,
      refused: load.refused,
      rate: rateOf(tally.distinct, load.startedAtMs, lastAtMs),
      acceptRate: load.rate,
      mainUs: ((main - cpu.main) * 1000) / load.answered,
      allUs: ((all - cpu.all) * 1000) / load.answered,
    }
  }

  await forward(WARM_UP_MESSAGES)
  const bodyBytes = await ask('bodyBytes', null)
  const body = 'x'.repeat(bodyBytes)
  const undici = (forMs: number): Promise<number> =>
    post('post', { port: receiverPort, body, connections: count, forMs })
  const message = bodyOf(messagesOf('/', 'size').next(0).text)
  const echoPort = await startEcho(bench.children, { answerBytes: bodyBytes, bodyBytes: message.length })
  const echo = async (forMs: number): Promise<number> => {
    const next = messagesOf('/echo', 'echo').byConnection(connections)
    return (await sendClosed({ port: echoPort, connections, forMs, next })).rate
  }

  await undici(warmUpMs)
  await echo(warmUpMs)
  const warm = await forward(WARM_UP_MESSAGES)
  const perRound = Math.min(maxMessages, Math.max(WARM_UP_MESSAGES, Math.round((warm.rate * roundMs) / 1000)))
  const found = { rounds: [] as Round[], echo: [] as number[], undici: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    found.undici.push(await undici(roundMs))
    found.rounds.push(await forward(perRound))
    found.echo.push(await echo(roundMs / 2))
  }
  const result = {
    ...found,
    bodyBytes,
    concurrency: count,
    pending: await settledBacklog(server),
    peakMb: server.peakMb(),
  }
  await server.stop()
  return result
}

const sum = (rounds: readonly Round[], value: (round: Round) => number): number =>
  rounds.reduce((total, round) => total + value(round), 0)

export const callbackFindings = (found: CallbackRounds, engine: string): Findings => {
  const { rounds, echo, undici, pending } = found
  const rates = rounds.map(({ rate }) => rate)
  const limit = median(undici)
  const sent = sum(rounds, (round) => round.sent)
  const lost = sent - sum(rounds, (round) => round.refused) - sum(rounds, (round) => round.distinct)
  const duplicates = sum(rounds, (round) => round.duplicates)
  const outOfOrder = sum(rounds, (round) => round.outOfOrder)
  const strangers = sum(rounds, (round) => round.strangers)
  const refused = sum(rounds, (round) => round.refused)
  const rate = median(rates)
  return {
    figures: [
      {
        what: `bare undici POST, ${found.bodyBytes} bytes, ${found.concurrency} at once`,
        value: limit,
        unit: 'posts/s',
      },
      {
        what: `messages to callbacks answered, ${engine}`,
        value: rate,
        unit: 'messages/s',
        limit,
        ratio: medianRatio(rates, undici),
      },
      {
        what: '  the same against the bare echo',
        value: rate,
        unit: 'messages/s',
        limit: median(echo),
        ratio: medianRatio(rates, echo),
      },
      { what: '  meanwhile accepted', value: median(rounds.map(({ acceptRate }) => acceptRate)), unit: 'messages/s' },
      { what: 'CPU of the server, main thread', value: median(rounds.map(({ mainUs }) => mainUs)), unit: 'µs/message' },
      { what: 'CPU of the server, all threads', value: median(rounds.map(({ allUs }) => allUs)), unit: 'µs/message' },
      { what: 'memory of the server, peak', value: found.peakMb, unit: 'MB' },
    ],
    requirements: [
      {
        text: `none lost, none out of order within its conversation, ${engine}`,
        value: `${sent} sent, ${refused} refused, ${lost} lost, ${outOfOrder} out of order, ${duplicates} twice, ${strangers} unknown, ${pending} pending`,
        met: refused === 0 && lost === 0 && outOfOrder === 0 && duplicates === 0 && strangers === 0 && pending === 0,
      },
    ],
    notes: [],
  }
}

export const callbacks: Phase = {
  name: 'callbacks',
  title: 'End to end: messages to bots, until their callbacks are answered',
  run: async (bench) => callbackFindings(await measureCallbacks(bench), 'embedded store'),
}
