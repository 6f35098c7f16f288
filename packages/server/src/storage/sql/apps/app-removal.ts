/**
 * An app goes in small steps, and after a crash in those that are left: first what opens it, then what works for it, then
 * what it has. Its own row is the last, and goes only when nothing else is left; so whoever finds the row can go on.
 */
import type { AppId, DeliveryId } from '@confab/protocol'
import type { FileKey } from '../messages/files.ts'
import { removeForGood } from '../messages/messages.ts'
import type { Schema } from '../schema.ts'
import { read, type Statement, statement, type Tx, write } from '../seam.ts'

type Table = keyof Schema

/**
 * How the rows of every table go with their app: by the columns that name a row, with the rows of another table, in a way of
 * their own, or not at all. In the order of removal; a table that is missing here does not compile.
 */
const going = {
  api_keys: ['key'],
  auth_tokens: ['token'],
  bots: ['app_id', 'uid'],
  consumers: ['app_id', 'bot_uid'],
  deliveries: 'own',
  attempts: 'deliveries',
  lanes: ['id'],
  messages: 'own',
  interactions: 'messages',
  message_files: 'messages',
  reactions: ['id'],
  saved_messages: ['app_id', 'uid', 'message_id'],
  thread_followers: ['app_id', 'uid', 'root_id'],
  message_flags: ['message_id', 'uid'],
  receipts: ['app_id', 'conversation_id', 'uid', 'kind', 'up_to_id'],
  user_conversations: ['app_id', 'conversation_id', 'uid'],
  call_participants: ['app_id', 'session_id', 'uid'],
  calls: ['app_id', 'session_id'],
  conversations: ['app_id', 'id'],
  members: ['app_id', 'guid', 'uid'],
  banned_users: ['app_id', 'guid', 'uid'],
  groups: ['app_id', 'guid'],
  friends: ['app_id', 'uid', 'friend_uid'],
  blocked_users: ['app_id', 'uid', 'blocked_uid'],
  presences: ['app_id', 'uid', 'node_id'],
  users: ['app_id', 'uid'],
  roles: ['app_id', 'role'],
  files: 'own',
  audit_log: ['id'],
  apps: 'own',
  master_keys: 'none',
  nodes: 'none',
} as const satisfies Record<Table, readonly string[] | Table | 'own' | 'none'>

type Step = { app: string; limit: number }

const CREDENTIALS: ReadonlySet<string> = new Set(['api_keys', 'auth_tokens'])

const removals: readonly (readonly [string, Statement<Step, never>])[] = Object.entries(going).flatMap(
  ([table, columns]) => {
    if (typeof columns === 'string') return []
    const names = columns.join(', ')
    const sql = `DELETE FROM ${table} WHERE (${names}) IN (SELECT ${names} FROM ${table} WHERE app_id = :app LIMIT :limit)`
    return [[table, statement<Step>(`app_removal.${table}`, sql)] as const]
  },
)

const someDeliveries = statement<Step, { id: DeliveryId }>(
  'app_removal.some_deliveries',
  'SELECT id FROM deliveries WHERE app_id = :app LIMIT :limit',
)
const someMessages = statement<Step, { id: number }>(
  'app_removal.some_messages',
  'SELECT id FROM messages WHERE app_id = :app LIMIT :limit',
)
const expireFiles = statement<Step & { now: number }>(
  'app_removal.expire_files',
  `UPDATE files SET expires_at = :now WHERE id IN (
     SELECT id FROM files WHERE app_id = :app AND (expires_at IS NULL OR expires_at > :now) LIMIT :limit)`,
)
const someFiles = statement<Step, { id: string }>(
  'app_removal.some_files',
  'SELECT id FROM files WHERE app_id = :app LIMIT :limit',
)
const deleteApp = statement<{ app: string }>('app_removal.app', 'DELETE FROM apps WHERE id = :app')

const removeDeliveries = async (tx: Tx, step: Step): Promise<number> => {
  const ids = (await tx.all(someDeliveries, step)).map(({ id }) => id)
  if (ids.length === 0) return 0
  // In this order: an attempt that is being recorded meanwhile is there by then, or finds nothing to belong to.
  await tx.query(tx.build.deleteFrom('deliveries').where('id', 'in', ids).compile())
  await tx.query(tx.build.deleteFrom('attempts').where('delivery_id', 'in', ids).compile())
  return ids.length
}

const removeMessages = async (tx: Tx, step: Step, now: number): Promise<number> => {
  const ids = (await tx.all(someMessages, step)).map(({ id }) => id)
  await removeForGood(tx, ids, now)
  return ids.length
}

interface Sweep {
  readonly appId: AppId
  readonly limit: number
  readonly now: number
}

const sweepOne = async (
  tx: Tx,
  { appId: app, limit, now }: Sweep,
  part: 'credentials' | 'content',
): Promise<boolean> => {
  const step = { app, limit }
  for (const [table, removal] of removals) {
    if (part === 'credentials' && !CREDENTIALS.has(table)) continue
    if ((await tx.run(removal, step)) > 0) return true
    // The bots are gone by now: nothing new comes of what is removed here.
    if (table === 'consumers' && (await removeDeliveries(tx, step)) > 0) return true
    if (table === 'lanes' && (await removeMessages(tx, step, now)) > 0) return true
  }
  return part === 'content' && (await tx.run(expireFiles, { ...step, now })) > 0
}

export const appRemoval = {
  /** One step; answers whether anything went. `credentials`: only what opens the app. */
  step: write((tx, { part, ...input }: Sweep & { part: 'credentials' | 'content' }) => sweepOne(tx, input, part)),

  /** Those whose bytes are still to go, and then their rows: `files.forget`. */
  files: read(async (tx, { appId, limit }: { appId: AppId; limit: number }): Promise<readonly FileKey[]> => {
    const rows = await tx.all(someFiles, { app: appId, limit })
    return rows.map(({ id }) => ({ appId, id }))
  }),

  /** The app itself, if nothing else is left; else another step, and false. */
  finish: write(async (tx, input: Sweep): Promise<boolean> => {
    if (await sweepOne(tx, input, 'content')) return false
    if ((await tx.all(someFiles, { app: input.appId, limit: 1 })).length > 0) return false
    await tx.run(deleteApp, { app: input.appId })
    return true
  }),
}
