/**
 * What a chat server needs beside a queue, as one would add it: messages that can be listed, callbacks that are signed, and
 * a record of every attempt. In PostgreSQL, with one statement each.
 */
import { createHmac } from 'node:crypto'
import pg from 'pg'
import { postCallback } from './server.js'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation text NOT NULL,
    sender text NOT NULL,
    muid text NOT NULL,
    data text NOT NULL,
    sent_at bigint NOT NULL,
    UNIQUE (sender, muid)
  );
  CREATE INDEX IF NOT EXISTS messages_by_conversation ON messages (conversation, id);
  CREATE TABLE IF NOT EXISTS attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint NOT NULL,
    at_ms bigint NOT NULL,
    took_ms real NOT NULL,
    status integer,
    error text
  );
  CREATE INDEX IF NOT EXISTS attempts_by_message ON attempts (message_id);`

const INSERT = `INSERT INTO messages (conversation, sender, muid, data, sent_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`

export const conversationOf = ({ sender, receiver }) => [sender, receiver].sort().join('_user_')

const valuesOf = (message) => [
  conversationOf(message),
  message.sender,
  message.muid,
  JSON.stringify(message.data),
  Math.floor(Date.now() / 1000),
]

export const openStore = async (connectionString) => {
  const pool = new pg.Pool({ connectionString, max: 40 })
  await pool.query(SCHEMA)
  return {
    pool,
    addMessage: async (message) => {
      const { rows } = await pool.query({ name: 'add', text: INSERT, values: valuesOf(message) })
      return rows[0].id
    },
    /** In one statement with the job that it causes. @param sql of the job, from row `message` and values from `$6` on */
    addMessageWith: (message, sql, values) =>
      pool.query({
        name: 'add-with',
        text: `WITH message AS (${INSERT}) ${sql}`,
        values: [...valuesOf(message), ...values],
      }),
    addAttempt: ({ messageId, atMs, tookMs, status, error }) =>
      pool.query({
        name: 'attempt',
        text: 'INSERT INTO attempts (message_id, at_ms, took_ms, status, error) VALUES ($1, $2, $3, $4, $5)',
        values: [messageId, atMs, tookMs, status ?? null, error ?? null],
      }),
  }
}

const secret = Buffer.from('a secret of thirty-two bytes ....')

const signed = (id, body) => {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

/** Signs, posts, and puts the attempt on record. Throws as `postCallback` does. */
export const attemptOf = async (store, job) => {
  const atMs = Date.now()
  const started = performance.now()
  const record = (outcome) =>
    store.addAttempt({ messageId: job.messageId, atMs, tookMs: performance.now() - started, ...outcome })
  try {
    await record({ status: await postCallback(job, signed(`msg_${job.messageId}`, job.body)) })
  } catch (error) {
    await record({ error: String(error) })
    throw error
  }
}

/** One after the other within a conversation, in the one process that there is. */
export const makeInOrder = () => {
  const last = new Map()
  return (conversation, work) => {
    const before = last.get(conversation) ?? Promise.resolve()
    const done = before.then(work, work)
    const settled = done.catch(() => {})
    last.set(conversation, settled)
    void settled.then(() => last.get(conversation) === settled && last.delete(conversation))
    return done
  }
}
