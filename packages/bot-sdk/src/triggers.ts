import type { Callback, Group, Message, OptionalTrigger, Reaction, TEST_TRIGGER, User } from '@confab/protocol'

/** What the callbacks of other triggers hold in `data`. */
export interface TriggerData {
  readonly message_edited: MessageChange
  readonly message_deleted: MessageChange
  readonly message_reaction_added: ReactionChange
  readonly message_reaction_removed: ReactionChange
  readonly message_interacted: Interaction
  readonly group_member_added: MemberChange
  readonly group_member_kicked: MemberChange
  readonly group_member_joined: Omit<MemberChange, 'by'>
  readonly group_member_left: Omit<MemberChange, 'by'>
}

export interface MessageChange {
  /** Tells of the change: its sender did it, and `data.entities.on.entity` is the message that was changed. */
  readonly message: Message
}

export interface ReactionChange {
  readonly reaction: Reaction
}

export interface Interaction {
  readonly messageId: string
  readonly user: User
  /** All that the user has done with the message. */
  readonly interactions: readonly { readonly elementId: string; readonly interactedAt: number }[]
}

export interface MemberChange {
  readonly group: Group
  /** Who came or went, by uid. */
  readonly members: Readonly<Record<string, User>>
  /** Who did it; the app itself is `app_system`. */
  readonly by: User
}

interface Envelope<T extends string, D> extends Omit<Callback, 'trigger' | 'data'> {
  readonly trigger: T
  readonly data: D
}

/** A callback of something else than a message. */
export type TriggerCallback = { [T in OptionalTrigger]: Envelope<T, TriggerData[T]> }[OptionalTrigger]

/** Whatever the server may send. */
export type AnyCallback = Callback | TriggerCallback | Envelope<typeof TEST_TRIGGER, { readonly text: string }>
