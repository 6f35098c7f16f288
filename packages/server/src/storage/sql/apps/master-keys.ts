/**
 * Which master keys have sealed something in this store, and the sealed values themselves, for whoever seals them anew.
 * The keys are elsewhere; the engines never see one.
 */
import type { AppId, Uid } from '@confab/protocol'
import { read, statement, type Tx, write } from '../seam.ts'

export interface KnownKey {
  readonly id: string
  /** A known text, sealed with the key. */
  readonly check: string
}

const listKeys = statement<Record<string, never>, { id: string; check_value: string }>(
  'master_keys.list',
  'SELECT id, check_value FROM master_keys ORDER BY id',
)
const insertKey = statement<{ id: string; check: string; now: number }>(
  'master_keys.insert',
  'INSERT INTO master_keys (id, check_value, created_at) VALUES (:id, :check, :now) ON CONFLICT (id) DO NOTHING',
)
const deleteKey = statement<{ id: string }>('master_keys.delete', 'DELETE FROM master_keys WHERE id = :id')

export type SealedColumn = 'signing_secret' | 'previous_secret' | 'password'

export interface SealedBot extends Readonly<Record<SealedColumn, string | null>> {
  readonly app_id: AppId
  readonly uid: Uid
}

export interface Resealed {
  readonly appId: AppId
  readonly uid: Uid
  readonly column: SealedColumn
  readonly from: string
  readonly to: string
}

const listSealed = statement<{ app: string; uid: string; limit: number }, SealedBot>(
  'master_keys.sealed_bots',
  `SELECT app_id, uid, signing_secret, previous_secret, password FROM bots
   WHERE app_id > :app OR (app_id = :app AND uid > :uid) ORDER BY app_id, uid LIMIT :limit`,
)
type Reseal = { app: string; uid: string; from: string; to: string }
/** Only if nobody has written another meanwhile. */
const reseal = (column: SealedColumn) =>
  statement<Reseal>(
    `master_keys.reseal_${column}`,
    `UPDATE bots SET ${column} = :to WHERE app_id = :app AND uid = :uid AND ${column} = :from`,
  )
const resealStatements = {
  signing_secret: reseal('signing_secret'),
  previous_secret: reseal('previous_secret'),
  password: reseal('password'),
} as const satisfies Record<SealedColumn, unknown>

const resealOne = (tx: Tx, { appId: app, uid, column, from, to }: Resealed): Promise<number> =>
  tx.run(resealStatements[column], { app, uid, from, to })

export const masterKeys = {
  list: read(
    async (tx, _: Record<string, never>): Promise<readonly KnownKey[]> =>
      (await tx.all(listKeys, {})).map(({ id, check_value: check }) => ({ id, check })),
  ),

  /** Does nothing if it is known already. */
  add: write(async (tx, { id, check, now }: KnownKey & { now: number }): Promise<void> => {
    await tx.run(insertKey, { id, check, now })
  }),

  remove: write(async (tx, { id }: { id: string }): Promise<void> => {
    await tx.run(deleteKey, { id })
  }),

  /** Bots of all apps behind the one named, in order. */
  sealed: read(
    (tx, { after, limit }: { after: { appId: string; uid: string }; limit: number }): Promise<readonly SealedBot[]> =>
      tx.all(listSealed, { app: after.appId, uid: after.uid, limit }),
  ),

  /** How many were as they were thought to be. */
  reseal: write(async (tx, { values }: { values: readonly Resealed[] }): Promise<number> => {
    let changed = 0
    for (const value of values) changed += await resealOne(tx, value)
    return changed
  }),
}
