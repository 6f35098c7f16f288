/** A new secret while callbacks go on: both sign for a while, then the new one alone. */
import { verifyCallback } from '@confab/bot-sdk'
import { callbackHeaders } from '@confab/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../src/testing/callback-receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { idOf, makeBot, makeUsers, pause, say, signatureOf, statesOf, until } from './support.ts'

// Some start the program again, and wait for what is over.
vi.setConfig({ testTimeout: 60_000 })

const WAIT_MS = 15_000
const DAY = 86_400

const nowSeconds = (): number => Math.floor(Date.now() / 1000)
const signaturesOf = ({ headers }: ReceivedCallback): string[] => (headers[callbackHeaders.signature] ?? '').split(' ')

/** As a bot's author does it, with the SDK. */
const accepts = (secret: string, { headers, body }: ReceivedCallback): boolean => {
  try {
    verifyCallback(secret, headers, body)
    return true
  } catch {
    return false
  }
}

/** By hand: exactly these secrets have signed, in this order. */
const expectSigned = (received: ReceivedCallback, ...secrets: readonly string[]): void => {
  expect(signaturesOf(received)).toEqual(secrets.map((secret) => signatureOf(secret, received)))
  for (const secret of secrets) expect(accepts(secret, received)).toBe(true)
}

