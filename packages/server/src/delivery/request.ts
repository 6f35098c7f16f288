/** What goes over the wire in one attempt: where to, and with which headers. Pure. */
import type { KeyObject } from 'node:crypto'
import { callbackHeaders, sign } from '@confab/protocol'
import type { OpenedCallback } from '../bots/secrets.ts'
import type { Delivery } from './attempt.ts'
import { callbackUrlProblem } from './guard.ts'

export interface Target {
  /** Scheme, host and port: connections are shared by it. */
  readonly origin: string
  readonly path: string
}

/** Where a URL leads, or what is wrong with it. */
export const readTarget = (text: string): Target | { readonly problem: string } => {
  const problem = callbackUrlProblem(text)
  if (problem !== undefined) return { problem: `the callback URL ${problem}` }
  const url = new URL(text)
  return { origin: url.origin, path: url.pathname + url.search }
}

interface Credentials {
  readonly username: string
  readonly password: string
}

const basicToken = ({ username, password }: Credentials): string =>
  Buffer.from(`${username}:${password}`).toString('base64')

/** As it stands in JSON. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)

/** So much of a secret tells of it. */
const TELLING = 4

/** Of a secret that the end of the text cuts off: where it begins. */
const cutOff = (text: string, secret: string): number | undefined => {
  for (let length = Math.min(secret.length - 1, text.length); length >= TELLING; length--)
    if (text.endsWith(secret.slice(0, length))) return text.length - length
  return undefined
}

/**
 * A receiver may repeat what it was sent: what is kept of its answer must not tell it to whoever reads attempts.
 *
 * @param options `isCut`: there was more of it, and what it ends with may be the beginning of a secret
 */
export const withoutSecrets = (
  text: string,
  { secrets, credentials }: OpenedCallback,
  { isCut }: { readonly isCut: boolean },
): string => {
  const told = [...secrets, ...(credentials === undefined ? [] : [basicToken(credentials), credentials.password])]
  const hidden = [...new Set(told.flatMap((secret) => [secret, inJson(secret)]))].filter((secret) => secret !== '')
  const kept = hidden.reduce((left, secret) => left.replaceAll(secret, '[hidden]'), text)
  const ends = isCut ? hidden.flatMap((secret) => cutOff(kept, secret) ?? []) : []
  return ends.length === 0 ? kept : `${kept.slice(0, Math.min(...ends))}[hidden]`
}

export interface AttemptHead {
  /** What the callback is signed and authenticated with, opened. */
  readonly opened: OpenedCallback
  readonly delivery: Delivery
  readonly attempt: number
  /** Unix seconds. */
  readonly timestamp: number
  readonly userAgent: string
  readonly keyOf: (secret: string) => KeyObject
}

/** Names and values in turn. `content-length` and `host` are the client's business. */
export const requestHeaders = ({ opened, delivery, attempt, timestamp, userAgent, keyOf }: AttemptHead): string[] => {
  const { id, body } = delivery
  const headers = [
    'content-type',
    'application/json',
    'user-agent',
    userAgent,
    // The cap on what is read counts bytes as they arrive: nothing may unfold after it.
    'accept-encoding',
    'identity',
    callbackHeaders.id,
    id,
    callbackHeaders.timestamp,
    String(timestamp),
    callbackHeaders.attempt,
    String(attempt),
    callbackHeaders.sequence,
    String(delivery.sequence),
    callbackHeaders.previousSequence,
    String(delivery.sequence - 1),
    callbackHeaders.trigger,
    delivery.trigger,
    callbackHeaders.hop,
    String(delivery.hop),
  ]
  if (opened.secrets.length > 0) {
    const signatures = opened.secrets.map((secret) => sign(keyOf(secret), { id, timestamp, body }))
    headers.push(callbackHeaders.signature, signatures.join(' '))
  }
  if (opened.credentials !== undefined) headers.push('authorization', `Basic ${basicToken(opened.credentials)}`)
  return headers
}
