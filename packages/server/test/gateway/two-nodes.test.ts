/** Two nodes on one database: what happens on one is seen on the other, by PostgreSQL alone and by NATS. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../src/testing/postgres.ts'
import { describeWithPostgres, services } from '../../src/testing/services.ts'
import { Api } from '../support/api.ts'
import { makeScene, toGroup, toUser } from '../support/scene.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { Clients } from '../support/sessions.ts'

const suite = (busOf: () => Record<string, string>): void => {
  let database: FreshDatabase
  let nodes: readonly [TestServer, TestServer]
  let clients: readonly [Clients, Clients]
  let api: Api

  beforeAll(async () => {
    database = await freshDatabase(services().postgresUrl ?? '')
    const one = await startServer({ engine: 'postgres', databaseUrl: database.url, env: busOf() })
    const { appId, restApiKey, authKey } = one
    const two = await startServer({
      ...{ engine: 'postgres', databaseUrl: database.url, env: busOf() },
      ...{ appId, restApiKey, authKey },
    })
    nodes = [one, two]
    clients = [new Clients(one), new Clients(two)]
    api = new Api(one)
  })
  afterAll(async () => {
    for (const of of clients ?? []) await of.dispose()
    for (const node of nodes ?? []) await node.dispose()
    await database?.drop()
  })

  test('messages, typing, receipts, presence and members', async () => {
    const scene = await makeScene(api)
    const ann = await clients[0].signIn({ uid: scene.ann, presence: 'ALL_USERS' })
    const bob = await clients[1].signIn({ uid: scene.bob })
    await ann.frame('presence', ({ sender, body }) => sender === scene.bob && body.action === 'online')
    const { data } = await api.ok('POST', '/messages', { body: toUser(scene.bob, 'across'), onBehalfOf: scene.ann })
    await bob.message(({ id }) => id === data.id)
    ann.say('typing_indicator', { user: scene.bob }, { action: 'started' })
    await bob.frame('typing_indicator')
    bob.say('receipts', { user: scene.ann }, { action: 'read', messageId: data.id }, { messageSender: scene.ann })
    await ann.frame('receipts', ({ body }) => body.action === 'read')
    // Whoever is added on one node hears of it on the other, and then what is said there.
    const uid = `dan-${scene.ann}`
    await api.ok('POST', '/users', { body: { uid, name: 'Dan' } })
    const dan = await clients[1].signIn({ uid })
    await api.ok('POST', `/groups/${scene.group}/members`, { body: { participants: [uid] } })
    await dan.message(({ data: { action } }) => action === 'added')
    await api.ok('POST', '/messages', { body: toGroup(scene.group, 'hi all'), onBehalfOf: scene.ann })
    await dan.message(({ data: { text } }) => text === 'hi all')
    // Both nodes hold a session: the first to end is not the end.
    const second = await clients[0].signIn({ uid: scene.bob })
    await bob.close()
    await new Promise((resolve) => setTimeout(resolve, 2500))
    expect((await api.ok('GET', `/users/${scene.bob}`)).data.status).toBe('available')
    await second.close()
    await ann.frame('presence', ({ sender, body }) => sender === scene.bob && body.action === 'offline')
  })

  test('a token that is deleted on one ends its sessions on the other', async () => {
    const { ann: uid } = await makeScene(api)
    const client = await clients[1].signIn({ uid })
    await api.ok('DELETE', `/users/${uid}/auth_tokens`)
    expect((await client.until('the close', () => client.closed)).code).toBe(1008)
  })

  test('who was on a node that dies is offline in time, and their client finds the other node', async () => {
    const { ann: uid, bob } = await makeScene(api)
    await clients[1].signIn({ uid })
    await clients[1].signIn({ uid: bob })
    await nodes[1].kill()
    const again = await clients[0].signIn({ uid: bob })
    const status = async (of: string): Promise<string> => (await api.ok('GET', `/users/${of}`)).data.status
    const end = Date.now() + 70_000
    while ((await status(uid)) !== 'offline' && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 1000))
    expect([await status(uid), await status(bob)]).toEqual(['offline', 'available'])
    await again.close()
  }, 90_000)
}

describeWithPostgres('sessions on two nodes', () => {
  describe('by PostgreSQL', () => suite(() => ({})))
  describe.skipIf(services().natsUrl === undefined)('by NATS', () =>
    suite(() => ({ CONFAB_BUS_URL: services().natsUrl ?? '' })),
  )
})
