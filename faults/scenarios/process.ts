/** What befalls the process: held still, asked to stop, started twice; and its clock. */
import { join } from 'node:path'
import { exitCodes } from '../../packages/server/src/cli/exit-codes.ts'
import { silences } from '../lib/misbehaviours.ts'
import { pick } from '../lib/random.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause } from '../lib/wait.ts'

const HOUR_MS = 3_600_000

const stall: Scenario = {
  name: 'stall',
  faults: 'F08',
  what: 'the process is held still for longer than its leases run, then goes on',
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F08 stall beyond the lease')
      run.server.hold()
      await pause(run.leaseMs + run.between(100, 600))
      run.server.release()
    }),
}

const gracefulStop: Scenario = {
  name: 'graceful-stop',
  faults: 'F35',
  what: 'SIGTERM with requests and attempts under way, then a start: exit code 0, and nothing comes twice at all',
  inject: async (run) => {
    const never = silences.find(({ name }) => name === 'never answers')
    let hangs = run.between(0, 2)
    run.bots.choose = () => (hangs-- > 0 ? never : undefined)
    await run.writing(0, 100)
    run.injected('F35 graceful stop')
    await run.stop()
    await run.server.start()
    run.bots.choose = undefined
  },
}

const secondProcess: Scenario = {
  name: 'second-process',
  faults: 'F09',
  what: 'a second process on the same data directory: it refuses with exit code 4, the first is unharmed',
  engines: ['sqlite'],
  inject: async (run) => {
    run.injected('F09 second process on the directory')
    const child = run.server.spawn(run.server.settings({ CONFAB_PORT: '0' }), join(run.directory, 'second.log'))
    const exit = await new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal))
    })
    if (exit !== exitCodes.directoryInUse) run.chronicle.wrong(`the second process ended with ${exit}`)
  },
}

const clockBack: Scenario = {
  name: 'clock-back',
  faults: 'F07',
  what: 'the clock jumps an hour back, and some time later to where it was',
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F07 clock an hour back, and right again')
      run.plan.setClock(-HOUR_MS)
      await run.writing(200, 500)
      run.plan.setClock(0)
    }),
}

const clockAhead: Scenario = {
  name: 'clock-ahead',
  faults: 'F07',
  what: 'the clock jumps an hour ahead, and some time later to where it was',
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F07 clock an hour ahead, and right again')
      run.plan.setClock(HOUR_MS)
      await run.writing(200, 500)
      run.plan.setClock(0)
      await run.writing(200, 500)
    }),
}

const clockStep: Scenario = {
  name: 'clock-step',
  faults: 'F07',
  what: 'the clock steps some seconds ahead or back, or an hour ahead, for good; with a kill −9 after it',
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      const ms = pick(run.random, [-2000, -700, 700, 2000, HOUR_MS])
      run.injected(`F07 clock steps by ${ms / 1000} s`)
      run.plan.setClock(ms)
      await run.writing(100, 400)
      if (run.random() < 0.5) await run.kill()
    }),
}

export const processes: readonly Scenario[] = [stall, gracefulStop, secondProcess, clockAhead, clockBack, clockStep]
