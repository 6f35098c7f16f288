/** What a bot receives: the envelope of a callback and the headers beside it. */
import { type Static, Type } from 'typebox'
import { type OptionalTrigger, optionalTriggers } from './bot-settings.ts'
import { Message } from './entities.ts'

export const CHAT_API_VERSION = '3.0'

export const Origin = Type.Object({
  platform: Type.String({ description: 'What kind of client sent the message: `web`, `API`, …' }),
  language: Type.String(),
  resource: Type.String(),
})
export type Origin = Static<typeof Origin>

/** Key order is part of the contract. */
export const Callback = Type.Object(
  {
    trigger: Type.Literal('after_message'),
    data: Message,
    appId: Type.String(),
    origin: Origin,
    chatAPIVersion: Type.Literal(CHAT_API_VERSION),
    region: Type.String(),
    bot: Type.String({ description: 'The uid of the bot that is called.' }),
  },
  { title: 'Callback' },
)
export type Callback = Static<typeof Callback>

/** What bots hear of: messages, and what else they have asked for. */
export const triggers = ['after_message', ...optionalTriggers] as const
export type Trigger = 'after_message' | OptionalTrigger
/** Of the call that `POST /bots/{uid}/test` makes: no duty, and never stored. */
export const TEST_TRIGGER = 'confab_test'

/** Standard Webhooks headers, and ours. */
export const callbackHeaders = {
  /** Stable over retries and replays: what a receiver deduplicates by. */
  id: 'webhook-id',
  /** When this attempt was made, unix seconds. */
  timestamp: 'webhook-timestamp',
  /** `v1,<base64>` per valid secret, separated by spaces. */
  signature: 'webhook-signature',
  /** 1 for the first attempt of the delivery. */
  attempt: 'confab-attempt',
  /** Place in the lane, gap-free from 1. */
  sequence: 'confab-sequence',
  /** The sequence before this one, 0 for the first: a receiver that has not seen it has missed something. */
  previousSequence: 'confab-previous-sequence',
  trigger: 'confab-trigger',
  /** 0: a person spoke. 1: a bot that was told by a person; and so on. To be handed on in what is sent because of it. */
  hop: 'confab-hop',
} as const
