import { expect, test } from 'vitest'
import { frameAt } from './frames.ts'
import { Ledger, MUID_LENGTH, muidOf } from './ledger.ts'
import { bodyOf, Messages } from './workload.ts'

const messagesOf = (conversations: number): Messages =>
  new Messages({
    tag: 'r001',
    path: '/v3/messages',
    headers: { apikey: 'k' },
    conversations: Array.from({ length: conversations }, (_, i) => ({
      sender: `asker-${i}`,
      receiver: `helper-${i % 2}`,
    })),
  })

const muidIn = (request: string): string => JSON.parse(bodyOf(request)).muid

test('a message is a request whose body is as long as it says, from the conversation it is of', () => {
  const messages = messagesOf(3)
  for (const [conversation, index] of [
    [0, 0],
    [2, 0],
    [2, 1],
  ] as const) {
    const { muid, text } = messages.next(conversation)
    expect(muid).toBe(muidOf('r001', conversation, index))
    const bytes = Buffer.from(text, 'latin1')
    expect(frameAt(bytes)?.end).toBe(bytes.length)
    expect(text).toContain(`\r\nonbehalfof: asker-${conversation}\r\n`)
    expect(JSON.parse(bodyOf(text))).toMatchObject({
      muid,
      receiver: `helper-${conversation % 2}`,
      receiverType: 'user',
    })
    // Where whoever receives it looks for it.
    expect(text.slice(text.indexOf('"muid":"') + 8, -2)).toHaveLength(MUID_LENGTH)
  }
})

test.each([
  [7, 3],
  [3, 3],
  [4, 1],
])('%d conversations are shared out among %d connections, in order and each to one', (conversations, connections) => {
  const next = messagesOf(conversations).byConnection(connections)
  const ledger = new Ledger('r001')
  const connectionOf = new Map<string, number>()
  for (let turn = 0; turn < 30; turn++) {
    for (let connection = 0; connection < connections; connection++) {
      const muid = muidIn(next(connection) ?? '')
      ledger.note(muid, turn)
      const conversation = muid.slice(5, 9)
      expect(connectionOf.get(conversation) ?? connection).toBe(connection)
      connectionOf.set(conversation, connection)
    }
  }
  expect(connectionOf.size).toBe(conversations)
  expect(ledger.tally).toMatchObject({ distinct: 30 * connections, duplicates: 0, outOfOrder: 0, strangers: 0 })
})

test('there are no more than the limit, for all connections together', () => {
  const next = messagesOf(4).byConnection(2, 5)
  const sent = [0, 1, 0, 1, 0, 1, 0].map((connection) => next(connection) !== undefined)
  expect(sent).toEqual([true, true, true, true, true, false, false])
})
