/** What people and bots ask for at the same time. */
import { ConfabError } from '../../packages/bot-sdk/src/index.ts'
import { readStore } from '../../packages/server/src/testing/read-store.ts'
import type { Met } from '../lib/bots.ts'
import { type Misbehaviour, statuses } from '../lib/misbehaviours.ts'
import { pick } from '../lib/random.ts'
import { BOTS, type Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { pause } from '../lib/wait.ts'

const failing = statuses.filter(({ name }) => name === 'answers 500')

/** 409: it is pending; 404: nobody else than the sweeper takes it away, and none runs here. */
const replayOne = async (run: Run, id: string): Promise<void> => {
  run.bots.replayed.add(id)
  await run.client.request('POST', `/deliveries/${id}/replay`).catch((error: unknown) => {
    if (!(error instanceof ConfabError) || error.code !== 'ERR_DELIVERY_PENDING') throw error
  })
}

const replays: Scenario = {
  name: 'replays',
  faults: 'F28',
  what: 'deliveries are replayed, one by one and all of a bot, while others of their lanes are tried again',
  inject: async (run) => {
    run.bots.choose = () => (run.random() < 0.2 ? failing[0] : undefined)
    for (let round = run.between(2, 4); round > 0; round--) {
      run.injected('F28 replays among retries')
      const bot = pick(run.random, BOTS)
      const list = await run.deliveries({ bot, limit: 20 })
      await Promise.all(list.map(({ id }) => replayOne(run, id)))
      run.bots.replayed.add(bot)
      await run.client.request('POST', `/bots/${bot}/replay`, { body: { since: 0, states: ['dead', 'delivered'] } })
      await run.writing(20, 150)
    }
    run.bots.choose = undefined
  },
}

const sameMuid: Scenario = {
  name: 'same-muid',
  faults: 'F29',
  what: 'every message is sent three times at once under one muid, with a kill −9 between: one message each',
  inject: async (run) => {
    run.injected('F29 one muid sent at the same time')
    run.people.echo = 3
    await run.writing(200, 500)
    if (run.random() < 0.5) {
      run.injected('F01 kill −9 at random')
      await run.kill()
      await run.writing(100, 200)
    }
  },
}

const REPLY_MS = 60

const replying: Misbehaviour = {
  name: 'replies before it answers',
  fault: 'F21',
  means: 'delivered',
  cost: 'none',
  behave: () => ({ status: 200, delayMs: REPLY_MS }),
}

/** Under a muid made of the delivery: however often that comes, one reply. */
const reply = async (run: Run, { bot, message, arrival }: Met): Promise<void> => {
  const group = message.receiverType === 'group'
  const receiver = group ? message.receiver : message.sender
  const body = {
    receiver,
    receiverType: message.receiverType,
    muid: `reply-${arrival.deliveryId}`,
    data: { text: `re: ${arrival.muid}` },
  }
  const sent = await Promise.allSettled(
    [0, 1].map(() => run.client.request<{ id: string }>('POST', `/bots/${bot}/messages`, { body })),
  )
  const ids = new Set(sent.flatMap((one) => (one.status === 'fulfilled' ? [one.value.data.id] : [])))
  const { muid } = body
  for (const id of ids) run.chronicle.sent.push({ muid, conversationId: message.conversationId, id, bots: [] })
  if (ids.size > 1) run.chronicle.wrong(`a reply was accepted as ${[...ids].join(' and as ')}`)
  for (const one of sent) {
    if (one.status === 'rejected' && one.reason instanceof ConfabError && one.reason.status < 500) {
      run.chronicle.wrong(`a reply was refused: ${one.reason.message}`)
    }
  }
}

const replies: Scenario = {
  name: 'replies',
  faults: 'F20, F21',
  what: 'bots reply twice from within the callback, before they answer it: one message each, and it comes back to no bot',
  inject: async (run) => {
    const underWay: Promise<void>[] = []
    run.bots.choose = () => (run.random() < 0.5 ? replying : undefined)
    run.bots.onArrival = (met) => {
      if (run.server.isRunning && run.random() < 0.5) underWay.push(reply(run, met))
    }
    await run.writing(150, 400)
    if (run.random() < 0.4) {
      run.injected('F01 kill −9 at random')
      await run.kill()
    }
    await run.writing(50, 150)
    run.bots.choose = undefined
    run.bots.onArrival = undefined
    await Promise.all(underWay)
  },
}

const retention: Scenario = {
  name: 'retention',
  faults: 'F34',
  what: 'what is over is swept after a tenth of a second: what is pending stays, sequences go on',
  settings: { CONFAB_DELIVERY_RETENTION: '100ms' },
  mayBe: ['swept'],
  inject: async (run) => {
    run.injected('F34 sweeper among deliveries')
    run.bots.choose = () => (run.random() < 0.3 ? failing[0] : undefined)
    await run.writing(900, 1300)
    run.bots.choose = undefined
  },
  after: async (run) => {
    await pause(700)
    const [row] = await readStore<{ n: number }>(run.storage, 'SELECT count(*) AS n FROM deliveries')
    const made = new Set(run.chronicle.arrivals.map(({ deliveryId }) => deliveryId)).size
    if ((row?.n ?? 0) >= made) run.chronicle.wrong('nothing was swept')
  },
}

export const races: readonly Scenario[] = [replays, sameMuid, replies, retention]
