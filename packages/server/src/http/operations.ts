/** What operators ask of the server: is it alive, is it ready, what does it count. */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../kernel/app-error.ts'
import { lazily } from '../kernel/lazily.ts'
import type { Metrics } from '../workers/metrics.ts'

export interface Health {
  /** Whether requests should be sent here. Rejects, or does not settle in time, if not. */
  ready(): Promise<void>
}

const READY_WITHIN_MS = 2000

const inTime = async (work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AppError('ERR_SERVICE_UNAVAILABLE')), READY_WITHIN_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export const registerOperations = (
  app: FastifyInstance,
  deps: { health: Health; metrics: Metrics; openApi: () => object },
): void => {
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', async () => {
    await inTime(deps.health.ready()).catch((cause: unknown) => {
      throw new AppError('ERR_SERVICE_UNAVAILABLE', { cause })
    })
    return { status: 'ready' }
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type(deps.metrics.contentType)
    return deps.metrics.render()
  })
  const openApi = lazily(() => JSON.stringify(deps.openApi()))
  app.get('/openapi.json', (_request, reply) => {
    reply.type('application/json').send(openApi())
  })
}
