/** Bots: their settings, and what they say. What they are told is in `deliveries.ts` and `updates.ts`. */
import { expect } from 'vitest'
import { toGroup } from '../../support/scene.ts'
import { expectKeys, expectPage, GROUP, JOINED, type Operations, SENT, SUCCESS } from './support.ts'

const BOT = ['uid', 'webhookURL', 'groupChatSetting', 'enabled', 'useBasicAuth', 'username', 'createdAt']

export const botOperations: Operations = {
  'POST /bots': async ({ api }) => {
    const body = { uid: 'Robot', webhookURL: 'https://robot.example/hook', enabled: true, useBasicAuth: true }
    const login = { username: 'me', password: 'password of the robot', groupChatSetting: 'mentionedMessages' }
    const { data } = await api.ok('POST', '/bots', { body: { ...body, ...login } })
    expectKeys(data, [...BOT, 'signingSecret'])
    expect(data.signingSecret).toMatch(/^whsec_/)
  },
  'GET /bots': async ({ api }) => expectPage(await api.ok('GET', '/bots'), BOT),
  'GET /bots/:uid': async ({ api }) => expectKeys((await api.ok('GET', '/bots/ROBOT')).data, BOT),
  'POST /bots/:uid/secret/rotate': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/ROBOT/secret/rotate', { body: { overlapSeconds: 60 } })
    expectKeys(data, [...BOT, 'updatedAt', 'signingSecret', 'previousSecretExpiresAt'])
    expect(data.signingSecret).toMatch(/^whsec_/)
  },
  'PUT /bots/:uid': async ({ api }) => {
    const { data } = await api.ok('PUT', '/bots/robot', { body: { enabled: false } })
    expectKeys(data, [...BOT.filter((key) => key !== 'enabled'), 'updatedAt'])
  },
}

/** In the group, after all that people have said. */
export const botMessageOperations: Operations = {
  'POST /bots/:uid/typing': async ({ api }) => {
    const body = { receiver: 'lounge', receiverType: 'group', action: 'ended', metadata: { mood: 'good' } }
    const { data } = await api.ok('POST', '/bots/robot/typing', { body })
    expectKeys(data, ['success', 'message'])
  },
  'POST /bots/:uid/messages': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/robot/messages', { body: toGroup('lounge', 'beep') })
    expectKeys(data, SENT)
    expect(data).toMatchObject({ sender: 'robot', receiver: 'lounge', conversationId: 'group_lounge' })
    expectKeys(data.data.entities.receiver.entity, [
      ...GROUP,
      ...JOINED.filter((key) => key !== 'tags'),
      'updatedAt',
      'updatedBy',
    ])
  },
}

/** When nobody needs the bot any more. */
export const lastBotOperations: Operations = {
  'POST /bots/:uid/resume': async ({ api }) => {
    expect((await api.ok('POST', '/bots/robot/resume')).data).toEqual({ resumed: expect.any(Number) })
  },
  'POST /bots/:uid/test': async ({ api }) => {
    const { data } = await api.ok('POST', '/bots/robot/test')
    expectKeys(data, ['ok', 'verdict', 'reached', 'answered', 'ms', 'call'])
    expect(data).toMatchObject({ ok: false, reached: false, call: { outcome: expect.any(String) } })
  },
  'DELETE /bots/:uid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/bots/robot')).data, SUCCESS)
    await api.fails('ERR_BOT_NOT_FOUND', 'GET', '/bots/robot')
    await api.ok('GET', '/users/robot')
  },
}
