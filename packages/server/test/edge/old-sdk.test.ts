/** Clients of the third version of the JavaScript SDK stumble over what they do not know: lists leave it out for them. */
import { expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { toUser } from '../support/scene.ts'
import { describeEngines, startServer } from '../support/server.ts'

describeEngines('old SDKs', (engine) => {
  test('get lists without categories that they do not know, page by page', async () => {
    const server = await startServer({ engine })
    try {
      const api = new Api(server)
      for (const uid of ['ann', 'bob']) await api.ok('POST', '/users', { body: { uid, name: uid } })
      const form = { category: 'interactive', type: 'form', data: { interactiveData: { x: [] } } }
      for (let n = 0; n < 5; n++) {
        await api.ok('POST', '/messages', { onBehalfOf: 'ann', body: toUser('bob', `text ${n}`) })
        await api.ok('POST', '/messages', { onBehalfOf: 'ann', body: { ...toUser('bob'), ...form } })
      }
      const token = (await api.ok('POST', '/users/bob/auth_tokens')).data.authToken
      const seen = async (sdk: string, query: object = {}): Promise<Json> =>
        api.ok('GET', '/users/ann/messages', {
          token,
          headers: { sdk },
          query: { affix: 'prepend', limit: 2, ...query },
        })
      const categories = ({ data }: Json): string[] => data.map(({ category }: Json) => category)
      expect(categories(await seen('javascript@4.2.0'))).toEqual(['message', 'interactive'])
      expect(categories(await seen('javascript@30.0.0'))).toEqual(['message', 'interactive'])
      const texts: string[] = []
      let page = await seen('javascript@3.0.12')
      for (;;) {
        texts.unshift(...page.data.map(({ data }: Json) => data.text))
        if (page.meta.pagination.total_pages === 1) break
        page = await seen('javascript@3.0.12', { id: page.data[0].id })
      }
      expect(texts).toEqual(['text 0', 'text 1', 'text 2', 'text 3', 'text 4'])
      const last = async (sdk: string): Promise<Json> =>
        (await api.ok('GET', '/conversations', { token, headers: { sdk } })).data[0]
      expect((await last('javascript@4.2.0')).lastMessage.category).toBe('interactive')
      expect(await last('javascript@3.0.12')).toMatchObject({ conversationId: 'ann_user_bob' })
      expect(await last('javascript@3.0.12')).not.toHaveProperty('lastMessage')
    } finally {
      await server.dispose()
    }
  })
})
