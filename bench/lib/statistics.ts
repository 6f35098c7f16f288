const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

/** The smallest value that is not below the share `q` of all. NaN of nothing. */
export const quantile = (values: readonly number[], q: number): number => {
  const ordered = sorted(values)
  return ordered[Math.max(0, Math.ceil(q * ordered.length) - 1)] ?? Number.NaN
}

export const median = (values: readonly number[]): number => {
  const ordered = sorted(values)
  const upper = ordered[Math.floor(ordered.length / 2)] ?? Number.NaN
  const lower = ordered[Math.ceil(ordered.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/** Round by round. */
export const ratiosOf = (ours: readonly number[], limits: readonly number[]): number[] =>
  ours.map((value, round) => value / (limits[round] ?? Number.NaN))

/** Round by round, then the median: a machine that is slower for a while is so for both sides of its rounds. */
export const medianRatio = (ours: readonly number[], limits: readonly number[]): number =>
  median(ratiosOf(ours, limits))
