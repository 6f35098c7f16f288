import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AppId, Uid } from '@confab/protocol'
import { type SqlBool, sql } from 'kysely'
import { afterEach, describe, expect, it } from 'vitest'
import { type Merge, merged, type Range } from '../sql/conversations/merged-lists.ts'
import type { Tx } from '../sql/seam.ts'
import { SqliteDatabase } from './database.ts'
import { migrateSqlite } from './migrate.ts'

const MESSAGES = 5000
const LIMIT = 20
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Five conversations, of which the first is as busy as the others together; and how many messages are looked at. */
const openStore = async () => {
  const directory = mkdtempSync(join(tmpdir(), 'confab-merged-'))
  const tx = new SqliteDatabase(join(directory, 'confab.sqlite'))
  await migrateSqlite(tx)
  const counter = new DatabaseSync(join(directory, 'confab.sqlite'))
  let looks = 0
  counter.function('looked', { directOnly: true }, (_id) => {
    looks++
    return 1
  })
  counter.exec(`INSERT INTO messages (app_id, conversation_id, sender, receiver_type, receiver, category, type, data, sent_at, updated_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MESSAGES})
    SELECT 'app', 'c' || (CASE WHEN i % 2 = 0 THEN 0 ELSE 1 + (i / 2) % 4 END), 'u', 'user', 'v', 'message', 'text', '{}', i, i FROM n`)
  closing.push(() => {
    counter.close()
    tx.close()
    rmSync(directory, { recursive: true })
  })
  const query: Tx['query'] = async (compiled) =>
    counter.prepare(compiled.sql).all(...(compiled.parameters as string[])) as never
  const find = async (direction: Merge['direction'], range: Range, low: number) => {
    looks = 0
    const rows = await merged(Object.assign(Object.create(tx), { build: tx.build, query }), {
      actor: { kind: 'user', appId: 'app' as AppId, uid: 'u' as Uid },
      sources: sql`SELECT 'c' || value AS conversation, ${low} AS low FROM json_each('[0,1,2,3,4]')`,
      by: 'id',
      direction,
      range,
      // `merged` says it before the bounds: else SQLite would not ask it of what it walks over in vain.
      condition: sql<SqlBool>`looked(messages.id)`,
      limit: LIMIT,
    })
    return { ids: rows.map(({ id }) => id), looks }
  }
  return find
}

const from = (start: number, step: 1 | -1): number[] => Array.from({ length: LIMIT }, (_, n) => start + n * step)

describe('a page of many conversations on SQLite', () => {
  it.each([
    ['the newest', 'desc', {}, 0, from(MESSAGES, -1)],
    ['the oldest', 'asc', {}, 0, from(1, 1)],
    ['before the end', 'desc', { upTo: 4900 }, 0, from(4900, -1)],
    ['after the beginning', 'asc', { after: 100 }, 0, from(101, 1)],
    ['before the middle', 'desc', { upTo: 2500 }, 0, from(2500, -1)],
    ['after the middle', 'asc', { after: 2500 }, 0, from(2501, 1)],
    ['what is not read', 'asc', { after: 2500 }, 4000, from(4001, 1)],
    ['the newest of it', 'desc', {}, 4000, from(MESSAGES, -1)],
  ] as const)('%s: no more is looked at than a few pages', async (_, direction, range, low, ids) => {
    const find = await openStore()
    const found = await find(direction, range, low)
    expect(found.ids).toEqual(ids)
    // Each of three steps, and the page itself.
    expect(found.looks).toBeLessThan(8 * LIMIT)
    expect(found.looks).toBeGreaterThanOrEqual(LIMIT)
  })
})
