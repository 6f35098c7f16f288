/** How many are online, asked as client SDKs do: beside the API, with the pass of the gateway. */
import { errorCodes } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { Clients } from '../support/sessions.ts'

describeEngines('online members', (engine) => {
  let server: TestServer
  let api: Api
  let clients: Clients

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_CORS_ORIGINS: 'https://app.example' } })
    api = new Api(server)
    clients = new Clients(server)
    for (const uid of ['ann', 'bob', 'cara']) await api.ok('POST', '/users', { body: { uid, name: uid } })
    const groups = { open: ['bob', 'cara'], closed: ['bob'] }
    for (const [guid, participants] of Object.entries(groups)) {
      const type = guid === 'open' ? 'public' : 'private'
      await api.ok('POST', '/groups', { body: { guid, name: guid, type, members: { participants } } })
    }
  })
  afterEach(() => clients.dispose())
  afterAll(() => server?.dispose())

  const ask = async (
    uid: string | undefined,
    {
      method = 'POST',
      body,
      query = '',
      prefix = 'v3',
    }: {
      method?: string
      body?: unknown
      query?: string
      prefix?: string
    } = {},
  ) => {
    const response = await fetch(`${server.url}/api/${prefix}/online-members${query}`, {
      method,
      headers: {
        ...(uid !== undefined && { authorization: await clients.passOf(uid) }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        origin: 'https://app.example',
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const json = (await response.json()) as { data?: unknown; error?: { code: string; message: string } }
    return { status: response.status, headers: response.headers, ...json }
  }

  test('are counted for whoever has a pass, of the app and of groups', async () => {
    await clients.signIn({ uid: 'bob' })
    await clients.signIn({ uid: 'bob' })
    expect((await ask('ann')).data).toEqual({ onlineUsersCount: 1, groups: {} })
    const query = { fromDate: Date.now() - 60_000, toDate: Date.now() }
    expect((await api.ok('GET', '/stats', { query })).data.metrics.concurrent_users).toBe(1)
    await clients.signIn({ uid: 'cara' })
    const groups = ['open', 'OPEN', 'closed', 'nowhere', 'x'.repeat(500)]
    expect((await ask('bob', { body: { groups } })).data).toEqual({
      onlineUsersCount: 2,
      groups: { open: 2, closed: 1 },
    })
    // A private group is nobody's business but its members'.
    expect((await ask('ann', { body: { groups } })).data).toEqual({ onlineUsersCount: 2, groups: { open: 2 } })
    expect((await ask('ann', { method: 'GET', query: '?groups=open,closed', prefix: 'v3.0' })).data).toEqual({
      onlineUsersCount: 2,
      groups: { open: 2 },
    })
  })

  describe('are told nobody else', () => {
    test('without a pass, or with one that is none', async () => {
      for (const authorization of [undefined, '', 'x', 'a.b.c', await clients.tokenOf('ann')]) {
        const response = await fetch(`${server.url}/api/v3/online-members`, {
          method: 'POST',
          headers: { ...(authorization !== undefined && { authorization }), origin: 'https://app.example' },
        })
        const { error } = (await response.json()) as { error: { code: string; message: string } }
        const { status, meaning } = errorCodes.AUTH_ERR_AUTH_TOKEN_NOT_FOUND
        expect(response.status).toBe(status)
        expect(error).toMatchObject({ code: 'AUTH_ERR_AUTH_TOKEN_NOT_FOUND', message: meaning })
        // Else the page could not read it.
        expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example')
      }
    })

    test('when the token is gone', async () => {
      await api.ok('POST', '/users', { body: { uid: 'dan', name: 'Dan' } })
      expect((await ask('dan')).status).toBe(200)
      await api.ok('DELETE', '/users/dan/auth_tokens')
      expect((await ask('dan')).error?.code).toBe('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    })
  })

  test('bad input is told what is wrong', async () => {
    const wrong = [
      { groups: 'open' },
      { groups: [1] },
      { groups: {} },
      { groups: Array(101).fill('x') },
      { groups: ['a\0b'] },
    ]
    for (const body of wrong) expect((await ask('ann', { body })).error?.code).toBe('ERR_BAD_REQUEST')
    expect((await ask('ann', { body: '{' })).status).toBe(400)
    expect((await ask('ann', { body: { groups: ['x'.repeat(20_000)] } })).error?.code).toBe('ERR_PAYLOAD_TOO_LARGE')
  })
})
