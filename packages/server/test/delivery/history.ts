/** What was sent and what arrived, kept outside the server, and what must hold between the two. */

export interface SentMessage {
  readonly muid: string
  readonly conversationId: string
  /** Of the answer; undefined: the outcome of the request is not known. */
  readonly id: string | undefined
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
}

export interface History {
  readonly sent: readonly SentMessage[]
  readonly arrivals: readonly Arrival[]
  /** The bots that are to hear a conversation. */
  readonly botsOf: (conversationId: string) => readonly string[]
}

export interface Verdict {
  readonly lost: readonly string[]
  readonly reordered: readonly string[]
  readonly phantom: readonly string[]
  /** Delivered twice though the first delivery was not what its lane had in flight when its life ended. */
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

const findLost = ({ sent, arrivals, botsOf }: History): string[] => {
  const delivered = new Set(arrivals.filter(({ ok }) => ok).map(({ bot, muid }) => `${bot} ${muid}`))
  return sent
    .filter(({ id }) => id !== undefined)
    .flatMap(({ muid, conversationId }) => botsOf(conversationId).map((bot) => `${bot} ${muid}`))
    .filter((duty) => !delivered.has(duty))
}

/** First arrivals and first deliveries of a lane go up by one, and so do the messages; nothing starts before the one before it is done. */
const findReordered = (lane: string, arrivals: readonly Arrival[]): string[] => {
  const found: string[] = []
  let done = 0
  let lastMessage = 0
  for (const { sequence, previousSequence, messageId, ok, muid } of arrivals) {
    if (previousSequence !== sequence - 1)
      found.push(`${lane}: ${muid} says ${previousSequence} comes before ${sequence}`)
    if (sequence > done + 1) found.push(`${lane}: ${muid} (${sequence}) came when only ${done} was delivered`)
    if (!ok || sequence !== done + 1) continue
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
      if (!botsOf(conversationId).includes(bot)) return true
      // Of unknown outcome: whatever id it got, there is one of it.
      return messageId !== (message.id ?? idsOf.get(muid)?.[0]?.messageId)
    })
    .map(({ bot, muid, messageId }) => `${bot} ${muid} as ${messageId}`)
}

/** A delivery that succeeded comes again only if it was the last thing its lane did in that life. */
const findRepeated = (lane: string, arrivals: readonly Arrival[]): { repeated: number; needless: string[] } => {
  const needless: string[] = []
  let repeated = 0
  for (const again of groupBy(arrivals, ({ deliveryId }) => deliveryId).values()) {
    const firstOk = again.findIndex(({ ok }) => ok)
    const success = again[firstOk]
    if (success === undefined) continue
    const later = again.slice(firstOk + 1)
    repeated += later.length
    const inSameLife = later.some(({ life }) => life === success.life)
    const wentOn = arrivals.some(({ life, sequence }) => life === success.life && sequence > success.sequence)
    if (later.length > 0 && (inSameLife || wentOn)) needless.push(`${lane}: ${success.muid} (${success.sequence})`)
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
