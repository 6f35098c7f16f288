/**
 * What roles, and scopes in groups, allow. Pure: the store asks inside the transaction that does it, and never for the
 * app itself. An answer is the name of what forbids, or nothing.
 */
import type { ReceiverType, RolePermissions, RoleSettings, ScopePermissions } from '@confab/protocol'

/** What a role says. */
export interface Rights {
  readonly settings: RoleSettings
  readonly permissions: RolePermissions
}

export type Denial = string | undefined

const denies = <P extends RolePermissions | ScopePermissions>(permissions: P, key: keyof P & string): Denial =>
  permissions[key] === 'deny' ? key : undefined

/** A list that is not set leaves out nothing. */
const leavesOut = (
  permissions: RolePermissions,
  key: keyof RolePermissions & `${string}.allowed${string}`,
  value: string | undefined,
): Denial => {
  const allowed = permissions[key]
  return allowed === undefined || (value !== undefined && allowed.includes(value)) ? undefined : key
}

export const mayCreateGroup = ({ permissions }: Rights, type: string): Denial =>
  denies(permissions, 'createGroup') ?? leavesOut(permissions, 'createGroup.allowedGroupTypes', type)

export const mayJoinGroup = ({ permissions }: Rights, type: string): Denial =>
  denies(permissions, 'joinGroup') ?? leavesOut(permissions, 'joinGroup.allowedGroupTypes', type)

export const mayEdit = ({ permissions }: Rights): Denial => denies(permissions, 'editMessage')
export const mayDelete = ({ permissions }: Rights): Denial => denies(permissions, 'deleteMessage')

/** Which users a list shows, if there is to be one. */
export interface UsersShown {
  readonly denial: Denial
  readonly friendsOnly: boolean
  readonly roles: readonly string[] | undefined
}

export const usersShown = ({ settings, permissions }: Rights): UsersShown => ({
  denial: denies(permissions, 'listUsers'),
  friendsOnly: settings.listUsers === 'friendsOnly' || permissions['listUsers.mode'] === 'friends',
  roles: permissions['listUsers.allowedRoles'],
})

/** The details of somebody else: one's own are open to everybody. */
export const mayGetUser = ({ permissions }: Rights, other: { role: string; isFriend: boolean }): Denial =>
  denies(permissions, 'getUserDetails') ??
  (permissions['getUserDetails.mode'] === 'friends' && !other.isFriend ? 'getUserDetails.mode' : undefined) ??
  leavesOut(permissions, 'getUserDetails.allowedRoles', other.role)

export const groupsShown = ({ permissions }: Rights): { denial: Denial; types: readonly string[] | undefined } => ({
  denial: denies(permissions, 'listGroups'),
  types: permissions['listGroups.allowedGroupTypes'],
})

export const messagesShown = ({
  permissions,
}: Rights): { denial: Denial; categories: readonly string[] | undefined; types: readonly string[] | undefined } => ({
  denial: denies(permissions, 'listMessages'),
  categories: permissions['listMessages.allowedMessageCategories'],
  types: permissions['listMessages.allowedMessageTypes'],
})

/** Whether it matters who the friends of the sender are. */
export const sendsToFriendsOnly = ({ settings, permissions }: Rights): boolean =>
  settings.sendMessagesTo === 'friendsOnly' || permissions['sendMessage.mode'] === 'friends'

export interface ToSend {
  readonly category: string
  readonly type: string
  /** Of the attachments; undefined where one does not say. Asked only if it matters. */
  readonly mimeTypes: () => readonly (string | undefined)[]
  readonly to:
    | { readonly type: Extract<ReceiverType, 'group'> }
    | { readonly type: Extract<ReceiverType, 'user'>; readonly role: string; readonly isFriend: boolean }
}

const maySendTo = (rights: Rights, { to }: ToSend): Denial => {
  const { settings, permissions } = rights
  const byType = leavesOut(permissions, 'sendMessage.allowedReceiverTypes', to.type)
  if (byType !== undefined || to.type === 'group') return byType
  if (!to.isFriend && permissions['sendMessage.mode'] === 'friends') return 'sendMessage.mode'
  if (!to.isFriend && settings.sendMessagesTo === 'friendsOnly') return 'sendMessagesTo'
  return leavesOut(permissions, 'sendMessage.allowedReceiverRoles', to.role)
}

export const maySend = (rights: Rights, message: ToSend): Denial => {
  const { permissions } = rights
  const byContent =
    denies(permissions, 'sendMessage') ??
    leavesOut(permissions, 'sendMessage.allowedMessageCategories', message.category) ??
    leavesOut(permissions, 'sendMessage.allowedMessageTypes', message.type)
  if (byContent !== undefined) return byContent
  if (permissions['sendMessage.allowedMimeTypes'] !== undefined) {
    const others = message
      .mimeTypes()
      .filter((type) => leavesOut(permissions, 'sendMessage.allowedMimeTypes', type) !== undefined)
    if (others.length > 0) return 'sendMessage.allowedMimeTypes'
  }
  return maySendTo(rights, message)
}

/** `other`: who is called, if it is no group. */
export const mayCall = (
  { settings, permissions }: Rights,
  other: { readonly role: string; readonly isFriend: boolean } | undefined,
): Denial => {
  const denied = denies(permissions, 'initiateCall')
  if (denied !== undefined || other === undefined) return denied
  if (!other.isFriend && permissions['initiateCall.mode'] === 'friends') return 'initiateCall.mode'
  if (!other.isFriend && settings.sendMessagesTo === 'friendsOnly') return 'sendMessagesTo'
  return leavesOut(permissions, 'initiateCall.allowedReceiverRoles', other.role)
}

// Scopes in a group -----------------------------------------------------------------------------------------------

/** Replies have a permission of their own: a group may be for announcements, with talk in threads. */
export const maySendInScope = (permissions: ScopePermissions, { isReply }: { isReply: boolean }): Denial =>
  denies(permissions, isReply ? 'sendThreadedMessage' : 'sendMessage')

export const mayEditInScope = (permissions: ScopePermissions): Denial => denies(permissions, 'editMessage')

/** `other`: a member who would take the call. Everybody in the group hears of it. */
export const mayCallInScope = (
  permissions: ScopePermissions,
  type: string,
  other?: { readonly scope: string; readonly isFriend: boolean },
): Denial => {
  const denied = denies(permissions, 'initiateCall')
  if (denied !== undefined) return denied
  const types = permissions['initiateCall.allowedType']
  if (types !== undefined && !types.includes(type)) return 'initiateCall.allowedType'
  if (other === undefined) return undefined
  if (permissions.initiateCall === 'friends' && !other.isFriend) return 'initiateCall'
  const scopes = permissions['initiateCall.allowedScopes']
  return scopes === undefined || scopes.includes(other.scope) ? undefined : 'initiateCall.allowedScopes'
}

export const membersShown = (
  permissions: ScopePermissions,
): { denial: Denial; scopes: readonly string[] | undefined } => ({
  denial: denies(permissions, 'listMembers'),
  scopes: permissions['listMembers.allowedScopes'],
})
