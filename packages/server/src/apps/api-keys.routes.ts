import { ApiKey, CreateApiKey, keyScopeOf, ListApiKeys, one, page, Success, UpdateApiKey } from '@confab/protocol'
import { answerPage, pageRequestOf, succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, route } from '../http/route.ts'
import { definedOf } from '../kernel/defined.ts'
import type { ManageApiKeys } from './manage-api-keys.ts'

const tag = 'API keys'

const withScope = <T extends { scope?: Parameters<typeof keyScopeOf>[0] | undefined }>({ scope, ...rest }: T) => ({
  ...definedOf(rest),
  ...(scope !== undefined && { scope: keyScopeOf(scope) }),
})

export const apiKeyRoutes = (keys: ManageApiKeys): readonly Route[] => [
  route({
    method: 'POST',
    path: '/apikeys',
    tag,
    summary: 'Create an API key',
    body: CreateApiKey,
    answer: one(ApiKey),
    handle: async ({ app, body }) => ({ data: await keys.create({ ...withScope(body), appId: app.id }) }),
  }),
  route({
    method: 'GET',
    path: '/apikeys',
    tag,
    summary: 'List API keys, newest first',
    query: ListApiKeys,
    answer: page(ApiKey),
    handle: async ({ app, query }) => {
      const request = pageRequestOf(query)
      const { scope, searchKey } = query
      return answerPage(await keys.list({ appId: app.id, ...withScope({ scope, searchKey }), page: request }), request)
    },
  }),
  route({
    method: 'GET',
    path: '/apikeys/:apiKey',
    tag,
    summary: 'Get an API key',
    params: pathOf('apiKey'),
    answer: one(ApiKey),
    handle: async ({ app, params }) => ({ data: await keys.get({ appId: app.id, key: params.apiKey }) }),
  }),
  route({
    method: 'PUT',
    path: '/apikeys/:apiKey',
    tag,
    summary: 'Change the name or the scope of an API key',
    params: pathOf('apiKey'),
    body: UpdateApiKey,
    answer: one(ApiKey),
    handle: async ({ app, caller, params, body }) => ({
      data: await keys.update({ ...withScope(body), appId: app.id, key: params.apiKey, by: caller }),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/apikeys/:apiKey',
    tag,
    summary: 'Delete an API key',
    params: pathOf('apiKey'),
    answer: one(Success),
    handle: async ({ app, caller, params }) => {
      await keys.remove({ appId: app.id, key: params.apiKey, by: caller })
      return succeeded('The API key has been deleted successfully.')
    },
  }),
]
