/**
 * What the contract's objects look like on the wire. Types, validation, serialisation and `/openapi.json` all come
 * from these schemas. Times are unix seconds unless a name ends in `Ms`.
 *
 * Vocabulary, one word each in code, API and prose:
 * - **App**: tenant; owns keys, users, groups and bots.
 * - **User**, **Bot**: a uid; a bot is a user with a callback.
 * - **Group**, **Member**, **Scope**: a guid; membership as `admin`, `moderator` or `participant`.
 * - **Webhook**: a URL that hears what happens in the whole app.
 * - **Conversation**: `{low}_user_{high}` or `group_{guid}`.
 * - **Message**: category, type and data.
 * - **Trigger**: what happened, as bots subscribe to it (`after_message`, …).
 * - **Callback**: a bot's URL with its credentials, secret and filters.
 * - **Delivery**: the duty to bring one trigger to one callback: `pending → delivered | dead | cancelled`.
 * - **Attempt**: one HTTP try of a delivery; append-only.
 * - **Lane**, **Lease**: the ordered deliveries of (bot, conversation); the right to work it.
 * - **Gateway**, **Session**: the WebSocket edge; one authenticated connection.
 * - **Store**, **Bus**: the durable port; the port for hints and fan-out.
 */
import { type Static, Type } from 'typebox'
import { botSettings } from './bot-settings.ts'
import { limits, upTo } from './limits.ts'

export const UnixSeconds = Type.Integer({ minimum: 0, description: 'Unix seconds.' })
export const JsonObject = Type.Record(Type.String(), Type.Unknown(), { description: 'Any JSON object.' })
export const Tags = Type.Array(Type.String({ minLength: 1, ...upTo('maxLength', 'tagLength') }), {
  ...upTo('maxItems', 'tags'),
  description: 'Free labels to search by.',
})

export const scopes = ['admin', 'moderator', 'participant'] as const
export const Scope = Type.Enum(scopes, { description: 'What a member may do in the group.' })
export type Scope = (typeof scopes)[number]

export const User = Type.Object(
  {
    uid: Type.String({ description: 'Chosen by the customer, folded to lower case.' }),
    name: Type.String(),
    avatar: Type.Optional(Type.String({ description: 'URL.' })),
    link: Type.Optional(Type.String({ description: 'URL.' })),
    metadata: Type.Optional(JsonObject),
    status: Type.Enum(['available', 'offline']),
    statusMessage: Type.Optional(Type.String()),
    role: Type.String({ description: '`default` unless set.' }),
    lastActiveAt: Type.Optional(UnixSeconds),
    createdAt: UnixSeconds,
    updatedAt: Type.Optional(UnixSeconds),
    deactivatedAt: Type.Optional(UnixSeconds),
    conversationId: Type.Optional(Type.String({ description: 'Of the conversation with the acting user.' })),
    tags: Type.Optional(Type.Array(Type.String())),
    authToken: Type.Optional(Type.String({ description: 'Only in the answer to a creation with `withAuthToken`.' })),
    scope: Type.Optional(Scope),
    joinedAt: Type.Optional(UnixSeconds),
    isBanned: Type.Optional(Type.Boolean({ description: 'From the group whose banned users are listed.' })),
    bannedAt: Type.Optional(UnixSeconds),
    blockedByMe: Type.Optional(Type.Boolean({ description: 'The acting user has blocked this one.' })),
    blockedByMeAt: Type.Optional(UnixSeconds),
    blockedAt: Type.Optional(UnixSeconds),
    hasBlockedMe: Type.Optional(Type.Boolean({ description: 'This one has blocked the acting user.' })),
  },
  { title: 'User' },
)
export type User = Static<typeof User>

export const groupTypes = ['public', 'password', 'private'] as const
export const GroupType = Type.Enum(groupTypes)
export type GroupType = (typeof groupTypes)[number]

/** Client SDKs have two words for the groups that ask for a password. */
export const GivenGroupType = Type.Enum([...groupTypes, 'protected'], {
  description: '`protected` is another name of `password`.',
})
export const groupTypeOf = (given: Static<typeof GivenGroupType>): GroupType =>
  given === 'protected' ? 'password' : given

