/** What administrators did, as it can be read: who, what, to whom, when; and never what was said or is secret. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('the audit log', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const newest = async (): Promise<string | undefined> =>
    idsOf(await api.ok('GET', '/audit', { query: { limit: 1 } }))[0]

  /** What was written down while that was done, oldest first. */
  const during = async (work: () => Promise<unknown>): Promise<Json[]> => {
    const last = await newest()
    await work()
    const { data } = await api.ok('GET', '/audit', { query: { limit: 100 } })
    const known = data.findIndex(({ id }: Json) => id === last)
    return data.slice(0, known === -1 ? undefined : known).reverse()
  }
  const shown = (entries: Json[]): string[] => entries.map(({ action, target }) => `${action} ${target ?? '-'}`)

  test('says who did what to whom, and when', async () => {
    const { ann, group } = scene
    const key = { name: 'Rest API Key', keyEnd: server.restApiKey.slice(-4) }
    const at = Math.floor(Date.now() / 1000)
    const entries = await during(async () => {
      await api.ok('PUT', `/users/${ann.toUpperCase()}`, { body: { name: 'Ann of the audit' } })
      await api.ok('POST', '/users', { key: server.authKey, body: { uid: 'made-by-auth', name: 'x' } })
      await api.ok('PUT', `/groups/${group}`, { onBehalfOf: ann, body: { name: 'New name' } })
    })
    expect(entries).toEqual([
      {
        ...{ id: expect.stringMatching(/^[1-9]\d*$/), at: expect.any(Number), action: 'PUT /users/:uid', target: ann },
        ...{ actor: { kind: 'key', ...key }, requestId: expect.stringMatching(/^req_/) },
      },
      expect.objectContaining({
        actor: { kind: 'key', name: 'Auth Key', keyEnd: server.authKey.slice(-4) },
        action: 'POST /users',
      }),
      expect.objectContaining({ actor: { kind: 'key', ...key, onBehalfOf: ann }, target: group }),
    ])
    for (const entry of entries) expect(Math.abs(entry.at - at)).toBeLessThan(10)
    expect(JSON.stringify(entries)).not.toMatch(/Ann of the audit|New name/)
    await expect.poll(() => server.log.join('')).toContain(entries[0].requestId)
  })

  test('holds what is done with keys to all that is administered, and secrets by their end', async () => {
    const { bob, cara, group, bot } = scene
    const made: Record<string, string> = {}
    const entries = await during(async () => {
      made.key = (await api.ok('POST', '/apikeys', { body: { name: 'Spare' } })).data.apiKey
      await api.ok('PUT', `/apikeys/${made.key}`, { body: { name: 'Renamed' } })
      await api.ok('DELETE', `/apikeys/${made.key}`)
      made.token = (await api.ok('POST', `/users/${bob}/auth_tokens`)).data.authToken
      await api.ok('DELETE', `/users/${bob}/auth_tokens/${made.token}`)
      await api.ok('DELETE', '/users', { body: { uidsToDeactivate: ['made-by-auth'] } })
      await api.ok('POST', '/roles', { body: { role: 'clerk', name: 'Clerk' } })
      await api.ok('PUT', '/roles/clerk/permissions', { body: { permissions: { createGroup: 'deny' } } })
      await api.ok('DELETE', `/groups/${group}/members/${cara}`)
      await api.ok('PUT', `/bots/${bot}`, { body: { enabled: true } })
      await api.ok('POST', `/bots/${bot}/secret/rotate`, { body: {} })
      await api.ok('POST', `/bots/${bot}/replay`, { body: { since: 0 } })
    })
    const { key = '', token = '' } = made
    expect(shown(entries)).toEqual([
      'POST /apikeys -',
      `PUT /apikeys/:apiKey ${key.slice(-4)}`,
      `DELETE /apikeys/:apiKey ${key.slice(-4)}`,
      `POST /users/:uid/auth_tokens ${bob}`,
      `DELETE /users/:uid/auth_tokens/:authToken ${bob}/${token.slice(-4)}`,
      'DELETE /users -',
      'POST /roles -',
      'PUT /roles/:role/permissions clerk',
      `DELETE /groups/:guid/members/:uid ${group}/${cara}`,
      `PUT /bots/:uid ${bot}`,
      `POST /bots/:uid/secret/rotate ${bot}`,
      `POST /bots/:uid/replay ${bot}`,
    ])
    const text = JSON.stringify(entries)
    for (const secret of [key, token, server.restApiKey]) expect(text).not.toContain(secret.slice(0, -4))
  })

  test('holds what the app takes away or says otherwise, of what users have said', async () => {
    const { ann, bob, cara } = scene
    const send = async (): Promise<string> =>
      (await api.ok('POST', '/messages', { onBehalfOf: ann, body: toUser(bob, 'a secret') })).data.id
    const [first, second] = [await send(), await send()]
    const entries = await during(async () => {
      await api.ok('PUT', `/messages/${first}`, { body: { data: { text: 'another secret' } } })
      await api.ok('DELETE', `/messages/${second}`, { body: { permanent: true } })
      await api.ok('DELETE', `/messages/${first}`, { onBehalfOf: ann })
      const body = { deleteMessagesPermanently: true }
      await api.ok('DELETE', `/users/${bob}/conversation`, { onBehalfOf: ann, body })
      await api.ok('POST', `/users/${ann}/blockedusers`, { body: { blockedUids: [cara] } })
      await api.ok('DELETE', `/users/${ann}/blockedusers`, { body: { blockedUids: [cara] } })
    })
    expect(shown(entries)).toEqual([
      `PUT /messages/:id ${first}`,
      `DELETE /messages/:id ${second}`,
      `DELETE /users/:uid/conversation ${bob}`,
      `POST /users/:uid/blockedusers ${ann}`,
      `DELETE /users/:uid/blockedusers ${ann}`,
    ])
    expect(JSON.stringify(entries)).not.toContain('secret')
  })

  test('holds no messages, nothing that was only read or refused, and nothing that users do', async () => {
    const { ann, bob, group, bot } = scene
    const token = (await api.ok('POST', `/users/${ann}/auth_tokens`)).data.authToken
    const entries = await during(async () => {
      const onBehalfOf = ann
      const { id } = (await api.ok('POST', '/messages', { onBehalfOf, body: toUser(bob) })).data
      await api.ok('PUT', `/messages/${id}`, { onBehalfOf, body: { data: { text: 'x' } } })
      await api.ok('POST', `/bots/${bot}/messages`, { body: toGroup(group) })
      await api.ok('GET', '/apikeys')
      await api.fails('ERR_UID_NOT_FOUND', 'PUT', '/users/nobody', { body: { name: 'x' } })
      await api.fails('ERR_BAD_REQUEST', 'POST', '/users', { body: {} })
      await api.fails('AUTH_ERR_NO_ACCESS', 'POST', '/roles', { key: server.authKey, body: { role: 'x', name: 'x' } })
      await api.ok('PUT', `/groups/${group}`, { token, body: { name: 'By ann' } })
      await api.ok('POST', '/blockedusers', { token, body: { blockedUids: [bob] } })
    })
    expect(entries).toEqual([])
  })

  test('is searched and paged', async () => {
    const list = (query: NonNullable<CallOptions['query']>) => api.ok('GET', '/audit', { query })
    const { ann, group, cara } = scene
    expect(shown((await list({ target: ann })).data)).toContain(`PUT /users/:uid ${ann}`)
    expect(shown((await list({ target: group })).data)).toContain(`DELETE /groups/:guid/members/:uid ${group}/${cara}`)
    expect((await list({ target: cara })).data).toEqual([])
    const action = 'POST /bots/:uid/replay'
    expect(shown((await list({ action })).data)).toEqual([`${action} ${scene.bot}`])
    const now = Math.floor(Date.now() / 1000)
    expect((await list({ since: now + 100 })).data).toEqual([])
    expect((await list({ until: now - 1000 })).data).toEqual([])
    expect((await list({ since: now - 1000, until: now + 100 })).data.length).toBeGreaterThan(15)

    const all = idsOf(await list({ limit: 1000 }))
    const paged: string[] = []
    let query: Record<string, string | number> = { limit: 7 }
    for (;;) {
      const { data, meta } = await list(query)
      paged.push(...idsOf({ data }))
      expect(meta.current).toEqual({ limit: 7, count: data.length })
      if (meta.next === undefined) break
      query = { limit: 7, before: meta.next.before }
    }
    expect(paged).toEqual(all)
  })

  test('is for keys of scope fullAccess', async () => {
    await api.fails('AUTH_ERR_NO_ACCESS', 'GET', '/audit', { key: server.authKey })
    const { authToken } = (await api.ok('POST', `/users/${scene.ann}/auth_tokens`)).data
    await api.fails('AUTH_ERR_NO_ACCESS', 'GET', '/audit', { token: authToken })
  })
})

describeEngines('old entries of the audit log', (engine) => {
  test('are swept when their time is over', { timeout: 30_000 }, async () => {
    const server = await startServer({ engine, env: { CONFAB_AUDIT_RETENTION: '3s' } })
    try {
      const api = new Api(server)
      await api.ok('POST', '/users', { body: { uid: 'ann', name: 'Ann' } })
      expect((await api.ok('GET', '/audit')).data).toHaveLength(1)
      await expect.poll(async () => (await api.ok('GET', '/audit')).data, { timeout: 15_000 }).toEqual([])
      await api.ok('GET', '/users/ann')
    } finally {
      await server.dispose()
    }
  })
})
