/** Mentioned users with what lists show of them on demand: their tags, and who has blocked whom. */
import type { Uid } from '@confab/protocol'
import type { Actor } from '../../../kernel/actor.ts'
import type { Tx } from '../seam.ts'
import { usersSeenBy, viewerOf } from '../users/relation-rows.ts'
import type { ViewedMessage } from './message-views.ts'

export interface MentionOptions {
  readonly mentionsWithTagInfo?: boolean
  /** As it stands with the acting user. */
  readonly mentionsWithBlockedInfo?: boolean
}

type Mentions = Record<string, Record<string, unknown>>

const mentionsOf = (data: string): Mentions | undefined =>
  data.includes('"mentions":') ? (JSON.parse(data) as { mentions?: Mentions }).mentions : undefined

const seenBy = async (tx: Tx, actor: Actor, uids: readonly Uid[]) => {
  const rows = await tx.query(
    usersSeenBy(tx, actor.appId, viewerOf(actor))
      .select(['users.uid', 'users.tags', 'mine.blocked_at as mine', 'theirs.blocked_at as theirs'])
      .where('users.uid', 'in', uids)
      .compile(),
  )
  return new Map<string, (typeof rows)[number]>(rows.map((row) => [row.uid, row]))
}

export const withMentions = async (
  tx: Tx,
  actor: Actor,
  rows: readonly ViewedMessage[],
  options: MentionOptions,
): Promise<readonly ViewedMessage[]> => {
  if (!options.mentionsWithTagInfo && !options.mentionsWithBlockedInfo) return rows
  const mentioned = rows.map(({ message }) => mentionsOf(message.data))
  const uids = [...new Set(mentioned.flatMap((mentions) => Object.keys(mentions ?? {})))] as Uid[]
  if (uids.length === 0) return rows
  const { mentionsWithTagInfo: withTags, mentionsWithBlockedInfo: withBlocks } = options
  const seen = await seenBy(tx, actor, uids)
  const shownAs = (uid: string, user: object): object => {
    const { tags = null, mine = null, theirs = null } = seen.get(uid) ?? {}
    return {
      ...user,
      ...(withTags && { tags: tags === null ? [] : (JSON.parse(tags) as string[]) }),
      ...(withBlocks && actor.kind === 'user' && { blockedByMe: mine !== null, hasBlockedMe: theirs !== null }),
    }
  }
  return rows.map((row, index) => {
    const mentions = mentioned[index]
    if (mentions === undefined) return row
    const shown = Object.entries(mentions).map(([uid, user]) => [uid, shownAs(uid, user)])
    const data = JSON.stringify({ ...JSON.parse(row.message.data), mentions: Object.fromEntries(shown) })
    return { ...row, message: { ...row.message, data } }
  })
}