export const Group = Type.Object(
  {
    guid: Type.String({ description: 'Chosen by the customer, folded to lower case.' }),
    name: Type.String(),
    description: Type.Optional(Type.String()),
    icon: Type.Optional(Type.String({ description: 'URL.' })),
    type: GroupType,
    metadata: Type.Optional(JsonObject),
    scope: Type.Optional(Scope),
    membersCount: Type.Integer(),
    joinedAt: Type.Optional(UnixSeconds),
    conversationId: Type.String(),
    hasJoined: Type.Optional(Type.Boolean({ description: 'Whether the acting user has joined.' })),
    createdAt: UnixSeconds,
    updatedAt: Type.Optional(UnixSeconds),
    updatedBy: Type.Optional(Type.String()),
    owner: Type.String(),
    tags: Type.Optional(Type.Array(Type.String())),
  },
  { title: 'Group' },
)
export type Group = Static<typeof Group>

export const groupChatSettings = ['none', 'allMessages', 'slashedMessages', 'mentionedMessages'] as const
export const GroupChatSetting = Type.Enum(groupChatSettings, {
  description: 'Which group messages are relayed to the bot. Messages sent to it one to one always are.',
})
export type GroupChatSetting = (typeof groupChatSettings)[number]

/** As the contract answers it: properties that are empty or false are left out. */
export const Bot = Type.Object(
  {
    uid: Type.String(),
    webhookURL: Type.Optional(
      Type.String({ description: 'The callback URL; a bot that fetches its updates may have none.' }),
    ),
    groupChatSetting: Type.Optional(GroupChatSetting),
    enabled: Type.Optional(Type.Literal(true)),
    useBasicAuth: Type.Optional(Type.Literal(true)),
    username: Type.Optional(Type.String()),
    password: Type.Optional(
      Type.String({ description: 'Never, unless the server is set to show it: `CONFAB_COMPAT_SHOW_BOT_PASSWORD`.' }),
    ),
    isAIBot: Type.Optional(Type.Literal(true)),
    ...botSettings,
    createdAt: UnixSeconds,
    updatedAt: Type.Optional(UnixSeconds),
    signingSecret: Type.Optional(
      Type.String({
        description: 'Verifies `webhook-signature`. Only in the answer to the creation of the bot and to a rotation.',
      }),
    ),
    previousSecretExpiresAt: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Until then the secret before signs too, unix seconds. Only in the answer to a rotation.',
      }),
    ),
  },
  { title: 'Bot' },
)
export type Bot = Static<typeof Bot>

export const receiverTypes = ['user', 'group'] as const
export type ReceiverType = (typeof receiverTypes)[number]

export const mediaTypes = ['image', 'audio', 'video', 'file'] as const
export type MediaType = (typeof mediaTypes)[number]

/** When an interactive message has been answered: which of its elements were used. */
export const interactionGoals = ['anyAction', 'anyOf', 'allOf', 'none'] as const

/** What somebody says; `agentic` is what an AI says of its work. */
export const saidCategories = ['message', 'custom', 'interactive', 'card', 'agentic'] as const
export type SaidCategory = (typeof saidCategories)[number]

export type MessageCategory = SaidCategory | 'action' | 'call'

export const Entity = Type.Object({
  entity: Type.Union([User, Group, JsonObject]),
  entityType: Type.Enum(['user', 'group', 'message', 'call']),
})

const ReactionCount = Type.Object({
  reaction: Type.String(),
  count: Type.Integer(),
  reactedByMe: Type.Optional(Type.Literal(true, { description: 'Left out unless the acting user has.' })),
})
const Interaction = Type.Object({ elementId: Type.String(), interactedAt: UnixSeconds })
const receipt = { deliveredAt: Type.Optional(UnixSeconds), readAt: Type.Optional(UnixSeconds) }

