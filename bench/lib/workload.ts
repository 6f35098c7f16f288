/** Who talks to whom, and the requests by which they do. */
import { postText } from './frames.ts'
import { muidOf } from './ledger.ts'
import type { ServerUnderTest } from './server-under-test.ts'

/** A sentence or two, as people write. */
const TEXT =
  'Good morning! Could you tell me whether the order that I placed last Tuesday has left the warehouse, and when it will be here?'

const BATCH = 16

export interface Conversation {
  readonly sender: string
  readonly receiver: string
  /** What opens its app, if it is not the server's own. */
  readonly headers?: Readonly<Record<string, string>>
}

export const messageBody = (receiver: string, muid: string): string =>
  JSON.stringify({ category: 'message', type: 'text', receiver, receiverType: 'user', data: { text: TEXT }, muid })

const inBatches = async <T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> => {
  for (let at = 0; at < items.length; at += BATCH) await Promise.all(items.slice(at, at + BATCH).map(work))
}

const createUsers = (server: ServerUnderTest, uids: readonly string[]): Promise<void> =>
  inBatches(uids, (uid) => server.call('POST', '/users', { uid, name: `Person ${uid}` }))

/** Pairs of ordinary users. */
export const peopleTalking = async (server: ServerUnderTest, count: number): Promise<Conversation[]> => {
  const pairs = Array.from({ length: count }, (_, i) => ({ sender: `writer-${i}`, receiver: `reader-${i}` }))
  await createUsers(
    server,
    pairs.flatMap(({ sender, receiver }) => [sender, receiver]),
  )
  return pairs
}

/** Each conversation is of a user of its own with one of the bots. */
export const peopleAskingBots = async (
  server: ServerUnderTest,
  options: { conversations: number; bots: number; receiverPort: number },
): Promise<Conversation[]> => {
  const bots = Array.from({ length: options.bots }, (_, i) => `helper-${i}`)
  const webhookURL = `http://127.0.0.1:${options.receiverPort}/hook`
  const pairs = Array.from({ length: options.conversations }, (_, i) => ({
    sender: `asker-${i}`,
    receiver: bots[i % bots.length] ?? '',
  }))
  await createUsers(server, [...bots, ...pairs.map(({ sender }) => sender)])
  await inBatches(bots, (uid) => server.call('POST', '/bots', { uid, webhookURL, enabled: true }))
  return pairs
}

/** A message has the same length whatever its muid: all of it but the muid is made once per conversation. */
export class Messages {
  readonly #heads: readonly string[]
  readonly #tail: string
  readonly #tag: string
  readonly #sent: number[]

  constructor(options: {
    tag: string
    path: string
    headers: Readonly<Record<string, string>>
    conversations: readonly Conversation[]
  }) {
    const { tag, path, headers, conversations } = options
    this.#tag = tag
    this.#sent = conversations.map(() => 0)
    const muid = muidOf(tag, 0, 0)
    this.#tail = `"}`
    this.#heads = conversations.map(({ sender, receiver, headers: own = {} }) => {
      const body = messageBody(receiver, muid)
      const request = postText(path, { ...headers, ...own, onbehalfof: sender }, body)
      return request.slice(0, -(muid.length + this.#tail.length))
    })
  }

  get conversations(): number {
    return this.#heads.length
  }

  /** The request for the next message of a conversation. */
  next(conversation: number): { readonly muid: string; readonly text: string } {
    const index = this.#sent[conversation] ?? 0
    this.#sent[conversation] = index + 1
    const muid = muidOf(this.#tag, conversation, index)
    return { muid, text: (this.#heads[conversation] ?? '') + muid + this.#tail }
  }

  /** Shares the conversations out among connections, each to one: what is sent in one has an order. */
  byConnection(connections: number, limit = Number.POSITIVE_INFINITY): (connection: number) => string | undefined {
    if (connections > this.conversations) throw new Error('there are more connections than conversations')
    const turns = Array.from({ length: connections }, (_, connection) => connection)
    let left = limit
    return (connection) => {
      if (left-- <= 0) return undefined
      const turn = turns[connection] ?? connection
      turns[connection] = turn + connections < this.conversations ? turn + connections : connection
      return this.next(turn).text
    }
  }
}

export const bodyOf = (request: string): string => request.slice(request.indexOf('\r\n\r\n') + 4)
