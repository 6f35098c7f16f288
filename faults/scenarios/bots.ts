/** A bot is changed while it has a backlog. */
import { statuses } from '../lib/misbehaviours.ts'
import { Puller } from '../lib/puller.ts'
import { pick } from '../lib/random.ts'
import { BOTS, type Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause, within } from '../lib/wait.ts'

/** What has left before the answer to a change may still arrive; a claim at hand is good for a quarter of a second. */
const IN_FLIGHT_MS = 500
const failing = statuses.find(({ name }) => name === 'answers 500')

/** Until `work` is done the bot fails, so that everything for it waits. */
const withBacklog = async (run: Run, work: (bot: string) => Promise<void>): Promise<void> => {
  const bot = pick(run.random, BOTS)
  run.bots.choose = (one) => (one === bot ? failing : undefined)
  await run.writing(100, 300)
  await work(bot)
}

const arrivalsOf = ({ chronicle }: Run, bot: string): number =>
  chronicle.arrivals.filter((arrival) => arrival.bot === bot).length

const disabled: Scenario = {
  name: 'bot-disabled',
  faults: 'F22',
  what: 'a bot with a backlog is disabled: nothing more comes, what is said meanwhile is not for it; enabled, it gets the rest',
  inject: (run) =>
    withBacklog(run, async (bot) => {
      run.injected('F22 bot disabled with backlog')
      await run.people.silence(bot)
      await run.changeBot(bot, { enabled: false })
      await pause(IN_FLIGHT_MS)
      const before = arrivalsOf(run, bot)
      await run.people.say(bot, 'unheard', [])
      await run.writing(50, 200)
      if (arrivalsOf(run, bot) > before) run.chronicle.wrong('callbacks to a disabled bot')
      run.bots.choose = undefined
      await run.changeBot(bot, { enabled: true })
      run.people.speak(bot)
    }),
}

const moved: Scenario = {
  name: 'bot-moved',
  faults: 'F22',
  what: 'the URL of a bot with a backlog is changed: nothing more comes to the old one',
  inject: (run) =>
    withBacklog(run, async (bot) => {
      run.injected('F22 URL changed with backlog')
      const old = run.bots.receivers.get(bot)
      run.bots.choose = undefined
      const { url } = await run.bots.open(bot)
      await run.changeBot(bot, { webhookURL: url })
      await pause(IN_FLIGHT_MS)
      const before = old?.received.length ?? 0
      await run.writing(100, 200)
      const late = (old?.received.length ?? 0) - before
      if (late > 0) run.chronicle.wrong(`${late} callbacks to the old URL`)
      await old?.close()
    }),
}

const rotated: Scenario = {
  name: 'secret-rotated',
  faults: 'F22',
  what: 'the secret of a bot with a backlog is rotated: every callback is signed with one that is valid',
  inject: (run) =>
    withBacklog(run, async (bot) => {
      run.injected('F22 secret rotated with backlog')
      const overlapSeconds = pick(run.random, [0, 60])
      const secret = await run.bots.learnSecret(bot, async () => {
        const path = `/bots/${bot}/secret/rotate`
        const { data } = await run.client.request<{ signingSecret: string }>('POST', path, { body: { overlapSeconds } })
        return data.signingSecret
      })
      await pause(IN_FLIGHT_MS)
      // Without an overlap the old one signs no more; with one, both do.
      run.bots.secrets.set(bot, [secret])
      run.bots.choose = undefined
    }),
}

