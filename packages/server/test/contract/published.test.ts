/**
 * Every operation that the vendor of the contract has published: its request is taken, with each value that a field or a
 * parameter may have, and its answer has every field of the published example and of the published schema, of the same type.
 * What depends on what was said before, or is meant otherwise here, stands in the tables below with its reason; a row that
 * excuses nothing fails.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import {
  isRequired,
  lacking,
  lackingOf,
  missingDescription,
  type Operation,
  publishedOperations,
} from '../support/published.ts'
import {
  bodyOf,
  cases,
  type Given,
  makePublishedWorld,
  type PublishedWorld,
  variantsOf,
} from '../support/published-cases.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

/** Objects by id. */
const MAPS: Readonly<Record<string, readonly string[]>> = {
  'POST /roles/{role}/restrictedfeatures': ['data'],
  'POST /groups/{guid}/members': ['data.admins', 'data.moderators', 'data.participants', 'data.usersToBan'],
  'POST /users/{uid}/friends': ['data.accepted'],
  'POST /users/{uid}/blockedusers': ['data'],
  'DELETE /users/{uid}/blockedusers': ['data'],
  'POST /data_import/messages': ['data'],
  'POST /apps/{appId}/webhooks/{webhookId}/triggers': ['data'],
}

/** One conversation is shown as a list of one; we answer it as it is, like every other single thing. */
const ONE_IN_A_LIST: ReadonlySet<string> = new Set([
  'GET /conversations/{conversationId}',
  'GET /users/{uid}/conversation',
  'PUT /users/{uid}/conversation',
  'GET /groups/{guid}/conversation',
  'PUT /groups/{guid}/conversation',
])

const nobodyActs = 'how somebody stands to who acts; no acting user is published for it'
const copied = 'the example is that of an edit'
const ofTwo = 'the example is of two people'
const ofGroup = 'the example is of a group'
const noTags = 'entities are shown without tags: they are for the app, and everybody reads messages'
const unchanged = 'who was never changed was not changed at any time'
const slip = 'a slip of the example'
const receipts = 'an empty list of lists; receipts are shown with a single message'
const entities = 'how who was added stands to who added them: a message is the same for everybody who reads it'
const ofNested = 'the schema has the fields of the user beside those of the message'
const ofMail = 'stands in the metadata of the example'
const notOf = 'the schema is that of another answer; the example is right'
const noLinks = 'no example has it: the next page is one more'
const noMember = 'who is banned is no member'
const ownConversation = 'two people have one conversation: it stands at the receiver, as in the example'
const withUser = Object.fromEntries(
  [
    ...['lastMessage.data.action', 'lastMessage.data.entities.by', 'lastMessage.data.entities.on'],
    ...['lastMessage.data.entities.for', 'conversationWith.guid', 'conversationWith.description'],
    ...['conversationWith.icon', 'conversationWith.type', 'conversationWith.scope', 'conversationWith.membersCount'],
    ...['conversationWith.joinedAt', 'conversationWith.hasJoined', 'conversationWith.owner'],
    'conversationWith.updatedBy',
  ].map((field) => [`data.${field}`, ofGroup]),
)

