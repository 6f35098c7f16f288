import { type Callback, callbackHeaders, isSignedBy, signingKey } from '@confab/protocol'

/** The request is not what the server sends: not signed by it, too old, or no callback. Answer it with 401. */
export class CallbackRefusedError extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'CallbackRefusedError'
  }
}

/** A callback that is known to come from the server: of a message, unless the bot has asked for other triggers. */
export interface VerifiedCallback<C = Callback> {
  readonly callback: C
  /** Stable over retries: the same id is the same callback. */
  readonly id: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Place in its conversation with the bot, gap-free from 1. */
  readonly sequence: number
  readonly previousSequence: number
  /** How many bots have spoken in turn before: to be handed on in what is sent because of it. */
  readonly hop: number
}

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** What a signature may be old, in seconds, either way: the clocks of two machines differ. */
const TOLERANCE_SECONDS = 300

/** The least that Standard Webhooks allows. Without it anybody could sign for a bot whose secret was left out. */
const SECRET_BYTES_MIN = 24

const isSecret = (secret: string): boolean => (signingKey(secret).symmetricKeySize ?? 0) >= SECRET_BYTES_MIN

/** Names of headers have no case; some frameworks hand them on as they were written. */
const one = (headers: Headers, name: string): string => {
  const written = name in headers ? name : Object.keys(headers).find((key) => key.toLowerCase() === name)
  const value = written === undefined ? undefined : headers[written]
  return (typeof value === 'string' ? value : value?.[0]) ?? ''
}

const parse = <C>(body: string): C => {
  try {
    // Signed by the server: it is what the server's schema says. What else than messages the bot hears, the caller says.
    return JSON.parse(body) as C
  } catch {
    throw new CallbackRefusedError('the body is no callback')
  }
}

/**
 * Checks the signature of a callback and reads it.
 *
 * @example
 * const { callback, id } = verifyCallback(signingSecret, request.headers, rawBody)
 * console.log(id, callback.data.sender, callback.data.data.text)
 *
 * @example
 * // A bot with `triggers`, or whose callback is tested, hears other callbacks too.
 * const { callback } = verifyCallback<AnyCallback>(signingSecret, request.headers, rawBody)
 * if (callback.trigger === 'group_member_added') console.log(Object.keys(callback.data.members))
 *
 * @param body the raw body, as it arrived: parsing and printing it again breaks the signature
 * @param options.nowSeconds unix seconds, for tests
 * @throws {CallbackRefusedError}
 */
export const verifyCallback = <C = Callback>(
  secret: string,
  headers: Headers,
  body: string,
  options: { nowSeconds?: number } = {},
): VerifiedCallback<C> => {
  if (!isSecret(secret)) throw new CallbackRefusedError('there is no signing secret to check with')
  const id = one(headers, callbackHeaders.id)
  const timestamp = Number(one(headers, callbackHeaders.timestamp))
  const now = options.nowSeconds ?? Math.floor(Date.now() / 1000)
  if (id === '' || !Number.isInteger(timestamp)) throw new CallbackRefusedError('the request is not signed')
  if (Math.abs(now - timestamp) > TOLERANCE_SECONDS)
    throw new CallbackRefusedError('the signature is too old or too new')
  if (!isSignedBy(secret, one(headers, callbackHeaders.signature), { id, timestamp, body })) {
    throw new CallbackRefusedError('the signature is wrong')
  }
  return {
    callback: parse<C>(body),
    id,
    attempt: Number(one(headers, callbackHeaders.attempt)) || 1,
    sequence: Number(one(headers, callbackHeaders.sequence)),
    previousSequence: Number(one(headers, callbackHeaders.previousSequence)),
    hop: Number(one(headers, callbackHeaders.hop)) || 0,
  }
}
