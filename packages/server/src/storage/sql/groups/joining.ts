/** Members who come and go by themselves, and groups that change hands. */
import { type Guid, groupConversationId, SYSTEM_UID, type Uid } from '@confab/protocol'
import type { Telling, Told } from '../../../callbacks/tell.ts'
import { mayTransfer } from '../../../groups/group.policy.ts'
import type { Actor, UserActor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { mayJoinGroup } from '../../../roles/permission.policy.ts'
import { tellWebhooks } from '../delivery/announce.ts'
import { writeGroupAction } from '../messages/message-rows.ts'
import { holdMemberships } from '../quotas.ts'
import { assertPermitted, rightsOf } from '../roles/role-rows.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireActor, requireUser, type UserRow } from '../users/user-rows.ts'
import { assertAllowed, type GroupRow, groupEntity, lockGroup, membershipOf, requireGroup } from './group-rows.ts'
import { tellOfMembers } from './member-news.ts'
import { leaveGroup, putMember, refusalOf } from './member-rows.ts'

export const setOwner = statement<{ app: string; guid: string; owner: string; now: number; by: string }>(
  'groups.set_owner',
  `UPDATE groups SET owner = :owner, updated_at = :now, updated_by = :by WHERE app_id = :app AND guid = :guid`,
)
const makeAdmin = statement<{ app: string; guid: string; uid: string }>(
  'members.make_admin',
  `UPDATE members SET scope = 'admin' WHERE app_id = :app AND guid = :guid AND uid = :uid`,
)

interface OfThemself {
  readonly actor: UserActor
  readonly appCreatedAt: number
  readonly guid: Guid
  readonly telling: Telling
}

export interface Moved {
  readonly action: StoredMessage
  readonly told: Told
}

const tell = async (
  tx: Tx,
  input: OfThemself,
  { user, group, joined }: { user: UserRow; group: GroupRow; joined: boolean },
): Promise<Moved> => {
  const { actor, appCreatedAt, telling } = input
  const action = await writeGroupAction(tx, {
    app: actor.appId,
    appCreatedAt,
    group,
    action: joined ? 'joined' : 'left',
    by: user,
    on: user,
    now: toSeconds(telling.nowMs),
  })
  const trigger = joined ? 'group_member_joined' : 'group_member_left'
  return { action, told: await tellOfMembers(tx, input, [{ trigger, by: user, members: [user], action }]) }
}

/** @param passwordHash the hash that the given password was found to match: the password may have changed since */
const assertOpenTo = (group: GroupRow, passwordHash: string | null): void => {
  const details = { guid: group.guid }
  if (group.type === 'private') throw new AppError('ERR_GROUP_JOIN_NOT_ALLOWED', { details })
  if (group.type === 'password' && group.password_hash !== passwordHash) {
    throw new AppError('ERR_WRONG_GROUP_PASS', { details })
  }
}

export const joining = {
  /** What a password is to be compared with; nothing where none is needed. */
  passwordHash: read(async (tx, { actor, guid }: { actor: UserActor; guid: Guid }): Promise<string | null> => {
    await requireActor(tx, actor)
    const group = await requireGroup(tx, actor.appId, guid)
    return group.type === 'password' ? group.password_hash : null
  }),

  join: write(async (tx, input: OfThemself & { passwordHash: string | null }): Promise<Moved> => {
    const { actor, guid, telling } = input
    const { appId: app, uid } = actor
    const user = await requireUser(tx, app, uid, 'onBehalfOf')
    const group = await lockGroup(tx, app, guid)
    assertPermitted(mayJoinGroup(await rightsOf(tx, app, user), group.type))
    if ((await membershipOf(tx, app, guid, uid)) !== undefined) {
      throw new AppError('ERR_ALREADY_JOINED', { details: { guid } })
    }
    assertOpenTo(group, input.passwordHash)
    await holdMemberships(tx, app, [uid])
    const failure = await putMember(tx, app, guid, { list: 'participants', uid }, toSeconds(telling.nowMs))
    if (failure !== undefined) throw refusalOf(tx, failure, guid)
    return tell(tx, input, { user, group, joined: true })
  }),

  /** The owner hands the group over first, unless nobody else is left. */
  leave: write(async (tx, input: OfThemself): Promise<Moved> => {
    const { actor, guid, telling } = input
    const { appId: app, uid } = actor
    const user = await requireUser(tx, app, uid, 'onBehalfOf')
    const group = await lockGroup(tx, app, guid)
    const isOwner = group.owner === uid
    if (isOwner && group.members_count > 1) {
      throw new AppError('ERR_GROUP_NO_SELF_ACTION', { details: { owner: 'hand the group over before you leave it' } })
    }
    if (!(await leaveGroup(tx, { app, guid, uid }))) throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid } })
    if (isOwner) await tx.run(setOwner, { app, guid, owner: SYSTEM_UID, now: toSeconds(telling.nowMs), by: uid })
    return tell(tx, input, { user, group, joined: false })
  }),

  /** To a member, who becomes an admin; by the owner or the app. Who owned it stays an admin. */
  transfer: write(async (tx, input: { actor: Actor; guid: Guid; owner: Uid; telling: Telling }): Promise<Told> => {
    const { actor, guid, owner, telling } = input
    const now = toSeconds(telling.nowMs)
    const app = actor.appId
    const by = await requireActor(tx, actor)
    const group = await lockGroup(tx, app, guid)
    assertAllowed(mayTransfer(actor.kind === 'app' ? 'app' : actor.uid === group.owner ? 'owner' : undefined))
    if (actor.kind === 'user' && (await membershipOf(tx, app, guid, actor.uid)) === undefined) {
      throw new AppError('ERR_GROUP_NOT_JOINED', { details: { guid } })
    }
    await requireUser(tx, app, owner, 'owner')
    if ((await membershipOf(tx, app, guid, owner)) === undefined) {
      throw new AppError('ERR_NOT_A_MEMBER', { details: { owner } })
    }
    await tx.run(makeAdmin, { app, guid, uid: owner })
    await tx.run(setOwner, { app, guid, owner, now, by: by?.uid ?? SYSTEM_UID })
    const data = async (): Promise<string> =>
      JSON.stringify({ group: { ...groupEntity(await requireGroup(tx, app, guid)), oldOwner: group.owner } })
    const key = groupConversationId(guid)
    return tellWebhooks(tx, telling, { app, key, what: [{ trigger: 'group_owner_transferred', data }] })
  }),
}