const deleted: Scenario = {
  name: 'bot-deleted',
  faults: 'F22',
  what: 'a bot with a backlog is deleted: nothing more comes, and what was not delivered is cancelled',
  mayBe: ['cancelled'],
  inject: (run) =>
    withBacklog(run, async (bot) => {
      run.injected('F22 bot deleted with backlog')
      await run.people.silence(bot)
      await run.client.request('DELETE', `/bots/${bot}`)
      run.deleted.add(bot)
      run.bots.choose = undefined
      await pause(IN_FLIGHT_MS)
      const before = arrivalsOf(run, bot)
      await run.writing(100, 300)
      if (arrivalsOf(run, bot) > before) run.chronicle.wrong('callbacks to a deleted bot')
    }),
  after: async (run) => {
    const [bot = ''] = run.deleted
    const rest = await run.deliveries({ bot, state: 'pending', limit: 1 })
    const cancelled = await run.deliveries({ bot, state: 'cancelled', limit: 1 })
    if (rest.length > 0 || cancelled.length === 0) run.chronicle.wrong('the backlog of a deleted bot is not cancelled')
  },
}

const PARKED_WITHIN_MS = 5000

const parkedLanes = async (run: Run, bot: string): Promise<number> => {
  const { data } = await run.client.request<{ parked: number }>('GET', `/bots/${bot}/stats`)
  return data.parked
}

const parked: Scenario = {
  name: 'lanes-parked',
  faults: 'F22, F01',
  what: 'a bot that parks what it cannot take fails: each of its lanes waits, also over a kill −9, until somebody says that it is well; then all comes in order',
  inject: async (run) => {
    const bot = pick(run.random, BOTS)
    const policy = { poisonPolicy: 'park', retryPolicy: { giveUpAfterSeconds: 0 }, circuitBreaker: { openSeconds: 0 } }
    await run.changeBot(bot, policy)
    run.injected('F22 lanes parked')
    run.bots.choose = (one) => (one === bot ? failing : undefined)
    const lanes = run.people.conversationsOf(bot).length
    if (!(await within(PARKED_WITHIN_MS, async () => (await parkedLanes(run, bot)) === lanes))) {
      run.chronicle.wrong(`${await parkedLanes(run, bot)} of ${lanes} lanes are parked`)
    }
    if (run.random() < 0.5) {
      run.injected('F01 kill −9 at random')
      await run.kill()
    }
    const before = arrivalsOf(run, bot)
    await run.writing(200, 500)
    if (arrivalsOf(run, bot) > before) run.chronicle.wrong('callbacks of parked lanes')
    run.bots.choose = undefined
    await run.changeBot(bot, { poisonPolicy: null, retryPolicy: null, circuitBreaker: null })
    await run.client.request('POST', `/bots/${bot}/resume`)
  },
}

/** With PostgreSQL the place of a consumer outlives its server for longer than a run may take. */
const mayBeKilled = (run: Run): boolean => run.engine === 'sqlite' && run.random() < 0.6

const fetching: Scenario = {
  name: 'bot-fetches',
  faults: 'F22, F01',
  what: 'a bot with a backlog fetches its updates instead of being called, over a kill −9, and is called again: nothing is lost between the two, and order is kept',
  inject: (run) =>
    withBacklog(run, async (bot) => {
      run.injected('F22 push to pull and back')
      await run.changeBot(bot, { receive: 'pull' })
      run.bots.choose = undefined
      await pause(IN_FLIGHT_MS)
      const before = arrivalsOf(run, bot)
      await run.writing(50, 150)
      if (arrivalsOf(run, bot) > before) run.chronicle.wrong('callbacks to a bot that fetches')
      const puller = new Puller(run, bot)
      await run.writing(200, 500)
      if (mayBeKilled(run)) {
        run.injected('F01 kill −9 at random')
        await run.kill()
        await run.writing(100, 300)
      }
      await puller.stop()
      await run.changeBot(bot, { receive: 'push' })
    }),
}

const overloaded: Scenario = {
  name: 'backlog-drained',
  faults: 'F25',
  what: 'all bots fail for a while, then all at once are well',
  inject: async (run) => {
    run.injected('F25 outage of all bots')
    run.bots.choose = () => failing
    await run.writing(300, 700)
    run.bots.choose = undefined
    await within(500, () => false)
  },
}

export const botChanges: readonly Scenario[] = [disabled, moved, rotated, deleted, parked, fetching, overloaded]
