/** What bots and webhooks are told of members. */
import { type Guid, groupConversationId, type Scope, type WebhookTrigger } from '@confab/protocol'
import { nobodyTold, type Telling, type Told } from '../../../callbacks/tell.ts'
import { type Actor, actorUid } from '../../../kernel/actor.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import { systemUser, userEntity } from '../../../users/user.ts'
import { announce } from '../delivery/announce.ts'
import { botOf, subscribersIn } from '../delivery/outbox.ts'
import type { Tx } from '../seam.ts'
import { toUser, type UserRow } from '../users/user-rows.ts'
import { groupEntity, requireGroup } from './group-rows.ts'

/** Who changes something of the members of a group, and how that is told. */
export interface MembersChange {
  readonly actor: Actor
  readonly appCreatedAt: number
  readonly guid: Guid
  readonly telling: Telling
}

/** What is told of members: the group as it is then, who it is about, and who did it, unless they did it themselves. */
const newsOf = async (
  tx: Tx,
  { actor, appCreatedAt, guid }: Omit<MembersChange, 'telling'>,
  { trigger, by, members, scopes }: Pick<MemberNews, 'trigger' | 'by' | 'members' | 'scopes'>,
): Promise<string> => {
  const more = scopes && { scope: scopes.new, oldScope: scopes.old }
  const isOwn = trigger === 'group_member_joined' || trigger === 'group_member_left'
  return JSON.stringify({
    group: groupEntity(await requireGroup(tx, actor.appId, guid)),
    members: Object.fromEntries(members.map((row) => [row.uid, { ...userEntity(toUser(row)), ...more }])),
    ...(!isOwn && { by: userEntity(by === undefined ? systemUser(appCreatedAt) : toUser(by)) }),
  })
}

export interface MemberNews {
  trigger: Extract<WebhookTrigger, `group_member_${string}`>
  by: UserRow | undefined
  members: readonly UserRow[]
  action: StoredMessage
  scopes?: { old: Scope; new: Scope }
}

const botTriggers = [
  ...(['group_member_added', 'group_member_kicked', 'group_member_joined', 'group_member_left'] as const),
] as const

/** Tells the bots of the group that have asked for it, those that it is about, and the webhooks of the app. */
export const tellOfMembers = async (tx: Tx, input: MembersChange, all: readonly MemberNews[]): Promise<Told> => {
  const { actor, guid, telling } = input
  const app = actor.appId
  const last = all.at(-1)
  if (last === undefined) return nobodyTold
  const what = all.map((news) => ({ trigger: news.trigger, data: () => newsOf(tx, input, news) }))
  const about = all.find(({ trigger }) => botTriggers.some((known) => known === trigger))
  const trigger = botTriggers.find((known) => known === about?.trigger)
  const uids = about?.members.map(({ uid }) => uid) ?? []
  const question = { app, guid, uids, by: actorUid(actor) }
  const bots = trigger === undefined ? [] : await subscribersIn(tx, { ...question, trigger })
  return announce(tx, telling, {
    app,
    key: groupConversationId(guid),
    messageId: Number((about ?? last).action.id),
    ...(about !== undefined &&
      trigger !== undefined && {
        forBots: { trigger, data: () => newsOf(tx, input, about), byBot: () => botOf(tx, actor), bots },
      }),
    what,
  })
}
