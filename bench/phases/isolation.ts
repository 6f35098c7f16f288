/** Whether bots that hang slow down the others: the same schedule with and without them, in turns. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Phase } from '../lib/phase.ts'
import type { Ask } from '../lib/questions.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { seedStore } from '../lib/seed.ts'
import type { ServerUnderTest } from '../lib/server-under-test.ts'
import { median, medianRatio } from '../lib/statistics.ts'
import { sumOf } from '../lib/steady.ts'
import { type Sample, sendTimed, type Timed } from '../lib/timed.ts'
import { type Conversation, Messages } from '../lib/workload.ts'

const BOTS = 1000
const CONVERSATIONS_PER_BOT = 4
/** One bot of so many hangs, and so one message of so many is for one that does. */
const ONE_HANGS_OF = 10
const PER_SECOND = 400
const MOST_RATIO = 1.2

const isHanging = (bot: number): boolean => bot % ONE_HANGS_OF === 0

/** A message of each conversation in turn. */
const turnsOf = (tag: string, conversations: readonly Conversation[]): (() => Required<Sample>) => {
  const messages = new Messages({ tag, path: '/v3/messages', headers: {}, conversations })
  let turn = 0
  return () => messages.next(turn++ % conversations.length)
}

export const isolation: Phase = {
  name: 'isolation',
  title: `Isolation: ${BOTS} bots, ${PER_SECOND} messages/s on a fixed schedule, one bot of ${ONE_HANGS_OF} hangs until timeout`,
  run: async (bench) => {
    const { connections, warmUpMs, isolation: scale, hangMs } = bench.scale
    const fork = (): Promise<Ask<ReceiverVerbs>> => bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
    const [ask, askHanging] = await Promise.all([fork(), fork()])
    const urls = {
      healthy: `http://127.0.0.1:${await ask('expect', { tag: 'none' })}/hook`,
      hanging: `http://127.0.0.1:${await askHanging('expect', { tag: 'none', neverAnswer: true })}/hook`,
    }
    const { dataDir, conversations } = await seedStore(bench, {
      bots: BOTS,
      conversationsPerBot: CONVERSATIONS_PER_BOT,
      callbackUrl: (bot) => (isHanging(bot) ? urls.hanging : urls.healthy),
    })
    const [hanging = [], healthy = []] = [true, false].map((hangs) =>
      conversations.filter((_, c) => isHanging(c % BOTS) === hangs),
    )
    // Two servers: what was hung up on is tried again later, and must not disturb the rounds without.
    const copy = join(bench.children.directory(), 'data')
    cpSync(dataDir, copy, { recursive: true })
    const settings = { CONFAB_CALLBACK_TIMEOUT: `${hangMs}ms` }
    const without = await bench.startServer({ dataDir, settings })
    const withThem = await bench.startServer({ dataDir: copy, settings })

    const send = async (server: ServerUnderTest, hang: boolean, forMs: number): Promise<Timed> => {
      const tag = bench.freshTag()
      await ask('expect', { tag })
      const nextHealthy = turnsOf(tag, healthy)
      const nextHanging = turnsOf(bench.freshTag(), hanging)
      // Those that are for healthy bots leave at the same rate, with and without.
      const perSecond = hang ? PER_SECOND : PER_SECOND * (1 - 1 / ONE_HANGS_OF)
      const sample = (i: number): Sample =>
        hang && i % ONE_HANGS_OF === 0 ? { text: nextHanging().text } : nextHealthy()
      return sendTimed({ ask, port: server.port, connections, perSecond, forMs, sample })
    }

    await send(without, false, warmUpMs)
    await send(withThem, true, warmUpMs)
    const found = { without: [] as Timed[], withThem: [] as Timed[] }
    for (let round = 0; round < scale.rounds; round++) {
      found.without.push(await send(without, false, scale.roundMs))
      found.withThem.push(await send(withThem, true, scale.roundMs))
    }
    // It expects no message in particular.
    const hung = (await askHanging('tally', null)).strangers
    await Promise.all([without.stop(), withThem.stop()])
    const figures = (['p50', 'p99'] as const).map((name) => {
      const [limits, values] = [found.without, found.withThem].map((all) => all.map((round) => round[name]))
      return {
        what: `sending to callback of the others, ${name}`,
        value: median(values ?? []),
        unit: 'ms',
        limit: median(limits ?? []),
        ratio: medianRatio(values ?? [], limits ?? []),
      }
    })
    const ratio = figures[1]?.ratio ?? Number.NaN
    const missing = sumOf([...found.without, ...found.withThem], (round) => round.missing + round.refused)
    return {
      figures: [...figures, { what: 'attempts that hung until timeout', value: hung, unit: 'attempts' }],
      requirements: [
        {
          text: `p99 of healthy bots with hanging ones / without < ${MOST_RATIO}`,
          value: ratio.toFixed(2),
          met: ratio < MOST_RATIO,
        },
        {
          text: 'every message to a healthy bot arrived, and some hung',
          value: `${missing} missing, ${hung} hung`,
          met: missing === 0 && hung > 0,
        },
      ],
      notes: [`the limit is the same without messages to bots that hang; the timeout of an attempt is ${hangMs} ms`],
    }
  },
}
