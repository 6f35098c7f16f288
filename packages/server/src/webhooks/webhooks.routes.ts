import {
  BotStats,
  CallbackTest,
  CreateWebhook,
  ListPage,
  ListWebhooks,
  one,
  page,
  parseAppId,
  ReplayDeliveries,
  Replayed,
  Resumed,
  RotateSecret,
  Success,
  TriggerIds,
  TriggerResults,
  UpdateWebhook,
  Webhook,
  WebhookTriggerInfo,
  webhookKey,
} from '@confab/protocol'
import type { TestCallback } from '../bots/test-callback.ts'
import type { ManageDeliveries } from '../deliveries/manage-deliveries.ts'
import { answerPage, pageRequestOf, succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { type Route, type RouteRequest, route } from '../http/route.ts'
import { AppError } from '../kernel/app-error.ts'
import { definedOf } from '../kernel/defined.ts'
import type { ManageWebhooks } from './manage-webhooks.ts'

const tag = 'Webhooks'

/** The path names the app once more. */
const idIn = ({ app, params }: Pick<RouteRequest<{ webhookId: string; appId?: string }>, 'app' | 'params'>): string => {
  assertApp({ app, params })
  return params.webhookId
}
const assertApp = ({ app, params }: Pick<RouteRequest<{ appId?: string } | undefined>, 'app' | 'params'>): void => {
  const named = params?.appId
  if (named !== undefined && parseAppId(named) !== app.id) throw new AppError('AUTH_ERR_INVALID_APPID')
}

const managing = (webhooks: ManageWebhooks, prefix: '' | '/apps/:appId'): readonly Route[] => {
  const ofApp = prefix === '' ? undefined : pathOf('appId')
  const ofOne = prefix === '' ? pathOf('webhookId') : pathOf('appId', 'webhookId')
  return [
    route({
      method: 'POST',
      path: `${prefix}/webhooks`,
      tag,
      summary: 'Create a webhook; the answer shows its signing secret, once',
      params: ofApp,
      body: CreateWebhook,
      answer: one(Webhook),
      handle: async ({ app, params, body }) => {
        assertApp({ app, params })
        return { data: await webhooks.create(app.id, body) }
      },
    }),
    route({
      method: 'GET',
      path: `${prefix}/webhooks`,
      tag,
      summary: 'List webhooks by id',
      params: ofApp,
      query: ListWebhooks,
      answer: page(Webhook),
      handle: async ({ app, params, query }) => {
        assertApp({ app, params })
        const request = pageRequestOf(query)
        const { searchKey } = query
        return answerPage(await webhooks.list({ appId: app.id, page: request, ...definedOf({ searchKey }) }), request)
      },
    }),
    route({
      method: 'GET',
      path: `${prefix}/webhooks/:webhookId`,
      tag,
      summary: 'Get a webhook',
      params: ofOne,
      answer: one(Webhook),
      handle: async ({ app, params }) => ({ data: await webhooks.get(app.id, idIn({ app, params })) }),
    }),
    route({
      method: 'PUT',
      path: `${prefix}/webhooks/:webhookId`,
      tag,
      summary: 'Change a webhook: only what is sent',
      params: ofOne,
      body: UpdateWebhook,
      answer: one(Webhook),
      handle: async ({ app, params, body }) => ({ data: await webhooks.update(app.id, idIn({ app, params }), body) }),
    }),
    route({
      method: 'DELETE',
      path: `${prefix}/webhooks/:webhookId`,
      tag,
      summary: 'Delete a webhook; what was not delivered is cancelled',
      params: ofOne,
      answer: one(Success),
      handle: async ({ app, params }) => {
        await webhooks.remove(app.id, idIn({ app, params }))
        return succeeded('Deleted Webhook successfully.')
      },
    }),
    route({
      method: 'POST',
      path: `${prefix}/webhooks/:webhookId/triggers`,
      tag,
      summary: 'Add triggers, each for itself',
      params: ofOne,
      body: TriggerIds,
      answer: one(TriggerResults),
      handle: async ({ app, params, body }) => ({
        data: await webhooks.addTriggers(app.id, idIn({ app, params }), body.triggerIds),
      }),
    }),
    route({
      method: 'GET',
      path: `${prefix}/webhooks/:webhookId/triggers`,
      tag,
      summary: 'List the triggers of a webhook',
      params: ofOne,
      query: ListPage,
      answer: page(WebhookTriggerInfo),
      handle: async ({ app, params, query }) => {
        const request = pageRequestOf(query)
        const all = await webhooks.triggers(app.id, idIn({ app, params }))
        const from = (request.page - 1) * request.perPage
        return answerPage({ rows: all.slice(from, from + request.perPage), total: all.length }, request)
      },
    }),
    route({
      method: 'DELETE',
      path: `${prefix}/webhooks/:webhookId/triggers`,
      tag,
      summary: 'Remove triggers: all that are named, or none',
      params: ofOne,
      body: TriggerIds,
      answer: one(Success),
      handle: async ({ app, params, body }) => {
        await webhooks.removeTriggers(app.id, idIn({ app, params }), body.triggerIds)
        return succeeded('Removed trigger successfully.')
      },
    }),
  ]
}

export const webhookRoutes = (deps: {
  webhooks: ManageWebhooks
  testCallback: TestCallback
  deliveries: ManageDeliveries
}): readonly Route[] => [
  ...managing(deps.webhooks, ''),
  ...managing(deps.webhooks, '/apps/:appId'),
  route({
    method: 'POST',
    path: '/webhooks/:webhookId/secret/rotate',
    tag,
    summary: 'Give a webhook a new signing secret, shown once; the one before signs too until the overlap is over',
    params: pathOf('webhookId'),
    body: RotateSecret,
    answer: one(Webhook),
    handle: async ({ app, params, body }) => ({
      data: await deps.webhooks.rotateSecret(app.id, params.webhookId, body),
    }),
  }),
  route({
    method: 'POST',
    path: '/webhooks/:webhookId/resume',
    tag,
    summary: 'Say that a webhook is well again: what waits is due at once, and its circuit breaker closes',
    params: pathOf('webhookId'),
    answer: one(Resumed),
    handle: async ({ app, params }) => ({ data: { resumed: await deps.webhooks.resume(app.id, params.webhookId) } }),
  }),
  route({
    method: 'POST',
    path: '/webhooks/:webhookId/test',
    tag,
    summary: 'Call a webhook now, signed rightly and wrongly, and say what came of it',
    params: pathOf('webhookId'),
    answer: one(CallbackTest),
    handle: async ({ app, params }) => ({ data: await deps.testCallback(app.id, webhookKey(params.webhookId)) }),
  }),
  route({
    method: 'POST',
    path: '/webhooks/:webhookId/replay',
    tag,
    summary: 'Make all deliveries of a webhook again that arose since a time and are dead, or as told',
    params: pathOf('webhookId'),
    body: ReplayDeliveries,
    answer: one(Replayed),
    handle: async ({ app, params, body }) => ({
      data: await deps.deliveries.replayAll(app.id, webhookKey(params.webhookId), body),
    }),
  }),
  route({
    method: 'GET',
    path: '/webhooks/:webhookId/stats',
    tag,
    summary: 'How the deliveries of a webhook go',
    params: pathOf('webhookId'),
    answer: one(BotStats),
    handle: async ({ app, params }) => ({ data: await deps.deliveries.stats(app.id, webhookKey(params.webhookId)) }),
  }),
]
