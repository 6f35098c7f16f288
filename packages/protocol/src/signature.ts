/**
 * Signatures of callbacks: Standard Webhooks 1.0.0, symmetric. The signed content is `id.timestamp.body`; the header
 * holds one `v1,<base64>` per valid secret, separated by spaces, so that secrets can be rotated with an overlap.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

const SECRET_PREFIX = 'whsec_'

/**
 * The key of a secret in its printed form, `whsec_<base64>`. Whoever signs much keeps it: making a key costs several
 * times what a signature does.
 */
export const signingKey = (secret: string): KeyObject =>
  createSecretKey(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret, 'base64')

export interface SignedContent {
  /** `webhook-id`: stable over retries. */
  readonly id: string
  /** `webhook-timestamp`: when this attempt was made, unix seconds. */
  readonly timestamp: number
  /** The body, byte for byte as sent. */
  readonly body: string
}

/** The value of `webhook-signature` under one secret. */
export const sign = (secret: string | KeyObject, { id, timestamp, body }: SignedContent): string => {
  const key = typeof secret === 'string' ? signingKey(secret) : secret
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** True if any signature of the header was made with the secret. Compares in constant time. */
export const isSignedBy = (secret: string, header: string, content: SignedContent): boolean => {
  const expected = Buffer.from(sign(secret, content))
  return header.split(' ').some((candidate) => {
    const given = Buffer.from(candidate)
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}

/** A new signing secret: 32 random bytes in the standard's printed form. */
export const printSecret = (bytes: Uint8Array): string => SECRET_PREFIX + Buffer.from(bytes).toString('base64')
