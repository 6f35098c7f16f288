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
