import {
  type AppId,
  type CreateUser,
  type Limits,
  parseUid,
  SYSTEM_UID,
  type Uid,
  type UpdateUser,
  type User,
} from '@confab/protocol'
import type { Actor, BotId } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Ids } from '../kernel/ids.ts'
import { jsonText, makeMetadataText } from '../kernel/json.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Live } from '../live/live.ts'
import type { UserFilter } from '../storage/sql/users/user-lists.ts'
import type { Store } from '../storage/store.ts'
import { newAuthToken } from './manage-auth-tokens.ts'

export interface ManageUsers {
  create(appId: AppId, body: CreateUser): Promise<User>
  /** As the acting user sees them. */
  getAs(actor: Actor, uid: Uid): Promise<User>
  /** As the acting user sees them, who is not among them. */
  list(input: { actor: Actor; filter: UserFilter; page: PageRequest }): Promise<Page<User>>
  update(appId: AppId, uid: Uid, body: UpdateUser): Promise<User>
  /** The user goes, with memberships, tokens and bot. Messages stay, unless it is for good. */
  remove(appId: AppId, uid: Uid, options: { permanent: boolean }): Promise<void>
  /** Answers the uids that exist. */
  deactivate(appId: AppId, uids: readonly string[]): Promise<readonly Uid[]>
  reactivate(appId: AppId, uids: readonly string[]): Promise<readonly Uid[]>
}

/** Messages removed per transaction, so that nobody waits long behind a permanent deletion. */
export const PURGE_STEP = 500

const uniqueUids = (uids: readonly string[]): Uid[] => [...new Set(uids.map(parseUid))]

export const makeManageUsers = (deps: {
  store: Pick<Store, 'users' | 'messages' | 'conversations'>
  clock: Clock
  ids: Ids
  limits: Limits
  /** Called when users go or are deactivated: their tokens open nothing any more. */
  onGone: () => void
  /** Called with whoever goes: what is known of them as a bot does not count any more. */
  onResume: (bot: BotId) => void
  live: Pick<Live, 'stale' | 'cameOrWent'>
}): ManageUsers => {
  const { store, clock, ids, onGone, onResume, live } = deps
  const metadataText = makeMetadataText(deps.limits.metadataBytes)
  const now = (): number => toSeconds(clock.now())
  return {
    create: (appId, body) => {
      const uid = parseUid(body.uid)
      if (uid === SYSTEM_UID) throw new AppError('ERR_UID_ALREADY_EXISTS', { details: { uid: 'is the app itself' } })
      return store.users.create({
        appId,
        uid,
        name: body.name,
        avatar: body.avatar ?? null,
        link: body.link ?? null,
        role: body.role?.toLowerCase() ?? 'default',
        statusMessage: body.statusMessage ?? null,
        metadata: metadataText(body.metadata),
        tags: jsonText(body.tags),
        now: now(),
        ...(body.withAuthToken && { authToken: newAuthToken(uid, now(), ids) }),
      })
    },

    getAs: (actor, uid) => store.users.findAs({ actor, uid }),

    list: (input) => store.users.list(input),

    update: async (appId, uid, { unset = [], metadata, tags, role, ...body }) => {
      const user = await store.users.update({
        ...definedOf(body),
        appId,
        uid,
        now: now(),
        ...(role !== undefined && { role: role.toLowerCase() }),
        ...(metadata !== undefined && { metadata: metadataText(metadata) }),
        ...(tags !== undefined && { tags: jsonText(tags) }),
        ...Object.fromEntries(unset.map((key) => [key, null])),
      })
      live.stale(appId, uid, 'user')
      return user
    },

    remove: async (appId, uid, { permanent }) => {
      // The user goes first, so that no message is added while theirs are removed.
      const user = await store.users.remove({ appId, uid, system: SYSTEM_UID, nowMs: clock.now() })
      onGone()
      onResume({ appId, bot: uid })
      live.stale(appId, uid, 'credentials')
      // Their sessions end, but nobody is left who could be said to have gone.
      if (user.status === 'available') live.cameOrWent(appId, user, false, now())
      if (!permanent) return
      while ((await store.messages.purge({ appId, of: { uid }, limit: PURGE_STEP, now: now() })) === PURGE_STEP);
      while ((await store.conversations.removeOf({ appId, uid, limit: PURGE_STEP })) === PURGE_STEP);
    },

    deactivate: async (appId, uids) => {
      const known = await store.users.setDeactivated({ appId, uids: uniqueUids(uids), at: now() })
      onGone()
      for (const uid of known) live.stale(appId, uid, 'credentials')
      return known
    },

    reactivate: (appId, uids) => store.users.setDeactivated({ appId, uids: uniqueUids(uids), at: null }),
  }
}
