import {
  type Affix,
  type AppId,
  type Group,
  type GroupType,
  type Guid,
  groupConversationId,
  SYSTEM_UID,
  type Uid,
  type User,
} from '@confab/protocol'
import { sql } from 'kysely'
import type { Telling, Told } from '../../../callbacks/tell.ts'
import { mayDeleteGroup, mayUpdateGroup } from '../../../groups/group.policy.ts'
import { noPassword } from '../../../groups/no-password.ts'
import { type Actor, actorUid, type UserActor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { groupsShown, mayCreateGroup } from '../../../roles/permission.policy.ts'
import { userEntity } from '../../../users/user.ts'
import { dropConversation } from '../conversations/conversation-rows.ts'
import { announce, type OneNews } from '../delivery/announce.ts'
import { contains, countOf, holdsOneOf, oneOf, pageByTime, pageOf, prefix, type TimeOrder } from '../lists.ts'
import { assertRoomInApp } from '../quotas.ts'
import { assertPermitted, rightsOf } from '../roles/role-rows.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireActor, requireUser, toUser } from '../users/user-rows.ts'
import {
  assertAllowed,
  assertVisible,
  groupEntity,
  lockGroup,
  membershipOf,
  membershipOfActor,
  requireGroup,
  standingOf,
  toGroup,
} from './group-rows.ts'
import { type MemberChange, type MemberOutcome, putMembers, refusalOf } from './member-rows.ts'

const insertGroup = statement<{
  app: string
  guid: string
  name: string
  type: string
  passwordHash: string | null
  icon: string | null
  description: string | null
  metadata: string | null
  tags: string | null
  owner: string
  now: number
}>(
  'groups.insert',
  `INSERT INTO groups (app_id, guid, name, type, password_hash, icon, description, metadata, tags, owner, members_count, created_at)
   VALUES (:app, :guid, :name, :type, :passwordHash, :icon, :description, :metadata, :tags, :owner, 0, :now)
   ON CONFLICT (app_id, guid) DO NOTHING`,
)
const deleteGroup = statement<{ app: string; guid: string }>(
  'groups.delete',
  'DELETE FROM groups WHERE app_id = :app AND guid = :guid',
)
const deleteMembers = statement<{ app: string; guid: string }>(
  'groups.delete_members',
  'DELETE FROM members WHERE app_id = :app AND guid = :guid',
)
const deleteBans = statement<{ app: string; guid: string }>(
  'groups.delete_bans',
  'DELETE FROM banned_users WHERE app_id = :app AND guid = :guid',
)

/** Profile fields as they are stored; JSON fields as text. */
export interface GroupProfile {
  readonly name: string
  readonly type: GroupType
  readonly passwordHash: string | null
  readonly icon: string | null
  readonly description: string | null
  readonly metadata: string | null
  readonly tags: string | null
}

const LAST_CHANGE = sql<number>`coalesce(groups.updated_at, groups.created_at)`

export interface GroupFilter {
  readonly searchKey?: string
  readonly searchIn?: readonly string[]
  readonly types?: readonly string[]
  readonly tags?: readonly string[]
  readonly hasJoined: boolean
  /** Those whose last change was before or after a time. */
  readonly updatedAt?: { readonly affix: Affix; readonly at: number }
  /** In the order of their last change, in place of `sortBy`. */
  readonly byTime?: TimeOrder
  readonly sortBy: 'name' | 'guid' | 'created_at'
  readonly descending: boolean
}

const groupsOf = (tx: Tx, { appId, uid }: UserActor) =>
  tx.build.selectFrom('members as own').select('own.guid').where('own.app_id', '=', appId).where('own.uid', '=', uid)

export const groups = {
  /** Creates the group; its owner joins as admin, then the members, whose failures do not fail the group. */
  create: write(
    async (
      tx,
      input: GroupProfile & {
        actor: Actor
        guid: Guid
        owner: Uid | undefined
        members: readonly MemberChange[]
        telling: Telling
      },
    ): Promise<{ group: Group; outcomes: readonly MemberOutcome[]; joined: readonly Uid[]; told: Told }> => {
      const { actor, guid, owner = actorUid(actor), members, telling, ...profile } = input
      const now = toSeconds(telling.nowMs)
      const app = actor.appId
      const by = await requireActor(tx, actor)
      if (by !== undefined) assertPermitted(mayCreateGroup(await rightsOf(tx, app, by), profile.type))
      if (owner !== SYSTEM_UID) await requireUser(tx, app, owner, 'owner')
      await assertRoomInApp(tx, app, 'groupsPerApp')
      if ((await tx.run(insertGroup, { app, guid, owner, now, ...profile })) === 0) {
        throw new AppError('ERR_GUID_ALREADY_EXISTS', { details: { guid } })
      }
      const owners: MemberChange[] = owner === SYSTEM_UID ? [] : [{ list: 'admins', uid: owner }]
      await putOwner(tx, { app, guid, changes: owners, now })
      const isOwner = ({ uid }: MemberChange): boolean => owners.some((one) => one.uid === uid)
      const others = members.filter((member) => !isOwner(member))
      const put = await putMembers(tx, { app, guid, changes: others, now })
      const outcomes = [...members.filter(isOwner).map(outcomeOfOwner), ...put]
      const group = toGroup(await requireGroup(tx, app, guid), await membershipOfActor(tx, actor, guid))
      const joined = [...owners, ...put.filter((one) => one.failure === undefined && one.list !== 'usersToBan')]
      const data = async (): Promise<string> => {
        const shown: Record<string, User> = {}
        for (const { uid } of joined) shown[uid] = userEntity(toUser(await requireUser(tx, app, uid)))
        return JSON.stringify({ group: groupEntity(await requireGroup(tx, app, guid)), members: shown })
      }
      const told = await tellOf(tx, { app, guid, telling }, [{ trigger: 'group_created', data }])
      return { group, outcomes, joined: joined.map(({ uid }) => uid), told }
    },
  ),

  find: read(async (tx, { actor, guid }: { actor: Actor; guid: Guid }): Promise<Group> => {
    await requireActor(tx, actor)
    const group = await requireGroup(tx, actor.appId, guid)
    await assertVisible(tx, actor, group)
    return toGroup(group, await membershipOfActor(tx, actor, guid))
  }),

  list: read(
    async (
      tx,
      { actor, filter, page }: { actor: Actor; filter: GroupFilter; page: PageRequest },
    ): Promise<Page<Group>> => {
      const by = await requireActor(tx, actor)
      const allowed = by && groupsShown(await rightsOf(tx, actor.appId, by))
      assertPermitted(allowed?.denial)
      const uid = actor.kind === 'user' ? actor.uid : SYSTEM_UID
      let query = tx.build
        .selectFrom('groups')
        .leftJoin('members', (join) =>
          join
            .onRef('members.app_id', '=', 'groups.app_id')
            .onRef('members.guid', '=', 'groups.guid')
            .on('members.uid', '=', uid),
        )
        .where('groups.app_id', '=', actor.appId)
      if (filter.hasJoined && actor.kind === 'user') query = query.where('groups.guid', 'in', groupsOf(tx, actor))
      // A private group is found by its members only.
      if (actor.kind === 'user') {
        query = query.where((eb) => eb.or([eb('groups.type', '!=', 'private'), eb('members.uid', 'is not', null)]))
      }
      if (allowed?.types !== undefined) query = query.where(oneOf('groups.type', allowed.types))
      if (filter.types?.length) query = query.where('groups.type', 'in', filter.types as GroupType[])
      if (filter.tags?.length) query = query.where(holdsOneOf('groups.tags', filter.tags))
      const { searchKey, searchIn = ['guid', 'name'] } = filter
      if (searchKey) {
        query = query.where((eb) =>
          eb.or(
            searchIn.map((c) => (c === 'guid' ? prefix('groups.guid', searchKey) : contains('groups.name', searchKey))),
          ),
        )
      }
      const { byTime, updatedAt } = filter
      if (updatedAt !== undefined) {
        query = query.where(LAST_CHANGE, updatedAt.affix === 'append' ? '>' : '<', updatedAt.at)
      }
      const all = query.selectAll('groups').select(['members.scope', 'members.joined_at'])
      const rows =
        byTime === undefined
          ? await pageOf(
              tx,
              all.orderBy(`groups.${filter.sortBy}`, filter.descending ? 'desc' : 'asc').orderBy('groups.guid'),
              page,
            )
          : await pageByTime(tx, all, { time: LAST_CHANGE, id: 'groups.guid' }, { ...byTime, ...page })
      return {
        rows: rows.map(({ scope, joined_at, ...row }) =>
          toGroup(row, scope === null || joined_at === null ? undefined : { scope, joined_at }),
        ),
        total: await countOf(tx, query),
      }
    },
  ),

  /**
   * A new owner is the app's to name: from a user it is ignored, or a moderator could make themself admin. Only a group
   * of type `password` keeps a password: whoever gives it that type again is to know which it has.
   */
  update: write(
    async (
      tx,
      input: Partial<GroupProfile> & { actor: Actor; guid: Guid; owner?: Uid; telling: Telling },
    ): Promise<{ group: Group; told: Told }> => {
      const { actor, guid, telling, owner: named, passwordHash: given, ...profile } = input
      const now = toSeconds(telling.nowMs)
      const owner = actor.kind === 'app' ? named : undefined
      const app = actor.appId
      await requireActor(tx, actor)
      const before = await lockGroup(tx, app, guid)
      assertAllowed(mayUpdateGroup(await standingOf(tx, actor, guid)))
      const asksForPassword = (profile.type ?? before.type) === 'password'
      const passwordHash = asksForPassword ? given : null
      const kept = before.type === 'password' ? before.password_hash : null
      if (profile.type === 'password' && !passwordHash && kept === null) throw noPassword()
      if (owner !== undefined) await becomeOwner(tx, app, guid, owner, now)
      const changes = {
        ...profile,
        ...(passwordHash !== undefined && { password_hash: passwordHash }),
        ...(owner !== undefined && { owner }),
        updated_at: now,
        updated_by: actorUid(actor),
      }
      await tx.query(
        tx.build.updateTable('groups').set(changes).where('app_id', '=', app).where('guid', '=', guid).compile(),
      )
      const after = await requireGroup(tx, app, guid)
      const what: OneNews[] = []
      const isHandedOver = owner !== undefined && owner !== before.owner
      if (!isHandedOver || Object.keys(profile).length > 0 || passwordHash) {
        what.push({ trigger: 'group_updated', data: () => JSON.stringify({ group: groupEntity(after) }) })
      }
      if (isHandedOver) {
        const data = (): string => JSON.stringify({ group: { ...groupEntity(after), oldOwner: before.owner } })
        what.push({ trigger: 'group_owner_transferred', data })
      }
      const told = await tellOf(tx, { app, guid, telling }, what)
      return { group: toGroup(after, await membershipOfActor(tx, actor, guid)), told }
    },
  ),

  /** Whether the actor may delete the group: asked before its messages are removed piece by piece. */
  checkDelete: read(async (tx, { actor, guid }: { actor: Actor; guid: Guid }): Promise<void> => {
    await requireActor(tx, actor)
    await requireGroup(tx, actor.appId, guid)
    assertAllowed(mayDeleteGroup(await standingOf(tx, actor, guid)))
  }),

  /** Removes the group and its members. Its messages are removed before, in small steps: see `messages.purge`. */
  remove: write(async (tx, input: { actor: Actor; guid: Guid; telling: Telling }): Promise<Told> => {
    const { actor, guid, telling } = input
    const app = actor.appId
    const group = await lockGroup(tx, app, guid)
    assertAllowed(mayDeleteGroup(await standingOf(tx, actor, guid)))
    await tx.run(deleteMembers, { app, guid })
    await tx.run(deleteBans, { app, guid })
    await dropConversation(tx, app, groupConversationId(guid))
    await tx.run(deleteGroup, { app, guid })
    const data = (): string => JSON.stringify({ group: groupEntity(group) })
    return tellOf(tx, { app, guid, telling }, [{ trigger: 'group_deleted', data }])
  }),
}

const tellOf = (
  tx: Tx,
  { app, guid, telling }: { app: AppId; guid: Guid; telling: Telling },
  what: readonly OneNews[],
): Promise<Told> => announce(tx, telling, { app, key: groupConversationId(guid), what })

const setScope = statement<{ app: string; guid: string; uid: string; scope: string }>(
  'groups.set_scope',
  'UPDATE members SET scope = :scope WHERE app_id = :app AND guid = :guid AND uid = :uid',
)

/** Of an owner who stands in a list of members, too: they are an admin already, whatever it asks for. */
const outcomeOfOwner = (change: MemberChange): MemberOutcome => ({
  ...change,
  failure: change.list === 'admins' ? undefined : 'ERR_ALREADY_JOINED',
  action: undefined,
})

/** A group has its owner, or is not made and not handed over. */
const putOwner = async (tx: Tx, input: Parameters<typeof putMembers>[1]): Promise<void> => {
  for (const { failure } of await putMembers(tx, input)) {
    if (failure !== undefined) throw refusalOf(tx, failure, input.guid)
  }
}

/** An owner is an admin of the group. */
const becomeOwner = async (tx: Tx, app: AppId, guid: Guid, owner: Uid, now: number): Promise<void> => {
  if (owner === SYSTEM_UID) return
  await requireUser(tx, app, owner, 'owner')
  const membership = await membershipOf(tx, app, guid, owner)
  if (membership === undefined) await putOwner(tx, { app, guid, changes: [{ list: 'admins', uid: owner }], now })
  else await tx.run(setScope, { app, guid, uid: owner, scope: 'admin' })
}
