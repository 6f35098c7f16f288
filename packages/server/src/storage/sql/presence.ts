/**
 * Who is online. A user is, while some node holds a session of theirs: each such node has one row for them, and their own
 * row says whether there is any. What a node says counts until the time that it last renewed.
 */
import type { AppId, Guid, Uid, User } from '@confab/protocol'
import { read, statement, type Tx, write } from './seam.ts'
import { findActive, findUserRow, lockUser, toUser } from './user-rows.ts'

type OfUser = { app: AppId; uid: Uid }

const insertPresence = statement<OfUser & { node: string }>(
  'presences.insert',
  `INSERT INTO presences (app_id, uid, node_id) VALUES (:app, :uid, :node)
   ON CONFLICT (app_id, uid, node_id) DO NOTHING`,
)
const deletePresence = statement<OfUser & { node: string }>(
  'presences.delete',
  'DELETE FROM presences WHERE app_id = :app AND uid = :uid AND node_id = :node',
)
const otherPresence = statement<OfUser, { node_id: string }>(
  'presences.any',
  'SELECT node_id FROM presences WHERE app_id = :app AND uid = :uid LIMIT 1',
)
const setOnline = statement<OfUser & { online: number; now: number }>(
  'users.set_online',
  'UPDATE users SET online = :online, last_active_at = :now WHERE app_id = :app AND uid = :uid',
)
const renewNode = statement<{ id: string; untilMs: number }>(
  'nodes.renew',
  `INSERT INTO nodes (id, until_ms) VALUES (:id, :untilMs)
   ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms`,
)
const findNode = statement<{ id: string }, { id: string }>('nodes.find', 'SELECT id FROM nodes WHERE id = :id')
const deleteNode = statement<{ id: string }>('nodes.delete', 'DELETE FROM nodes WHERE id = :id')
/** Of nodes that have gone: those whose time is over, and those that nobody knows. */
const ofGoneNodes = statement<
  { nowMs: number; but: string; limit: number },
  { app_id: AppId; uid: Uid; node_id: string }
>(
  'presences.of_gone_nodes',
  `SELECT presences.app_id, presences.uid, presences.node_id FROM presences
   LEFT JOIN nodes ON nodes.id = presences.node_id
   WHERE presences.node_id <> :but AND (nodes.id IS NULL OR nodes.until_ms < :nowMs) LIMIT :limit`,
)
const goneNodes = statement<{ nowMs: number; but: string }, { id: string }>(
  'nodes.gone',
  `SELECT id FROM nodes WHERE until_ms < :nowMs AND id <> :but
   AND NOT EXISTS (SELECT 1 FROM presences WHERE presences.node_id = nodes.id)`,
)
const countOnline = statement<{ app: string }, { n: number }>(
  'users.count_online',
  'SELECT count(*) AS n FROM users WHERE app_id = :app AND online = 1',
)
const countOnlineMembers = statement<{ app: string; guid: string }, { n: number }>(
  'members.count_online',
  `SELECT count(*) AS n FROM users WHERE users.app_id = :app AND users.online = 1
   AND EXISTS (SELECT 1 FROM members WHERE members.app_id = users.app_id AND members.guid = :guid AND members.uid = users.uid)`,
)

interface OnNode {
  readonly appId: AppId
  readonly uid: Uid
  readonly node: string
  readonly now: number
}

export interface PresenceChange {
  readonly appId: AppId
  readonly user: User
}

/** Answers the user if they were there until now. */
const leave = async (tx: Tx, { appId: app, uid, node, now }: OnNode): Promise<User | undefined> => {
  if (tx.dialect === 'postgres') await tx.first(lockUser, { app, uid })
  if ((await tx.run(deletePresence, { app, uid, node })) === 0) return undefined
  if ((await tx.first(otherPresence, { app, uid })) !== undefined) return undefined
  await tx.run(setOnline, { app, uid, online: 0, now })
  const row = await findUserRow(tx, app, uid)
  return row && toUser(row)
}

export const presence = {
  /** The first session of a user on a node. Answers the user if they were on no other; nothing if they have gone for good. */
  enter: write(async (tx, { appId: app, uid, node, now }: OnNode): Promise<User | undefined> => {
    if (tx.dialect === 'postgres') await tx.first(lockUser, { app, uid })
    const row = await findActive(tx, app, uid)
    if (row === undefined) return undefined
    await tx.run(insertPresence, { app, uid, node })
    if (row.online === 1) return undefined
    await tx.run(setOnline, { app, uid, online: 1, now })
    return toUser({ ...row, online: 1, last_active_at: now })
  }),

  /** The last session of a user on a node has ended. Answers the user if they are on no other. */
  leave: write(leave),

  /** Says until when a node is to be believed, in ms. Answers false if it was taken for gone. */
  renew: write(async (tx, input: { node: string; untilMs: number; isNew: boolean }): Promise<boolean> => {
    const { node: id, untilMs, isNew } = input
    const wasKnown = isNew || (await tx.first(findNode, { id })) !== undefined
    await tx.run(renewNode, { id, untilMs })
    return wasKnown
  }),

  /** Whoever was on nodes that have gone is there no more; at most `limit` at a time, which is the answer's length then. */
  sweep: write(
    async (
      tx,
      input: { nowMs: number; now: number; but: string; limit: number },
    ): Promise<{ seen: number; gone: readonly PresenceChange[] }> => {
      const { nowMs, now, but, limit } = input
      const rows = await tx.all(ofGoneNodes, { nowMs, but, limit })
      const gone: PresenceChange[] = []
      for (const { app_id: appId, uid, node_id: node } of rows) {
        const user = await leave(tx, { appId, uid, node, now })
        if (user !== undefined) gone.push({ appId, user })
      }
      for (const { id } of await tx.all(goneNodes, { nowMs, but })) await tx.run(deleteNode, { id })
      return { seen: rows.length, gone }
    },
  ),

  /** How many users of the app are online, and how many members of each group that exists. */
  count: read(
    async (
      tx,
      { appId: app, guids }: { appId: AppId; guids: readonly Guid[] },
    ): Promise<{ users: number; groups: Readonly<Record<string, number>> }> => {
      const groups: [string, number][] = []
      for (const guid of guids) groups.push([guid, (await tx.first(countOnlineMembers, { app, guid }))?.n ?? 0])
      return { users: (await tx.first(countOnline, { app }))?.n ?? 0, groups: Object.fromEntries(groups) }
    },
  ),
}
