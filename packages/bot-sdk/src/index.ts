// Commonly used: a bot, and the API that it answers through.
export { type Bot, type BotOptions, createBot, type Incoming } from './bot.ts'
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
