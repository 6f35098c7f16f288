/**
 * A whole bot: registers itself, then repeats what it is told. In groups it answers when it is mentioned.
 *
 *   CONFAB_URL=http://127.0.0.1:4000 CONFAB_REST_API_KEY=… node echo-bot.ts
 *
 * The user `echo` must exist. The port is any free one, unless PORT names it.
 */
import { ConfabClient, ConfabError, createBot } from '../src/index.ts'

const { env } = process
const client = new ConfabClient({
  url: env.CONFAB_URL ?? 'http://127.0.0.1:4000',
  apiKey: env.CONFAB_REST_API_KEY ?? '',
  ...(env.CONFAB_APP_ID !== undefined && { appId: env.CONFAB_APP_ID }),
})
const uid = env.CONFAB_BOT_UID ?? 'echo'

// The signing secret is shown once, when a bot is made: one that is there already is made anew, to have it.
await client.request('DELETE', `/bots/${uid}`).catch((error: unknown) => {
  if (!(error instanceof ConfabError && error.code === 'ERR_BOT_NOT_FOUND')) throw error
})

let signingSecret = ''
const bot = createBot({
  uid,
  client,
  get signingSecret() {
    return signingSecret
  },
  onMessage: async ({ text, reply }) => {
    const words = text.replaceAll(`<@uid:${uid}>`, '').trim()
    await reply(words === '' ? 'I heard something without words.' : `You said: ${words}`)
  },
})
const { url, close } = await bot.listen({ port: Number(env.PORT ?? 0) })

const { data } = await client.request<{ signingSecret: string }>('POST', '/bots', {
  body: { uid, webhookURL: `${url}/callback`, enabled: true, groupChatSetting: 'mentionedMessages' },
})
signingSecret = data.signingSecret
console.log(`echo bot ${uid} listens at ${url}`)

const stop = () => void close().then(() => process.exit(0))
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
// Started by another process: ends with it.
process.once('disconnect', stop)
process.send?.({ ready: url })
