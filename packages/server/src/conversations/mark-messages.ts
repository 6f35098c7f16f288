/** Users say what they have received and read; those who said it see that at once. */
import { type MessageId, SYSTEM_UID, type Uid } from '@confab/protocol'
import type { Teller } from '../callbacks/tell.ts'
import type { Client } from '../kernel/client.ts'
import { toSeconds } from '../kernel/clock.ts'
import type { Live, Target } from '../live/live.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Partner } from '../storage/sql/conversations/conversation-rows.ts'
import type { MarkKind } from '../storage/sql/conversations/marks.ts'
import type { Store } from '../storage/store.ts'
import { systemUser } from '../users/user.ts'

export interface MarkInput {
  readonly app: App
  /** Who marks. */
  readonly uid: Uid
  readonly partner: Partner
  readonly kind: MarkKind
  /** The newest one, if it is left out. */
  readonly upTo?: MessageId
  readonly client: Client
}

export type MarkMessages = (input: MarkInput) => Promise<void>

const targetOf = (partner: Partner): Target =>
  partner.kind === 'group'
    ? { receiverType: 'group', receiver: partner.guid }
    : { receiverType: 'user', receiver: partner.uid }

const TO_ALL = { delivered: 'deliveredToAll', read: 'readByAll' } as const

export const makeMarkMessages =
  ({
    store,
    teller,
    live,
  }: {
    store: Pick<Store, 'marks'>
    teller: Teller
    live: Pick<Live, 'marked'>
  }): MarkMessages =>
  async ({ app: { id: appId, createdAt }, uid, client, ...which }) => {
    const actor = { kind: 'user' as const, appId, uid }
    const telling = teller.telling(client)
    const { conversationId, told, heard } = await store.marks.set({ actor, ...which, telling })
    teller.told(told, { appId, conversationId, sender: uid })
    if (heard === undefined) return
    const cause = { appId, deviceId: client.resource }
    const shared = { target: targetOf(which.partner), at: toSeconds(telling.nowMs) }
    for (const { kind: action, upTo: messageId } of heard.marks) {
      live.marked(cause, heard.by, { ...shared, action, messageId, from: uid, fromJson: heard.byJson })
    }
    const system = JSON.stringify(systemUser(createdAt))
    for (const { kind, upTo: messageId } of heard.toAll) {
      live.marked(cause, heard.by, { ...shared, action: TO_ALL[kind], messageId, from: SYSTEM_UID, fromJson: system })
    }
  }
