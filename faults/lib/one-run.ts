/** A run from its beginning to its verdict. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judge } from '../../packages/server/src/testing/history.ts'
import { botsOf, Run, type RunParts } from './run.ts'
import { type Sabotage, sabotages } from './sabotage.ts'
import type { Scenario } from './scenario.ts'
import { storeProblems } from './store-check.ts'
import { pause, within } from './wait.ts'

/** How soon after everything is well all must be delivered. */
const LIVENESS_MS = 10_000
const QUIET_MS = 100
const SHOWN = 5
/** Of a whole run, however slow the machine is. */
const RUN_MS = 120_000

export interface RunResult {
  readonly seed: number
  readonly scenario: string
  /** Nothing: the run is as it must be. */
  readonly problems: readonly string[]
  readonly faults: ReadonlyMap<string, number>
  readonly accepted: number
  readonly unknown: number
  readonly delivered: number
  readonly attempts: number
  readonly repeated: number
  readonly ms: number
}

const untilDelivered = async (run: Run): Promise<void> => {
  const isDone = async (): Promise<boolean> => (await run.deliveries({ state: 'pending', limit: 1 })).length === 0
  if (await within(LIVENESS_MS, isDone)) return
  const left = await run.deliveries({ state: 'pending', limit: 100 })
  run.chronicle.wrong(`not delivered within ${LIVENESS_MS} ms after everything was well: ${left.length} deliveries`)
}

/** Gracefully, or killed and looked at again: what was delivered is on disk, and nothing of it comes again. */
const endServer = async (run: Run): Promise<void> => {
  if (run.random() < 0.3) {
    await run.kill()
    run.injected('F01 kill −9 at the end')
    const before = run.chronicle.arrivals.length
    await pause(QUIET_MS)
    const again = run.chronicle.arrivals.length - before
    if (again > 0 && run.chronicle.problems.length === 0)
      run.chronicle.wrong(`${again} callbacks after all was delivered`)
  }
  await run.stop()
}

const judged = async (run: Run, scenario: Scenario, sabotage: Sabotage | undefined) => {
  const { chronicle, deleted, server } = run
  const arrivals = sabotage === undefined ? chronicle.arrivals : sabotages[sabotage](chronicle.arrivals)
  const verdict = judge({ sent: chronicle.sent, arrivals, botsOf, calledOff: (bot) => deleted.has(bot) })
  const { lost, reordered, phantom, needless } = verdict
  const problems = [
    ...chronicle.problems,
    ...server.collapses.map((exit) => `the server ended by itself with ${exit}`),
    ...Object.entries({ lost, reordered, phantom, needless }).flatMap(([what, found]) =>
      found.length === 0 ? [] : `${found.length} ${what}: ${found.slice(0, SHOWN).join('; ')}`,
    ),
    ...(await storeProblems(run, scenario)).slice(0, SHOWN),
  ]
  return { ...verdict, problems }
}

const drill = async (run: Run, scenario: Scenario, sabotage: Sabotage | undefined) => {
  await run.setUp()
  await run.writing(100, 250)
  await scenario.inject(run)
  await run.writing(30, 100)
  await run.people.stop()
  run.bots.isHealed = true
  await untilDelivered(run)
  await scenario.after?.(run)
  await endServer(run)
  return judged(run, scenario, sabotage)
}

const inTime = async <T>(work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the run did not end within ${RUN_MS} ms`)), RUN_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

export const runOnce = async (parts: RunParts, sabotage: Sabotage | undefined): Promise<RunResult> => {
  const { seed, scenario } = parts
  const started = performance.now()
  const run = new Run(parts)
  const { chronicle } = run
  const nothing = { problems: [] as readonly string[], delivered: 0, repeated: 0 }
  const { problems, delivered, repeated } = await inTime(drill(run, scenario, sabotage)).catch((error: unknown) => ({
    ...nothing,
    problems: [...chronicle.problems, error instanceof Error ? (error.stack ?? error.message) : String(error)],
  }))
  await run.server.end('SIGKILL')
  await run.bots.close()
  if (problems.length > 0) {
    const { sent, arrivals } = chronicle
    writeFileSync(join(parts.directory, 'history.json'), JSON.stringify({ sent, arrivals, problems }, undefined, 1))
  }
  const accepted = chronicle.sent.filter(({ id }) => id !== undefined).length
  return {
    seed,
    scenario: scenario.name,
    problems,
    faults: chronicle.faults,
    accepted,
    unknown: chronicle.sent.length - accepted,
    delivered,
    attempts: chronicle.arrivals.length,
    repeated,
    ms: performance.now() - started,
  }
}
