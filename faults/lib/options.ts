import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Engine } from './engines.ts'
import { type Sabotage, sabotages } from './sabotage.ts'

export const HELP = `Usage: npm run faults -- [options]

  --seed <n>         of the series; any unless given. With --runs 1 it repeats the run that was printed with it
  --runs <n>         how many (12)
  --parallel <n>     at the same time (2)
  --engine <name>    sqlite (default) or postgres
  --only <names>     scenarios, with commas between
  --report           print the tables of docs/reliability.md too
  --keep             keep the folders of failed runs: data, log, history
  --list             what scenarios there are`

/** What the person at the keyboard can put right: told without a stack. */
export class UsageError extends Error {}

export interface Options {
  readonly seed: number
  readonly runs: number
  readonly parallel: number
  readonly engine: Engine
  readonly only: readonly string[]
  readonly report: boolean
  readonly keep: boolean
  readonly list: boolean
  readonly help: boolean
  /** For the test of the harness: what spoils the history. */
  readonly sabotage: Sabotage | undefined
}

const numberOf = (name: string, text: string): number => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= (name === 'seed' ? 0 : 1) && value < 2 ** 31))
    throw new UsageError(`--${name}: ${text} is not a number for it`)
  return value
}

const isEngine = (text: string): text is Engine => text === 'sqlite' || text === 'postgres'
const isSabotage = (text: string): text is Sabotage => Object.hasOwn(sabotages, text)

export const readOptions = (args: readonly string[]): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      runs: { type: 'string', default: '12' },
      parallel: { type: 'string', default: '2' },
      engine: { type: 'string', default: 'sqlite' },
      only: { type: 'string', default: '' },
      report: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      sabotage: { type: 'string' },
    },
  })
  const { engine, sabotage } = values
  if (!isEngine(engine)) throw new UsageError('--engine: sqlite or postgres')
  if (sabotage !== undefined && !isSabotage(sabotage)) {
    throw new UsageError(`--sabotage: one of ${Object.keys(sabotages).join(', ')}`)
  }
  return {
    ...values,
    engine,
    sabotage,
    seed: numberOf('seed', values.seed),
    runs: numberOf('runs', values.runs),
    parallel: numberOf('parallel', values.parallel),
    only: values.only.split(',').filter((name) => name !== ''),
  }
}
