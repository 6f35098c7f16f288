/** The shell lines and the examples of the guide are right: the lines are run, on a real server. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifyCallback } from '@confab/bot-sdk'
import { callbackHeaders, type Delivery } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../packages/server/src/testing/callback-receiver.ts'
import { startServer, type TestServer } from '../packages/server/test/support/server.ts'
import { interpreterOf, runShell, snippetsIn } from './snippets.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const guide = readFileSync(join(root, 'docs/guides/callbacks.md'), 'utf8')
const codeOf = (title: string): string => {
  const found = snippetsIn(guide).find((snippet) => snippet.title === title)
  if (found === undefined) throw new Error(`the guide has no ${title}`)
  return found.code
}

const isEventually = <T>(is: () => Promise<T>): Promise<T> => vi.waitFor(is, { timeout: 10_000, interval: 50 })

describe.skipIf(interpreterOf('curl', 'curl') === undefined)('the shell lines of the guide', () => {
  let server: TestServer
  let receiver: CallbackReceiver
  let secret = ''
  const ran: string[] = []

  beforeAll(async () => {
    server = await startServer({ engine: 'sqlite', env: { CONFAB_RETRY_SCHEDULE: '200ms' } })
    receiver = await startCallbackReceiver()
  })
  afterAll(async () => {
    await receiver?.close()
    await server?.dispose()
  })

  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    (await server.client.request<T>(method, path, body === undefined ? {} : { body })).data
  const say = (text: string): Promise<unknown> =>
    server.client.sendMessage({ receiver: 'helper', receiverType: 'user' }, text, { onBehalfOf: 'ann' })

  /** Answers of the requests, as far as they have `data`. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever is looked for is compared
  const run = async (title: string, env: Readonly<Record<string, string>> = {}): Promise<any[]> => {
    ran.push(title)
    const code = codeOf(title).replaceAll('https://bots.example/helper', receiver.url)
    const output = await runShell(code, { URL: server.url, KEY: server.restApiKey, ...env })
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).data)
  }
  const helpers = async (): Promise<Delivery[]> => ask<Delivery[]>('GET', '/deliveries?bot=helper')
  const untilDelivered = (count: number): Promise<void> =>
    isEventually(async () => {
      const states = (await helpers()).map(({ state }) => state)
      expect(states).toEqual(Array.from({ length: count }, () => 'delivered'))
    })

  test('make a bot, and find it well', async () => {
    const [, , bot] = await run('create.sh')
    expect(bot).toMatchObject({ uid: 'helper', enabled: true, signingSecret: expect.stringMatching(/^whsec_/) })
    secret = bot.signingSecret
    receiver.setBehaviour(({ headers, body }) => {
      try {
        verifyCallback(secret, headers, body)
        return { status: 200 }
      } catch {
        return { status: 401 }
      }
    })
    expect(await run('test.sh')).toMatchObject([{ ok: true, acceptsWrongSignature: false }])
    expect(await run('resume.sh')).toEqual([{ resumed: 0 }])
  })

  test('show what is sent: the example and the headers of the guide are those of a callback', async () => {
    const example = JSON.parse(codeOf('callback.json')) as Record<string, Record<string, object>>
    await ask('PUT', '/bots/helper', { useBasicAuth: true, username: 'helper', password: 'correct horse' })
    const calls = receiver.received.length
    await say('Hello!')
    await untilDelivered(1)
    const callback = receiver.received[calls]
    const sent = callback?.json as typeof example
    for (const of of [
      (it: typeof example) => it,
      (it: typeof example) => it.data ?? {},
      (it: typeof example) => it.data?.data ?? {},
      (it: typeof example) => it.origin ?? {},
    ]) {
      expect(Object.keys(of(sent))).toEqual(Object.keys(of(example)))
      expect(Object.keys(of(sent)).length).toBeGreaterThan(2)
    }
    const named = [...guide.matchAll(/^\| ((?:`[a-z-]+`(?:, )?)+) \| /gm)].flatMap(([, names = '']) =>
      names.split(', ').map((name) => name.replaceAll('`', '')),
    )
    const ofTransport = ['host', 'connection', 'content-length']
    const headers = Object.keys(callback?.headers ?? {}).filter((name) => !ofTransport.includes(name))
    expect(headers.length).toBeGreaterThan(10)
    expect(named).toEqual(expect.arrayContaining(headers))
    const ours = named.filter((name) => /^(webhook|confab)-/.test(name))
    expect(ours.toSorted()).toEqual(headers.filter((name) => /^(webhook|confab)-/.test(name)).toSorted())
  })

  test('answer by REST, once', async () => {
    const [first] = await run('answer.sh')
    const [second] = await run('answer.sh')
    expect(first).toMatchObject({ sender: 'helper', receiver: 'ann', data: { text: 'Hello, Ann.' } })
    expect(second.id).toBe(first.id)
  })

  test('look at deliveries, and replay them', async () => {
    const [all, some, stats] = await run('deliveries.sh')
    expect(all).toMatchObject([{ bot: 'helper', state: 'delivered' }])
    expect(some).toEqual(all)
    expect(stats).toMatchObject({ breaker: { state: 'closed' }, parked: 0, lastHour: { delivered: 1 } })
    const calls = receiver.received.length
    const [detail, replayed, dead] = await run('replay.sh', { DELIVERY: all[0].id })
    expect(detail.body).toBe(receiver.received.at(-1)?.body)
    expect(replayed).toMatchObject({ id: all[0].id, state: 'pending' })
    expect(dead).toEqual({ replayed: 0 })
    await receiver.waitFor(calls + 1, 5000)
    expect(receiver.received.at(-1)?.headers[callbackHeaders.id]).toBe(all[0].id)
    await untilDelivered(1)
  })

  test('fetch updates, and acknowledge them', async () => {
    const calls = receiver.received.length
    const fetching = run('pull.sh')
    await isEventually(async () => expect(await ask('GET', '/bots/helper')).toMatchObject({ receive: 'pull' }))
    // It waits for what is said only now.
    await say('To be fetched.')
    const [, updates] = await fetching
    expect(updates).toHaveLength(1)
    const [update] = updates
    const { offset, callback } = update
    expect(callback.data.data.text).toBe('To be fetched.')
    const [, sentence = ''] = /Each has (`offset`[^:]*):/.exec(guide) ?? []
    const named = [...sentence.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
    expect(named.toSorted()).toEqual(Object.keys(update).toSorted())
    expect(await run('acknowledge.sh', { OFFSET: String(offset) })).toEqual([{ acknowledged: 1 }])
    await untilDelivered(2)
    expect(receiver.received).toHaveLength(calls)
  }, 40_000)

  test('are all run', () => {
    const blocks = [...guide.matchAll(/^```sh(.*)$/gm)].map(([, info = '']) => info.replace(' title=', ''))
    expect(blocks.length).toBeGreaterThan(7)
    expect(ran).toEqual(expect.arrayContaining(blocks))
  })
})
