import { randomBytes, randomFillSync } from 'node:crypto'
import { type DeliveryId, type LeaseId, printSecret, type RequestId } from '@confab/protocol'
import { monotonicFactory } from 'ulid'
import type { Clock } from './clock.ts'

/**
 * Randomness comes from here alone. Prefixed ids sort by time; those of requests and leases, which are many and soon
 * forgotten, only by run.
 */
export interface Ids {
  request(): RequestId
  lease(): LeaseId
  delivery(): DeliveryId
  /** The id of this run of this process: tells its leases from those of others. */
  node(): string
  /** 40 hexadecimal digits. */
  apiKey(): string
  /** 30 hexadecimal digits: the random part of an auth token. */
  authToken(): string
  /** `whsec_…`, 32 random bytes. */
  signingSecret(): string
  /** 40 hexadecimal digits: who knows it was told. */
  file(): string
  /** Of the session of a call: its unix second, and 40 hexadecimal digits. */
  call(now: number): string
  /** 16 hexadecimal digits. */
  app(): string
}

/** A number from 0 to 1. Drawn from a pool: the library on its own asks the system for every single character. */
const makeDraw = (): (() => number) => {
  const pool = new Uint8Array(4096)
  let used = pool.length
  return () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    return (pool[used++] ?? 0) / 256
  }
}

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const DIGITS = 4
const COUNT_MAX = ALPHABET.length ** DIGITS
const digit = (count: number, place: number): string => ALPHABET[(count >> (5 * place)) & 31] ?? ''

/** The library makes one per millisecond, whose last digits are counted up from there: many ids have the same. */
const makeNext = (clock: Clock): (() => string) => {
  const ulid = monotonicFactory(makeDraw())
  let atMs = 0
  let head = ''
  let count = COUNT_MAX
  return () => {
    const nowMs = clock.now()
    // A clock that is set back must not make ids that sort before those that are there.
    if (nowMs > atMs || ++count >= COUNT_MAX) {
      atMs = Math.max(nowMs, atMs + 1)
      head = ulid(atMs).slice(0, -DIGITS)
      count = 0
    }
    return head + digit(count, 3) + digit(count, 2) + digit(count, 1) + digit(count, 0)
  }
}

export const makeIds = (clock: Clock): Ids => {
  const next = makeNext(clock)
  const run = next()
  let leases = 0
  let requests = 0
  return {
    request: () => `req_${run}_${++requests}` as RequestId,
    lease: () => `lse_${run}_${++leases}` as LeaseId,
    delivery: () => `dlv_${next()}` as DeliveryId,
    node: () => `node_${next()}`,
    apiKey: () => randomBytes(20).toString('hex'),
    authToken: () => randomBytes(15).toString('hex'),
    signingSecret: () => printSecret(randomBytes(32)),
    file: () => randomBytes(20).toString('hex'),
    call: (now) => `${now}${randomBytes(20).toString('hex')}`,
    app: () => randomBytes(8).toString('hex'),
  }
}
