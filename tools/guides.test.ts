/** The bots of the guide work: each is started as the reader starts it, and speaks to a real server. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type CallbackTest,
  callbackHeaders,
  type Delivery,
  type DeliveryDetail,
  type Message,
  sign,
} from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../packages/server/src/testing/free-port.ts'
import { startServer, type TestServer } from '../packages/server/test/support/server.ts'
import { interpreterOf, type RunningProgram, snippetsIn, startProgram } from './snippets.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const guide = readFileSync(join(root, 'docs/guides/callbacks.md'), 'utf8')
const snippets = snippetsIn(guide)

let server: TestServer
let folder = ''
beforeAll(async () => {
  // As a reader has it: the bots in a folder of their own, with what they import installed.
  folder = mkdtempSync(join(tmpdir(), 'confab-guides-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const { title, code } of snippets) writeFileSync(join(folder, title), code)
  server = await startServer({ engine: 'sqlite', env: { CONFAB_RETRY_SCHEDULE: '200ms' } })
  await server.client.createUser({ uid: 'bob', name: 'Bob' })
})
afterAll(async () => {
  await server?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
  (await server.client.request<T>(method, path, body === undefined ? {} : { body })).data

const say = (bot: string, text: string): Promise<Message> =>
  server.client.sendMessage({ receiver: bot, receiverType: 'user' }, text, { onBehalfOf: 'bob' })

/** What the bot has said to Bob, oldest first. */
const saidBy = async (bot: string): Promise<(string | undefined)[]> => {
  const { data } = await server.client.request<Message[]>('GET', `/users/${bot}/messages`, { onBehalfOf: 'bob' })
  return data.filter(({ sender }) => sender === bot).map(({ data }) => data.text)
}

const isEventually = <T>(is: () => Promise<T>): Promise<T> => vi.waitFor(is, { timeout: 10_000, interval: 50 })

interface Language {
  readonly title: string
  /** As the guide has it; the first word is the program. */
  readonly start: string
  /** As `CONFAB_TEST_REQUIRE` has it. */
  readonly name: string
}

const languages: readonly Language[] = [
  { title: 'bot-with-sdk.ts', start: 'node bot-with-sdk.ts', name: 'node' },
  { title: 'bot.ts', start: 'node bot.ts', name: 'node' },
  { title: 'bot.py', start: 'python3 bot.py', name: 'python' },
  { title: 'bot.php', start: 'php -S 127.0.0.1:8080 bot.php', name: 'php' },
]

const commandOf = ({ start, name }: Language): string | undefined =>
  name === 'node' ? process.execPath : interpreterOf(name, start.split(' ')[0] ?? '')

test('every bot of the guide is started here, as the guide says', () => {
  const bots = snippets.map(({ title }) => title).filter((title) => title.startsWith('bot'))
  expect(bots).toEqual(languages.map(({ title }) => title))
  for (const { title, start } of languages)
    expect(guide).toMatch(new RegExp(`^\\| \`${title}\` \\|.*\`${start}\``, 'm'))
})

test('what needs an interpreter that is not installed is skipped, or fails the run that requires it', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => {
    warn.mockRestore()
    vi.unstubAllEnvs()
  })
  vi.stubEnv('CONFAB_TEST_REQUIRE', 'other')
  expect(interpreterOf('some', 'no-such-program')).toBeUndefined()
  expect(warn).toHaveBeenCalledExactlyOnceWith('Tests that need some are skipped: no-such-program is not installed.')
  vi.stubEnv('CONFAB_TEST_REQUIRE', 'other, some')
  expect(() => interpreterOf('some', 'no-such-program')).toThrow('no-such-program is not installed')
  expect(interpreterOf('some', 'sh')).toMatch(/\/sh$/)
})

