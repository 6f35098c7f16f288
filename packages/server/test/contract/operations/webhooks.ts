/** Webhooks: under their own path, and under that of the app. */
import { expect } from 'vitest'
import { expectKeys, expectPage, joined, type Made, type Operations, SUCCESS } from './support.ts'

const WEBHOOK = [
  ...['id', 'name', 'webhookURL', 'enabled', 'useBasicAuth', 'username', 'retryOnFailure', 'createdAt', 'updatedAt'],
]

const hook = (id: string) => ({
  ...{ id, name: 'Hook', webhookURL: 'https://hook.example/x', useBasicAuth: true, username: 'me', password: 'secret' },
})
const TRIGGERS = { triggerIds: ['message_sent', 'nonsense'] }

/** Only under the path without the app. */
const ownOperations = (id: string): Operations => ({
  'POST /webhooks/:webhookId/secret/rotate': async ({ api }) => {
    const { data } = await api.ok('POST', `/webhooks/${id}/secret/rotate`, { body: { overlapSeconds: 60 } })
    expectKeys(data, [...WEBHOOK, 'signingSecret', 'previousSecretExpiresAt'])
  },
  'POST /webhooks/:webhookId/resume': async ({ api }) =>
    expect((await api.ok('POST', `/webhooks/${id}/resume`)).data).toEqual({ resumed: 0 }),
  'POST /webhooks/:webhookId/test': async ({ api }) => {
    await api.ok('PUT', `/webhooks/${id}`, { body: { webhookURL: 'http://127.0.0.1:1' } })
    expect((await api.ok('POST', `/webhooks/${id}/test`)).data).toMatchObject({ ok: false, reached: false })
  },
  'POST /webhooks/:webhookId/replay': async ({ api }) =>
    expect((await api.ok('POST', `/webhooks/${id}/replay`, { body: { since: 0 } })).data).toEqual({ replayed: 0 }),
  'GET /webhooks/:webhookId/stats': async ({ api }) =>
    expect((await api.ok('GET', `/webhooks/${id}/stats`)).data).toMatchObject({ breaker: { state: 'closed' } }),
})

/** The same under both paths. */
const operationsUnder = (prefix: string, id: string): Operations => {
  const at = ({ api }: Made): string => `${prefix.replace(':appId', api.server.appId)}/webhooks`
  return joined([
    {
      [`POST ${prefix}/webhooks`]: async (made) => {
        const { data } = await made.api.ok('POST', at(made), { body: hook(id) })
        expectKeys(data, [...WEBHOOK, 'signingSecret'])
        expect(data).toMatchObject({ id, enabled: true, retryOnFailure: false })
      },
      [`GET ${prefix}/webhooks`]: async (made) =>
        expectPage(await made.api.ok('GET', at(made), { query: { searchKey: 'hoo' } }), WEBHOOK),
      [`GET ${prefix}/webhooks/:webhookId`]: async (made) =>
        expectKeys((await made.api.ok('GET', `${at(made)}/${id}`)).data, WEBHOOK),
      [`PUT ${prefix}/webhooks/:webhookId`]: async (made) => {
        const { data } = await made.api.ok('PUT', `${at(made)}/${id}`, {
          body: { name: 'Other', retryOnFailure: true },
        })
        expect(data).toMatchObject({ name: 'Other', retryOnFailure: true, webhookURL: 'https://hook.example/x' })
      },
      [`POST ${prefix}/webhooks/:webhookId/triggers`]: async (made) => {
        const { data } = await made.api.ok('POST', `${at(made)}/${id}/triggers`, { body: TRIGGERS })
        expect(data).toMatchObject({
          message_sent: { success: true, message: 'Triggers has been added successfully.' },
          nonsense: { success: false, error: { code: 'ERR_TRIGGER_NOT_FOUND' } },
        })
      },
      [`GET ${prefix}/webhooks/:webhookId/triggers`]: async (made) => {
        const list = await made.api.ok('GET', `${at(made)}/${id}/triggers`)
        expectPage(list, ['id', 'description'])
        expect(list.data).toMatchObject([{ id: 'message_sent' }])
      },
      [`DELETE ${prefix}/webhooks/:webhookId/triggers`]: async (made) => {
        const body = { triggerIds: ['message_sent'] }
        expectKeys((await made.api.ok('DELETE', `${at(made)}/${id}/triggers`, { body })).data, SUCCESS)
        expect((await made.api.ok('GET', `${at(made)}/${id}/triggers`)).data).toEqual([])
      },
    },
    prefix === '' ? ownOperations(id) : {},
    {
      [`DELETE ${prefix}/webhooks/:webhookId`]: async (made) => {
        expectKeys((await made.api.ok('DELETE', `${at(made)}/${id}`)).data, SUCCESS)
        await made.api.fails('ERR_WEBHOOK_NOT_FOUND', 'GET', `${at(made)}/${id}`)
      },
    },
  ])
}

export const webhookOperations = joined([operationsUnder('', 'hook'), operationsUnder('/apps/:appId', 'other_hook')])
