/** What administrators did: who, when, to what. Never what was said, never a secret. */
import type { AppId, AuditActor, AuditEntry } from '@confab/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { read, statement, write } from '../seam.ts'

const insertEntry = statement<{
  app: string
  at: number
  actor: string
  action: string
  target: string | null
  requestId: string | null
}>(
  'audit.insert',
  `INSERT INTO audit_log (app_id, at, actor, action, target, request_id)
   VALUES (:app, :at, :actor, :action, :target, :requestId)`,
)

export interface NewAuditEntry {
  /** Null: of the server, not of one of its apps. */
  readonly appId: AppId | null
  /** Unix seconds. */
  readonly at: number
  readonly actor: AuditActor
  readonly action: string
  readonly target: string | null
  readonly requestId: string | null
}

/** Entries are written as time goes: the oldest have the lowest ids. */
const sweepOldest = statement<{ before: number; limit: number }>(
  'audit.sweep',
  'DELETE FROM audit_log WHERE at < :before AND id IN (SELECT id FROM audit_log ORDER BY id LIMIT :limit)',
)

export interface AuditFilter {
  readonly action?: string
  readonly target?: string
  /** Unix seconds, both of them within. */
  readonly since?: number
  readonly until?: number
}

/** The ids of a target stand one behind the other: it is this one, or begins with it. */
const concerns = (target: string): RawBuilder<SqlBool> => {
  const start = `${target}/`
  return sql<SqlBool>`(target = ${target} OR substr(target, 1, ${sql.lit([...start].length)}) = ${start})`
}

export const audit = {
  add: write(async (tx, { appId, at, actor, action, target, requestId }: NewAuditEntry): Promise<void> => {
    await tx.run(insertEntry, { app: appId ?? '', at, actor: JSON.stringify(actor), action, target, requestId })
  }),

  /** Newest first, those before the id. */
  list: read(
    async (
      tx,
      input: { appId: AppId; filter: AuditFilter; before: number | undefined; limit: number },
    ): Promise<{ rows: readonly AuditEntry[]; hasMore: boolean }> => {
      const { appId, before, limit } = input
      const { action, target, since, until } = input.filter
      let query = tx.build.selectFrom('audit_log').selectAll().where('app_id', '=', appId)
      if (before !== undefined) query = query.where('id', '<', before)
      if (action !== undefined) query = query.where('action', '=', action)
      if (target !== undefined) query = query.where(concerns(target))
      if (since !== undefined) query = query.where('at', '>=', since)
      if (until !== undefined) query = query.where('at', '<=', until)
      const found = await tx.query(
        query
          .orderBy('id', 'desc')
          .limit(limit + 1)
          .compile(),
      )
      const rows = found.slice(0, limit).map((row) => ({
        id: String(row.id),
        at: row.at,
        actor: JSON.parse(row.actor) as AuditActor,
        action: row.action,
        ...(row.target !== null && { target: row.target }),
        ...(row.request_id !== null && { requestId: row.request_id }),
      }))
      return { rows, hasMore: found.length > limit }
    },
  ),

  /** Of all apps, the oldest first; one step. Answers how many went. */
  sweep: write((tx, input: { before: number; limit: number }): Promise<number> => tx.run(sweepOldest, input)),
}
