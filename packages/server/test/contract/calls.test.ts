/** Calls as people have them: each step a message, in the conversation where it belongs, and nobody in two. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { call, callBody, change, makeCaller, sessionIn } from '../support/calling.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('calls', (engine) => {
  let server: TestServer
  let api: Api
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
  })
  afterAll(() => server?.dispose())

  const told = async (path: string, onBehalfOf: string): Promise<string[]> => {
    const { data } = await api.ok('GET', path, { onBehalfOf, query: { categories: 'call' } })
    return data.map((message: Json) => {
      const { action, entities } = message.data
      return `${message.sender}>${message.receiver} ${action} ${entities.on.entity.status}`
    })
  }

  test('one to one: rings, is taken, ends; each step is told from who does it to the other', async () => {
    const { ann, bob } = await makeCaller(api)
    const { data } = await api.ok('POST', `/users/${ann}/auth_tokens`)
    const { data: first } = await api.ok('POST', '/calls', { token: data.authToken, body: callBody(bob) })
    const sessionId = sessionIn(first)
    expect(sessionId).toMatch(/^\d{10}[0-9a-f]{40}$/)
    const { by, on, for: to } = first.data.entities
    expect([by.entity.uid, by.entityType, to.entity.uid, to.entityType]).toEqual([ann, 'user', bob, 'user'])
    expect(on).toMatchObject({ entityType: 'call', entity: { sender: ann, receiver: bob, initiatedAt: first.sentAt } })
    expect(on.entity.data.entities).toMatchObject({
      sender: { entity: { uid: ann } },
      receiver: { entity: { uid: bob } },
    })
    const taken = await change(api, sessionId, bob, 'ongoing')
    expect(taken.data.entities.on.entity).toMatchObject({ sender: ann, receiver: bob, startedAt: taken.sentAt })
    await change(api, sessionId, ann, 'ended')
    expect(await told(`/users/${bob}/messages`, ann)).toEqual([
      `${ann}>${bob} initiated initiated`,
      `${bob}>${ann} ongoing ongoing`,
      `${ann}>${bob} ended ended`,
    ])
    expect((await api.ok('GET', `/calls/${sessionId}`, { onBehalfOf: bob })).data).toMatchObject({ status: 'ended' })
    await api.fails('ERR_MESSAGE_ACTION_NOT_ALLOWED', 'DELETE', `/messages/${first.id}`, { onBehalfOf: ann })
  })

  test.each([
    ['bob', 'rejected'],
    ['bob', 'busy'],
    ['ann', 'cancelled'],
    ['ann', 'unanswered'],
  ] as const)('%s says %s: it is over, and both are free', async (who, status) => {
    const caller = await makeCaller(api)
    const sessionId = sessionIn(await call(api, caller.ann, callBody(caller.bob)))
    await change(api, sessionId, caller[who], status)
    await api.fails('ERR_CALL_TERMINATED', 'PUT', `/calls/${sessionId}`, {
      ...{ onBehalfOf: caller.bob, body: { status: 'ongoing' } },
    })
    await call(api, caller.bob, callBody(caller.ann))
  })

  test('the other spelling of cancelled', async () => {
    const { ann, bob } = await makeCaller(api)
    const sessionId = sessionIn(await call(api, ann, callBody(bob)))
    const body = { status: 'canceled', joinedAt: 1 }
    const { data } = await api.ok('PUT', `/calls/${sessionId}`, { onBehalfOf: ann, body })
    expect(data.data.action).toBe('cancelled')
  })

  test('in a group each for themself; it ends with the last', async () => {
    const { ann, bob, cara, group } = await makeCaller(api)
    const sessionId = sessionIn(await call(api, ann, callBody(group, 'group', { type: 'video' })))
    await change(api, sessionId, cara, 'rejected')
    for (const uid of [bob, cara]) await change(api, sessionId, uid, 'ongoing')
    for (const uid of [ann, bob, cara]) await change(api, sessionId, uid, 'ended')
    expect(await told(`/groups/${group}/messages`, bob)).toEqual(
      [
        `${ann} initiated initiated`,
        // What clients go by: hers, while the others are still called.
        `${cara} rejected rejected`,
        `${bob} ongoing ongoing`,
        `${cara} ongoing ongoing`,
        `${ann} left left`,
        `${bob} left left`,
        `${cara} ended ended`,
      ].map((line) => line.replace(' ', `>${group} `)),
    )
    const answer = { sessionId: sessionIn(await call(api, bob, callBody(group, 'group'))) }
    const { details } = await api.fails('ERR_CALL_BUSY_GROUP', 'POST', '/calls', {
      ...{ onBehalfOf: cara, body: callBody(group, 'group') },
    })
    expect(details).toMatchObject(answer)
    await api.ok('DELETE', `/groups/${group}`)
    await api.fails('ERR_CALL_SESSION_NOT_FOUND', 'GET', `/calls/${answer.sessionId}`)
  })

  test('nobody comes into two calls, however many are tried at once', async () => {
    const { ann, bob, cara, group } = await makeCaller(api)
    const tries = [callBody(bob), callBody(cara), callBody(group, 'group'), callBody(bob), callBody(cara)]
    const answers = await Promise.all(tries.map((body) => api.call('POST', '/calls', { onBehalfOf: ann, body })))
    expect(answers.map(({ json }) => json.error?.code ?? 'rings').filter((code) => code === 'rings')).toHaveLength(1)
    const [own] = answers.filter(({ status }) => status === 200)
    const { details } = await api.fails('ERR_CALL_BUSY_SELF', 'POST', '/calls', {
      onBehalfOf: ann,
      body: callBody(bob),
    })
    expect(details).toEqual({ sessionId: sessionIn(own?.json.data) })
    expect(
      await api.fails('ERR_CALL_BUSY_USER', 'POST', '/calls', { onBehalfOf: bob, body: callBody(ann) }),
    ).toMatchObject({ details: { receiver: ann } })
  })

  test('what roles and scopes forbid', async () => {
    const { ann, bob, cara, group } = await makeCaller(api)
    const forbid = async (permissions: object): Promise<void> => {
      await api.ok('PUT', '/roles/default/permissions', { body: { permissions } })
    }
    const denied = async (permission: string, onBehalfOf: string, body: object): Promise<void> => {
      const { details } = await api.fails('ERR_PERMISSION_DENIED', 'POST', '/calls', { onBehalfOf, body })
      expect(details).toEqual({ permission })
    }
    await forbid({ 'initiateCall.mode': 'friends' })
    await denied('initiateCall.mode', ann, callBody(bob))
    await forbid({ initiateCall: 'deny' })
    await denied('initiateCall', ann, callBody(group, 'group'))
    for (const permission of ['initiateCall', 'initiateCall.mode']) {
      await api.ok('DELETE', `/roles/default/permissions/${permission}`)
    }
    const permissions = { 'initiateCall.allowedType': ['audio'], 'initiateCall.allowedScopes': ['admin'] }
    await api.ok('PUT', `/groups/${group}/scopes/participant/permissions`, { body: { permissions } })
    await denied('initiateCall.allowedType', bob, callBody(group, 'group', { type: 'video' }))
    const sessionId = sessionIn(await call(api, bob, callBody(group, 'group')))
    const take = { onBehalfOf: cara, body: { status: 'ongoing' } }
    await api.fails('ERR_PERMISSION_DENIED', 'PUT', `/calls/${sessionId}`, take)
    await change(api, sessionId, ann, 'ongoing')
    await api.ok('POST', '/roles', { body: { role: 'quiet', name: 'x' } })
    await api.ok('POST', '/roles/quiet/restrictedfeatures', { body: { featuresToRestrict: ['u.createCall'] } })
    await api.ok('PUT', `/users/${cara}`, { body: { role: 'quiet' } })
    await api.fails('ERR_PERMISSION_DENIED', 'POST', '/calls', { onBehalfOf: cara, body: callBody(bob) })
  })

  test('webhooks hear of each step', async () => {
    const receiver: CallbackReceiver = await startCallbackReceiver({})
    try {
      await api.ok('POST', '/webhooks', { body: { id: 'calls', name: 'x', webhookURL: receiver.url } })
      const triggerIds = [
        'call_initiated',
        'call_started',
        'call_participant_joined',
        'call_participant_left',
        'call_ended',
      ]
      await api.ok('POST', '/webhooks/calls/triggers', { body: { triggerIds } })
      const { ann, bob } = await makeCaller(api)
      const sessionId = sessionIn(await call(api, ann, callBody(bob)))
      await change(api, sessionId, bob, 'ongoing')
      await change(api, sessionId, bob, 'ended')
      const heard = (await receiver.waitFor(5, 15_000)).map(({ body }) => JSON.parse(body) as Json)
      expect(heard.map(({ trigger }) => trigger)).toEqual(triggerIds)
      for (const { data } of heard) {
        expect(data).toMatchObject({ sessionId, call: { category: 'call', data: { entities: { on: {} } } } })
      }
      expect(heard[0].data.call.data.action).toBe('initiated')
    } finally {
      await receiver.close()
    }
  })
})