for (const language of languages) {
  const command = commandOf(language)
  describe.skipIf(command === undefined)(`${language.title} of the guide`, () => {
    const uid = language.title.replaceAll('.', '-')
    let program: RunningProgram
    let secret = ''
    let url = ''

    beforeAll(async () => {
      const port = await freePort()
      url = `http://127.0.0.1:${port}/`
      await server.client.createUser({ uid, name: uid })
      secret = (await ask<{ signingSecret: string }>('POST', '/bots', { uid, webhookURL: url, enabled: true }))
        .signingSecret
      const [, ...args] = language.start.replace('8080', String(port)).split(' ')
      const temporary = join(folder, `tmp-${uid}`)
      mkdirSync(temporary)
      const env = { PORT: String(port), BOT_SIGNING_SECRET: secret, TMPDIR: temporary }
      program = await startProgram({ command: command ?? '', args, cwd: folder, env, port })
    })
    afterAll(() => program?.stop())

    /** The reply is posted before the delivery is on record. */
    const newestOnceDelivered = (): Promise<Delivery | undefined> =>
      isEventually(async () => {
        const [delivery] = await ask<Delivery[]>('GET', `/deliveries?bot=${uid}`)
        expect(delivery).toMatchObject({ state: 'delivered' })
        return delivery
      })

    const heard = (text: string): number => program.output().split(`heard: ${text}`).length - 1

    /** As the server would send it, but for what is changed. */
    const post = async (change: { secret?: string; ageSeconds?: number; id?: string; body?: object } = {}) => {
      const id = change.id ?? 'dlv_of_the_test'
      const timestamp = Math.floor(Date.now() / 1000) - (change.ageSeconds ?? 0)
      const text = `by hand: ${id}`
      const body = JSON.stringify(change.body ?? { trigger: 'after_message', data: { data: { text } } })
      const headers = {
        'content-type': 'application/json',
        [callbackHeaders.id]: id,
        [callbackHeaders.timestamp]: String(timestamp),
        [callbackHeaders.signature]: sign(change.secret ?? secret, { id, timestamp, body }),
      }
      const answer = await fetch(url, { method: 'POST', headers, body })
      return { status: answer.status, text: await answer.text() }
    }

    test('answers what a person says, once', async () => {
      await say(uid, 'hello, wörld')
      await isEventually(async () => expect(await saidBy(uid)).toEqual(['You said: hello, wörld']))
      const delivery = await newestOnceDelivered()
      const { history } = await ask<DeliveryDetail>('GET', `/deliveries/${delivery?.id}`)
      expect(history).toMatchObject([{ outcome: 'delivered', status: 200 }])
      await ask('POST', `/deliveries/${delivery?.id}/replay`)
      await isEventually(async () => {
        const detail = await ask<DeliveryDetail>('GET', `/deliveries/${delivery?.id}`)
        // The same answer again, not an empty one.
        expect(detail.history.map(({ response }) => response)).toEqual([history[0]?.response, history[0]?.response])
      })
      expect(await saidBy(uid)).toEqual(['You said: hello, wörld'])
      expect(heard('hello, wörld')).toBe(1)
    })

    test('passes the server’s test: it refuses a wrong signature', async () => {
      expect(await ask<CallbackTest>('POST', `/bots/${uid}/test`)).toMatchObject({
        ok: true,
        acceptsWrongSignature: false,
        call: { status: 200 },
        wrongSignatureCall: { status: 401 },
      })
    })

    test('refuses what is old or from the future, what another secret signed, and what was changed', async () => {
      expect(await post({ id: 'dlv_fresh' })).toMatchObject({
        status: 200,
        text: expect.stringContaining('by hand: dlv_fresh'),
      })
      for (const ageSeconds of [400, -400])
        expect(await post({ id: 'dlv_old', ageSeconds })).toMatchObject({ status: 401 })
      for (const ageSeconds of [200, -200])
        expect(await post({ id: 'dlv_late', ageSeconds })).toMatchObject({ status: 200 })
      const other = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
      expect(await post({ id: 'dlv_forged', secret: other })).toMatchObject({ status: 401 })
      expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
      expect(heard('by hand: dlv_old') + heard('by hand: dlv_forged')).toBe(0)
    })

    test('takes a trigger that it does not know, and says nothing', async () => {
      const answer = await post({ id: 'dlv_other', body: { trigger: 'message_edited', data: { message: {} } } })
      expect(answer).toEqual({ status: 200, text: '{}' })
    })

    test('verifies while its secret is being replaced', async () => {
      const before = (await saidBy(uid)).length
      const rotated = await ask<{ signingSecret: string }>('POST', `/bots/${uid}/secret/rotate`, {
        overlapSeconds: 600,
      })
      expect(rotated.signingSecret).not.toBe(secret)
      await say(uid, 'still there?')
      await isEventually(async () => expect((await saidBy(uid)).slice(before)).toEqual(['You said: still there?']))
      expect(await newestOnceDelivered()).toMatchObject({ attempts: 1 })
      // Without the overlap it knows neither signature.
      await ask('POST', `/bots/${uid}/secret/rotate`, { overlapSeconds: 0 })
      expect(await ask<CallbackTest>('POST', `/bots/${uid}/test`)).toMatchObject({ ok: false, call: { status: 401 } })
    })
  })
}

test('socket-bot.ts of the guide hears, and acknowledges what it has heard', async () => {
  await server.client.createUser({ uid: 'helper', name: 'Helper' })
  await ask('POST', '/bots', { uid: 'helper', enabled: true, receive: 'pull' })
  await say('helper', 'hello, socket')
  const env = { URL: server.url, KEY: server.restApiKey }
  const program = await startProgram({ command: process.execPath, args: ['socket-bot.ts'], cwd: folder, env })
  onTestFinished(() => program.stop())
  await isEventually(async () => expect(program.output()).toBe('after_message hello, socket\nacknowledged 1\n'))
  expect(await ask<Delivery[]>('GET', '/deliveries?bot=helper')).toMatchObject([{ state: 'delivered' }])
  await ask('DELETE', '/bots/helper')
  await isEventually(async () =>
    expect(program.output()).toMatch(/\nERR_BOT_NOT_FOUND .*\nclosed 1008 see the frame before this\n$/),
  )
})

test('the TypeScript of the guide is typed', () => {
  const include = snippets.filter(({ language }) => language === 'ts').map(({ title }) => title)
  expect(include).toHaveLength(3)
  const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')] }
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include, exclude: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
}, 60_000)
