/** What a series of runs comes to, for a terminal and as the table of docs/reliability.md. */
import type { Engine } from './engines.ts'
import type { RunResult } from './one-run.ts'

export interface Series {
  readonly seed: number
  readonly engine: Engine
  readonly seconds: number
  readonly results: readonly RunResult[]
  /** What could not be run here, and why. */
  readonly skipped: readonly string[]
}

const sum = (results: readonly RunResult[], of: (result: RunResult) => number): number =>
  results.reduce((total, result) => total + of(result), 0)

const countFaults = (results: readonly RunResult[]): [string, number][] => {
  const counts = new Map<string, number>()
  for (const { faults } of results) {
    for (const [fault, times] of faults) counts.set(fault, (counts.get(fault) ?? 0) + times)
  }
  return [...counts].sort(([one], [other]) => one.localeCompare(other))
}

const totals = (results: readonly RunResult[]): Record<string, number> => ({
  runs: results.length,
  accepted: sum(results, ({ accepted }) => accepted),
  'of unknown outcome': sum(results, ({ unknown }) => unknown),
  delivered: sum(results, ({ delivered }) => delivered),
  attempts: sum(results, ({ attempts }) => attempts),
  'repeated (in flight)': sum(results, ({ repeated }) => repeated),
  'runs with a problem': results.filter(({ problems }) => problems.length > 0).length,
})

export const reproduce = ({ seed }: Pick<RunResult, 'seed'>, engine: Engine): string =>
  `npm run faults -- --engine ${engine} --seed ${seed} --runs 1`

export const progressLine = (results: readonly RunResult[], runs: number, seconds: number): string => {
  const failed = results.filter(({ problems }) => problems.length > 0).length
  const delivered = sum(results, (result) => result.delivered)
  return `${results.length} of ${runs} runs, ${Math.round(seconds)} s, ${delivered} delivered, ${failed} with a problem`
}

export const printFailure = (result: RunResult, engine: Engine): void => {
  console.log(`✗ ${result.scenario} (${Math.round(result.ms)} ms): ${reproduce(result, engine)}`)
  for (const problem of result.problems) console.log(`    ${problem}`)
}

export const printSeries = ({ engine, results, skipped, seconds }: Series): void => {
  console.log('\nFaults injected:')
  for (const [fault, times] of countFaults(results)) console.log(`${String(times).padStart(8)}  ${fault}`)
  console.log(`\nIn ${Math.round(seconds)} s:`)
  for (const [what, number] of Object.entries(totals(results))) console.log(`${String(number).padStart(8)}  ${what}`)
  for (const reason of skipped) console.log(`Skipped: ${reason}`)
  for (const result of results) if (result.problems.length > 0) printFailure(result, engine)
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`

export const markdownOf = ({ seed, engine, results, skipped, seconds }: Series): string => {
  const byScenario = Map.groupBy(results, ({ scenario }) => scenario)
  return [
    `Engine ${engine}, seed ${seed}, ${(seconds / 60).toFixed(1)} min.`,
    '',
    row(...Object.keys(totals(results))),
    row(...Object.keys(totals(results)).map(() => '---:')),
    row(...Object.values(totals(results))),
    '',
    row('scenario', 'runs', 'delivered', 'attempts', 'repeated', 'with a problem'),
    row('---', '---:', '---:', '---:', '---:', '---:'),
    ...[...byScenario]
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([scenario, own]) => {
        const { runs = 0, delivered = 0, attempts = 0, 'repeated (in flight)': repeated = 0, ...rest } = totals(own)
        return row(scenario, runs, delivered, attempts, repeated, rest['runs with a problem'] ?? 0)
      }),
    '',
    row('fault', 'injected'),
    row('---', '---:'),
    ...countFaults(results).map(([fault, times]) => row(fault, times)),
    ...skipped.map((reason) => `\nSkipped: ${reason}`),
  ].join('\n')
}
