/** What befalls the bots' side, for a while and for all callbacks of a bot. */
import {
  absurdRetryAfter,
  floods,
  gone,
  late,
  type Misbehaviour,
  resets,
  silences,
  slowDowns,
  statuses,
} from '../lib/misbehaviours.ts'
import { pick, shuffled } from '../lib/random.ts'
import { BOTS, type Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause, within } from '../lib/wait.ts'

const HOUR_MS = 3_600_000
const THROUGH_WITHIN_MS = 2000

/** One after the other to one bot, whatever the lane, until all have been. */
const through = async (run: Run, bot: string, list: readonly Misbehaviour[]): Promise<void> => {
  const left = shuffled(run.random, list)
  run.bots.choose = (one) => (one === bot ? left.shift() : undefined)
  await within(THROUGH_WITHIN_MS, () => left.length === 0)
  run.bots.choose = undefined
}

const allOf = (name: string, faults: string, list: readonly Misbehaviour[], what: string): Scenario => ({
  name,
  faults,
  what,
  inject: (run) => through(run, pick(run.random, BOTS), list),
})

const someOf = (name: string, faults: string, list: readonly Misbehaviour[], what: string): Scenario => ({
  name,
  faults,
  what,
  inject: (run) => through(run, pick(run.random, BOTS), shuffled(run.random, list).slice(0, run.between(1, 3))),
})

const closed: Scenario = {
  name: 'receiver-closed',
  faults: 'F15',
  what: 'the receiver of a bot is gone, connections are refused; then it listens on its port again',
  shortLease: true,
  inject: async (run) => {
    const bot = pick(run.random, BOTS)
    const receiver = run.bots.receivers.get(bot)
    run.injected('F15 receiver closed and opened again')
    // What is under way at that moment was answered, and may not have been heard.
    await run.chronicle.disturbed(async () => {
      await receiver?.close()
      await run.writing(100, 500)
      await run.bots.open(bot, receiver?.port)
    })
  },
}

const unresolvable: Scenario = {
  name: 'receiver-unresolvable',
  faults: 'F14',
  what: 'the host name of a bot does not exist for a while, then its URL is put right',
  inject: async (run) => {
    const bot = pick(run.random, BOTS)
    run.injected('F14 host name does not resolve')
    await run.changeBot(bot, { webhookURL: 'http://nx.invalid/callback' })
    await run.writing(150, 500)
    await run.changeBot(bot, { webhookURL: run.bots.urlOf(bot) })
  },
}

const isGone: Scenario = {
  name: 'receiver-gone',
  faults: 'F17',
  what: 'a bot answers 410: exactly these deliveries are dead, their lanes go on; replayed, they are delivered',
  inject: async (run) => {
    const bot = pick(run.random, BOTS)
    let left = run.between(2, 8)
    run.bots.choose = (one) => (one === bot && left-- > 0 ? gone : undefined)
    await run.writing(200, 500)
    run.bots.choose = undefined
  },
  after: async (run) => {
    const dead = (await run.deliveries({ state: 'dead', limit: 100 })).map(({ id }) => id)
    const wanted = new Set(run.chronicle.arrivals.filter((one) => one.gone).map(({ deliveryId }) => deliveryId))
    if (dead.length !== wanted.size || dead.some((id) => !wanted.has(id))) {
      run.chronicle.wrong(`${dead.length} deliveries are dead, ${wanted.size} were answered with 410`)
    }
    for (const bot of BOTS) {
      for (const id of dead) run.bots.replayed.add(id)
      await run.client.request('POST', `/bots/${bot}/replay`, { body: { since: 0 } })
    }
    const isDone = async (): Promise<boolean> => (await run.deliveries({ state: 'pending', limit: 1 })).length === 0
    if (!(await within(5000, isDone))) run.chronicle.wrong('what was replayed is not delivered')
  },
}

const absurd: Scenario = {
  name: 'receiver-asks-for-years',
  faults: 'F17, F07',
  what: 'Retry-After of 31 years: nothing more for the bot now, and all of it an hour later',
  inject: async (run) => {
    const bot = pick(run.random, BOTS)
    const isOne = (one: string): boolean => one === bot
    let told = 0
    run.bots.choose = (one) => (isOne(one) && told++ === 0 ? absurdRetryAfter : undefined)
    await within(THROUGH_WITHIN_MS, () => told > 0)
    run.bots.choose = undefined
    await pause(100)
    const before = run.chronicle.arrivals.filter((one) => isOne(one.bot)).length
    await run.writing(200, 400)
    const more = run.chronicle.arrivals.filter((one) => isOne(one.bot)).length - before
    if (more > 0) run.chronicle.wrong(`${more} callbacks to a bot that had asked for patience`)
    // The pause of the bot is measured in time that passes, the waiting of its delivery by the clock.
    await run.stop()
    run.plan.setClock(HOUR_MS + 1000)
    await run.server.start()
  },
}

export const receivers: readonly Scenario[] = [
  allOf(
    'receiver-statuses',
    'F17',
    statuses,
    'every status that means something else than it says, one after the other',
  ),
  someOf('receiver-slows-down', 'F17', slowDowns, '429 and 503, with every kind of Retry-After'),
  allOf('receiver-floods', 'F18', floods, 'headers and bodies without end, a bomb, more than was announced, no HTTP'),
  someOf('receiver-silent', 'F15, F18', silences, 'answers that never come, or never end'),
  someOf('receiver-late', 'F19', [late, late, late], 'answers 2xx when the server waits no more'),
  allOf('receiver-resets', 'F15', [...resets, ...resets, ...resets], 'resets, also in the middle of an answer'),
  closed,
  unresolvable,
  isGone,
  absurd,
]
