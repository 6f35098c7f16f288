/** Every documented error, produced: the type below does not let one be forgotten. */
import { type ErrorCode, errorCodes, isErrorCode } from '@confab/protocol'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeWithPostgres } from '../../src/testing/services.ts'
import { Api } from '../support/api.ts'
import { consumedBot } from '../support/faults/bots.ts'
import { failingCall } from '../support/faults/calls.ts'
import { pinnedGroup, pinnedGroups, pinner } from '../support/faults/conversations.ts'
import { deliveryOf } from '../support/faults/deliveries.ts'
import { keeping } from '../support/faults/messages.ts'
import { makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

interface World extends Scene {
  /** `fails` of the code in question. */
  readonly fails: (method: string, path: string, options?: Parameters<Api['fails']>[3]) => Promise<unknown>
  readonly api: Api
  /** From ann to bob. */
  readonly message: string
  /** The action message of an edit. */
  readonly action: string
  /** A reply to `message`. */
  readonly reply: string
}

type Producer = ((world: World) => Promise<unknown>) | { readonly not: string }

const sending =
  (change: object): Producer =>
  ({ fails, ann, bob }) =>
    fails('POST', '/messages', { body: { ...toUser(bob), ...change }, onBehalfOf: ann })

const calling =
  (code: ErrorCode): Producer =>
  async (world) =>
    world.fails(...(await failingCall(world, code)))

const producers: Readonly<Record<ErrorCode, Producer>> = {
  AUTH_ERR_EMPTY_APPID: { not: 'needs two apps: produced in addressing.test.ts' },
  AUTH_ERR_INVALID_APPID: ({ fails }) => fails('GET', '/users', { appId: 'other' }),
  AUTH_ERR_EMPTY_APIKEY: ({ fails }) => fails('GET', '/users', { key: null }),
  AUTH_ERR_APIKEY_NOT_FOUND: ({ fails }) => fails('GET', '/users', { key: 'unknown' }),
  AUTH_ERR_EMPTY_AUTH_HEADER: ({ fails, api }) => fails('GET', `/apps/${api.server.appId}/webhooks`, { key: null }),
  AUTH_ERR_EMPTY_AUTH_TOKEN: ({ fails }) => fails('GET', '/groups', { token: '' }),
  AUTH_ERR_AUTH_TOKEN_NOT_FOUND: ({ fails }) => fails('GET', '/groups', { token: 'unknown' }),
  AUTH_ERR_NO_ACCESS: ({ fails, api }) => fails('GET', '/users', { key: api.server.authKey }),
  ERR_APIKEY_NOT_FOUND: ({ fails }) => fails('GET', '/apikeys/unknown'),
  ERR_APIKEY_NO_SELF_ACTION: ({ fails, api }) => fails('DELETE', `/apikeys/${api.server.restApiKey}`),
  ERR_AUTH_TOKEN_NOT_FOUND: ({ fails, ann }) => fails('GET', `/users/${ann}/auth_tokens/unknown`),
  ERR_AUTHTOKEN_NOT_ACCESSIBLE: async ({ fails, api, ann, bob }) => {
    const { authToken } = (await api.ok('POST', `/users/${bob}/auth_tokens`)).data
    await fails('DELETE', `/users/${ann}/auth_tokens/${authToken}`)
  },
  ERR_PLAN_QUOTA_RESTRICTION: async ({ fails, api }) => {
    for (let made = 2; made < 25; made++) await api.ok('POST', '/apikeys', { body: { name: 'x' } })
    await fails('POST', '/apikeys', { body: { name: 'x' } })
  },
  ERR_UID_NOT_FOUND: ({ fails }) => fails('GET', '/users/nobody'),
  ERR_PERMISSION_DENIED: async ({ fails, api, cara }) => {
    await api.ok('POST', '/roles', { body: { role: 'mute', name: 'x' } })
    await api.ok('PUT', '/roles/mute/permissions', { body: { permissions: { listUsers: 'deny' } } })
    await api.ok('PUT', `/users/${cara}`, { body: { role: 'mute' } })
    await fails('GET', '/users', { onBehalfOf: cara })
    await api.ok('DELETE', '/roles/mute')
  },
  ERR_ROLE_NOT_FOUND: ({ fails }) => fails('GET', '/roles/nothing'),
  ERR_ROLE_ALREADY_EXISTS: ({ fails }) => fails('POST', '/roles', { body: { role: 'Default', name: 'x' } }),
  ERR_ROLE_DELETE_DENIED: ({ fails }) => fails('DELETE', '/roles/default'),
  ERR_ALREADY_FRIEND: { not: 'stands within the answer to an addition of friends: produced in relations.test.ts' },
  ERR_NOT_A_FRIEND: ({ fails, ann, bob }) => fails('DELETE', `/users/${ann}/friends`, { body: { friends: [bob] } }),
  ERR_CANNOT_FORM_SELF_RELATION: ({ fails, ann }) =>
    fails('POST', `/users/${ann}/friends`, { body: { accepted: [ann] } }),
  ERR_CANNOT_BLOCK_SELF: ({ fails, ann }) =>
    fails('POST', '/blockedusers', { onBehalfOf: ann, body: { blockedUids: [ann] } }),
  ERR_BLOCKED_RECEIVER: async ({ fails, api, ann, cara }) => {
    await api.ok('POST', `/users/${ann}/blockedusers`, { body: { blockedUids: [cara] } })
    await fails('POST', '/messages', { body: toUser(cara), onBehalfOf: ann })
  },
  ERR_BLOCKED_SENDER: async ({ fails, api, ann, cara }) => {
    await fails('POST', '/messages', { body: toUser(ann), onBehalfOf: cara })
    await api.ok('DELETE', `/users/${ann}/blockedusers`, { body: { blockedUids: [cara] } })
  },
  ERR_UID_ALREADY_EXISTS: ({ fails, ann }) => fails('POST', '/users', { body: { uid: ann, name: 'x' } }),
  ERR_BOT_NOT_FOUND: ({ fails, ann }) => fails('GET', `/bots/${ann}`),
  ERR_BOT_ALREADY_EXISTS: ({ fails, bot }) =>
    fails('POST', '/bots', { body: { uid: bot, webhookURL: 'https://bot.example' } }),
  ERR_BOT_NOT_PULLING: ({ fails, bot }) => fails('GET', `/bots/${bot}/updates`),
  ERR_BOT_ALREADY_CONSUMED: async ({ fails, api }) => fails('GET', `/bots/${await consumedBot(api)}/updates`),
  ERR_WEBHOOK_NOT_FOUND: ({ fails }) => fails('GET', '/webhooks/unknown'),
  ERR_WEBHOOK_ALREADY_EXISTS: async ({ fails, api }) => {
    const body = { id: 'twice', name: 'x', webhookURL: 'https://hook.example' }
    await api.ok('POST', '/webhooks', { body })
    await fails('POST', '/webhooks', { body })
  },
  ERR_TRIGGER_NOT_FOUND: ({ fails }) =>
    fails('DELETE', '/webhooks/twice/triggers', { body: { triggerIds: ['message_sent'] } }),
  ERR_BLOCKED_BY_WEBHOOK: { not: 'needs a webhook that answers: produced in delivery/before-message.test.ts' },
  ERR_CALLING_SELF: calling('ERR_CALLING_SELF'),
  ERR_CALL_BUSY_SELF: calling('ERR_CALL_BUSY_SELF'),
  ERR_CALL_BUSY_USER: calling('ERR_CALL_BUSY_USER'),
  ERR_CALL_BUSY_GROUP: calling('ERR_CALL_BUSY_GROUP'),
  ERR_EMPTY_CALL_SESSION_ID: calling('ERR_EMPTY_CALL_SESSION_ID'),
  ERR_CALL_SESSION_NOT_FOUND: calling('ERR_CALL_SESSION_NOT_FOUND'),
  ERR_CALL_NOT_A_PART: calling('ERR_CALL_NOT_A_PART'),
  ERR_CALL_TERMINATED: calling('ERR_CALL_TERMINATED'),
  ERR_CALL_NOT_STARTED: calling('ERR_CALL_NOT_STARTED'),
  ERR_CALL_INVALID_INIT: calling('ERR_CALL_INVALID_INIT'),
  ERR_CALL_ONGOING_TO_INVALID: calling('ERR_CALL_ONGOING_TO_INVALID'),
  ERR_CALL_USER_ALREADY_JOINED: calling('ERR_CALL_USER_ALREADY_JOINED'),
  ERR_CALL_GROUP_ALREADY_JOINED: calling('ERR_CALL_GROUP_ALREADY_JOINED'),
  ERR_CALL_GROUP_ALREADY_LEFT: calling('ERR_CALL_GROUP_ALREADY_LEFT'),
  ERR_CALL_GROUP_INVALID_STATUS: calling('ERR_CALL_GROUP_INVALID_STATUS'),
  ERR_DELIVERY_NOT_FOUND: ({ fails }) => fails('GET', '/deliveries/dlv_unknown'),
  ERR_DELIVERY_NOT_PENDING: async (world) =>
    world.fails('POST', `/deliveries/${await deliveryOf(world, 'cancelled')}/cancel`),
  ERR_DELIVERY_PENDING: async (world) =>
    world.fails('POST', `/deliveries/${await deliveryOf(world, 'pending')}/replay`),
  ERR_GUID_NOT_FOUND: ({ fails }) => fails('GET', '/groups/nowhere'),
  ERR_GUID_ALREADY_EXISTS: ({ fails, group }) => fails('POST', '/groups', { body: { guid: group, name: 'x' } }),
  ERR_EMPTY_GROUP_PASS: ({ fails }) => fails('POST', '/groups', { body: { guid: 'x', name: 'x', type: 'password' } }),
  ERR_NOT_A_MEMBER: async ({ fails, api, group }) => {
    await api.ok('POST', '/users', { body: { uid: 'outsider', name: 'x' } })
    await fails('DELETE', `/groups/${group}/members/outsider`)
  },
  ERR_ALREADY_JOINED: ({ fails, group, ann }) =>
    fails('POST', `/groups/${group}/members`, { onBehalfOf: ann, body: {} }),
  ERR_NO_VACANCY: { not: 'needs a lower limit: produced in limits.test.ts' },
  ERR_WRONG_GROUP_PASS: async ({ fails, api, ann }) => {
    await api.ok('POST', '/groups', { body: { guid: 'locked', name: 'x', type: 'password', password: 'sesame' } })
    await fails('POST', '/groups/locked/members', { onBehalfOf: ann, body: { password: 'x' } })
  },
  ERR_GROUP_JOIN_NOT_ALLOWED: async ({ fails, api, ann }) => {
    await api.ok('POST', '/groups', { body: { guid: 'club', name: 'x', type: 'private' } })
    await fails('POST', '/groups/club/members', { onBehalfOf: ann, body: {} })
  },
  ERR_GROUP_NO_CLEARANCE: ({ fails, group, bob, cara }) =>
    fails('PATCH', `/groups/${group}/owner`, { onBehalfOf: bob, body: { owner: cara } }),
  ERR_GROUP_NOT_JOINED: ({ fails, group }) => fails('PUT', `/groups/${group}`, { onBehalfOf: 'outsider', body: {} }),
  ERR_SAME_SCOPE: ({ fails, group, cara }) => fails('PUT', `/groups/${group}/members/${cara}`),
  ERR_BANNED_GROUPMEMBER: async ({ fails, api, group }) => {
    await api.ok('POST', '/users', { body: { uid: 'rowdy', name: 'x' } })
    await api.ok('POST', `/groups/${group}/bannedusers/rowdy`)
    await fails('POST', `/groups/${group}/members`, { onBehalfOf: 'rowdy', body: {} })
  },
  ERR_ALREADY_BANNED: async ({ fails, api, group }) => {
    await api.ok('POST', `/groups/${group}/bannedusers/outsider`)
    await fails('POST', `/groups/${group}/bannedusers/outsider`)
  },
  ERR_NOT_A_BANNED_USER: ({ fails, group, ann }) => fails('DELETE', `/groups/${group}/bannedusers/${ann}`),
  ERR_GROUP_NO_ADMIN_SCOPE: ({ fails, group, bob }) => fails('DELETE', `/groups/${group}`, { onBehalfOf: bob }),
  ERR_GROUP_NO_MODERATOR_SCOPE: ({ fails, group, cara }) =>
    fails('PUT', `/groups/${group}`, { onBehalfOf: cara, body: { name: 'x' } }),
  ERR_GROUP_NO_SCOPE_CLEARANCE: ({ fails, group, ann, bob }) =>
    fails('DELETE', `/groups/${group}/members/${ann}`, { onBehalfOf: bob }),
  ERR_GROUP_NO_SELF_ACTION: ({ fails, group, ann }) =>
    fails('DELETE', `/groups/${group}/members/${ann}`, { onBehalfOf: ann }),
  ERR_EMPTY_RECEIVER: sending({ receiver: '' }),
  ERR_INVALID_RECEIVER_TYPE: sending({ receiverType: 'x' }),
  ERR_EMPTY_MESSAGE_CATEGORY: sending({ category: '' }),
  ERR_INVALID_MESSAGE_CATEGORY: sending({ category: 'x' }),
  ERR_EMPTY_MESSAGE_TYPE: sending({ type: '' }),
  ERR_INVALID_MESSAGE_TYPE: sending({ type: 'x' }),
  ERR_INVALID_MESSAGE_DATA: sending({ data: 'x' }),
  ERR_EMPTY_MESSAGE_TEXT: sending({ data: {} }),
  ERR_INVALID_MESSAGE_TEXT: sending({ data: { text: {} } }),
  ERR_EMPTY_MESSAGE_FILE: sending({ type: 'file', data: {} }),
  ERR_INVALID_MEDIA_MESSAGE: sending({ type: 'file', data: { attachments: [1] } }),
  ERR_EMPTY_CUSTOM_DATA: sending({ category: 'custom', type: 'x', data: {} }),
  ERR_INVALID_CUSTOM_DATA: sending({ category: 'custom', type: 'x', data: { customData: 1 } }),
  ERR_INVALID_METADATA: sending({ data: { text: 'x', metadata: 1 } }),
  ERR_MESSAGE_ID_NOT_FOUND: ({ fails }) => fails('GET', '/messages/999999'),
  ERR_MESSAGE_NOT_A_SENDER: ({ fails, message, bob }) => fails('DELETE', `/messages/${message}`, { onBehalfOf: bob }),
  ERR_MESSAGE_NO_ACCESS: ({ fails, message, cara }) => fails('GET', `/messages/${message}`, { onBehalfOf: cara }),
  ERR_MESSAGE_ACTION_NOT_ALLOWED: ({ fails, action }) => fails('DELETE', `/messages/${action}`),
  ERR_WRONG_MESSAGE_THREAD: ({ fails, message, ann, group }) =>
    fails('POST', `/messages/${message}/thread`, { body: toGroup(group), onBehalfOf: ann }),
  ERR_MESSAGE_THREAD_NESTING: ({ fails, reply, ann, bob }) =>
    fails('POST', `/messages/${reply}/thread`, { body: toUser(bob), onBehalfOf: ann }),
  ERR_WRONG_MESSAGE_THREAD_CATEGORY: ({ fails, action, ann, bob }) =>
    fails('POST', `/messages/${action}/thread`, { body: toUser(bob), onBehalfOf: ann }),
  ERR_PINNED_MESSAGES_LIMIT_EXCEEDED: async ({ fails, ...world }) => {
    const { onBehalfOf = '', names } = await keeping(world, 'pin')
    await fails('POST', `/messages/${names?.id}/pin`, { onBehalfOf })
  },
  ERR_SAVED_MESSAGES_LIMIT_EXCEEDED: async ({ fails, ...world }) => {
    const { onBehalfOf = '', names } = await keeping(world, 'save')
    await fails('POST', `/messages/${names?.id}/save`, { onBehalfOf })
  },
  ERR_CONVERSATION_NOT_FOUND: ({ fails, ann }) => fails('GET', '/conversations/nothing', { onBehalfOf: ann }),
  ERR_CONVERSATION_NOT_ACCESSIBLE: ({ fails, bob, cara }) =>
    fails('GET', `/users/${bob}/conversation`, { onBehalfOf: cara }),
  ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED: async ({ fails, ...world }) =>
    fails('POST', `/users/${world.bob}/conversation/pin`, { onBehalfOf: await pinner(world) }),
  ERR_SYSTEM_PINNED_CONVERSATION: async ({ fails, ...world }) =>
    fails('DELETE', `/groups/${await pinnedGroup(world)}/conversation/pin`, { onBehalfOf: world.ann }),
  ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED: async ({ fails, ...world }) =>
    fails('POST', `/groups/${await pinnedGroups(world)}/conversation/pin`),
  ERR_FILE_NOT_FOUND: ({ fails, api }) =>
    fails('GET', `/${api.server.appId}/${'0'.repeat(40)}/a.png`, { prefix: '/files' }),
  ERR_BAD_REQUEST: ({ fails }) => fails('POST', '/users', { body: [] }),
  ERR_INVALID_API_VERSION: ({ fails }) => fails('GET', '/users', { prefix: '/v2' }),
  ERR_API_NOT_FOUND: ({ fails }) => fails('GET', '/nothing'),
  ERR_PAYLOAD_TOO_LARGE: ({ fails }) => fails('POST', '/users', { body: { x: 'x'.repeat(300_000) } }),
  ERR_UNSUPPORTED_MEDIA_TYPE: ({ fails }) =>
    fails('POST', '/users', { rawBody: 'x', headers: { 'content-type': 'text/plain' } }),
  ERR_TOO_MANY_REQUESTS: { not: 'needs a limit: produced in rate-limits.test.ts' },
  ERR_EXCEPTION: { not: 'what nobody expects: produced below by a database that goes away' },
  ERR_SERVICE_UNAVAILABLE: { not: 'produced below by a database that goes away' },
}

const codes = Object.entries(producers).filter(
  (entry): entry is [ErrorCode, (world: World) => Promise<unknown>] => typeof entry[1] === 'function',
)

test('there is a producer or a reason for every code, and for nothing else', () => {
  expect(Object.keys(producers).sort()).toEqual(Object.keys(errorCodes).sort())
})

describeEngines('error codes', (engine) => {
  let server: TestServer
  let api: Api
  let world: Omit<World, 'fails'>
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    const scene = await makeScene(api)
    const { ann, bob } = scene
    const { id: message } = (await api.ok('POST', '/messages', { body: toUser(bob), onBehalfOf: ann })).data
    const reply = (await api.ok('POST', `/messages/${message}/thread`, { body: toUser(ann), onBehalfOf: bob })).data.id
    const action = (await api.ok('PUT', `/messages/${message}`, { body: { tags: ['x'] } })).data.id
    world = { ...scene, api, message, reply, action }
  })
  afterAll(() => server?.dispose())

  test.each(codes)('%s', async (code, produce) => {
    await produce({ ...world, fails: (method, path, options) => api.fails(code, method, path, options) })
  })
})

