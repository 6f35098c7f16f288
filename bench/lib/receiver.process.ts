/** A bot's side of callbacks: answers 200, unless it is to hang, and keeps account of what came when. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Frame, frameAt } from './frames.ts'
import { conversationOf, Ledger, MUID_LENGTH, type Tally } from './ledger.ts'
import { machineMs } from './now.ts'
import { answerQuestions } from './questions.ts'
import { SequenceLedger } from './sequence-ledger.ts'

export interface Expectation {
  readonly tag: string
  /** Keep account by the numbers of the lanes, not by each muid: for very many. A conversation is a lane then. */
  readonly bySequence?: boolean
  readonly neverAnswer?: boolean
}

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'
const MUID_KEY = '"muid":"'
const SEQUENCE = /\r\nconfab-sequence: *(\d+)/i

let expected: Expectation = { tag: 'none' }
let ledger = new Ledger('none')
let sequences = new SequenceLedger()
let sizes = { requests: 0, bodyBytes: 0 }
/** What has come since it was told to hang. */
let unanswered: string[] | undefined
let waiting: { count: number; resolve: () => void } | undefined

const account = () => (expected.bySequence ? sequences : ledger)

const muidIn = (body: string): string => {
  const at = body.indexOf(MUID_KEY)
  return at < 0 ? '' : body.slice(at + MUID_KEY.length, at + MUID_KEY.length + MUID_LENGTH)
}

const note = (head: string, body: string, muid: string): void => {
  if (expected.bySequence && muid.startsWith(expected.tag)) {
    sequences.note(conversationOf(muid), Number(SEQUENCE.exec(head)?.[1] ?? Number.NaN), machineMs())
  } else {
    ledger.note(muid, machineMs())
  }
  sizes = { requests: sizes.requests + 1, bodyBytes: sizes.bodyBytes + body.length }
  if (waiting !== undefined && account().distinct >= waiting.count) waiting.resolve()
}

const take = (socket: Socket, bytes: Buffer, { head, bodyStart, end }: Frame): void => {
  const body = bytes.toString('latin1', bodyStart, end)
  const muid = muidIn(body)
  note(head, body, muid)
  if (unanswered !== undefined) unanswered.push(muid)
  else if (!expected.neverAnswer) socket.write(ANSWER, 'latin1')
}

const serve = (socket: Socket): void => {
  let rest: Buffer | undefined
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let frame = frameAt(bytes); frame !== undefined; frame = frameAt(bytes, start)) {
      take(socket, bytes, frame)
      start = frame.end
    }
    rest = start === bytes.length ? undefined : bytes.subarray(start)
  })
}

const server = createServer(serve)
await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))

const verbs = {
  /** Opens a new account. @returns the port */
  expect: (expectation: Expectation): number => {
    expected = expectation
    ledger = new Ledger(expectation.tag)
    sequences = new SequenceLedger()
    sizes = { requests: 0, bodyBytes: 0 }
    return (server.address() as AddressInfo).port // it listens on TCP
  },
  /** How many messages have arrived, and when that was so, in machine time. */
  count: (_: null) => ({ distinct: account().distinct, atMs: machineMs() }),
  /** From now on nothing is answered, or all is again; what was not stays so. @returns the muids of what was not */
  hang: ({ hang }: { hang: boolean }): readonly string[] => {
    const since = unanswered ?? []
    unanswered = hang ? since : undefined
    return since
  },
  /** Waits until so many messages have arrived, or the time is over. */
  arrived: async ({ count, withinMs }: { count: number; withinMs: number }): Promise<Tally> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting = { count, resolve }
    const timer = setTimeout(resolve, withinMs)
    if (account().distinct < count) await promise
    clearTimeout(timer)
    waiting = undefined
    return verbs.tally(null)
  },
  tally: (_: null): Tally => ({ ...account().tally, strangers: ledger.tally.strangers }),
  arrivals: (_: null) => ledger.arrivals,
  again: (_: null) => ledger.again,
  /** The mean size of the bodies since the account was opened. */
  bodyBytes: (_: null): number => Math.round(sizes.bodyBytes / sizes.requests),
}
export type ReceiverVerbs = typeof verbs
answerQuestions(verbs)
