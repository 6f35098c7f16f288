import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('bots', (engine) => {
  let server: TestServer
  let api: Api
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())

  const webhookURL = 'https://bot.example/callback'
  const create = async (uid: string, more: object = {}): Promise<Json> => {
    await api.ok('POST', '/users', { body: { uid, name: uid } })
    return (await api.ok('POST', '/bots', { body: { uid, webhookURL, ...more } })).data
  }

  test('what is empty or false is left out; relays nothing and no group messages unless told', async () => {
    const made = await create('plain')
    expect(made).toEqual({
      uid: 'plain',
      webhookURL,
      groupChatSetting: 'none',
      createdAt: expect.any(Number),
      signingSecret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    })
    const { signingSecret: _signingSecret, ...shown } = made
    expect((await api.ok('GET', '/bots/plain')).data).toEqual(shown)
    const all = {
      groupChatSetting: 'slashedMessages',
      enabled: true,
      useBasicAuth: true,
      username: 'u',
      password: 'p-p',
    }
    const { password: _password, ...answered } = all
    const updated = (await api.ok('PUT', '/bots/plain', { body: all })).data
    expect(updated).toEqual({ ...shown, ...answered, updatedAt: expect.any(Number) })
    const off = (await api.ok('PUT', '/bots/plain', { body: { enabled: false, useBasicAuth: false } })).data
    // Credentials outlive the switch.
    expect(off).toEqual({ ...shown, groupChatSetting: 'slashedMessages', username: 'u', updatedAt: expect.any(Number) })
    expect((await api.ok('PUT', '/bots/plain', { body: { username: '' } })).data).not.toHaveProperty('username')
  })

  test('credentials of a new bot are kept only if they are to be used', async () => {
    expect(await create('no-login', { username: 'u', password: 'p' })).not.toHaveProperty('username')
    expect(await create('login', { username: 'u', password: 'p', useBasicAuth: true })).toMatchObject({ username: 'u' })
  })

  test('neither password nor signing secret is ever answered again', async () => {
    const { signingSecret } = await create('discreet', {
      useBasicAuth: true,
      username: 'u',
      password: 'hush-hush-hush',
    })
    const answers = [
      await api.call('GET', '/bots/discreet'),
      await api.call('PUT', '/bots/discreet', { body: { password: 'hush-hush-hush-2' } }),
      await api.call('GET', '/bots'),
      await api.call('GET', '/users/discreet'),
      await api.call('POST', '/bots', { body: { uid: 'discreet', webhookURL, password: 'hush-hush-hush' } }),
    ]
    for (const { text } of answers) {
      expect(text).not.toContain('hush')
      expect(text).not.toContain(signingSecret)
      expect(text).not.toContain('whsec_')
    }
  })

  test('a bot is a user first, and once', async () => {
    await api.fails('ERR_UID_NOT_FOUND', 'POST', '/bots', { body: { uid: 'nobody', webhookURL } })
    await create('once')
    await api.fails('ERR_BOT_ALREADY_EXISTS', 'POST', '/bots', { body: { uid: 'ONCE', webhookURL } })
    await api.ok('POST', '/users', { body: { uid: 'person', name: 'x' } })
    for (const method of ['GET', 'DELETE']) await api.fails('ERR_BOT_NOT_FOUND', method, '/bots/person')
    await api.fails('ERR_BOT_NOT_FOUND', 'PUT', '/bots/person', { body: {} })
    await api.fails('ERR_BOT_NOT_FOUND', 'POST', '/bots/person/messages', { body: toUser('once') })
    await api.ok('DELETE', '/bots/once')
    await api.ok('GET', '/users/once')
    await api.ok('POST', '/bots', { body: { uid: 'once', webhookURL } })
  })

  test.each([
    'ftp://bot.example',
    'javascript:alert(1)',
    'bot.example',
    'http://',
    'http://user:pass@bot.example/',
    `https://bot.example/${'x'.repeat(255)}`,
    'http://[::1',
    'file:///etc/passwd',
  ])('%s is no callback URL', async (url) => {
    await api.ok('POST', '/users', { body: { uid: 'urls', name: 'x' } }).catch(() => {})
    const error = await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid: 'urls', webhookURL: url } })
    expect(Object.keys(error.details)).toEqual(['webhookURL'])
    await api.fails('ERR_BAD_REQUEST', 'PUT', '/bots/plain', { body: { webhookURL: url } })
  })

  test('limits: uid 50, credentials 50, 25 bots', async () => {
    const uid = 'b'.repeat(51)
    await api.ok('POST', '/users', { body: { uid, name: 'x' } })
    await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid, webhookURL } })
    await api.fails('ERR_BAD_REQUEST', 'PUT', '/bots/plain', { body: { username: 'u'.repeat(51) } })
    await api.fails('ERR_BAD_REQUEST', 'PUT', '/bots/plain', { body: { password: 'p'.repeat(51) } })
    const { total } = (await api.ok('GET', '/bots')).meta.pagination
    for (let number = total; number < 25; number++) await create(`limit-${number}`)
    await api.ok('POST', '/users', { body: { uid: 'bot-26', name: 'x' } })
    const error = await api.fails('ERR_PLAN_QUOTA_RESTRICTION', 'POST', '/bots', {
      body: { uid: 'bot-26', webhookURL },
    })
    expect(error.details).toEqual({ bots: 'at most 25 per app' })
    expect((await api.ok('GET', '/bots')).meta.pagination.total).toBe(25)
    const list = await api.ok('GET', '/bots', { query: { searchKey: 'LIMIT-1', perPage: 5, page: 2 } })
    expect(list.meta.pagination).toMatchObject({ per_page: 5, current_page: 2 })
    expect(idsOf(list).every((found) => found.startsWith('limit-1'))).toBe(true)
    expect((await api.ok('GET', '/bots', { query: { isAIBot: true } })).data).toEqual([])
    for (const found of idsOf(await api.ok('GET', '/bots', { query: { searchKey: 'limit' } }))) {
      await api.ok('DELETE', `/bots/${found}`)
    }
  })

  test('speaks one to one and in its groups, also while it is not enabled', async () => {
    const { ann, bot, group } = await makeScene(api)
    const one = (await api.ok('POST', `/bots/${bot.toUpperCase()}/messages`, { body: toUser(ann, 'Hello') })).data
    expect(one).toMatchObject({ sender: bot, receiver: ann, conversationId: [ann, bot].sort().join('_user_') })
    const all = (await api.ok('POST', `/bots/${bot}/messages`, { body: toGroup(group, 'Hello all') })).data
    expect(all).toMatchObject({ sender: bot, conversationId: `group_${group}` })
    const read = await api.ok('GET', '/messages', { onBehalfOf: ann })
    expect(idsOf(read)).toEqual([one.id, all.id])
    await api.ok('POST', '/groups', { body: { guid: `other-${group}`, name: 'x', type: 'public' } })
    await api.fails('ERR_GROUP_NOT_JOINED', 'POST', `/bots/${bot}/messages`, { body: toGroup(`other-${group}`) })
    // Whoever acts for a bot is the bot: the header changes nothing.
    const body = toUser(ann)
    expect((await api.ok('POST', `/bots/${bot}/messages`, { body, onBehalfOf: ann })).data.sender).toBe(bot)
  })
})
