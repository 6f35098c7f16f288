/** What is done to messages without changing what they say: reactions, interactions, pins, saves, quotes. */
import { defaultLimits } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('a message', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const say = async (more: object = {}): Promise<string> =>
    (await api.ok('POST', '/messages', { onBehalfOf: scene.ann, body: { ...toGroup(scene.group), ...more } })).data.id

  describe('reactions', () => {
    const path = (id: string, reaction: string) => `/messages/${id}/reactions/${encodeURIComponent(reaction)}`
    const react = async (onBehalfOf: string, id: string, reaction: string) =>
      (await api.ok('POST', path(id, reaction), { onBehalfOf })).data
    const family = '👨‍👩‍👧‍👦'

    test('are counted in the order of their first, and say which are the viewer’s', async () => {
      const { ann, bob, cara } = scene
      const id = await say()
      await react(bob, id, '👍')
      await react(cara, id, family)
      expect((await react(bob, id, '👍')).data.reactions).toEqual([
        { reaction: '👍', count: 1, reactedByMe: true },
        { reaction: family, count: 1 },
      ])
      expect((await react(ann, id, '👍')).data.reactions[0]).toEqual({ reaction: '👍', count: 2, reactedByMe: true })
      const read = async (onBehalfOf?: string) =>
        (await api.ok('GET', `/messages/${id}`, { onBehalfOf })).data.data.reactions
      expect(await read(cara)).toEqual([
        { reaction: '👍', count: 2 },
        { reaction: family, count: 1, reactedByMe: true },
      ])
      expect(await read()).toEqual([
        { reaction: '👍', count: 2 },
        { reaction: family, count: 1 },
      ])
      const list = await api.ok('GET', `/groups/${scene.group}/messages`, {
        onBehalfOf: ann,
        query: { hasReactions: 1 },
      })
      expect(list.data.at(-1)).toMatchObject({ id, data: { reactions: [{ count: 2, reactedByMe: true }, {}] } })
    })

    test('are taken back, and nothing is left of the last one', async () => {
      const { bob, cara } = scene
      const id = await say()
      for (const uid of [bob, cara]) await react(uid, id, '🎉')
      const take = async (onBehalfOf: string) => (await api.ok('DELETE', path(id, '🎉'), { onBehalfOf })).data.data
      expect((await take(bob)).reactions).toEqual([{ reaction: '🎉', count: 1 }])
      expect((await take(bob)).reactions).toEqual([{ reaction: '🎉', count: 1 }])
      expect(await take(cara)).not.toHaveProperty('reactions')
    })

    test('are listed with who gave them, page by page in either direction, all or of one kind', async () => {
      const { ann, bob, cara } = scene
      const id = await say()
      for (const [uid, reaction] of [
        [ann, 'a'],
        [bob, 'b'],
        [cara, 'a'],
        [ann, 'c'],
      ] as const)
        await react(uid, id, reaction)
      const list = (query: Record<string, string | number>, kind = '') =>
        api.ok('GET', `/messages/${id}/reactions${kind}`, { query })
      const all = await list({})
      const said = (page: Json) => page.data.map(({ uid, reaction }: Json) => `${uid} ${reaction}`)
      expect(said(all)).toEqual([`${ann} a`, `${bob} b`, `${cara} a`, `${ann} c`])
      expect(all.data[0]).toMatchObject({ messageId: id, reactedBy: { uid: ann, name: ann.toUpperCase() } })
      const first = await list({ limit: 3 })
      expect(said(await list({ limit: 3, id: first.meta.next.id }))).toEqual([`${ann} c`])
      const last = await list({ limit: 2, affix: 'prepend' })
      expect(said(last)).toEqual([`${cara} a`, `${ann} c`])
      expect(said(await list({ limit: 9, affix: 'prepend', id: last.meta.previous.id }))).toEqual([
        `${ann} a`,
        `${bob} b`,
      ])
      expect(said(await list({}, '/a'))).toEqual([`${ann} a`, `${cara} a`])
      expect((await list({ id: all.meta.next.id })).data).toEqual([])
    })

    test('have limits, and are for those who take part', async () => {
      const { ann, bob } = scene
      const id = await say()
      for (let n = 0; n < defaultLimits.reactionsPerMessage; n++) await react(ann, id, `r${n}`)
      await react(bob, id, 'r0')
      await api.fails('ERR_BAD_REQUEST', 'POST', path(id, 'one more'), { onBehalfOf: bob })
      await api.fails('ERR_BAD_REQUEST', 'POST', path(id, 'x'.repeat(defaultLimits.reactionLength + 1)), {
        onBehalfOf: bob,
      })
      await api.fails('ERR_BAD_REQUEST', 'POST', path(id, ' '), { onBehalfOf: bob })
      await api.fails('ERR_BAD_REQUEST', 'POST', path(id, 'x'))
      await api.ok('POST', '/users', { body: { uid: 'stranger', name: 'x' } })
      await api.fails('ERR_MESSAGE_NO_ACCESS', 'POST', path(id, 'x'), { onBehalfOf: 'stranger' })
      await api.fails('ERR_MESSAGE_NO_ACCESS', 'GET', `/messages/${id}/reactions`, { onBehalfOf: 'stranger' })
      await api.ok('DELETE', `/messages/${id}`)
      await api.fails('ERR_MESSAGE_ACTION_NOT_ALLOWED', 'POST', path(id, 'r0'), { onBehalfOf: ann })
      expect((await api.ok('GET', `/messages/${id}`)).data.data).not.toHaveProperty('reactions')
    })

    test('fifty at once are counted right', async () => {
      const id = await say()
      const uids = [scene.ann, scene.bob, scene.cara, scene.bot]
      const all = uids.flatMap((uid) => Array.from({ length: 12 }, (_, n) => [uid, `r${n % 3}`] as const))
      await Promise.all(all.map(([uid, reaction]) => react(uid, id, reaction)))
      const { reactions } = (await api.ok('GET', `/messages/${id}`)).data.data
      expect(new Map(reactions.map(({ reaction, count }: Json) => [reaction, count]))).toEqual(
        new Map(['r0', 'r1', 'r2'].map((reaction) => [reaction, uids.length])),
      )
    })
  })

  describe('interactive messages', () => {
    const form = {
      category: 'interactive',
      type: 'form',
      data: {
        interactiveData: {
          title: 'Survey',
          formFields: [
            { elementType: 'textInput', elementId: 'name', label: 'Name' },
            { elementType: 'checkbox', elementId: 'ok', options: [{ value: 'yes', label: 'Yes' }] },
          ],
          submitElement: { elementType: 'button', elementId: 'send', buttonText: 'Send' },
        },
        interactionGoal: { type: 'allOf', elementIds: ['name', 'send'] },
        allowSenderInteraction: false,
      },
    }
    const use = (id: string, onBehalfOf: string, ...interactions: string[]) =>
      api.call('PATCH', `/messages/${id}/interacted`, { onBehalfOf, body: { interactions } })

    test('come back as they were sent, and say what the viewer has used', async () => {
      const id = await say(form)
      const read = async (onBehalfOf: string) => (await api.ok('GET', `/messages/${id}`, { onBehalfOf })).data
      expect(await read(scene.bob)).toMatchObject({ category: 'interactive', type: 'form', data: form.data })
      expect((await use(id, scene.bob, 'name')).json.data.success).toBe(true)
      expect((await use(id, scene.bob, 'name', 'send')).status).toBe(200)
      expect((await read(scene.bob)).data.interactions.map(({ elementId }: Json) => elementId)).toEqual([
        'name',
        'send',
      ])
      expect((await read(scene.cara)).data).not.toHaveProperty('interactions')
      const done = (onBehalfOf: string) =>
        api.ok('GET', `/groups/${scene.group}/messages`, { onBehalfOf, query: { onlyInteractionGoalCompleted: true } })
      expect(idsOf(await done(scene.bob))).toEqual([id])
      await use(id, scene.cara, 'name')
      expect(idsOf(await done(scene.cara))).toEqual([])
    })

    test('are not used in ways that they do not have', async () => {
      const id = await say(form)
      const code = async (answer: ReturnType<typeof use>) => (await answer).json.error?.code
      expect(await code(use(id, scene.bob, 'nothing'))).toBe('ERR_BAD_REQUEST')
      expect(await code(use(id, scene.bob))).toBe('ERR_BAD_REQUEST')
      expect(await code(use(id, scene.ann, 'name'))).toBe('ERR_MESSAGE_ACTION_NOT_ALLOWED')
      const open = await say({ ...form, data: { ...form.data, allowSenderInteraction: true } })
      expect(await code(use(open, scene.ann, 'name'))).toBeUndefined()
      expect(await code(use(await say(), scene.bob, 'name'))).toBe('ERR_MESSAGE_ACTION_NOT_ALLOWED')
    })
  })

  describe('pins and saves', () => {
    test('a pin is for everybody, is listed, and is taken back', async () => {
      const { ann, bob, group } = scene
      const id = await say()
      const pin = await api.ok('POST', `/messages/${id}/pin`, { onBehalfOf: bob })
      expect(pin.data).toMatchObject({ id, pinnedBy: bob, pinnedAt: expect.any(Number) })
      expect((await api.ok('POST', `/messages/${id}/pin`)).data.pinnedBy).toBe(bob)
      const pinned = () => api.ok('GET', `/groups/${group}/messages`, { onBehalfOf: ann, query: { pinned: 1 } })
      expect(idsOf(await pinned())).toEqual([id])
      expect((await api.ok('DELETE', `/messages/${id}/pin`)).data).not.toHaveProperty('pinnedAt')
      expect(idsOf(await pinned())).toEqual([])
      expect((await api.ok('POST', `/messages/${id}/pin`)).data.pinnedBy).toBe('app_system')
    })

    test('a save is for one user alone', async () => {
      const { ann, bob, group } = scene
      const id = await say()
      expect((await api.ok('POST', `/messages/${id}/save`, { onBehalfOf: bob })).data.savedAt).toEqual(
        expect.any(Number),
      )
      const saved = (onBehalfOf: string, path = '/messages') =>
        api.ok('GET', path, { onBehalfOf, query: { saved: true } })
      expect(idsOf(await saved(bob))).toEqual([id])
      expect(idsOf(await saved(bob, `/groups/${group}/messages`))).toEqual([id])
      expect(idsOf(await saved(ann))).toEqual([])
      expect((await api.ok('GET', `/messages/${id}`, { onBehalfOf: ann })).data).not.toHaveProperty('savedAt')
      await api.ok('DELETE', `/messages/${id}/save`, { onBehalfOf: bob })
      expect(idsOf(await saved(bob))).toEqual([])
      await api.fails('ERR_BAD_REQUEST', 'POST', `/messages/${id}/save`)
    })

    test('both have limits', async () => {
      const { ann, cara } = scene
      await api.ok('POST', '/groups', { body: { guid: 'pins', name: 'Pins', members: { participants: [ann, cara] } } })
      const send = async () =>
        (await api.ok('POST', '/messages', { onBehalfOf: ann, body: toGroup('pins') })).data.id as string
      for (let n = 0; n < defaultLimits.pinnedPerConversation; n++) {
        const id = await send()
        await api.ok('POST', `/messages/${id}/pin`)
        await api.ok('POST', `/messages/${id}/save`, { onBehalfOf: cara })
      }
      const id = await send()
      await api.fails('ERR_PINNED_MESSAGES_LIMIT_EXCEEDED', 'POST', `/messages/${id}/pin`)
      await api.fails('ERR_SAVED_MESSAGES_LIMIT_EXCEEDED', 'POST', `/messages/${id}/save`, { onBehalfOf: cara })
      expect(
        (await api.ok('GET', '/messages', { onBehalfOf: cara, query: { saved: 1, limit: 1000 } })).data,
      ).toHaveLength(defaultLimits.savedPerUser)
      await api.ok('POST', `/messages/${id}/save`, { onBehalfOf: ann })
    })
  })

  test('is reported once per user, to the app alone', async () => {
    const { bob, cara } = scene
    const id = await say()
    const flag = (onBehalfOf: string, body: object) => api.call('POST', `/messages/${id}/flagged`, { onBehalfOf, body })
    await flag(bob, { id: 'spam' })
    await flag(bob, { id: 'other', remark: 'rather this' })
    await flag(cara, { id: 'hate' })
    expect((await flag(cara, { id: 'dull' })).json.error.code).toBe('ERR_BAD_REQUEST')
    const { data } = await api.ok('GET', `/messages/${id}/flags`)
    expect(data.map(({ uid, reason, remark }: Json) => [uid, reason, remark]).sort()).toEqual(
      [
        [bob, 'other', 'rather this'],
        [cara, 'hate', undefined],
      ].sort(),
    )
    await api.ok('DELETE', `/messages/${id}`, { body: { permanent: true } })
    await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'GET', `/messages/${id}/flags`)
  })

  describe('quotes', () => {
    test('a message shows what it quotes, also after that was deleted', async () => {
      const { ann, bob } = scene
      const send = async (more: object) =>
        (await api.ok('POST', '/messages', { onBehalfOf: ann, body: toUser(bob, 'quoting', more) })).data
      const { id } = await send({})
      const quoting = await send({ quotedMessageId: id })
      const quoted = { quotedMessageId: id, quotedMessage: { id, data: { text: 'quoting' } } }
      expect(quoting).toMatchObject(quoted)
      expect((await api.ok('GET', `/messages/${quoting.id}`)).data).toMatchObject(quoted)
      const list = (query: Json) => api.ok('GET', `/users/${bob}/messages`, { onBehalfOf: ann, query })
      expect((await list({})).data.at(-1)).toMatchObject(quoted)
      expect(idsOf(await list({ hideQuotedMessages: true }))).not.toContain(quoting.id)
      await api.ok('DELETE', `/messages/${id}`)
      expect((await list({})).data.at(-1).quotedMessage).toMatchObject({ id, deletedAt: expect.any(Number) })
      await api.fails('ERR_BAD_REQUEST', 'POST', '/messages', {
        onBehalfOf: ann,
        body: toUser(bob, 'x', { quotedMessageId: id }),
      })
      await api.fails('ERR_MESSAGE_ID_NOT_FOUND', 'POST', '/messages', {
        onBehalfOf: ann,
        body: toUser(bob, 'x', { quotedMessageId: 999_999 }),
      })
      await api.fails('ERR_BAD_REQUEST', 'POST', '/messages', {
        onBehalfOf: ann,
        body: toUser(bob, 'x', { quotedMessageId: await say() }),
      })
    })
  })

  test('mentioned users come with their tags, and with who has blocked whom, on demand', async () => {
    const { ann, bob } = scene
    await api.ok('PUT', `/users/${bob}`, { body: { tags: ['vip'] } })
    const id = await say({ data: { text: `hello <@uid:${bob}>` } })
    const shown = async (query: Json) => {
      const { data } = await api.ok('GET', `/groups/${scene.group}/messages`, {
        onBehalfOf: ann,
        query: { ...query, affix: 'prepend', limit: 1 },
      })
      expect(idsOf({ data })).toEqual([id])
      return data[0].data.mentions[bob]
    }
    expect(await shown({})).not.toHaveProperty('tags')
    expect(await shown({ mentionsWithTagInfo: true })).toMatchObject({ uid: bob, tags: ['vip'] })
    expect(await shown({ mentionsWithBlockedInfo: 1 })).toMatchObject({ blockedByMe: false, hasBlockedMe: false })
  })

  describe('filters by content', () => {
    test('links, mentions, attachments, what was changed', async () => {
      const { ann, bob, cara } = scene
      await api.ok('POST', '/groups', { body: { guid: 'contents', name: 'x', members: { participants: [ann, bob] } } })
      const send = async (more: object) =>
        (await api.ok('POST', '/messages', { onBehalfOf: ann, body: { ...toGroup('contents'), ...more } })).data
          .id as string
      const plain = await send({ data: { text: 'plain' } })
      const link = await send({ data: { text: 'see https://e.example/x' } })
      const mention = await send({ data: { text: `hello <@uid:${bob}>` } })
      const attachments = [{ url: 'https://e.example/a.png', name: 'a' }]
      const image = await send({ type: 'image', data: { attachments } })
      const file = await send({ type: 'file', data: { attachments } })
      const found = async (query: Json) =>
        idsOf(
          await api.ok('GET', '/groups/contents/messages', {
            onBehalfOf: bob,
            query: { ...query, category: 'message' },
          }),
        )
      expect(await found({})).toEqual([plain, link, mention, image, file])
      expect(await found({ hasLinks: true })).toEqual([link])
      expect(await found({ hasMentions: 1 })).toEqual([mention])
      expect(await found({ mentionedUids: `${cara},${bob}` })).toEqual([mention])
      expect(await found({ mentionedUids: cara })).toEqual([])
      expect(await found({ hasAttachments: true })).toEqual([image, file])
      expect(await found({ attachmentTypes: 'file' })).toEqual([file])
      expect(await found({ onlyUpdates: 1 })).toEqual([])
      await new Promise((resolve) => setTimeout(resolve, 1100))
      await api.ok('PUT', `/messages/${plain}`, { body: { data: { text: 'changed' } } })
      const { updatedAt } = (await api.ok('GET', `/messages/${plain}`)).data
      expect(await found({ onlyUpdates: 1 })).toEqual([plain])
      expect(await found({ onlyUpdates: 1, updatedAt: updatedAt - 1 })).toEqual([plain])
      expect(await found({ onlyUpdates: 1, updatedAt })).toEqual([])
    })
  })
})
