import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { callbackOf, makeBot, makeGroup, makeUsers, pause, QUIET_MS, say, sayInGroup } from './support.ts'

const SETTINGS = ['none', 'allMessages', 'mentionedMessages', 'slashedMessages'] as const
type Setting = (typeof SETTINGS)[number]
/** Bots that would hear everything that they may. */
const OTHERS = ['disabled', 'outsider', 'talker', 'banned', 'kicked'] as const

const image = {
  attachments: [{ url: 'https://e.example/a.png', name: 'a', mimeType: 'image/png', extension: 'png', size: '1' }],
}
const heardBy = (...settings: Setting[]) => new Set<Setting>(settings)

interface Case {
  readonly name: string
  readonly body: object
  readonly heard: ReadonlySet<Setting>
  readonly inThread?: boolean
}

const cases: readonly Case[] = [
  { name: 'plain text', body: { data: { text: 'hello' } }, heard: heardBy('allMessages') },
  {
    name: 'a mention',
    body: { data: { text: 'hey <@uid:MENTIONEDMESSAGES>, hello' } },
    heard: heardBy('allMessages', 'mentionedMessages'),
  },
  { name: 'a mention of somebody else', body: { data: { text: '<@uid:bob> hi' } }, heard: heardBy('allMessages') },
  { name: 'a uid that is no mention', body: { data: { text: '@mentionedmessages' } }, heard: heardBy('allMessages') },
  {
    name: 'a mention in the caption of an image',
    body: { type: 'image', data: { ...image, text: 'see <@uid:mentionedmessages>' } },
    heard: heardBy('allMessages', 'mentionedMessages'),
  },
  { name: 'an image without a caption', body: { type: 'image', data: image }, heard: heardBy('allMessages') },
  { name: 'a slash', body: { data: { text: '/roll 2d6' } }, heard: heardBy('allMessages', 'slashedMessages') },
  {
    name: 'a slash after white space',
    body: { data: { text: ' \n\t/roll' } },
    heard: heardBy('allMessages', 'slashedMessages'),
  },
  { name: 'a slash further on', body: { data: { text: 'and/or' } }, heard: heardBy('allMessages') },
  {
    name: 'a slash and a mention',
    body: { data: { text: '/ask <@uid:mentionedmessages>' } },
    heard: heardBy('allMessages', 'mentionedMessages', 'slashedMessages'),
  },
  {
    name: 'a reply in a thread, with a mention',
    body: { data: { text: 'yes <@uid:mentionedmessages>' } },
    inThread: true,
    heard: heardBy('allMessages', 'mentionedMessages'),
  },
  {
    name: 'a reply in a thread, with a slash',
    body: { data: { text: '/yes' } },
    inThread: true,
    heard: heardBy('allMessages', 'slashedMessages'),
  },
  { name: 'a reply in a thread', body: { data: { text: 'yes' } }, inThread: true, heard: heardBy('allMessages') },
  {
    name: 'a slash in the caption of an image',
    body: { type: 'image', data: { ...image, text: ' /describe' } },
    heard: heardBy('allMessages', 'slashedMessages'),
  },
  {
    name: 'an interactive message',
    body: { category: 'interactive', type: 'form', data: { interactiveData: { title: 'Order' } } },
    heard: heardBy('allMessages'),
  },
  {
    name: 'a custom message',
    body: { category: 'custom', type: 'location', data: { customData: { lat: 1 } } },
    heard: heardBy('allMessages'),
  },
  {
    name: 'a custom message with a mention in its text',
    body: { category: 'custom', type: 'poll', data: { customData: {}, text: '<@uid:mentionedmessages> vote' } },
    heard: heardBy('allMessages', 'mentionedMessages'),
  },
]

