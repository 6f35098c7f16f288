import {
  Bot,
  BotTyping,
  CallbackTest,
  CreateBot,
  ListBots,
  one,
  page,
  Resumed,
  RotateSecret,
  SendMessage,
  Success,
  UpdateBot,
} from '@confab/protocol'
import { answerPage, pageRequestOf, succeeded } from '../http/answers.ts'
import { pathOf } from '../http/path.ts'
import { RawJson, type Route, route } from '../http/route.ts'
import { definedOf } from '../kernel/defined.ts'
import { answerSent, SendAnswer, type SendMessageAs } from '../messages/send-message.ts'
import { botUidOf } from './bot-uid.ts'
import type { ManageBots } from './manage-bots.ts'
import type { TestCallback } from './test-callback.ts'
import type { TypeAsBot } from './type-as-bot.ts'

const tag = 'Bots'

export const botRoutes = ({
  bots,
  testCallback,
  sendMessage,
  type,
}: {
  bots: ManageBots
  testCallback: TestCallback
  sendMessage: SendMessageAs
  type: TypeAsBot
}): readonly Route[] => [
  route({
    method: 'POST',
    path: '/bots',
    tag,
    summary: 'Make a user a bot; the answer shows its signing secret, once',
    body: CreateBot,
    answer: one(Bot),
    handle: async ({ app, body }) => ({ data: await bots.create(app.id, body) }),
  }),
  route({
    method: 'GET',
    path: '/bots',
    tag,
    summary: 'List bots by uid',
    query: ListBots,
    answer: page(Bot),
    handle: async ({ app, query }) => {
      const request = pageRequestOf(query)
      const { searchKey, isAIBot = false } = query
      return answerPage(
        await bots.list({ appId: app.id, isAIBot, page: request, ...definedOf({ searchKey }) }),
        request,
      )
    },
  }),
  route({
    method: 'GET',
    path: '/bots/:uid',
    tag,
    summary: 'Get a bot',
    params: pathOf('uid'),
    answer: one(Bot),
    handle: async ({ app, params }) => ({ data: await bots.get(app.id, botUidOf(params.uid)) }),
  }),
  route({
    method: 'PUT',
    path: '/bots/:uid',
    tag,
    summary: 'Change a bot: only what is sent',
    params: pathOf('uid'),
    body: UpdateBot,
    answer: one(Bot),
    handle: async ({ app, params, body }) => ({ data: await bots.update(app.id, botUidOf(params.uid), body) }),
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/secret/rotate',
    tag,
    summary: 'Give a bot a new signing secret, shown once; the one before signs too until the overlap is over',
    params: pathOf('uid'),
    body: RotateSecret,
    answer: one(Bot),
    handle: async ({ app, params, body }) => ({ data: await bots.rotateSecret(app.id, botUidOf(params.uid), body) }),
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/resume',
    tag,
    summary:
      'Say that a bot is well again: what waits for a retry or is parked is due at once, and its circuit breaker closes',
    params: pathOf('uid'),
    answer: one(Resumed),
    handle: async ({ app, params }) => ({ data: { resumed: await bots.resume(app.id, botUidOf(params.uid)) } }),
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/test',
    tag,
    summary: 'Call the callback of a bot now, signed rightly and wrongly, and say what came of it',
    params: pathOf('uid'),
    answer: one(CallbackTest),
    handle: async ({ app, params }) => ({ data: await testCallback(app.id, botUidOf(params.uid)) }),
  }),
  route({
    method: 'DELETE',
    path: '/bots/:uid',
    tag,
    summary: 'Make a bot an ordinary user again',
    params: pathOf('uid'),
    answer: one(Success),
    handle: async ({ app, params }) => {
      const uid = botUidOf(params.uid)
      await bots.remove(app.id, uid)
      return succeeded(`Bot with uid ${uid} has been deleted successfully.`)
    },
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/messages',
    tag,
    summary: 'Send a message as the bot',
    params: pathOf('uid'),
    body: SendMessage,
    takesForm: true,
    answer: SendAnswer,
    handle: async ({ app, params, body, client }) => {
      const uid = botUidOf(params.uid)
      await bots.get(app.id, uid)
      const sent = await sendMessage({ app, actor: { kind: 'user', appId: app.id, uid }, body, client })
      return new RawJson(answerSent(sent))
    },
  }),
  route({
    method: 'POST',
    path: '/bots/:uid/typing',
    tag,
    summary:
      'Show that the bot is typing; it ends with `action: ended`, or when clients have seen nothing of it for a while',
    params: pathOf('uid'),
    body: BotTyping,
    answer: one(Success),
    handle: async ({ app, params, body, client }) => {
      await type({ appId: app.id, uid: botUidOf(params.uid), client }, body)
      return succeeded('The typing indicator has been sent successfully.')
    },
  }),
]
