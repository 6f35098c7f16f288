/**
 * The whole main job, played against a fresh server and shown as it happens: people write to a bot, one to one and in
 * a group; the server forwards it to the bot's callback URL; the bot answers. Ends with 0 only if all of it happened.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { styleText } from 'node:util'
import { ConfabClient, ConfabError, createBot, type RequestOptions } from '@confab/bot-sdk'

const WITHIN_MS = 15_000
const PROGRAM = fileURLToPath(new URL('../packages/server/bin/confab.js', import.meta.url))
const ENVELOPE = ['trigger', 'data', 'appId', 'origin', 'chatAPIVersion', 'region', 'bot']
const HEADERS = [
  'authorization',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'confab-attempt',
  'confab-sequence',
]

// What is shown ----------------------------------------------------------------------------------------------------

/** Colours for a terminal; what is piped or stored is plain. */
const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
  process.stdout.isTTY && process.env.NO_COLOR === undefined ? styleText(style, text) : text
const show = (text = ''): void => console.log(text)
const title = (text: string): void =>
  show(`\n${paint('bold', `── ${text} ${'─'.repeat(Math.max(3, 84 - text.length))}`)}\n`)
const indented = (text: string, by = '    '): string => text.replaceAll(/^/gm, by)

class ShowingClient extends ConfabClient {
  override async request<T = unknown>(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<{ data: T; meta?: unknown }> {
    const who = options.onBehalfOf === undefined ? '' : paint('dim', `   onBehalfOf: ${options.onBehalfOf}`)
    show(`  ${paint('cyan', `→ ${method} /v3${path}`)}${who}`)
    if (options.body !== undefined) show(indented(JSON.stringify(options.body)))
    try {
      const answer = await super.request<T>(method, path, options)
      show(paint('green', '    200'))
      return answer
    } catch (error) {
      if (error instanceof ConfabError) show(paint('red', `    ${error.status} ${error.code}`))
      throw error
    }
  }
}

// What must be true ------------------------------------------------------------------------------------------------

const missing: string[] = []
const check = (what: string, isSo: boolean): void => {
  if (!isSo) missing.push(what)
  show(`  ${isSo ? paint('green', '✓') : paint('red', '✗')} ${what}`)
}

interface Arrived {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly text: string
  readonly status: number
}

const until = async (what: string, isSo: () => boolean): Promise<void> => {
  const end = performance.now() + WITHIN_MS
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`it did not happen in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isSigned = (secret: string, { headers, body }: Arrived): boolean => {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  return headers['webhook-signature'] === `v1,${createHmac('sha256', key).update(content).digest('base64')}`
}

// The parts --------------------------------------------------------------------------------------------------------

interface Keys {
  readonly appId: string
  readonly apiKey: string
}

const startServer = async (dataDir: string, { appId, apiKey }: Keys): Promise<{ child: ChildProcess; url: string }> => {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('CONFAB_'))
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: {
      ...Object.fromEntries(own),
      CONFAB_HOST: '127.0.0.1',
      CONFAB_PORT: '0',
      CONFAB_DATA_DIR: dataDir,
      CONFAB_APP_ID: appId,
      CONFAB_REST_API_KEY: apiKey,
      CONFAB_CALLBACK_ALLOW_CIDRS: '127.0.0.0/8',
      CONFAB_RETRY_SCHEDULE: '1s',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}`)
  })
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string }
      if (msg === 'server.listening' && url !== undefined) resolve(url)
    })
  })
  ended.catch(() => {})
  return { child, url: await Promise.race([listening, ended]) }
}

/** The bot of somebody who uses the SDK, and a window on what arrives there. */
const startBot = async (client: ConfabClient, secret: { value: string }) => {
  const arrived: Arrived[] = []
  let isTired = true
  const bot = createBot({
    uid: 'helper',
    client,
    get signingSecret() {
      return secret.value
    },
    onMessage: async ({ text, message, reply }) => {
      if (text === 'Are you awake?' && isTired) {
        isTired = false
        throw new Error('the bot fails, once')
      }
      await reply(message.receiverType === 'group' ? `Hello ${message.sender}!` : `You said: ${text}`)
    },
    onError: (error) => show(paint('yellow', `    ${error instanceof Error ? error.message : error}`)),
  })
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    show(`\n  ${paint('magenta', `⇐ ${request.method} ${request.url}`)}   the callback, as it arrived`)
    for (const name of HEADERS)
      if (request.headers[name]) show(paint('dim', indented(`${name}: ${request.headers[name]}`)))
    show(indented(JSON.stringify(JSON.parse(body), null, 2)))
    const { status } = await bot.handle(request.headers, body)
    show(paint('magenta', `  ⇒ the bot answers ${status}\n`))
    const { data } = JSON.parse(body) as { data: { data: { text: string } } }
    arrived.push({ headers: request.headers, body, text: data.data.text, status })
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { arrived, url: `http://127.0.0.1:${port}/callback`, close: () => server.close().closeAllConnections() }
}

// The play ---------------------------------------------------------------------------------------------------------

