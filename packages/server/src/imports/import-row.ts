/** One row of what is imported, checked and brought into the shape in which the store takes it. */
import {
  DEFAULT_ROLE,
  type Guid,
  type ImportGroup,
  type ImportKind,
  type ImportMember,
  type ImportMessage,
  type ImportUser,
  type Limits,
  parseGuid,
  parseUid,
  type ReceiverType,
  type Scope,
  SYSTEM_UID,
  type Uid,
} from '@confab/protocol'
import { noPassword } from '../groups/no-password.ts'
import { hashPassword } from '../groups/password.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { definedOf } from '../kernel/defined.ts'
import { jsonText, makeMetadataText } from '../kernel/json.ts'
import { type Draft, draftMessage, draftOfDeleted } from '../messages/draft.ts'
import type { GroupProfile } from '../storage/sql/groups/groups.ts'
import type { Profile } from '../storage/sql/users/users.ts'

export interface UserRow extends Profile {
  readonly uid: Uid
  readonly createdAt: number
  readonly updatedAt: number | null
  readonly lastActiveAt: number
  readonly deactivatedAt: number | null
}

export interface GroupRow extends GroupProfile {
  readonly guid: Guid
  readonly owner: Uid
  /** To be there before the group, unless they are. */
  readonly ownerDetails: UserRow | null
  readonly createdAt: number
  readonly updatedAt: number | null
}

export interface MemberRow {
  readonly guid: Guid
  readonly uid: Uid
  readonly scope: Scope
  readonly joinedAt: number
  readonly isBanned: boolean
  readonly group: GroupRow | null
  readonly user: UserRow | null
}

export interface MessageRow {
  readonly muid: string
  readonly sender: Uid
  readonly receiverType: ReceiverType
  readonly receiver: string
  readonly draft: Draft
  /** JSON, or nothing. */
  readonly tags: string | null
  readonly sentAt: number
  readonly deliveredAt: number | null
  readonly readAt: number | null
  readonly updatedAt: number
  readonly editedAt: number | null
  readonly editedBy: Uid | null
  readonly deletedAt: number | null
  readonly deletedBy: Uid | null
  readonly parent: { readonly muid: string; readonly sender: Uid | null } | null
  readonly senderDetails: UserRow | null
  readonly receiverUser: UserRow | null
  readonly receiverGroup: GroupRow | null
}

export type ImportRow =
  | { readonly kind: 'user'; readonly row: UserRow }
  | { readonly kind: 'group'; readonly row: GroupRow }
  | { readonly kind: 'member'; readonly row: MemberRow }
  | { readonly kind: 'message'; readonly row: MessageRow }

/** Each answers the row without what no schema names, or says what is wrong with it. */
export type RowChecks = Readonly<Record<ImportKind, (value: unknown) => unknown>>

/** Whole seconds as text, which other systems' exports are full of, become numbers; their length is checked after. */
const DIGITS = /^\d{1,15}$/
const DETAILS: ReadonlySet<string> = new Set([
  ...['groupOwnerDetails', 'groupDetails', 'userDetails', 'senderUserDetails', 'receiverUserDetails'],
  ...['receiverGroupDetails', 'receiverGroupOwnerDetails'],
])

const withNumbers = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key.endsWith('At') && typeof inner === 'string' && DIGITS.test(inner)) return [key, Number(inner)]
      return [key, DETAILS.has(key) ? withNumbers(inner) : inner]
    }),
  )
}

/** What rows are read by: unix seconds, for times that they do not say, and what this server takes. */
interface Reading {
  readonly now: number
  readonly limits: Limits
}

const metadataText = (metadata: unknown, { limits }: Reading): string | null =>
  makeMetadataText(limits.metadataBytes)(metadata)

const userRow = (user: ImportUser, reading: Reading): UserRow => {
  const uid = parseUid(user.uid)
  if (uid === SYSTEM_UID) throw new AppError('ERR_UID_ALREADY_EXISTS', { details: { uid: 'is the app itself' } })
  const { createdAt = reading.now } = user
  return {
    uid,
    name: user.name,
    avatar: user.avatar ?? null,
    link: user.link ?? null,
    role: user.role?.toLowerCase() ?? DEFAULT_ROLE,
    statusMessage: user.statusMessage ?? null,
    metadata: metadataText(user.metadata, reading),
    tags: jsonText(user.tags),
    createdAt,
    updatedAt: user.updatedAt ?? null,
    lastActiveAt: user.lastActiveAt ?? createdAt,
    deactivatedAt: user.deactivatedAt ?? null,
  }
}

const userOrNull = (user: ImportUser | undefined, reading: Reading): UserRow | null =>
  user === undefined ? null : userRow(user, reading)

