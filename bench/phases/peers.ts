/** Callbacks per second beside what a developer would otherwise assemble: a web framework, a job queue, an HTTP client. */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench, Figure, Phase, Requirement } from '../lib/phase.ts'
import { Missing, startPostgres, startProgram, startRedis } from '../lib/programs.ts'
import type { Ask } from '../lib/questions.ts'
import type { ReceiverVerbs } from '../lib/receiver.process.ts'
import { seedStore } from '../lib/seed.ts'
import { median, medianRatio } from '../lib/statistics.ts'
import { forwardSteadily, type Steady, wholeness } from '../lib/steady.ts'
import { type Conversation, Messages } from '../lib/workload.ts'

const LEAST_RATIO = 2
const BOTS = 100
const CONVERSATIONS = 1000
const MOST_ON_THE_WAY = 1000
/** Of callbacks, in one peer. */
const CONCURRENCY = 200

const FOLDER = fileURLToPath(new URL('../peers', import.meta.url))

/** Once, and again when the lockfile is newer. */
const installPeers = (): void => {
  const [lockfile, installed] = ['package-lock.json', 'node_modules/.package-lock.json'].map((it) => join(FOLDER, it))
  const isThere =
    lockfile && installed && existsSync(installed) && statSync(installed).mtimeMs > statSync(lockfile).mtimeMs
  if (isThere) return
  const { status, stderr } = spawnSync('npm', ['ci'], { cwd: FOLDER, encoding: 'utf8' })
  const why = /^npm error (?!code)(.+)$/m.exec(stderr ?? '')?.[1]
  if (status !== 0) throw new Missing(`npm ci in bench/peers has failed: ${why ?? 'npm does not run'}`)
}

interface Contender {
  readonly name: string
  readonly port: number
  readonly path: string
  readonly conversations: readonly Conversation[]
  /** Whether messages are kept, callbacks signed and in order, and attempts on record: what ours does, and no queue alone. */
  readonly isWholeJob: boolean
  readonly isOurs: boolean
}

interface PeerSettings {
  readonly bodyBytes: number
  readonly receiverPort: number
}

const startPeer = async (
  bench: Bench,
  program: string,
  settings: PeerSettings & { readonly env: NodeJS.ProcessEnv },
) => {
  const [, port] = await startProgram(bench.children, {
    command: process.execPath,
    args: [join(FOLDER, program)],
    env: {
      PATH: dirname(process.execPath),
      NODE_ENV: 'production',
      CALLBACK_URL: `http://127.0.0.1:${settings.receiverPort}/hook`,
      BODY_BYTES: String(settings.bodyBytes),
      CONCURRENCY: String(CONCURRENCY),
      ...settings.env,
    },
    ready: /listening on (\d+)/,
  })
  return Number(port)
}

type StartPeer = (
  bench: Bench,
  settings: PeerSettings,
) => Promise<{ readonly name: string; readonly port: number; readonly isWholeJob: boolean }>

const peerStarts: readonly StartPeer[] = [
  async (bench, settings) => {
    const env = { REDIS_PORT: String(await startRedis(bench.children)) }
    const port = await startPeer(bench, 'bullmq.js', { ...settings, env })
    return { name: 'Fastify + BullMQ on Redis, the queue alone', port, isWholeJob: false }
  },
  async (bench, settings) => {
    const redis = await startRedis(bench.children)
    const env = { REDIS_PORT: String(redis), STORE_URL: await startPostgres(bench.children) }
    const port = await startPeer(bench, 'bullmq.js', { ...settings, env })
    return { name: 'Fastify + BullMQ on Redis + PostgreSQL', port, isWholeJob: true }
  },
  async (bench, settings) => {
    const env = { DATABASE_URL: await startPostgres(bench.children) }
    const port = await startPeer(bench, 'graphile-worker.js', { ...settings, env })
    return { name: 'Fastify + graphile-worker on PostgreSQL, the queue alone', port, isWholeJob: false }
  },
  async (bench, settings) => {
    const env = { STORE_URL: await startPostgres(bench.children) }
    const port = await startPeer(bench, 'graphile-worker.js', { ...settings, env })
    return { name: 'Fastify + graphile-worker on PostgreSQL', port, isWholeJob: true }
  },
]

