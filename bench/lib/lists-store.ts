/**
 * A store of a size that is asked for, filled by SQL that both engines understand: rows are cloned from those that the
 * server itself wrote, so they are what the present schema wants. What the measured users have (`calm`, `busy`, the big
 * thread, the message with many reactions) is the same in a small and in a large store.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type OpenSql, openSql } from '../../packages/server/src/testing/open-sql.ts'
import type { Bench, ListsScale } from './phase.ts'
import type { ServerUnderTest } from './server-under-test.ts'

type Where = { readonly dataDir: string } | { readonly databaseUrl: string }

export interface ListsStore {
  readonly where: Where
  readonly headers: Readonly<Record<string, string>>
  /** A message with many replies, and one with many reactions. */
  readonly rootId: number
  readonly reactedId: number
  /** A root in the middle of all threads. */
  readonly middleRootId: number
  /** In the middle of everything, and when it was sent. */
  readonly middleId: number
  readonly middleSentAt: number
}

type Size = ListsScale['small']

const REPLIES = 300
const REACTIONS = 500
const CALM = 30
const CHUNK = 250_000
/** The time that the messages of a store cover. */
const SPAN_S = 30 * 86_400

const TEMPLATES = {
  users: "uid = 'template'",
  groups: "guid = 'g'",
  members: "uid = 'template'",
  conversations: "id = 'calm_user_template'",
  messages: 'id = 1',
} as const

