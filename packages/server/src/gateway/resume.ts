/**
 * What a client of our own has missed: every message of its user's conversations after the one that it names, those that
 * tell of edits, deletions and members included.
 *
 * In one conversation messages become visible in the order of their ids; across conversations two that are written at the
 * same time may not, where several write at once. So a client that says what it has `seen` of each conversation lately is
 * given what stands before `since`, too, if it has not seen that.
 */
import type { AuthFrame, MessageId } from '@confab/protocol'
import { frameOf, SERVER_DEVICE } from '../live/frames.ts'
import { messageJson } from '../messages/message.ts'
import type { ViewedMessage } from '../storage/sql/message-views.ts'
import type { Store } from '../storage/store.ts'
import type { Person } from './here.ts'

export type Wanted = NonNullable<AuthFrame['body']['confab']>

export interface Missed {
  readonly ids: ReadonlySet<MessageId>
  readonly frames: readonly string[]
}

/** How many messages before `since` are looked at; what takes longer to become visible than these to be written is late. */
const LOOK_BACK = 2000
const STEP = 500
/** Of more than these, the client fetches the rest as it fetches history: the last frame says so. */
const MAX_MISSED = 5000

const frame = (person: Person, { message, view }: ViewedMessage): string =>
  frameOf(
    {
      ...{ appId: person.appId, type: 'message', deviceId: SERVER_DEVICE },
      ...{ sender: message.sender, receiver: message.receiver, receiverType: message.receiverType },
    },
    messageJson(message, { withTags: true, view }),
  )

const resumed = (person: Person, upTo: number, isCut: boolean): string =>
  frameOf(
    {
      ...{ appId: person.appId, type: 'resumed', deviceId: SERVER_DEVICE },
      ...{ sender: person.uid, receiver: person.uid, receiverType: 'user' },
    },
    JSON.stringify({ upTo: String(upTo), isComplete: !isCut }),
  )

export type MissedBy = (person: Person, wanted: Wanted) => Promise<Missed>

export const makeMissedBy =
  ({ store }: { store: Pick<Store, 'messages'> }): MissedBy =>
  async (person, { since, seen }) => {
    const from = Number(since)
    if (!Number.isSafeInteger(from) || from < 0) return { ids: new Set(), frames: [] }
    const ids = new Set<MessageId>()
    const frames: string[] = []
    const actor = { kind: 'user' as const, appId: person.appId, uid: person.uid }
    const start = seen === undefined ? from : Math.max(0, from - LOOK_BACK)
    const isMissed = ({ message: { id, conversationId } }: ViewedMessage): boolean =>
      Number(id) > Number(seen?.[conversationId] ?? start)
    let after = start
    for (let hasMore = true; hasMore && frames.length < MAX_MISSED; ) {
      const page = await store.messages.list({
        ...{ actor, scope: { kind: 'all' }, filter: { withEdits: true }, options: {} },
        cursor: { affix: 'append', id: after, limit: STEP },
      })
      for (const row of page.rows.filter(isMissed)) {
        ids.add(row.message.id)
        frames.push(frame(person, row))
      }
      after = Number(page.rows.at(-1)?.message.id ?? after)
      hasMore = page.hasMore
      if (frames.length >= MAX_MISSED && hasMore) return { ids, frames: [...frames, resumed(person, after, true)] }
    }
    return { ids, frames: [...frames, resumed(person, Math.max(after, from), false)] }
  }