const startPeers = async (bench: Bench, settings: PeerSettings, conversations: readonly Conversation[]) => {
  const contenders: Contender[] = []
  const notes: string[] = []
  for (const start of peerStarts) {
    try {
      installPeers()
      contenders.push({ ...(await start(bench, settings)), path: '/messages', conversations, isOurs: false })
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      notes.push(`skipped one: ${error.message}`)
    }
  }
  return { contenders, notes }
}

const measure = async (bench: Bench, ask: Ask<ReceiverVerbs>, contender: Contender, forMs: number): Promise<Steady> => {
  const { port, path, conversations } = contender
  const tag = bench.freshTag()
  await ask('expect', { tag })
  const messages = new Messages({ tag, path, headers: {}, conversations })
  const load = { ask, port, messages, connections: MOST_ON_THE_WAY, mostOnTheWay: MOST_ON_THE_WAY }
  return forwardSteadily({ ...load, warmUpMs: bench.scale.warmUpMs, forMs })
}

export const peers: Phase = {
  name: 'peers',
  title: `Peers: the same messages, ${MOST_ON_THE_WAY} on their way all the time, to callbacks of the same size`,
  isHeavy: true,
  run: async (bench) => {
    const { rounds, peerMs } = bench.scale
    const ask = await bench.children.fork<ReceiverVerbs>('./receiver.process.ts')
    const receiverPort = await ask('expect', { tag: 'none' })
    const { dataDir, conversations } = await seedStore(bench, {
      bots: BOTS,
      conversationsPerBot: CONVERSATIONS / BOTS,
      callbackUrl: () => `http://127.0.0.1:${receiverPort}/hook`,
    })
    const server = await bench.startServer({ dataDir })
    const ours: Contender = {
      ...{ name: 'Confab, embedded store', port: server.port, path: '/v3/messages' },
      ...{ conversations, isWholeJob: true, isOurs: true },
    }
    await measure(bench, ask, ours, 0)
    const bodyBytes = await ask('bodyBytes', null)
    const started = await startPeers(bench, { bodyBytes, receiverPort }, conversations)
    for (const contender of started.contenders) await measure(bench, ask, contender, 0)

    const contenders = [ours, ...started.contenders]
    const found = new Map<Contender, Steady[]>(contenders.map((contender) => [contender, []]))
    for (let round = 0; round < rounds; round++) {
      for (const [contender, measured] of found) measured.push(await measure(bench, ask, contender, peerMs))
    }
    await server.stop()
    const ratesOf = (contender: Contender): number[] => (found.get(contender) ?? []).map(({ rate }) => rate)
    const figures: Figure[] = contenders.flatMap((contender) => [
      {
        what: `callbacks answered, ${contender.name}`,
        value: median(ratesOf(contender)),
        unit: 'messages/s',
        ...(contender.isOurs ? {} : { ratio: medianRatio(ratesOf(contender), ratesOf(ours)) }),
      },
      {
        what: '  meanwhile accepted and not delivered',
        value: median((found.get(contender) ?? []).map(({ waiting }) => waiting)),
        unit: 'messages',
      },
    ])
    const requirements = contenders.flatMap((contender): Requirement[] => {
      const whole = wholeness(found.get(contender) ?? [], contender.name, { ordered: contender.isWholeJob })
      if (contender.isOurs || !contender.isWholeJob) return [whole]
      const ratio = medianRatio(ratesOf(ours), ratesOf(contender))
      const text = `callbacks per second / ${contender.name} ≥ ${LEAST_RATIO}`
      return [whole, { text, value: ratio.toFixed(2), met: ratio >= LEAST_RATIO }]
    })
    return {
      figures,
      requirements,
      notes: [
        `callbacks of ${bodyBytes} bytes; ratios are to ours; each peer makes up to ${CONCURRENCY} callbacks at a time`,
        'a queue alone keeps no order within a conversation, no message and no record of attempts, and signs nothing;',
        'the requirement is about the others, which do: in one process, and only as long as nothing fails',
        ...started.notes,
      ],
    }
  },
}
