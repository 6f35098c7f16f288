/** What a receiver does wrong, and what the server is to make of it. */
import { gzipSync } from 'node:zlib'
import type { Behaviour } from '../../packages/server/src/testing/callback-receiver.ts'
import { between, type Random } from './random.ts'

/** `gone`: never wanted again. `failed`: to be made again. */
export type Meaning = 'delivered' | 'failed' | 'gone'

export interface Misbehaviour {
  readonly name: string
  /** Of the list in docs/reliability.md. */
  readonly fault: string
  readonly means: Meaning
  /** What it costs beside a retry: the whole timeout of an attempt, or a pause of the whole bot. */
  readonly cost: 'none' | 'timeout' | 'pause'
  /** The connection is of no use afterwards, and the next callback may have left on it before that was seen. */
  readonly spoilsConnection?: boolean
  readonly behave: (random: Random) => Behaviour
}

export const TIMEOUT_MS = 2000

const status = (code: number, fault = 'F17'): Misbehaviour => ({
  name: `answers ${code}`,
  fault,
  means: code < 300 ? 'delivered' : code === 410 ? 'gone' : 'failed',
  cost: code === 503 ? 'pause' : 'none',
  behave: () => ({ status: code, body: code === 204 ? '' : 'no' }),
})

const redirect = (code: number): Misbehaviour => ({
  ...status(code),
  behave: () => ({ kind: 'redirect', status: code, location: 'http://127.0.0.1:1/elsewhere' }),
})

const tooMany = (what: string, retryAfter: (random: Random) => string): Misbehaviour => ({
  name: `answers 429 with Retry-After ${what}`,
  fault: 'F17',
  means: 'failed',
  cost: 'pause',
  behave: (random) => ({ status: 429, headers: { 'retry-after': retryAfter(random) } }),
})

const raw = (
  name: string,
  bytes: string,
  [fault, means, cost]: [string, Meaning, Misbehaviour['cost']],
): Misbehaviour => ({ name, fault, means, cost, behave: () => ({ kind: 'raw', bytes }) })

const kind = (
  name: string,
  fault: string,
  behaviour: Behaviour,
  { means = 'failed', cost = 'none' }: Partial<Pick<Misbehaviour, 'means' | 'cost'>> = {},
): Misbehaviour => ({ name, fault, means, cost, behave: () => behaviour })

const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024))
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
/** Whoever writes past Node's own answer cannot answer again on that connection. */
const LAST_OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'

export const fine: Misbehaviour = { ...status(200, ''), name: 'answers 200' }
export const gone: Misbehaviour = status(410)

/** To be told by the next statuses of a receiver. */
export const statuses: readonly Misbehaviour[] = [
  ...[201, 204, 400, 401, 403, 404, 405, 408, 413, 418, 500, 502, 504].map((code) => status(code)),
  ...[301, 302, 307, 308].map(redirect),
  raw('sends 200 times 103, then 200', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(200) + LAST_OK, [
    'F17',
    'delivered',
    'none',
  ]),
  raw('answers 101', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', [
    'F17',
    'failed',
    'none',
  ]),
]

export const slowDowns: readonly Misbehaviour[] = [
  status(503),
  { ...status(429), cost: 'pause' },
  tooMany('in seconds', (random) => String(between(random, 0, 1))),
  tooMany('as a date', () => new Date(performance.timeOrigin + performance.now() + 1000).toUTCString()),
  tooMany('negative', () => '-30'),
  tooMany('garbage', () => 'in a while, maybe'),
]

export const absurdRetryAfter: Misbehaviour = tooMany('absurd', () => '999999999')

export const floods: readonly Misbehaviour[] = [
  kind('sends headers without end', 'F18', { kind: 'endless-headers' }),
  kind('sends a body without end', 'F18', { kind: 'endless-body' }, { means: 'delivered' }),
  kind('answers 500 with a body without end', 'F18', { kind: 'endless-body', status: 500 }),
  kind(
    'sends a gzip bomb',
    'F18',
    { status: 200, headers: { 'content-encoding': 'gzip' }, body: bomb },
    { means: 'delivered' },
  ),
  {
    ...raw('sends more than its content-length', `${OK} and more of it`, ['F18', 'delivered', 'none']),
    spoilsConnection: true,
  },
  raw('sends what is not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', ['F18', 'failed', 'none']),
]

export const silences: readonly Misbehaviour[] = [
  kind('sends one byte a second', 'F18', { kind: 'drip' }, { cost: 'timeout' }),
  raw('sends less than its content-length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok', [
    'F18',
    'failed',
    'timeout',
  ]),
  kind('never answers', 'F15', { kind: 'hang' }, { cost: 'timeout' }),
]

export const late: Misbehaviour = {
  name: 'answers 200 after the timeout',
  fault: 'F19',
  means: 'failed',
  cost: 'timeout',
  behave: (random) => ({ status: 200, delayMs: TIMEOUT_MS + between(random, 200, 500) }),
}

export const resets: readonly Misbehaviour[] = [
  kind('resets the connection', 'F15', { kind: 'reset' }),
  kind('resets in the middle of its answer', 'F15', { kind: 'reset-mid-body' }),
  {
    ...kind('closes a connection that it said to keep', 'F15', { kind: 'close-after-answer' }, { means: 'delivered' }),
    spoilsConnection: true,
  },
]

export const slow: Misbehaviour = {
  name: 'takes its time',
  fault: '',
  means: 'delivered',
  cost: 'none',
  behave: (random) => ({ status: 200, delayMs: between(random, 10, 150) }),
}

/** What may come by the way in any run. */
export const byTheWay: readonly Misbehaviour[] = [...statuses, ...slowDowns, ...floods, ...silences, late, ...resets]
