/** What was sent and what arrived, kept outside the server, and what must hold between the two. */

export interface SentMessage {
  readonly muid: string
  readonly conversationId: string
  /** Of the answer; undefined: the outcome of the request is not known. */
  readonly id: string | undefined
  /** The bots that are to hear it, where they are not those of its conversation. */
  readonly bots?: readonly string[]
}

export interface Arrival {
  readonly bot: string
  readonly conversationId: string
  readonly deliveryId: string
  readonly muid: string
  readonly messageId: string
  readonly sequence: number
  readonly previousSequence: number
  /** Which life of the server it came from. */
  readonly life: number
  /** Whether the bot answered 2xx. */
  readonly ok: boolean
  /** The server may have missed the answer: it may go on, and it may ask again. */
  readonly unheard?: boolean
  /** The bot answered that it will never want this: the lane goes on without it. */
  readonly gone?: boolean
  /** Somebody had asked for the delivery to be made again, at its old place. */
  readonly replayed?: boolean
}

export interface History {
  readonly sent: readonly SentMessage[]
  readonly arrivals: readonly Arrival[]
  /** The bots that are to hear a conversation. */
  readonly botsOf: (conversationId: string) => readonly string[]
  /** Duties that ended before they were done: the bot was deleted. */
  readonly calledOff?: (bot: string, muid: string) => boolean
}

export interface Verdict {
  readonly lost: readonly string[]
  readonly reordered: readonly string[]
  readonly phantom: readonly string[]
  /** Delivered again though it was not what its lane had in flight when its life ended, or though its lane had gone on. */
  readonly needless: readonly string[]
  /** Delivered again after a kill: allowed. */
  readonly repeated: number
  readonly delivered: number
}

const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

const laneOf = ({ bot, conversationId }: { bot: string; conversationId: string }): string => `${bot} ${conversationId}`

const isOver = ({ ok, gone = false }: Arrival): boolean => ok || gone

const findLost = ({ sent, arrivals, botsOf, calledOff = () => false }: History): string[] => {
  const over = new Set(arrivals.filter(isOver).map(({ bot, muid }) => `${bot} ${muid}`))
  return sent
    .filter(({ id }) => id !== undefined)
    .flatMap(({ muid, conversationId, bots = botsOf(conversationId) }) =>
      bots.filter((bot) => !calledOff(bot, muid)).map((bot) => `${bot} ${muid}`),
    )
    .filter((duty) => !over.has(duty))
}

/** First arrivals and first deliveries of a lane go up by one, and so do the messages; nothing starts before the one before it is done. */
const findReordered = (lane: string, arrivals: readonly Arrival[]): string[] => {
  const found: string[] = []
  let done = 0
  let lastMessage = 0
  for (const arrival of arrivals) {
    const { sequence, previousSequence, messageId, muid } = arrival
    if (previousSequence !== sequence - 1)
      found.push(`${lane}: ${muid} says ${previousSequence} comes before ${sequence}`)
    if (sequence > done + 1) found.push(`${lane}: ${muid} (${sequence}) came when only ${done} was delivered`)
    if (!isOver(arrival) || sequence !== done + 1) continue
    done = sequence
    if (Number(messageId) <= lastMessage) found.push(`${lane}: message ${messageId} after ${lastMessage}`)
    lastMessage = Number(messageId)
  }
  return found
}

const findPhantoms = ({ sent, arrivals, botsOf }: History): string[] => {
  const byMuid = new Map(sent.map((message) => [message.muid, message]))
  const idsOf = groupBy(arrivals, ({ muid }) => muid)
  return arrivals
    .filter(({ bot, muid, messageId, conversationId }) => {
      const message = byMuid.get(muid)
      if (message === undefined || message.conversationId !== conversationId) return true
      if (!(message.bots ?? botsOf(conversationId)).includes(bot)) return true
      // Of unknown outcome: whatever id it got, there is one of it.
      return messageId !== (message.id ?? idsOf.get(muid)?.[0]?.messageId)
    })
    .map(({ bot, muid, messageId }) => `${bot} ${muid} as ${messageId}`)
}

/** The furthest that the lane had come before each arrival. */
const furthestBefore = (arrivals: readonly Arrival[]): Map<Arrival, number> => {
  const furthest = new Map<Arrival, number>()
  let sequence = 0
  for (const arrival of arrivals) {
    furthest.set(arrival, sequence)
    sequence = Math.max(sequence, arrival.sequence)
  }
  return furthest
}

/**
 * A delivery that succeeded comes again only if it was the last thing its lane did in that life, or if its answer may
 * not have been heard; and never once the lane has gone on, which it does only when the success is on record.
 */
const findRepeated = (lane: string, all: readonly Arrival[]): { repeated: number; needless: string[] } => {
  const arrivals = all.filter(({ replayed = false }) => !replayed)
  const furthest = furthestBefore(arrivals)
  const needless: string[] = []
  let repeated = 0
  for (const again of groupBy(arrivals, ({ deliveryId }) => deliveryId).values()) {
    const firstOk = again.findIndex(({ ok }) => ok)
    const success = again[firstOk]
    if (success === undefined) continue
    const { sequence, muid } = success
    const later = again.slice(firstOk + 1)
    repeated += later.length
    const wentBack = later.some((one) => (furthest.get(one) ?? 0) > sequence)
    const wasHeard = again.some(
      ({ ok, unheard = false, life }, at) => ok && !unheard && again.slice(at + 1).some((one) => one.life === life),
    )
    if (wentBack || wasHeard) needless.push(`${lane}: ${muid} (${sequence})`)
  }
  return { repeated, needless }
}

export const judge = (history: History): Verdict => {
  const lanes = [...groupBy(history.arrivals, laneOf)]
  const repetitions = lanes.map(([lane, arrivals]) => findRepeated(lane, arrivals))
  return {
    lost: findLost(history),
    reordered: lanes.flatMap(([lane, arrivals]) => findReordered(lane, arrivals)),
    phantom: findPhantoms(history),
    needless: repetitions.flatMap(({ needless }) => needless),
    repeated: repetitions.reduce((sum, { repeated }) => sum + repeated, 0),
    delivered: new Set(history.arrivals.filter(({ ok }) => ok).map(({ deliveryId }) => deliveryId)).size,
  }
}
