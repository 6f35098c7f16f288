/** What all lists share: pages, counts, prefix search. */
import { type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import type { PageRequest } from '../../kernel/paging.ts'
import type { Schema } from './schema.ts'
import type { Tx } from './seam.ts'

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, (character) => `\\${character}`)

/** The column begins with the text, whatever the case of ASCII letters. */
export const prefix = (column: string, text: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`lower(${sql.ref(column)}) LIKE ${`${escapeLike(text.toLowerCase())}%`} ESCAPE '\\'`

export const contains = (column: string, text: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`lower(${sql.ref(column)}) LIKE ${`%${escapeLike(text.toLowerCase())}%`} ESCAPE '\\'`

/** The JSON list of strings in the column holds one of them. */
export const holdsOneOf = (column: string, tags: readonly string[]): RawBuilder<SqlBool> =>
  sql<SqlBool>`(${sql.join(
    tags.map((tag) => sql`${sql.ref(column)} LIKE ${`%${escapeLike(JSON.stringify(tag))}%`} ESCAPE '\\'`),
    sql` OR `,
  )})`

// biome-ignore lint/suspicious/noExplicitAny: any table, any joins: only `limit`, `offset` and the count are added here
type AnyQuery<O> = SelectQueryBuilder<Schema, any, O>

export const pageOf = <O>(tx: Tx, query: AnyQuery<O>, { page, perPage }: PageRequest): Promise<readonly O[]> =>
  tx.query(
    query
      .limit(perPage)
      .offset((page - 1) * perPage)
      .compile(),
  )

export const countOf = async (tx: Tx, query: AnyQuery<object>): Promise<number> => {
  const [row] = await tx.query(query.clearSelect().select(sql<number>`count(*)`.as('n')).compile())
  return (row as { n: number } | undefined)?.n ?? 0
}
