/** Webhooks: what an app hears of everything that happens in it, posted to a URL. */
import { type Static, Type } from 'typebox'
import { botSettingChanges, botSettings } from './bot-settings.ts'
import { UnixSeconds } from './entities.ts'
import { PageQuery } from './envelopes.ts'
import type { Uid } from './ids.ts'
import { limits } from './limits.ts'

/** `legacy`: the envelope of bots, with origin and version. `before`: asked before the message is accepted. */
export interface WebhookTriggerRow {
  readonly style: 'new' | 'legacy' | 'before'
  readonly description: string
}
const row = (description: string, style: WebhookTriggerRow['style'] = 'new'): WebhookTriggerRow => ({
  style,
  description,
})

export const webhookTriggers = {
  message_sent: row('A message was sent.'),
  message_edited: row('A message was edited.'),
  message_deleted: row('A message was deleted.'),
  message_delivery_receipt: row('A message was delivered to a receiver.'),
  message_read_receipt: row('A message was read by a receiver.'),
  message_reaction_added: row('Somebody reacted to a message.'),
  message_reaction_removed: row('Somebody took a reaction back.'),
  message_interacted: row('Somebody used elements of an interactive message.'),
  user_mentioned: row('A message mentions users.'),
  user_blocked: row('A user blocked others.'),
  user_unblocked: row('A user unblocked others.'),
  user_connection_status_changed: row('A user came online or went offline.'),
  group_created: row('A group was created.'),
  group_updated: row('A group was changed.'),
  group_deleted: row('A group was deleted.'),
  group_owner_transferred: row('A group has another owner.'),
  group_member_added: row('Members were added to a group.'),
  group_member_removed: row('A member was removed from a group.'),
  group_member_joined: row('A user joined a group.'),
  group_member_left: row('A member left a group.'),
  group_member_kicked: row('A member was kicked from a group.'),
  group_member_banned: row('Users were banned from a group.'),
  group_member_unbanned: row('A user was unbanned from a group.'),
  group_member_scope_changed: row('A member has another scope.'),
  call_initiated: row('A call was initiated.'),
  call_started: row('A call started.'),
  call_ended: row('A call ended.'),
  call_participant_joined: row('Somebody joined a call.'),
  call_participant_left: row('Somebody left a call.'),
  call_busy: row('The callee was busy.'),
  call_cancelled: row('A call was cancelled.'),
  call_rejected: row('A call was rejected.'),
  call_unanswered: row('A call was not answered.'),
  meeting_started: row('A meeting started.'),
  meeting_ended: row('A meeting ended.'),
  meeting_participant_joined: row('Somebody joined a meeting.'),
  meeting_participant_left: row('Somebody left a meeting.'),
  recording_generated: row('A recording is ready.'),
  transcription_generated: row('A transcription is ready.'),
  moderation_engine_approved: row('Moderation let a message through.'),
  moderation_engine_blocked: row('Moderation blocked a message.'),
  moderation_manual_approved: row('A moderator let a message through.'),
  moderation_engine_failed: row('Moderation failed.'),
  after_campaign_completed: row('A campaign has come to its end.'),
  after_campaign_failed: row('A campaign failed.'),
  after_notification_created: row('A notification was created.'),
  after_feed_item_sent: row('A feed item was sent.'),
  after_feed_item_delivered: row('A feed item was delivered.'),
  after_feed_item_read: row('A feed item was read.'),
  after_feed_item_interacted: row('Somebody used a feed item.'),
  after_push_notification_sent: row('A push notification was sent.'),
  after_push_notification_delivered: row('A push notification was delivered.'),
  after_push_notification_clicked: row('Somebody opened a push notification.'),
  before_message: row('Asked before a message is accepted; the answer may change or refuse it.', 'before'),
  after_message: row('A message was sent; the older form.', 'legacy'),
  user_connection_status_change: row('A user came online or went offline; the older form.', 'legacy'),
} as const satisfies Record<string, WebhookTriggerRow>

