/** One attempt under way: a request, what is read of its answer, and the deadline over both. Settles exactly once. */
import type { Dispatcher } from 'undici'
import type { Clock } from '../kernel/clock.ts'
import type { Attempt, Phases } from './attempt.ts'
import { AddressRefusedError, type DialPhase } from './connector.ts'
import type { Connection, ConnectionPool, ConnectionUser, Destination } from './sender-connection.ts'
import { delivered, type Judgement, judgeFailure, judgeStatus, ours, receiverNowMs, retry } from './sender-outcome.ts'
import { StreamedAnswer } from './streamed-answer.ts'

/** No more of an answer is read. */
const MAX_ANSWER_BYTES = 64 * 1024
/** No more of it is put on record. */
export const MAX_RESPONSE_BYTES = 2 * 1024

export interface ExchangeOptions {
  readonly number: number
  readonly timeoutMs: number
  /** Else an answer that says it is a stream is one like all others: complete in time, or late. */
  readonly mayStream: boolean
  readonly clock: Clock
  readonly pool: ConnectionPool
  /** Of an answer that comes as a stream: what it has said so far. */
  readonly onText?: (text: string) => void
}

type HeaderValue = string | string[] | undefined
interface Answer {
  readonly status: number
  readonly retryAfter: HeaderValue
  readonly date: HeaderValue
  /** It may hold replies, and is kept as a whole. */
  readonly isJson: boolean
  /** It is a reply, piece by piece. */
  readonly stream: StreamedAnswer | undefined
}

/** However much a bot has to say: its conversation waits meanwhile. */
const MAX_STREAM_MS = 300_000

const isStream = (contentType: HeaderValue): boolean =>
  /^text\/event-stream(?:$|[ ;])/i.test((Array.isArray(contentType) ? contentType[0] : contentType) ?? '')

const isJson = (contentType: HeaderValue): boolean =>
  /^application\/(?:[\w.-]+\+)?json(?:$|[ ;])/i.test((Array.isArray(contentType) ? contentType[0] : contentType) ?? '')

const tenths = (ms: number): number => Math.round(ms * 10) / 10

/** As text that every store takes: an incomplete character at a cut is dropped, and PostgreSQL has no NUL. */
const asText = (bytes: Buffer, cut: boolean): string => {
  const text = cut ? new TextDecoder().decode(bytes, { stream: true }) : bytes.toString('utf8')
  return text.replaceAll('\0', '\uFFFD')
}

export class Exchange implements Dispatcher.DispatchHandler, ConnectionUser {
  readonly done: Promise<Attempt>
  readonly #resolve: (attempt: Attempt) => void
  readonly #options: ExchangeOptions
  readonly #startedAtMs: number
  readonly #start = performance.now()
  readonly #phases: { -readonly [Phase in keyof Phases]: Phases[Phase] } = { total: 0 }
  readonly #deadline: NodeJS.Timeout
  #streamLimit: NodeJS.Timeout | undefined
  #connection: Connection | undefined
  #settled = false
  #answer: Answer | undefined
  /** The address that is not allowed. */
  #refused: string | undefined
  #read = 0
  readonly #kept: Buffer[] = []
  #keptBytes = 0

  constructor(options: ExchangeOptions) {
    const { promise, resolve } = Promise.withResolvers<Attempt>()
    this.done = promise
    this.#resolve = resolve
    this.#options = options
    this.#startedAtMs = options.clock.now()
    const { timeoutMs } = options
    this.#deadline = setTimeout(() => this.#fail(retry('timeout', `no complete answer in ${timeoutMs} ms`)), timeoutMs)
  }

  send(destination: Destination, request: Omit<Dispatcher.DispatchOptions, 'method'>): void {
    const connection = this.#options.pool.take(destination)
    this.#connection = connection
    connection.lend(this)
    connection.dispatch({ ...request, method: 'POST' }, this)
  }

  /** Gives up at once, for no fault of the receiver's. */
  stop(): void {
    this.#settle(ours('stopped', 'server stopping'))
  }

  reached(phase: DialPhase): void {
    this.#phases[phase] = this.#elapsed()
  }

  /** Required by the client, which asks nothing here. */
  onRequestStart(): void {}

