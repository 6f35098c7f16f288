/** Codes that clients may know from the contract, and that are never answered here: each with its reason. */

const reasons: readonly (readonly [reason: string, codes: readonly string[]])[] = [
  [
    'What fails for no reason of its own is `ERR_EXCEPTION`, and nothing is changed.',
    [
      ...['ERR_AUTH_TOKEN_DELETE_FAILED', 'ERR_AUTH_TOKENS_DELETE_FAILED', 'ERR_UID_DELETE_FAILED'],
      ...['ERR_ROLE_DELETE_FAILED', 'ERR_GROUP_DELETE_FAILED', 'ERR_MEMBER_DELETE_FAILED'],
      ...['ERR_MEMBER_SCOPE_CHANGE_FAILED', 'ERR_MEMBER_BAN_FAILED', 'ERR_MEMBER_UNBAN_FAILED'],
      ...['ERR_USER_MESSAGE_DELETE_FAILED', 'ERR_FAILED_TO_ADD_FRIEND', 'ERR_MISSION_FAILED'],
      ...['ERR_OPERATION_FAILED', 'ERR_BAD_ERROR_RESPONSE'],
    ],
  ],
  ['`ERR_MESSAGE_ID_NOT_FOUND` is the other name of it.', ['ERR_MSG_NOT_FOUND']],
  ['There are no plans: a limit that is reached is `ERR_PLAN_QUOTA_RESTRICTION`.', ['ERR_PLAN_RESTRICTION']],
  ['There is nothing to subscribe to.', ['ERR_SUBSCRIPTION_EXPIRED']],
  ['A token is not bound to a device.', ['ERR_AUTHTOKEN_UNAVAILABLE']],
  ['The server knows who joined a call when.', ['ERR_CALL_EMPTY_JOINED_AT']],
  ['There are no extensions.', ['ERR_EXTENSION_NOT_FOUND', 'ERR_BLOCKED_BY_EXTENSION', 'ERR_EXTENSION_INACTIVE']],
  [
    'Sockets belong to the server: nothing is set up elsewhere for them.',
    [
      ...['ERR_WS_INIT_FAILED', 'ERR_WS_APP_INIT_FAILED', 'ERR_WS_APP_DESTROY_FAILED', 'ERR_WS_ROLE_CREATION_FAILED'],
      ...['ERR_WS_ROLE_DELETION_FAILED', 'ERR_WS_USER_CREATION_FAILED', 'ERR_WS_USER_UPDATION_FAILED'],
      ...['ERR_WS_GROUP_CREATION_FAILED', 'ERR_WS_GROUP_DELETION_FAILED', 'ERR_WS_GROUP_JOIN_FAILED'],
    ],
  ],
  ['An app that is not there is `AUTH_ERR_INVALID_APPID`.', ['ERR_APP_NOT_FOUND']],
  [
    'Apps are made and deleted by the command line.',
    ['ERR_APP_CREATION_FAILED_MAX_LIMIT', 'ERR_APP_ARCHIVED', 'ERR_APP_DELETION'],
  ],
  [
    'There are no accounts that share apps.',
    ['ERR_ALREADY_AN_OWNER', 'ERR_SELF_ACTION_DENIED', 'ERR_NOT_A_COLLABORATOR'],
  ],
]

export const unusedCodes: Readonly<Record<string, string>> = Object.fromEntries(
  reasons.flatMap(([reason, codes]) => codes.map((code) => [code, reason])),
)
