/**
 * One WebSocket: `waiting` for its first frame → `opening` while that is looked at → `open` → `closed`.
 *
 * A client that does not read is not waited for: what is meant for it is kept up to a bound, then the session ends, and the
 * client comes back and fetches what it has missed. A client that says too much is not heard.
 */
import type { AuthFrame, ClientFrame } from '@confab/protocol'
import type { RawData, WebSocket } from 'ws'
import type { Clock } from '../kernel/clock.ts'
import type { Ear, Person, PresenceWish } from './here.ts'
import { readAuth, readFrame } from './inbound.ts'

/** Close codes of RFC 6455, and why we use them. */
export const closing = {
  stopping: [1001, 'the server stops'],
  refused: [1008, 'not authenticated'],
  silent: [1008, 'not authenticated in time'],
  revoked: [1008, 'the auth token is not valid any more'],
  slow: [1013, 'does not read what it is sent'],
  dead: [1006, 'does not answer'],
  failed: [1011, 'cannot be opened at the moment'],
  broken: [1011, 'what was said could not be heard'],
} as const
export type Closing = keyof typeof closing

/** Why a frame is not heard. */
export type Ignored = 'malformed' | 'binary' | 'too_many' | 'early' | 'refused'

export interface SessionDeps {
  readonly clock: Clock
  /** Answers who it is, if they may come in; what is sent from then on is kept until the session is open. */
  readonly admit: (session: Session, frame: AuthFrame) => Promise<void>
  readonly hear: (session: Session, frame: Exclude<ClientFrame, { action: 'ping' }>) => void
  readonly recheck: (session: Session) => void
  readonly onIgnored: (why: Ignored) => void
  /** What was said has met a fault of ours: the session ends, and nothing else does. */
  readonly onBroken: (session: Session, error: unknown) => void
  readonly onSent: (frames: number) => void
  readonly onClosed: (session: Session) => void
  /** In bytes. */
  readonly maxBuffered: number
  readonly framesPerSecond: number
}

const isOneOf = (messages: ReadonlySet<string>, frame: Buffer): boolean => {
  const { type, body } = JSON.parse(frame.toString()) as { type: string; body: { id?: string } }
  return type === 'message' && body.id !== undefined && messages.has(body.id)
}

const PING_BYTES_MAX = 64
const isPing = (data: RawData): boolean => {
  if (!Buffer.isBuffer(data) || data.length > PING_BYTES_MAX) return false
  const frame = readFrame(data.toString())
  return frame !== undefined && 'action' in frame
}

const PONG = '{"action":"pong"}'
const asText = { binary: false } as const
const BURST_SECONDS = 5
/** Frames of what was missed that may be on their way at a time. */
const CATCH_UP_STEP = 32
/** Frames that may come before the first one is answered. */
const MAX_EARLY = 32

export class Session implements Ear {
  readonly #socket: WebSocket
  readonly #deps: SessionDeps
  /** What the client is called, for the log. */
  readonly address: string
  readonly openedAtMs: number
  state: 'waiting' | 'opening' | 'open' | 'closed' = 'waiting'
  person: Person | undefined
  /** What it came in with. */
  pass = ''
  deviceId = ''
  presence: PresenceWish = { kind: 'nobody' }
  takesOwn = false
  lastHeardMs: number
  checkedAtMs: number
  received = 0
  sent = 0
  reason: Closing | 'client' = 'client'
  #allowance: number
  #allowanceAtMs: number
  /** Until it is open: what came, and what is to go out. */
  #early: string[] = []
  #kept: Buffer[] | undefined = []
  #keptBytes = 0

