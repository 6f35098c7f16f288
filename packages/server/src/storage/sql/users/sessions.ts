/** What a node must know of a user who has come. */
import type { AppId, Guid, Uid, User } from '@confab/protocol'
import type { UserActor } from '../../../kernel/actor.ts'
import { type Partner, requireParty } from '../conversations/conversation-rows.ts'
import { read, statement, type Tx } from '../seam.ts'
import { assertNotBlocked, blockedBy, blockersOf, friendsOf } from './relation-rows.ts'
import { findActive, requireUser, toUser } from './user-rows.ts'

const groupsOf = statement<{ app: string; uid: string }, { guid: Guid }>(
  'members.groups_of',
  'SELECT guid FROM members WHERE app_id = :app AND uid = :uid',
)

export interface Relations {
  /** Whom the user has blocked, and who has blocked them. */
  readonly blocked: readonly Uid[]
  readonly friends: readonly Uid[]
}

const relationsOf = async (tx: Tx, app: AppId, uid: Uid): Promise<Relations> => {
  const blocks = await tx.query(
    blockedBy(tx, app, uid)
      .union(blockersOf(tx, app, uid))
      .compile(),
  )
  const friends = await tx.query(friendsOf(tx, app, uid).compile())
  return { blocked: blocks.map((row) => row.uid), friends: friends.map((row) => row.uid) }
}

export interface Arrival extends Relations {
  readonly user: User
  /** The groups that they are a member of. */
  readonly groups: readonly Guid[]
}

export const sessions = {
  /** Who speaks, if they may to the partner what they do not need to be allowed to say. */
  reach: read(async (tx, { actor, partner }: { actor: UserActor; partner: Partner }): Promise<User> => {
    const by = await requireUser(tx, actor.appId, actor.uid)
    const party = await requireParty(tx, actor, partner)
    if (party.kind === 'user' && party.user !== undefined)
      await assertNotBlocked(tx, actor.appId, actor.uid, party.user.uid)
    return toUser(by)
  }),

  /** Nothing, if the user is not there any more, or deactivated. */
  arrive: read(async (tx, { appId: app, uid }: { appId: AppId; uid: Uid }): Promise<Arrival | undefined> => {
    const row = await findActive(tx, app, uid)
    if (row === undefined) return undefined
    const groups = await tx.all(groupsOf, { app, uid })
    return { user: toUser(row), groups: groups.map(({ guid }) => guid), ...(await relationsOf(tx, app, uid)) }
  }),
}
