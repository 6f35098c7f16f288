import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Limits } from '@confab/protocol'
import { makeImportChecks } from '../api.ts'
import { ensureConfiguredApp } from '../compose.ts'
import { limitsOf } from '../config/limits.ts'
import type { Config } from '../config/schema.ts'
import { makeImportData, newTally, type Tally } from '../imports/import-data.ts'
import { systemClock } from '../kernel/clock.ts'
import { openStore } from '../storage/open-store.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Store } from '../storage/store.ts'
import { readConfig } from './configuration.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { makeLog } from './log.ts'

interface Arguments {
  readonly file: string
  readonly fromLine: number
  /** Those of settings. */
  readonly rest: readonly string[]
}

const argumentsOf = ([file = '', ...args]: readonly string[]): Arguments | undefined => {
  if (file === '' || file.startsWith('--')) return undefined
  const at = args.findIndex((arg) => arg === '--from-line' || arg.startsWith('--from-line='))
  if (at < 0) return { file, fromLine: 1, rest: args }
  const [, inline] = args[at]?.split('=') ?? []
  const text = inline ?? args[at + 1] ?? ''
  if (!/^[1-9]\d{0,14}$/.test(text)) return undefined
  const rest = args.filter((_, index) => index !== at && (inline !== undefined || index !== at + 1))
  return { file, fromLine: Number(text), rest }
}

/** The one of the configuration, or the only one there is. */
const appOf = async (config: Config, store: Store): Promise<App | undefined> => {
  await ensureConfiguredApp(config, store, systemClock)
  const apps = await store.apps.list({})
  if (config.appId !== undefined) return apps.find(({ id }) => id === config.appId?.toLowerCase())
  return apps.length === 1 ? apps[0] : undefined
}

const words = ({ line, imported, existed, failed }: Tally): string =>
  `Line ${line}: ${imported} imported, ${existed} were there, ${failed} failed.`

const PROGRESS_MS = 2000

/** Ends with the first signal, between two batches: what is told is on disk. */
const run = async (
  { app, store, limits }: { app: App; store: Store; limits: Limits },
  source: AsyncIterable<Uint8Array>,
  from: number,
): Promise<ExitCode> => {
  const data = makeImportData({ store, clock: systemClock, checks: makeImportChecks(limits), limits })
  const tally = newTally()
  let stopping = false
  const stop = (): void => {
    stopping = true
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const progress = setInterval(() => console.error(words(tally)), PROGRESS_MS)
  try {
    for await (const lines of data.stream(app, source, { tally, from })) {
      for (const line of lines) if (!line.success) console.log(JSON.stringify(line))
      if (stopping) break
    }
  } catch (error) {
    console.error(`${words(tally)} Go on with --from-line ${tally.line + 1}.`)
    throw error
  } finally {
    clearInterval(progress)
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
  console.error(words(tally))
  if (stopping) console.error(`Stopped. Go on with --from-line ${tally.line + 1}.`)
  return stopping || tally.failed > 0 ? exitCodes.failed : exitCodes.ok
}

const sourceOf = async (file: string): Promise<AsyncIterable<Uint8Array>> => {
  if (file === '-') return process.stdin
  // Opened before anything else is: a wrong name leaves no store behind.
  await (await open(file)).close()
  return createReadStream(file)
}

/** Rows of a file into the store itself; with SQLite, while no server has it open. */
export const importFile = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const given = argumentsOf(args)
  if (given === undefined) {
    console.error('Usage: confab import <file.ndjson, or -> [--from-line N] [--setting value …]')
    return exitCodes.badConfig
  }
  const config = readConfig(given.rest, env)
  if (config === undefined) return exitCodes.badConfig
  const source = await sourceOf(given.file)
  const log = makeLog('warn')
  const limits = limitsOf(config)
  const { store } = await openStore({ ...config, limits, log })
  try {
    const app = await appOf(config, store)
    if (app !== undefined) return await run({ app, store, limits }, source, given.fromLine)
    console.error('confab: which app? Set CONFAB_APP_ID, or --app-id.')
    return exitCodes.badConfig
  } finally {
    await store.close()
    log.flush()
  }
}
