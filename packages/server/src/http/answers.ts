/** The envelopes of lists and of operations without a result. */
import { type Affix, limits, type Pagination, type User } from '@confab/protocol'
import type { Page, PageRequest } from '../kernel/paging.ts'

export const pageRequestOf = (query: { page?: number; perPage?: number; per_page?: number }): PageRequest => ({
  page: query.page ?? 1,
  perPage: query.per_page ?? query.perPage ?? limits.pageSize,
})

export const statusOf = ({ status }: { status?: 'available' | 'offline' | 'online' }): User['status'] | undefined =>
  status === 'online' ? 'available' : status

export const answerPage = <T>(
  { rows, total }: Page<T>,
  { page, perPage }: PageRequest,
): { data: readonly T[]; meta: { pagination: Pagination } } => ({
  data: rows,
  meta: {
    pagination: {
      total,
      count: rows.length,
      per_page: perPage,
      current_page: page,
      total_pages: Math.max(1, Math.ceil(total / perPage)),
    },
  },
})

/**
 * Lists of users and groups also say where the page ends in time, beside `data` and `meta`.
 *
 * @param affix of a list in the order of time, the oldest first: the direction in which it goes on from there
 */
export const withTimeCursor = <T extends { updatedAt?: number; createdAt: number }, A extends { data: readonly T[] }>(
  answer: A,
  affix?: Affix,
): A & { cursor?: { updatedAt: number; affix: string } } => {
  const edge = affix === 'prepend' ? answer.data[0] : answer.data.at(-1)
  return edge === undefined
    ? answer
    : { ...answer, cursor: { updatedAt: edge.updatedAt ?? edge.createdAt, affix: affix ?? 'prepend' } }
}

export const succeeded = (message: string): { data: { success: true; message: string } } => ({
  data: { success: true, message },
})

/** Tags are shown where they were asked for. */
export const withoutTags = <T extends { tags?: readonly string[] }>(
  rows: readonly T[],
  withTags?: boolean,
): readonly T[] => (withTags ? rows : rows.map(({ tags: _tags, ...row }) => row as T))