describeWithPostgres('a database that goes away', () => {
  test('is our fault, and says so without saying how', async () => {
    const owner = await startServer({ engine: 'postgres' })
    try {
      const get = async (path: string): Promise<{ status: number; text: string; code: string }> => {
        const response = await fetch(`${owner.url}${path}`, { headers: { apikey: owner.restApiKey } })
        const text = await response.text()
        return { status: response.status, text, code: JSON.parse(text).error?.code }
      }
      expect((await get('/v3/users')).status).toBe(200)
      expect((await get('/readyz')).status).toBe(200)
      await dropDatabase(owner)
      const answers = [await get('/v3/users'), await get('/readyz')]
      expect(answers.map(({ code }) => code)).toEqual(['ERR_EXCEPTION', 'ERR_SERVICE_UNAVAILABLE'])
      for (const { status, text, code } of answers) {
        expect(isErrorCode(code) && errorCodes[code].status).toBe(status)
        expect(text).not.toMatch(/postgres|database|confab_test|127\.0\.0\.1|\.ts/i)
      }
      expect((await get('/healthz')).status).toBe(200)
    } finally {
      await owner.dispose()
    }
  })
})

describe('the list of reasons', () => {
  test('is short', () => {
    expect(Object.values(producers).filter((producer) => typeof producer !== 'function').length).toBeLessThan(8)
  })
})

const dropDatabase = async ({ databaseUrl = '' }: TestServer): Promise<void> => {
  const url = new URL(databaseUrl)
  const name = url.pathname.slice(1)
  url.pathname = '/postgres'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
  await client.end()
}