describeEngines('in a group', (engine) => {
  let server: TestServer
  let receiver: CallbackReceiver
  let parent = ''

  const heard = (): string[] => receiver.received.map((one) => `${callbackOf(one).bot}: ${callbackOf(one).data.id}`)
  const whoHeard = (id: string): string[] =>
    receiver.received
      .map(callbackOf)
      .filter(({ data }) => data.id === id)
      .map(({ bot }) => bot)
      .sort()
  /** A message that all who may hear anything do hear: lanes being in order, what was to come before it has come. */
  const barrier = async (): Promise<void> => {
    const all = 'allmessages'
    const { id } = await sayInGroup(server, 'ann', 'team', '/all <@uid:mentionedmessages>')
    const listeners = [all, 'mentionedmessages', 'slashedmessages', 'talker']
    const end = performance.now() + 5000
    while (whoHeard(id).length < listeners.length && performance.now() < end) await pause(10)
    expect(whoHeard(id)).toEqual(listeners)
  }

  beforeAll(async () => {
    server = await startServer({ engine })
    receiver = await startCallbackReceiver()
    await makeUsers(server, 'ann', 'bob')
    for (const setting of SETTINGS) {
      await makeBot(server, setting.toLowerCase(), { webhookURL: receiver.url, groupChatSetting: setting })
    }
    for (const bot of OTHERS) {
      const enabled = bot !== 'disabled'
      await makeBot(server, bot, { webhookURL: receiver.url, groupChatSetting: 'allMessages', enabled })
    }
    const members = SETTINGS.map((setting) => setting.toLowerCase())
    await makeGroup(server, 'team', 'ann', 'bob', ...members, 'disabled', 'talker', 'banned', 'kicked')
    await server.client.request('POST', '/groups/team/bannedusers/banned')
    await server.client.request('DELETE', '/groups/team/members/kicked')
    await makeGroup(server, 'quiet', 'ann', 'talker')
    parent = (await sayInGroup(server, 'ann', 'team', 'the parent')).id
    await barrier()
  })
  afterAll(async () => {
    await server?.dispose()
    await receiver?.close()
  })
  beforeEach(barrier)

  const send = async (body: object, onBehalfOf: string | undefined, path = '/messages'): Promise<string> => {
    const to = { receiver: 'team', receiverType: 'group' }
    const acting = onBehalfOf === undefined ? {} : { onBehalfOf }
    return (await server.client.request<{ id: string }>('POST', path, { body: { ...to, ...body }, ...acting })).data.id
  }

  test.each(cases)('$name is heard by those who asked for it', async ({ body, heard: expected, inThread }) => {
    const id = await send(body, 'ann', inThread ? `/messages/${parent}/thread` : '/messages')
    await barrier()
    expect(whoHeard(id)).toEqual([...[...expected].map((setting) => setting.toLowerCase()), 'talker'].sort())
  })

  test('messages of the app itself are heard', async () => {
    const id = await send({ data: { text: 'news' } }, undefined)
    await barrier()
    expect(whoHeard(id)).toEqual(['allmessages', 'talker'])
  })

  test.each([
    ['Send Bot Message', (body: object) => send(body, undefined, '/bots/talker/messages')],
    ['Send Message on behalf of its user', (body: object) => send(body, 'talker')],
  ])('what a bot says by %s is heard by no bot, itself included', async (_, speak) => {
    const id = await speak({ data: { text: '/x <@uid:talker> <@uid:mentionedmessages>' } })
    await barrier()
    expect(whoHeard(id)).toEqual([])
  })

  test('what is done to the group or to messages is no message', async () => {
    const before = heard().length
    await server.client.createUser({ uid: `new-${engine}`, name: 'New' })
    await server.client.request('POST', '/groups/team/members', { body: { participants: [`new-${engine}`] } })
    await server.client.request('PUT', `/groups/team/members/new-${engine}`, { body: { scope: 'moderator' } })
    await server.client.request('DELETE', `/groups/team/members/new-${engine}`)
    const { id } = await sayInGroup(server, 'ann', 'quiet', 'elsewhere')
    await server.client.request('PUT', `/messages/${id}`, { body: { data: { text: '/edited' } }, onBehalfOf: 'ann' })
    await server.client.request('DELETE', `/messages/${id}`, { onBehalfOf: 'ann' })
    await barrier()
    expect(whoHeard(id)).toEqual(['talker'])
    // The message in the other group, and the four of the barrier.
    expect(heard().length - before).toBe(1 + 4)
  })

  test('a bot that has left hears no more, and one that was not there before does', async () => {
    await server.client.request('DELETE', '/groups/quiet/members/talker')
    const after = await sayInGroup(server, 'ann', 'quiet', 'after it has left')
    await server.client.request('POST', '/groups/quiet/members', { body: { participants: ['outsider'] } })
    const back = await sayInGroup(server, 'ann', 'quiet', 'to the new one')
    await expect.poll(() => whoHeard(back.id)).toEqual(['outsider'])
    await barrier()
    expect(whoHeard(after.id)).toEqual([])
  })

  describe('one to one', () => {
    test.each(SETTINGS)('a bot with %s hears every message', async (setting) => {
      const { id } = await say(server, 'ann', setting.toLowerCase(), 'just so')
      await expect.poll(() => whoHeard(id)).toEqual([setting.toLowerCase()])
    })

    test('a disabled bot hears nothing, not even later; bots do not hear bots', async () => {
      const ids = [
        (await say(server, 'ann', 'disabled', 'anybody?')).id,
        (await say(server, 'talker', 'allmessages', 'bot to bot')).id,
        (await say(server, 'talker', 'talker', 'to myself')).id,
        (await say(server, 'ann', 'bob', 'people')).id,
      ]
      await pause(QUIET_MS)
      for (const id of ids) expect(whoHeard(id)).toEqual([])
      await server.client.request('PUT', '/bots/disabled', { body: { enabled: true } })
      const { id } = await say(server, 'ann', 'disabled', 'and now?')
      await expect.poll(() => whoHeard(id)).toEqual(['disabled'])
      expect(ids.flatMap(whoHeard)).toEqual([])
      await server.client.request('PUT', '/bots/disabled', { body: { enabled: false } })
    })
  })
})
