/**
 * Every error that Confab answers with, in one closed table: the contract's own codes where it has one, ours in
 * the same form where it is silent. A code is never renamed and never changes its status; `docs/reference/errors.md`
 * is generated from here.
 */

export interface ErrorRow {
  /** HTTP status of the answer. The contract names none but 429; these follow HTTP's own meaning. */
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
  /** True when the same request may succeed later without being changed. */
  readonly retryable: boolean
  /** What happened, for the person who made the request. */
  readonly meaning: string
  /** What to do about it, for the developer. */
  readonly fix: string
}

const row = (status: ErrorRow['status'], meaning: string, fix: string, retryable = false): ErrorRow => ({
  status,
  retryable,
  meaning,
  fix,
})

export const errorCodes = {
  // App and key
  AUTH_ERR_EMPTY_APPID: row(
    401,
    'The request does not say which app it is for.',
    'Send the appId header, or use the host name <appId>.api-<region>.…',
  ),
  AUTH_ERR_INVALID_APPID: row(
    401,
    'There is no such app.',
    'Check the appId header or the first label of the host name.',
  ),
  AUTH_ERR_EMPTY_APIKEY: row(401, 'The request carries no API key.', 'Send the apikey header.'),
  AUTH_ERR_APIKEY_NOT_FOUND: row(
    401,
    'The API key is not known in this app.',
    'Check the apikey header; keys belong to one app.',
  ),
  AUTH_ERR_EMPTY_AUTH_HEADER: row(
    401,
    'The request carries nothing that opens the management of the app.',
    'Send the header apikey, or an API key as the header secret or as the password of HTTP Basic.',
  ),
  AUTH_ERR_EMPTY_AUTH_TOKEN: row(
    401,
    'The header authtoken is empty.',
    'Send the auth token of the user, or an API key.',
  ),
  AUTH_ERR_AUTH_TOKEN_NOT_FOUND: row(
    401,
    'The auth token is not known in this app, or its user is deactivated.',
    'Log in again: create a new auth token for the user.',
  ),
  AUTH_ERR_NO_ACCESS: row(403, 'The API key or the user may not do this.', 'Use a key of scope fullAccess.'),
  ERR_PERMISSION_DENIED: row(
    403,
    'The role of the acting user, or their scope in the group, forbids this.',
    'Details name what forbids it; change the role or the scope, or act as the app.',
  ),
  ERR_APIKEY_NOT_FOUND: row(404, 'There is no such API key.', 'List the keys of the app to see which exist.'),
  ERR_APIKEY_NO_SELF_ACTION: row(
    403,
    'An API key cannot change or delete itself.',
    'Use another key of scope fullAccess.',
  ),
  ERR_AUTH_TOKEN_NOT_FOUND: row(404, 'There is no such auth token.', 'List the tokens of the user to see which exist.'),
  ERR_AUTHTOKEN_NOT_ACCESSIBLE: row(
    403,
    'The auth token is that of another user.',
    'Name the user whose token it is; list the tokens of the user to see which exist.',
  ),

  // Quotas
  ERR_PLAN_QUOTA_RESTRICTION: row(
    403,
    'A limit of the app is reached.',
    'Delete what is no longer needed; details name the limit.',
  ),

  // Users
  ERR_UID_NOT_FOUND: row(
    404,
    'There is no such user, or the user is deactivated.',
    'Create or reactivate the user first.',
  ),
  ERR_UID_ALREADY_EXISTS: row(409, 'A user with this uid exists already.', 'Update the user, or choose another uid.'),

  // Roles
  ERR_ROLE_NOT_FOUND: row(404, 'There is no such role.', 'Create the role first.'),
  ERR_ROLE_ALREADY_EXISTS: row(409, 'A role of this name exists already.', 'Update the role, or choose another name.'),
  ERR_ROLE_DELETE_DENIED: row(403, 'The role default cannot be deleted.', 'Change the role instead.'),

  // Friends and blocked users
  ERR_ALREADY_FRIEND: row(409, 'The two are friends already.', 'Nothing is to be done.'),
  ERR_NOT_A_FRIEND: row(404, 'The two are not friends.', 'Nothing is to be done; details name the user.'),
  ERR_CANNOT_FORM_SELF_RELATION: row(400, 'Nobody is their own friend.', 'Send the uids of others.'),
  ERR_CANNOT_BLOCK_SELF: row(400, 'Nobody can block themself.', 'Send the uids of others.'),
  ERR_BLOCKED_RECEIVER: row(403, 'The sender has blocked the receiver.', 'Unblock the receiver first.'),
  ERR_BLOCKED_SENDER: row(403, 'The receiver has blocked the sender.', 'Nothing is to be done by the sender.'),

  // Bots
  ERR_BOT_NOT_FOUND: row(404, 'There is no bot on this uid.', 'Create the bot first; a plain user is not a bot.'),
  ERR_BOT_ALREADY_EXISTS: row(409, 'The user is a bot already.', 'Update the bot, or delete it first.'),

  ERR_BOT_NOT_PULLING: row(409, 'The bot is called at its URL: it does not fetch its updates.', 'Set receive to pull.'),
  ERR_BOT_ALREADY_CONSUMED: row(
    409,
    'Somebody else is fetching the updates of the bot.',
    'Run one consumer per bot; one that has died is forgotten within seconds.',
    true,
  ),

  // Webhooks
  ERR_WEBHOOK_NOT_FOUND: row(404, 'There is no such webhook.', 'List the webhooks of the app to see which exist.'),
  ERR_WEBHOOK_ALREADY_EXISTS: row(
    409,
    'A webhook with this id exists already.',
    'Update the webhook, or choose another id.',
  ),
  ERR_TRIGGER_NOT_FOUND: row(
    404,
    'There is no such trigger, or the webhook does not have it.',
    'See the list of triggers; list those of the webhook.',
  ),
  ERR_BLOCKED_BY_WEBHOOK: row(
    403,
    'A webhook of the app has refused the message.',
    'Ask whoever runs the webhook that details name.',
  ),

  // Calls
  ERR_CALLING_SELF: row(400, 'Nobody can call themself.', 'Name somebody else as receiver.'),
  ERR_CALL_BUSY_SELF: row(409, 'The acting user is in another call.', 'End that call first; details name its session.'),
  ERR_CALL_BUSY_USER: row(409, 'The receiver is in another call.', 'Call again later.'),
  ERR_CALL_BUSY_GROUP: row(409, 'The group has a call already.', 'Join that call; details name its session.'),
  ERR_EMPTY_CALL_SESSION_ID: row(
    400,
    'The request does not say which call it is about.',
    'Send the session id of the call.',
  ),
  ERR_CALL_SESSION_NOT_FOUND: row(404, 'There is no such call.', 'Check the session id.'),
  ERR_CALL_NOT_A_PART: row(
    403,
    'The acting user is not part of the call.',
    'Act as somebody who calls, is called, or is a member of the group; who leaves must have joined.',
  ),
  ERR_CALL_TERMINATED: row(409, 'The call is over.', 'Begin another one.'),
  ERR_CALL_NOT_STARTED: row(409, 'Nobody has taken the call yet: it cannot be ended.', 'Cancel it, or turn it down.'),
  ERR_CALL_INVALID_INIT: row(
    409,
    'A call that rings cannot become that by the acting user.',
    'Who calls may cancel it, who is called may take it or turn it down.',
  ),
  ERR_CALL_ONGOING_TO_INVALID: row(409, 'A call that has been taken can only be ended.', 'Send the status ended.'),
  ERR_CALL_USER_ALREADY_JOINED: row(409, 'The acting user is in the call already.', 'Nothing is to be done.'),
  ERR_CALL_GROUP_ALREADY_JOINED: row(
    409,
    'The acting user is in the call of the group already.',
    'Nothing is to be done.',
  ),
  ERR_CALL_GROUP_ALREADY_LEFT: row(409, 'The acting user has left the call of the group.', 'Nothing is to be done.'),
  ERR_CALL_GROUP_INVALID_STATUS: row(
    409,
    'The call of a group cannot become that by the acting user.',
    'Join or leave it; who calls may cancel it before anybody has joined.',
  ),

  // Deliveries
  ERR_DELIVERY_NOT_FOUND: row(
    404,
    'There is no such delivery, or it was swept.',
    'List the deliveries; finished ones are kept for as long as the server is told.',
  ),
  ERR_DELIVERY_NOT_PENDING: row(
    409,
    'The delivery is over: it cannot be cancelled.',
    'Nothing is to be done; details name its state.',
  ),
  ERR_DELIVERY_PENDING: row(
    409,
    'The delivery is still to be made: it cannot be replayed.',
    'Nothing is to be done; resume or repair the bot, or cancel the delivery first.',
  ),

  // Groups and members
  ERR_GUID_NOT_FOUND: row(404, 'There is no such group.', 'Create the group first.'),
  ERR_GUID_ALREADY_EXISTS: row(
    409,
    'A group with this guid exists already.',
    'Update the group, or choose another guid.',
  ),
  ERR_EMPTY_GROUP_PASS: row(400, 'A group of type password needs a password.', 'Send password.'),
  ERR_NOT_A_MEMBER: row(404, 'The user is not a member of the group.', 'Add the user to the group first.'),
  ERR_ALREADY_JOINED: row(
    409,
    'The user is a member of the group already.',
    'Nothing is to be done; use Change Scope for another scope.',
  ),
  ERR_NO_VACANCY: row(
    403,
    'The group has as many members as a group may have.',
    'Wait until somebody leaves, or raise the limit of the server.',
  ),
  ERR_WRONG_GROUP_PASS: row(403, 'The password of the group is another one.', 'Send the password of the group.'),
  ERR_GROUP_JOIN_NOT_ALLOWED: row(
    403,
    'Nobody joins a private group by themself.',
    'Ask an admin of the group to add the user.',
  ),
  ERR_GROUP_NO_CLEARANCE: row(
    403,
    'Only the owner of the group may do this.',
    'Act on behalf of the owner, or as the app.',
  ),
  ERR_GROUP_NOT_JOINED: row(403, 'The acting user has not joined the group.', 'Add the user to the group first.'),
  ERR_SAME_SCOPE: row(409, 'The member has this scope already.', 'Nothing is to be done.'),
  ERR_BANNED_GROUPMEMBER: row(403, 'The user is banned from the group.', 'Unban the user first.'),
  ERR_ALREADY_BANNED: row(409, 'The user is banned from the group already.', 'Nothing is to be done.'),
  ERR_NOT_A_BANNED_USER: row(404, 'The user is not banned from the group.', 'Nothing is to be done.'),
  ERR_GROUP_NO_ADMIN_SCOPE: row(
    403,
    'Only an admin of the group may do this.',
    'Act on behalf of an admin of the group, or as the app.',
  ),
  ERR_GROUP_NO_MODERATOR_SCOPE: row(
    403,
    'Only an admin or a moderator of the group may do this.',
    'Act on behalf of an admin or a moderator of the group, or as the app.',
  ),
  ERR_GROUP_NO_SCOPE_CLEARANCE: row(
    403,
    'A moderator may act on participants only.',
    'Act on behalf of an admin of the group, or as the app.',
  ),
  ERR_GROUP_NO_SELF_ACTION: row(
    403,
    'A member cannot do this to themself.',
    'Act on behalf of another member, or as the app.',
  ),

  // Messages
  ERR_EMPTY_RECEIVER: row(
    400,
    'The message has no receiver.',
    'Send receiver, or multipleReceivers with at least one uid or guid.',
  ),
  ERR_INVALID_RECEIVER_TYPE: row(
    400,
    'The receiver type is neither user nor group.',
    'Send receiverType user or group.',
  ),
  ERR_EMPTY_MESSAGE_CATEGORY: row(
    400,
    'The message has an empty category.',
    'Leave category out (message), or send message, custom, interactive, card or agentic.',
  ),
  ERR_INVALID_MESSAGE_CATEGORY: row(
    400,
    'Messages of this category cannot be sent.',
    'Send category message, custom, interactive, card or agentic.',
  ),
  ERR_EMPTY_MESSAGE_TYPE: row(
    400,
    'The message has an empty type.',
    'Send a type; without a category it defaults to text.',
  ),
  ERR_INVALID_MESSAGE_TYPE: row(
    400,
    'The category has no such type.',
    'Send text, image, audio, video or file; the type of a custom message is free.',
  ),
  ERR_INVALID_MESSAGE_DATA: row(
    400,
    'The data of the message is missing, malformed or too large.',
    'Send data as an object within the documented size.',
  ),
  ERR_EMPTY_MESSAGE_TEXT: row(400, 'The text is missing or empty.', 'Send data.text.'),
  ERR_INVALID_MESSAGE_TEXT: row(400, 'The text is not a string.', 'Send data.text as a string.'),
  ERR_EMPTY_MESSAGE_FILE: row(
    400,
    'A media message has no attachment.',
    'Send data.attachments with at least one attachment that has a url.',
  ),
  ERR_INVALID_MEDIA_MESSAGE: row(
    400,
    'An attachment of the message is malformed.',
    'Send each attachment as {url, name, mimeType, extension, size}.',
  ),
  ERR_EMPTY_CUSTOM_DATA: row(400, 'A custom message has no custom data.', 'Send data.customData.'),
  ERR_INVALID_CUSTOM_DATA: row(400, 'The custom data is not a JSON object.', 'Send data.customData as an object.'),
  ERR_INVALID_METADATA: row(400, 'The metadata is not a JSON object.', 'Send metadata as an object.'),
  ERR_MESSAGE_ID_NOT_FOUND: row(404, 'There is no such message.', 'Check the id of the message.'),
  ERR_MESSAGE_NOT_A_SENDER: row(
    403,
    'Only the sender may change this message.',
    'Act on behalf of the sender, or as the app.',
  ),
  ERR_MESSAGE_NO_ACCESS: row(
    403,
    'The user takes no part in the conversation of this message.',
    'Act on behalf of somebody who does, or as the app.',
  ),
  ERR_MESSAGE_ACTION_NOT_ALLOWED: row(
    403,
    'Action messages cannot be changed, answered or deleted, nor can deleted messages be edited.',
    'Use the id of an ordinary message.',
  ),
  ERR_WRONG_MESSAGE_THREAD: row(
    400,
    'The reply is not for the conversation of its thread.',
    'Send the reply to the receiver of the parent message.',
  ),
  ERR_MESSAGE_THREAD_NESTING: row(
    400,
    'A reply cannot have replies of its own.',
    'Reply to the first message of the thread.',
  ),
  ERR_WRONG_MESSAGE_THREAD_CATEGORY: row(
    400,
    'Messages of this category cannot have replies.',
    'Reply to a message that somebody has sent, not to one that tells of an action or a call.',
  ),

  ERR_PINNED_MESSAGES_LIMIT_EXCEEDED: row(
    403,
    'The conversation has as many pinned messages as it may have.',
    'Unpin a message first.',
  ),
  ERR_SAVED_MESSAGES_LIMIT_EXCEEDED: row(
    403,
    'The user has saved as many messages as they may.',
    'Remove a saved message first.',
  ),

  // Conversations
  ERR_CONVERSATION_NOT_FOUND: row(
    404,
    'The acting user has no conversation of this id.',
    'Ask for the conversation with a user or of a group; it exists once something has been said in it.',
  ),
  ERR_CONVERSATION_NOT_ACCESSIBLE: row(
    404,
    'The acting user has no such conversation.',
    'A conversation exists once something has been said in it.',
  ),
  ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED: row(
    403,
    'The user has pinned as many conversations as they may.',
    'Unpin a conversation first.',
  ),
  ERR_SYSTEM_PINNED_CONVERSATION: row(
    403,
    'The conversation is pinned for everybody.',
    'Unpin it as the app, without onBehalfOf.',
  ),
  ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED: row(
    403,
    'The app has pinned as many conversations as it may.',
    'Unpin a conversation first.',
  ),

  // Files
  ERR_FILE_NOT_FOUND: row(
    404,
    'There is no such file, or its form is used up or has expired.',
    'Check the url; announce the upload again for a new form.',
  ),

  // General
  ERR_BAD_REQUEST: row(
    400,
    'The request is not what this operation takes.',
    'See details: a text for each field that is wrong.',
  ),
  ERR_INVALID_API_VERSION: row(404, 'There is no such version of the API.', 'Use /v3 or /v3.0.'),
  ERR_API_NOT_FOUND: row(
    404,
    'There is no such operation: unknown path, or wrong method for it.',
    'Check path and method against /openapi.json.',
  ),
  ERR_PAYLOAD_TOO_LARGE: row(413, 'The body of the request is too large.', 'Send less; the limit is in details.'),
  ERR_UNSUPPORTED_MEDIA_TYPE: row(
    415,
    'The body of the request is not JSON.',
    'Send content-type: application/json; messages may also be a multipart/form-data form.',
  ),
  ERR_TOO_MANY_REQUESTS: row(429, 'Too many requests.', 'Wait for as long as Retry-After says.', true),
  ERR_EXCEPTION: row(
    500,
    'Something went wrong on the server.',
    'Try again; if it stays, look for the requestId in the log of the server.',
    true,
  ),
  ERR_SERVICE_UNAVAILABLE: row(
    503,
    'The server is starting, stopping, or cannot reach its store.',
    'Try again in a few seconds.',
    true,
  ),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorCodes

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorCodes, code)
