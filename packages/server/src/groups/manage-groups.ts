import {
  type CreateGroup,
  type Group,
  type GroupType,
  type Guid,
  groupConversationId,
  groupTypeOf,
  type Limits,
  type MemberLists,
  parseGuid,
  parseUid,
  type UpdateGroup,
} from '@confab/protocol'
import type { Teller, Told } from '../callbacks/tell.ts'
import { type Actor, actorUid } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import { jsonText, makeMetadataText } from '../kernel/json.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Live } from '../live/live.ts'
import type { GroupFilter } from '../storage/sql/groups/groups.ts'
import type { MemberChange, MemberOutcome } from '../storage/sql/groups/member-rows.ts'
import type { Store } from '../storage/store.ts'
import { noPassword } from './no-password.ts'
import { hashPassword } from './password.ts'

export interface ManageGroups {
  create(actor: Actor, body: CreateGroup, client: Client): Promise<{ group: Group; outcomes: readonly MemberOutcome[] }>
  get(actor: Actor, guid: Guid): Promise<Group>
  list(input: { actor: Actor; filter: GroupFilter; page: PageRequest }): Promise<Page<Group>>
  update(actor: Actor, guid: Guid, body: UpdateGroup, client: Client): Promise<Group>
  /** With members and messages. */
  remove(actor: Actor, guid: Guid, client: Client): Promise<void>
}

/** Messages removed per transaction, so that nobody waits long behind the deletion of a large group. */
const PURGE_STEP = 500

/** The uids of a call, each once: admins before moderators before participants; bans stand for themselves. */
export const memberChanges = (lists: MemberLists, most: number): MemberChange[] => {
  const changes = new Map<string, MemberChange>()
  for (const list of ['usersToBan', 'admins', 'moderators', 'participants'] as const) {
    for (const text of lists[list] ?? []) {
      const uid = parseUid(text)
      if (!changes.has(uid)) changes.set(uid, { list, uid })
    }
  }
  if (changes.size > most) {
    throw badRequest({ members: `must not name more than ${most} users in one call` })
  }
  return [...changes.values()]
}

const hashFor = async (
  type: GroupType | undefined,
  password: string | undefined,
): Promise<string | null | undefined> => {
  if (type !== undefined && type !== 'password') return null
  return password ? hashPassword(password) : undefined
}

export const makeManageGroups = (deps: {
  store: Pick<Store, 'groups' | 'messages'>
  clock: Clock
  teller: Teller
  live: Pick<Live, 'moved' | 'groupGone'>
  limits: Limits
}): ManageGroups => {
  const { store, clock, teller, live, limits } = deps
  const causeOf = ({ appId }: Actor, { resource: deviceId }: Client) => ({ appId, deviceId })
  const metadataText = makeMetadataText(limits.metadataBytes)
  const handOn = (actor: Actor, guid: Guid, told: Told): void =>
    teller.told(told, {
      appId: actor.appId,
      conversationId: groupConversationId(guid),
      sender: actorUid(actor),
    })
  return {
    create: async (actor, body, client) => {
      const type = groupTypeOf(body.type ?? 'public')
      if (type === 'password' && !body.password) throw noPassword()
      const guid = parseGuid(body.guid)
      const { told, joined, ...created } = await store.groups.create({
        actor,
        guid,
        name: body.name,
        type,
        passwordHash: (await hashFor(type, body.password)) ?? null,
        icon: body.icon ?? null,
        description: body.description ?? null,
        metadata: metadataText(body.metadata),
        tags: jsonText(body.tags),
        // Who acts for somebody owns what they make: the contract ignores `owner` then.
        owner: actor.kind === 'app' && body.owner !== undefined ? parseUid(body.owner) : undefined,
        members: memberChanges(body.members ?? {}, limits.membersPerCall),
        telling: teller.telling(client),
      })
      handOn(actor, guid, told)
      live.moved(causeOf(actor, client), { guid, entered: joined })
      return created
    },

    get: (actor, guid) => store.groups.find({ actor, guid }),

    list: (input) => store.groups.list(input),

    update: async (actor, guid, { unset = [], metadata, tags, owner, password, type: given, ...body }, client) => {
      const type = given && groupTypeOf(given)
      if (password === '' && (type ?? 'password') === 'password') throw noPassword()
      const passwordHash = await hashFor(type, password)
      const newOwner = owner !== undefined && actor.kind === 'app' ? parseUid(owner) : undefined
      const { group, told } = await store.groups.update({
        ...definedOf({ ...body, type }),
        actor,
        guid,
        telling: teller.telling(client),
        ...definedOf({ passwordHash }),
        ...(metadata !== undefined && { metadata: metadataText(metadata) }),
        ...(tags !== undefined && { tags: jsonText(tags) }),
        ...definedOf({ owner: newOwner }),
        ...Object.fromEntries(unset.map((key) => [key, null])),
      })
      handOn(actor, guid, told)
      if (newOwner !== undefined) live.moved(causeOf(actor, client), { guid, entered: [newOwner] })
      return group
    },

    remove: async (actor, guid, client) => {
      await store.groups.checkDelete({ actor, guid })
      const { appId } = actor
      const of = { conversationId: groupConversationId(guid) }
      const purge = async (): Promise<void> => {
        const now = toSeconds(clock.now())
        while ((await store.messages.purge({ appId, of, limit: PURGE_STEP, now })) === PURGE_STEP);
      }
      await purge()
      handOn(actor, guid, await store.groups.remove({ actor, guid, telling: teller.telling(client) }))
      live.groupGone(appId, guid)
      // What was said while the first steps ran.
      await purge()
    },
  }
}
