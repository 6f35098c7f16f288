/**
 * What the operations take. Unknown properties are ignored: clients send more than the contract names.
 * Only shapes are checked here; rules that have a documented code of their own live with their feature.
 */
import { type Static, type TSchema, Type } from 'typebox'
import { botSettingChanges } from './bot-settings.ts'
import {
  GivenGroupType,
  GroupChatSetting,
  givenKeyScopes,
  JsonObject,
  mediaTypes,
  Scope,
  scopes,
  Tags,
  User,
} from './entities.ts'
import { affixes, PageQuery } from './envelopes.ts'
import { limits, upTo } from './limits.ts'

const Identifier = (maxLength: number) =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: '^[A-Za-z0-9_-]+$',
    description: 'Letters, digits, _ and -; folded to lower case.',
  })
const Url = Type.String({
  minLength: 1,
  ...upTo('maxLength', 'urlLength'),
  pattern: '^[A-Za-z][A-Za-z0-9+.-]*:\\S+$',
  description: 'URL.',
})
const Name = Type.String({ minLength: 1, ...upTo('maxLength', 'nameLength'), pattern: '\\S' })
const Role = Type.String({ minLength: 1, maxLength: limits.roleLength, pattern: '^[A-Za-z0-9_-]+$' })
const Search = Type.Optional(Type.String({ maxLength: 255, description: 'What to search for.' }))
/** Lists in a query come as `a,b`, as repeated keys, or as `key[]`. */
const List = Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 }))
const Flag = Type.Optional(Type.Boolean())

// Users -----------------------------------------------------------------------------------------------------------

const profile = {
  avatar: Type.Optional(Url),
  link: Type.Optional(Url),
  role: Type.Optional(Role),
  statusMessage: Type.Optional(Type.String({ ...upTo('maxLength', 'statusMessageLength') })),
  metadata: Type.Optional(JsonObject),
  tags: Type.Optional(Tags),
}
export const CreateUser = Type.Object({
  uid: Identifier(limits.uidLength),
  name: Name,
  ...profile,
  withAuthToken: Type.Optional(Type.Boolean()),
})
export type CreateUser = Static<typeof CreateUser>

export const unsettableOfUser = ['avatar', 'link', 'metadata'] as const
export const UpdateUser = Type.Object({
  name: Type.Optional(Name),
  ...profile,
  unset: Type.Optional(Type.Array(Type.Enum(unsettableOfUser))),
})
export type UpdateUser = Static<typeof UpdateUser>

const Status = Type.Optional(
  Type.Enum(['available', 'offline', 'online'], { description: '`online` is another name of `available`.' }),
)

export const ListUsers = Type.Object({
  ...PageQuery,
  searchKey: Search,
  searchIn: List,
  status: Status,
  role: Type.Optional(Type.String()),
  roles: List,
  tags: List,
  withTags: Flag,
  count: Flag,
  onlyDeactivated: Flag,
  withDeactivated: Flag,
  uids: List,
  friendsOnly: Type.Optional(Type.Boolean({ description: 'Friends of the acting user.' })),
  hideBlockedUsers: Type.Optional(Type.Boolean({ description: 'Without those whom the acting user has blocked.' })),
  sortBy: Type.Optional(Type.Enum(['name', 'status'])),
  sortOrder: Type.Optional(Type.Enum(['asc', 'desc'])),
})
export type ListUsers = Static<typeof ListUsers>

/** What the SDKs send of a field that is empty. */
const emptied = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Literal(''), Type.Null()]))

export const ChangeMe = Type.Object({
  platform: Type.Optional(Type.String({ maxLength: 100, description: 'Of the device: kept with the auth token.' })),
  deviceId: Type.Optional(Type.String({ maxLength: 255, description: 'Kept as `appInfo.deviceId`.' })),
  appInfo: Type.Optional({
    ...JsonObject,
    description: 'Added to what the auth token says of its device, key by key.',
  }),
  name: Type.Optional(Name),
  avatar: emptied(Url),
  link: emptied(Url),
  statusMessage: emptied(Type.String({ ...upTo('maxLength', 'statusMessageLength') })),
  metadata: Type.Optional(JsonObject),
  tags: Type.Optional(Tags),
})
export type ChangeMe = Static<typeof ChangeMe>

