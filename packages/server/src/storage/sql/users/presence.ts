/**
 * Who is online. A user is, while some node holds a session of theirs: each such node has one row for them, and their own
 * row says whether there is any. What a node says counts until the time that it last renewed.
 */
import type { AppId, Guid, Uid, User } from '@confab/protocol'
import { nobodyTold, type Telling, type Told, userKey } from '../../../callbacks/tell.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { userEntity } from '../../../users/user.ts'
import { tellWebhooks } from '../delivery/announce.ts'
import { read, statement, type Tx, write } from '../seam.ts'
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
  readonly telling: Telling
}

/** Who has come or gone by it, if somebody has. */
export interface PresenceChange {
  readonly appId: AppId
  readonly user: User | undefined
  readonly told: Told
}

const tell = (tx: Tx, { appId: app, telling }: OnNode, user: User): Promise<Told> => {
  const isOnline = user.status === 'available'
  const { platform } = JSON.parse(telling.origin) as { platform: string }
  const data = (): string =>
    JSON.stringify({
      timestamp: telling.nowMs,
      user: userEntity(user),
      status: isOnline ? 'online' : 'offline',
      currentConnection: { action: isOnline ? 'connected' : 'disconnected', platform, connectedAt: telling.nowMs },
      userPresenceChanged: true,
    })
  const triggers = ['user_connection_status_changed', 'user_connection_status_change'] as const
  const what = triggers.map((trigger) => ({ trigger, data }))
  return tellWebhooks(tx, telling, { app, key: userKey(user.uid as Uid), what })
}

const leave = async (tx: Tx, input: OnNode): Promise<PresenceChange> => {
  const { appId, uid, node, telling } = input
  const key = { app: appId, uid }
  const nobody = { appId, user: undefined, told: nobodyTold }
  if (tx.dialect === 'postgres') await tx.first(lockUser, key)
  if ((await tx.run(deletePresence, { ...key, node })) === 0) return nobody
  if ((await tx.first(otherPresence, key)) !== undefined) return nobody
  await tx.run(setOnline, { ...key, online: 0, now: toSeconds(telling.nowMs) })
  const row = await findUserRow(tx, appId, uid)
  if (row === undefined) return nobody
  const user = toUser(row)
  return { appId, user, told: await tell(tx, input, user) }
}

export const presence = {
  /** The first session of a user on a node. */
  enter: write(async (tx, input: OnNode): Promise<PresenceChange> => {
    const { appId, uid, node, telling } = input
    const key = { app: appId, uid }
    const now = toSeconds(telling.nowMs)
    if (tx.dialect === 'postgres') await tx.first(lockUser, key)
    const row = await findActive(tx, appId, uid)
    if (row !== undefined) await tx.run(insertPresence, { ...key, node })
    if (row === undefined || row.online === 1) return { appId, user: undefined, told: nobodyTold }
    await tx.run(setOnline, { ...key, online: 1, now })
    const user = toUser({ ...row, online: 1, last_active_at: now })
    return { appId, user, told: await tell(tx, input, user) }
  }),

  /** The last session of a user on a node has ended. */
  leave: write(leave),

  /** Says until when a node is to be believed, in ms. Answers false if it was taken for gone. */
  renew: write(async (tx, input: { node: string; untilMs: number; isNew: boolean }): Promise<boolean> => {
    const { node: id, untilMs, isNew } = input
    const wasKnown = isNew || (await tx.first(findNode, { id })) !== undefined
    await tx.run(renewNode, { id, untilMs })
    return wasKnown
  }),

  /** Whoever was on nodes that have gone is there no more: at most `limit` at a time, one transaction each. */
  gone: read(
    async (
      tx,
      { nowMs, but, limit }: { nowMs: number; but: string; limit: number },
    ): Promise<readonly { appId: AppId; uid: Uid; node: string }[]> => {
      const rows = await tx.all(ofGoneNodes, { nowMs, but, limit })
      return rows.map((row) => ({ appId: row.app_id, uid: row.uid, node: row.node_id }))
    },
  ),

  /** Forgets the nodes that have gone and have nobody any more. */
  forgetNodes: write(async (tx, input: { nowMs: number; but: string }): Promise<void> => {
    for (const { id } of await tx.all(goneNodes, input)) await tx.run(deleteNode, { id })
  }),

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
