/** What bots hear beside messages, if they have asked for it, as callbacks. */
import type { Message, OptionalTrigger } from '@confab/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import {
  attemptOf,
  idOf,
  makeGroup,
  makeUsers,
  pause,
  QUIET_MS,
  say,
  sayInGroup,
  sequenceOf,
  signatureOf,
} from './support.ts'
import { makeBotWith } from './watch.ts'

const WAIT_MS = 5000
const ALL: OptionalTrigger[] = ['message_edited', 'message_deleted', 'group_member_added', 'group_member_kicked']
const ENVELOPE = ['trigger', 'data', 'appId', 'origin', 'chatAPIVersion', 'region', 'bot']
/** The one who did it is the app itself. */
const SYSTEM = 'app_system'

const bodyOf = ({ json }: ReceivedCallback): Json => json
const triggersOf = (received: readonly ReceivedCallback[]): string[] => received.map((one) => bodyOf(one).trigger)

describeEngines('a bot with triggers', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let bot = ''
  let group = ''
  let secret = ''
  let bots = 0

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_REGION: 'eu', CONFAB_RETRY_SCHEDULE: '100ms' } })
    api = new Api(server)
    await makeUsers(server, 'ann', 'bob', 'cat')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    bot = `bot-${++bots}`
    group = `team-${bots}`
    receiver = await startCallbackReceiver()
    const settings = { webhookURL: receiver.url, groupChatSetting: 'allMessages', triggers: ALL } as const
    secret = await makeBotWith(server, bot, settings)
    const members = { admins: ['ann'], participants: [bot] }
    await server.client.createGroup({ guid: group, name: group.toUpperCase(), type: 'public', members })
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${bot}`)
    await receiver.close()
  })

  const edit = (id: string, text: string, onBehalfOf?: string): Promise<Json> =>
    api.ok('PUT', `/messages/${id}`, { body: { data: { text } }, onBehalfOf })
  const remove = (id: string, onBehalfOf?: string): Promise<Json> => api.ok('DELETE', `/messages/${id}`, { onBehalfOf })
  const add = (who: readonly string[], onBehalfOf?: string): Promise<Json> =>
    api.ok('POST', `/groups/${group}/members`, { body: { participants: who }, onBehalfOf })
  const kick = (who: string, onBehalfOf?: string): Promise<Json> =>
    api.ok('DELETE', `/groups/${group}/members/${who}`, { onBehalfOf })
  const nth = async (n: number): Promise<ReceivedCallback> => (await receiver.waitFor(n, WAIT_MS))[n - 1]!

  test('hears of an edit: in the envelope of every callback, with its trigger in the header, signed', async () => {
    const sent = await say(server, 'ann', bot, 'Helo')
    await nth(1)
    const { data: answered } = await edit(sent.id, 'Hello', 'ann')
    const callback = await nth(2)
    const { data, ...envelope } = bodyOf(callback)
    expect(Object.keys(bodyOf(callback))).toEqual(ENVELOPE)
    expect(envelope).toEqual({
      trigger: 'message_edited',
      appId: server.appId,
      origin: { platform: 'API', language: 'http', resource: 'rest-api' },
      chatAPIVersion: '3.0',
      region: 'eu',
      bot,
    })
    // The action message that the editor was answered, which has the message as it is now.
    expect(data).toEqual({ message: answered })
    expect(data.message).toMatchObject({ category: 'action', sender: 'ann', data: { action: 'edited' } })
    const { by, on } = data.message.data.entities
    expect(by.entity.uid).toBe('ann')
    expect(on.entity).toMatchObject({ id: sent.id, data: { text: 'Hello' }, editedBy: 'ann' })
    expect(callback.headers).toMatchObject({
      'content-type': 'application/json',
      'confab-trigger': 'message_edited',
      'confab-attempt': '1',
      'confab-sequence': '2',
      'confab-previous-sequence': '1',
      'confab-hop': '0',
      'webhook-signature': signatureOf(secret, callback),
    })
    expect(idOf(callback)).toMatch(/^dlv_/)
    expect(idOf(callback)).not.toBe(idOf(await nth(1)))
  })

  test('hears of a deletion, and not what was said', async () => {
    const sent = await say(server, 'ann', bot, 'a slip of the tongue')
    await nth(1)
    await remove(sent.id, 'ann')
    const callback = await nth(2)
    expect(callback.headers['confab-trigger']).toBe('message_deleted')
    const { message } = bodyOf(callback).data
    expect(message).toMatchObject({ sender: 'ann', data: { action: 'deleted' } })
    expect(message.data.entities.on.entity).toMatchObject({ id: sent.id, deletedBy: 'ann' })
    expect(callback.body).not.toContain('slip')
  })

  test.each([
    ['a user', 'ann', 'ann'],
    ['the app', undefined, SYSTEM],
  ])('hears who did it: %s', async (_, onBehalfOf, uid) => {
    const sent = await sayInGroup(server, 'ann', group, 'one')
    await nth(1)
    await edit(sent.id, 'two', onBehalfOf)
    await remove(sent.id, onBehalfOf)
    await add(['bob'], onBehalfOf)
    await kick('bob', onBehalfOf)
    const told = (await receiver.waitFor(5, WAIT_MS)).slice(1)
    expect(triggersOf(told)).toEqual(ALL)
    const [edited, deleted, added, kicked] = told.map((one) => bodyOf(one).data)
    // What the app changes is told as its author's own.
    expect([edited.message, deleted.message].map((one) => [one.sender, one.data.entities.by.entity.uid])).toEqual([
      ['ann', 'ann'],
      ['ann', 'ann'],
    ])
    expect(deleted.message.data.entities.on.entity.deletedBy).toBe(uid)
    expect(edited.message.data.entities.on.entity.editedBy).toBe(uid)
    expect([added.by.uid, kicked.by.uid]).toEqual([uid, uid])
  })

  test('hears who came and went by themselves', async () => {
    await api.ok('PUT', `/bots/${bot}`, { body: { triggers: ['group_member_joined', 'group_member_left'] } })
    await api.ok('POST', `/groups/${group}/members`, { onBehalfOf: 'bob', body: {} })
    await api.ok('DELETE', `/groups/${group}/members`, { onBehalfOf: 'bob' })
    const told = await receiver.waitFor(2, WAIT_MS)
    expect(triggersOf(told)).toEqual(['group_member_joined', 'group_member_left'])
    expect(told.map((one) => Object.keys(bodyOf(one).data))).toEqual([
      ['group', 'members'],
      ['group', 'members'],
    ])
    expect(bodyOf(told[0]!).data).toMatchObject({
      group: { guid: group, membersCount: 3 },
      members: { bob: { uid: 'bob' } },
    })
  })

  test('hears of reactions, and of what is done with its interactive messages', async () => {
    const triggers = ['message_reaction_added', 'message_reaction_removed', 'message_interacted']
    await api.ok('PUT', `/bots/${bot}`, { body: { triggers, groupChatSetting: 'none' } })
    const data = { interactiveData: { title: 'Order', submitElement: { elementId: 'go', buttonText: 'Go' } } }
    const body = { receiver: group, receiverType: 'group', category: 'interactive', type: 'form', data }
    const { id } = (await api.ok('POST', `/bots/${bot}/messages`, { body })).data
    const reactions = `/messages/${id}/reactions/%F0%9F%91%8D`
    await api.ok('POST', reactions, { onBehalfOf: 'ann' })
    await api.ok('POST', reactions, { onBehalfOf: 'ann' })
    await api.ok('DELETE', reactions, { onBehalfOf: 'ann' })
    await api.ok('PATCH', `/messages/${id}/interacted`, { onBehalfOf: 'ann', body: { interactions: ['go'] } })
    const told = await receiver.waitFor(3, WAIT_MS)
    expect(triggersOf(told)).toEqual(triggers)
    const [added, removed, interacted] = told.map((one) => bodyOf(one).data)
    const reaction = { messageId: id, reaction: '👍', uid: 'ann', reactedBy: { uid: 'ann', name: 'ANN' } }
    expect(added).toMatchObject({ reaction })
    expect(removed).toEqual(added)
    expect(interacted).toEqual({
      messageId: id,
      user: expect.objectContaining({ uid: 'ann' }),
      interactions: [{ elementId: 'go', interactedAt: expect.any(Number) }],
    })
    // Of what others said in a group it hears only as much as it hears messages.
    const other = await sayInGroup(server, 'ann', group, 'between us')
    await api.ok('POST', `/messages/${other.id}/reactions/x`, { onBehalfOf: 'ann' })
    await pause(QUIET_MS)
    expect(receiver.received).toHaveLength(3)
  })

  test('hears who was added and who was kicked, once per call', async () => {
    await add(['bob', 'cat'], 'ann')
    const added = await nth(1)
    expect(Object.keys(bodyOf(added))).toEqual(ENVELOPE)
    expect(Object.keys(bodyOf(added).data)).toEqual(['group', 'members', 'by'])
    expect(bodyOf(added).data).toMatchObject({
      group: { guid: group, name: group.toUpperCase(), membersCount: 4 },
      members: { bob: { uid: 'bob', name: 'BOB' }, cat: { uid: 'cat', name: 'CAT' } },
      by: { uid: 'ann' },
    })
    expect(Object.keys(bodyOf(added).data.members)).toEqual(['bob', 'cat'])
    await kick('cat')
    const kicked = await nth(2)
    expect(kicked.headers['confab-trigger']).toBe('group_member_kicked')
    expect(bodyOf(kicked).data).toMatchObject({ group: { guid: group, membersCount: 3 }, by: { uid: SYSTEM } })
    expect(Object.keys(bodyOf(kicked).data.members)).toEqual(['cat'])
    // Also that it goes itself, and comes back.
    await kick(bot)
    await add([bot])
    const [gone, back] = (await receiver.waitFor(4, WAIT_MS)).slice(2)
    expect([gone, back].map((one) => [bodyOf(one!).trigger, Object.keys(bodyOf(one!).data.members)])).toEqual([
      ['group_member_kicked', [bot]],
      ['group_member_added', [bot]],
    ])
    expect([1, 2, 3, 4]).toEqual(receiver.received.map(sequenceOf))
  })

  test('hears all of a conversation in the order in which it happened, also if callbacks fail', async () => {
    receiver.setBehaviour((_, n) => ({ status: n === 1 || n === 3 ? 500 : 200, delayMs: 50 }))
    const one = await sayInGroup(server, 'ann', group, 'one')
    await edit(one.id, 'one, corrected', 'ann')
    await add(['bob'], 'ann')
    const two = await sayInGroup(server, 'bob', group, 'two')
    await remove(one.id, 'ann')
    await kick('bob', 'ann')
    await edit(two.id, 'two, corrected')
    await sayInGroup(server, 'ann', group, 'three')
    const expected = ['after_message', 'message_edited', 'group_member_added', 'after_message', 'message_deleted']
    expected.push('group_member_kicked', 'message_edited', 'after_message')
    const received = await receiver.waitFor(expected.length + 2, WAIT_MS)
    const [first, again, second, secondAgain] = received
    expect([first, again, second, secondAgain].map((one) => [sequenceOf(one!), attemptOf(one!)])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ])
    // A repetition has the same id and the same bytes.
    expect([idOf(secondAgain!), secondAgain!.body]).toEqual([idOf(second!), second!.body])
    const done = received.filter((_, at) => at !== 0 && at !== 2)
    expect(done.map(sequenceOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(triggersOf(done)).toEqual(expected)
    expect(done.map(({ headers }) => headers['confab-trigger'])).toEqual(expected)
  })

  test('hears nothing of what it does itself, of what it has not asked for, or any more', async () => {
    const heard = async (): Promise<string[]> => {
      // The lane is in order: what was to come before this message has come.
      const { id } = await sayInGroup(server, 'ann', group, 'barrier')
      await expect.poll(() => receiver.received.some((one) => bodyOf(one).data.id === id)).toBe(true)
      return triggersOf(receiver.received).filter((trigger) => trigger !== 'after_message')
    }
    const to = { receiver: group, receiverType: 'group', data: { text: 'I, robot' } }
    const own = (await api.ok('POST', `/bots/${bot}/messages`, { body: to })).data as Message
    await edit(own.id, 'I, bot', bot)
    await remove(own.id, bot)
    expect(await heard()).toEqual([])
    await api.ok('PUT', `/bots/${bot}`, { body: { triggers: ['group_member_kicked'] } })
    const sent = await sayInGroup(server, 'ann', group, 'one')
    await edit(sent.id, 'two', 'ann')
    await add(['bob'])
    await kick('bob')
    expect(await heard()).toEqual(['group_member_kicked'])
    await api.ok('PUT', `/bots/${bot}`, { body: { triggers: null } })
    await add(['bob'])
    await kick('bob')
    await remove(sent.id)
    expect(await heard()).toEqual(['group_member_kicked'])
  })

  test('hears nothing of conversations of others, or while it is disabled', async () => {
    const sent = await say(server, 'ann', 'bob', 'between us')
    await edit(sent.id, 'between us two', 'ann')
    await makeGroup(server, `${group}-b`, 'ann', 'bob')
    await api.ok('POST', `/groups/${group}-b/members`, { body: { participants: ['cat'] } })
    await api.ok('PUT', `/bots/${bot}`, { body: { enabled: false } })
    await add(['bob'])
    await api.ok('PUT', `/bots/${bot}`, { body: { enabled: true } })
    await pause(QUIET_MS)
    expect(receiver.received).toEqual([])
    await kick('bob')
    expect(triggersOf([await nth(1)])).toEqual(['group_member_kicked'])
  })

  test('hears of an edit in a group only if the message is its business, by its old or its new text', async () => {
    await api.ok('PUT', `/bots/${bot}`, { body: { groupChatSetting: 'mentionedMessages' } })
    const { id } = await sayInGroup(server, 'ann', group, 'for nobody')
    await edit(id, 'for nobody still', 'ann')
    await edit(id, `for <@uid:${bot}>`, 'ann')
    await edit(id, 'for nobody again', 'ann')
    await edit(id, 'for nobody, really', 'ann')
    await sayInGroup(server, 'ann', group, `<@uid:${bot}>`)
    const received = await receiver.waitFor(3, WAIT_MS)
    expect(triggersOf(received)).toEqual(['message_edited', 'message_edited', 'after_message'])
    const texts = received.slice(0, 2).map((one) => bodyOf(one).data.message.data.entities.on.entity.data.text)
    expect(texts).toEqual([`for <@uid:${bot}>`, 'for nobody again'])
  })
})