const Uids = Type.Array(Type.String({ minLength: 1, maxLength: limits.uidLength }), {
  minItems: 1,
  ...upTo('maxItems', 'uidsPerCall'),
})
export const ReactivateUsers = Type.Object({ uidsToActivate: Uids })
export const DeactivateUsers = Type.Object({ uidsToDeactivate: Uids })
/** For operations that take their options in a body that may be left out. */
export const DeleteOptions = Type.Union([Type.Object({ permanent: Type.Optional(Type.Boolean()) }), Type.Null()])

// Auth tokens -----------------------------------------------------------------------------------------------------

const device = {
  platform: Type.Optional(Type.String({ maxLength: 100 })),
  userAgent: Type.Optional(Type.String({ maxLength: 1000 })),
  appInfo: Type.Optional(JsonObject),
}
export const CreateAuthToken = Type.Union([
  Type.Object({ force: Type.Optional(Type.Boolean()), ...device }),
  Type.Null(),
])
export const UpdateAuthToken = Type.Object(device)
export const ListPage = Type.Object(PageQuery)

// API keys --------------------------------------------------------------------------------------------------------

const KeyScope = Type.Enum(givenKeyScopes, {
  description: '`userauth` and `admin` are older names of `authOnly` and `fullAccess`.',
})
export const CreateApiKey = Type.Object({ name: Name, scope: Type.Optional(KeyScope) })
export const UpdateApiKey = Type.Object({ name: Type.Optional(Name), scope: Type.Optional(KeyScope) })
export const ListApiKeys = Type.Object({ ...PageQuery, scope: Type.Optional(KeyScope), searchKey: Search })

// Groups and members ----------------------------------------------------------------------------------------------

const MemberUids = Type.Array(Type.String({ minLength: 1, maxLength: limits.uidLength }), {
  ...upTo('maxItems', 'membersPerCall'),
})
/** Precedence where a uid stands in several lists: admins, moderators, participants. */
export const MemberLists = Type.Object({
  admins: Type.Optional(MemberUids),
  moderators: Type.Optional(MemberUids),
  participants: Type.Optional(MemberUids),
  usersToBan: Type.Optional(MemberUids),
})
export type MemberLists = Static<typeof MemberLists>

/** With lists members are added; without, the acting user joins. */
export const AddOrJoin = Type.Object({
  ...MemberLists.properties,
  password: Type.Optional(
    Type.String({ maxLength: limits.groupPasswordLength, description: 'Of a group of type password, to join it.' }),
  ),
})
export const TransferOwnership = Type.Object({ owner: Identifier(limits.uidLength) })

const groupProfile = {
  password: Type.Optional(Type.String({ maxLength: limits.groupPasswordLength })),
  icon: Type.Optional(Url),
  description: Type.Optional(Type.String({ ...upTo('maxLength', 'groupDescriptionLength') })),
  metadata: Type.Optional(JsonObject),
  owner: Type.Optional(Identifier(limits.uidLength)),
  tags: Type.Optional(Tags),
}
export const CreateGroup = Type.Object({
  guid: Identifier(limits.guidLength),
  name: Name,
  type: Type.Optional(GivenGroupType),
  ...groupProfile,
  members: Type.Optional(MemberLists),
})
export type CreateGroup = Static<typeof CreateGroup>

export const unsettableOfGroup = ['icon', 'description', 'metadata'] as const
export const UpdateGroup = Type.Object({
  name: Type.Optional(Name),
  type: Type.Optional(GivenGroupType),
  ...groupProfile,
  unset: Type.Optional(Type.Array(Type.Enum(unsettableOfGroup))),
})
export type UpdateGroup = Static<typeof UpdateGroup>

export const ListGroups = Type.Object({
  ...PageQuery,
  page: Type.Optional(Type.Integer({ minimum: 1 })),
  searchKey: Search,
  searchIn: List,
  sortBy: Type.Optional(Type.Enum(['name', 'guid', 'createdAt'])),
  sortOrder: Type.Optional(Type.Enum(['asc', 'desc'])),
  affix: Type.Optional(Type.Enum(affixes, { description: 'Lists groups by the time of their last change.' })),
  updatedAt: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Cursor: a time, itself left out. `append` unless `affix` is given.' }),
  ),
  type: Type.Optional(Type.String()),
  types: List,
  tags: List,
  withTags: Flag,
  hasJoined: Flag,
})
export type ListGroups = Static<typeof ListGroups>

