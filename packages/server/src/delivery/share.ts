/**
 * How much room of a node one bot may take. Slow bots must not fill it: whoever comes next would wait until one of their
 * attempts ends, which may take as long as a deadline.
 *
 * Invariant: the last eighth of the room is for bots that have less than an eighth of what is left of it. A room of less
 * than eight places is too small to leave any free.
 */

export interface Room {
  /** Places in all, and those that nobody has. */
  readonly of: number
  readonly free: number
}

const KEPT = 8

/** How many places more a bot may take that `has` so many, one after the other. */
export const shareOf = ({ of, free }: Room, has: number): number => {
  const ofAll = Math.ceil(free - of / KEPT)
  const ofWhatIsKept = Math.ceil((free - has * KEPT) / (KEPT + 1))
  return Math.max(0, Math.min(free, Math.max(ofAll, ofWhatIsKept)))
}
