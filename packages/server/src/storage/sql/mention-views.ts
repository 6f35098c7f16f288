/** Mentioned users with what lists show of them on demand: their tags, and who has blocked whom. */
import type { Uid } from '@confab/protocol'
import type { Actor } from '../../kernel/actor.ts'
import type { ViewedMessage } from './message-views.ts'
import type { Tx } from './seam.ts'

export interface MentionOptions {
  readonly mentionsWithTagInfo?: boolean
  /** As it stands with the acting user. */
  readonly mentionsWithBlockedInfo?: boolean
}

type Mentions = Record<string, Record<string, unknown>>

const mentionsOf = (data: string): Mentions | undefined =>
  data.includes('"mentions":') ? (JSON.parse(data) as { mentions?: Mentions }).mentions : undefined

const tagsOf = async (tx: Tx, { appId }: Actor, uids: readonly Uid[]): Promise<ReadonlyMap<string, string[]>> => {
  const query = tx.build.selectFrom('users').select(['uid', 'tags']).where('app_id', '=', appId)
  const rows = await tx.query(query.where('uid', 'in', uids).compile())
  return new Map(rows.map(({ uid, tags }) => [uid, tags === null ? [] : (JSON.parse(tags) as string[])]))
}

const blocksOf = async (tx: Tx, actor: Actor, uids: readonly Uid[]) => {
  if (actor.kind === 'app') return undefined
  const { appId, uid } = actor
  const blocks = tx.build.selectFrom('blocked_users').select(['uid', 'blocked_uid']).where('app_id', '=', appId)
  const byMe = await tx.query(blocks.where('uid', '=', uid).where('blocked_uid', 'in', uids).compile())
  const ofMe = await tx.query(blocks.where('blocked_uid', '=', uid).where('uid', 'in', uids).compile())
  return { byMe: new Set(byMe.map((row) => row.blocked_uid)), ofMe: new Set(ofMe.map((row) => row.uid)) }
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
  const tags = options.mentionsWithTagInfo ? await tagsOf(tx, actor, uids) : undefined
  const blocks = options.mentionsWithBlockedInfo ? await blocksOf(tx, actor, uids) : undefined
  return rows.map((row, index) => {
    const mentions = mentioned[index]
    if (mentions === undefined) return row
    const shown = Object.entries(mentions).map(([uid, user]) => [
      uid,
      {
        ...user,
        ...(tags && { tags: tags.get(uid) ?? [] }),
        ...(blocks && { blockedByMe: blocks.byMe.has(uid as Uid), hasBlockedMe: blocks.ofMe.has(uid as Uid) }),
      },
    ])
    const data = JSON.stringify({ ...JSON.parse(row.message.data), mentions: Object.fromEntries(shown) })
    return { ...row, message: { ...row.message, data } }
  })
}
