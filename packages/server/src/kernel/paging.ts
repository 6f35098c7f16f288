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
}: {
  count: number
  limit: number
  hasMore: boolean
}): Pagination => ({
  total: hasMore ? count + 1 : count,
  count,
  per_page: limit,
  current_page: 1,
  total_pages: hasMore ? 2 : 1,
})
