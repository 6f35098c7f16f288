import {
  errorCodes,
  type Guid,
  groupConversationId,
  type Limits,
  type MemberLists,
  type Scope,
  type Uid,
  type User,
} from '@confab/protocol'
import type { Teller, Told } from '../callbacks/tell.ts'
import { type Actor, actorUid } from '../kernel/actor.ts'
import { badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import type { Page, PageRequest } from '../kernel/paging.ts'
import type { Cause, Live } from '../live/live.ts'
import { messageJson } from '../messages/message.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { MemberOutcome } from '../storage/sql/groups/member-rows.ts'
import type { MemberChanged } from '../storage/sql/groups/members.ts'
import type { Store } from '../storage/store.ts'
import { memberChanges } from './manage-groups.ts'

interface MemberOf {
  readonly app: App
  readonly actor: Actor
  readonly guid: Guid
  readonly uid: Uid
}

interface By {
  readonly client: Client
}

export interface ManageMembers {
  add(input: { app: App; actor: Actor; guid: Guid } & By, lists: MemberLists): Promise<readonly MemberOutcome[]>
  list(input: {
    actor: Actor
    guid: Guid
    scopes?: readonly Scope[]
    searchKey?: string
    page: PageRequest
  }): Promise<Page<User>>
  changeScope(input: MemberOf & By, scope: Scope): Promise<{ guid: Guid; uid: Uid; scope: Scope; joinedAt: number }>
  kick(input: MemberOf & By): Promise<void>
  ban(input: MemberOf & By): Promise<void>
  unban(input: MemberOf & By): Promise<void>
  listBanned(input: { actor: Actor; guid: Guid; searchKey?: string; page: PageRequest }): Promise<Page<User>>
}

const outcomeJson = ({ failure, action }: MemberOutcome): string => {
  if (failure !== undefined) {
    return JSON.stringify({ success: false, error: { code: failure, message: errorCodes[failure].meaning } })
  }
  return action === undefined ? '{"success":true}' : `{"success":true,"data":${messageJson(action)}}`
}

/** What became of each uid, under the list that it stood in. Clients need all four lists, empty or not. */
export const outcomesJson = (outcomes: readonly MemberOutcome[]): string => {
  const lists = (['admins', 'moderators', 'participants', 'usersToBan'] as const).map((list) => {
    const entries = outcomes
      .filter((outcome) => outcome.list === list)
      .map((outcome) => `${JSON.stringify(outcome.uid)}:${outcomeJson(outcome)}`)
    return `"${list}":{${entries.join(',')}}`
  })
  return `{${lists.join(',')}}`
}

const aboutGroup = (app: App, actor: Actor, guid: Guid) => ({
  appId: app.id,
  conversationId: groupConversationId(guid),
  sender: actorUid(actor),
})

export const makeManageMembers = (deps: {
  store: Pick<Store, 'members'>
  teller: Teller
  live: Pick<Live, 'said' | 'moved'>
  limits: Limits
}): ManageMembers => {
  const { store, teller, live, limits } = deps
  const caseOf = ({ app, actor, guid, uid, client }: MemberOf & By) => ({
    actor,
    appCreatedAt: app.createdAt,
    guid,
    uid,
    telling: teller.telling(client),
  })
  const causeOf = ({ app, client }: { app: App } & By): Cause => ({ appId: app.id, deviceId: client.resource })
  const handOn = ({ app, actor, guid }: MemberOf, told: Told): void => teller.told(told, aboutGroup(app, actor, guid))
  const hasLeft = (input: MemberOf & By, { action, told }: MemberChanged): void => {
    handOn(input, told)
    live.moved(causeOf(input), { guid: input.guid, left: [input.uid], action })
  }
  return {
    add: async ({ app, actor, guid, client }, lists) => {
      const changes = memberChanges(lists, limits.membersPerCall)
      if (changes.length === 0) throw badRequest({ members: 'name at least one user' })
      const telling = teller.telling(client)
      const { outcomes, told } = await store.members.add({
        actor,
        appCreatedAt: app.createdAt,
        guid,
        changes,
        telling,
      })
      teller.told(told, aboutGroup(app, actor, guid))
      for (const { action, list, uid } of outcomes) {
        if (action === undefined) continue
        const move = list === 'usersToBan' ? { left: [uid] } : { entered: [uid] }
        live.moved(causeOf({ app, client }), { guid, action, ...move })
      }
      return outcomes
    },
    list: (input) => store.members.list(input),
    changeScope: async (input, scope) => {
      const { joinedAt, action, told } = await store.members.changeScope({ ...caseOf(input), scope })
      handOn(input, told)
      live.said(causeOf(input), action)
      return { guid: input.guid, uid: input.uid, scope, joinedAt }
    },
    kick: async (input) => hasLeft(input, await store.members.kick(caseOf(input))),
    ban: async (input) => hasLeft(input, await store.members.ban(caseOf(input))),
    unban: async (input) => {
      const { action, told } = await store.members.unban(caseOf(input))
      handOn(input, told)
      live.said(causeOf(input), action)
    },
    listBanned: (input) => store.members.listBanned(input),
  }
}
