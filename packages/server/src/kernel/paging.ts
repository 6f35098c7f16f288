import type { Pagination } from '@confab/protocol'

/** One page of a list, and how many rows there are in all. */
export interface Page<T> {
  readonly rows: readonly T[]
  readonly total: number
}

/** Where a page starts and how long it is. */
export interface PageRequest {
  /** From 1. */
  readonly page: number
  readonly perPage: number
}

/** Of lists by cursor, where what is left is not counted: there is one page more, or none. */
export const uncounted = ({
  count,
  limit,
  hasMore,
  page = 1,
}: {
  count: number
  limit: number
  hasMore: boolean
  page?: number
}): Pagination => ({
  total: (page - 1) * limit + count + (hasMore ? 1 : 0),
  count,
  per_page: limit,
  current_page: page,
  total_pages: hasMore ? page + 1 : page,
})
