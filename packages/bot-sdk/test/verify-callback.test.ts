/** Signatures are made here by the words of Standard Webhooks, with nothing of ours. */
import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { CallbackRefusedError, type Headers, verifyCallback } from '../src/index.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const timestamp = 1_614_265_330
const body = '{"test": 2432232314}'

const sign = (by: string, over = { id, timestamp, body }): string => {
  const key = Buffer.from(by.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${over.id}.${over.timestamp}.${over.body}`).digest('base64')}`
}
const fresh = (): string => `whsec_${randomBytes(32).toString('base64')}`

const headers: Headers = {
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': sign(secret),
  'confab-attempt': '3',
  'confab-sequence': '7',
  'confab-previous-sequence': '6',
}
const verify = (changes: Headers = {}, { by = secret, text = body, nowSeconds = timestamp } = {}) =>
  verifyCallback(by, { ...headers, ...changes }, text, { nowSeconds })

const refuses = (why: RegExp, ...args: Parameters<typeof verify>): void => {
  let thrown: unknown
  try {
    verify(...args)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(CallbackRefusedError)
  expect(String(thrown)).toMatch(why)
  expect(String(thrown)).not.toContain(secret.slice(6))
}

describe('verifyCallback', () => {
  test('takes the published test vector', () => {
    const vector = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    expect(sign(secret)).toBe(vector)
    expect(verify({ 'webhook-signature': vector })).toEqual({
      callback: { test: 2432232314 },
      id,
      attempt: 3,
      sequence: 7,
      previousSequence: 6,
      hop: 0,
    })
    expect(verify({ 'confab-hop': '3' }).hop).toBe(3)
  })

  test('takes a secret with and without its prefix', () => {
    expect(verify({}, { by: secret.slice('whsec_'.length) }).id).toBe(id)
  })

  test('signs bytes, not letters: text beyond ASCII', () => {
    const text = '{"text":"Grüße, 世界 👋"}'
    const signature = sign(secret, { id, timestamp, body: text })
    expect(verify({ 'webhook-signature': signature }, { text }).callback).toEqual({ text: 'Grüße, 世界 👋' })
  })

  test.each([
    ['the first', (old: string) => `${sign(old)} ${sign(fresh())}`],
    ['the second', (old: string) => `${sign(fresh())} ${sign(old)}`],
    ['after one of a kind that is not known', (old: string) => `v1a,AAAA ${sign(old)}`],
  ])('a rotated secret: any of several signatures will do, %s', (_, signatures) => {
    expect(verify({ 'webhook-signature': signatures(secret) }).id).toBe(id)
  })

  test.each<[string, Headers]>([
    ['no signature', { 'webhook-signature': undefined }],
    ['an empty signature', { 'webhook-signature': '' }],
    ['a signature with another secret', { 'webhook-signature': sign(fresh()) }],
    ['several, all with other secrets', { 'webhook-signature': `${sign(fresh())} ${sign(fresh())}` }],
    ['a signature without its version', { 'webhook-signature': sign(secret).slice(3) }],
    ['a signature of another version', { 'webhook-signature': sign(secret).replace('v1,', 'v2,') }],
    ['a signature cut short', { 'webhook-signature': sign(secret).slice(0, -1) }],
    ['a signature drawn out', { 'webhook-signature': `${sign(secret)}A` }],
    ['a signature in lower case', { 'webhook-signature': sign(secret).toLowerCase() }],
    ['another id', { 'webhook-id': 'msg_other' }],
    ['another time', { 'webhook-timestamp': String(timestamp + 1) }],
  ])('refuses %s', (_, changes) => refuses(/the signature is wrong/, changes))

  test.each<[string, Headers]>([
    ['no id', { 'webhook-id': undefined }],
    ['an empty id', { 'webhook-id': '' }],
    ['a time that is none', { 'webhook-timestamp': 'yesterday' }],
    ['a time that is no whole number', { 'webhook-timestamp': `${timestamp}.5` }],
    ['an endless time', { 'webhook-timestamp': 'Infinity' }],
  ])('refuses %s', (_, changes) => refuses(/not signed/, changes))

  test('refuses no headers at all', () => {
    expect(() => verifyCallback(secret, {}, body)).toThrow(CallbackRefusedError)
  })

  test.each([
    ['one byte more', `${body} `],
    ['one byte less', body.slice(0, -1)],
    ['printed anew', JSON.stringify(JSON.parse(body))],
    ['nothing', ''],
  ])('refuses another body: %s', (_, text) => refuses(/the signature is wrong/, {}, { text }))

  test('refuses another secret', () => {
    refuses(/the signature is wrong/, {}, { by: fresh() })
  })

  // A bot whose secret was left out, or is a placeholder: anybody can sign with nothing.
  test.each([[''], ['whsec_'], ['…'], ['changeme'], [`whsec_${randomBytes(23).toString('base64')}`]])(
    'refuses everything where the secret is %j',
    (by) => refuses(/no signing secret/, { 'webhook-signature': sign(by) }, { by }),
  )

  test.each([
    [300, true],
    [-300, true],
    [301, false],
    [-301, false],
    [86_400, false],
  ])('its clock may differ by minutes: %d seconds', (difference, isTaken) => {
    const nowSeconds = timestamp + difference
    if (isTaken) expect(verify({}, { nowSeconds }).id).toBe(id)
    else refuses(/too old or too new/, {}, { nowSeconds })
  })

  test('a time that is not there is not now, whatever was signed', () => {
    const signature = sign(secret, { id, timestamp: 0, body })
    refuses(/not signed|too old/, { 'webhook-timestamp': undefined, 'webhook-signature': signature })
  })

  test('the clock is this machine’s unless told otherwise', () => {
    expect(() => verifyCallback(secret, headers, body)).toThrow(/too old/)
    vi.useFakeTimers({ now: timestamp * 1000 + 999, toFake: ['Date'] })
    try {
      expect(verifyCallback(secret, headers, body).id).toBe(id)
    } finally {
      vi.useRealTimers()
    }
  })

  test('names of headers have no case, and may come as lists', () => {
    const shouted = Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [String(value)]])
    expect(verifyCallback(secret, Object.fromEntries(shouted), body, { nowSeconds: timestamp })).toEqual(verify())
  })

  test('what is signed but no JSON is refused, not passed on as a broken program', () => {
    const text = '{"trigger":'
    refuses(/no callback/, { 'webhook-signature': sign(secret, { id, timestamp, body: text }) }, { text })
  })
})