/** One of everything, by the server itself. */
const writeTemplates = async (server: ServerUnderTest): Promise<void> => {
  for (const uid of ['calm', 'busy', 'template']) await server.call('POST', '/users', { uid, name: `Person ${uid}` })
  const participants = ['calm', 'busy', 'template']
  const data = { text: 'A message as people write them, neither short nor long.' }
  const said = async (receiver: string, receiverType: string): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/v3/messages`, {
      method: 'POST',
      headers: { ...server.headers, onbehalfof: 'calm', 'content-type': 'application/json' },
      body: JSON.stringify({ receiver, receiverType, data }),
    })
    if (!answer.ok) throw new Error(`the first message was refused: ${await answer.text()}`)
  }
  await said('template', 'user')
  await server.call('POST', '/groups', { guid: 'g', name: 'Group', type: 'public', members: { participants } })
  await said('g', 'group')
}

/** Rows from `from` to before `to`, as `i`, each a clone of the template but for what is changed. */
const clone = async (
  db: OpenSql,
  table: keyof typeof TEMPLATES,
  changes: Readonly<Record<string, string>>,
  [from, to]: readonly [number, number],
): Promise<void> => {
  const [template] = await db.all(`SELECT * FROM ${table} WHERE ${TEMPLATES[table]}`)
  if (template === undefined) throw new Error(`there is no template in ${table}`)
  const names = Object.keys(template).filter((name) => !(table === 'messages' && name === 'id'))
  const values = names.map((name) => changes[name] ?? `t.${name}`)
  for (let start = from; start < to; start += CHUNK) {
    const end = Math.min(start + CHUNK, to)
    await db.run(
      `INSERT INTO ${table} (${names.join(', ')})
       WITH RECURSIVE n(i) AS (SELECT CAST(${start} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${end})
       SELECT ${values.join(', ')} FROM n CROSS JOIN ${table} AS t WHERE t.${TEMPLATES[table]} ORDER BY i`,
    )
  }
}

/** Every tenth message is said in the group; the others go round the conversations. */
const place = (conversations: number): Record<'isInGroup' | 'k', string> => ({
  isInGroup: '(i % 10 = 0)',
  k: `((i * 7) % ${conversations})`,
})

const partnersOf = (k: string, { calm, busy, users }: { calm: number; busy: number; users: number }) => ({
  a: `CASE WHEN ${k} < ${calm} THEN 'calm' WHEN ${k} < ${calm + busy} THEN 'busy' ELSE 'u' || (${k} % ${users}) END`,
  b: `CASE WHEN ${k} < ${calm} THEN 'u' || ${k} WHEN ${k} < ${calm + busy} THEN 'u' || (${k} - ${calm}) ELSE 'u' || ((${k} * 31 + 7) % ${users}) END`,
  id: `CASE WHEN ${k} < ${calm} THEN 'calm_user_u' || ${k} WHEN ${k} < ${calm + busy} THEN 'busy_user_u' || (${k} - ${calm}) ELSE 'others_' || ${k} END`,
})

const fill = async (db: OpenSql, size: Size, busyHas: number): Promise<Omit<ListsStore, 'where' | 'headers'>> => {
  const calm = CALM - 1
  const busy = busyHas - 1
  const users = Math.max(size.users, size.members, busyHas)
  const conversations = size.conversations + calm + busy
  const [now] = await db.all('SELECT max(sent_at) AS at, max(id) AS id FROM messages')
  const first = Number(now?.id) + 1
  const start = Number(now?.at) - SPAN_S
  const sentAt = (i: string): string => `${start} + (CAST(${i} AS BIGINT) * ${SPAN_S}) / ${size.messages}`
  await clone(db, 'users', { uid: "'u' || i", name: "'Person ' || i", created_at: String(start) }, [0, users])
  await clone(db, 'members', { uid: "'u' || i" }, [0, size.members])
  await db.run(`UPDATE groups SET members_count = (SELECT count(*) FROM members WHERE guid = 'g') WHERE guid = 'g'`)
  const { isInGroup, k } = place(conversations)
  const { a, b, id } = partnersOf('i', { calm, busy, users })
  await clone(db, 'conversations', { id, user_a: a, user_b: b, updated_at: `${start} + i` }, [0, conversations])
  const one = partnersOf(k, { calm, busy, users })
  const other = (one1: string, two: string) => `CASE WHEN i % 2 = 0 THEN ${one1} ELSE ${two} END`
  // Of the group's messages some are roots of threads, some have reactions, some are replies.
  const isRoot = `${isInGroup} AND i % 100 = 0 AND i + 10 < ${size.messages}`
  await clone(
    db,
    'messages',
    {
      conversation_id: `CASE WHEN ${isInGroup} THEN 'group_g' ELSE ${one.id} END`,
      sender: `CASE WHEN ${isInGroup} THEN 'u' || ((i / 10) % ${Math.min(size.members, 100)}) ELSE ${other(one.a, one.b)} END`,
      receiver_type: `CASE WHEN ${isInGroup} THEN 'group' ELSE 'user' END`,
      receiver: `CASE WHEN ${isInGroup} THEN 'g' ELSE ${other(one.b, one.a)} END`,
      type: `CASE WHEN (i / 10) % 7 = 3 THEN 'image' ELSE 'text' END`,
      reactions: `CASE WHEN ${isInGroup} AND i % 50 = 0 THEN '[{"reaction":"ok","count":1}]' END`,
      parent_id: `CASE WHEN ${isInGroup} AND i % 100 = 10 THEN ${first} + i - 10 END`,
      reply_count: `CASE WHEN ${isRoot} THEN 1 ELSE 0 END`,
      last_reply_id: `CASE WHEN ${isRoot} THEN ${first} + i + 10 END`,
      sent_at: sentAt('i'),
      updated_at: sentAt('i'),
    },
    [0, size.messages],
  )
  const middle = first + Math.floor(size.messages / 2)
  // The big thread hangs on a message of the group in the middle, the many reactions on the newest of the group.
  const rootId = middle - ((middle - first) % 10)
  const inGroup = { conversation_id: "'group_g'", receiver_type: "'group'", receiver: "'g'", sender: "'u1'" }
  const lastAt = sentAt(String(size.messages - 1))
  const times = { sent_at: lastAt, updated_at: lastAt }
  await clone(db, 'messages', { ...inGroup, ...times, parent_id: String(rootId) }, [0, REPLIES])
  const lastReply = first + size.messages + REPLIES - 1
  await db.run(`UPDATE messages SET reply_count = ${REPLIES}, last_reply_id = ${lastReply} WHERE id = ${rootId}`)
  const reactedId = first + Math.floor((size.messages - 1) / 10) * 10
  await db.run(`INSERT INTO reactions (app_id, message_id, reaction, uid, reacted_at)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${REACTIONS})
    SELECT messages.app_id, messages.id, 'r' || (i % 20), 'u' || (i / 20), ${start}
    FROM n CROSS JOIN messages WHERE messages.id = ${reactedId}`)
  // Who takes part has read all but the last tenth of a percent; every tenth conversation of the measured users is unread.
  const read = first + Math.floor(size.messages * 0.999)
  await db.run(`INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id, hidden_id)
    SELECT app_id, 'group_g', uid, ${lastReply - REPLIES - 100}, ${lastReply}, 0 FROM members WHERE guid = 'g'
    ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET read_id = excluded.read_id`)
  await db.run(`INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id, hidden_id)
    SELECT app_id, id, user_a, CASE WHEN user_b LIKE '%0' THEN ${read} ELSE ${lastReply} END, ${lastReply}, 0
    FROM conversations WHERE user_a IN ('calm', 'busy')
    ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET read_id = excluded.read_id`)
  return {
    rootId,
    reactedId,
    middleRootId: first + Math.floor(size.messages / 200) * 100 - 100,
    middleId: middle,
    middleSentAt: start + Math.floor(SPAN_S / 2),
  }
}

/** What was written goes to its place now, not while somebody measures. */
const settle = async (db: OpenSql, where: Where): Promise<void> => {
  if ('databaseUrl' in where) {
    // An operator's PostgreSQL does the first by itself; the embedded store never does.
    await db.run('VACUUM ANALYZE')
    await db.run('CHECKPOINT')
    return
  }
  await db.run('PRAGMA wal_checkpoint(TRUNCATE)')
  const file = await open(join(where.dataDir, 'confab.sqlite'))
  await file.sync().finally(() => file.close())
}

/** @param databaseUrl unset: the embedded store */
export const makeListsStore = async (
  bench: Bench,
  size: Size,
  { busy, databaseUrl }: { busy: number; databaseUrl?: string },
): Promise<ListsStore> => {
  const where = databaseUrl === undefined ? { dataDir: join(bench.children.directory(), 'data') } : { databaseUrl }
  const first = await bench.startServer(where)
  await writeTemplates(first)
  await first.stop()
  const db = await openSql(where)
  try {
    const filled = await fill(db, size, busy)
    await settle(db, where)
    return { ...filled, where, headers: first.headers }
  } finally {
    await db.close()
  }
}