  constructor(socket: WebSocket, deps: SessionDeps, address: string) {
    this.#socket = socket
    this.#deps = deps
    this.address = address
    const now = deps.clock.now()
    this.openedAtMs = now
    this.lastHeardMs = now
    this.checkedAtMs = now
    this.#allowanceAtMs = now
    this.#allowance = deps.framesPerSecond * BURST_SECONDS
    socket.on('message', (data, isBinary) => this.#guarded(() => this.#receive(data, isBinary)))
    socket.on('pong', () => {
      this.lastHeardMs = deps.clock.now()
    })
    // What is wrong with a socket closes it.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.state = 'closed'
      this.#kept = undefined
      deps.onClosed(this)
    })
  }

  /** Says that it is let in; what happens goes on being kept until it is `open`. */
  greet(frame: string): void {
    this.#socket.send(frame)
  }

  /** What it has missed, as fast as the client reads. */
  async catchUp(frames: readonly string[]): Promise<void> {
    for (let at = 0; at < frames.length && this.state === 'opening'; at += CATCH_UP_STEP) {
      const step = frames.slice(at, at + CATCH_UP_STEP)
      this.sent += step.length
      this.#deps.onSent(step.length)
      await new Promise<void>((resolve) => {
        // Called with an error, too, if the socket closes before.
        for (const [n, frame] of step.entries())
          this.#socket.send(frame, n === step.length - 1 ? () => resolve() : undefined)
      })
    }
  }

  /** @param messages those that have gone out already: they do not go out twice */
  open(messages: ReadonlySet<string>): void {
    if (this.state !== 'opening') return
    this.state = 'open'
    const kept = this.#kept ?? []
    this.#kept = undefined
    for (const frame of kept) if (messages.size === 0 || !isOneOf(messages, frame)) this.send(frame)
    for (const text of this.#early.splice(0)) this.#guarded(() => this.#handle(text))
  }

  send(frame: Buffer): void {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    const waiting = this.#kept === undefined ? socket.bufferedAmount : this.#keptBytes
    if (waiting + frame.length > this.#deps.maxBuffered) {
      this.end('slow')
      return
    }
    if (this.#kept !== undefined) {
      this.#keptBytes += frame.length
      this.#kept.push(frame)
      return
    }
    this.sent += 1
    this.#deps.onSent(1)
    socket.send(frame, asText)
  }

  recheck(): void {
    this.#deps.recheck(this)
  }

  ping(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
  }

  end(why: Closing): void {
    if (this.state === 'closed') return
    this.reason = why
    this.state = 'closed'
    // A client that does not read will not read that it is closed, either.
    if (why === 'slow' || why === 'dead') this.#socket.terminate()
    else {
      const [code, reason] = closing[why]
      this.#socket.close(code, reason)
    }
  }

  /** Does not wait for the client. */
  cut(): void {
    this.#socket.terminate()
  }

  /** Nobody is above the listener of a socket: what it throws ends the process, and every other session with it. */
  #guarded(listen: () => void): void {
    try {
      listen()
    } catch (error) {
      this.#deps.onBroken(this, error)
      this.end('broken')
    }
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.received += 1
    this.lastHeardMs = this.#deps.clock.now()
    if (this.state === 'closed') return
    // Who has said too much is still there: a client without its pong goes away, and comes back to say it all again.
    if (this.state === 'open' && !isBinary && isPing(data)) this.#pong()
    else if (!this.#mayTalk()) this.#deps.onIgnored('too_many')
    else if (isBinary) this.#deps.onIgnored('binary')
    else this.#handle(data.toString())
  }

  #pong(): void {
    if (this.#socket.bufferedAmount > this.#deps.maxBuffered) this.end('slow')
    else this.#socket.send(PONG)
  }

  /** A bucket that fills with time. */
  #mayTalk(): boolean {
    const { clock, framesPerSecond } = this.#deps
    const now = clock.now()
    const gained = (Math.max(0, now - this.#allowanceAtMs) / 1000) * framesPerSecond
    this.#allowance = Math.min(this.#allowance + gained, framesPerSecond * BURST_SECONDS)
    this.#allowanceAtMs = now
    if (this.#allowance < 1) return false
    this.#allowance -= 1
    return true
  }

  #handle(text: string): void {
    if (this.state === 'closed') return
    if (this.state === 'waiting') this.#introduce(text)
    else if (this.state === 'opening') {
      if (this.#early.length < MAX_EARLY) this.#early.push(text)
      else this.#deps.onIgnored('early')
    } else this.#hear(text)
  }

  #introduce(text: string): void {
    const frame = readAuth(text)
    if (frame === undefined) {
      this.#deps.onIgnored(readFrame(text) === undefined ? 'malformed' : 'early')
      return
    }
    this.state = 'opening'
    // Never rejects.
    void this.#deps.admit(this, frame)
  }

  #hear(text: string): void {
    const frame = readFrame(text)
    if (frame === undefined) this.#deps.onIgnored('malformed')
    else if ('action' in frame) this.#pong()
    else this.#deps.hear(this, frame)
  }
}
