/** Data that comes from elsewhere, with the ids and the times that it has there. */
import { type Static, Type } from 'typebox'
import { GroupType, JsonObject, Scope, Tags } from './entities.ts'
import { defaultLimits, limits, upTo } from './limits.ts'

/** Beyond it somebody has sent milliseconds. */
const SECONDS_MAX = 9_999_999_999
const Time = Type.Integer({ minimum: 0, maximum: SECONDS_MAX, description: 'Unix seconds; digits in a string too.' })
const When = Type.Optional(Time)
const Identifier = (maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[A-Za-z0-9_-]+$', description: 'Folded to lower case.' })
const Uid = Identifier(limits.uidLength)
const Guid = Identifier(limits.guidLength)
const Url = Type.Optional(
  Type.String({ minLength: 1, ...upTo('maxLength', 'urlLength'), pattern: '^[A-Za-z][A-Za-z0-9+.-]*:\\S+$' }),
)
const Name = Type.String({ minLength: 1, ...upTo('maxLength', 'nameLength'), pattern: '\\S' })

export const ImportUser = Type.Object({
  uid: Uid,
  name: Name,
  avatar: Url,
  link: Url,
  role: Type.Optional(Identifier(limits.roleLength)),
  statusMessage: Type.Optional(Type.String({ ...upTo('maxLength', 'statusMessageLength') })),
  metadata: Type.Optional(JsonObject),
  tags: Type.Optional(Tags),
  createdAt: When,
  updatedAt: When,
  lastActiveAt: When,
  deactivatedAt: When,
})
export type ImportUser = Static<typeof ImportUser>

export const ImportGroup = Type.Object({
  guid: Guid,
  name: Name,
  type: GroupType,
  password: Type.Optional(Type.String({ maxLength: limits.groupPasswordLength })),
  icon: Url,
  description: Type.Optional(Type.String({ ...upTo('maxLength', 'groupDescriptionLength') })),
  owner: Type.Optional(Uid),
  metadata: Type.Optional(JsonObject),
  tags: Type.Optional(Tags),
  createdAt: When,
  updatedAt: When,
  groupOwnerDetails: Type.Optional(ImportUser),
})
export type ImportGroup = Static<typeof ImportGroup>

export const ImportMember = Type.Object({
  guid: Guid,
  uid: Uid,
  scope: Type.Optional(Scope),
  joinedAt: Time,
  isBanned: Type.Optional(Type.Boolean()),
  groupDetails: Type.Optional(ImportGroup),
  userDetails: Type.Optional(ImportUser),
})
export type ImportMember = Static<typeof ImportMember>

/** What is said of the content has documented codes of its own, as where messages are sent. */
export const ImportMessage = Type.Object({
  muid: Type.String({ minLength: 1, maxLength: limits.muidLength }),
  sender: Uid,
  receiver: Type.Optional(Type.String({ maxLength: limits.uidLength })),
  receiverType: Type.Optional(Type.String()),
  category: Type.Optional(Type.String({ maxLength: limits.messageTypeLength })),
  type: Type.Optional(Type.String({ maxLength: limits.messageTypeLength })),
  data: Type.Optional(Type.Unknown()),
  tags: Type.Optional(Tags),
  sentAt: Time,
  deliveredAt: When,
  readAt: When,
  updatedAt: When,
  editedAt: When,
  editedBy: Type.Optional(Uid),
  deletedAt: When,
  deletedBy: Type.Optional(Uid),
  parentMuid: Type.Optional(Type.String({ minLength: 1, maxLength: limits.muidLength })),
  parentSender: Type.Optional(Uid),
  senderUserDetails: Type.Optional(ImportUser),
  receiverUserDetails: Type.Optional(ImportUser),
  receiverGroupDetails: Type.Optional(ImportGroup),
  receiverGroupOwnerDetails: Type.Optional(ImportUser),
})
export type ImportMessage = Static<typeof ImportMessage>

/** Each row is looked at for itself, so that one that is wrong does not fail the others. */
const Rows = (what: string) =>
  Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Array(Type.Unknown())], {
    description: `${what}; at most ${defaultLimits.importRows} unless the server is set otherwise. As a list they need no keys.`,
  })
export const ImportUsers = Type.Object({ users: Rows('By uid') })
export const ImportGroups = Type.Object({ groups: Rows('By guid') })
export const ImportMembers = Type.Object({ members: Rows('By `<guid>_member_<uid>`') })
export const ImportMessages = Type.Object({ messages: Rows('By muid') })

export const ImportFailure = Type.Object({
  code: Type.String(),
  message: Type.String(),
  details: Type.Optional(Type.Record(Type.String(), Type.String())),
})

const result = {
  success: Type.Boolean(),
  existed: Type.Optional(
    Type.Literal(true, { description: 'It was there already, and nothing was changed: `data` is how it is.' }),
  ),
  error: Type.Optional(ImportFailure),
}
export const ImportedRow = Type.Object({ ...result, data: Type.Optional(Type.Object({ data: JsonObject })) })
export const ImportedMessage = Type.Object({ ...result, data: Type.Optional(JsonObject) })

export const importKinds = ['user', 'group', 'member', 'message'] as const
export type ImportKind = (typeof importKinds)[number]

/** What became of one line of a stream. */
export const ImportedLine = Type.Object(
  {
    line: Type.Integer({ description: 'From 1. Lines without anything have none.' }),
    success: Type.Boolean(),
    id: Type.Optional(Type.String({ description: 'The uid, guid, `<guid>_member_<uid>`, or id of the message.' })),
    existed: Type.Optional(Type.Literal(true)),
    error: Type.Optional(ImportFailure),
  },
  { title: 'ImportedLine' },
)
export type ImportedLine = Static<typeof ImportedLine>

export const ImportStream = Type.Object({
  fromLine: Type.Optional(Type.Integer({ minimum: 1, description: 'Lines before it are passed over.' })),
  onlyFailures: Type.Optional(
    Type.Boolean({
      description: 'Only lines that failed are answered: for clients that read when they have sent all.',
    }),
  ),
})
export type ImportStream = Static<typeof ImportStream>

// Metrics ---------------------------------------------------------------------------------------------------------

const Milliseconds = Type.Integer({ minimum: 0, description: 'Unix milliseconds, or seconds.' })
export const UsageOf = Type.Object({ fromDate: Milliseconds, toDate: Milliseconds })
export const Usage = Type.Object({
  metrics: Type.Object({
    audio_minutes: Type.Integer(),
    video_minutes: Type.Integer(),
    recorded_minutes: Type.Integer(),
    active_users: Type.Integer({ description: 'Who has sent, received or read something.' }),
    concurrent_users: Type.Integer({ description: 'Who is online now.' }),
  }),
  time_range: Type.Object({
    fromDate: Type.Integer({ description: 'Unix milliseconds.' }),
    toDate: Type.Integer({ description: 'Unix milliseconds.' }),
  }),
})
const DataPoint = Type.Object({
  messagesSent: Type.Integer(),
  readReceipts: Type.Integer(),
  deliveryReceipts: Type.Integer(),
  startTime: Type.String({ description: 'Unix milliseconds.' }),
  endTime: Type.String({ description: 'Unix milliseconds.' }),
})
export type DataPoint = Static<typeof DataPoint>
export const MessageMetrics = Type.Object({
  startTime: Type.String({ description: 'Unix milliseconds.' }),
  endTime: Type.String({ description: 'Unix milliseconds.' }),
  dataPoints: Type.Array(DataPoint, { description: 'Five minutes each, oldest first.' }),
  appId: Type.String(),
})
export type MessageMetrics = Static<typeof MessageMetrics>
