/** What a scenario is, and what it is given. One family of scenarios is one file in `scenarios/`. */
import type { Engine, StorageKind } from './engines.ts'
import type { Run } from './run.ts'

export interface Scenario {
  readonly name: string
  /** Of the list in docs/reliability.md. */
  readonly faults: string
  /** What is done, and what must hold beside lost, reordered, phantom and needless 0. */
  readonly what: string
  /** Both unless given. */
  readonly engines?: readonly Engine[]
  readonly storage?: StorageKind
  /** For what is disturbed: its leases lapse, and all may be felt for as long as they run. */
  readonly shortLease?: boolean
  readonly settings?: Readonly<Record<string, string>>
  /** The fault, while people write. Resolves when it is over; the server runs then. */
  readonly inject: (run: Run) => Promise<void>
  /** Once everything is delivered. */
  readonly after?: (run: Run) => Promise<void>
  /** Deliveries may be in these states at the end, beside delivered. */
  readonly mayBe?: readonly ('dead' | 'cancelled' | 'swept')[]
}

export const isFor =
  (engine: Engine) =>
  ({ engines }: Scenario): boolean =>
    engines?.includes(engine) ?? true
