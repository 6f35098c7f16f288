/**
 * What the owner of a bot may set beyond the contract: how its callbacks are made, and what it hears. What is not set
 * is as the server has it.
 */
import { type Static, type TSchema, Type } from 'typebox'
import { limits } from './limits.ts'

export const receiveModes = ['push', 'pull'] as const
export type ReceiveMode = (typeof receiveModes)[number]

export const poisonPolicies = ['skip', 'park'] as const
export type PoisonPolicy = (typeof poisonPolicies)[number]

/** Beside `after_message`, which every bot hears. */
export const optionalTriggers = [
  'message_edited',
  'message_deleted',
  'message_reaction_added',
  'message_reaction_removed',
  'message_interacted',
  'group_member_added',
  'group_member_kicked',
  'group_member_joined',
  'group_member_left',
] as const
export type OptionalTrigger = (typeof optionalTriggers)[number]

export const RetryPolicy = Type.Object({
  delaysSeconds: Type.Optional(
    Type.Array(Type.Number({ minimum: 0.01, maximum: limits.retryDelaySeconds }), {
      minItems: 1,
      maxItems: limits.retryDelays,
      description: 'How long to wait after the first, second, … failed attempt; the last one repeats.',
    }),
  ),
  giveUpAfterSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: limits.retryForSeconds,
      description: 'How long after the first attempt the last one is planned at most.',
    }),
  ),
})
export type RetryPolicy = Static<typeof RetryPolicy>

export const CircuitBreaker = Type.Object({
  failureRate: Type.Optional(
    Type.Number({ minimum: 0.01, maximum: 1, description: 'Opens when this share of the attempts of late failed.' }),
  ),
  minAttempts: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 10_000, description: 'Of fewer attempts nothing is concluded.' }),
  ),
  openSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 3600,
      description: 'How long until the first probe; twice as long after each that fails. 0: it never opens.',
    }),
  ),
})
export type CircuitBreaker = Static<typeof CircuitBreaker>

const settings = {
  receive: Type.Enum(receiveModes, {
    description: 'Whether the bot is called (`push`), or fetches its updates (`pull`).',
  }),
  timeoutSeconds: Type.Number({
    minimum: 1,
    maximum: limits.callbackTimeoutSeconds,
    description: 'What one attempt may take in all.',
  }),
  maxConcurrency: Type.Integer({
    minimum: 1,
    maximum: limits.botConcurrency,
    description: 'How many conversations may have a callback under way at the same time, on one node.',
  }),
  retryPolicy: RetryPolicy,
  circuitBreaker: CircuitBreaker,
  poisonPolicy: Type.Enum(poisonPolicies, {
    description:
      'When the attempts at a callback are used up: `skip` to the next one of the conversation, or `park` the conversation until somebody acts.',
  }),
  relayBotMessages: Type.Boolean({ description: 'Whether the bot hears other bots.' }),
  triggers: Type.Array(Type.Enum(optionalTriggers), {
    uniqueItems: true,
    description: 'What the bot hears beside messages.',
  }),
  allowCidrs: Type.Array(Type.String({ maxLength: 50 }), {
    maxItems: limits.botCidrs,
    description: 'Private address ranges that its callbacks may go to, of those that the server lets bots have.',
  }),
} as const

const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/** As they are answered: those that are set. */
export const botSettings = {
  receive: Type.Optional(settings.receive),
  timeoutSeconds: Type.Optional(settings.timeoutSeconds),
  maxConcurrency: Type.Optional(settings.maxConcurrency),
  retryPolicy: Type.Optional(settings.retryPolicy),
  circuitBreaker: Type.Optional(settings.circuitBreaker),
  poisonPolicy: Type.Optional(settings.poisonPolicy),
  relayBotMessages: Type.Optional(settings.relayBotMessages),
  triggers: Type.Optional(settings.triggers),
  allowCidrs: Type.Optional(settings.allowCidrs),
}
export const BotSettings = Type.Object(botSettings)
export type BotSettings = Static<typeof BotSettings>
export const botSettingNames = Object.keys(botSettings) as readonly (keyof BotSettings)[]

/** As they are changed: null takes a setting away. */
export const botSettingChanges = {
  receive: nullable(settings.receive),
  timeoutSeconds: nullable(settings.timeoutSeconds),
  maxConcurrency: nullable(settings.maxConcurrency),
  retryPolicy: nullable(settings.retryPolicy),
  circuitBreaker: nullable(settings.circuitBreaker),
  poisonPolicy: nullable(settings.poisonPolicy),
  relayBotMessages: nullable(settings.relayBotMessages),
  triggers: nullable(settings.triggers),
  allowCidrs: nullable(settings.allowCidrs),
}
export type BotSettingChanges = { readonly [Name in keyof BotSettings]?: BotSettings[Name] | null }