const say = (client: ConfabClient, from: string, to: string, text: string) =>
  client.sendMessage({ receiver: to, receiverType: to === 'lounge' ? 'group' : 'user' }, text, { onBehalfOf: from })

interface Line {
  readonly sender: string
  readonly category: string
  readonly data: { readonly text?: string }
}

const conversation = async (client: ConfabClient, path: string, onBehalfOf: string): Promise<string[]> => {
  const { data } = await client.request<Line[]>('GET', path, { onBehalfOf })
  const lines = data
    .filter(({ category }) => category === 'message')
    .map(({ sender, data: { text } }) => `${sender}: ${text}`)
  show()
  for (const line of lines) show(indented(line))
  return lines
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const checkCallbacks = (arrived: readonly Arrived[], secret: string): void => {
  title('What must be true of the callbacks')
  const [plain, failed, again, grouped] = arrived
  check(
    'four came: two messages, one of them twice as the bot failed, and the mention in the group',
    arrived.length === 4,
  )
  check(
    'in the order in which they were written',
    same(
      arrived.map(({ text }) => text),
      ['What can you do?', 'Are you awake?', 'Are you awake?', '<@uid:helper> are you there?'],
    ),
  )
  check(
    `each has the envelope ${ENVELOPE.join(', ')}`,
    arrived.every(({ body }) => same(Object.keys(JSON.parse(body)), ENVELOPE)),
  )
  check(
    'each is signed with the secret of the bot',
    arrived.every((one) => isSigned(secret, one)),
  )
  const basic = `Basic ${Buffer.from('confab:s3cret').toString('base64')}`
  check(
    'each carries the credentials of the bot',
    arrived.every(({ headers }) => headers.authorization === basic),
  )
  check(
    'the attempt that failed came again: same id, same bytes',
    failed?.status === 500 &&
      again?.status === 200 &&
      failed.headers['webhook-id'] === again.headers['webhook-id'] &&
      failed.body === again.body,
  )
  check(
    'attempts and sequences count',
    same(
      [plain, failed, again, grouped].map(
        (one) => `${one?.headers['confab-attempt']}/${one?.headers['confab-sequence']}`,
      ),
      ['1/1', '1/2', '2/2', '1/1'],
    ),
  )
}

const play = async (client: ConfabClient): Promise<void> => {
  const secret = { value: '' }
  const bot = await startBot(client, secret)
  try {
    title('People, a bot, a group')
    for (const [uid, name] of [
      ['ann', 'Ann'],
      ['bob', 'Bob'],
      ['helper', 'Helper'],
    ] as const)
      await client.createUser({ uid, name })
    const settings = {
      enabled: true,
      groupChatSetting: 'mentionedMessages',
      useBasicAuth: true,
      username: 'confab',
      password: 's3cret',
    }
    const made = await client.request<{ signingSecret: string }>('POST', '/bots', {
      body: { uid: 'helper', webhookURL: bot.url, ...settings },
    })
    secret.value = made.data.signingSecret
    await client.createGroup({
      guid: 'lounge',
      name: 'Lounge',
      type: 'public',
      members: { participants: ['ann', 'bob', 'helper'] },
    })

    title('One to one')
    await say(client, 'ann', 'helper', 'What can you do?')
    await until('the first answer', () => bot.arrived.length === 1)
    await say(client, 'ann', 'helper', 'Are you awake?')
    await until('the second attempt', () => bot.arrived.length === 3)

    title('In a group')
    await say(client, 'bob', 'lounge', 'Good morning all')
    await say(client, 'bob', 'lounge', '<@uid:helper> are you there?')
    await until('the mention', () => bot.arrived.length === 4)

    title('The conversations, as people read them')
    const alone = await conversation(client, '/users/helper/messages', 'ann')
    show()
    const together = await conversation(client, '/groups/lounge/messages', 'bob')
    checkCallbacks(bot.arrived, secret.value)
    title('What must be true of the conversations')
    check(
      'Ann has her answers, once each',
      same(alone, [
        'ann: What can you do?',
        'helper: You said: What can you do?',
        'ann: Are you awake?',
        'helper: You said: Are you awake?',
      ]),
    )
    check(
      'the group has its answer, and the bot did not hear what was not for it',
      same(together, ['bob: Good morning all', 'bob: <@uid:helper> are you there?', 'helper: Hello bob!']),
    )
  } finally {
    bot.close()
  }
}

const dataDir = mkdtempSync(join(tmpdir(), 'confab-demo-'))
const keys = { appId: 'demo', apiKey: randomBytes(20).toString('hex') }
let child: ChildProcess | undefined
try {
  const server = await startServer(dataDir, keys)
  child = server.child
  show(`Confab is running at ${server.url}, with its data in ${dataDir}.`)
  await play(new ShowingClient({ url: server.url, ...keys }))
} catch (error) {
  missing.push(error instanceof Error ? error.message : String(error))
} finally {
  if (child !== undefined && child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  rmSync(dataDir, { recursive: true, force: true })
}
show(missing.length === 0 ? '\nAll of it happened.' : `\nMissing:\n${missing.map((what) => `  ${what}`).join('\n')}`)
process.exitCode = missing.length === 0 ? 0 : 1