  onResponseStarted(): void {
    this.#phases.firstByte ??= this.#elapsed()
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const type = headers['content-type']
    const { mayStream } = this.#options
    const stream = mayStream && status < 300 && isStream(type) ? new StreamedAnswer() : undefined
    this.#answer = { status, retryAfter: headers['retry-after'], date: headers.date, isJson: isJson(type), stream }
    if (stream === undefined) return
    this.#options.onText?.('')
    const most = Math.max(MAX_STREAM_MS, this.#options.timeoutMs)
    this.#streamLimit = setTimeout(() => this.#fail(retry('timeout', `no end of the stream in ${most} ms`)), most)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#read += chunk.length
    const most = this.#answer?.isJson ? MAX_ANSWER_BYTES : MAX_RESPONSE_BYTES
    if (this.#keptBytes < most) this.#keep(chunk.subarray(0, most - this.#keptBytes))
    const stream = this.#answer?.stream
    if (stream !== undefined) {
      // What counts is that it goes on.
      this.#deadline.refresh()
      const wantsMore = stream.feed(chunk)
      this.#tell(stream)
      if (!wantsMore) this.#settle({ ...delivered, error: stream.cut })
    } else if (this.#read > MAX_ANSWER_BYTES && this.#answer !== undefined)
      this.#settle(this.#judgeAnswer(this.#answer))
  }

  onResponseEnd(): void {
    if (this.#settled || this.#answer === undefined) return
    const { stream } = this.#answer
    stream?.end()
    if (stream !== undefined) this.#tell(stream)
    if (stream?.isBroken) this.#fail(retry('reset', 'the answer ended within an event'))
    else {
      const { outcome, error = stream?.cut } = this.#judgeAnswer(this.#answer)
      this.#settle({ outcome, error }, 'keep')
    }
  }

  onResponseError(_: unknown, error: Error): void {
    if (error instanceof AddressRefusedError) this.#refused = error.address
    this.#fail(judgeFailure(error))
  }

  #tell({ text }: StreamedAnswer): void {
    if (text !== '') this.#options.onText?.(text)
  }

  /** What was said before a stream broke off was said: the callback has been heard. */
  #fail(judgement: Judgement): void {
    const wasHeard = this.#answer?.stream?.isEmpty === false && judgement.outcome.kind !== 'ours'
    const error = `the stream broke off: ${judgement.error}`
    this.#settle(wasHeard ? { outcome: { kind: 'delivered' }, error } : judgement)
  }

  #judgeAnswer({ status, retryAfter, date }: Answer): Judgement {
    return judgeStatus(status, retryAfter, receiverNowMs(date, this.#options.clock.now()))
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes)
    this.#keptBytes += bytes.length
  }

  #elapsed(): number {
    return tenths(performance.now() - this.#start)
  }

  /** A connection whose answer was not read to its end cannot carry another. */
  #settle({ outcome, error }: Judgement, then: 'keep' | 'drop' = 'drop'): void {
    if (this.#settled) return
    this.#settled = true
    clearTimeout(this.#deadline)
    clearTimeout(this.#streamLimit)
    const connection = this.#connection
    const address = this.#refused ?? connection?.address
    this.#connection = undefined
    if (connection !== undefined) {
      if (then === 'keep') this.#options.pool.giveBack(connection)
      else void connection.destroy()
    }
    const kept = Buffer.concat(this.#kept)
    const isWhole = this.#read === this.#keptBytes && then === 'keep'
    const stream = outcome.kind === 'delivered' ? this.#answer?.stream : undefined
    this.#resolve({
      number: this.#options.number,
      startedAtMs: this.#startedAtMs,
      outcome,
      status: this.#answer?.status,
      error,
      address,
      phases: { ...this.#phases, total: this.#elapsed() },
      response: this.#answer && asText(kept.subarray(0, MAX_RESPONSE_BYTES), this.#read > MAX_RESPONSE_BYTES),
      ...(isWhole && this.#answer?.isJson && { json: kept.toString('utf8') }),
      ...(stream?.isEmpty === false && { streamed: stream.result(then === 'keep' || stream.isDone) }),
    })
  }
}