/** By operation: a field that need not be there, or not of this type, and why. */
const DIFFERENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'POST /roles': { 'data.email': ofMail },
  'GET /roles': { 'data[].email': ofMail },
  'GET /roles/{role}': { 'data.email': ofMail },
  'PUT /roles/{role}': { 'data.email': ofMail },
  'POST /roles/{role}/restrictedfeatures': { 'data.u.listUsers': 'one of the keys; the answer is by key' },
  'POST /users/{uid}/friends': { 'data.*.success': notOf, 'data.*.message': notOf },
  'POST /messages': { 'data.data.entities.sender.entity.conversationId': ownConversation },
  'GET /messages': { 'data[].data.entities.sender.entity.conversationId': ownConversation },
  'GET /messages/{id}': { 'data.data.entities.sender.entity.conversationId': ownConversation },
  'POST /messages/{id}/thread': { 'data.data.entities.sender.entity.conversationId': ownConversation },
  'GET /messages/{id}/thread': { 'data[].data.entities.sender.entity.conversationId': ownConversation },
  'POST /bots/{uid}/messages': { 'data.data.entities.sender.entity.conversationId': ownConversation },
  'GET /users': { 'data[].conversationId': nobodyActs },
  'GET /groups': { data: 'the example is an object with numbers for keys, and holds its own meta' },
  'GET /groups/{guid}/bannedusers': {
    'data[].conversationId': nobodyActs,
    'data[].scope': noMember,
    'data[].joinedAt': noMember,
  },
  'GET /groups/{guid}/members': { 'data[].conversationId': nobodyActs },
  'POST /groups/{guid}/members': Object.fromEntries(
    ['admins', 'moderators', 'participants'].flatMap((list) => [
      [`data.${list}.*.data.data.entities.for.entity.tags`, noTags],
      ...['avatar', 'metadata', 'status', 'role', 'createdAt'].map((name) => [`data.${list}.*.data.${name}`, ofNested]),
    ]),
  ),
  'DELETE /messages/{id}': {
    'data.data.entities.on.entity.data.text': copied,
    'data.data.entities.on.entity.editedAt': copied,
    'data.data.entities.on.entity.editedBy': copied,
  },
  'GET /users/{uid}/messages': {
    ...Object.fromEntries(
      ['id', 'category', 'data.text', 'sentAt', 'editedAt', 'editedBy', 'updatedAt', 'tags'].map((name) => [
        `data[].data.entities.on.entity.${name}`,
        'the schema is that of an edit, the example that of a call',
      ]),
    ),
    'data[].data.entities.on.entity.data.entities.sender.entity.createdAt': slip,
    'data[].data.entities.on.entity.data.entities.receiver.entity.createdAt': slip,
    'data[].data.entities.on.entity.wsChannel': 'the way to the media of a call, which do not come through here',
  },
  'GET /groups/{guid}/messages': {
    'data[].data.entities.sender.entity.conversationId': ownConversation,
    'data[].data.entities.receiver.entity.uid': ofTwo,
    'data[].data.entities.receiver.entity.role': ofTwo,
    'data[].data.entities.receiver.entity.avatar': ofTwo,
    'data[].data.entities.receiver.entity.status': ofTwo,
  },
  'GET /conversations': {
    'data[].lastMessage.data.entities.on.entity.conversationId': entities,
    'data[].lastMessage.receipts': receipts,
  },
  'GET /conversations/{conversationId}': {
    'data.lastMessage.data.entities.on.entity.conversationId': entities,
    'data.lastMessage.receipts': receipts,
  },
  'GET /users/{uid}/conversation': withUser,
  'PUT /users/{uid}/conversation': { ...withUser, 'data.lastMessage.receipts': receipts },
  'GET /groups/{guid}/conversation': {
    'data.lastMessage.data.text': ofTwo,
    'data.lastMessage.data.entities.on.entity.conversationId': entities,
  },
  'PUT /groups/{guid}/conversation': {
    'data.lastMessage.data.text': ofTwo,
    'data.lastMessage.data.entities.on.entity.conversationId': entities,
    'data.lastMessage.receipts': receipts,
  },
  'POST /users/{uid}/conversation/delivered': { 'data.Message': slip },
  'POST /users/{uid}/conversation/read': { 'data.Message': slip },
  'POST /data_import/messages': {
    'data.*.data.data.metad2ata': slip,
    'data.*.data.data.entities.sender.entity.updatedAt': unchanged,
    'data.*.data.data.entities.receiver.entity.updatedAt': unchanged,
  },
  'POST /data_import/groups': { 'data.guid1.data.data.uid': slip },
  'GET /stats/messages': { dataPoints: notOf },
  'GET /apps/{appId}/webhooks': { 'meta.pagination.links': noLinks },
  'GET /apps/{appId}/webhooks/{webhookId}/triggers': { 'meta.pagination.links': noLinks },
}

/** Each row is shown with whether it was taken: in the schemas it stands as it is. */
const NOT_BY_SCHEMA: ReadonlySet<string> = new Set(
  ['messages', 'users', 'groups', 'members'].map((kind) => `POST /data_import/${kind}`),
)

/** One value of a parameter, or each that it may have. */
const samplesFor = (one: Json): readonly string[] => {
  const values = one.schema?.enum ?? one.schema?.items?.enum
  return values === undefined ? [sampleFor(one)] : values.map(String)
}

