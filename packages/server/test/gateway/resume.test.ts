/**
 * Clients of our own come back with what they have, and get the rest: nothing is missing, nothing comes twice, and in each
 * conversation everything comes in its order. What a client knows by frames alone is what it would fetch.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { type Client, Clients } from '../support/sessions.ts'

/** What a client makes of frames. */
class Known {
  readonly conversations = new Map<string, Map<string, { text: string | undefined; isDeleted: boolean }>>()
  readonly problems: string[] = []
  last = '0'

  take(message: Json): void {
    const { id, conversationId, category, type, data } = message
    const messages = this.conversations.get(conversationId) ?? new Map()
    this.conversations.set(conversationId, messages)
    const newest = Math.max(0, ...[...messages.keys()].map(Number))
    if (messages.has(id)) this.problems.push(`${id} came twice`)
    else if (Number(id) < newest) this.problems.push(`${id} came after ${newest}`)
    messages.set(id, { text: data.text, isDeleted: false })
    if (category === 'action' && type === 'message') {
      const { entity } = data.entities.on
      messages.set(entity.id, { text: entity.data.text, isDeleted: entity.deletedAt !== undefined })
    }
    if (Number(id) > Number(this.last)) this.last = id
  }

  get seen(): Record<string, string> {
    return Object.fromEntries(
      [...this.conversations].map(([id, messages]) => [id, String(Math.max(...[...messages.keys()].map(Number)))]),
    )
  }

  /** As it would be fetched: without the messages that tell of edits. */
  shown(edits: ReadonlySet<string>): Record<string, Json> {
    return Object.fromEntries(
      [...this.conversations].map(([id, messages]) => [
        id,
        Object.fromEntries([...messages].filter(([message]) => !edits.has(message))),
      ]),
    )
  }
}

/** Numbers that look random and are the same in every run with one seed. */
const numbersOf = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
}

describeEngines('a session that is resumed', (engine) => {
  let server: TestServer
  let api: Api
  let clients: Clients

  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    clients = new Clients(server)
  })
  afterAll(async () => {
    await clients?.dispose()
    await server?.dispose()
  })

  /** Does something that ann gets to see, now and then several things at once. */
  const act = async (
    { ann, bob, cara, group }: Scene,
    times: number,
    random: (below: number) => number,
  ): Promise<void> => {
    const sent: string[] = []
    const send = async (from: string, body: object): Promise<void> => {
      sent.push((await api.ok('POST', '/messages', { body, onBehalfOf: from })).data.id)
    }
    for (let n = 0; n < times; n++) {
      const one = sent[random(Math.max(1, sent.length))]
      switch (random(8)) {
        case 0:
          await send(ann, toUser(bob, `a${n}`))
          break
        case 1:
          if (one !== undefined) {
            await api.call('PUT', `/messages/${one}`, { body: { data: { text: `edited ${n}` } } })
          }
          break
        case 2:
          if (one !== undefined && random(3) === 0) await api.call('DELETE', `/messages/${one}`)
          break
        case 3:
          await Promise.all(
            [bob, cara, bob, cara].map((from, i) => send(from, i < 2 ? toUser(ann, `p${n}`) : toGroup(group, `g${n}`))),
          )
          break
        case 4:
          await send(bob, toGroup(group, `g${n}`))
          break
        case 5:
          await api.call('PUT', `/groups/${group}/members/${cara}`, {
            body: { scope: (['admin', 'moderator', 'participant'] as const)[random(3)] },
          })
          break
        default:
          await send(cara, toUser(ann, `c${n}`))
      }
    }
  }

  const isMessage = ({ type }: { type?: string }): boolean => type === 'message'

  /** Takes frames, and loses its socket after every few of them, until there are no more. */
  const listenAndLose = async (uid: string, known: Known, after: number, isOver: () => boolean): Promise<number> => {
    for (let cuts = 0; ; cuts++) {
      const wasOver = isOver()
      const client: Client = await clients.signIn({ uid, confab: { since: known.last, seen: known.seen } })
      const messages = (): Json[] => client.frames.filter(isMessage).map(({ body }) => body)
      await client.frame('resumed')
      if (!wasOver) await client.until('frames', () => messages().length >= after || isOver(), 20_000)
      // What was on its way when the socket was cut was not seen.
      for (const message of messages().slice(0, after)) known.take(message)
      client.socket.terminate()
      if (wasOver && messages().length < after) return cuts
    }
  }

  test.each([
    [1, 12],
    [2, 25],
    [3, 40],
    [7, 60],
  ])(
    'after every %i frames has what a fresh one would fetch',
    async (after, times) => {
      const scene = await makeScene(api)
      const known = new Known()
      let isOver = false
      const doing = act(scene, times, numbersOf(after * 7919)).finally(() => {
        isOver = true
      })
      const cuts = await listenAndLose(scene.ann, known, after, () => isOver)
      await doing
      expect(known.problems).toEqual([])
      expect(cuts).toBeGreaterThan(5)

      const actions = await api.ok('GET', '/messages', {
        query: { limit: 1000, categories: 'action', types: 'message' },
        onBehalfOf: scene.ann,
      })
      const edits = new Set<string>(actions.data.map(({ id }: Json) => id))
      const fetched: Record<string, Record<string, Json>> = {}
      const all = await api.ok('GET', '/messages', { query: { limit: 1000 }, onBehalfOf: scene.ann })
      for (const { id, conversationId, data, deletedAt } of all.data) {
        fetched[conversationId] ??= {}
        fetched[conversationId][id] = { text: data.text, isDeleted: deletedAt !== undefined }
      }
      expect(known.shown(edits)).toEqual(fetched)
    },
    60_000,
  )

  test('gets what came meanwhile before what comes now, and is told that it has all', async () => {
    const { ann, bob } = await makeScene(api)
    const send = async (text: string): Promise<string> =>
      (await api.ok('POST', '/messages', { body: toUser(ann, text), onBehalfOf: bob })).data.id
    const first = await send('first')
    const second = await send('second')
    const client = await clients.signIn({ uid: ann, confab: { since: first } })
    const resumed = await client.frame('resumed')
    expect(resumed.body).toEqual({ upTo: second, isComplete: true })
    await send('third')
    await client.message(({ data }) => data.text === 'third')
    expect(client.messages.map(({ data }) => data.text)).toEqual(['second', 'third'])
    // Without a message of its own it gets none that was sent before.
    const fresh = await clients.signIn({ uid: ann })
    await fresh.settled()
    expect(fresh.messages).toEqual([])
    const senseless = await clients.signIn({ uid: ann, confab: { since: 'abc' } })
    await senseless.settled()
    expect(senseless.messages).toEqual([])
  })
})
