/** Bots that fetch what they are to hear: when the server ends or is killed, and on several nodes. */
import type { Update } from '@confab/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../../src/testing/free-port.ts'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { ALREADY, AT_ONCE_MS, people, SOON } from '../support/fetching.ts'
import { acknowledge, makePuller, messageOf, openStream, pull, saidIn } from '../support/pulling.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { makeUsers, pause, say, statesOf, until } from './support.ts'

/** How long the place of a consumer is kept whose server has died, and some more. */
const PLACE_MS = 15_000

/** Fetches and acknowledges over and over; what it has seen is kept here, outside the server. */
class Consumer {
  /** By id, in the order of their first coming. */
  readonly seen = new Map<string, Update>()
  /** Ids whose acknowledgement was answered. */
  readonly acknowledged = new Set<string>()
  /** Came although its acknowledgement had been answered. */
  readonly needless: string[] = []
  readonly #server: TestServer
  readonly #bot: string
  #inHand: readonly Update[] = []
  #isOver = false

  constructor(server: TestServer, bot: string) {
    this.#server = server
    this.#bot = bot
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      const known = this.#inHand
      const offset = known.at(-1)?.offset
      const found = await pull(this.#server, this.#bot, { limit: 20, timeoutSeconds: 1, offset }).catch(() => undefined)
      if (found?.status !== 200) {
        // Whether the acknowledgement was heard is not known: what it was about may come again.
        await pause(50)
        continue
      }
      for (const { id } of known) this.acknowledged.add(id)
      this.#inHand = found.updates
      for (const update of found.updates) this.#note(update)
    }
  }

  stop(): void {
    this.#isOver = true
  }

  #note(update: Update): void {
    if (this.acknowledged.has(update.id)) this.needless.push(update.id)
    if (!this.seen.has(update.id)) this.seen.set(update.id, update)
  }
}

describeEngines('updates, and a server that ends', (engine) => {
  let server: TestServer
  const bot = 'bot'
  beforeEach(async () => {
    // Back where it was, so that those who write find it again.
    server = await startServer({ engine, env: { CONFAB_PORT: String(await freePort()) } })
    await makeUsers(server, ...people)
    await makePuller(server, bot)
  })
  afterEach(() => server?.dispose())

  test('whoever waits does not keep it from stopping', async () => {
    await makePuller(server, 'other')
    const stream = await openStream(server, bot)
    const waiting = pull(server, 'other', { timeoutSeconds: 40 })
    await pause(500)
    expect(await pull(server, 'other')).toMatchObject({ code: ALREADY })
    await say(server, 'ann', bot, 'ann 1')
    await expect.poll(() => stream.updates.length, SOON).toBe(1)
    const asked = performance.now()
    expect(await server.stop()).toBe(0)
    expect(performance.now() - asked).toBeLessThan(2500)
    expect(await waiting).toMatchObject({ status: 200, updates: [] })
    await stream.ended
    // Their places are free: nobody waits for those who have left.
    await server.start()
    expect(saidIn((await pull(server, bot)).updates)).toEqual(['ann 1'])
    expect((await pull(server, 'other')).status).toBe(200)
    expect(server.lines.filter(({ level }) => level >= 50)).toEqual([])
  })

  test('killed under load: all comes at least once, in order, and never after its acknowledgement', {
    timeout: 120_000,
  }, async () => {
    const accepted = new Map<string, string[]>(people.map((person) => [person, []]))
    let isOver = false
    const write = async (person: string): Promise<void> => {
      for (let n = 1; !isOver; n++) {
        const sent = await say(server, person, bot, `${person} ${n}`).catch(() => undefined)
        if (sent !== undefined) accepted.get(person)?.push(sent.id)
        await pause(sent === undefined ? 50 : 5)
      }
    }
    const consumer = new Consumer(server, bot)
    const running = consumer.run()
    const writers = Promise.all(people.map(write))
    try {
      for (let kills = 0; kills < 3; kills++) {
        const before = consumer.acknowledged.size
        // After the place of the one who was there is free again.
        await until('it goes on', () => consumer.acknowledged.size > before + 100, PLACE_MS)
        await server.kill()
        await server.start()
      }
      isOver = true
      await writers
      const all = [...accepted.values()].flat()
      const missing = (): string[] => {
        const heard = new Set([...consumer.seen.values()].map((update) => messageOf(update).id))
        return all.filter((id) => !heard.has(id))
      }
      await expect.poll(missing, { timeout: 30_000, interval: 200 }).toEqual([])
      await until('all is delivered', async () => (await statesOf(server, bot)).every((state) => state === 'delivered'))
      expect(all.length).toBeGreaterThan(300)
    } finally {
      isOver = true
      consumer.stop()
      await Promise.all([running, writers])
    }
    expect(consumer.needless).toEqual([])
    for (const person of people) {
      const own = [...consumer.seen.values()].filter((update) => messageOf(update).sender === person)
      expect(own.map(({ sequence }) => sequence)).toEqual(own.map((_, n) => n + 1))
      const ids = own.map((update) => messageOf(update).id)
      expect(ids).toEqual(ids.toSorted((a, b) => Number(a) - Number(b)))
      const known = new Set(accepted.get(person))
      // Also what was accepted and whose answer was lost: but nothing that nobody said.
      expect(ids.filter((id) => known.has(id))).toEqual(accepted.get(person))
    }
  })
})

