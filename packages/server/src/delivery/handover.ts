/** How the accept path and the delivery of callbacks meet: an idle lane is claimed in the transaction of its message. */

import type { Claimer } from '../storage/sql/delivery/lane-rows.ts'
import type { StoredClaim } from './attempt.ts'

export interface Handover {
  /** In whose name idle lanes may be claimed, or nothing where this node has no room, or does not deliver. */
  claimer(): Claimer | undefined
  /** Takes over what was claimed. `waiting` deliveries were left to whoever polls: they should look. */
  accept(claims: readonly StoredClaim[], waiting: number): void
}
