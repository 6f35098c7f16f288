/** What a status or a failure means for the delivery, and how it is told to people. Pure. */
import type { AttemptOutcome, FailureReason } from './attempt.ts'
import { AddressRefusedError, DialError, NoNamesError } from './connector.ts'
import { MAX_RETRY_AFTER_MS } from './schedule.ts'

export interface Judgement {
  readonly outcome: AttemptOutcome
  /** One line for people; holds no secret. */
  readonly error: string | undefined
}

export const retry = (reason: FailureReason, error: string): Judgement => ({
  outcome: { kind: 'retry', reason },
  error,
})

export const ours = (reason: FailureReason, error: string): Judgement => ({ outcome: { kind: 'ours', reason }, error })

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
/** The three forms of RFC 9110 5.6.7, as `Date.parse` alone would read a date into almost any text. */
const HTTP_DATE = new RegExp(
  `^(?:${DAY}, \\d{2} [A-Z][a-z]{2} \\d{4} [\\d:]{8} GMT|${DAY}[a-z]*, \\d{2}-[A-Z][a-z]{2}-\\d{2} [\\d:]{8} GMT` +
    `|${DAY} [A-Z][a-z]{2} [ \\d]\\d [\\d:]{8} \\d{4})$`,
)

const httpDateMs = (text: string): number | undefined =>
  HTTP_DATE.test(text) ? Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) : undefined

/** What time it is for the receiver: a date that it names is by its own clock, whatever ours says. */
export const receiverNowMs = (date: string | string[] | undefined, nowMs: number): number =>
  (typeof date === 'string' ? httpDateMs(date.trim()) : undefined) ?? nowMs

const dateDelayMs = (text: string, nowMs: number): number | undefined => {
  const atMs = httpDateMs(text)
  return atMs !== undefined && atMs >= nowMs ? atMs - nowMs : undefined
}

/** `Retry-After` in milliseconds from now; what makes no sense is as if it were not there. */
export const parseRetryAfter = (value: string | string[] | undefined, nowMs: number): number | undefined => {
  const text = (Array.isArray(value) ? value[0] : value)?.trim()
  if (text === undefined) return undefined
  const delay = /^\d+$/.test(text) ? Number(text) * 1000 : dateDelayMs(text, nowMs)
  return delay === undefined ? undefined : Math.min(delay, MAX_RETRY_AFTER_MS)
}

export const delivered: Judgement = { outcome: { kind: 'delivered' }, error: undefined }

/** The answer is complete, or as much of it as is read. */
export const judgeStatus = (status: number, retryAfter: string | string[] | undefined, nowMs: number): Judgement => {
  if (status >= 200 && status < 300) return delivered
  if (status === 410) return { outcome: { kind: 'gone' }, error: 'HTTP 410: the receiver wants no more callbacks' }
  if (status >= 300 && status < 400) return retry('redirect', `HTTP ${status}: redirects are not followed`)
  const retryAfterMs = parseRetryAfter(retryAfter, nowMs)
  const outcome = { kind: 'retry', reason: 'http', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } as const
  return { outcome, error: `HTTP ${status}` }
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Plain words; anything else is told by its code, never by its message, which may quote what was sent. */
const codeWords: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'no local address or port left',
  EMFILE: 'too many open files',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate chain is incomplete',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  UND_ERR_HEADERS_OVERFLOW: 'the header block of the answer is too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the body of the answer is not as long as announced',
}

const wordsOf = (error: unknown): string => {
  const code = codeOf(error)
  return code === undefined ? 'unexpected failure' : (codeWords[code] ?? code)
}

const phaseWords = { dns: 'lookup failed', connect: 'connect failed', tls: 'TLS failed' } as const

const judgeSocketError = (error: Error): Judgement =>
  // The client's words for an answer that no one asked for: `100 Continue`, `101 Switching Protocols`.
  error.message.startsWith('bad ')
    ? retry('protocol', 'the answer is not one to a POST')
    : retry('reset', 'the connection was closed before the answer was complete')

/** What this machine has not got, whoever is called. */
const OUR_CODES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENETUNREACH'])

/** Of several addresses that were tried, the one that says most: that one was answered is the bot's, whatever else failed. */
const tellingCause = (cause: unknown): unknown =>
  cause instanceof AggregateError
    ? (cause.errors.find((error) => !OUR_CODES.has(codeOf(error) ?? '')) ?? cause.errors[0])
    : cause

const judgeDialError = ({ phase, cause }: DialError): Judgement => {
  if (cause instanceof NoNamesError) return ours('dns', `${phaseWords.dns}: ${cause.message}`)
  const telling = tellingCause(cause)
  const words = codeOf(telling) === undefined && telling instanceof Error ? telling.message : wordsOf(telling)
  const judge = OUR_CODES.has(codeOf(telling) ?? '') ? ours : retry
  return judge(phase, `${phaseWords[phase]}: ${words}`)
}

const RESET_CODES = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT', 'UND_ERR_DESTROYED', 'UND_ERR_CLOSED'])

/** The attempt ended without a complete answer. */
export const judgeFailure = (error: Error): Judgement => {
  if (error instanceof AddressRefusedError) return { outcome: { kind: 'refused' }, error: error.message }
  if (error instanceof DialError) return judgeDialError(error)
  const code = codeOf(error) ?? ''
  if (code === 'UND_ERR_SOCKET') return judgeSocketError(error)
  if (RESET_CODES.has(code)) return retry('reset', wordsOf(error))
  if (code === 'UND_ERR_INVALID_ARG') return retry('url', 'no valid request can be made for this callback')
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return retry('tls', `TLS failed: ${code}`)
  if (error.name === 'HTTPParserError') return retry('protocol', 'the answer is not valid HTTP')
  return retry('protocol', wordsOf(error))
}
