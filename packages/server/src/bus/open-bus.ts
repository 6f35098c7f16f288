import type { Logger } from '../kernel/logger.ts'
import type { Bus } from './bus.ts'
import { InProcessHub } from './in-process/in-process-bus.ts'

export interface BusOptions {
  readonly busUrl: string | undefined
  readonly databaseUrl: string | undefined
  readonly log: Logger
}

/** Resolves also when the server behind the bus cannot be reached yet: then the bus is `down` until it can. */
export const openBus = async ({ busUrl, databaseUrl, log }: BusOptions): Promise<Bus> => {
  // What is not asked for is not even loaded.
  if (busUrl !== undefined) {
    const { openNatsBus } = await import('./nats/nats-bus.ts')
    return openNatsBus({ url: busUrl, log })
  }
  if (databaseUrl !== undefined) {
    const { openPostgresBus } = await import('./postgres/postgres-bus.ts')
    return openPostgresBus({ url: databaseUrl, log })
  }
  return new InProcessHub().open(log)
}
