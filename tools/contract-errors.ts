/**
 * Which errors each operation has of its own, besides those that any request can get. A test of the contract asks the
 * server for every one of them.
 */
import type { ErrorCode } from '@confab/protocol'

/** What is wrong with the content of a message, whoever sends it. */
export const contentErrors = [
  'ERR_EMPTY_MESSAGE_CATEGORY',
  'ERR_INVALID_MESSAGE_CATEGORY',
  'ERR_EMPTY_MESSAGE_TYPE',
  'ERR_INVALID_MESSAGE_TYPE',
  'ERR_INVALID_MESSAGE_DATA',
  'ERR_EMPTY_MESSAGE_TEXT',
  'ERR_INVALID_MESSAGE_TEXT',
  'ERR_EMPTY_MESSAGE_FILE',
  'ERR_INVALID_MEDIA_MESSAGE',
  'ERR_EMPTY_CUSTOM_DATA',
  'ERR_INVALID_CUSTOM_DATA',
  'ERR_INVALID_METADATA',
] as const satisfies readonly ErrorCode[]

const sending: readonly ErrorCode[] = [
  'ERR_UID_NOT_FOUND',
  'ERR_GUID_NOT_FOUND',
  'ERR_GROUP_NOT_JOINED',
  'ERR_EMPTY_RECEIVER',
  'ERR_INVALID_RECEIVER_TYPE',
  ...contentErrors,
  'ERR_MESSAGE_ID_NOT_FOUND',
  'ERR_WRONG_MESSAGE_THREAD',
  'ERR_MESSAGE_THREAD_NESTING',
  'ERR_WRONG_MESSAGE_THREAD_CATEGORY',
  'ERR_BLOCKED_BY_WEBHOOK',
]

const group: readonly ErrorCode[] = ['ERR_UID_NOT_FOUND', 'ERR_GUID_NOT_FOUND']
const managing: readonly ErrorCode[] = [
  ...group,
  'ERR_GROUP_NOT_JOINED',
  'ERR_GROUP_NO_SELF_ACTION',
  'ERR_GROUP_NO_MODERATOR_SCOPE',
  'ERR_GROUP_NO_SCOPE_CLEARANCE',
]
const token: readonly ErrorCode[] = ['ERR_UID_NOT_FOUND', 'ERR_AUTH_TOKEN_NOT_FOUND']
const message: readonly ErrorCode[] = ['ERR_UID_NOT_FOUND', 'ERR_MESSAGE_ID_NOT_FOUND', 'ERR_MESSAGE_NO_ACCESS']
const changing: readonly ErrorCode[] = [...message, 'ERR_MESSAGE_NOT_A_SENDER', 'ERR_MESSAGE_ACTION_NOT_ALLOWED']

const webhook: readonly ErrorCode[] = ['ERR_WEBHOOK_NOT_FOUND']
const webhookErrors = (prefix: string): Readonly<Record<string, readonly ErrorCode[]>> => ({
  [`POST ${prefix}/webhooks`]: ['ERR_WEBHOOK_ALREADY_EXISTS', 'ERR_PLAN_QUOTA_RESTRICTION'],
  [`GET ${prefix}/webhooks`]: [],
  [`GET ${prefix}/webhooks/:webhookId`]: webhook,
  [`PUT ${prefix}/webhooks/:webhookId`]: webhook,
  [`DELETE ${prefix}/webhooks/:webhookId`]: webhook,
  [`POST ${prefix}/webhooks/:webhookId/triggers`]: webhook,
  [`GET ${prefix}/webhooks/:webhookId/triggers`]: webhook,
  [`DELETE ${prefix}/webhooks/:webhookId/triggers`]: [...webhook, 'ERR_TRIGGER_NOT_FOUND'],
})

