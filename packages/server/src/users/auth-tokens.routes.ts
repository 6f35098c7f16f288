import { AuthToken, CreateAuthToken, ListPage, one, page, parseUid, Success, UpdateAuthToken } from '@confab/protocol'
import { answerPage, pageRequestOf, succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, route } from '../http/route.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { ManageAuthTokens } from './manage-auth-tokens.ts'

const tag = 'Auth tokens'
const path = '/users/:uid/auth_tokens'

const tokenOf = (app: App, params: { uid: string; authToken: string }) => ({
  appId: app.id,
  uid: parseUid(params.uid),
  token: params.authToken,
})

export const authTokenRoutes = (tokens: ManageAuthTokens): readonly Route[] => [
  route({
    method: 'POST',
    path,
    tag,
    summary: 'Create an auth token, or get the one there is; `force` makes a fresh one',
    access: 'authOnly',
    params: pathOf('uid'),
    body: CreateAuthToken,
    answer: one(AuthToken),
    handle: async ({ app, params, body }) => ({ data: await tokens.create(app.id, parseUid(params.uid), body ?? {}) }),
  }),
  route({
    method: 'GET',
    path,
    tag,
    summary: 'List the auth tokens of a user, newest first',
    params: pathOf('uid'),
    query: ListPage,
    answer: page(AuthToken),
    handle: async ({ app, params, query }) => {
      const request = pageRequestOf(query)
      return answerPage(await tokens.list({ appId: app.id, uid: parseUid(params.uid), page: request }), request)
    },
  }),
  route({
    method: 'DELETE',
    path,
    tag,
    summary: 'Delete all auth tokens of a user',
    params: pathOf('uid'),
    answer: one(Success),
    handle: async ({ app, params }) => {
      const uid = parseUid(params.uid)
      await tokens.removeAll(app.id, uid)
      return succeeded(`Cleared Auth Tokens successfully for uid ${uid}.`)
    },
  }),
  route({
    method: 'GET',
    path: `${path}/:authToken`,
    tag,
    summary: 'Get an auth token',
    params: pathOf('uid', 'authToken'),
    answer: one(AuthToken),
    handle: async ({ app, params }) => ({ data: await tokens.get(tokenOf(app, params)) }),
  }),
  route({
    method: 'PUT',
    path: `${path}/:authToken`,
    tag,
    summary: 'Change what an auth token says of its device',
    params: pathOf('uid', 'authToken'),
    body: UpdateAuthToken,
    answer: one(AuthToken),
    handle: async ({ app, params, body }) => ({ data: await tokens.update(tokenOf(app, params), body) }),
  }),
  route({
    method: 'DELETE',
    path: `${path}/:authToken`,
    tag,
    summary: 'Delete an auth token',
    params: pathOf('uid', 'authToken'),
    answer: one(Success),
    handle: async ({ app, params }) => {
      await tokens.remove(tokenOf(app, params))
      return succeeded('The auth token has been deleted successfully.')
    },
  }),
]
