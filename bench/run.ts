/**
 * The benchmark: what the server does per second, beside what the machine could do at most in the same run.
 *
 *   npm run bench [-- [phase …] [--quick] [--no-require] [--profile=<folder>]]
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Children } from './lib/children.ts'
import { printProfiles } from './lib/cpu-profile.ts'
import { TAG_LENGTH } from './lib/ledger.ts'
import type { Bench, Phase, Requirement, Scale } from './lib/phase.ts'
import { machineLine, othersLine, printFindings, printRequirements } from './lib/print.ts'
import { watchOthers } from './lib/process-usage.ts'
import { type FirstStore, makeFirstStore } from './lib/seed.ts'
import { startServer } from './lib/server-under-test.ts'
import { accept } from './phases/accept.ts'
import { backlog } from './phases/backlog.ts'
import { callbacks } from './phases/callbacks.ts'
import { delivery } from './phases/delivery.ts'
import { gateway } from './phases/gateway.ts'
import { isolation } from './phases/isolation.ts'
import { latency } from './phases/latency.ts'
import { lists } from './phases/lists.ts'
import { peers } from './phases/peers.ts'
import { postgres } from './phases/postgres.ts'
import { recovery } from './phases/recovery.ts'

const phases: readonly Phase[] = [
  ...[accept, callbacks, latency, postgres],
  ...[delivery, peers, isolation, backlog, recovery, lists, gateway],
]

const common = { connections: 128, conversations: 200, bots: 8 }
const scales = {
  full: {
    ...common,
    ...{ rounds: 3, warmUpMs: 3000, roundMs: 4000, maxMessages: 30_000 },
    ...{ steadyMs: 60_000, peerMs: 15_000, isolation: { rounds: 7, roundMs: 12_000 }, hangMs: 10_000 },
    ...{ backlog: { pending: 1_000_000, lanes: 10_000 }, kills: 7, killAfterMs: 3000 },
    gateway: { sessions: 10_000, members: 1500, seconds: 20, storm: 2000 },
    lists: {
      small: { messages: 50_000, conversations: 1000, members: 100, users: 2000 },
      large: { messages: 5_000_000, conversations: 100_000, members: 10_000, users: 50_000 },
      ...{ busy: 1000, rounds: 5, more: 10, requests: 100, withinMs: 600_000 },
    },
  },
  quick: {
    ...common,
    ...{ rounds: 2, warmUpMs: 500, roundMs: 1000, maxMessages: 8000 },
    ...{ steadyMs: 5000, peerMs: 3000, isolation: { rounds: 2, roundMs: 1200 }, hangMs: 1000 },
    ...{ backlog: { pending: 20_000, lanes: 1000 }, kills: 2, killAfterMs: 700 },
    gateway: { sessions: 500, members: 200, seconds: 2, storm: 200 },
    lists: {
      small: { messages: 5000, conversations: 100, members: 100, users: 200 },
      large: { messages: 50_000, conversations: 1000, members: 1000, users: 2000 },
      ...{ busy: 100, rounds: 3, more: 6, requests: 30, withinMs: 90_000 },
    },
  },
} as const satisfies Record<string, Scale>

const chosen = (names: readonly string[]): readonly Phase[] => {
  const unknown = names.find((name) => !phases.some((phase) => phase.name === name))
  if (unknown !== undefined) {
    throw new Error(`there is no phase ${unknown}; there are ${phases.map(({ name }) => name).join(', ')}`)
  }
  const isChosen = ({ name, isHeavy }: Phase): boolean =>
    names.length === 0 ? !(isHeavy && flags.quick) : names.includes(name)
  return phases.filter(isChosen)
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    'no-require': { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
})

const children = new Children(process.env.CONFAB_BENCH_DIR)
let first: FirstStore | undefined

const benchOf = (phase: Phase): { bench: Bench; profileDir: string | undefined } => {
  const profileDir = flags.profile === undefined ? undefined : join(resolve(flags.profile), phase.name)
  let tags = 0
  const bench: Bench = {
    scale: flags.quick ? scales.quick : scales.full,
    children,
    databaseUrl: process.env.CONFAB_BENCH_DATABASE_URL,
    startServer: (options = {}) => startServer(children, { ...options, ...(profileDir && { profileDir }) }),
    firstStore: async () => {
      first ??= await makeFirstStore({ children, startServer: (options) => startServer(children, options) })
      return first
    },
    freshTag: () => `r${String(++tags).padStart(TAG_LENGTH - 1, '0')}`,
  }
  return { bench, profileDir }
}

const runAll = async (): Promise<Requirement[]> => {
  const requirements: Requirement[] = []
  for (const phase of chosen(positionals)) {
    console.log(phase.title)
    const { bench, profileDir } = benchOf(phase)
    const findings = await phase.run(bench)
    await children.endAll()
    printFindings(findings)
    if (profileDir !== undefined) printProfiles(profileDir)
    requirements.push(...findings.requirements)
  }
  return requirements
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    children.killAll()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  })
}

const othersShare = watchOthers()
try {
  const requirements = await runAll()
  console.log(machineLine(children.directory()))
  console.log(othersLine(othersShare()))
  printRequirements(requirements)
  if (!flags['no-require'] && requirements.some(({ met }) => !met)) process.exitCode = 1
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await children.endAll()
}
