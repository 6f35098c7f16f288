/** What tests of callbacks share: people, bots, what arrived, and what the store says of it. */
import { createHmac } from 'node:crypto'
import { type Callback, callbackHeaders, type Message } from '@confab/protocol'
import { expect } from 'vitest'
import type { ReceivedCallback } from '../../src/testing/callback-receiver.ts'
import { readStore } from '../../src/testing/read-store.ts'
import type { TestServer } from '../support/server.ts'

export interface BotSettings {
  readonly webhookURL: string
  readonly groupChatSetting?: 'none' | 'allMessages' | 'mentionedMessages' | 'slashedMessages'
  readonly enabled?: boolean
  readonly useBasicAuth?: boolean
  readonly username?: string
  readonly password?: string
}

export const makeUsers = async ({ client }: TestServer, ...uids: readonly string[]): Promise<void> => {
  await Promise.all(uids.map((uid) => client.createUser({ uid, name: uid.toUpperCase() })))
}

/** The user and the bot on it; answers the signing secret. */
export const makeBot = async (server: TestServer, uid: string, settings: BotSettings): Promise<string> => {
  await makeUsers(server, uid)
  const body = { uid, enabled: true, ...settings }
  return (await server.client.request<{ signingSecret: string }>('POST', '/bots', { body })).data.signingSecret
}

export const changeBot = (server: TestServer, uid: string, body: Partial<BotSettings>) =>
  server.client.request('PUT', `/bots/${uid}`, { body })

export const makeGroup = async (
  server: TestServer,
  guid: string,
  ...participants: readonly string[]
): Promise<void> => {
  await server.client.createGroup({
    guid,
    name: guid.toUpperCase(),
    type: 'public',
    members: { participants: [...participants] },
  })
}

export const say = (server: TestServer, from: string, to: string, text: string): Promise<Message> =>
  server.client.sendMessage({ receiver: to, receiverType: 'user' }, text, { onBehalfOf: from })

export const sayInGroup = (server: TestServer, from: string, guid: string, text: string): Promise<Message> =>
  server.client.sendMessage({ receiver: guid, receiverType: 'group' }, text, { onBehalfOf: from })

export const callbackOf = ({ json }: ReceivedCallback): Callback => json as Callback

export const textsOf = (received: readonly ReceivedCallback[]): string[] =>
  received.map((one) => String(callbackOf(one).data.data.text))

export const sequenceOf = ({ headers }: ReceivedCallback): number => Number(headers[callbackHeaders.sequence])
export const attemptOf = ({ headers }: ReceivedCallback): number => Number(headers[callbackHeaders.attempt])
export const idOf = ({ headers }: ReceivedCallback): string => String(headers[callbackHeaders.id])

/** By the words of Standard Webhooks alone, with nothing of ours: base64 key behind `whsec_`, over `id.timestamp.body`. */
export const signatureOf = (secret: string, { headers, body }: ReceivedCallback): string => {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  expect(key).toHaveLength(32)
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  return `v1,${createHmac('sha256', key).update(content, 'utf8').digest('base64')}`
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Polls until it is true; what was expected stands in the error. */
export const until = async (
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> => {
  const end = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await pause(20)
  }
}

/** Long enough for a callback that must not come to have come: it would leave within a poll of the store. */
export const QUIET_MS = 1500

/** Reads the store of a server beside it, or after its end. */
export const query = <Row>({ dataDir, databaseUrl }: TestServer, sql: string): Promise<readonly Row[]> =>
  readStore<Row>({ dataDir, databaseUrl }, sql)

export interface AttemptRow {
  readonly delivery_id: string
  readonly bot: string
  readonly conversation_id: string
  readonly state: string
  readonly number: number
  readonly outcome: string
  readonly status: number | null
  readonly error: string | null
  readonly address: string | null
}

/** Attempts on record for a bot, lane by lane in their order. */
export const attemptsOf = (server: TestServer, bot: string): Promise<readonly AttemptRow[]> =>
  query<AttemptRow>(
    server,
    `SELECT a.delivery_id, l.bot_uid AS bot, l.conversation_id, d.state, a.number, a.outcome, a.status, a.error, a.address
     FROM attempts a JOIN deliveries d ON d.id = a.delivery_id JOIN lanes l ON l.id = d.lane_id
     WHERE l.bot_uid = '${bot}' ORDER BY l.conversation_id, d.sequence, a.id`,
  )

export const statesOf = async (server: TestServer, bot: string): Promise<string[]> => {
  const rows = await query<{ state: string }>(
    server,
    `SELECT d.state FROM deliveries d JOIN lanes l ON l.id = d.lane_id
     WHERE l.bot_uid = '${bot}' ORDER BY l.conversation_id, d.sequence`,
  )
  return rows.map(({ state }) => state)
}

/** The value of a sample of `/metrics`, as it is written there; 0 if it is not. */
export const metric = async (url: string, sample: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `))
  return line === undefined ? 0 : Number(line.slice(sample.length + 1))
}
