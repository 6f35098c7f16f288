/** Spoils a history before it is judged: the harness must notice. */
import type { Arrival } from '../../packages/server/src/testing/history.ts'

export const sabotages = {
  /** One delivery that succeeded was never noted. */
  lose: (arrivals: readonly Arrival[]): Arrival[] => {
    const last = arrivals.findLast(({ ok }) => ok)
    return arrivals.filter(({ deliveryId }) => deliveryId !== last?.deliveryId)
  },
  /** A message arrives that nobody sent. */
  invent: (arrivals: readonly Arrival[]): Arrival[] =>
    arrivals.flatMap((arrival, at) => (at === 0 ? [arrival, { ...arrival, muid: 'nobody-sent-this' }] : [arrival])),
  /** Two messages of a lane change places. */
  swap: (arrivals: readonly Arrival[]): Arrival[] => {
    const second = arrivals.findIndex(({ ok, sequence }) => ok && sequence === 2)
    const found = arrivals[second]
    const first = arrivals.findIndex(
      ({ bot, conversationId }) => bot === found?.bot && conversationId === found.conversationId,
    )
    return [
      ...arrivals.slice(0, first),
      ...arrivals.slice(second, second + 1),
      ...arrivals.slice(first, second),
      ...arrivals.slice(second + 1),
    ]
  },
  /** The first one comes again at the end. */
  repeat: (arrivals: readonly Arrival[]): Arrival[] => [...arrivals, ...arrivals.filter(({ ok }) => ok).slice(0, 1)],
} as const

export type Sabotage = keyof typeof sabotages
