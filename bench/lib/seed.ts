/**
 * A store with more in it than the API would let one app have: made by a first start of the real server, then filled by
 * cloning what that server wrote.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as breathe } from 'node:timers/promises'
import { muidOf, TAG_LENGTH } from './ledger.ts'
import type { Bench } from './phase.ts'
import { clonesOf, type Row, rowOf } from './rows.ts'
import { ulidsOf } from './ulid.ts'
import { type Conversation, messageBody } from './workload.ts'

/** As many as an app may have. */
const BOTS_PER_APP = 25
/** Rows per transaction of a backlog. */
const CHUNK = 5000

const STORE_FILE = 'confab.sqlite'
const KEPT_FILES = [STORE_FILE, 'master.key']

const ASKER = 'asker-x'
const BOT = 'helper-x'
const TEMPLATE_MUID = muidOf('x'.repeat(TAG_LENGTH), 0, 0)
/** Of each bot the same; the server seals it when it starts. */
const SECRET = `whsec_${Buffer.alloc(32, 'bench').toString('base64')}`

export interface SeedPlan {
  readonly bots: number
  /** Of people with each bot. */
  readonly conversationsPerBot: number
  readonly callbackUrl: (bot: number) => string
  /** Messages that wait in each conversation, under the muids of a tag. */
  readonly backlog?: { readonly tag: string; readonly perLane: number }
}

export interface Seeded {
  readonly dataDir: string
  /** Conversation `c` is with bot `c % bots`. */
  readonly conversations: readonly Required<Conversation>[]
}

export interface Templates {
  readonly app: Row
  readonly key: Row
  readonly person: Row
  readonly botUser: Row
  readonly bot: Row
  readonly conversation: Row
  readonly message: Row
  readonly lane: Row
  readonly delivery: Row
}

/** A store without rows but those that are the server's own, and one of everything that was taken out of it. */
export interface FirstStore {
  readonly files: ReadonlyMap<string, Buffer>
  readonly templates: Templates
}

/** A bot that says nothing, as long as it is needed. */
const withSilentBot = async (work: (url: string) => Promise<void>): Promise<void> => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo // it listens on TCP
  try {
    await work(`http://127.0.0.1:${port}/`)
  } finally {
    silent.close()
    for (const socket of sockets) socket.destroy()
  }
}

/** One of everything, written by the real server: it dies before it has learned anything about the bot. */
const startFirst = (bench: Pick<Bench, 'startServer'>, dataDir: string): Promise<void> =>
  withSilentBot(async (webhookURL) => {
    const server = await bench.startServer({ dataDir })
    for (const uid of [ASKER, BOT]) await server.call('POST', '/users', { uid, name: `Person ${uid}` })
    await server.call('POST', '/bots', { uid: BOT, webhookURL, enabled: true })
    const answer = await fetch(`http://127.0.0.1:${server.port}/v3/messages`, {
      method: 'POST',
      headers: { ...server.headers, onbehalfof: ASKER, 'content-type': 'application/json' },
      body: messageBody(BOT, TEMPLATE_MUID),
    })
    if (!answer.ok) throw new Error(`the first message was refused: ${await answer.text()}`)
    await server.kill()
  })

/** Reads one of everything, and takes it out: the clones take its place. */
const takeTemplates = (db: DatabaseSync): Templates => {
  const templates = {
    app: rowOf(db, 'apps'),
    key: rowOf(db, 'api_keys'),
    person: rowOf(db, 'users', { uid: ASKER }),
    botUser: rowOf(db, 'users', { uid: BOT }),
    bot: rowOf(db, 'bots'),
    conversation: rowOf(db, 'conversations'),
    message: rowOf(db, 'messages'),
    lane: rowOf(db, 'lanes'),
    delivery: rowOf(db, 'deliveries'),
  }
  for (const table of [
    'attempts',
    'deliveries',
    'lanes',
    'messages',
    'conversations',
    'bots',
    'users',
    'api_keys',
    'apps',
  ]) {
    db.exec(`DELETE FROM ${table}`)
  }
  return templates
}

const seedBots = (db: DatabaseSync, templates: Templates, plan: SeedPlan): { appOf: (bot: number) => string } => {
  const appOf = (bot: number): string => `${templates.app.id}-${Math.floor(bot / BOTS_PER_APP)}`
  const app = clonesOf(db, 'apps', templates.app)
  const key = clonesOf(db, 'api_keys', templates.key)
  const user = clonesOf(db, 'users', templates.botUser)
  const bot = clonesOf(db, 'bots', templates.bot)
  for (let b = 0; b < plan.bots; b++) {
    const appId = appOf(b)
    if (b % BOTS_PER_APP === 0) {
      app({ id: appId, name: appId })
      key({ key: `key-of-${appId}`, app_id: appId })
    }
    user({ app_id: appId, uid: `helper-${b}`, name: `Person helper-${b}` })
    bot({ app_id: appId, uid: `helper-${b}`, callback_url: plan.callbackUrl(b), signing_secret: SECRET })
  }
  return { appOf }
}