/** By method and path of the table of routes. */
export const ownErrors: Readonly<Record<string, readonly ErrorCode[]>> = {
  'POST /apikeys': ['ERR_PLAN_QUOTA_RESTRICTION'],
  'GET /apikeys': [],
  'GET /apikeys/:apiKey': ['ERR_APIKEY_NOT_FOUND'],
  'PUT /apikeys/:apiKey': ['ERR_APIKEY_NOT_FOUND', 'ERR_APIKEY_NO_SELF_ACTION'],
  'DELETE /apikeys/:apiKey': ['ERR_APIKEY_NOT_FOUND', 'ERR_APIKEY_NO_SELF_ACTION'],
  'POST /users': ['ERR_UID_ALREADY_EXISTS'],
  'GET /users': [],
  'PUT /users': [],
  'DELETE /users': [],
  'GET /users/:uid': ['ERR_UID_NOT_FOUND'],
  'PUT /users/:uid': ['ERR_UID_NOT_FOUND'],
  'DELETE /users/:uid': ['ERR_UID_NOT_FOUND'],
  'POST /users/:uid/auth_tokens': ['ERR_UID_NOT_FOUND'],
  'GET /users/:uid/auth_tokens': ['ERR_UID_NOT_FOUND'],
  'DELETE /users/:uid/auth_tokens': ['ERR_UID_NOT_FOUND'],
  'GET /users/:uid/auth_tokens/:authToken': token,
  'PUT /users/:uid/auth_tokens/:authToken': token,
  'DELETE /users/:uid/auth_tokens/:authToken': token,
  'POST /groups': ['ERR_UID_NOT_FOUND', 'ERR_GUID_ALREADY_EXISTS', 'ERR_EMPTY_GROUP_PASS'],
  'GET /groups': ['ERR_UID_NOT_FOUND'],
  'GET /groups/:guid': group,
  'PUT /groups/:guid': [...group, 'ERR_GROUP_NOT_JOINED', 'ERR_GROUP_NO_MODERATOR_SCOPE', 'ERR_EMPTY_GROUP_PASS'],
  'DELETE /groups/:guid': [...group, 'ERR_GROUP_NOT_JOINED', 'ERR_GROUP_NO_ADMIN_SCOPE'],
  'POST /groups/:guid/members': [...group, 'ERR_GROUP_NOT_JOINED', 'ERR_GROUP_NO_ADMIN_SCOPE'],
  'GET /groups/:guid/members': group,
  'PUT /groups/:guid/members/:uid': [...managing, 'ERR_NOT_A_MEMBER', 'ERR_SAME_SCOPE'],
  'DELETE /groups/:guid/members/:uid': [...managing, 'ERR_NOT_A_MEMBER'],
  'POST /groups/:guid/bannedusers/:uid': [...managing, 'ERR_ALREADY_BANNED'],
  'DELETE /groups/:guid/bannedusers/:uid': [...managing, 'ERR_NOT_A_BANNED_USER'],
  'GET /groups/:guid/bannedusers': group,
  'POST /messages': sending,
  'GET /messages': ['ERR_UID_NOT_FOUND'],
  'GET /messages/:id': message,
  'PUT /messages/:id': [
    ...changing,
    'ERR_INVALID_MESSAGE_DATA',
    'ERR_EMPTY_MESSAGE_TEXT',
    'ERR_INVALID_MESSAGE_TEXT',
    'ERR_EMPTY_MESSAGE_FILE',
    'ERR_INVALID_MEDIA_MESSAGE',
    'ERR_EMPTY_CUSTOM_DATA',
    'ERR_INVALID_CUSTOM_DATA',
    'ERR_INVALID_METADATA',
  ],
  'DELETE /messages/:id': changing,
  'POST /messages/:id/thread': sending,
  'GET /messages/:id/thread': message,
  'GET /users/:uid/messages': ['ERR_UID_NOT_FOUND'],
  'GET /groups/:guid/messages': [...group, 'ERR_GROUP_NOT_JOINED'],
  'POST /bots': ['ERR_UID_NOT_FOUND', 'ERR_BOT_ALREADY_EXISTS', 'ERR_PLAN_QUOTA_RESTRICTION'],
  'GET /bots': [],
  'GET /bots/:uid': ['ERR_BOT_NOT_FOUND'],
  'PUT /bots/:uid': ['ERR_BOT_NOT_FOUND'],
  'POST /bots/:uid/secret/rotate': ['ERR_BOT_NOT_FOUND'],
  'DELETE /bots/:uid': ['ERR_BOT_NOT_FOUND'],
  'GET /bots/:uid/updates': ['ERR_BOT_NOT_FOUND', 'ERR_BOT_NOT_PULLING', 'ERR_BOT_ALREADY_CONSUMED'],
  'GET /bots/:uid/updates/stream': ['ERR_BOT_NOT_FOUND', 'ERR_BOT_NOT_PULLING', 'ERR_BOT_ALREADY_CONSUMED'],
  'POST /bots/:uid/updates/acknowledge': ['ERR_BOT_NOT_FOUND', 'ERR_BOT_NOT_PULLING'],
  'POST /bots/:uid/resume': ['ERR_BOT_NOT_FOUND'],
  'POST /bots/:uid/test': ['ERR_BOT_NOT_FOUND'],
  'POST /bots/:uid/replay': ['ERR_BOT_NOT_FOUND'],
  'GET /bots/:uid/stats': ['ERR_BOT_NOT_FOUND'],
  'GET /deliveries': [],
  'GET /deliveries/:id': ['ERR_DELIVERY_NOT_FOUND'],
  'POST /deliveries/:id/cancel': ['ERR_DELIVERY_NOT_FOUND', 'ERR_DELIVERY_NOT_PENDING'],
  'POST /deliveries/:id/replay': [
    'ERR_DELIVERY_NOT_FOUND',
    'ERR_DELIVERY_PENDING',
    'ERR_BOT_NOT_FOUND',
    'ERR_WEBHOOK_NOT_FOUND',
  ],
  'POST /bots/:uid/messages': ['ERR_BOT_NOT_FOUND', ...sending],
  ...webhookErrors(''),
  ...webhookErrors('/apps/:appId'),
  'POST /webhooks/:webhookId/secret/rotate': webhook,
  'POST /webhooks/:webhookId/resume': webhook,
  'POST /webhooks/:webhookId/test': webhook,
  'POST /webhooks/:webhookId/replay': webhook,
  'GET /webhooks/:webhookId/stats': webhook,
}
