/** Two nodes on one database, of which one falters: the other takes its lanes over, and it must not take them back. */
import { join } from 'node:path'
import type { Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import type { ServerProcess } from '../lib/server.ts'
import { pause } from '../lib/wait.ts'

const withSecondNode = async (run: Run, work: (second: ServerProcess) => Promise<void>): Promise<void> => {
  const second = run.server.another(join(run.directory, 'second.log'))
  await second.start()
  try {
    await run.writing(50, 200)
    await work(second)
  } finally {
    const exit = await second.end('SIGTERM')
    if (exit !== 0) run.chronicle.wrong(`asked to stop, the second node ended with ${exit ?? 'nothing in time'}`)
  }
}

const stalled: Scenario = {
  name: 'node-stalled',
  faults: 'F08',
  what: 'one of two nodes is held still for longer than its leases run; when it goes on, the other has its lanes',
  engines: ['postgres'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(() =>
      withSecondNode(run, async () => {
        run.injected('F08 node stalled beside another')
        run.server.hold()
        await pause(run.leaseMs + run.between(300, 1500))
        run.server.release()
        await run.writing(200, 400)
      }),
    ),
}

const killed: Scenario = {
  name: 'node-killed',
  faults: 'F01',
  what: 'one of two nodes is killed with kill −9 and starts again when the other has its lanes',
  engines: ['postgres'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(() =>
      withSecondNode(run, async () => {
        run.injected('F01 kill −9 beside another node')
        await run.server.end('SIGKILL')
        await pause(run.leaseMs + run.between(0, 1000))
        await run.start()
        await run.writing(100, 300)
      }),
    ),
}

export const nodes: readonly Scenario[] = [stalled, killed]
