/** Whether somebody may say something, and change what they have said: blocks, their role, their scope in the group. */
import type { AppId, Guid, Uid } from '@confab/protocol'
import type { Draft } from '../../../messages/draft.ts'
import type { StoredMessage } from '../../../messages/message.ts'
import {
  mayDelete,
  mayEdit,
  mayEditInScope,
  maySend,
  maySendInScope,
  type Rights,
  sendsToFriendsOnly,
  type ToSend,
} from '../../../roles/permission.policy.ts'
import { type GroupRow, type Membership, membershipOf, requireGroup } from '../groups/group-rows.ts'
import type { Tx } from '../seam.ts'
import { assertNotBlocked } from '../users/relation-rows.ts'
import type { UserRow } from '../users/user-rows.ts'
import { areFriends, assertPermitted, rightsOf, scopePermissionsOf } from './role-rows.ts'

/** Of the attachments of a draft; undefined where one does not say. */
const mimeTypesOf = ({ dataHead }: Draft): (string | undefined)[] => {
  const { attachments = [] } = JSON.parse(`${dataHead}}`) as { attachments?: { mimeType?: unknown }[] }
  if (!Array.isArray(attachments)) return []
  return attachments.map((attachment) => (typeof attachment?.mimeType === 'string' ? attachment.mimeType : undefined))
}

const assertMaySend = (rights: Rights, draft: Draft, to: ToSend['to']): void => {
  const { category, type } = draft
  assertPermitted(maySend(rights, { category, type, mimeTypes: () => mimeTypesOf(draft), to }))
}

/** This runs for every message: what it reads is remembered, and friends are looked up only where they matter. */
export const assertMaySendToUser = async (
  tx: Tx,
  { app, sender, rights, draft }: { app: AppId; sender: Uid; rights: Rights; draft: Draft },
  receiver: UserRow,
): Promise<void> => {
  await assertNotBlocked(tx, app, sender, receiver.uid)
  const isFriend =
    receiver.uid === sender || !sendsToFriendsOnly(rights) || (await areFriends(tx, app, sender, receiver.uid))
  assertMaySend(rights, draft, { type: 'user', role: receiver.role, isFriend })
}

export const assertMaySendToGroup = (
  { rights, draft, isReply }: { rights: Rights; draft: Draft; isReply: boolean },
  group: GroupRow,
  membership: Membership | undefined,
): void => {
  assertMaySend(rights, draft, { type: 'group' })
  if (membership !== undefined) {
    assertPermitted(maySendInScope(scopePermissionsOf(group, membership.scope), { isReply }))
  }
}

export const assertMayChange = async (
  tx: Tx,
  { app, by, may }: { app: AppId; by: UserRow; may: 'edit' | 'delete' },
  message: StoredMessage,
): Promise<void> => {
  const rights = await rightsOf(tx, app, by)
  assertPermitted(may === 'edit' ? mayEdit(rights) : mayDelete(rights))
  if (may === 'delete' || message.receiverType !== 'group') return
  const guid = message.receiver as Guid
  const membership = await membershipOf(tx, app, guid, by.uid)
  if (membership === undefined) return
  assertPermitted(mayEditInScope(scopePermissionsOf(await requireGroup(tx, app, guid), membership.scope)))
}
