/**
 * The fault harness: the real server under seeded faults, judged by a history that is kept outside.
 *
 *   npm run faults -- [--seed <n>] [--runs <n>] [--parallel <n>] [--engine sqlite|postgres] [--only <scenarios>]
 */
import { cpSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Children } from '../bench/lib/children.ts'
import { Engines, smallDiskProblem } from './lib/engines.ts'
import { type RunResult, runOnce } from './lib/one-run.ts'
import { HELP, type Options, readOptions, UsageError } from './lib/options.ts'
import { seedsOf } from './lib/random.ts'
import { markdownOf, printFailure, printSeries, progressLine } from './lib/report.ts'
import { isFor, type Scenario } from './lib/scenario.ts'
import { scenarios } from './scenarios/index.ts'

const PROGRESS_EVERY = 20

/** What the server compiles at its start is compiled once for all runs. */
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'confab-faults-cache')

const children = new Children(process.env.CONFAB_FAULTS_DIR)
const engines = new Engines()

interface Choice {
  /** All of the engine: their number belongs to the meaning of a seed. */
  readonly all: readonly Scenario[]
  readonly wanted: readonly Scenario[]
  readonly skipped: readonly string[]
}

const choose = ({ engine, only }: Options): Choice => {
  const unknown = only.find((name) => !scenarios.some((scenario) => scenario.name === name))
  if (unknown !== undefined) throw new UsageError(`there is no scenario ${unknown}; --list names them`)
  const all = scenarios.filter(isFor(engine))
  const wanted = all.filter(({ name }) => only.length === 0 || only.includes(name))
  if (wanted.length === 0) throw new UsageError(`none of these is for ${engine}`)
  const onSmallDisk = wanted.filter(({ storage }) => storage === 'small-disk')
  const problem = onSmallDisk.length === 0 ? undefined : smallDiskProblem(children.directory())
  if (problem === undefined) return { all, wanted, skipped: [] }
  return {
    all,
    wanted: wanted.filter(({ storage }) => storage !== 'small-disk'),
    skipped: onSmallDisk.map(({ name }) => `${name}: ${problem}`),
  }
}

const runOf = async (options: Options, scenario: Scenario, seed: number, index: number): Promise<RunResult> => {
  const { engine, sabotage, keep } = options
  const directory = children.directory()
  const storage = await engines.open(engine, scenario.storage ?? 'plain', directory)
  const result = await runOnce({ seed, index, engine, scenario, storage, directory, children }, sabotage)
  if (keep && result.problems.length > 0) {
    cpSync(directory, join(tmpdir(), `confab-faults-${engine}-${seed}`), { recursive: true, force: true })
  }
  await storage.discard()
  rmSync(directory, { recursive: true, force: true })
  return result
}

const runAll = async (options: Options, { all, wanted }: Choice): Promise<RunResult[]> => {
  const { seed, runs, engine } = options
  const indices = wanted.map((scenario) => all.indexOf(scenario))
  const next = seedsOf(seed, { runs, scenarios: all.length, wanted: indices }).entries()
  const results: RunResult[] = []
  const started = performance.now()
  const work = async (): Promise<void> => {
    for (const [index, own] of next) {
      const scenario = all[own % all.length]
      if (scenario === undefined) throw new Error(`no scenario for seed ${own}`)
      const result = await runOf(options, scenario, own, index)
      results.push(result)
      if (result.problems.length > 0) printFailure(result, engine)
      const seconds = (performance.now() - started) / 1000
      if (results.length % PROGRESS_EVERY === 0) console.log(progressLine(results, runs, seconds))
    }
  }
  await Promise.all(Array.from({ length: options.parallel }, work))
  return results
}

const main = async (options: Options): Promise<number> => {
  const { seed, engine, runs } = options
  const choice = choose(options)
  const started = performance.now()
  console.log(`Seed ${seed}, ${engine}: ${runs} runs of ${choice.wanted.length} scenarios.`)
  for (const reason of choice.skipped) console.log(`Skipped: ${reason}`)
  const results = await runAll(options, choice)
  const series = { seed, engine, results, skipped: choice.skipped, seconds: (performance.now() - started) / 1000 }
  printSeries(series)
  if (options.report) console.log(`\n${markdownOf(series)}`)
  return results.some(({ problems }) => problems.length > 0) ? 1 : 0
}

const list = (): string =>
  scenarios.map(({ name, faults, what }) => `${name.padEnd(28)} ${faults.padEnd(10)} ${what}`).join('\n')

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    children.killAll()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  })
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help || options.list) console.log(options.help ? HELP : list())
  else process.exitCode = await main(options)
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = 1
} finally {
  await children.endAll()
  await engines.close()
}
