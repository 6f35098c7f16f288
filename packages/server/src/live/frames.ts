/**
 * What sessions are sent: one JSON object per frame. Clients drop a frame whose `deviceId` is their own, so everybody gets
 * every frame, and it carries the device that caused it.
 */
import type { AppId, ReceiverType } from '@confab/protocol'

export const frameTypes = [
  'auth',
  'message',
  'typing_indicator',
  'receipts',
  'transient_message',
  'presence',
  'reaction',
  'interaction_completed',
  'message_pinned',
  'message_unpinned',
  'message_saved',
  'message_unsaved',
  'conversation_pinned',
  'conversation_unpinned',
  'stream',
  'resumed',
] as const
export type FrameType = (typeof frameTypes)[number]

/** Of frames that no device has caused. */
export const SERVER_DEVICE = 'server'

export interface Envelope {
  readonly appId: AppId
  readonly type: FrameType
  readonly sender: string
  readonly receiver: string
  readonly receiverType: ReceiverType
  readonly deviceId: string
  /** Of receipts: who said what was received or read. */
  readonly messageSender?: string
}

/** @param body JSON */
export const frameOf = (envelope: Envelope, body: string): string =>
  `${JSON.stringify(envelope).slice(0, -1)},"body":${body}}`
