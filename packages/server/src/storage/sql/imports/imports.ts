/** Imports: rows in batches, one transaction each. What is wrong with one row is said of that row. */
import type { AppId } from '@confab/protocol'
import type { ImportRow } from '../../../imports/import-row.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { statement, write } from '../seam.ts'
import { Batch, failed, type Outcome } from './import-batch.ts'
import { importMessage } from './import-messages.ts'
import { importGroup, importMember, importUser } from './import-people.ts'

/** Two imports of one app, one after the other: they name the same users, and would wait for each other in circles. */
const lockImports = statement<{ key: string }, { locked: null }>(
  'imports.lock',
  'SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)) AS locked',
)

const importOne = (batch: Batch, one: ImportRow): Promise<Outcome> => {
  switch (one.kind) {
    case 'user':
      return importUser(batch, one.row)
    case 'group':
      return importGroup(batch, one.row)
    case 'member':
      return importMember(batch, one.row)
    case 'message':
      return importMessage(batch, one.row)
    default:
      return one satisfies never
  }
}

export const imports = {
  /** Each row for itself, in their order; a row that was there already is left as it is. */
  add: write(
    async (
      tx,
      input: { appId: AppId; appCreatedAt: number; rows: readonly ImportRow[]; withRows: boolean },
    ): Promise<readonly Outcome[]> => {
      if (tx.dialect === 'postgres') await tx.first(lockImports, { key: JSON.stringify(['import', input.appId]) })
      const batch = new Batch(tx, input)
      const outcomes: Outcome[] = []
      for (const row of input.rows) {
        try {
          outcomes.push(await importOne(batch, row))
        } catch (error) {
          // Nothing of the row itself is written before the last of its checks.
          if (!(error instanceof AppError)) throw error
          outcomes.push(failed(error.code, error.details ?? null))
        }
      }
      await batch.writeMarks()
      return outcomes
    },
  ),
}
