/** Everything that can be asked of the store: nouns, with their verbs. One verb, one transaction. */
import { appRemoval } from './app-removal.ts'
import { apiKeys, apps } from './apps.ts'
import { audit } from './audit.ts'
import { bots } from './bots.ts'
import { breakers } from './breakers.ts'
import { calls } from './calls.ts'
import { conversations } from './conversations.ts'
import { deliveries } from './deliveries.ts'
import { files } from './files.ts'
import { flags } from './flags.ts'
import { groups } from './groups.ts'
import { imports } from './imports.ts'
import { interactions } from './interactions.ts'
import { joining } from './joining.ts'
import { lanes } from './lanes.ts'
import { marks } from './marks.ts'
import { masterKeys } from './master-keys.ts'
import { members } from './members.ts'
import { messageLists } from './message-lists.ts'
import { messages } from './messages.ts'
import { permissions } from './permissions.ts'
import { pins } from './pins.ts'
import { presence } from './presence.ts'
import { reactions } from './reactions.ts'
import { blocks, friends } from './relations.ts'
import { roles } from './roles.ts'
import type { OperationTable } from './seam.ts'
import { self } from './self.ts'
import { sessions } from './sessions.ts'
import { stats } from './stats.ts'
import { threads } from './threads.ts'
import { updates } from './updates.ts'
import { userLists } from './user-lists.ts'
import { authTokens, users } from './users.ts'
import { webhooks } from './webhooks.ts'

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
