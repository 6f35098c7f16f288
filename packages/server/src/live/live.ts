/**
 * How what happens is seen at once: whoever has changed something says so here, after the commit. Nothing waits for it,
 * and nothing depends on it.
 */
import {
  type AppId,
  type Guid,
  type MessageId,
  type Reaction,
  type ReceiverType,
  SYSTEM_UID,
  type Uid,
  type User,
} from '@confab/protocol'
import type { Bus } from '../bus/bus.ts'
import { type Conversation, conversationJson } from '../conversations/conversation.ts'
import { messageJson, type StoredMessage, sharedView } from '../messages/message.ts'
import type { ViewedMessage } from '../storage/sql/messages/message-views.ts'
import { userEntity } from '../users/user.ts'
import { type Envelope, type FrameType, frameOf, SERVER_DEVICE } from './frames.ts'
import { encodeNews, type Head, newsOfGroup, newsOfPresence, newsOfUser, type Stale } from './news.ts'

/** In which app, and by which device: the `resource` of a request, or the device of a session. */
export interface Cause {
  readonly appId: AppId
  readonly deviceId: string
}

/** Whom something is said to. */
export interface Target {
  readonly receiverType: ReceiverType
  readonly receiver: string
}

export interface Mark {
  readonly action: 'delivered' | 'read' | 'deliveredToAll' | 'readByAll'
  readonly messageId: MessageId
  readonly target: Target
  /** Who has marked. */
  readonly from: Uid
  /** Their entity, JSON. */
  readonly fromJson: string
  /** Unix seconds. */
  readonly at: number
}

/** What somebody says or does that is not kept. */
export interface Passing {
  readonly from: Uid
  /** Their entity, JSON. */
  readonly fromJson: string
  readonly target: Target
}

export interface Live {
  /** A message, of whatever kind: also one that tells of an edit or of a member. */
  said(cause: Cause, message: StoredMessage, quoted?: StoredMessage): void
  /** Members have come and gone, and the message tells of it; without one, nobody is told but those who hold sessions. */
  moved(
    cause: Cause,
    move: { guid: Guid; entered?: readonly Uid[]; left?: readonly Uid[]; action?: StoredMessage },
  ): void
  groupGone(appId: AppId, guid: Guid): void
  reacted(cause: Cause, by: Uid, message: StoredMessage, reaction: Reaction, isRemoved: boolean): void
  /** To those who said what was received or read. */
  marked(cause: Cause, to: readonly Uid[], mark: Mark): void
  completed(
    cause: Cause,
    message: StoredMessage,
    by: User,
    interactions: readonly { elementId: string; interactedAt: number }[],
  ): void
  pinned(cause: Cause, by: Uid, viewed: ViewedMessage): void
  /** To the devices of the user alone, as they see it. */
  saved(cause: Cause, by: Uid, viewed: ViewedMessage): void
  /** To the devices of the user; by the app, to all members of the group. */
  conversationPinned(cause: Cause, by: Uid | undefined, conversation: Conversation): void
  typing(cause: Cause, passing: Passing, action: 'started' | 'ended', metadata?: string): void
  /** @param data JSON */
  transient(cause: Cause, passing: Passing, data: string): void
  /** What a bot has said so far of what it is saying. */
  streaming(cause: Cause, passing: Passing, stream: { id: string; text: string; isDone: boolean }): void
  cameOrWent(appId: AppId, user: User, isOnline: boolean, now: number): void
  /** Something that nodes remember of the user holds no more. */
  stale(appId: AppId, uid: Uid, what: Stale): void
}

const otherThan = (uid: Uid, { receiverType, receiver, sender }: StoredMessage): string =>
  receiverType === 'group' || sender === uid ? receiver : sender

const partiesOf = ({ sender, receiver }: StoredMessage): readonly Uid[] =>
  sender === receiver ? [sender] : [sender, receiver as Uid]

