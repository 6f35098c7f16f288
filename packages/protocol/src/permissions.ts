/** What a role, or a scope in a group, may be kept from: every permission with the values that it takes. */
import { type Static, Type } from 'typebox'
import { saidCategories, UnixSeconds } from './entities.ts'

const yesOrNo = { dataType: 'string', values: ['allow', 'deny'], initial: 'allow' } as const
const mode = { dataType: 'string', values: ['all', 'friends'], initial: 'all' } as const
const listOf = <const V extends readonly string[]>(...values: V) =>
  ({ dataType: 'stringArray', values, initial: [] }) as const

/** An empty list of values: any text. An empty list that is set allows nothing; one that is not set, everything. */
interface PermissionRow {
  readonly dataType: 'string' | 'stringArray'
  readonly values: readonly string[]
  readonly initial: string | readonly string[]
  readonly title: string
}

const categories = listOf(...saidCategories, 'call')
const types = listOf()
const groupTypesOf = listOf('public', 'password', 'private')
const scopesOf = listOf('admin', 'moderator', 'participant')

export const rolePermissions = {
  createGroup: { ...yesOrNo, title: 'Create groups' },
  'createGroup.allowedGroupTypes': { ...groupTypesOf, title: 'Create groups of these types only' },
  listUsers: { ...yesOrNo, title: 'List users' },
  'listUsers.mode': { ...mode, title: 'List all users, or friends only' },
  'listUsers.allowedRoles': { ...types, title: 'List users of these roles only' },
  getUserDetails: { ...yesOrNo, title: 'Get the details of other users' },
  'getUserDetails.mode': { ...mode, title: 'Get the details of all users, or of friends only' },
  'getUserDetails.allowedRoles': { ...types, title: 'Get the details of users of these roles only' },
  sendMessage: { ...yesOrNo, title: 'Send messages' },
  'sendMessage.mode': { ...mode, title: 'Send messages to all users, or to friends only' },
  'sendMessage.allowedReceiverTypes': { ...listOf('user', 'group'), title: 'Send messages to these types only' },
  'sendMessage.allowedReceiverRoles': { ...types, title: 'Send messages to users of these roles only' },
  'sendMessage.allowedMessageTypes': { ...types, title: 'Send messages of these types only' },
  'sendMessage.allowedMessageCategories': { ...categories, title: 'Send messages of these categories only' },
  'sendMessage.allowedMimeTypes': { ...types, title: 'Send attachments of these MIME types only' },
  editMessage: { ...yesOrNo, title: 'Edit messages' },
  deleteMessage: { ...yesOrNo, title: 'Delete messages' },
  initiateCall: { ...yesOrNo, title: 'Initiate calls' },
  'initiateCall.mode': { ...mode, title: 'Call all users, or friends only' },
  'initiateCall.allowedReceiverRoles': { ...types, title: 'Call users of these roles only' },
  listGroups: { ...yesOrNo, title: 'List groups' },
  'listGroups.allowedGroupTypes': { ...groupTypesOf, title: 'List groups of these types only' },
  joinGroup: { ...yesOrNo, title: 'Join groups' },
  'joinGroup.allowedGroupTypes': { ...groupTypesOf, title: 'Join groups of these types only' },
  listMessages: { ...yesOrNo, title: 'List messages' },
  'listMessages.allowedMessageCategories': { ...categories, title: 'List messages of these categories only' },
  'listMessages.allowedMessageTypes': { ...types, title: 'List messages of these types only' },
} as const satisfies Record<string, PermissionRow>

export const scopePermissions = {
  sendMessage: { ...yesOrNo, title: 'Send messages in the group' },
  sendThreadedMessage: { ...yesOrNo, title: 'Send replies in threads of the group' },
  editMessage: { ...yesOrNo, title: 'Edit messages of the group' },
  listMembers: { ...yesOrNo, title: 'List the members of the group' },
  'listMembers.allowedScopes': { ...scopesOf, title: 'List members of these scopes only' },
  addReaction: { ...yesOrNo, title: 'React to messages of the group' },
  listReactions: { ...yesOrNo, title: 'List the reactions to messages of the group' },
  'listReactions.allowedScopes': { ...scopesOf, title: 'List the reactions of members of these scopes only' },
  initiateCall: { ...yesOrNo, values: ['allow', 'deny', 'friends'], title: 'Initiate calls in the group' },
  'initiateCall.allowedScopes': { ...scopesOf, title: 'Call members of these scopes only' },
  'initiateCall.allowedType': { ...listOf('audio', 'video'), title: 'Initiate calls of these types only' },
} as const satisfies Record<string, PermissionRow>

export type RolePermission = keyof typeof rolePermissions
export type ScopePermission = keyof typeof scopePermissions

type ValueOf<R extends PermissionRow> = R['dataType'] extends 'string' ? string : readonly string[]
/** What is set of them; what is not set is as by default. */
export type RolePermissions = { readonly [K in RolePermission]?: ValueOf<(typeof rolePermissions)[K]> }
export type ScopePermissions = { readonly [K in ScopePermission]?: ValueOf<(typeof scopePermissions)[K]> }

const PermissionValue = Type.Union([Type.String({ maxLength: 100 }), Type.Array(Type.String({ maxLength: 100 }))])
export const PermissionValues = Type.Record(Type.String(), PermissionValue, {
  description: 'By permission, what is set: a text or a list of texts.',
})

/** Names and values are those of the tables above: the server checks them, and names what is wrong. */
export const SetPermissions = Type.Object({ permissions: PermissionValues })
export type SetPermissions = Static<typeof SetPermissions>

export const Permission = Type.Object(
  {
    id: Type.String(),
    type: Type.Enum(['role', 'scope']),
    title: Type.String(),
    description: Type.String(),
    dataType: Type.Enum(['string', 'stringArray']),
    availableValues: Type.Array(Type.String(), { description: 'Empty: any text.' }),
    defaultValue: PermissionValue,
    value: Type.Optional(PermissionValue),
    createdAt: UnixSeconds,
    updatedAt: UnixSeconds,
  },
  { title: 'Permission' },
)
export type Permission = Static<typeof Permission>
