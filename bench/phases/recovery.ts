/** How soon after kill −9 and an immediate restart the callbacks that were under way are made again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, Phase } from '../lib/phase.ts'
import type { Ask } from '../lib/questions.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { type Seeded, seedStore } from '../lib/seed.ts'
import type { ServerUnderTest } from '../lib/server-under-test.ts'
import { median } from '../lib/statistics.ts'
import { sumOf } from '../lib/steady.ts'
import { Messages } from '../lib/workload.ts'
import { Writers } from '../lib/writers.ts'

const MOST_MS = 2000
const BOTS = 25
const CONVERSATIONS = 250
const MOST_ON_THE_WAY = 500
/** Callbacks, when the server is killed: the bots hang until there are so many. */
const LEAST_UNDER_WAY = 50
const LOOK_EVERY_MS = 5
const ARRIVE_WITHIN_MS = 30_000

interface Round {
  /** Callbacks that the receiver had and had not answered when the server was killed. */
  readonly underWay: number
  readonly notRepeated: number
  readonly listeningMs: number
  readonly firstMs: number
  readonly allMs: number
  readonly accepted: number
  readonly lost: number
  readonly outOfOrder: number
}

interface Setting {
  readonly bench: Bench
  readonly ask: Ask<ReceiverVerbs>
  readonly seeded: Seeded
}

const writeUntilKilled = async ({ bench, ask, seeded }: Setting, server: ServerUnderTest) => {
  const { connections, killAfterMs } = bench.scale
  const { conversations } = seeded
  const tag = bench.freshTag()
  await ask('expect', { tag })
  const messages = new Messages({ tag, path: '/v3/messages', headers: {}, conversations })
  const written: string[] = []
  const accepted = new Set<string>()
  let turn = 0
  // Each connection has conversations of its own, so what was written last is the last of its conversation.
  const next = (connection: number): string => {
    const own = Math.floor((conversations.length - 1 - connection) / connections) + 1
    const { muid, text } = messages.next(connection + connections * (turn++ % own))
    written[connection] = muid
    return text
  }
  const onAnswer = (connection: number, status: number): void => {
    if (status === 200) accepted.add(written[connection] ?? '')
  }
  const writers = await Writers.start({ port: server.port, connections, mostOnTheWay: MOST_ON_THE_WAY, next, onAnswer })
  const until = performance.now() + killAfterMs
  for (let unanswered = 0; unanswered < LEAST_UNDER_WAY; await sleep(LOOK_EVERY_MS)) {
    writers.delivered((await Promise.race([ask('count', null), writers.lost])).distinct)
    if (performance.now() > until) unanswered = (await ask('hang', { hang: true })).length
  }
  const killed = server.kill()
  writers.abandon()
  return { killedAtMs: await killed, underWay: await ask('hang', { hang: false }), accepted }
}

const killOnce = async (
  setting: Setting,
  server: ServerUnderTest,
): Promise<{ round: Round; server: ServerUnderTest }> => {
  const { bench, ask, seeded } = setting
  const { killedAtMs, underWay, accepted } = await writeUntilKilled(setting, server)
  const startingMs = performance.now()
  const restarted = await bench.startServer({ dataDir: seeded.dataDir })
  const listeningMs = performance.now() - startingMs
  const arrivals = async () => new Map(await ask('arrivals', null))
  const lostOf = (arrived: ReadonlyMap<string, number>) => [...accepted].filter((muid) => !arrived.has(muid)).length
  const until = performance.now() + ARRIVE_WITHIN_MS
  while (lostOf(await arrivals()) > 0 && performance.now() < until) await sleep(100)
  // What was accepted without an answer may be behind it still.
  while ((await restarted.metric('confab_deliveries_pending')) > 0 && performance.now() < until) await sleep(100)

  const arrived = await arrivals()
  const again = new Map(await ask('again', null))
  const repeated = underWay.flatMap((muid) => again.get(muid) ?? [])
  const round = {
    underWay: underWay.length,
    notRepeated: underWay.length - repeated.length,
    listeningMs,
    firstMs: Math.min(...repeated) - killedAtMs,
    allMs: Math.max(...repeated) - killedAtMs,
    accepted: accepted.size,
    lost: lostOf(arrived),
    outOfOrder: (await ask('tally', null)).outOfOrder,
  }
  return { round, server: restarted }
}

export const recovery: Phase = {
  name: 'recovery',
  title: 'Recovery: kill −9 under load, and a restart at once',
  run: async (bench) => {
    const ask = await bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
    const receiverPort = await ask('expect', { tag: 'none' })
    const seeded = await seedStore(bench, {
      bots: BOTS,
      conversationsPerBot: CONVERSATIONS / BOTS,
      callbackUrl: () => `http://127.0.0.1:${receiverPort}/hook`,
    })
    let server = await bench.startServer({ dataDir: seeded.dataDir })
    const rounds: Round[] = []
    for (let kill = 0; kill < bench.scale.kills; kill++) {
      const killed = await killOnce({ bench, ask, seeded }, server)
      server = killed.server
      rounds.push(killed.round)
    }
    await server.stop()
    const limit = median(rounds.map(({ listeningMs }) => listeningMs))
    const firsts = rounds.map(({ firstMs }) => firstMs)
    const [typical, worst] = [median(firsts), Math.max(...firsts)]
    const of = (value: (round: Round) => number): number => sumOf(rounds, value)
    const [lost, disorder, notRepeated] = [of((it) => it.lost), of((it) => it.outOfOrder), of((it) => it.notRepeated)]
    return {
      figures: [
        { what: 'start of the server until it listens, median', value: limit, unit: 'ms' },
        {
          what: 'kill to the first callback made again, median',
          value: typical,
          unit: 'ms',
          limit,
          ratio: typical / limit,
        },
        { what: `  the worst of ${rounds.length}`, value: worst, unit: 'ms', limit, ratio: worst / limit },
        {
          what: '  to the last one that was under way, median',
          value: median(rounds.map((it) => it.allMs)),
          unit: 'ms',
        },
        {
          what: 'callbacks under way when it was killed',
          value: median(rounds.map((it) => it.underWay)),
          unit: 'attempts',
        },
      ],
      requirements: [
        {
          text: `kill −9 to the first callback made again ≤ ${MOST_MS} ms`,
          value: worst.toFixed(0),
          met: worst <= MOST_MS,
        },
        {
          text: 'nothing accepted lost by a kill, nothing out of order, all that was under way made again',
          value: `${of((it) => it.accepted)} accepted, ${lost} lost, ${disorder} out of order, ${notRepeated} of ${of((it) => it.underWay)} not made again`,
          met: lost === 0 && disorder === 0 && notRepeated === 0 && rounds.every(({ underWay }) => underWay > 0),
        },
      ],
      notes: [],
    }
  },
}