describeWithPostgres('updates on two nodes', () => {
  let one: TestServer
  let two: TestServer
  beforeEach(async () => {
    one = await startServer({ engine: 'postgres' })
    const { databaseUrl = '', appId, restApiKey, authKey } = one
    two = await startServer({ engine: 'postgres', databaseUrl, appId, restApiKey, authKey })
    await makeUsers(one, ...people)
    await makePuller(one, 'bot')
  })
  afterEach(async () => {
    await two?.dispose()
    await one?.dispose()
  })

  test('who waits at one hears at once what the other accepts', async () => {
    const times: number[] = []
    for (const ms of [300, 450, 600]) {
      const waiting = pull(one, 'bot', { timeoutSeconds: 20, offset: 99 })
      await pause(ms)
      const said = performance.now()
      await say(two, 'ann', 'bot', 'hello')
      expect(saidIn((await waiting).updates)).toEqual(['hello'])
      times.push(performance.now() - said)
    }
    expect(Math.max(...times)).toBeLessThan(350)
    const stream = await openStream(two, 'bot', '?offset=99')
    await pause(300)
    const said = performance.now()
    await say(one, 'ann', 'bot', 'for the stream')
    await expect.poll(() => saidIn(stream.updates), { interval: 5 }).toEqual(['for the stream'])
    expect(performance.now() - said).toBeLessThan(AT_ONCE_MS)
    // The other node may acknowledge what this one brought.
    expect(await acknowledge(one, 'bot', 99)).toBe(1)
    stream.leave()
  })

  test('who is at one keeps the other out; when its server is killed, another may go on within seconds', {
    timeout: 40_000,
  }, async () => {
    const stream = await openStream(one, 'bot')
    await say(two, 'ann', 'bot', 'hello')
    await expect.poll(() => stream.updates.length, SOON).toBe(1)
    expect(await pull(two, 'bot')).toMatchObject({ status: 409, code: ALREADY })
    expect(await openStream(two, 'bot')).toMatchObject({ status: 409, code: ALREADY })
    stream.leave()
    await until('its place is free', async () => (await pull(two, 'bot')).status === 200, 2000)
    const again = await openStream(one, 'bot')
    expect(again.status).toBe(200)
    await one.kill()
    expect(await pull(two, 'bot')).toMatchObject({ code: ALREADY })
    let found: readonly Update[] = []
    await until(
      'its place is free',
      async () => {
        const { status, updates } = await pull(two, 'bot')
        found = updates
        return status === 200
      },
      PLACE_MS,
    )
    expect(saidIn(found)).toEqual(['hello'])
  })
})
