/** Users as others see them: one, and lists with many filters. */
import type { Uid, User } from '@confab/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Actor } from '../../../kernel/actor.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { mayGetUser, type UsersShown, usersShown } from '../../../roles/permission.policy.ts'
import { contains, holdsOneOf, oneOf, prefix } from '../lists.ts'
import { areFriends, assertPermitted, rightsOf } from '../roles/role-rows.ts'
import { read, type Tx } from '../seam.ts'
import {
  blockedBy,
  blocksOf,
  friendsOf,
  pageSeenBy,
  relativeUser,
  type UserOrder,
  usersOf,
  viewerOf,
} from './relation-rows.ts'
import { requireActor, requireUser, toUser } from './user-rows.ts'

export interface UserFilter {
  readonly searchKey?: string
  readonly searchIn?: readonly string[]
  readonly status?: 'available' | 'offline'
  readonly roles?: readonly string[]
  readonly tags?: readonly string[]
  readonly deactivated: 'without' | 'with' | 'only'
  readonly uids?: readonly Uid[]
  readonly friendsOnly?: boolean
  readonly hideBlockedUsers?: boolean
  readonly sortBy?: UserOrder
  readonly descending?: boolean
}

/** What is asked for, whoever asks. */
const conditionsOf = (filter: UserFilter): RawBuilder<SqlBool>[] => {
  const { deactivated, status, roles, tags, uids, searchKey, searchIn = ['uid', 'name'] } = filter
  const searched = searchIn.map((column) =>
    column === 'uid' ? prefix('users.uid', searchKey ?? '') : contains('users.name', searchKey ?? ''),
  )
  return [
    ...(deactivated === 'without' ? [sql<SqlBool>`users.deactivated_at IS NULL`] : []),
    ...(deactivated === 'only' ? [sql<SqlBool>`users.deactivated_at IS NOT NULL`] : []),
    ...(status === undefined ? [] : [sql<SqlBool>`users.online = ${status === 'available' ? 1 : 0}`]),
    ...(roles?.length ? [oneOf('users.role', roles)] : []),
    ...(uids?.length ? [oneOf('users.uid', uids)] : []),
    ...(tags?.length ? [holdsOneOf('users.tags', tags)] : []),
    ...(searchKey ? [sql<SqlBool>`(${sql.join(searched, sql` OR `)})`] : []),
  ]
}

const listUsers = async (
  tx: Tx,
  {
    actor,
    filter,
    page,
    shown,
  }: { actor: Actor; filter: UserFilter; page: PageRequest; shown: UsersShown | undefined },
): Promise<Page<User>> => {
  const viewer = viewerOf(actor)
  const { appId: app } = actor
  let query = usersOf(tx, app)
  for (const condition of conditionsOf(filter)) query = query.where(condition)
  if (viewer !== undefined) {
    query = query.where('users.uid', '!=', viewer)
    if (filter.hideBlockedUsers) query = query.where('users.uid', 'not in', blockedBy(tx, app, viewer))
    if (shown?.roles !== undefined) query = query.where(oneOf('users.role', shown.roles))
    if (filter.friendsOnly || shown?.friendsOnly) query = query.where('users.uid', 'in', friendsOf(tx, app, viewer))
  }
  const { sortBy, descending = false } = filter
  return pageSeenBy(tx, query, { app, viewer, page, descending, ...(sortBy && { sortBy }) })
}

export const userLists = {
  /** Somebody else as the acting user sees them; themself as they are, and to the app everybody. */
  findAs: read(async (tx, { actor, uid }: { actor: Actor; uid: Uid }): Promise<User> => {
    const { appId: app } = actor
    const by = await requireActor(tx, actor)
    const row = await requireUser(tx, app, uid)
    if (by === undefined || by.uid === uid) return toUser(row)
    const isFriend = await areFriends(tx, app, by.uid, uid)
    assertPermitted(mayGetUser(await rightsOf(tx, app, by), { role: row.role, isFriend }))
    return relativeUser(by.uid, row, await blocksOf(tx, app, by.uid, uid))
  }),

  /** As the acting user sees them, who is not among them; or as they are. */
  list: read(
    async (
      tx,
      { actor, filter, page }: { actor: Actor; filter: UserFilter; page: PageRequest },
    ): Promise<Page<User>> => {
      const by = await requireActor(tx, actor)
      const shown = by && usersShown(await rightsOf(tx, actor.appId, by))
      assertPermitted(shown?.denial)
      return listUsers(tx, { actor, filter, page, shown })
    },
  ),
}