const seedPeople = (
  db: DatabaseSync,
  templates: Templates,
  { bots, conversationsPerBot }: SeedPlan,
  appOf: (bot: number) => string,
): Required<Conversation>[] => {
  const person = clonesOf(db, 'users', templates.person)
  return Array.from({ length: bots * conversationsPerBot }, (_, c) => {
    const appid = appOf(c % bots)
    const sender = `asker-${c}`
    person({ app_id: appid, uid: sender, name: `Person ${sender}` })
    return { sender, receiver: `helper-${c % bots}`, headers: { appid, apikey: `key-of-${appid}` } }
  })
}

/** A row's text for another conversation, in two halves between which the muid goes. */
const halvesOf = (text: string, templates: Templates, { sender, receiver, headers }: Required<Conversation>) => {
  const own = text
    .replaceAll(ASKER, sender)
    .replaceAll(BOT, receiver)
    .replaceAll(JSON.stringify(templates.app.id), JSON.stringify(headers.appid))
  const [before = '', after = ''] = own.split(TEMPLATE_MUID)
  return { before, after }
}

/** Messages of all conversations in turn, as they would have come: a lane's rows lie far apart in the file. */
const seedBacklog = async (
  db: DatabaseSync,
  templates: Templates,
  conversations: readonly Required<Conversation>[],
  { tag, perLane }: NonNullable<SeedPlan['backlog']>,
): Promise<void> => {
  const nowMs = Number(templates.delivery.created_at_ms)
  const nextId = ulidsOf(nowMs)
  const conversation = clonesOf(db, 'conversations', templates.conversation)
  const lane = clonesOf(db, 'lanes', templates.lane)
  const message = clonesOf(db, 'messages', templates.message)
  const delivery = clonesOf(db, 'deliveries', templates.delivery)
  const texts = conversations.map((of, c) => {
    const app_id = String(of.headers.appid)
    const id = `${of.sender}_user_${of.receiver}`
    conversation({ app_id, id, user_a: of.sender, user_b: of.receiver })
    const waiting = { next_sequence: perLane + 1, pending: perLane, due_at_ms: nowMs, lease_id: null, lease_node: null }
    lane({ id: c + 1, app_id, bot_uid: of.receiver, conversation_id: id, ...waiting })
    const data = halvesOf(String(templates.message.data), templates, of).before
    return { app_id, id, data, body: halvesOf(String(templates.delivery.body), templates, of) }
  })
  db.exec('BEGIN')
  for (let row = 0; row < perLane * texts.length; row++) {
    const c = row % texts.length
    const index = Math.floor(row / texts.length)
    const { sender, receiver } = conversations[c] ?? { sender: '', receiver: '' }
    const { app_id = '', id: conversation_id = '', data = '', body = { before: '', after: '' } } = texts[c] ?? {}
    const muid = muidOf(tag, c, index)
    message({ id: row + 1, app_id, conversation_id, sender, receiver, data, muid })
    const text = body.before + muid + body.after
    const place = { lane_id: c + 1, sequence: index + 1, message_id: row + 1 }
    delivery({ id: `dlv_${nextId()}`, app_id, bot_uid: receiver, ...place, body: text })
    if (row % CHUNK === CHUNK - 1) {
      db.exec('COMMIT; BEGIN')
      await breathe()
    }
  }
  db.exec('COMMIT')
}

/** Made once per run. */
export const makeFirstStore = async (bench: Pick<Bench, 'children' | 'startServer'>): Promise<FirstStore> => {
  const dataDir = join(bench.children.directory(), 'data')
  await startFirst(bench, dataDir)
  const db = new DatabaseSync(join(dataDir, STORE_FILE))
  const templates = takeTemplates(db)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  const files = new Map(KEPT_FILES.map((name) => [name, readFileSync(join(dataDir, name))]))
  return { files, templates }
}

export const seedStore = async (bench: Bench, plan: SeedPlan): Promise<Seeded> => {
  const { files, templates } = await bench.firstStore()
  const dataDir = bench.children.directory()
  for (const [name, bytes] of files) writeFileSync(join(dataDir, name), bytes, { mode: 0o600 })
  const db = new DatabaseSync(join(dataDir, STORE_FILE))
  try {
    // A seed that is not finished is thrown away: nothing has to be on disk before its end.
    db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN')
    const { appOf } = seedBots(db, templates, plan)
    const conversations = seedPeople(db, templates, plan, appOf)
    db.exec('COMMIT')
    if (plan.backlog !== undefined) await seedBacklog(db, templates, conversations, plan.backlog)
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    return { dataDir, conversations }
  } finally {
    db.close()
  }
}
