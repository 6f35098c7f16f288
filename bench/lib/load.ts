/** The load: the same generator for what is measured and for its limit. */
import { Connection } from './connection.ts'
import { machineMs } from './now.ts'

export interface Load {
  readonly answered: number
  /** Answers that are not 2xx. */
  readonly refused: number
  /** Machine time of the first request and of the last answer. */
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Answers of 2xx per second. */
  readonly rate: number
}

/** Beyond the time that was asked for: then something hangs. */
const PATIENCE_MS = 30_000

const openAll = (port: number, count: number, onLost: (error: Error) => void): Promise<Connection[]> =>
  Promise.all(Array.from({ length: count }, () => Connection.open(port, onLost)))

/** The end may be a failure before anybody waits for it. */
const ending = () => {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  ended.catch(() => {})
  return { ended, resolve, reject }
}

const inTime = async <T>(work: Promise<T>, ms: number, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done within ${Math.round(ms / 1000)} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Closed loop: each connection sends its next request when it has its answer, until the time is over or `next` has no
 * more. Requests of one connection follow each other, so what must stay in order is kept on one.
 */
export const sendClosed = async (options: {
  port: number
  connections: number
  forMs: number
  next: (connection: number) => string | undefined
}): Promise<Load> => {
  const { port, forMs, next } = options
  const { ended, resolve, reject } = ending()
  const connections = await openAll(port, options.connections, reject)
  let running = connections.length
  let answered = 0
  let refused = 0
  const startedAtMs = machineMs()
  const until = performance.now() + forMs
  const step = (connection: Connection, index: number): void => {
    const request = performance.now() < until ? next(index) : undefined
    if (request === undefined) {
      if (--running === 0) resolve()
      return
    }
    connection.send(request, (status) => {
      answered++
      if (status < 200 || status >= 300) refused++
      step(connection, index)
    })
  }
  try {
    for (const [index, connection] of connections.entries()) step(connection, index)
    await inTime(ended, forMs + PATIENCE_MS, 'closed load')
    const endedAtMs = machineMs()
    return { answered, refused, startedAtMs, endedAtMs, rate: rateOf(answered - refused, startedAtMs, endedAtMs) }
  } finally {
    for (const connection of connections) connection.close()
  }
}

export const rateOf = (count: number, fromMs: number, toMs: number): number => (count * 1000) / (toMs - fromMs)

/**
 * Open loop: request `i` leaves `i` intervals after the start, however long the answers take; one that finds no free
 * connection takes a new one. Answers when each request was written, in machine time.
 */
export const sendOpen = async (options: {
  port: number
  connections: number
  perSecond: number
  count: number
  request: (i: number) => string
}): Promise<Load & { readonly sentAtMs: readonly number[] }> => {
  const { port, perSecond, count, request } = options
  const { ended, resolve, reject } = ending()
  const free = await openAll(port, options.connections, reject)
  const all = new Set(free)
  const sentAtMs: number[] = []
  let due = 0
  let answered = 0
  let refused = 0
  const startedAtMs = machineMs()
  const write = (connection: Connection, i: number): void => {
    const text = request(i)
    sentAtMs[i] = machineMs()
    connection.send(text, (status) => {
      free.push(connection)
      if (status < 200 || status >= 300) refused++
      if (++answered === count) resolve()
    })
  }
  const openFor = async (i: number): Promise<void> => {
    const opened = await Connection.open(port, reject)
    all.add(opened)
    write(opened, i)
  }
  const writeNext = (): void => {
    const i = due++
    const connection = free.pop()
    if (connection !== undefined) write(connection, i)
    else openFor(i).catch(reject)
  }
  const ticker = setInterval(() => {
    const dueNow = Math.min(count, Math.floor(((machineMs() - startedAtMs) * perSecond) / 1000))
    while (due < dueNow) writeNext()
  }, 1)
  try {
    await inTime(ended, (count * 1000) / perSecond + PATIENCE_MS, 'open load')
    const endedAtMs = machineMs()
    const rate = rateOf(answered - refused, startedAtMs, endedAtMs)
    return { answered, refused, startedAtMs, endedAtMs, rate, sentAtMs }
  } finally {
    clearInterval(ticker)
    for (const connection of all) connection.close()
  }
}
