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
import type { ViewedMessage } from '../storage/sql/messages/message-views.ts'
import type { Store } from '../storage/store.ts'
import type { Person } from './here.ts'

export type Wanted = NonNullable<AuthFrame['body']['confab']>

/** A page of it. */
export interface Missed {
  readonly ids: readonly MessageId[]
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

/** Page by page, for clients that read slowly. */
export type MissedBy = (person: Person, wanted: Wanted) => AsyncGenerator<Missed>

export const makeMissedBy = ({ store }: { store: Pick<Store, 'messages'> }): MissedBy =>
  async function* missedBy(person, { since, seen }) {
    const from = Number(since)
    if (!Number.isSafeInteger(from) || from < 0) return
    const actor = { kind: 'user' as const, appId: person.appId, uid: person.uid }
    const start = seen === undefined ? from : Math.max(0, from - LOOK_BACK)
    const isMissed = ({ message: { id, conversationId } }: ViewedMessage): boolean =>
      Number(id) > Number(seen?.[conversationId] ?? start)
    let after = start
    let count = 0
    for (let hasMore = true; hasMore && count < MAX_MISSED; ) {
      const page = await store.messages.list({
        ...{ actor, scope: { kind: 'all' }, filter: { withEdits: true }, options: {} },
        cursor: { affix: 'append', id: after, limit: STEP },
      })
      const rows = page.rows.filter(isMissed)
      yield { ids: rows.map(({ message }) => message.id), frames: rows.map((row) => frame(person, row)) }
      count += rows.length
      after = Number(page.rows.at(-1)?.message.id ?? after)
      hasMore = page.hasMore
      if (hasMore && count >= MAX_MISSED) {
        yield { ids: [], frames: [resumed(person, after, true)] }
        return
      }
    }
    yield { ids: [], frames: [resumed(person, Math.max(after, from), false)] }
  }
