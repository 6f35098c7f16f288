/** Fastify + graphile-worker on PostgreSQL + undici, with the settings that its page on performance recommends. */
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { listen, postCallback, setting } from './server.js'

const concurrency = Number(setting('CONCURRENCY'))
const pgPool = new pg.Pool({ connectionString: setting('DATABASE_URL'), max: 40 })
const logger = new Logger(() => (level, message) => {
  if (level === 'error') console.error(message)
})
await runMigrations({ pgPool, logger })
const utils = await makeWorkerUtils({ pgPool, logger })
await run({
  pgPool,
  logger,
  concurrency,
  noHandleSignals: true,
  taskList: { callback: (job) => postCallback(job) },
  preset: {
    worker: {
      concurrentJobs: concurrency,
      localQueue: { size: 2 * concurrency },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
})

await listen((job) => utils.addJob('callback', job, { maxAttempts: 8 }))