export const ListMembers = Type.Object({
  ...PageQuery,
  searchKey: Search,
  scopes: Type.Optional(Type.Array(Type.Enum(scopes), { maxItems: 3 })),
  status: Status,
})
export type ListMembers = Static<typeof ListMembers>
export const ChangeScope = Type.Union([Type.Object({ scope: Type.Optional(Scope) }), Type.Null()])

// Messages --------------------------------------------------------------------------------------------------------

/** A bot is about to say something, or is not any more. */
export const BotTyping = Type.Object({
  receiver: Type.String({ minLength: 1 }),
  receiverType: Type.Enum(['user', 'group']),
  action: Type.Optional(Type.Enum(['started', 'ended'], { description: '`started` if it is left out.' })),
  metadata: Type.Optional(JsonObject),
})
export type BotTyping = Static<typeof BotTyping>

/** Receiver, category, type and data have documented codes of their own: `messages/message.ts` of the server checks them. */
export const SendMessage = Type.Object({
  receiver: Type.Optional(Type.String({ maxLength: limits.uidLength })),
  receiverType: Type.Optional(Type.String()),
  category: Type.Optional(Type.String({ maxLength: limits.messageTypeLength })),
  type: Type.Optional(Type.String({ maxLength: limits.messageTypeLength })),
  data: Type.Optional(Type.Unknown()),
  multipleReceivers: Type.Optional(
    Type.Object({
      uids: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: limits.uidLength }))),
      guids: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: limits.guidLength }))),
    }),
  ),
  tags: Type.Optional(Tags),
  muid: Type.Optional(Type.String({ minLength: 1, maxLength: limits.muidLength })),
  parentMessageId: Type.Optional(
    Type.Union([Type.String(), Type.Integer()], { description: 'Makes the message a reply in this thread.' }),
  ),
  quotedMessageId: Type.Optional(
    Type.Union([Type.String(), Type.Integer()], { description: 'A message of the same conversation.' }),
  ),
})
export type SendMessage = Static<typeof SendMessage>

export const EditMessage = Type.Object({ data: Type.Optional(Type.Unknown()), tags: Type.Optional(Tags) })
export type EditMessage = Static<typeof EditMessage>

export const ListMessages = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax'), default: limits.pageSize })),
  perPage: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax') })),
  per_page: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax') })),
  page: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Counted from the cursor, in its direction; from the beginning if there is none.',
    }),
  ),
  affix: Type.Optional(Type.Enum(affixes)),
  id: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'Cursor: a message id, itself left out.' })),
  sentAt: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Cursor by time; `id` decides where both are given.' }),
  ),
  searchKey: Search,
  receiverType: Type.Optional(Type.Enum(['user', 'group'])),
  conversationId: Type.Optional(Type.String({ maxLength: 255 })),
  sender: Type.Optional(Type.String({ maxLength: limits.uidLength })),
  category: Type.Optional(Type.String()),
  categories: List,
  type: Type.Optional(Type.String()),
  types: List,
  tags: List,
  withTags: Flag,
  hideDeleted: Flag,
  onlyDeleted: Flag,
  hideReplies: Flag,
  hideQuotedMessages: Flag,
  unread: Flag,
  undelivered: Flag,
  count: Type.Optional(Type.Boolean({ description: 'Answers counts of what is unread in place of messages.' })),
  hideMessagesFromBlockedUsers: Flag,
  hasAttachments: Flag,
  attachmentTypes: Type.Optional(Type.Array(Type.Enum(mediaTypes), { maxItems: 4 })),
  hasMentions: Flag,
  mentionedUids: List,
  hasLinks: Flag,
  hasReactions: Flag,
  pinned: Flag,
  saved: Flag,
  onlyInteractionGoalCompleted: Flag,
  onlyUpdates: Type.Optional(Type.Boolean({ description: 'What was edited or deleted, after `updatedAt`.' })),
  updatedAt: Type.Optional(Type.Integer({ minimum: 0 })),
  mentionsWithTagInfo: Flag,
  mentionsWithBlockedInfo: Flag,
  withThreadSubscribed: Flag,
  fromTimestamp: Type.Optional(Type.Integer({ minimum: 0 })),
  toTimestamp: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Ignored by `GET /messages` without `fromTimestamp`.' }),
  ),
})
export type ListMessages = Static<typeof ListMessages>
export const GetMessage = Type.Object({ withThreadSubscribed: Flag })

