/**
 * What nodes tell each other so that sessions see at once what happens: frames for the sessions of a user or of the members
 * of a group, and what changes about who is to see what. Hints only: whoever misses one asks the store.
 */
import type { AppId, Guid, Uid } from '@confab/protocol'

/** What it is about a user that a node must ask the store for again. */
export type Stale = 'user' | 'relations' | 'credentials'

/** What comes with a frame, or without one. */
export interface Head {
  /** They have it already. */
  readonly except?: readonly Uid[]
  /** The user is a member of this group from now on. */
  readonly enter?: Guid
  /** The user is no member of this group any more. */
  readonly leave?: Guid
  readonly stale?: Stale
  /** The group is gone. */
  readonly gone?: true
  /** Whose presence it is: it is for those who have asked for it. */
  readonly about?: { readonly uid: Uid; readonly role: string }
  /** Only for sessions that have asked for frames of our own, or only for those that have not. */
  readonly own?: boolean
}

export const newsOfUser = (app: AppId, uid: Uid): string => `live.user.${app}.${uid}`
export const newsOfGroup = (app: AppId, guid: Guid): string => `live.group.${app}.${guid}`
export const newsOfPresence = (app: AppId): string => `live.presence.${app}`

const noHead: Head = {}

/** The head is JSON, which has no line breaks. */
export const encodeNews = (head: Head, frame = ''): string =>
  `${head === noHead || Object.keys(head).length === 0 ? '' : JSON.stringify(head)}\n${frame}`

export const decodeNews = (news: string): { head: Head; frame: string } => {
  const end = news.indexOf('\n')
  return { head: end === 0 ? noHead : (JSON.parse(news.slice(0, end)) as Head), frame: news.slice(end + 1) }
}
