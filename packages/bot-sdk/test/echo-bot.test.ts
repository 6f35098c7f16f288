/** What README and the guide tell people to run, run as they would: programs of their own, and `curl`. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Message } from '@confab/protocol'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { end, start, startServer, type TestServer } from './server.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const ECHO_BOT = path('../examples/echo-bot.ts')

let server: TestServer
beforeAll(async () => {
  server = await startServer()
  await server.client.createUser({ uid: 'ann', name: 'Ann' })
})
afterAll(() => server?.dispose())

/** Ends with the test, if not before. */
const startProgram = (file: string, env: Readonly<Record<string, string>>) => {
  const child = start([file], env)
  onTestFinished(() => void end(child, 'SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (some: string) => {
      text += some
    })
  }
  return {
    printed: () => text,
    prints: (pattern: RegExp) => vi.waitFor(() => expect(text).toMatch(pattern), { timeout: 10_000, interval: 25 }),
    exited: new Promise<number | null>((resolve) => child.once('close', resolve)),
    end: () => end(child),
  }
}

const settings = (): Record<string, string> => ({ CONFAB_URL: server.url, CONFAB_REST_API_KEY: server.apiKey })

const say = (to: string, text: string) =>
  server.client.sendMessage({ receiver: to, receiverType: 'user' }, text, { onBehalfOf: 'ann' })

const hears = (from: string, text: string): Promise<void> =>
  vi.waitFor(
    async () => {
      const { data } = await server.client.request<Message[]>('GET', `/users/${from}/messages`, { onBehalfOf: 'ann' })
      expect(data.filter(({ sender }) => sender === from).at(-1)?.data.text).toBe(text)
    },
    { timeout: 5000, interval: 25 },
  )

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

test('the echo bot needs its user, and says so', async () => {
  const bot = startProgram(ECHO_BOT, settings())
  expect(await bot.exited).toBe(1)
  expect(bot.printed()).toContain('ERR_UID_NOT_FOUND')
  expect(bot.printed()).not.toContain(server.apiKey)
})

test('the echo bot registers itself, answers, and can be started again', async () => {
  await server.client.createUser({ uid: 'echo', name: 'Echo' })
  const members = { participants: ['echo'] }
  await server.client.createGroup({ guid: 'lounge', name: 'Lounge', type: 'public', owner: 'ann', members })
  const first = startProgram(ECHO_BOT, settings())
  await first.prints(/^echo bot echo listens at http:\/\/127\.0\.0\.1:\d+$/m)
  await say('echo', 'Hello!')
  await hears('echo', 'You said: Hello!')
  await say('echo', ' <@uid:echo> ')
  await hears('echo', 'I heard something without words.')
  const lounge = { receiver: 'lounge', receiverType: 'group' } as const
  await server.client.sendMessage(lounge, 'Nobody in particular.', { onBehalfOf: 'ann' })
  await server.client.sendMessage(lounge, 'And <@uid:echo>?', { onBehalfOf: 'ann' })
  await vi.waitFor(async () => {
    const { data } = await server.client.request<Message[]>('GET', '/groups/lounge/messages')
    expect(data.filter(({ sender }) => sender === 'echo').map((one) => one.data.text)).toEqual(['You said: And ?'])
  })
  expect(await first.end()).toBe(0)
  const port = await freePort()
  const second = startProgram(ECHO_BOT, { ...settings(), PORT: String(port), CONFAB_APP_ID: server.appId })
  await second.prints(new RegExp(`listens at http://127\\.0\\.0\\.1:${port}$`, 'm'))
  await say('echo', 'Are you back?')
  await hears('echo', 'You said: Are you back?')
  expect(await second.end()).toBe(0)
})

test('the echo bot can have another name', async () => {
  await server.client.createUser({ uid: 'narcissus', name: 'Narcissus' })
  const bot = startProgram(ECHO_BOT, { ...settings(), CONFAB_BOT_UID: 'narcissus' })
  await bot.prints(/echo bot narcissus listens/)
  await say('narcissus', 'Is anybody here?')
  await hears('narcissus', 'You said: Is anybody here?')
})

/** The one block of a document that holds a text; what stands for the reader's own is filled in, and must be there. */
const block = (file: string, language: string, holds: string, fill: Readonly<Record<string, string>>): string => {
  const text = readFileSync(path(file), 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(
    ([, lang, code]) => lang === language && code?.includes(holds),
  )
  expect(blocks).toHaveLength(1)
  return Object.entries(fill).reduce((code, [printed, own]) => {
    expect(code).toContain(printed)
    return code.replaceAll(printed, own)
  }, blocks[0]?.[2] ?? '')
}

const bash = async (script: string): Promise<Record<string, unknown>[]> => {
  const silent = script.replaceAll(/\bcurl /g, 'curl -sS -w "\\n" ')
  const { stdout } = await promisify(execFile)('bash', ['-ec', silent])
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).data)
}

const reader = (): Record<string, string> => ({
  'http://127.0.0.1:4000': server.url,
  'apikey: …': `apikey: ${server.apiKey}`,
})

test('README: the bot of ten lines, its user, and the request that makes it one', async () => {
  const port = String(await freePort())
  const [user, made] = await bash(
    block('../../../README.md', 'sh', '/v3/bots', { ...reader(), '127.0.0.1:8080': `127.0.0.1:${port}` }),
  )
  expect(user?.uid).toBe('parrot')
  const folder = mkdtempSync(join(tmpdir(), 'confab-readme-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'node_modules/@confab'), { recursive: true })
  symlinkSync(path('..'), join(folder, 'node_modules/@confab/bot-sdk'))
  const code = block('../../../README.md', 'ts', 'createBot', {
    'http://127.0.0.1:4000': server.url,
    'port: 8080': `port: ${port}`,
  })
  writeFileSync(join(folder, 'bot.mts'), code)
  const env = { CONFAB_REST_API_KEY: server.apiKey, BOT_SIGNING_SECRET: String(made?.signingSecret) }
  const bot = startProgram(join(folder, 'bot.mts'), env)
  // It prints nothing: what is said before it listens is repeated until it does.
  await say('parrot', 'Pieces of eight!')
  await hears('parrot', 'You said: Pieces of eight!')
  expect(bot.printed()).toBe('')
})

test('guide: a user is made and becomes a bot', async () => {
  const guide = '../../../docs/guides/bots.md'
  const [user, made] = await bash(block(guide, 'sh', '"uid":"helper","name"', reader()))
  expect(user).toMatchObject({ uid: 'helper', name: 'Helper' })
  expect(made).toMatchObject({ uid: 'helper', enabled: true, groupChatSetting: 'mentionedMessages' })
  expect(made?.signingSecret).toMatch(/^whsec_/)
})
