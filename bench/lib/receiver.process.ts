/** A bot's side of callbacks: answers 200, and keeps account of what came when. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { frameAt } from './frames.ts'
import { Ledger, MUID_LENGTH, type Tally } from './ledger.ts'
import { machineMs } from './now.ts'
import { answerQuestions } from './questions.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'
const MUID_KEY = '"muid":"'

let ledger = new Ledger('none')
let sizes = { requests: 0, bodyBytes: 0 }
let waiting: { count: number; resolve: () => void } | undefined

const note = (body: string): void => {
  const at = body.indexOf(MUID_KEY)
  const muid = at < 0 ? '' : body.slice(at + MUID_KEY.length, at + MUID_KEY.length + MUID_LENGTH)
  ledger.note(muid, machineMs())
  sizes = { requests: sizes.requests + 1, bodyBytes: sizes.bodyBytes + body.length }
  if (waiting !== undefined && ledger.distinct >= waiting.count) waiting.resolve()
}

const serve = (socket: Socket): void => {
  let rest: Buffer | undefined
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let frame = frameAt(bytes); frame !== undefined; frame = frameAt(bytes, start)) {
      note(bytes.toString('latin1', frame.bodyStart, frame.end))
      socket.write(ANSWER, 'latin1')
      start = frame.end
    }
    rest = start === bytes.length ? undefined : bytes.subarray(start)
  })
}

const server = createServer(serve)
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

const verbs = {
  /** Opens a new account. @returns the port */
  expect: ({ tag }: { tag: string }): number => {
    ledger = new Ledger(tag)
    sizes = { requests: 0, bodyBytes: 0 }
    return (server.address() as AddressInfo).port // it listens on TCP
  },
  /** Waits until so many messages have arrived, or the time is over. */
  arrived: async ({ count, withinMs }: { count: number; withinMs: number }): Promise<Tally> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting = { count, resolve }
    const timer = setTimeout(resolve, withinMs)
    if (ledger.distinct < count) await promise
    clearTimeout(timer)
    waiting = undefined
    return ledger.tally
  },
  tally: (_: null): Tally => ledger.tally,
  arrivals: (_: null) => ledger.arrivals,
  /** The mean size of the bodies since the account was opened. */
  bodyBytes: (_: null): number => Math.round(sizes.bodyBytes / sizes.requests),
}
export type ReceiverVerbs = typeof verbs
answerQuestions(verbs)
