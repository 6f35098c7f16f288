import { describe, expect, it } from 'vitest'
import { callbackTo, delivery, listen, receiverWith, senderWith, until } from '../testing/sender-suite.ts'
import type { Resolve } from './connector.ts'
import { type AddressGuard, makeAddressGuard } from './guard.ts'

const strict = makeAddressGuard({ allow: [] })

describe('forbidden addresses', () => {
  it.each([
    '127.0.0.1',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::]',
    '0.0.0.0',
    '0',
    '[::127.0.0.1]',
    '0x7f000001',
    '0177.1',
    '127.0.1',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
  ])('%s is not dialled', async (host) => {
    const four = await listen()
    for (const scheme of ['http', 'https']) {
      const url = `${scheme}://${host}:${four.port}/`
      const attempt = await senderWith({ guards: { of: () => strict } }).send(
        callbackTo(url, { timeoutMs: 2000 }),
        delivery(),
      )
      expect(attempt).toMatchObject({ outcome: { kind: 'refused' }, status: undefined })
      expect(attempt.error).toMatch(/^address \S+ is not allowed: /)
      expect(attempt.error).toContain(` ${attempt.address} `)
    }
    expect(four.connections()).toBe(0)
  })

  it.each([
    ['a zone', 'http://[fe80::1%25eth0]/', 'is not a URL'],
    ['a zone of a mapped address', 'http://[::ffff:127.0.0.1%25lo]/', 'is not a URL'],
    ['a name in place of the user', 'http://bot.example@127.0.0.1/', 'user name or password'],
    ['an address in place of the user', 'http://127.0.0.1@bot.example/', 'user name or password'],
    ['a line end in the host', 'http://bot.example%0d%0ahost:127.0.0.1/', 'is not a URL'],
    ['a number too large', 'http://127.0.0.1.256/', 'is not a URL'],
    ['an octal that is none', 'http://0189.0.0.1/', 'is not a URL'],
  ])('are not hidden by %s: it is no callback URL', async (_, url, why) => {
    const sender = senderWith({ resolve: () => expect.unreachable('nothing is to be looked up') })
    const attempt = await sender.send(callbackTo(url), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'url' }, error: expect.stringContaining(why) })
  })

  it('are not dialled by a public name that leads to them', async () => {
    const inner = await listen()
    const asked: string[] = []
    const resolve: Resolve = (hostname, callback) => {
      asked.push(hostname)
      callback(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const sender = senderWith({ guards: { of: () => strict }, resolve })
    const attempt = await sender.send(callbackTo(`http://127.0.0.1.nip.io:${inner.port}/`), delivery())
    expect([attempt.outcome, asked]).toEqual([{ kind: 'refused' }, ['127.0.0.1.nip.io']])
    expect(attempt.error).toBe('address 127.0.0.1 is not allowed: loopback (127.0.0.0/8)')
    expect(inner.connections()).toBe(0)
  })

  it('cannot be asked for by line ends in a path', async () => {
    const receiver = await receiverWith()
    await senderWith().send(callbackTo(`${receiver.url}/%0d%0ahost:%20inner%0d%0a\r\nx: y?a=%0d%0ab`), delivery())
    expect(receiver.received[0]?.path).toBe('/callback/%0d%0ahost:%20inner%0d%0ax:%20y?a=%0d%0ab')
    expect(receiver.received[0]?.headers.host).toBe(`127.0.0.1:${receiver.port}`)
  })

  it('are not dialled by a name with a dot at its end, whether or not the system knows it', async () => {
    const inner = await listen()
    const url = `http://localhost.:${inner.port}/`
    const attempt = await senderWith({ guards: { of: () => strict } }).send(
      callbackTo(url, { timeoutMs: 2000 }),
      delivery(),
    )
    expect(attempt.outcome.kind).not.toBe('delivered')
    expect(inner.connections()).toBe(0)
  })

  it('are dialled in the same forms once they are allowed', async () => {
    const receiver = await receiverWith()
    for (const host of ['127.0.0.1', 'localhost', '127.1', '2130706433', '[::ffff:127.0.0.1]']) {
      const attempt = await senderWith().send(callbackTo(`http://${host}:${receiver.port}/`), delivery())
      expect(attempt.outcome, host).toEqual({ kind: 'delivered' })
    }
    const six = await receiverWith({ host: '::1' })
    expect((await senderWith().send(callbackTo(six.url), delivery())).outcome).toEqual({ kind: 'delivered' })
  })

  it('are left out among allowed ones', async () => {
    const receiver = await receiverWith()
    const guard = makeAddressGuard({ allow: ['127.0.0.1/32'] })
    const forbidden = await receiverWith({ host: '127.0.0.2', port: receiver.port })
    const addresses = [
      { address: '127.0.0.2', family: 4 },
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]
    const sender = senderWith({ guards: { of: () => guard }, resolve: (_, callback) => callback(null, addresses) })
    const attempt = await sender.send(callbackTo(`http://mixed.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'delivered' }, address: '127.0.0.1' })
    expect(forbidden.connections).toBe(0)
  })

  it('are found out when a name changes its mind', async () => {
    const inner = await listen('127.0.0.2')
    const receiver = await receiverWith(() => ({ status: 200, headers: { connection: 'close' } }))
    const guard = makeAddressGuard({ allow: ['127.0.0.1/32'] })
    const answers = ['127.0.0.1', '127.0.0.2', '127.0.0.1']
    const resolve: Resolve = (_, callback) => callback(null, [{ address: answers.shift() ?? '', family: 4 }])
    const sender = senderWith({ guards: { of: () => guard }, resolve })
    const kinds: string[] = []
    for (const port of [receiver.port, inner.port, receiver.port]) {
      kinds.push((await sender.send(callbackTo(`http://rebind.example:${port}/`), delivery())).outcome.kind)
    }
    expect(kinds).toEqual(['delivered', 'refused', 'delivered'])
    expect(inner.connections()).toBe(0)
  })

  it.each(['http', 'https'])('are found out at the peer, before a byte is sent (%s)', async (scheme) => {
    const inner = await listen()
    let checks = 0
    const guard: AddressGuard = {
      check: () => {
        checks += 1
        return checks === 1 ? { allowed: true } : { allowed: false, reason: 'it is another' }
      },
    }
    const sender = senderWith({ guards: { of: () => guard } })
    const attempt = await sender.send(callbackTo(`${scheme}://127.0.0.1:${inner.port}/`), delivery())
    expect(attempt.outcome).toEqual({ kind: 'refused' })
    expect(attempt.error).toBe('address 127.0.0.1 is not allowed: it is another')
    await until(() => inner.connections() === 1 && inner.open() === 0)
    expect(inner.bytes()).toBe(0)
  })
})
