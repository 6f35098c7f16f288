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
  'ERR_BLOCKED_RECEIVER',
  'ERR_BLOCKED_SENDER',
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
/** Where somebody becomes a member. */
const noRoom: readonly ErrorCode[] = ['ERR_NO_VACANCY', 'ERR_PLAN_QUOTA_RESTRICTION']
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

const marking: readonly ErrorCode[] = [...message, 'ERR_MESSAGE_ACTION_NOT_ALLOWED']
const conversationOf = (side: 'users' | 'groups'): readonly ErrorCode[] =>
  side === 'users' ? ['ERR_UID_NOT_FOUND'] : [...group, 'ERR_GROUP_NOT_JOINED']

/** The same operations for the conversation with a user and for that of a group. */
const conversationErrors = (side: 'users' | 'groups'): Readonly<Record<string, readonly ErrorCode[]>> => {
  const path = side === 'users' ? '/users/:uid/conversation' : '/groups/:guid/conversation'
  const known = conversationOf(side)
  const existing: readonly ErrorCode[] = [...known, 'ERR_CONVERSATION_NOT_ACCESSIBLE']
  return {
    [`GET ${path}`]: existing,
    [`PUT ${path}`]: existing,
    [`DELETE ${path}`]: existing,
    [`POST ${path}/delivered`]: known,
    [`POST ${path}/read`]: known,
    [`DELETE ${path}/read`]: existing,
    [`POST ${path}/pin`]: [
      ...existing,
      'ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED',
      ...(side === 'groups'
        ? (['ERR_SYSTEM_PINNED_CONVERSATION', 'ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED'] as const)
        : []),
    ],
    [`DELETE ${path}/pin`]: [...existing, ...(side === 'groups' ? (['ERR_SYSTEM_PINNED_CONVERSATION'] as const) : [])],
  }
}

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
  'GET /audit': [],
  'POST /users': ['ERR_UID_ALREADY_EXISTS', 'ERR_ROLE_NOT_FOUND', 'ERR_PLAN_QUOTA_RESTRICTION'],
  'GET /users': ['ERR_UID_NOT_FOUND'],
  'PUT /users': [],
  'DELETE /users': [],
  'GET /users/:uid': ['ERR_UID_NOT_FOUND'],
  'PUT /users/:uid': ['ERR_UID_NOT_FOUND', 'ERR_ROLE_NOT_FOUND'],
  'DELETE /users/:uid': ['ERR_UID_NOT_FOUND'],
  'POST /users/:uid/friends': ['ERR_UID_NOT_FOUND', 'ERR_CANNOT_FORM_SELF_RELATION'],
  'GET /users/:uid/friends': ['ERR_UID_NOT_FOUND'],
  'DELETE /users/:uid/friends': ['ERR_UID_NOT_FOUND', 'ERR_NOT_A_FRIEND', 'ERR_CANNOT_FORM_SELF_RELATION'],
  'POST /users/:uid/blockedusers': ['ERR_UID_NOT_FOUND', 'ERR_CANNOT_BLOCK_SELF'],
  'GET /users/:uid/blockedusers': ['ERR_UID_NOT_FOUND'],
  'DELETE /users/:uid/blockedusers': ['ERR_UID_NOT_FOUND', 'ERR_CANNOT_BLOCK_SELF'],
  'POST /blockedusers': ['ERR_UID_NOT_FOUND', 'ERR_CANNOT_BLOCK_SELF'],
  'GET /blockedusers': ['ERR_UID_NOT_FOUND'],
  'DELETE /blockedusers': ['ERR_UID_NOT_FOUND', 'ERR_CANNOT_BLOCK_SELF'],
  'POST /roles': ['ERR_ROLE_ALREADY_EXISTS', 'ERR_PLAN_QUOTA_RESTRICTION'],
  'GET /roles': [],
  'GET /roles/:role': ['ERR_ROLE_NOT_FOUND'],
  'PUT /roles/:role': ['ERR_ROLE_NOT_FOUND'],
  'DELETE /roles/:role': ['ERR_ROLE_NOT_FOUND', 'ERR_ROLE_DELETE_DENIED'],
  'POST /roles/:role/restrictedfeatures': ['ERR_ROLE_NOT_FOUND'],
  'GET /roles/:role/restrictedfeatures': ['ERR_ROLE_NOT_FOUND'],
  'DELETE /roles/:role/restrictedfeatures': ['ERR_ROLE_NOT_FOUND'],
  'GET /roles/:role/permissions': ['ERR_ROLE_NOT_FOUND'],
  'PUT /roles/:role/permissions': ['ERR_ROLE_NOT_FOUND'],
  'DELETE /roles/:role/permissions/:permission': ['ERR_ROLE_NOT_FOUND'],
  'GET /groups/:guid/scopes/:scope/permissions': ['ERR_GUID_NOT_FOUND'],
  'PUT /groups/:guid/scopes/:scope/permissions': ['ERR_GUID_NOT_FOUND'],
  'DELETE /groups/:guid/scopes/:scope/permissions/:permission': ['ERR_GUID_NOT_FOUND'],
  'POST /users/:uid/auth_tokens': ['ERR_UID_NOT_FOUND'],
  'GET /users/:uid/auth_tokens': ['ERR_UID_NOT_FOUND'],
  'DELETE /users/:uid/auth_tokens': ['ERR_UID_NOT_FOUND'],
  'GET /users/:uid/auth_tokens/:authToken': token,
  'PUT /users/:uid/auth_tokens/:authToken': token,
  'DELETE /users/:uid/auth_tokens/:authToken': token,
  'POST /groups': [
    'ERR_UID_NOT_FOUND',
    'ERR_GUID_ALREADY_EXISTS',
    'ERR_EMPTY_GROUP_PASS',
    'ERR_PLAN_QUOTA_RESTRICTION',
  ],
  'GET /groups': ['ERR_UID_NOT_FOUND'],
  'GET /groups/:guid': [...group, 'ERR_GROUP_NOT_JOINED'],
  'PUT /groups/:guid': [
    ...group,
    'ERR_GROUP_NOT_JOINED',
    'ERR_GROUP_NO_MODERATOR_SCOPE',
    'ERR_EMPTY_GROUP_PASS',
    ...noRoom,
  ],
  'DELETE /groups/:guid': [...group, 'ERR_GROUP_NOT_JOINED', 'ERR_GROUP_NO_ADMIN_SCOPE'],
  'POST /groups/:guid/members': [
    ...group,
    'ERR_GROUP_NOT_JOINED',
    'ERR_GROUP_NO_ADMIN_SCOPE',
    'ERR_ALREADY_JOINED',
    'ERR_BANNED_GROUPMEMBER',
    'ERR_GROUP_JOIN_NOT_ALLOWED',
    'ERR_EMPTY_GROUP_PASS',
    'ERR_WRONG_GROUP_PASS',
    ...noRoom,
  ],
  'PUT /groups/:guid/members': [...group, 'ERR_GROUP_NOT_JOINED', 'ERR_GROUP_NO_ADMIN_SCOPE'],
  'DELETE /groups/:guid/members': [...group, 'ERR_GROUP_NOT_JOINED', 'ERR_GROUP_NO_SELF_ACTION'],
  'PATCH /groups/:guid/owner': [...group, 'ERR_GROUP_NO_CLEARANCE', 'ERR_NOT_A_MEMBER'],
  'GET /groups/:guid/members': [...group, 'ERR_GROUP_NOT_JOINED'],
  'PUT /groups/:guid/members/:uid': [...managing, 'ERR_NOT_A_MEMBER', 'ERR_SAME_SCOPE'],
  'DELETE /groups/:guid/members/:uid': [...managing, 'ERR_NOT_A_MEMBER'],
  'POST /groups/:guid/bannedusers/:uid': [...managing, 'ERR_ALREADY_BANNED'],
  'DELETE /groups/:guid/bannedusers/:uid': [...managing, 'ERR_NOT_A_BANNED_USER'],
  'GET /groups/:guid/bannedusers': [...group, 'ERR_GROUP_NOT_JOINED'],
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
  'POST /messages/:id/thread/subscription': message,
  'DELETE /messages/:id/thread/subscription': message,
  'GET /threads': ['ERR_UID_NOT_FOUND'],
  'GET /users/:uid/threads': ['ERR_UID_NOT_FOUND'],
  'GET /groups/:guid/threads': [...group, 'ERR_GROUP_NOT_JOINED'],
  'POST /messages/:id/reactions/:reaction': marking,
  'DELETE /messages/:id/reactions/:reaction': marking,
  'GET /messages/:id/reactions': message,
  'GET /messages/:id/reactions/:reaction': message,
  'PATCH /messages/:id/interacted': marking,
  'POST /messages/:id/flagged': marking,
  'GET /messages/:id/flags': ['ERR_MESSAGE_ID_NOT_FOUND'],
  'POST /messages/:id/pin': [...marking, 'ERR_PINNED_MESSAGES_LIMIT_EXCEEDED'],
  'DELETE /messages/:id/pin': marking,
  'POST /messages/:id/save': [...marking, 'ERR_SAVED_MESSAGES_LIMIT_EXCEEDED'],
  'DELETE /messages/:id/save': marking,
  'GET /conversations': ['ERR_UID_NOT_FOUND'],
  'GET /conversations/:conversationId': ['ERR_UID_NOT_FOUND', 'ERR_CONVERSATION_NOT_ACCESSIBLE'],
  'DELETE /conversations/:conversationId': ['ERR_UID_NOT_FOUND', 'ERR_CONVERSATION_NOT_ACCESSIBLE'],
  ...conversationErrors('users'),
  ...conversationErrors('groups'),
  'GET /users/:uid/messages': ['ERR_UID_NOT_FOUND'],
  'GET /groups/:guid/messages': [...group, 'ERR_GROUP_NOT_JOINED'],
  'POST /files/upload-url': ['ERR_UID_NOT_FOUND'],
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
  'POST /data_import/users': [],
  'POST /data_import/groups': [],
  'POST /data_import/members': [],
  'POST /data_import/messages': [],
  'POST /data_import/stream': [],
  'GET /stats': [],
  'GET /stats/messages': [],
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
