/** Threads: roots with their replies, and who follows them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('threads', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const send = async (onBehalfOf: string, body: object): Promise<string> =>
    (await api.ok('POST', '/messages', { onBehalfOf, body })).data.id
  const reply = async (onBehalfOf: string, root: string, to = toGroup(scene.group, 'reply')): Promise<string> =>
    (await api.ok('POST', `/messages/${root}/thread`, { onBehalfOf, body: to })).data.id
  const countOf = async (root: string) => (await api.ok('GET', `/messages/${root}`)).data.replyCount

  test('a root counts its replies, and no longer those that are deleted', async () => {
    const { ann, bob, group } = scene
    const root = await send(ann, toGroup(group))
    expect(await countOf(root)).toBeUndefined()
    const [one, two] = [await reply(bob, root), await reply(ann, root)]
    expect(await countOf(root)).toBe(2)
    await api.ok('DELETE', `/messages/${one}`)
    expect(await countOf(root)).toBe(1)
    await api.ok('DELETE', `/messages/${one}`, { body: { permanent: true } })
    expect(await countOf(root)).toBe(1)
    await api.ok('DELETE', `/messages/${two}`, { body: { permanent: true } })
    expect(await countOf(root)).toBeUndefined()
  })

  test('are gone through from page to page, as SDKs do it: from the one of theirs that was updated first', async () => {
    const { ann, bob, group } = await makeScene(api)
    const roots = [await send(ann, toGroup(group)), await send(ann, toGroup(group)), await send(ann, toGroup(group))]
    // The first that was said is the last that was replied to.
    for (const root of roots.toReversed()) {
      await reply(bob, root, toGroup(group, 'reply'))
      await new Promise((resolve) => setTimeout(resolve, 1050))
    }
    const seen: string[] = []
    let cursor: Json = {}
    for (let page = 0; page < 4; page++) {
      const query = { limit: 2, ...cursor }
      const { data } = await api.ok('GET', `/groups/${group}/threads`, { onBehalfOf: ann, query })
      for (const { id, updatedAt, lastReply } of data) {
        expect(updatedAt).toBe(lastReply.sentAt)
        if (!seen.includes(id)) seen.push(id)
      }
      const { id, updatedAt } = data.toSorted((a: Json, b: Json) => a.updatedAt - b.updatedAt)[0]
      cursor = { affix: 'prepend', updatedAt, id }
    }
    expect(seen).toEqual(roots)
  })

  test('are listed with their last reply, the newest first, also of one conversation or one’s own', async () => {
    const { ann, bob, cara, group } = scene
    const inGroup = await send(ann, toGroup(group))
    const quiet = await send(ann, toGroup(group))
    const oneToOne = await send(bob, toUser(ann))
    await reply(bob, quiet)
    await reply(ann, oneToOne, toUser(bob, 'reply'))
    const last = await reply(cara, inGroup)
    const threads = async (onBehalfOf: string, path = '/threads', query: Json = {}): Promise<Json[]> =>
      (await api.ok('GET', path, { onBehalfOf, query })).data
    const ids = (rows: Json[]) => rows.map(({ id }) => id)
    const rows = await threads(ann)
    expect(ids(rows).slice(0, 3)).toEqual([inGroup, oneToOne, quiet])
    expect(rows[0]).toMatchObject({ replyCount: 1, lastReply: { id: last }, subscribed: true, unreadRepliesCount: 1 })
    expect(ids(await threads(cara))).not.toContain(oneToOne)
    expect(ids(await threads(ann, `/users/${bob}/threads`))).toEqual([oneToOne])
    expect(ids(await threads(cara, `/groups/${group}/threads`)).slice(0, 2)).toEqual([inGroup, quiet])
    expect(ids(await threads(cara, '/threads', { participatedByMe: true }))).toEqual([inGroup])
    // The cursor is inclusive.
    const first = await threads(ann, '/threads', { limit: 2 })
    expect(ids(await threads(ann, '/threads', { limit: 2, affix: 'prepend', id: first[1]?.id }))).toEqual([
      oneToOne,
      quiet,
    ])
  })

  test('are followed by those who take part, and by those who want to', async () => {
    const { ann, bob, cara, group } = scene
    const root = await send(ann, toGroup(group))
    const follows = async (onBehalfOf: string) =>
      (await api.ok('GET', `/messages/${root}`, { onBehalfOf, query: { withThreadSubscribed: true } })).data
        .threadSubscribed
    expect(await follows(ann)).toBe(false)
    await reply(bob, root)
    expect(await Promise.all([ann, bob, cara].map(follows))).toEqual([true, true, false])
    await api.ok('POST', `/messages/${root}/thread/subscription`, { onBehalfOf: cara })
    await api.ok('DELETE', `/messages/${root}/thread/subscription`, { onBehalfOf: bob })
    expect(await Promise.all([ann, bob, cara].map(follows))).toEqual([true, false, true])
    await reply(bob, root)
    expect(await follows(bob)).toBe(false)
    const shown = await api.ok('GET', `/groups/${group}/messages`, {
      onBehalfOf: cara,
      query: { withThreadSubscribed: true, limit: 1000 },
    })
    expect(shown.data.find(({ id }: Json) => id === root).threadSubscribed).toBe(true)
    expect(idsOf(shown)).toContain(root)
    await api.ok('POST', '/users', { body: { uid: 'nosy', name: 'x' } })
    await api.fails('ERR_MESSAGE_NO_ACCESS', 'POST', `/messages/${root}/thread/subscription`, { onBehalfOf: 'nosy' })
  })
})
