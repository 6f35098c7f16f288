/** Everything that can be asked of the store: nouns, with their verbs. One verb, one transaction. */
import { appRemoval } from './apps/app-removal.ts'
import { apiKeys, apps } from './apps/apps.ts'
import { audit } from './apps/audit.ts'
import { masterKeys } from './apps/master-keys.ts'
import { stats } from './apps/stats.ts'
import { conversations } from './conversations/conversations.ts'
import { marks } from './conversations/marks.ts'
import { bots } from './delivery/bots.ts'
import { breakers } from './delivery/breakers.ts'
import { deliveries } from './delivery/deliveries.ts'
import { lanes } from './delivery/lanes.ts'
import { updates } from './delivery/updates.ts'
import { webhooks } from './delivery/webhooks.ts'
import { groups } from './groups/groups.ts'
import { joining } from './groups/joining.ts'
import { members } from './groups/members.ts'
import { imports } from './imports/imports.ts'
import { calls } from './messages/calls.ts'
import { files } from './messages/files.ts'
import { flags } from './messages/flags.ts'
import { interactions } from './messages/interactions.ts'
import { messageLists } from './messages/message-lists.ts'
import { messages } from './messages/messages.ts'
import { pins } from './messages/pins.ts'
import { reactions } from './messages/reactions.ts'
import { threads } from './messages/threads.ts'
import { permissions } from './roles/permissions.ts'
import { roles } from './roles/roles.ts'
import type { OperationTable } from './seam.ts'
import { presence } from './users/presence.ts'
import { blocks, friends } from './users/relations.ts'
import { self } from './users/self.ts'
import { sessions } from './users/sessions.ts'
import { userLists } from './users/user-lists.ts'
import { authTokens, users } from './users/users.ts'

export const operations = {
  apps,
  appRemoval,
  apiKeys,
  audit,
  users: { ...users, ...userLists, ...self },
  authTokens,
  roles,
  permissions,
  friends,
  blocks,
  groups: { ...groups, ...joining },
  members,
  messages: { ...messages, ...messageLists, ...pins },
  reactions,
  interactions,
  flags,
  threads,
  calls,
  conversations,
  marks,
  files,
  presence,
  sessions,
  bots,
  breakers,
  masterKeys,
  lanes,
  deliveries,
  updates,
  webhooks,
  imports,
  stats,
} as const satisfies OperationTable
