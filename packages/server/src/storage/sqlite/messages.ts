/**
 * What the store and its thread say to each other. Calls and answers travel in batches, as
 * JSON: for batches of small objects that costs half of a structured clone.
 */
import type { ErrorCode, Limits } from '@confab/protocol'
import type { ErrorDetails } from '../../kernel/app-error.ts'
import type { MigrationReport } from '../sql/migrate.ts'
import type { Verbs } from '../sql/seam.ts'

export interface Call {
  readonly id: number
  /** `noun.verb` in the table of operations. */
  readonly path: string
  readonly input: unknown
}

export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: Failure }

export type Failure =
  | { readonly kind: 'app'; readonly code: ErrorCode; readonly details: ErrorDetails | undefined }
  | { readonly kind: 'unexpected'; readonly message: string; readonly stack: string | undefined }

export type FromThread =
  | { readonly kind: 'ready'; readonly migration: MigrationReport; readonly verbs: Verbs }
  | { readonly kind: 'too-new'; readonly found: number; readonly known: number }
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }

export type ToThread = { readonly kind: 'calls'; readonly calls: readonly Call[] } | { readonly kind: 'close' }

export interface ThreadData {
  readonly path: string
  readonly limits: Limits
}
