import type { Server } from '../compose.ts'
import type { Logger } from '../kernel/logger.ts'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Resolves when the server has stopped. The first signal stops it gracefully, the second does not wait for what is
 * under way, the third ends the process as it stands.
 */
export const untilStopped = (server: Pick<Server, 'stop' | 'abort'>, log: Logger): Promise<void> =>
  new Promise((resolve, reject) => {
    let signals = 0
    const onSignal = (signal: NodeJS.Signals): void => {
      signals++
      log.info({ signal }, signals === 1 ? 'server.stopping' : 'server.aborting')
      if (signals === 1) server.stop().then(done, reject)
      else if (signals === 2) void server.abort()
      else process.kill(process.pid, 'SIGKILL')
    }
    const done = (): void => {
      for (const signal of SIGNALS) process.off(signal, onSignal)
      resolve()
    }
    for (const signal of SIGNALS) process.on(signal, onSignal)
  })
