/** Fastify + graphile-worker on PostgreSQL + undici, with the settings that its page on performance recommends. */
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { listen, postCallback, setting } from './server.js'
import { attemptOf, conversationOf, openStore } from './whole-job.js'

const concurrency = Number(setting('CONCURRENCY'))
const store = process.env.STORE_URL === undefined ? undefined : await openStore(process.env.STORE_URL)
const pgPool = store?.pool ?? new pg.Pool({ connectionString: setting('DATABASE_URL'), max: 40 })
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
  taskList: { callback: async (job) => void (await (store === undefined ? postCallback(job) : attemptOf(store, job))) },
  preset: {
    worker: {
      concurrentJobs: concurrency,
      localQueue: { size: 2 * concurrency },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
})

/** Jobs of one name run one after the other; message and job come in one transaction. */
const ADD_JOB = `
  SELECT graphile_worker.add_job('callback', json_build_object('url', $6::text, 'body', $7::text, 'messageId', message.id),
    queue_name => $8::text, max_attempts => 8) FROM message`

await listen((job, message) =>
  store === undefined
    ? utils.addJob('callback', job, { maxAttempts: 8 })
    : store.addMessageWith(message, ADD_JOB, [job.url, job.body, conversationOf(message)]),
)
