/**
 * The features that a role may be kept from, each with the routes that it closes: the one place that says so. Routes that
 * are not served yet stand here too, so that they are closed from their first day.
 */

export interface Feature {
  readonly title: string
  readonly description: string
  /** As in `GET /users/:uid`; the first one is what answers show as the path of the feature. */
  readonly routes: readonly [string, ...string[]]
}

const feature = (title: string, what: string, ...routes: [string, ...string[]]): Feature => ({
  title,
  description: `Allows logged-in user to ${what}.`,
  routes,
})

export const features = {
  addMember: feature(
    'Add Member',
    'add a member to a group',
    'POST /groups/:guid/members',
    'PUT /groups/:guid/members',
  ),
  ban: feature('Ban User', 'ban a member of a group', 'POST /groups/:guid/bannedusers/:uid'),
  blockUser: feature('Block User', 'block a user', 'POST /blockedusers'),
  changeScope: feature('Change Scope', 'change the scope of a member', 'PUT /groups/:guid/members/:uid'),
  createCall: feature('Initiate Call', 'initiate a call', 'POST /calls'),
  createGroup: feature('Create Group', 'create a group', 'POST /groups'),
  createMessage: feature('Send Message', 'send a message', 'POST /messages'),
  createMessageThread: feature('Reply to a Message', 'reply to a message', 'POST /messages/:id/thread'),
  deleteCall: feature('Delete Call', 'delete a call', 'DELETE /calls/:sessionId'),
  deleteConversationForUser: feature(
    'Delete Conversation',
    'delete a conversation for themself',
    'DELETE /users/:uid/conversation',
    'DELETE /groups/:guid/conversation',
    'DELETE /conversations/:conversationId',
  ),
  deleteGroup: feature('Delete Group', 'delete a group', 'DELETE /groups/:guid'),
  deleteGroupMessages: feature('Delete Group Messages', 'delete messages of a group', 'DELETE /groups/:guid/messages'),
  deleteMessage: feature('Delete Message', 'delete a message', 'DELETE /messages/:id'),
  getBlockedUsers: feature('Fetch Blocked Users', 'fetch the list of blocked users', 'GET /blockedusers'),
  getCall: feature('Get Call', 'fetch the details of a call', 'GET /calls/:sessionId'),
  getConversation: feature(
    'Get Conversation',
    'get the details of a conversation',
    'GET /users/:uid/conversation',
    'GET /groups/:guid/conversation',
    'GET /conversations/:conversationId',
  ),
  getGroup: feature('Get Group', 'get the details of a group', 'GET /groups/:guid'),
  getGroupMessages: feature('List Group Messages', 'fetch messages of a group', 'GET /groups/:guid/messages'),
  getMember: feature('Get Member', 'get the details of a member of a group', 'GET /groups/:guid/members/:uid'),
  getMessage: feature('Get Message', 'get the details of a message', 'GET /messages/:id'),
  getMessageThread: feature('List Thread Messages', 'fetch the replies of a thread', 'GET /messages/:id/thread'),
  getMyDetails: feature('Get My Details', 'get their own details', 'GET /me'),
  getUser: feature('Get User', 'get the details of a user', 'GET /users/:uid'),
  getUserMessages: feature('List User Messages', 'fetch messages with a user', 'GET /users/:uid/messages'),
  joinGroup: feature('Join Group', 'join a group', 'POST /groups/:guid/members'),
  kick: feature('Kick Member', 'kick a member of a group', 'DELETE /groups/:guid/members/:uid'),
  leaveGroup: feature('Leave Group', 'leave a group', 'DELETE /groups/:guid/members'),
  listBannedUsers: feature('List Banned Users', 'fetch who is banned from a group', 'GET /groups/:guid/bannedusers'),
  listConversations: feature('List Conversations', 'fetch the list of conversations', 'GET /conversations'),
  listGroups: feature('List Groups', 'fetch the list of groups', 'GET /groups'),
  listMembers: feature('List Members', 'fetch the members of a group', 'GET /groups/:guid/members'),
  listMessages: feature('List Messages', 'fetch messages', 'GET /messages'),
  listUsers: feature('List Users', 'fetch the user list', 'GET /users'),
  unban: feature('Unban User', 'unban a user of a group', 'DELETE /groups/:guid/bannedusers/:uid'),
  unblockUser: feature('Unblock User', 'unblock a user', 'DELETE /blockedusers'),
  updateGroup: feature('Update Group', 'change a group', 'PUT /groups/:guid'),
  updateMessage: feature('Edit Message', 'edit a message', 'PUT /messages/:id'),
} as const satisfies Record<string, Feature>

export type FeatureKey = keyof typeof features

const isFeature = (key: string): key is FeatureKey => Object.hasOwn(features, key)

/** Keys come with `u.` before them, and without. */
export const parseFeature = (text: string): FeatureKey | undefined => {
  const key = text.replace(/^u\./, '')
  return isFeature(key) ? key : undefined
}

/** As answers show it. */
export const shownKey = (key: FeatureKey): string => `u.${key}`

/** `/v3/groups/{{guid}}` */
export const shownPath = (key: FeatureKey): string => {
  const [first] = features[key].routes
  return `/v3${first.slice(first.indexOf(' ') + 1).replace(/:(\w+)/g, '{{$1}}')}`
}

/** By route, the features that close it. */
export const featuresByRoute: ReadonlyMap<string, readonly FeatureKey[]> = (() => {
  const byRoute = new Map<string, FeatureKey[]>()
  for (const key of Object.keys(features).filter(isFeature)) {
    for (const route of features[key].routes) byRoute.set(route, [...(byRoute.get(route) ?? []), key])
  }
  return byRoute
})()
