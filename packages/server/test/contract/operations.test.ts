/** Every operation of the table, once, with the properties that the contract shows for its answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { nameOf, routes } from '../support/routes.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { apiKeyOperations } from './operations/api-keys.ts'
import { auditOperations } from './operations/audit.ts'
import { authTokenOperations } from './operations/auth-tokens.ts'
import { botMessageOperations, botOperations, lastBotOperations } from './operations/bots.ts'
import { callOperations } from './operations/calls.ts'
import { conversationOperations } from './operations/conversations.ts'
import { deliveryOperations } from './operations/deliveries.ts'
import { fileOperations } from './operations/files.ts'
import { groupOperations, lastGroupOperations } from './operations/groups.ts'
import { importOperations } from './operations/imports.ts'
import { meOperations } from './operations/me.ts'
import { lastMessageOperations, messageOperations } from './operations/messages.ts'
import { relationOperations } from './operations/relations.ts'
import { roleOperations } from './operations/roles.ts'
import { statsOperations } from './operations/stats.ts'
import { joined, type Made } from './operations/support.ts'
import { threadOperations } from './operations/threads.ts'
import { updateOperations } from './operations/updates.ts'
import { lastUserOperations, userOperations } from './operations/users.ts'
import { webhookOperations } from './operations/webhooks.ts'

/** In this order: later ones need what earlier ones made. */
const operations = joined([
  roleOperations,
  userOperations,
  relationOperations,
  authTokenOperations,
  apiKeyOperations,
  groupOperations,
  botOperations,
  callOperations,
  fileOperations,
  messageOperations,
  threadOperations,
  conversationOperations,
  botMessageOperations,
  lastMessageOperations,
  deliveryOperations,
  updateOperations,
  importOperations,
  statsOperations,
  meOperations,
  lastBotOperations,
  webhookOperations,
  auditOperations,
  lastGroupOperations,
  lastUserOperations,
])

test('the tables have every operation', () => {
  expect(Object.keys(operations).sort()).toEqual(routes.map(nameOf).sort())
})

describeEngines('operations', (engine) => {
  let server: TestServer
  let made: Made
  beforeAll(async () => {
    server = await startServer({ engine })
    made = { api: new Api(server), apiKey: '', token: '', message: '', delivery: '' }
  })
  afterAll(() => server?.dispose())

  for (const [name, operation] of Object.entries(operations)) test(name, () => operation(made))

  test('each was answered with 200', () => {
    expect([...made.api.used].sort()).toEqual(Object.keys(operations).sort())
  })
})
