/** Two servers, asked the same in turns: whatever disturbs the machine disturbs both. */
import { Connection } from './connection.ts'

/** Unmeasured, of each round: what was asked before has left its traces in the caches. */
const WARM_UP = 5

export interface Side {
  readonly port: number
  readonly request: string
}

/** In milliseconds, of one round. */
export interface Times {
  readonly ours: readonly number[]
  readonly limit: readonly number[]
}

const ask = (connection: Connection, request: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const started = performance.now()
    connection.send(request, (status) => {
      const ms = performance.now() - started
      if (status === 200) resolve(ms)
      else reject(new Error(`${status} to ${request.split('\r\n', 1)[0]}`))
    })
  })

/** @param requests to each of the two */
export const askInTurns = async (ours: Side, limit: Side, requests: number): Promise<Times> => {
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => {})
  const times = { ours: [] as number[], limit: [] as number[] }
  const sides = {
    ours: await Connection.open(ours.port, lost.reject),
    limit: await Connection.open(limit.port, lost.reject),
  }
  const turn = async (n: number): Promise<void> => {
    for (const which of n % 2 === 0 ? (['limit', 'ours'] as const) : (['ours', 'limit'] as const)) {
      const { request } = which === 'ours' ? ours : limit
      const ms = await Promise.race([ask(sides[which], request), lost.promise])
      if (n >= 0) times[which].push(ms)
    }
  }
  try {
    for (let n = -WARM_UP; n < requests; n++) await turn(n)
    return times
  } finally {
    sides.ours.close()
    sides.limit.close()
  }
}