export const MarkInteracted = Type.Object({
  interactions: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
    minItems: 1,
    maxItems: limits.interactionsPerCall,
    description: 'Ids of elements of the message.',
  }),
})

const CursorId = Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$' }))
const Limit = Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax'), default: limits.pageSize }))
/** Where the path does not say it. */
export const AddReaction = Type.Object({
  reaction: Type.String({ minLength: 1, ...upTo('maxLength', 'reactionLength') }),
})
export type AddReaction = Static<typeof AddReaction>

export const ListReactions = Type.Object({
  limit: Limit,
  affix: Type.Optional(Type.Enum(affixes)),
  id: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'Cursor: a reaction, itself left out.' })),
})
export type ListReactions = Static<typeof ListReactions>

export const ListThreads = Type.Object({
  limit: Limit,
  affix: Type.Optional(Type.Enum(affixes)),
  id: CursorId,
  participatedByMe: Flag,
})
export type ListThreads = Static<typeof ListThreads>

// Conversations ---------------------------------------------------------------------------------------------------

export const ListConversations = Type.Object({
  ...PageQuery,
  conversationType: Type.Optional(Type.Enum(['user', 'group'])),
  searchKey: Search,
  tags: List,
  withTags: Flag,
  userTags: List,
  groupTags: List,
  withUserAndGroupTags: Flag,
  unread: Flag,
  includeBlockedUsers: Flag,
  withBlockedInfo: Flag,
  hideAgentic: Flag,
  onlyAgentic: Flag,
  pinnedBy: Type.Optional(Type.Array(Type.Enum(['me', 'system']), { maxItems: 2 })),
})
export type ListConversations = Static<typeof ListConversations>

export const TagConversation = Type.Object({ tags: Tags })
const MessageRef = Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[1-9][0-9]{0,14}$' })])
export const MarkConversation = Type.Union([
  Type.Object({
    messageId: Type.Optional(MessageRef),
  }),
  Type.Null(),
])
export const MarkUnread = Type.Object({ messageId: MessageRef })
export const ResetConversation = Type.Union([
  Type.Object({
    conversationWith: Type.Optional(Type.String({ maxLength: limits.uidLength })),
    deleteMessagesPermanently: Type.Optional(
      Type.Boolean({ description: 'For everybody, and for good; with an API key only.' }),
    ),
  }),
  Type.Null(),
])

// Bots ------------------------------------------------------------------------------------------------------------

const Credential = Type.String({ maxLength: limits.callbackCredentialLength })
const callback = {
  groupChatSetting: Type.Optional(GroupChatSetting),
  enabled: Type.Optional(Type.Boolean()),
  useBasicAuth: Type.Optional(Type.Boolean()),
  username: Type.Optional(Credential),
  password: Type.Optional(Credential),
  ...botSettingChanges,
}
const CallbackUrl = Type.String({
  minLength: 1,
  maxLength: limits.callbackUrlLength,
  description: 'http or https URL.',
})
/** Only a bot that fetches its updates needs no `webhookURL`. */
export const CreateBot = Type.Object({
  uid: Identifier(limits.botUidLength),
  webhookURL: Type.Optional(CallbackUrl),
  ...callback,
})
export type CreateBot = Static<typeof CreateBot>
export const UpdateBot = Type.Object({ webhookURL: Type.Optional(CallbackUrl), ...callback })
export type UpdateBot = Static<typeof UpdateBot>
/** The body may be left out. */
export const RotateSecret = Type.Union([
  Type.Object({
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: limits.secretOverlapSeconds,
        description: `How long the secret that is replaced signs too; ${limits.secretOverlapSecondsDefault} unless given.`,
      }),
    ),
  }),
  Type.Null(),
])
export type RotateSecret = Static<typeof RotateSecret>
export const ListBots = Type.Object({
  ...PageQuery,
  searchKey: Search,
  isAIBot: Type.Optional(Type.Boolean({ default: false })),
})
export type ListBots = Static<typeof ListBots>

/** Answer of a creation with members: the group, with what became of each member. */
export const MemberResult = Type.Object({
  success: Type.Boolean(),
  data: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
})
export const MemberResults = Type.Object({
  admins: Type.Record(Type.String(), MemberResult),
  moderators: Type.Record(Type.String(), MemberResult),
  participants: Type.Record(Type.String(), MemberResult),
  usersToBan: Type.Record(Type.String(), MemberResult),
})
export const BannedUser = User