export const makeLive = ({ bus }: { bus: Pick<Bus, 'publish'> }): Live => {
  const toUser = (appId: AppId, uid: Uid, head: Head, frame?: () => string): void => {
    if (uid !== SYSTEM_UID) bus.publish(newsOfUser(appId, uid), () => encodeNews(head, frame?.()))
  }
  const toGroup = (appId: AppId, guid: Guid, head: Head, frame?: () => string): void =>
    bus.publish(newsOfGroup(appId, guid), () => encodeNews(head, frame?.()))

  /** Made at most once, and only if somebody may hear it. */
  const once = (make: () => string): (() => string) => {
    let made: string | undefined
    return () => {
      made ??= make()
      return made
    }
  }

  /** To everybody who takes part in the conversation of the message. */
  const toParties = (appId: AppId, message: StoredMessage, frame: () => string): void => {
    if (message.receiverType === 'group') toGroup(appId, message.receiver as Guid, {}, frame)
    else for (const uid of partiesOf(message)) toUser(appId, uid, {}, frame)
  }

  const messageFrame = ({ appId, deviceId }: Cause, message: StoredMessage, quoted?: StoredMessage): (() => string) =>
    once(() => {
      const { sender, receiver, receiverType } = message
      const view = quoted === undefined ? {} : { quoted }
      return frameOf(
        { appId, type: 'message', sender, receiver, receiverType, deviceId },
        messageJson(message, { withTags: true, view }),
      )
    })

  const aboutMessage = (cause: Cause, type: FrameType, by: Uid, message: StoredMessage): Envelope => ({
    ...cause,
    type,
    sender: by,
    receiver: otherThan(by, message),
    receiverType: message.receiverType,
  })

  /** What passes is for the others. */
  const toOthers = ({ appId }: Cause, { from, target }: Passing, more: Head, frame: () => string): void => {
    if (target.receiverType === 'user') toUser(appId, target.receiver as Uid, more, frame)
    else toGroup(appId, target.receiver as Guid, { ...more, except: [from] }, frame)
  }

  return {
    said: (cause, message, quoted) => toParties(cause.appId, message, messageFrame(cause, message, quoted)),

    moved: (cause, { guid, entered = [], left = [], action }) => {
      const { appId } = cause
      const frame = action && messageFrame(cause, action)
      for (const uid of entered) toUser(appId, uid, { enter: guid }, frame)
      for (const uid of left) toUser(appId, uid, { leave: guid }, frame)
      if (frame !== undefined) toGroup(appId, guid, { except: [...entered, ...left] }, frame)
    },

    groupGone: (appId, guid) => toGroup(appId, guid, { gone: true }),

    reacted: (cause, by, message, reaction, isRemoved) => {
      const { conversationId, parentId } = message
      const action = isRemoved ? 'message_reaction_removed' : 'message_reaction_added'
      const body = { action, ...reaction, conversationId, ...(parentId !== null && { parentMessageId: parentId }) }
      const envelope = aboutMessage(cause, 'reaction', by, message)
      toParties(
        cause.appId,
        message,
        once(() => frameOf(envelope, JSON.stringify(body))),
      )
    },

    marked: (cause, to, { action, messageId, target, from, fromJson, at }) => {
      for (const messageSender of to) {
        const receiver = target.receiverType === 'group' ? target.receiver : messageSender
        const envelope = { ...cause, type: 'receipts', sender: from, ...target, receiver, messageSender } as const
        toUser(cause.appId, messageSender, {}, () =>
          frameOf(envelope, `{"action":"${action}","messageId":"${messageId}","user":${fromJson},"timestamp":${at}}`),
        )
      }
    },

    completed: (cause, message, by, interactions) => {
      const envelope = aboutMessage(cause, 'interaction_completed', by.uid as Uid, message)
      toParties(
        cause.appId,
        message,
        once(() => frameOf(envelope, JSON.stringify({ messageId: message.id, user: by, interactions }))),
      )
    },

    pinned: (cause, by, { message, view }) => {
      const envelope = aboutMessage(
        cause,
        message.pinnedAt === null ? 'message_unpinned' : 'message_pinned',
        by,
        message,
      )
      toParties(
        cause.appId,
        message,
        once(() => frameOf(envelope, messageJson(message, { withTags: true, view: sharedView(view) }))),
      )
    },

    saved: (cause, by, { message, view }) => {
      const type = view.savedAt === undefined ? 'message_unsaved' : 'message_saved'
      const envelope = aboutMessage(cause, type, by, message)
      toUser(cause.appId, by, {}, () => frameOf(envelope, messageJson(message, { withTags: true, view })))
    },

    conversationPinned: (cause, by, conversation) => {
      const { conversationType: receiverType, conversationWith: partner } = conversation
      if (partner === undefined) return
      const envelope: Envelope = {
        ...cause,
        type: conversation.pinnedAt === undefined ? 'conversation_unpinned' : 'conversation_pinned',
        sender: by ?? SYSTEM_UID,
        receiver: 'guid' in partner ? partner.guid : partner.uid,
        receiverType,
      }
      const frame = once(() => frameOf(envelope, conversationJson(conversation, { withTags: true })))
      if (by !== undefined) toUser(cause.appId, by, {}, frame)
      else toGroup(cause.appId, envelope.receiver as Guid, {}, frame)
    },

    typing: (cause, passing, action, metadata) => {
      const { from: sender, fromJson, target } = passing
      const more = metadata === undefined ? '' : `,"metadata":${metadata}`
      toOthers(
        cause,
        passing,
        {},
        once(() =>
          frameOf(
            { ...cause, type: 'typing_indicator', sender, ...target },
            `{"action":"${action}","user":${fromJson}${more}}`,
          ),
        ),
      )
    },

    transient: (cause, passing, data) => {
      const { from: sender, fromJson, target } = passing
      toOthers(
        cause,
        passing,
        {},
        once(() =>
          frameOf({ ...cause, type: 'transient_message', sender, ...target }, `{"user":${fromJson},"data":${data}}`),
        ),
      )
    },

    streaming: (cause, passing, stream) => {
      const { from: sender, fromJson, target } = passing
      const body = once(() => JSON.stringify(stream))
      toOthers(
        cause,
        passing,
        { own: true },
        once(() => frameOf({ ...cause, type: 'stream', sender, ...target }, `{"user":${fromJson},"stream":${body()}}`)),
      )
      toOthers(
        cause,
        passing,
        { own: false },
        once(() =>
          frameOf(
            { ...cause, type: 'transient_message', sender, ...target },
            `{"user":${fromJson},"data":{"type":"confab_stream","stream":${body()}}}`,
          ),
        ),
      )
    },

    cameOrWent: (appId, user, isOnline, now) => {
      const uid = user.uid as Uid
      bus.publish(newsOfPresence(appId), () => {
        const body = {
          action: isOnline ? 'online' : 'offline',
          user: { ...userEntity(user), status: isOnline ? 'online' : 'offline' },
          timestamp: now,
        }
        const envelope: Envelope = {
          ...{ appId, type: 'presence', sender: uid, receiver: '', receiverType: 'user' },
          deviceId: SERVER_DEVICE,
        }
        return encodeNews({ about: { uid, role: user.role } }, frameOf(envelope, JSON.stringify(body)))
      })
    },

    stale: (appId, uid, what) => toUser(appId, uid, { stale: what }),
  }
}