describeEngines('rotation of signing secrets', (engine) => {
  let server: TestServer
  let api: Api
  let receiver: CallbackReceiver
  let count = 0

  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_RETRY_SCHEDULE: '400ms', CONFAB_RETRY_FOR: '1m' } })
    api = new Api(server)
    receiver = await startCallbackReceiver()
    await makeUsers(server, 'ann')
  })
  afterAll(async () => {
    await server?.dispose()
    await receiver?.close()
  })

  const newBot = async (): Promise<{ bot: string; secret: string }> => {
    const bot = `bot-${++count}`
    return { bot, secret: await makeBot(server, bot, { webhookURL: `${receiver.url}/${bot}` }) }
  }
  const rotate = async (bot: string, body?: object): Promise<Json> =>
    (await api.ok('POST', `/bots/${bot}/secret/rotate`, body && { body })).data
  /** What arrives for one message to the bot. */
  const callback = async (bot: string): Promise<ReceivedCallback> => {
    const before = receiver.received.length
    await say(server, 'ann', bot, 'hello')
    const received = await receiver.waitFor(before + 1, WAIT_MS)
    const last = received.at(-1)
    expect(last?.path).toContain(`/${bot}`)
    return last as ReceivedCallback
  }

  test('a day of overlap unless told otherwise: the new secret signs first, the old one too', async () => {
    const { bot, secret } = await newBot()
    expectSigned(await callback(bot), secret)
    const asked = nowSeconds()
    const answer = await rotate(bot)
    expect(answer).toMatchObject({ uid: bot, signingSecret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) })
    expect(answer.signingSecret).not.toBe(secret)
    expect(answer.previousSecretExpiresAt).toBeGreaterThanOrEqual(asked + DAY)
    expect(answer.previousSecretExpiresAt).toBeLessThanOrEqual(nowSeconds() + DAY)
    expectSigned(await callback(bot), answer.signingSecret, secret)
  })

  test('when the overlap is over the new secret signs alone', async () => {
    const { bot, secret } = await newBot()
    const { signingSecret, previousSecretExpiresAt } = await rotate(bot, { overlapSeconds: 4 })
    expectSigned(await callback(bot), signingSecret, secret)
    await pause(previousSecretExpiresAt * 1000 - Date.now() + 50)
    const late = await callback(bot)
    expectSigned(late, signingSecret)
    expect(accepts(secret, late)).toBe(false)
  })

  test('without an overlap the old secret is worth nothing at once', async () => {
    const { bot, secret } = await newBot()
    const { signingSecret, previousSecretExpiresAt } = await rotate(bot, { overlapSeconds: 0 })
    expect(previousSecretExpiresAt).toBeLessThanOrEqual(nowSeconds())
    const received = await callback(bot)
    expectSigned(received, signingSecret)
    expect(accepts(secret, received)).toBe(false)
  })

  test('a second rotation during an overlap: the oldest secret goes at once', async () => {
    const { bot, secret } = await newBot()
    const { signingSecret: second } = await rotate(bot, { overlapSeconds: 600 })
    const { signingSecret: third } = await rotate(bot, { overlapSeconds: 60 })
    const received = await callback(bot)
    expectSigned(received, third, second)
    expect(accepts(secret, received)).toBe(false)
    const { signingSecret: fourth } = await rotate(bot, { overlapSeconds: 0 })
    expectSigned(await callback(bot), fourth)
  })

  test('a callback that waits for its next attempt is signed anew', async () => {
    const { bot, secret } = await newBot()
    const before = receiver.received.length
    receiver.setBehaviour((_, n) => ({ status: n === before + 1 ? 500 : 200 }))
    const first = await callback(bot)
    const { signingSecret } = await rotate(bot, { overlapSeconds: 60 })
    const second = (await receiver.waitFor(before + 2, WAIT_MS))[before + 1] as ReceivedCallback
    expect([idOf(second), second.body]).toEqual([idOf(first), first.body])
    expectSigned(first, secret)
    expectSigned(second, signingSecret, secret)
  })

  test('another bot, also of the same URL, signs as before', async () => {
    const [one, other] = [await newBot(), await newBot()]
    await rotate(one.bot)
    expectSigned(await callback(other.bot), other.secret)
  })

  test('outlives the server', async () => {
    const { bot, secret } = await newBot()
    const { signingSecret } = await rotate(bot, { overlapSeconds: 120 })
    await server.restart()
    expectSigned(await callback(bot), signingSecret, secret)
    const next = await rotate(bot, { overlapSeconds: 120 })
    // What is not on record when the server dies holds its lane until the lease lapses.
    await until('on record', async () => (await statesOf(server, bot)).every((state) => state === 'delivered'))
    await server.kill()
    await server.start()
    expectSigned(await callback(bot), next.signingSecret, signingSecret)
  })

  test('is logged, and neither log nor later answers show a secret', async () => {
    const { bot, secret } = await newBot()
    const { signingSecret, previousSecretExpiresAt } = await rotate(bot, { overlapSeconds: 60 })
    const answers = [
      await api.call('GET', `/bots/${bot}`),
      await api.call('GET', '/bots'),
      await api.call('PUT', `/bots/${bot}`, { body: { enabled: false } }),
      await api.call('GET', `/users/${bot}`),
    ]
    for (const { status, text } of answers) {
      expect(status).toBe(200)
      expect(text).toContain(bot)
      expect(text).not.toMatch(/whsec_|previousSecret|signingSecret/)
    }
    // The log comes in batches: the last one with the end.
    await server.restart()
    const lines = server.lines.filter((line) => line.msg === 'bot.secret_rotated' && line.uid === bot)
    expect(lines).toEqual([expect.objectContaining({ appId: server.appId, uid: bot, previousSecretExpiresAt })])
    expect(server.log.length).toBeGreaterThan(10)
    for (const text of ['whsec_', secret.slice(6), signingSecret.slice(6)]) {
      expect(server.log.filter((line) => line.includes(text))).toEqual([])
    }
  })

  test('is for keys of scope fullAccess, for bots, and for overlaps from nothing to a week', async () => {
    const { bot, secret } = await newBot()
    const path = `/bots/${bot}/secret/rotate`
    await api.fails('AUTH_ERR_NO_ACCESS', 'POST', path, { key: server.authKey })
    await api.fails('ERR_BOT_NOT_FOUND', 'POST', '/bots/ann/secret/rotate')
    for (const overlapSeconds of [-1, 604_801, 1.5, '60', null]) {
      const { details } = await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: { overlapSeconds } })
      expect(Object.keys(details).length).toBeGreaterThan(0)
    }
    expectSigned(await callback(bot), secret)
    const { previousSecretExpiresAt } = await rotate(bot, { overlapSeconds: 604_800 })
    expect(previousSecretExpiresAt).toBeGreaterThan(nowSeconds() + 604_700)
  })
})
