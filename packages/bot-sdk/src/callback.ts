import { type Callback, callbackHeaders, isSignedBy, signingKey } from '@confab/protocol'

/** The request is not what the server sends: not signed by it, too old, or no callback. Answer it with 401. */
export class CallbackRefusedError extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'CallbackRefusedError'
  }
}

/** A callback that is known to come from the server. */
export interface VerifiedCallback {
  readonly callback: Callback
  /** Stable over retries: the same id is the same callback. */
  readonly id: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Place in its conversation with the bot, gap-free from 1. */
  readonly sequence: number
  readonly previousSequence: number
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

const parse = (body: string): Callback => {
  try {
    // Signed by the server: it is what the server's schema says.
    return JSON.parse(body) as Callback
  } catch {
    throw new CallbackRefusedError('the body is no callback')
  }
}

/**
 * Checks the signature of a callback and reads it.
 *
 * @param body the raw body, as it arrived: parsing and printing it again breaks the signature
 * @param options.nowSeconds unix seconds, for tests
 * @throws {CallbackRefusedError}
 */
export const verifyCallback = (
  secret: string,
  headers: Headers,
  body: string,
  options: { nowSeconds?: number } = {},
): VerifiedCallback => {
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
    callback: parse(body),
    id,
    attempt: Number(one(headers, callbackHeaders.attempt)) || 1,
    sequence: Number(one(headers, callbackHeaders.sequence)),
    previousSequence: Number(one(headers, callbackHeaders.previousSequence)),
  }
}
