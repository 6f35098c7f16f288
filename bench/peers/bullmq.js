/** Fastify + BullMQ on Redis + undici, as their guides put them together. Durable if Redis is: appendfsync always. */
import { Queue, Worker } from 'bullmq'
import { listen, postCallback, setting } from './server.js'
import { attemptOf, conversationOf, makeInOrder, openStore } from './whole-job.js'

const connection = { host: '127.0.0.1', port: Number(setting('REDIS_PORT')) }
const store = process.env.STORE_URL === undefined ? undefined : await openStore(process.env.STORE_URL)
const inOrder = makeInOrder()

const queue = new Queue('callbacks', {
  connection,
  defaultJobOptions: {
    attempts: 8,
    backoff: { type: 'exponential', delay: 5000 },
    removeOnComplete: true,
    removeOnFail: false,
  },
})
// Groups, which would keep an order, are not in the open version.
const work = ({ data }) =>
  store === undefined ? postCallback(data) : inOrder(data.conversation, () => attemptOf(store, data))
const worker = new Worker('callbacks', work, {
  connection: { ...connection, maxRetriesPerRequest: null },
  concurrency: Number(setting('CONCURRENCY')),
})
worker.on('error', (error) => console.error(error))

await listen(async (job, message) => {
  if (store === undefined) return queue.add('callback', job)
  const messageId = await store.addMessage(message)
  return queue.add('callback', { ...job, messageId, conversation: conversationOf(message) })
})
