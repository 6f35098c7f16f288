/** kill −9 at named points: of the store's work from inside, of a callback's way from outside. */
import type { Met } from '../lib/bots.ts'
import type { KillPoint } from '../lib/plan.ts'
import { pick } from '../lib/random.ts'
import type { Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause } from '../lib/wait.ts'

const REACHED_WITHIN_MS = 1500
const NTH_MAX = 30

/** A point that nobody passes in time becomes a kill at random. */
const killWhen = async (run: Run, point: string, arm: () => () => void): Promise<void> => {
  run.server.expectEnd()
  const disarm = arm()
  const exit = await run.server.ended(REACHED_WITHIN_MS)
  disarm()
  run.injected(exit === undefined ? 'F01 kill −9 at random' : point)
  await run.kill()
}

const inStore = (at: KillPoint['at'], faults: string): Scenario => ({
  name: `kill-at-${at.replace(' ', '-')}`,
  faults,
  what: `kill −9 right before, during or after a statement of the store: ${at}`,
  inject: async (run) => {
    const when = pick<KillPoint['when']>(run.random, ['before', 'during', 'after'])
    const word = run.engine === 'sqlite' && when === 'during' ? 'after' : when
    await killWhen(run, `${faults} kill −9 ${word} ${at}`, () => {
      run.plan.killAt({ at, when, nth: run.between(1, NTH_MAX) })
      return () => run.plan.killAt(undefined)
    })
  },
})

/** A moment later, so that the other side may or may not have got that far. */
const killSoon = async (run: Run): Promise<void> => {
  const ms = run.between(0, 3)
  if (ms > 0) await pause(ms)
  run.server.signal('SIGKILL')
}

const atNth = (run: Run): (() => void) => {
  let left = run.between(5, 40)
  return () => {
    left -= 1
    if (left === 0) void killSoon(run)
  }
}

const atCallback = (name: string, faults: string, hook: 'onArrival' | 'onAnswered', what: string): Scenario => ({
  name,
  faults,
  what: `kill −9 ${what}`,
  inject: (run) =>
    killWhen(run, `${faults} kill −9 ${what}`, () => {
      const count = atNth(run)
      run.bots[hook] = ({ arrival }: Met) => {
        if (hook === 'onArrival' || arrival.ok) count()
      }
      return () => {
        run.bots[hook] = undefined
      }
    }),
})

const atAccept: Scenario = {
  name: 'kill-when-accepted',
  faults: 'F01',
  what: 'kill −9 right after a person was told that their message is accepted',
  inject: (run) =>
    killWhen(run, 'F01 kill −9 when a message was accepted', () => {
      const count = atNth(run)
      run.people.onAccepted = count
      return () => {
        run.people.onAccepted = undefined
      }
    }),
}

const atRandom: Scenario = {
  name: 'kill-at-random',
  faults: 'F01',
  what: 'kill −9 twice, at any time; also while the server starts',
  inject: async (run) => {
    run.injected('F01 kill −9 at random')
    await run.kill()
    await run.writing(50, 400)
    if (run.random() < 0.5) {
      run.injected('F01 kill −9 while it starts')
      await run.server.end('SIGKILL')
      const starting = run.start().catch(() => {})
      await pause(run.between(300, 900))
      await run.server.end('SIGKILL')
      await starting
    }
    run.injected('F01 kill −9 at random')
    await run.kill()
  },
}

export const killPoints: readonly Scenario[] = [
  inStore('commit', 'F01'),
  inStore('messages insert', 'F01'),
  inStore('deliveries insert', 'F01'),
  inStore('attempts insert', 'F02'),
  inStore('lanes change', 'F02'),
  atCallback('kill-when-callback-arrives', 'F02', 'onArrival', 'when a callback has arrived and is not answered'),
  atCallback('kill-when-callback-answered', 'F02', 'onAnswered', 'right after the 2xx of a bot has left'),
  atAccept,
  atRandom,
]