const sampleFor = ({ name, schema = {} }: Json): string => {
  const known: Readonly<Record<string, string>> = {
    id: '1',
    affix: 'append',
    conversationType: 'group',
    conversationId: 'ann_user_bob',
    fromDate: '1',
    toDate: '2',
  }
  if (known[name] !== undefined) return known[name]
  if (schema.enum?.length) return String(schema.enum[0])
  if (schema.type === 'array' || schema.type === 'string') return name === 'scopes' ? 'admin' : 'name'
  return schema.type === 'boolean' ? 'true' : '1'
}

if (missingDescription !== undefined && isRequired) {
  test('the published description is there', () => {
    throw new Error(`CONFAB_TEST_REQUIRE names published, but ${missingDescription}`)
  })
}
if (missingDescription !== undefined && !isRequired) {
  console.warn(`Tests that need the published description are skipped: ${missingDescription}.`)
}

describe.skipIf(missingDescription !== undefined)('the published description', () => {
  test('every operation has its case', () => {
    const chat = publishedOperations.filter(({ path }) => !path.startsWith('/data_import'))
    expect(chat.map(({ name }) => name).sort()).toEqual(Object.keys(cases).sort())
    expect(publishedOperations).toHaveLength(81)
  })

  describeEngines('published', (engine) => {
    let server: TestServer
    let world: PublishedWorld
    const excused = new Set<string>()
    beforeAll(async () => {
      server = await startServer({ engine })
      world = await makePublishedWorld(new Api(server))
    })
    afterAll(() => server?.dispose())

    const givenFor = async ({ name, bodySchema }: Operation): Promise<Given> => {
      const [, wrapper] = name.split('/data_import/')
      return wrapper === undefined
        ? ((await cases[name]?.(world)) ?? {})
        : { body: { [wrapper]: bodySchema.properties[wrapper].example } }
    }

    const requestOf = async (operation: Operation, variant: object = {}): Promise<[string, CallOptions]> => {
      const made = await givenFor(operation)
      const given = { ...made, body: { ...made.body, ...variant } }
      const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => given.names?.[name] ?? '')
      const body = bodyOf(operation, given)
      const query = operation.query.filter(({ required }) => required).map((one) => [one.name, sampleFor(one)])
      const queried = { ...given.query, ...Object.fromEntries(query) }
      return [path, { onBehalfOf: given.onBehalfOf, query: queried, ...(body && { body }) }]
    }

    test.each(publishedOperations)('$name', async (operation) => {
      const { name, method, example } = operation
      const [path, options] = await requestOf(operation)
      const answer = await world.api.ok(method, path, options)
      const rows = DIFFERENT[name] ?? {}
      const shown = ONE_IN_A_LIST.has(name) ? { ...example, data: example.data[0] } : example
      const found = lacking(shown, answer, new Set(MAPS[name]))
      if (!NOT_BY_SCHEMA.has(name)) found.push(...lackingOf(operation.answer, answer, shown))
      const excuse = (one: string): boolean => {
        const row = Object.keys(rows).find((field) => one === field || one.startsWith(`${field}:`))
        if (row !== undefined) excused.add(`${name} ${row}`)
        return row !== undefined
      }
      expect(found.filter((one) => !excuse(one))).toEqual([])
      for (const one of operation.query) {
        for (const sample of samplesFor(one)) {
          await world.api.ok(method, path, { ...options, query: { ...options.query, [one.name]: sample } })
        }
      }
    })

    const varied = publishedOperations.flatMap((operation) =>
      variantsOf(operation).map((variant) => ({
        what: `${operation.name} ${JSON.stringify(variant)}`,
        operation,
        variant,
      })),
    )
    test.each(varied)('$what', async ({ operation, variant }) => {
      await world.api.ok(operation.method, ...(await requestOf(operation, variant)))
    })

    test('every row of the table excuses something', () => {
      const rows = Object.entries(DIFFERENT).flatMap(([name, fields]) =>
        Object.keys(fields).map((one) => `${name} ${one}`),
      )
      expect(rows.filter((row) => !excused.has(row))).toEqual([])
    })
  })
})
