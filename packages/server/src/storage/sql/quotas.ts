/** How many there may be: limits of the operator that the store counts. 0 is any number, and then nothing is counted. */
import type { AppId, LimitName, Uid } from '@confab/protocol'
import { AppError } from '../../kernel/app-error.ts'
import { statement, type Tx } from './seam.ts'

/** What is limited, as answers call it. */
const nouns = {
  usersPerApp: { field: 'users', per: 'app' },
  groupsPerApp: { field: 'groups', per: 'app' },
  botsPerApp: { field: 'bots', per: 'app' },
  webhooksPerApp: { field: 'webhooks', per: 'app' },
  apiKeysPerApp: { field: 'apikeys', per: 'app' },
  rolesPerApp: { field: 'roles', per: 'app' },
  groupsPerUser: { field: 'groups', per: 'user' },
  friendsPerUser: { field: 'friends', per: 'user' },
} as const satisfies Partial<Record<LimitName, { field: string; per: string }>>

export type Quota = keyof typeof nouns

/** Whether one more is too many, where there are `count` already. */
export const isFull = ({ limits }: Tx, quota: Quota, count: number): boolean =>
  limits[quota] > 0 && count >= limits[quota]

export const quotaReached = ({ limits }: Tx, quota: Quota): AppError => {
  const { field, per } = nouns[quota]
  return new AppError('ERR_PLAN_QUOTA_RESTRICTION', { details: { [field]: `at most ${limits[quota]} per ${per}` } })
}

export const assertQuota = (tx: Tx, quota: Quota, count: number): void => {
  if (isFull(tx, quota, count)) throw quotaReached(tx, quota)
}

/** No more rows are looked at than there may be. */
const countUpTo = (from: string): string => `SELECT count(*) AS n FROM (SELECT 1 FROM ${from} LIMIT :limit) AS few`

const ofApp = {
  usersPerApp: statement<{ app: string; limit: number }, { n: number }>(
    'quotas.users',
    countUpTo('users WHERE app_id = :app'),
  ),
  groupsPerApp: statement<{ app: string; limit: number }, { n: number }>(
    'quotas.groups',
    countUpTo('groups WHERE app_id = :app'),
  ),
}
const lockApp = statement<{ app: string }, { id: string }>(
  'quotas.lock_app',
  'SELECT id FROM apps WHERE id = :app {FOR_UPDATE}',
)

/** Of two that are made at once the second waits here, and counts the first. */
export const assertRoomInApp = async (tx: Tx, app: AppId, quota: keyof typeof ofApp): Promise<void> => {
  const limit = tx.limits[quota]
  if (limit === 0) return
  await tx.first(lockApp, { app })
  assertQuota(tx, quota, (await tx.first(ofApp[quota], { app, limit }))?.n ?? 0)
}

const countGroupsOf = statement<{ app: string; uid: string; limit: number }, { n: number }>(
  'quotas.groups_of_user',
  countUpTo('members WHERE app_id = :app AND uid = :uid'),
)
/** Users are not locked themselves: they are written by every message. SQLite has one writer. */
const lockMemberships = statement<{ key: string }, { locked: null }>(
  'quotas.lock_memberships',
  'SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)) AS locked',
)

/** Whoever adds members calls this first with all of them: in one order, so that nobody waits in a circle. */
export const holdMemberships = async (tx: Tx, app: AppId, uids: readonly Uid[]): Promise<void> => {
  if (tx.dialect === 'sqlite' || tx.limits.groupsPerUser === 0) return
  for (const uid of [...new Set(uids)].sort()) {
    await tx.first(lockMemberships, { key: JSON.stringify(['memberships', app, uid]) })
  }
}

export const hasAllGroups = async (tx: Tx, app: AppId, uid: Uid): Promise<boolean> => {
  const limit = tx.limits.groupsPerUser
  return limit > 0 && isFull(tx, 'groupsPerUser', (await tx.first(countGroupsOf, { app, uid, limit }))?.n ?? 0)
}
