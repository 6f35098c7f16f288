/** What all lists share: pages, counts, prefix search. */
import type { Affix } from '@confab/protocol'
import { type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import type { PageRequest } from '../../kernel/paging.ts'
import type { Schema } from './schema.ts'
import type { Tx } from './seam.ts'

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, (character) => `\\${character}`)

/**
 * The column begins with the text, whatever the case of ASCII letters. The engine folds both sides: it alone knows
 * which letters it folds.
 */
export const prefix = (column: string, text: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`lower(${sql.ref(column)}) LIKE lower(${`${escapeLike(text)}%`}) ESCAPE '\\'`

export const contains = (column: string, text: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`lower(${sql.ref(column)}) LIKE lower(${`%${escapeLike(text)}%`}) ESCAPE '\\'`

/**
 * The JSON list of strings in the column holds one of them. What stands before an item tells its opening quote from a
 * quote within another item (but for a tag that is a comma and nothing else). `replace` because the engines disagree on whether `LIKE` tells A from a.
 */
export const holdsOneOf = (column: string, tags: readonly string[]): RawBuilder<SqlBool> =>
  sql<SqlBool>`(${sql.join(
    tags
      .flatMap((tag) => [`[${JSON.stringify(tag)}`, `,${JSON.stringify(tag)}`])
      .map((item) => sql`replace(${sql.ref(column)}, ${item}, '') <> ${sql.ref(column)}`),
    sql` OR `,
  )})`

/** The column is one of the values; of none, never. */
export const oneOf = (column: string, values: readonly string[]): RawBuilder<SqlBool> =>
  values.length === 0 ? sql<SqlBool>`1 = 0` : sql<SqlBool>`${sql.ref(column)} IN (${sql.join(values)})`

// biome-ignore lint/suspicious/noExplicitAny: any table, any joins: only `limit`, `offset` and the count are added here
type AnyQuery<O> = SelectQueryBuilder<Schema, any, O>

// biome-ignore lint/suspicious/noExplicitAny: of the same table that it was
export const pageIn = <T extends keyof any, O>(
  query: SelectQueryBuilder<Schema, T & keyof Schema, O>,
  { page, perPage }: PageRequest,
): SelectQueryBuilder<Schema, T & keyof Schema, O> => query.limit(perPage).offset((page - 1) * perPage)

export const pageOf = <O>(tx: Tx, query: AnyQuery<O>, { page, perPage }: PageRequest): Promise<readonly O[]> =>
  tx.query(
    query
      .limit(perPage)
      .offset((page - 1) * perPage)
      .compile(),
  )

export interface TimeOrder {
  readonly affix: Affix
  /** What is of the same second as the last row of a page comes with it, where the next page begins at a time. */
  readonly wholeSeconds: boolean
}

/** From one end of the time; the oldest first, from either end. */
export const pageByTime = async <O>(
  tx: Tx,
  query: AnyQuery<O>,
  { time, id }: { readonly time: RawBuilder<number>; readonly id: string },
  { affix, wholeSeconds, ...page }: TimeOrder & PageRequest,
): Promise<readonly O[]> => {
  const [direction, within, edge] =
    affix === 'append' ? (['asc', '<=', sql`max(time)`] as const) : (['desc', '>=', sql`min(time)`] as const)
  const ordered = query.orderBy(time, direction).orderBy(sql.ref(id), direction)
  const few = pageIn(ordered.clearSelect().select(time.as('time')), page)
  const rows = wholeSeconds
    ? await tx.query(ordered.where(time, within, sql<number>`(SELECT ${edge} FROM (${few}) AS few)`).compile())
    : await pageOf(tx, ordered, page)
  return direction === 'asc' ? rows : rows.toReversed()
}

/** Beyond it the rows of a list are not counted: nobody pages so far, and a list must not cost what its store holds. */
export const TOTAL_MAX = 10_000

export const countOf = async (tx: Tx, query: AnyQuery<object>): Promise<number> => {
  const few = query.clearSelect().select(sql.lit(1).as('one')).limit(TOTAL_MAX).as('few')
  const [row] = await tx.query(tx.build.selectFrom(few).select(sql<number>`count(*)`.as('n')).compile())
  return row?.n ?? 0
}
