// Commonly used: a bot, and the API that it answers through.
export { type Bot, type BotOptions, createBot } from './bot.ts'
// With a web framework of your own.
export { CallbackRefusedError, type Headers, type VerifiedCallback, verifyCallback } from './callback.ts'
export {
  type ClientOptions,
  ConfabClient,
  ConfabError,
  ConfabUnreachableError,
  type Outgoing,
  type Receiver,
  type RequestOptions,
} from './client.ts'
export type { Incoming, IncomingTrigger } from './incoming.ts'
export type { AnyCallback, MemberChange, MessageChange, TriggerCallback, TriggerData } from './triggers.ts'
