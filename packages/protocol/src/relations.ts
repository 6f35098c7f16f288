/** What users are to each other: friends, and those whom they have blocked. */
import { type Static, Type } from 'typebox'
import { User } from './entities.ts'
import { PageQuery, Pagination, TimeCursor } from './envelopes.ts'
import { limits, upTo } from './limits.ts'

const Uids = Type.Array(Type.String({ minLength: 1, maxLength: limits.uidLength }), {
  minItems: 1,
  ...upTo('maxItems', 'uidsPerCall'),
})
const Search = Type.Optional(Type.String({ maxLength: 255, description: 'What to search for.' }))

export const AddFriends = Type.Object({
  accepted: Uids,
  addToConversations: Type.Optional(
    Type.Boolean({ description: 'Begins the conversation of the two, before anything is said in it.' }),
  ),
})
export const RemoveFriends = Type.Object({ friends: Uids })
export const ListFriends = Type.Object({ ...PageQuery, searchKey: Search })

export const BlockUsers = Type.Object({ blockedUids: Uids })
export const blockDirections = ['blockedByMe', 'hasBlockedMe', 'both'] as const
export type BlockDirection = (typeof blockDirections)[number]
export const ListBlockedUsers = Type.Object({
  ...PageQuery,
  searchKey: Search,
  direction: Type.Optional(
    Type.Enum(blockDirections, { description: 'Who has blocked whom; `blockedByMe` unless given.' }),
  ),
})
export type ListBlockedUsers = Static<typeof ListBlockedUsers>

/** What became of one of several. */
export const Outcome = Type.Object({
  success: Type.Boolean(),
  message: Type.String(),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
})
export type Outcome = Static<typeof Outcome>
export const Outcomes = Type.Record(Type.String(), Outcome, { description: 'What became of each.' })

/** Lists of friends and of blocked users carry their cursor within `meta`. */
export const RelatedUsers = Type.Object({
  data: Type.Array(User),
  meta: Type.Object({ pagination: Pagination, cursor: Type.Optional(TimeCursor) }),
})
