/** Makes what tests of the store and of what stands on it need, tersely. Every world is an app of its own. */
import { randomUUID } from 'node:crypto'
import {
  type AppId,
  type Bot,
  defaultLimits,
  type Group,
  type Guid,
  type MessageId,
  type Uid,
  type User,
} from '@confab/protocol'
import type { Telling, Told } from '../callbacks/tell.ts'
import {
  type Attempt,
  type AttemptOutcome,
  readCallback,
  type StoredCallback,
  type StoredClaim,
} from '../delivery/attempt.ts'
import type { Actor } from '../kernel/actor.ts'
import type { Clock } from '../kernel/clock.ts'
import { type Ids, makeIds } from '../kernel/ids.ts'
import { draftMessage } from '../messages/draft.ts'
import type { MessageView, StoredMessage } from '../messages/message.ts'
import type { CallbackSettings } from '../storage/sql/delivery/bots.ts'
import type { Claimer } from '../storage/sql/delivery/lane-rows.ts'
import type { GroupProfile } from '../storage/sql/groups/groups.ts'
import type { MemberChange } from '../storage/sql/groups/member-rows.ts'
import type { MessageFilter } from '../storage/sql/messages/message-filters.ts'
import type { MessageCursor, MessageScope } from '../storage/sql/messages/message-lists.ts'
import type { Appended } from '../storage/sql/messages/messages.ts'
import type { Profile } from '../storage/sql/users/users.ts'
import type { Store } from '../storage/store.ts'

/** A clock that stands still until it is told to go on. */
export interface HeldClock extends Clock {
  advance(ms: number): void
}

export const makeHeldClock = (startMs = 1_700_000_000_000): HeldClock => {
  let nowMs = startMs
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms
    },
  }
}

export const uidOf = (text: string): Uid => text as Uid
export const guidOf = (text: string): Guid => text as Guid

const noProfile = { avatar: null, link: null, role: 'default', statusMessage: null, metadata: null, tags: null }
const noGroupProfile = { passwordHash: null, icon: null, description: null, metadata: null, tags: null }

export interface Sent {
  /** The app itself, unless named. */
  readonly from?: string
  /** Somebody who acts for `from`; the app, unless named. */
  readonly actor?: Actor
  readonly to?: string
  readonly toGroup?: string
  readonly text?: string
  readonly category?: string
  readonly type?: string
  readonly data?: unknown
  readonly tags?: readonly string[]
  readonly muid?: string
  readonly parent?: MessageId
  readonly quoted?: MessageId
  readonly claimer?: Claimer
  readonly hop?: number
  readonly muidForEver?: boolean
}

/** What became of a message, and who is to be told of it. */
export type SentIn = Omit<Appended, 'told'> & Told

export interface World {
  readonly store: Store
  readonly clock: HeldClock
  readonly ids: Ids
  readonly appId: AppId
  readonly appCreatedAt: number
  readonly app: Actor
  as(uid: string): Actor
  /** Unix seconds. */
  now(): number
  user(uid: string, profile?: Partial<Profile>): Promise<User>
  users(...uids: readonly string[]): Promise<void>
  /** Roles of these names, which forbid nothing. */
  roles(...names: readonly string[]): Promise<void>
  /** Members as `uid: scope`, or `banned`. */
  group(guid: string, profile?: Partial<GroupProfile> & { owner?: string; members?: MembersByUid }): Promise<Group>
  bot(uid: string, settings?: Partial<CallbackSettings>): Promise<Bot>
  send(message: Sent): Promise<SentIn>
  list(query?: {
    actor?: Actor
    scope?: MessageScope
    filter?: Partial<MessageFilter>
    cursor?: Partial<MessageCursor>
  }): Promise<{ rows: readonly StoredMessage[]; views: readonly MessageView[]; hasMore: boolean }>
  claimer(settings?: Partial<Claimer>): Claimer
  /** Removes the bots, so that their lanes are in nobody's way. */
  dispose(): Promise<void>
}

export type MembersByUid = Readonly<Record<string, 'admin' | 'moderator' | 'participant' | 'banned'>>

const LISTS = {
  admin: 'admins',
  moderator: 'moderators',
  participant: 'participants',
  banned: 'usersToBan',
} as const

export const changesOf = (members: MembersByUid): MemberChange[] =>
  Object.entries(members).map(([uid, what]) => ({ list: LISTS[what], uid: uidOf(uid) }))

export const makeAttempt = (outcome: AttemptOutcome, number = 1, more: Partial<Attempt> = {}): Attempt => ({
  number,
  startedAtMs: 1_700_000_000_000,
  outcome,
  status: outcome.kind === 'delivered' ? 200 : 500,
  error: undefined,
  address: '127.0.0.1',
  phases: { total: 5 },
  response: undefined,
  ...more,
})

/** Of bots in turn, in every world. */
export const HOP_LIMIT = 3

const everywhere: MessageScope = { kind: 'all' }

