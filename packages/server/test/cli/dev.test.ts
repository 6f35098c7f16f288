/** `confab dev` as README promises it: a person reads what it prints, and tries it. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ConfabClient } from '@confab/bot-sdk'
import type { Message } from '@confab/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { childrenOf, isAlive } from './processes.ts'
import { Confab } from './support.ts'

interface Printed {
  readonly url: string
  readonly appId: string
  readonly restApiKey: string
  readonly authKey: string
  readonly curls: readonly string[]
}

const bash = async <T>(line: string): Promise<{ data: T }> =>
  JSON.parse((await promisify(execFile)('bash', ['-c', line])).stdout)

class Dev extends Confab {
  constructor(dataDir: string, env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []) {
    super(['dev', '--port', '0', '--data-dir', dataDir, ...flags], env, [])
  }

  async banner(): Promise<Printed> {
    await this.prints(/API description: (https?:\S+)/)
    const after = (label: string): string => new RegExp(`^ {2}${label} +(\\S+)`, 'm').exec(this.stdout)?.[1] ?? ''
    return {
      url: /Confab is running at (\S+)/.exec(this.stdout)?.[1] ?? '',
      appId: after('app id'),
      restApiKey: after('REST API key'),
      authKey: after('auth key'),
      curls: [...this.stdout.matchAll(/^ {2}(curl .*)$/gm)].map(([, line]) => line ?? ''),
    }
  }

  async botPid(): Promise<number> {
    const [bot, ...others] = childrenOf(this.pid)
    if (bot === undefined || others.length > 0) throw new Error('confab dev has one child: the echo bot')
    return bot
  }
}

const within = (ms: number) => ({ timeout: ms, interval: 50 })

const said = (messages: readonly Message[]): string[] => messages.map(({ sender, data }) => `${sender}: ${data.text}`)

const listed = async ({ url, restApiKey, appId }: Printed, path: string, onBehalfOf?: string): Promise<Message[]> => {
  const client = new ConfabClient({ url, apiKey: restApiKey, appId })
  return (await client.request<Message[]>('GET', path, onBehalfOf === undefined ? {} : { onBehalfOf })).data
}

describe('confab dev', () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-dev-'))
  const dataDir = join(folder, 'data')
  let dev: Dev
  let printed: Printed

  beforeAll(async () => {
    dev = new Dev(dataDir)
    printed = await dev.banner()
  })
  beforeEach(() => expect(dev.hasEnded).toBe(false))
  afterAll(async () => {
    await dev.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  test('prints the app, its keys and three lines to try', async () => {
    expect(printed).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      appId: 'dev',
      restApiKey: expect.stringMatching(/^[\w-]{16,}$/),
      authKey: expect.stringMatching(/^[\w-]{16,}$/),
    })
    expect(printed.restApiKey).not.toBe(printed.authKey)
    expect(printed.curls).toHaveLength(3)
    expect(existsSync(join(dataDir, 'confab.sqlite'))).toBe(true)
    const { data } = await new ConfabClient({ url: printed.url, apiKey: printed.restApiKey }).request<
      { apiKey: string; scope: string }[]
    >('GET', '/apikeys')
    expect(data.map(({ apiKey, scope }) => [scope, apiKey]).toSorted()).toEqual([
      ['authOnly', printed.authKey],
      ['fullAccess', printed.restApiKey],
    ])
  })

  test('each line does what it says', async () => {
    const [toBot = '', toGroup = '', history = ''] = printed.curls
    expect((await bash<Message[]>(history)).data).toEqual([])
    expect((await bash<Message>(toBot)).data).toMatchObject({
      sender: 'ann',
      receiver: 'echo',
      data: { text: 'Hello!' },
    })
    await vi.waitFor(async () => {
      const { data } = await bash<Message[]>(history)
      expect(said(data)).toEqual(['ann: Hello!', 'echo: You said: Hello!'])
    }, within(5000))
    expect((await bash<Message>(toGroup)).data).toMatchObject({ sender: 'bob', receiver: 'lounge' })
    await vi.waitFor(async () => {
      const messages = await listed(printed, '/groups/lounge/messages')
      expect(said(messages.filter(({ category }) => category === 'message'))).toEqual([
        'bob: <@uid:echo> are you there?',
        'echo: You said: are you there?',
      ])
    }, within(5000))
    // The person at the terminal sees it happen.
    await dev.prints(/POST \/v3\/messages → 200 \(/)
    await dev.prints(/callback to echo \[ann_user_echo\] attempt 1 → 200 \(/)
    await dev.prints(/callback to echo \[group_lounge\] attempt 1 → 200 \(/)
  })

  test('the bot is a process and a web server of its own', async () => {
    const { data } = await new ConfabClient({ url: printed.url, apiKey: printed.restApiKey }).request<{
      webhookURL: string
    }>('GET', '/bots/echo')
    expect(new URL(data.webhookURL).hostname).toBe('127.0.0.1')
    expect(new URL(data.webhookURL).port).not.toBe(new URL(printed.url).port)
    // Whoever does not sign is not heard.
    expect((await fetch(data.webhookURL, { method: 'POST', body: '{}' })).status).toBe(401)
    const bot = await dev.botPid()
    process.kill(bot, 'SIGSTOP')
    const heard = await fetch(data.webhookURL, { method: 'POST', signal: AbortSignal.timeout(300) }).catch(() => 'none')
    process.kill(bot, 'SIGCONT')
    expect(heard).toBe('none')
  })

  test('says so when the bot has died, and goes on', async () => {
    process.kill(await dev.botPid(), 'SIGKILL')
    await dev.prints(/^The echo bot has ended \(SIGKILL\); confab dev, started again, has it back\.$/m)
    expect((await bash<Message>(printed.curls[0] ?? '')).data.data.text).toBe('Hello!')
    await dev.prints(/callback to echo \[ann_user_echo\] attempt 1 → .*connection refused.*, next: /)
  })

  test('started again it has the same app, keys and messages, and the bot is back', async () => {
    dev.signal('SIGTERM')
    expect(await dev.ended).toBe(0)
    const before = printed
    dev = new Dev(dataDir)
    printed = await dev.banner()
    expect({ ...printed, url: '', curls: [] }).toEqual({ ...before, url: '', curls: [] })
    expect(printed.curls).toEqual(before.curls.map((line) => line.replace(before.url, printed.url)))
    const history = said((await bash<Message[]>(printed.curls[2] ?? '')).data)
    expect(history).toEqual(['ann: Hello!', 'echo: You said: Hello!', 'ann: Hello!'])
    await bash(printed.curls[0] ?? '')
    await vi.waitFor(async () => {
      const { data } = await bash<Message[]>(printed.curls[2] ?? '')
      expect(said(data).at(-1)).toBe('echo: You said: Hello!')
    }, within(5000))
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('%s ends the server and the bot', async (signal) => {
    const bot = await dev.botPid()
    const webhook = await new ConfabClient({ url: printed.url, apiKey: printed.restApiKey }).request<{
      webhookURL: string
    }>('GET', '/bots/echo')
    dev.signal(signal)
    // Ctrl+C goes to all processes of the terminal.
    if (signal === 'SIGINT') process.kill(bot, signal)
    expect(await dev.ended).toBe(signal === 'SIGKILL' ? 'SIGKILL' : 0)
    await vi.waitFor(() => expect(isAlive(bot)).toBe(false), within(3000))
    for (const url of [printed.url, webhook.data.webhookURL]) {
      await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    }
    expect(dev.stderr).toBe('')
    dev = new Dev(dataDir)
    printed = await dev.banner()
  })
})

test('confab dev takes the app and the keys of the configuration', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-dev-'))
  const restApiKey = 'a-key-of-my-own-for-everything'
  const dev = new Dev(folder, { CONFAB_APP_ID: 'my-app', CONFAB_REST_API_KEY: restApiKey })
  try {
    expect(await dev.banner()).toMatchObject({ appId: 'my-app', restApiKey })
  } finally {
    await dev.kill()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('confab dev --tls speaks https with a certificate of its own, and keeps it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-dev-'))
  const certFile = join(folder, 'tls', 'development.crt')
  let dev = new Dev(folder, {}, ['--tls'])
  try {
    const printed = await dev.banner()
    expect(printed.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect(dev.stdout).toContain(`NODE_EXTRA_CA_CERTS=${certFile}`)
    const cert = readFileSync(certFile, 'utf8')
    // As printed: curl trusts it, and the bot, which speaks https too, answers.
    const [toBot = '', , history = ''] = printed.curls
    expect(toBot).toContain(`--cacert ${certFile}`)
    expect((await bash<Message>(toBot)).data.data.text).toBe('Hello!')
    await vi.waitFor(async () => {
      expect(said((await bash<Message[]>(history)).data)).toEqual(['ann: Hello!', 'echo: You said: Hello!'])
    }, within(5000))
    dev.signal('SIGTERM')
    expect(await dev.ended).toBe(0)
    dev = new Dev(folder, {}, ['--tls'])
    await dev.banner()
    expect(readFileSync(certFile, 'utf8')).toBe(cert)
    expect(dev.stdout + dev.stderr).not.toContain('PRIVATE KEY')
  } finally {
    await dev.kill()
    rmSync(folder, { recursive: true, force: true })
  }
})
