/** Bots, as people see them: users who answer, type, and speak while they think; and people who write as a bot. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import { createGroup, history, sendText, textsOf } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

type Answer = (callback: Json, response: ServerResponse) => void | Promise<void>

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describeInterop('bots', (world) => {
  let ann: Tab
  let bob: Tab
  let hook: Server
  let answer: Answer
  const heard: Json[] = []
  const nothing: Answer = (_, response) => {
    response.end()
  }

  beforeAll(async () => {
    hook = createServer((request, response) => {
      let body = ''
      request.on('data', (part) => {
        body += part
      })
      request.on('end', () => {
        const callback = JSON.parse(body)
        heard.push(callback)
        void answer(callback, response)
      })
    }).listen(0, '127.0.0.1')
    await world().users('ann', 'bob', 'helper')
    const webhookURL = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`
    await world().admin('POST', '/bots', { uid: 'helper', webhookURL, enabled: true, groupChatSetting: 'allMessages' })
    ann = await world().enter('ann')
    bob = await world().enter('bob')
  })
  beforeEach(() => {
    answer = nothing
    heard.length = 0
  })
  afterAll(() => hook?.close())

  /** The one call by which a bot answers. */
  const say = (receiver: string, receiverType: string, text: string) =>
    world().admin('POST', '/bots/helper/messages', {
      ...{ receiver, receiverType, category: 'message', type: 'text' },
      data: { text },
    })

  test('one to one: message, callback, answer', async () => {
    answer = async ({ data }, response) => {
      response.end()
      await say(data.sender, 'user', `you said: ${data.data.text}`)
    }
    const sent = await sendText(ann, { user: 'helper' }, 'hello')
    expect(await ann.event('onTextMessageReceived')).toMatchObject({
      ...{ text: 'you said: hello', sender: { uid: 'helper', name: 'Helper' }, conversationId: 'ann_user_helper' },
    })
    expect(heard[0]).toMatchObject({ trigger: 'after_message', bot: 'helper', data: { id: sent.id, sender: 'ann' } })
    expect(textsOf(await history(ann, { setUID: 'helper' }))).toEqual(['hello', 'you said: hello'])
  })

  test('in a group: message, callback, answer to all', async () => {
    await createGroup(ann, 'g')
    await bob.call('joinGroup', 'g', 'public', '')
    await ann.run('addMembersToGroup', (sdk) =>
      sdk.addMembersToGroup('g', [new sdk.GroupMember('helper', 'participant')], []),
    )
    answer = async ({ data }, response) => {
      response.end()
      await say('g', 'group', `heard ${data.sender}`)
    }
    await sendText(bob, { group: 'g' }, 'anybody?')
    for (const tab of [ann, bob]) {
      expect(await tab.event('onTextMessageReceived', { text: 'heard bob' })).toMatchObject({
        ...{ sender: { uid: 'helper' }, receiver: { guid: 'g' } },
      })
    }
    expect(heard.map(({ data }) => data.data.text)).toEqual(['anybody?'])
  })

  test('an answer in the response, and a bot that types', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"reply":{"data":{"text":"at once"}}}')
    }
    await sendText(ann, { user: 'helper' }, 'quick')
    await ann.event('onTextMessageReceived', { text: 'at once' })
    await world().admin('POST', '/bots/helper/typing', { receiver: 'ann', receiverType: 'user', action: 'started' })
    expect(await ann.event('onTypingStarted')).toMatchObject({ sender: { uid: 'helper' } })
    await world().admin('POST', '/bots/helper/typing', { receiver: 'ann', receiverType: 'user', action: 'ended' })
    expect(await ann.event('onTypingEnded')).toMatchObject({ sender: { uid: 'helper' } })
  })

  test('a streamed answer: typing, the text as it grows, and one message', async () => {
    answer = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const text of ['Once ', 'upon ', 'a time.']) {
        response.write(`data: ${JSON.stringify({ text })}\n\n`)
        await pause(300)
      }
      response.end()
    }
    await sendText(ann, { user: 'helper' }, 'tell me')
    expect(await ann.event('onTypingStarted')).toMatchObject({ sender: { uid: 'helper' } })
    const { data } = await ann.event('onTransientMessageReceived', { sender: { uid: 'helper' } })
    expect(data.type).toBe('confab_stream')
    expect('Once upon a time.'.startsWith(data.stream.text)).toBe(true)
    await ann.event('onTextMessageReceived', { text: 'Once upon a time.' })
    await ann.event('onTypingEnded')
  })

  test('in a group all see it type, and what it says while it grows', async () => {
    answer = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const text of ['All ', 'of ', 'you.']) {
        response.write(`data: ${JSON.stringify({ text })}\n\n`)
        await pause(300)
      }
      response.end()
    }
    await sendText(ann, { group: 'g' }, 'who?')
    for (const tab of [ann, bob]) {
      const of = { sender: { uid: 'helper' }, receiverType: 'group', receiverId: 'g' }
      await tab.event('onTypingStarted', of)
      const { data } = await tab.event('onTransientMessageReceived', of)
      expect('All of you.'.startsWith(data.stream.text)).toBe(true)
      await tab.event('onTextMessageReceived', { text: 'All of you.' })
      await tab.event('onTypingEnded', of)
    }
  })

  test('somebody logs in as the bot, and writes by hand', async () => {
    const helper = await world().enter('helper')
    expect(await ann.call('getUser', 'helper')).toMatchObject({ status: 'online' })
    await sendText(ann, { user: 'helper' }, 'are you a person?')
    await helper.event('onTextMessageReceived', { text: 'are you a person?' })
    await sendText(helper, { user: 'ann' }, 'for now')
    expect(await ann.event('onTextMessageReceived', { text: 'for now' })).toMatchObject({ sender: { uid: 'helper' } })
    // What the bot has said from elsewhere is seen by whoever sits there.
    await say('ann', 'user', 'from the program')
    for (const tab of [ann, helper]) await tab.event('onTextMessageReceived', { text: 'from the program' })
    expect(heard.map(({ data }) => data.data.text)).toEqual(['are you a person?'])
    await helper.close()
  })
})
