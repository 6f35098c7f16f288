/**
 * Makes one attempt of a delivery, and tells what it came to. Owns the connections and the attempts under way; does not
 * own the decision what comes next, nor how many attempts run at once. Whatever a receiver or a network does is a
 * value, never an exception.
 */
import { signingKey } from '@confab/protocol'
import { type OpenedCallback, openCallback } from '../bots/secrets.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import { remembering } from '../kernel/remembering.ts'
import { clearVault, SealedValueError, type Vault } from '../kernel/vault.ts'
import { Slots } from '../kernel/young-map.ts'
import type { Attempt, Callback, Delivery, StoredCallback } from './attempt.ts'
import { attributeLookups, makeConnector, type Resolve, shareLookups, systemResolve } from './connector.ts'
import type { AddressGuards } from './guard.ts'
import { readTarget, requestHeaders, withoutSecrets } from './request.ts'
import { ConnectionPool } from './sender-connection.ts'
import { Exchange, MAX_RESPONSE_BYTES } from './sender-exchange.ts'
import { type Judgement, ours, retry } from './sender-outcome.ts'
import { limitLookups } from './slow-lookups.ts'

export interface SenderOptions {
  readonly guards: Pick<AddressGuards, 'of'>
  readonly clock: Clock
  readonly userAgent: string
  /** Opens secrets and passwords; without one, only those that are stored in clear can be read. */
  readonly vault?: Vault
  /** How names become addresses; the system's way unless given. */
  readonly resolve?: Resolve
  /** Certificates (PEM) to trust instead of the well-known ones. */
  readonly ca?: string
  /** Idle connections kept per origin, and in all. */
  readonly maxIdlePerOrigin?: number
  readonly maxIdle?: number
}

/** What an attempt needs to know of a callback. */
export interface SendableCallback extends StoredCallback, Pick<Callback, 'timeoutMs' | 'mayStream'> {
  /** Secrets in clear that sign in place of its own; its own are kept out of what is told of the answer all the same. */
  readonly signAs?: readonly string[]
}

export interface Sender {
  /**
   * One attempt. Never rejects.
   *
   * @param onText of an answer that comes as a stream, and may: everything that it has said so far, at first nothing
   */
  send(callback: SendableCallback, delivery: Delivery, onText?: (text: string) => void): Promise<Attempt>
  /**
   * Starts nothing more and waits for the attempts under way, which their deadlines bound. With `abort`, also while
   * an earlier call waits, gives them up at once.
   */
  close(options?: { readonly abort?: boolean }): Promise<void>
}

const DEFAULT_MAX_IDLE_PER_ORIGIN = 512
const DEFAULT_MAX_IDLE = 1024

const withoutSending = (number: number, startedAtMs: number, { outcome, error }: Judgement): Attempt => ({
  number,
  startedAtMs,
  outcome,
  status: undefined,
  error,
  address: undefined,
  phases: { total: 0 },
  response: undefined,
})

/** No fault of the bot's: the key of this node is not the one of the store, or the value was changed there. */
const openOrProblem = (
  vault: Vault,
  callback: StoredCallback,
  now: number,
): OpenedCallback | { readonly problem: string } => {
  try {
    return openCallback(vault, callback, now)
  } catch (error) {
    if (!(error instanceof SealedValueError)) throw error
    return { problem: `the secrets of the bot cannot be read here: ${error.message}` }
  }
}

const makePool = (options: SenderOptions): ConnectionPool => {
  const { guards, ca, maxIdlePerOrigin, maxIdle } = options
  const resolve = shareLookups(limitLookups(attributeLookups(options.resolve ?? systemResolve)))
  return new ConnectionPool({
    connectTo: ({ allowCidrs }) => makeConnector({ guard: guards.of(allowCidrs), resolve, ca }),
    maxIdlePerOrigin: maxIdlePerOrigin ?? DEFAULT_MAX_IDLE_PER_ORIGIN,
    maxIdle: maxIdle ?? DEFAULT_MAX_IDLE,
  })
}

export const makeSender = (options: SenderOptions): Sender => {
  const { clock, userAgent, vault = clearVault } = options
  const pool = makePool(options)
  const targetOf = remembering(readTarget)
  const keyOf = remembering(signingKey)
  const underWay = new Slots<Exchange>()
  let closed = false

  const send: Sender['send'] = async (callback, delivery, onText) => {
    const number = delivery.attempts + 1
    const nowMs = clock.now()
    if (closed) return withoutSending(number, nowMs, ours('stopped', 'server stopping'))
    const target = targetOf(callback.url)
    if ('problem' in target) return withoutSending(number, nowMs, retry('url', target.problem))
    const timestamp = toSeconds(nowMs)
    const opened = openOrProblem(vault, callback, timestamp)
    if ('problem' in opened) return withoutSending(number, nowMs, ours('secrets', opened.problem))
    const signing = callback.signAs === undefined ? opened : { ...opened, secrets: callback.signAs }
    const headers = requestHeaders({ opened: signing, delivery, attempt: number, timestamp, userAgent, keyOf })
    const exchange = new Exchange({
      ...{ number, timeoutMs: callback.timeoutMs, mayStream: callback.mayStream === true, clock, pool },
      ...definedOf({ onText }),
    })
    const slot = underWay.add(exchange)
    const { allowCidrs = [] } = callback.settings
    exchange.send({ origin: target.origin, allowCidrs }, { path: target.path, headers, body: delivery.body })
    const attempt = await exchange.done
    underWay.take(slot)
    const { response } = attempt
    if (!response) return attempt
    // Of a character that was cut no more than three bytes are missing.
    const isCut = Buffer.byteLength(response) > MAX_RESPONSE_BYTES - 4
    return { ...attempt, response: withoutSecrets(response, opened, { isCut }) }
  }

  const close = async ({ abort = false }: { readonly abort?: boolean } = {}): Promise<void> => {
    closed = true
    if (abort) for (const exchange of underWay) exchange.stop()
    await Promise.all([...underWay].map((exchange) => exchange.done))
    await pool.close()
  }

  return { send, close }
}