export const Message = Type.Object(
  {
    id: Type.String({ description: 'Decimal; grows with time.' }),
    muid: Type.Optional(Type.String({ description: 'The id that the sender gave.' })),
    conversationId: Type.String(),
    sender: Type.String(),
    receiverType: Type.Enum(receiverTypes),
    receiver: Type.String(),
    category: Type.String(),
    type: Type.String(),
    data: Type.Intersect([
      Type.Object({
        text: Type.Optional(Type.String()),
        metadata: Type.Optional(JsonObject),
        customData: Type.Optional(JsonObject),
        attachments: Type.Optional(Type.Array(JsonObject)),
        resource: Type.Optional(Type.String({ description: 'The client resource that sent the message.' })),
        action: Type.Optional(Type.String()),
        reactions: Type.Optional(Type.Array(ReactionCount)),
        interactions: Type.Optional(
          Type.Array(Interaction, {
            description: 'Of an interactive message: which elements the acting user has used.',
          }),
        ),
        mentions: Type.Optional(Type.Record(Type.String(), User)),
        entities: Type.Record(Type.String(), Entity, {
          description: 'Who took part, as they were when the message was sent.',
        }),
      }),
      JsonObject,
    ]),
    sentAt: UnixSeconds,
    deliveredAt: Type.Optional(Type.Integer({ minimum: 0, description: 'One to one: when the receiver had it.' })),
    readAt: Type.Optional(Type.Integer({ minimum: 0, description: 'One to one: when the receiver had read it.' })),
    updatedAt: UnixSeconds,
    editedAt: Type.Optional(UnixSeconds),
    editedBy: Type.Optional(Type.String()),
    deletedAt: Type.Optional(UnixSeconds),
    deletedBy: Type.Optional(Type.String()),
    parentId: Type.Optional(Type.String({ description: 'The root of the thread of a reply.' })),
    quotedMessageId: Type.Optional(Type.String()),
    quotedMessage: Type.Optional(JsonObject),
    replyCount: Type.Optional(Type.Integer({ description: 'Replies in its thread; left out for none.' })),
    pinnedAt: Type.Optional(UnixSeconds),
    pinnedBy: Type.Optional(Type.String()),
    savedAt: Type.Optional(Type.Integer({ minimum: 0, description: 'When the acting user saved it.' })),
    myReceipt: Type.Optional(Type.Object(receipt, { description: 'When the acting user received and read it.' })),
    receipts: Type.Optional(
      Type.Object(
        { data: Type.Array(Type.Object({ recipient: User, ...receipt })) },
        { description: 'Of one message.' },
      ),
    ),
    threadSubscribed: Type.Optional(Type.Boolean()),
    subscribed: Type.Optional(Type.Boolean({ description: 'In lists of threads.' })),
    unreadRepliesCount: Type.Optional(Type.Integer({ description: 'In lists of threads.' })),
    lastReply: Type.Optional(JsonObject),
    tags: Type.Optional(Type.Array(Type.String())),
  },
  { title: 'Message' },
)
export type Message = Static<typeof Message>

export const Reaction = Type.Object(
  {
    id: Type.String(),
    messageId: Type.String(),
    reaction: Type.String(),
    uid: Type.String(),
    reactedAt: UnixSeconds,
    reactedBy: Type.Optional(User),
  },
  { title: 'Reaction' },
)
export type Reaction = Static<typeof Reaction>

export const Conversation = Type.Object(
  {
    conversationId: Type.String(),
    conversationType: Type.Enum(receiverTypes),
    unreadMessageCount: Type.String({
      description: `A number up to ${limits.countMax}: what others said that is not read, not deleted and no reply.`,
    }),
    unreadMentionsCount: Type.String({ description: 'The same for messages that mention the acting user.' }),
    createdAt: UnixSeconds,
    updatedAt: UnixSeconds,
    lastReadMessageId: Type.Optional(Type.String()),
    latestMessageId: Type.Optional(Type.String()),
    lastMessage: Type.Optional(Message),
    conversationWith: Type.Optional(Type.Union([User, Group])),
    tags: Type.Optional(Type.Array(Type.String(), { description: 'The acting user’s own labels.' })),
    pinnedAt: Type.Optional(UnixSeconds),
    pinnedBy: Type.Optional(Type.Enum(['me', 'system'])),
  },
  { title: 'Conversation' },
)
export type Conversation = Static<typeof Conversation>

export const UnreadCount = Type.Object({
  entityType: Type.Enum(receiverTypes),
  entityId: Type.String({ description: 'The uid or guid.' }),
  count: Type.Integer(),
})

export const keyScopes = ['authOnly', 'fullAccess'] as const
export type KeyScope = (typeof keyScopes)[number]
/** What the documents called them before, and in places still do. */
const olderKeyScopes = { userauth: 'authOnly', admin: 'fullAccess' } as const satisfies Record<string, KeyScope>
export const givenKeyScopes = [...keyScopes, 'userauth', 'admin'] as const
type GivenKeyScope = (typeof givenKeyScopes)[number]
export const keyScopeOf = (given: GivenKeyScope): KeyScope =>
  given === 'userauth' || given === 'admin' ? olderKeyScopes[given] : given

export const ApiKey = Type.Object(
  {
    apiKey: Type.String({ description: '40 hexadecimal digits.' }),
    name: Type.String(),
    scope: Type.Enum(keyScopes),
    createdAt: UnixSeconds,
  },
  { title: 'ApiKey' },
)
export type ApiKey = Static<typeof ApiKey>

export const AuthToken = Type.Object(
  {
    uid: Type.String(),
    authToken: Type.String(),
    createdAt: UnixSeconds,
    platform: Type.Optional(Type.String()),
    userAgent: Type.Optional(Type.String()),
    appInfo: Type.Optional(JsonObject),
  },
  { title: 'AuthToken' },
)
export type AuthToken = Static<typeof AuthToken>
