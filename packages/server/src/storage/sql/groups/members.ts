import { type AppId, type ErrorCode, type Guid, type Scope, SYSTEM_UID, type Uid, type User } from '@confab/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Told } from '../../../callbacks/tell.ts'
import { mayAddMembers, mayGiveScope, mayManageMember } from '../../../groups/group.policy.ts'
import type { Actor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { membersShown } from '../../../roles/permission.policy.ts'
import { contains, countOf, oneOf, pageIn, prefix } from '../lists.ts'
import { writeGroupAction } from '../messages/message-rows.ts'
import { holdMemberships } from '../quotas.ts'
import { assertPermitted, scopePermissionsOf } from '../roles/role-rows.ts'
import { read, type Tx, write } from '../seam.ts'
import { SEEN, toSeen, usersSeenBy, viewerOf } from '../users/relation-rows.ts'
import { findUserRow, requireActor, requireAnyUser, type UserRow } from '../users/user-rows.ts'
import {
  assertAllowed,
  assertVisible,
  type GroupRow,
  lockGroup,
  type Membership,
  membershipOf,
  membershipOfActor,
  requireGroup,
  standingOf,
} from './group-rows.ts'
import { setOwner } from './joining.ts'
import { type MemberNews, type MembersChange, tellOfMembers } from './member-news.ts'
import {
  deleteBan,
  insertBan,
  isBanned,
  leaveGroup,
  type MemberChange,
  type MemberKey,
  type MemberOutcome,
  putMember,
  uidsOf,
  updateScope,
} from './member-rows.ts'

/** What every operation on a member has in hand. */
interface Case {
  readonly app: AppId
  readonly group: GroupRow
  readonly by: UserRow | undefined
  readonly key: MemberKey
  readonly membership: Membership | undefined
}

interface MemberInput extends MembersChange {
  readonly uid: Uid
}

const openCase = async (tx: Tx, { actor, guid, uid }: MemberInput): Promise<Case> => {
  const app = actor.appId
  const by = await requireActor(tx, actor)
  const group = await lockGroup(tx, app, guid)
  const membership = await membershipOf(tx, app, guid, uid)
  const isSelf = actor.kind === 'user' && actor.uid === uid
  assertAllowed(mayManageMember(await standingOf(tx, actor, guid), membership?.scope, isSelf))
  return { app, group, by, key: { app, guid, uid }, membership }
}

const requireMembership = ({ membership, key }: Case): Membership => {
  if (membership === undefined) throw new AppError('ERR_NOT_A_MEMBER', { details: { uid: key.uid } })
  return membership
}

const assertNotOwner = (actor: Actor, { group, key }: Case): void => {
  if (actor.kind === 'user' && group.owner === key.uid && key.uid !== SYSTEM_UID) {
    throw new AppError('ERR_GROUP_NO_SCOPE_CLEARANCE', { details: { uid: 'is the owner of the group' } })
  }
}

/** What `ban` forbids is forbidden here too. */
const banForbidden = (actor: Actor, group: GroupRow, { list, uid }: MemberChange): ErrorCode | undefined => {
  if (actor.kind !== 'user' || list !== 'usersToBan') return undefined
  if (actor.uid === uid) return 'ERR_GROUP_NO_SELF_ACTION'
  return group.owner === uid ? 'ERR_GROUP_NO_SCOPE_CLEARANCE' : undefined
}

/** Asked of the rows of the list itself: users are looked up for what is shown, not for every row that a page skips. */
const userMatches = (table: 'members' | 'banned_users', searchKey: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`EXISTS (SELECT 1 FROM users WHERE users.app_id = ${sql.ref(`${table}.app_id`)}
    AND users.uid = ${sql.ref(`${table}.uid`)} AND (${prefix('users.uid', searchKey)} OR ${contains('users.name', searchKey)}))`

const memberIs = (status: 'available' | 'offline'): RawBuilder<SqlBool> =>
  sql<SqlBool>`EXISTS (SELECT 1 FROM users WHERE users.app_id = members.app_id AND users.uid = members.uid
    AND users.online = ${status === 'available' ? 1 : 0})`

/** A group has its owner among its members, or the app for one. Users cannot remove the owner; the app can. */
const leaveOrphanToApp = async (tx: Tx, { app, group, by, key }: Case, now: number): Promise<void> => {
  if (group.owner !== key.uid) return
  await tx.run(setOwner, { app, guid: key.guid, owner: SYSTEM_UID, now, by: by?.uid ?? SYSTEM_UID })
}

export const members = {
  /** Each uid for itself: what fails for one does not fail for the others. */
  add: write(
    async (
      tx,
      input: MembersChange & { changes: readonly MemberChange[] },
    ): Promise<{ outcomes: readonly MemberOutcome[]; told: Told }> => {
      const { actor, appCreatedAt, guid, telling } = input
      const now = toSeconds(telling.nowMs)
      const app = actor.appId
      const by = await requireActor(tx, actor)
      const group = await lockGroup(tx, app, guid)
      assertAllowed(mayAddMembers(await standingOf(tx, actor, guid)))
      await holdMemberships(tx, app, uidsOf(input.changes))
      const outcomes: MemberOutcome[] = []
      const added: UserRow[] = []
      const banned: UserRow[] = []
      let last: { banned?: StoredMessage; added?: StoredMessage } = {}
      for (const change of input.changes) {
        const failure = banForbidden(actor, group, change) ?? (await putMember(tx, app, guid, change, now))
        const on = failure === undefined ? await findUserRow(tx, app, change.uid) : undefined
        const action =
          on &&
          (await writeGroupAction(tx, {
            app,
            appCreatedAt,
            group,
            action: change.list === 'usersToBan' ? 'banned' : 'added',
            by,
            on,
            now,
          }))
        outcomes.push({ ...change, failure, action })
        if (on === undefined || action === undefined) continue
        const isBan = change.list === 'usersToBan'
        const list = isBan ? banned : added
        list.push(on)
        last = { ...last, [isBan ? 'banned' : 'added']: action }
      }
      const news: MemberNews[] = []
      if (last.banned) news.push({ trigger: 'group_member_banned', by, members: banned, action: last.banned })
      if (last.added) news.push({ trigger: 'group_member_added', by, members: added, action: last.added })
      return { outcomes, told: await tellOfMembers(tx, input, news) }
    },
  ),

  list: read(
    async (
      tx,
      input: {
        actor: Actor
        guid: Guid
        scopes?: readonly Scope[]
        searchKey?: string
        status?: 'available' | 'offline'
        page: PageRequest
      },
    ): Promise<Page<User>> => {
      const app = input.actor.appId
      await requireActor(tx, input.actor)
      const group = await requireGroup(tx, app, input.guid)
      await assertVisible(tx, input.actor, group)
      const membership = await membershipOfActor(tx, input.actor, input.guid)
      const allowed = membership && membersShown(scopePermissionsOf(group, membership.scope))
      assertPermitted(allowed?.denial)
      const { scopes = [], searchKey, status, page } = input
      let query = tx.build
        .selectFrom('members')
        .where('members.app_id', '=', app)
        .where('members.guid', '=', input.guid)
      if (allowed?.scopes !== undefined) query = query.where(oneOf('members.scope', allowed.scopes))
      if (scopes.length > 0) query = query.where('members.scope', 'in', [...scopes])
      if (searchKey) query = query.where(userMatches('members', searchKey))
      if (status !== undefined) query = query.where(memberIs(status))
      const isEverybody = allowed?.scopes === undefined && scopes.length === 0 && !searchKey && status === undefined
      const columns = ['members.uid', 'members.scope', 'members.joined_at'] as const
      const chosen = pageIn(query.select(columns).orderBy('members.uid'), page)
      const viewer = viewerOf(input.actor)
      const rows = await tx.query(
        usersSeenBy(tx, app, viewer)
          .innerJoin(chosen.as('page'), (join) => join.onRef('page.uid', '=', 'users.uid'))
          .select([...SEEN, 'page.scope', 'page.joined_at'])
          .orderBy('page.uid')
          .compile(),
      )
      return {
        rows: rows.map(({ scope, joined_at: joinedAt, ...row }) => ({ ...toSeen(viewer, row), scope, joinedAt })),
        total: isEverybody ? group.members_count : await countOf(tx, query),
      }
    },
  ),

  changeScope: write(
    async (
      tx,
      input: MemberInput & { scope: Scope },
    ): Promise<{ joinedAt: number; action: StoredMessage; told: Told }> => {
      const found = await openCase(tx, input)
      const membership = requireMembership(found)
      assertAllowed(mayGiveScope(await standingOf(tx, input.actor, input.guid), input.scope))
      if (input.scope !== 'admin') assertNotOwner(input.actor, found)
      if (membership.scope === input.scope) throw new AppError('ERR_SAME_SCOPE', { details: { scope: input.scope } })
      await tx.run(updateScope, { ...found.key, scope: input.scope })
      const scopes = { old: membership.scope, new: input.scope }
      const changed = await tell(tx, input, found, 'scopeChanged', scopes)
      return { joinedAt: membership.joined_at, ...changed }
    },
  ),

  kick: write(async (tx, input: MemberInput): Promise<MemberChanged> => {
    const found = await openCase(tx, input)
    requireMembership(found)
    assertNotOwner(input.actor, found)
    await leaveGroup(tx, found.key)
    await leaveOrphanToApp(tx, found, toSeconds(input.telling.nowMs))
    return tell(tx, input, found, 'kicked')
  }),

  ban: write(async (tx, input: MemberInput): Promise<MemberChanged> => {
    const found = await openCase(tx, input)
    await requireAnyUser(tx, found.app, input.uid)
    assertNotOwner(input.actor, found)
    if (await isBanned(tx, found.key)) throw new AppError('ERR_ALREADY_BANNED', { details: { uid: input.uid } })
    const now = toSeconds(input.telling.nowMs)
    await leaveGroup(tx, found.key)
    await tx.run(insertBan, { ...found.key, now })
    await leaveOrphanToApp(tx, found, now)
    return tell(tx, input, found, 'banned')
  }),

  unban: write(async (tx, input: MemberInput): Promise<MemberChanged> => {
    const found = await openCase(tx, input)
    await requireAnyUser(tx, found.app, input.uid)
    if ((await tx.run(deleteBan, found.key)) === 0)
      throw new AppError('ERR_NOT_A_BANNED_USER', { details: { uid: input.uid } })
    return tell(tx, input, found, 'unbanned')
  }),

  listBanned: read(
    async (tx, input: { actor: Actor; guid: Guid; searchKey?: string; page: PageRequest }): Promise<Page<User>> => {
      const app = input.actor.appId
      await requireActor(tx, input.actor)
      await assertVisible(tx, input.actor, await requireGroup(tx, app, input.guid))
      const { searchKey, page } = input
      let query = tx.build.selectFrom('banned_users').where('banned_users.app_id', '=', app)
      query = query.where('banned_users.guid', '=', input.guid)
      if (searchKey) query = query.where(userMatches('banned_users', searchKey))
      const found = query.select(['banned_users.uid', 'banned_users.banned_at']).orderBy('banned_users.uid')
      const viewer = viewerOf(input.actor)
      const rows = await tx.query(
        usersSeenBy(tx, app, viewer)
          .innerJoin(pageIn(found, page).as('page'), (join) => join.onRef('page.uid', '=', 'users.uid'))
          .select([...SEEN, 'page.banned_at'])
          .orderBy('page.uid')
          .compile(),
      )
      return {
        rows: rows.map(({ banned_at: bannedAt, ...row }) => ({ ...toSeen(viewer, row), isBanned: true, bannedAt })),
        total: await countOf(tx, query),
      }
    },
  ),
}

export interface MemberChanged {
  readonly action: StoredMessage
  readonly told: Told
}

const TRIGGER_OF = {
  kicked: 'group_member_kicked',
  banned: 'group_member_banned',
  unbanned: 'group_member_unbanned',
  scopeChanged: 'group_member_scope_changed',
} as const

const tell = async (
  tx: Tx,
  input: MemberInput,
  { app, group, by }: Case,
  what: keyof typeof TRIGGER_OF,
  scopes?: { old: Scope; new: Scope },
): Promise<MemberChanged> => {
  const on = await requireAnyUser(tx, app, input.uid)
  const { appCreatedAt, telling } = input
  const now = toSeconds(telling.nowMs)
  const more = scopes && { scopes }
  const action = await writeGroupAction(tx, { app, appCreatedAt, group, action: what, by, on, now, ...more })
  const news = { trigger: TRIGGER_OF[what], by, members: [on], action, ...more }
  return { action, told: await tellOfMembers(tx, input, [news]) }
}
