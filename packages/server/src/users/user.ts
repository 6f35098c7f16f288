import { type ConversationId, SYSTEM_UID, type Uid, type User } from '@confab/protocol'

/** The app itself as a user: sender and actor where nobody else is named. */
export const systemUser = (createdAt: number): User => ({
  uid: SYSTEM_UID,
  name: 'System',
  status: 'offline',
  role: 'default',
  createdAt,
})

/** Of a user who was deleted, whoever has talked to them knows no more; clients want somebody to be there. */
export const goneUser = (uid: Uid, createdAt: number): User => ({
  uid,
  name: uid,
  status: 'offline',
  role: 'default',
  createdAt,
})

/** `userEntity` as JSON, with any conversation: most of it is the same in all. */
export const userEntityText = (user: User): ((conversationId?: ConversationId) => string) => {
  const { metadata, ...shown } = userEntity(user)
  const head = JSON.stringify(shown).slice(0, -1)
  const tail = metadata === undefined ? '}' : `,"metadata":${JSON.stringify(metadata)}}`
  return (conversationId) =>
    head + (conversationId === undefined ? '' : `,"conversationId":${JSON.stringify(conversationId)}`) + tail
}

/** A user as messages and callbacks show it: without tags, and without what its metadata marks as private. */
export const userEntity = (user: User, conversationId?: ConversationId): User => {
  const { tags: _tags, metadata, ...shown } = user
  const entity: User = conversationId === undefined ? shown : { ...shown, conversationId }
  if (metadata === undefined) return entity
  const { '@private': _private, ...open } = metadata
  return Object.keys(open).length === 0 ? entity : { ...entity, metadata: open }
}
