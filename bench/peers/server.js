/**
 * What the two peers have in common: take a message, put a job where it survives, answer; a worker posts the callback.
 * The environment tells CALLBACK_URL, BODY_BYTES (of a callback) and CONCURRENCY (of callbacks).
 */
import Fastify from 'fastify'
import { Agent, request } from 'undici'

export const setting = (name) => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** @param enqueue resolves when the job is on disk */
export const listen = async (enqueue) => {
  const url = setting('CALLBACK_URL')
  const bodyBytes = Number(setting('BODY_BYTES'))
  const app = Fastify({ logger: false })
  app.post('/messages', async ({ body: message }) => {
    const bare = JSON.stringify({ ...message, filler: '' })
    const body = JSON.stringify({ ...message, filler: 'x'.repeat(Math.max(0, bodyBytes - bare.length)) })
    await enqueue({ url, body })
    return { data: message }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  console.log(`listening on ${app.server.address().port}`)
}

const dispatcher = new Agent({ pipelining: 1, connections: 1000 })
const headers = { 'content-type': 'application/json' }

/** Throws unless the callback was answered with 2xx: then the job is tried again. */
export const postCallback = async ({ url, body }) => {
  const answer = await request(url, { method: 'POST', headers, body, dispatcher, headersTimeout: 10_000 })
  await answer.body.dump()
  if (answer.statusCode < 200 || answer.statusCode >= 300) throw new Error(`HTTP ${answer.statusCode}`)
}