const draftOf = (sent: Sent) =>
  draftMessage(
    {
      ...(sent.category !== undefined && { category: sent.category }),
      ...(sent.type !== undefined && { type: sent.type }),
      data: sent.data ?? { text: sent.text ?? 'hello' },
    },
    defaultLimits,
  )

/** What whoever does something brings along, so that bots hear of it. */
export const tellingIn = (
  { clock, ids }: Pick<World, 'clock' | 'ids'>,
  { claimer, hop = 0 }: Pick<Sent, 'claimer' | 'hop'> = {},
): Telling => ({
  origin: '{"platform":"API"}',
  region: 'test',
  deliveryId: ids.delivery(),
  claimer,
  hop,
  hopLimit: HOP_LIMIT,
  nowMs: clock.now(),
})

const sendIn = async (
  world: Pick<World, 'store' | 'clock' | 'ids' | 'appCreatedAt' | 'app'>,
  sent: Sent,
): Promise<SentIn> => {
  const { told, ...appended } = await world.store.messages.append({
    actor: sent.actor ?? world.app,
    sender: uidOf(sent.from ?? 'app_system'),
    appCreatedAt: world.appCreatedAt,
    receiverType: sent.toGroup === undefined ? 'user' : 'group',
    receiver: sent.toGroup ?? sent.to ?? '',
    draft: draftOf(sent),
    tags: sent.tags === undefined ? null : JSON.stringify(sent.tags),
    muid: sent.muid ?? null,
    muidForEver: sent.muidForEver ?? false,
    toMany: false,
    parentId: sent.parent ?? null,
    quotedId: sent.quoted ?? null,
    resource: 'test',
    telling: tellingIn(world, sent),
  })
  return { ...appended, ...told }
}

export const makeWorld = async (store: Store, clock: HeldClock = makeHeldClock()): Promise<World> => {
  const ids = makeIds(clock)
  const appId = `app-${randomUUID()}` as AppId
  const now = (): number => Math.floor(clock.now() / 1000)
  const created = await store.apps.ensure({ id: appId, name: 'Test', keys: [], now: now() })
  const app: Actor = { kind: 'app', appId }
  const bots: Uid[] = []
  const user: World['user'] = (uid, profile = {}) =>
    store.users.create({ ...noProfile, name: uid.toUpperCase(), ...profile, appId, uid: uidOf(uid), now: now() })
  const base = { store, clock, ids, appId, appCreatedAt: created.createdAt, app, now, user }
  return {
    ...base,
    as: (uid) => ({ kind: 'user', appId, uid: uidOf(uid) }),
    users: async (...uids) => {
      for (const uid of uids) await user(uid)
    },
    roles: async (...names) => {
      const empty = { description: null, metadata: null, settings: null }
      for (const role of names) await store.roles.create({ ...empty, appId, role, name: role, now: now() })
    },
    group: async (guid, { owner, members = {}, ...profile } = {}) => {
      const { group } = await store.groups.create({
        ...noGroupProfile,
        name: guid.toUpperCase(),
        type: 'public',
        ...profile,
        actor: app,
        guid: guidOf(guid),
        owner: owner === undefined ? undefined : uidOf(owner),
        members: changesOf(members),
        telling: tellingIn(base),
      })
      return group
    },
    bot: async (uid, settings = {}) => {
      await user(uid)
      bots.push(uidOf(uid))
      return store.bots.create({
        callbackUrl: `http://127.0.0.1:1/${uid}`,
        groupChatSetting: 'allMessages',
        enabled: true,
        useBasicAuth: false,
        username: null,
        password: null,
        settings: {},
        ...settings,
        appId,
        uid: uidOf(uid),
        secret: ids.signingSecret(),
        now: now(),
        nowMs: clock.now(),
      })
    },
    send: (sent) => sendIn(base, sent),
    list: async ({ actor = app, scope = everywhere, filter = {}, cursor = {} } = {}) => {
      const { rows, hasMore } = await store.messages.list({
        actor,
        scope,
        filter,
        cursor: { affix: 'append', limit: 100, ...cursor },
        options: {},
      })
      return { rows: rows.map(({ message }) => message), views: rows.map(({ view }) => view), hasMore }
    },
    claimer: (settings = {}) => ({
      node: 'node_test',
      leaseId: ids.lease(),
      untilMs: clock.now() + 30_000,
      busy: {},
      perBot: 1000,
      perSlot: 2,
      room: { of: 100_000, free: 100_000 },
      ...settings,
    }),
    dispose: async () => {
      for (const uid of bots) {
        await store.bots.remove({ appId, uid, nowMs: clock.now() }).catch(() => undefined)
      }
    },
  }
}

/** Whom a claim says to call. */
export const callbackOf = (claim: StoredClaim | undefined): StoredCallback => {
  if (claim === undefined) throw new Error('there is no such claim')
  return readCallback(claim.callbackJson)
}
