/** Fastify + BullMQ on Redis + undici, as their guides put them together. Durable if Redis is: appendfsync always. */
import { Queue, Worker } from 'bullmq'
import { listen, postCallback, setting } from './server.js'

const connection = { host: '127.0.0.1', port: Number(setting('REDIS_PORT')) }
const queue = new Queue('callbacks', {
  connection,
  defaultJobOptions: {
    attempts: 8,
    backoff: { type: 'exponential', delay: 5000 },
    removeOnComplete: true,
    removeOnFail: false,
  },
})
const worker = new Worker('callbacks', ({ data }) => postCallback(data), {
  connection: { ...connection, maxRetriesPerRequest: null },
  concurrency: Number(setting('CONCURRENCY')),
})
worker.on('error', (error) => console.error(error))

await listen((job) => queue.add('callback', job))