const groupRow = async (
  group: ImportGroup,
  reading: Reading,
  ownerDetails = group.groupOwnerDetails,
): Promise<GroupRow> => {
  const { type, password } = group
  if (type === 'password' && !password) throw noPassword()
  return {
    guid: parseGuid(group.guid),
    name: group.name,
    type,
    passwordHash: type === 'password' && password ? await hashPassword(password) : null,
    icon: group.icon ?? null,
    description: group.description ?? null,
    metadata: metadataText(group.metadata, reading),
    tags: jsonText(group.tags),
    owner: group.owner === undefined ? SYSTEM_UID : parseUid(group.owner),
    ownerDetails: userOrNull(ownerDetails, reading),
    createdAt: group.createdAt ?? reading.now,
    updatedAt: group.updatedAt ?? null,
  }
}

const memberRow = async (member: ImportMember, reading: Reading): Promise<MemberRow> => ({
  guid: parseGuid(member.guid),
  uid: parseUid(member.uid),
  scope: member.scope ?? 'participant',
  joinedAt: member.joinedAt,
  isBanned: member.isBanned ?? false,
  group: member.groupDetails === undefined ? null : await groupRow(member.groupDetails, reading),
  user: userOrNull(member.userDetails, reading),
})

/** What was deleted elsewhere may have lost its content there. */
const draftOf = ({ category, type, data, deletedAt }: ImportMessage, { limits }: Reading): Draft => {
  const isEmpty = data === undefined || data === null || Object.keys(data).length === 0
  const shape = definedOf({ category, type })
  return deletedAt !== undefined && isEmpty ? draftOfDeleted(shape) : draftMessage({ ...shape, data }, limits)
}

const receiverOf = ({
  receiver = '',
  receiverType = '',
}: ImportMessage): Pick<MessageRow, 'receiver' | 'receiverType'> => {
  if (receiver.trim() === '') throw new AppError('ERR_EMPTY_RECEIVER', { details: { receiver: 'is required' } })
  if (receiverType !== 'user' && receiverType !== 'group') {
    throw new AppError('ERR_INVALID_RECEIVER_TYPE', { details: { receiverType: 'must be user or group' } })
  }
  return { receiverType, receiver: receiverType === 'group' ? parseGuid(receiver) : parseUid(receiver) }
}

const parentOf = ({ parentMuid: muid, parentSender }: ImportMessage): MessageRow['parent'] =>
  muid === undefined ? null : { muid, sender: parentSender === undefined ? null : parseUid(parentSender) }

const messageRow = async (message: ImportMessage, reading: Reading): Promise<MessageRow> => {
  const sender = parseUid(message.sender)
  const { sentAt, editedAt = null, deletedAt = null, editedBy, deletedBy, receiverGroupDetails: group } = message
  const { readAt = null } = message
  return {
    ...receiverOf(message),
    muid: message.muid,
    sender,
    draft: draftOf(message, reading),
    tags: jsonText(message.tags),
    sentAt,
    // What is read is delivered.
    deliveredAt: message.deliveredAt ?? readAt,
    readAt,
    updatedAt: message.updatedAt ?? Math.max(sentAt, editedAt ?? 0, deletedAt ?? 0),
    editedAt,
    editedBy: editedAt === null ? null : parseUid(editedBy ?? sender),
    deletedAt,
    deletedBy: deletedAt === null ? null : parseUid(deletedBy ?? sender),
    parent: parentOf(message),
    senderDetails: userOrNull(message.senderUserDetails, reading),
    receiverUser: userOrNull(message.receiverUserDetails, reading),
    receiverGroup: group === undefined ? null : await groupRow(group, reading, message.receiverGroupOwnerDetails),
  }
}

/** @param now unix seconds, for times that the row does not say */
export const makeReadRow = (checks: RowChecks, limits: Limits) => {
  const readers: { readonly [K in ImportKind]: (value: unknown, reading: Reading) => Promise<ImportRow> } = {
    user: async (value, reading) => ({ kind: 'user', row: userRow(checks.user(value) as ImportUser, reading) }),
    group: async (value, reading) => ({
      kind: 'group',
      row: await groupRow(checks.group(value) as ImportGroup, reading),
    }),
    member: async (value, reading) => ({
      kind: 'member',
      row: await memberRow(checks.member(value) as ImportMember, reading),
    }),
    message: async (value, reading) => ({
      kind: 'message',
      row: await messageRow(checks.message(value) as ImportMessage, reading),
    }),
  }
  return (kind: ImportKind, value: unknown, now: number): Promise<ImportRow> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return Promise.reject(badRequest({ [kind]: 'must be an object' }))
    }
    return readers[kind](withNumbers(value), { now, limits })
  }
}
