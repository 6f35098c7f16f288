/** What clients say in an open session: that somebody types, what was received and read, and what is not kept. */
import { type ClientFrame, type Guid, parseGuid, parseMessageId, parseUid, type Uid } from '@confab/protocol'
import type { MarkMessages } from '../conversations/mark-messages.ts'
import type { Client } from '../kernel/client.ts'
import type { Cause, Live, Passing, Target } from '../live/live.ts'
import type { Partner } from '../storage/sql/conversations/conversation-rows.ts'
import type { Person } from './here.ts'
import type { Session } from './session.ts'

export type Heard = Exclude<ClientFrame, { action: 'ping' }>

export interface HearDeps {
  readonly live: Pick<Live, 'typing' | 'transient'>
  readonly mark: MarkMessages
  readonly onRefused: () => void
}

/** Receipts of one session are marked one after the other; of more than this many waiting, the newest are dropped. */
const MAX_RECEIPTS = 200

const targetOf = ({ receiver, receiverType }: Heard): Target | undefined => {
  try {
    return { receiverType, receiver: receiverType === 'group' ? parseGuid(receiver) : parseUid(receiver) }
  } catch {
    return undefined
  }
}

/**
 * Who is blocked is not heard, and hears nothing; in groups, members hear each other. What somebody has read is their own
 * business, too, whoever wrote it: the store sees to it that nobody hears of it who is not to.
 */
const mayReach = (person: Person, { receiverType, receiver }: Target, { type }: Heard): boolean =>
  receiverType === 'user'
    ? receiver !== person.uid && (type === 'receipts' || !person.blocked.has(receiver))
    : (person.groups as ReadonlySet<string>).has(receiver)

const partnerOf = ({ receiverType, receiver }: Target): Partner =>
  receiverType === 'group' ? { kind: 'group', guid: receiver as Guid } : { kind: 'user', uid: receiver as Uid }

const clientOf = ({ deviceId }: Session): Client => ({
  resource: deviceId,
  origin: { platform: 'WEBSOCKET', language: 'javascript', resource: deviceId },
  hop: 0,
})

export const makeHear = ({ live, mark, onRefused }: HearDeps) => {
  const waiting = new WeakMap<Session, { count: number; last: Promise<void> }>()

  const receipt = (session: Session, person: Person, target: Target, frame: Heard & { type: 'receipts' }): void => {
    const upTo = parseMessageId(String(frame.body.messageId))
    const queue = waiting.get(session) ?? { count: 0, last: Promise.resolve() }
    if (upTo === undefined || queue.count >= MAX_RECEIPTS) {
      onRefused()
      return
    }
    waiting.set(session, queue)
    queue.count += 1
    const { action: kind } = frame.body
    // One to one, clients name the sender of the message: that is whom the conversation is with.
    queue.last = queue.last
      .then(() =>
        mark({ app: person.app, uid: person.uid, partner: partnerOf(target), kind, upTo, client: clientOf(session) }),
      )
      .catch(onRefused)
      .finally(() => {
        queue.count -= 1
      })
  }

  return (session: Session, frame: Heard): void => {
    const { person } = session
    const target = targetOf(frame)
    if (person === undefined || target === undefined || !mayReach(person, target, frame)) {
      onRefused()
      return
    }
    const cause: Cause = { appId: person.appId, deviceId: session.deviceId }
    const passing: Passing = { from: person.uid as Uid, fromJson: person.json, target }
    switch (frame.type) {
      case 'typing_indicator': {
        const { action, metadata } = frame.body
        live.typing(cause, passing, action, metadata && JSON.stringify(metadata))
        break
      }
      case 'transient_message':
        live.transient(cause, passing, JSON.stringify(frame.body.data))
        break
      case 'receipts':
        receipt(session, person, target, frame)
        break
    }
  }
}
