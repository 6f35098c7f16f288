import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { AppError } from '../kernel/app-error.ts'
import { makeIsTrusted, makeReachedAt, unifyForwarded } from './reached-at.ts'

const isTrusted = makeIsTrusted(['10.0.0.0/8', '::1/128', '2001:db8::/32'])

test.each([
  ['10.1.2.3', true],
  ['::ffff:10.1.2.3', true],
  ['11.1.2.3', false],
  ['::1', true],
  ['::2', false],
  ['2001:db8::7%eth0', true],
  ['fe80::1%eth0', false],
  ['', false],
  ['nonsense', false],
  [undefined, false],
])('%s is trusted: %s', (address, expected) => {
  expect(isTrusted(address)).toBe(expected)
  expect(makeIsTrusted([])(address)).toBe(false)
})

const at = (
  headers: IncomingHttpHeaders,
  options: { peer?: string; encrypted?: boolean; publicUrl?: string } = {},
): string => {
  const { peer = '10.0.0.1', encrypted = false, publicUrl } = options
  const socket = { remoteAddress: peer, ...(encrypted && { encrypted }) }
  return makeReachedAt({ publicUrl, isTrusted })({ headers: { ...headers }, socket } as IncomingMessage)
}

const host = 'inner:4000'
const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'chat.example' }

describe('where we are reached', () => {
  test.each([
    ['by host', { host }, {}, 'http://inner:4000'],
    ['by host, with TLS', { host }, { encrypted: true }, 'https://inner:4000'],
    ['by host, without what is usual', { host: 'Chat.Example:443' }, { encrypted: true }, 'https://chat.example'],
    ['by a trusted proxy', { host, ...forwarded }, {}, 'https://chat.example'],
    ['by a trusted proxy that keeps the host', { host, 'x-forwarded-proto': 'https' }, {}, 'https://inner:4000'],
    [
      'by a proxy that speaks of WebSockets',
      { host: 'chat.example', 'x-forwarded-proto': 'wss' },
      {},
      'https://chat.example',
    ],
    ['by somebody who says so', { host, ...forwarded }, { peer: '192.0.2.1' }, 'http://inner:4000'],
    ['as it is set', { host, ...forwarded }, { publicUrl: 'https://set.example' }, 'https://set.example'],
    ['as it is set, whatever the host is', {}, { publicUrl: 'https://set.example' }, 'https://set.example'],
    [
      'by the last of several',
      { host, 'x-forwarded-host': 'spoofed.example, chat.example' },
      {},
      'http://chat.example',
    ],
    ['by a scheme that is none', { host, 'x-forwarded-proto': 'javascript' }, {}, 'http://inner:4000'],
    [
      'by Forwarded',
      { host, forwarded: 'for=192.0.2.7;proto=https;host="chat.example:8443"' },
      {},
      'https://chat.example:8443',
    ],
    [
      'by Forwarded, the last',
      { host, forwarded: 'host=spoofed.example, for=x;HOST=chat.example' },
      {},
      'http://chat.example',
    ],
    ['by Forwarded of somebody', { host, forwarded: 'host=chat.example' }, { peer: '192.0.2.1' }, 'http://inner:4000'],
    ['by both forms', { host, ...forwarded, forwarded: 'host=spoofed.example' }, {}, 'https://chat.example'],
    ['by an address', { host: '[2001:DB8::1]:8443' }, { encrypted: true }, 'https://[2001:db8::1]:8443'],
  ] as const)('%s', (_, headers, options, expected) => {
    expect(at(headers, options)).toBe(expected)
  })

  test.each(['', 'a b', 'x/y', 'user@x', 'x:99999', 'x?y', '"x"', 'x\r\ny'])('not as %j', (name) => {
    expect(() => at({ host: name })).toThrow(AppError)
    expect(() => at({ host, 'x-forwarded-host': `${name}/` })).toThrow(AppError)
  })
})

test('Forwarded is read as the headers that everybody reads', () => {
  const headers: IncomingHttpHeaders = {
    forwarded: 'For="[2001:db8::9]:47";proto=http, for=192.0.2.7:80; host="a\\"b"',
  }
  unifyForwarded(headers)
  expect(headers).toMatchObject({
    'x-forwarded-for': '2001:db8::9, 192.0.2.7',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'a"b',
  })
})

test('the address of a request is that of the client, as trusted proxies say it', async () => {
  const app = Fastify({
    trustProxy: isTrusted,
    rewriteUrl: ({ url = '/', headers }) => {
      unifyForwarded(headers)
      return url
    },
  })
  app.get('/', (request) => ({ ip: request.ip }))
  const ipOf = async (remoteAddress: string, headers: Record<string, string>): Promise<string> =>
    (await app.inject({ url: '/', remoteAddress, headers })).json().ip
  expect(await ipOf('10.0.0.1', { 'x-forwarded-for': '192.0.2.7' })).toBe('192.0.2.7')
  expect(await ipOf('10.0.0.1', { 'x-forwarded-for': '198.51.100.1, 192.0.2.7, 10.0.0.2' })).toBe('192.0.2.7')
  expect(await ipOf('10.0.0.1', { forwarded: 'for=192.0.2.7' })).toBe('192.0.2.7')
  expect(await ipOf('192.0.2.1', { 'x-forwarded-for': '198.51.100.1' })).toBe('192.0.2.1')
  await app.close()
})
