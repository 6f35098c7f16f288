/**
 * What the peers have in common: take a message, put a job where it survives, answer; a worker posts the callback.
 * The environment tells CALLBACK_URL, BODY_BYTES (of a callback) and CONCURRENCY (of callbacks), and with STORE_URL a
 * database in which messages and attempts are kept (see `whole-job.js`): without it, a job is all that there is.
 */
import Fastify from 'fastify'
import { Agent, request } from 'undici'

export const setting = (name) => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** @param accept resolves when the message and its job are on disk */
export const listen = async (accept) => {
  const url = setting('CALLBACK_URL')
  const bodyBytes = Number(setting('BODY_BYTES'))
  const app = Fastify({ logger: false })
  app.post('/messages', async ({ body: message, headers }) => {
    const bare = JSON.stringify({ ...message, filler: '' })
    const body = JSON.stringify({ ...message, filler: 'x'.repeat(Math.max(0, bodyBytes - bare.length)) })
    await accept({ url, body }, { ...message, sender: headers.onbehalfof })
    return { data: message }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  console.log(`listening on ${app.server.address().port}`)
}

const dispatcher = new Agent({ pipelining: 1, connections: 1000 })

/** Throws unless the callback was answered with 2xx: then the job is tried again. @returns the status */
export const postCallback = async ({ url, body }, more = {}) => {
  const headers = { 'content-type': 'application/json', ...more }
  const answer = await request(url, { method: 'POST', headers, body, dispatcher, headersTimeout: 10_000 })
  await answer.body.dump()
  if (answer.statusCode < 200 || answer.statusCode >= 300) throw new Error(`HTTP ${answer.statusCode}`)
  return answer.statusCode
}
