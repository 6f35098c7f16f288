/**
 * The server is killed over and over while people write and bots misbehave. What was accepted is kept here, outside,
 * and compared with what arrived. `CONFAB_TEST_SEED` repeats the decisions of a run; the timing is the machine's.
 */
import { randomInt } from 'node:crypto'
import { inspect } from 'node:util'
import { ConfabError, ConfabUnreachableError } from '@confab/bot-sdk'
import { expect, test } from 'vitest'
import type { Random } from '../../src/kernel/random.ts'
import { type Behaviour, type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { freePort } from '../../src/testing/free-port.ts'
import { type Arrival, judge, type SentMessage } from '../../src/testing/history.ts'
import { makeRandom } from '../../src/testing/seeded-random.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { callbackOf, idOf, makeBot, makeGroup, makeUsers, pause, query, sequenceOf, until } from './support.ts'

const KILLS = 20
const BOTS = ['bot-a', 'bot-b', 'bot-c']
const PEOPLE = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay']
const GROUPS = ['g-1', 'g-2']
const SETTINGS = {
  CONFAB_RETRY_SCHEDULE: '50ms,100ms,200ms',
  CONFAB_CALLBACK_TIMEOUT: '1s',
  CONFAB_LEASE: '2s',
}

const chooseFault = (random: Random): Behaviour => {
  const dice = random()
  if (dice < 0.06) return { status: 500 }
  if (dice < 0.1) return { kind: 'reset' }
  if (dice < 0.105) return { kind: 'hang' }
  if (dice < 0.115) return { status: 429, headers: { 'retry-after': '0' } }
  if (dice < 0.25) return { status: 200, delayMs: Math.floor(random() * 150) }
  return { status: 200 }
}

/** Nobody listened: what was sent was certainly not accepted. */
const isRefused = (error: unknown): boolean =>
  error instanceof ConfabUnreachableError && /ECONNREFUSED/.test(inspect(error.cause))

interface Conversation {
  readonly id: string
  readonly sender: string
  readonly receiver: string
  readonly receiverType: 'user' | 'group'
  readonly bots: readonly string[]
}

/** In each group everybody writes, in turn, so that the order of the sender's requests is the order of the messages. */
const conversations: readonly Conversation[] = [
  ...PEOPLE.flatMap((person) =>
    BOTS.map((bot): Conversation => {
      const id = person < bot ? `${person}_user_${bot}` : `${bot}_user_${person}`
      return { id, sender: person, receiver: bot, receiverType: 'user', bots: [bot] }
    }),
  ),
  ...GROUPS.map(
    (guid, n): Conversation => ({
      id: `group_${guid}`,
      sender: PEOPLE[n] ?? 'ann',
      receiver: guid,
      receiverType: 'group',
      bots: BOTS,
    }),
  ),
]

class Drill {
  readonly sent: SentMessage[] = []
  readonly arrivals: Arrival[] = []
  life = 0
  healed = false
  #writing = true
  readonly #server: TestServer
  readonly #random: Random

  constructor(server: TestServer, random: Random) {
    this.#server = server
    this.#random = random
  }

  async openBots(): Promise<readonly CallbackReceiver[]> {
    const receivers = await Promise.all(BOTS.map((bot) => this.#openBot(bot)))
    await makeUsers(this.#server, ...PEOPLE)
    for (const [n, bot] of BOTS.entries()) {
      await makeBot(this.#server, bot, { webhookURL: receivers[n]?.url ?? '', groupChatSetting: 'allMessages' })
    }
    for (const guid of GROUPS) await makeGroup(this.#server, guid, ...PEOPLE, ...BOTS)
    return receivers
  }

  #openBot(bot: string): Promise<CallbackReceiver> {
    return startCallbackReceiver({
      behave: (received) => {
        const behaviour = this.healed ? { status: 200 } : chooseFault(this.#random)
        const { data } = callbackOf(received)
        this.arrivals.push({
          bot,
          conversationId: data.conversationId,
          deliveryId: idOf(received),
          muid: String(data.muid),
          messageId: data.id,
          sequence: sequenceOf(received),
          previousSequence: Number(received.headers['confab-previous-sequence']),
          life: this.life,
          ok: 'status' in behaviour && behaviour.status === 200,
        })
        return behaviour
      },
    })
  }

  /** Until `stopWriting`. A message whose outcome is not known is sent again under its muid, or left as it is. */
  async write({ id, sender, receiver, receiverType }: Conversation): Promise<void> {
    for (let n = 1; this.#writing; n++) {
      const muid = `${id}-${n}`
      const body = { receiver, receiverType, muid, data: { text: `${muid}: ${'x'.repeat(n % 50)}` } }
      let messageId: string | undefined
      let isUnknown = false
      do {
        messageId = await this.#server.client
          .request<{ id: string }>('POST', '/messages', { body, onBehalfOf: sender })
          .then(({ data }) => data.id)
          .catch(async (error: unknown) => {
            if (error instanceof ConfabError && error.status < 500) throw error
            isUnknown ||= !isRefused(error)
            await pause(100)
            return undefined
          })
        await pause(Math.floor(this.#random() * 30))
      } while (messageId === undefined && this.#writing && (!isUnknown || this.#random() < 0.7))
      if (messageId !== undefined || isUnknown) this.sent.push({ muid, conversationId: id, id: messageId })
    }
  }

  stopWriting(): void {
    this.#writing = false
  }

  async killAgainAndAgain(): Promise<void> {
    for (let n = 0; n < KILLS; n++) {
      await pause(100 + Math.floor(this.#random() * 700))
      await this.#server.kill()
      this.life++
      await this.#server.start()
    }
  }

  judge() {
    const botsOf = new Map(conversations.map(({ id, bots }) => [id, bots]))
    return judge({ sent: this.sent, arrivals: this.arrivals, botsOf: (id) => botsOf.get(id) ?? [] })
  }
}

const pending = async (server: TestServer): Promise<number> => {
  const [row] = await query<{ n: number }>(server, "SELECT count(*) AS n FROM deliveries WHERE state <> 'delivered'")
  return row?.n ?? 0
}

describeEngines('the server, killed again and again,', (engine) => {
  test('loses nothing, reorders nothing, invents nothing', { timeout: 120_000 }, async () => {
    const seed = Number(process.env.CONFAB_TEST_SEED ?? randomInt(2 ** 31))
    const port = await freePort()
    const server = await startServer({ engine, env: { ...SETTINGS, CONFAB_PORT: String(port) } })
    const drill = new Drill(server, makeRandom(seed))
    const started = performance.now()
    const receivers = await drill.openBots()
    try {
      const writers = Promise.all(conversations.map((conversation) => drill.write(conversation)))
      await Promise.all([drill.killAgainAndAgain().finally(() => drill.stopWriting()), writers])
      drill.healed = true
      await until('everything is delivered', async () => (await pending(server)) === 0, 30_000)
      await server.stop()
      const verdict = drill.judge()
      const accepted = drill.sent.filter(({ id }) => id !== undefined).length
      const seconds = Math.round((performance.now() - started) / 1000)
      console.log(
        `CONFAB_TEST_SEED=${seed} ${engine}: ${KILLS} kills in ${seconds} s, ${accepted} accepted, ` +
          `${drill.sent.length - accepted} unknown, ${verdict.delivered} delivered in ${drill.arrivals.length} attempts, ` +
          `${verdict.repeated} repeated`,
      )
      const { lost, reordered, phantom, needless, repeated, delivered } = verdict
      expect({ seed, lost, reordered, phantom, needless }).toEqual({
        seed,
        lost: [],
        reordered: [],
        phantom: [],
        needless: [],
      })
      const lanes = conversations.reduce((sum, { bots }) => sum + bots.length, 0)
      expect(repeated).toBeLessThanOrEqual(KILLS * lanes)
      // A run in which little happened shows little.
      expect(delivered).toBeGreaterThan(500)
      const rows = await query<{ muid: string; id: string | number }>(
        server,
        'SELECT muid, id FROM messages WHERE muid IS NOT NULL',
      )
      const stored = new Map(rows.map(({ muid, id }) => [muid, String(id)]))
      expect(stored.size).toBe(rows.length)
      for (const { muid, id } of drill.sent) if (id !== undefined) expect(stored.get(muid)).toBe(id)
    } finally {
      drill.stopWriting()
      await server.dispose()
      for (const receiver of receivers) await receiver.close()
    }
  })
})
