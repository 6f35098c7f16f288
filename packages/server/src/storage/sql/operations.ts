/** Everything that can be asked of the store: nouns, with their verbs. One verb, one transaction. */
import { apiKeys, apps } from './apps.ts'
import { bots } from './bots.ts'
import { breakers } from './breakers.ts'
import { deliveries } from './deliveries.ts'
import { groups } from './groups.ts'
import { lanes } from './lanes.ts'
import { masterKeys } from './master-keys.ts'
import { members } from './members.ts'
import { messageLists } from './message-lists.ts'
import { messages } from './messages.ts'
import type { OperationTable } from './seam.ts'
import { updates } from './updates.ts'
import { authTokens, users } from './users.ts'
import { webhooks } from './webhooks.ts'

export const operations = {
  apps,
  apiKeys,
  users,
  authTokens,
  groups,
  members,
  messages: { ...messages, ...messageLists },
  bots,
  breakers,
  masterKeys,
  lanes,
  deliveries,
  updates,
  webhooks,
} as const satisfies OperationTable
