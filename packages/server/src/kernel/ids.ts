import { randomBytes } from 'node:crypto'
import { type DeliveryId, type LeaseId, printSecret, type RequestId } from '@confab/protocol'
import { monotonicFactory } from 'ulid'
import type { Clock } from './clock.ts'

/** Randomness comes from here alone. Prefixed ids sort by time. */
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
  /** 16 hexadecimal digits. */
  app(): string
}

export const makeIds = (clock: Clock): Ids => {
  const ulid = monotonicFactory()
  const next = (): string => ulid(clock.now())
  return {
    request: () => `req_${next()}` as RequestId,
    lease: () => `lse_${next()}` as LeaseId,
    delivery: () => `dlv_${next()}` as DeliveryId,
    node: () => `node_${next()}`,
    apiKey: () => randomBytes(20).toString('hex'),
    authToken: () => randomBytes(15).toString('hex'),
    signingSecret: () => printSecret(randomBytes(32)),
    app: () => randomBytes(8).toString('hex'),
  }
}