export type WebhookTrigger = keyof typeof webhookTriggers
export const isWebhookTrigger = (text: string): text is WebhookTrigger => Object.hasOwn(webhookTriggers, text)

const PREFIX = 'webhook:'
/** The key of a webhook among those that are called. No uid has a colon. */
export const webhookKey = (id: string): Uid => `${PREFIX}${id}` as Uid
export const webhookIdOf = (key: string): string | undefined =>
  key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined

const { timeoutSeconds, maxConcurrency, retryPolicy, circuitBreaker, poisonPolicy, allowCidrs } = botSettings
export const webhookSettings = {
  timeoutSeconds,
  maxConcurrency,
  retryPolicy,
  circuitBreaker,
  poisonPolicy,
  allowCidrs,
}
export const webhookSettingNames = Object.keys(webhookSettings) as readonly (keyof typeof webhookSettings)[]
const changes = {
  timeoutSeconds: botSettingChanges.timeoutSeconds,
  maxConcurrency: botSettingChanges.maxConcurrency,
  retryPolicy: botSettingChanges.retryPolicy,
  circuitBreaker: botSettingChanges.circuitBreaker,
  poisonPolicy: botSettingChanges.poisonPolicy,
  allowCidrs: botSettingChanges.allowCidrs,
}

export const Webhook = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    webhookURL: Type.String(),
    enabled: Type.Boolean(),
    useBasicAuth: Type.Boolean(),
    username: Type.Optional(Type.String()),
    password: Type.Optional(
      Type.String({ description: 'Never, unless the server is set to show it: `CONFAB_COMPAT_SHOW_BOT_PASSWORD`.' }),
    ),
    retryOnFailure: Type.Boolean(),
    ...webhookSettings,
    createdAt: UnixSeconds,
    updatedAt: UnixSeconds,
    signingSecret: Type.Optional(
      Type.String({ description: 'Verifies `webhook-signature`. Only in the answers to creation and rotation.' }),
    ),
    previousSecretExpiresAt: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Until then the secret before signs too. Only after a rotation.' }),
    ),
  },
  { title: 'Webhook' },
)
export type Webhook = Static<typeof Webhook>

const Url = Type.String({ minLength: 1, maxLength: limits.callbackUrlLength, description: 'http or https URL.' })
const Name = Type.String({ minLength: 1, maxLength: limits.webhookNameLength, pattern: '\\S' })
const how = {
  useBasicAuth: Type.Optional(Type.Boolean()),
  username: Type.Optional(Type.String({ maxLength: limits.callbackCredentialLength })),
  password: Type.Optional(Type.String({ maxLength: limits.webhookPasswordLength })),
  enabled: Type.Optional(Type.Boolean({ description: 'On, unless told.' })),
  retryOnFailure: Type.Optional(Type.Boolean({ description: 'Without it there is one attempt.' })),
  ...changes,
}
export const CreateWebhook = Type.Object({
  id: Type.String({
    minLength: 1,
    maxLength: limits.webhookIdLength,
    pattern: '^[A-Za-z0-9_-]+$',
    description: 'Letters, digits, _ and -, as they are written.',
  }),
  name: Name,
  webhookURL: Url,
  ...how,
})
export type CreateWebhook = Static<typeof CreateWebhook>
export const UpdateWebhook = Type.Object({ name: Type.Optional(Name), webhookURL: Type.Optional(Url), ...how })
export type UpdateWebhook = Static<typeof UpdateWebhook>
export const ListWebhooks = Type.Object({
  ...PageQuery,
  searchKey: Type.Optional(Type.String({ maxLength: 255, description: 'Anywhere in the name.' })),
})

export const TriggerIds = Type.Object({
  triggerIds: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 100 }),
})
export const WebhookTriggerInfo = Type.Object(
  { id: Type.String(), description: Type.String() },
  { title: 'WebhookTrigger' },
)
export const TriggerResults = Type.Record(
  Type.String(),
  Type.Object({
    success: Type.Boolean(),
    message: Type.String(),
    error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  }),
)
