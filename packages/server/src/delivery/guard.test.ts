import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { blockedRanges, callbackUrlProblem, isCidr, makeAddressGuard, makeAddressGuards, parseCidr } from './guard.ts'

const guard = makeAddressGuard({ allow: [] })
const isAllowed = (address: string): boolean => guard.check(address).allowed

/** First and last address of each range, and whether the ones beside it are reachable. */
const edges: readonly [
  cidr: string,
  first: string,
  last: string,
  before: string | undefined,
  after: string | undefined,
][] = [
  ['0.0.0.0/8', '0.0.0.0', '0.255.255.255', undefined, '1.0.0.0'],
  ['10.0.0.0/8', '10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
  ['100.64.0.0/10', '100.64.0.0', '100.127.255.255', '100.63.255.255', '100.128.0.0'],
  ['127.0.0.0/8', '127.0.0.0', '127.255.255.255', '126.255.255.255', '128.0.0.0'],
  ['169.254.0.0/16', '169.254.0.0', '169.254.255.255', '169.253.255.255', '169.255.0.0'],
  ['172.16.0.0/12', '172.16.0.0', '172.31.255.255', '172.15.255.255', '172.32.0.0'],
  ['192.0.0.0/24', '192.0.0.0', '192.0.0.255', '191.255.255.255', '192.0.1.0'],
  ['192.0.2.0/24', '192.0.2.0', '192.0.2.255', '192.0.1.255', '192.0.3.0'],
  ['192.88.99.0/24', '192.88.99.0', '192.88.99.255', '192.88.98.255', '192.88.100.0'],
  ['192.168.0.0/16', '192.168.0.0', '192.168.255.255', '192.167.255.255', '192.169.0.0'],
  ['198.18.0.0/15', '198.18.0.0', '198.19.255.255', '198.17.255.255', '198.20.0.0'],
  ['198.51.100.0/24', '198.51.100.0', '198.51.100.255', '198.51.99.255', '198.51.101.0'],
  ['203.0.113.0/24', '203.0.113.0', '203.0.113.255', '203.0.112.255', '203.0.114.0'],
  ['224.0.0.0/4', '224.0.0.0', '239.255.255.255', '223.255.255.255', undefined],
  ['240.0.0.0/4', '240.0.0.0', '255.255.255.255', undefined, undefined],
  ['::/96', '::', '::ffff:ffff', undefined, '::1:0:0'],
  ['::ffff:0:0:0/96', '::ffff:0:0:0', '::ffff:0:ffff:ffff', '::fffe:ffff:ffff:ffff', '::ffff:1:0:0'],
  ['64:ff9b::/96', '64:ff9b::', '64:ff9b::ffff:ffff', '64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff', '64:ff9b::1:0:0'],
  ['64:ff9b:1::/48', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff', '64:ff9b:0:ffff::', '64:ff9b:2::'],
  ['100::/64', '100::', '100::ffff:ffff:ffff:ffff', 'ff:ffff::', '100:0:0:1::'],
  ['2001::/23', '2001::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', '2000:ffff::', '2001:200::'],
  ['2001:db8::/32', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db7:ffff::', '2001:db9::'],
  ['2002::/16', '2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2001:ffff::', '2003::'],
  ['3fff::/20', '3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', '3ffe:ffff::', '3fff:1000::'],
  ['5f00::/16', '5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '5eff:ffff::', '5f01::'],
  ['fc00::/7', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'fbff:ffff::', 'fe00::'],
  ['fe80::/10', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'fe7f:ffff::', undefined],
  ['fec0::/10', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', undefined, undefined],
  ['ff00::/8', 'ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', undefined, undefined],
]

/** An address of the range, picked by the bytes. */
const within = (cidr: string, bytes: readonly number[]): string => {
  const { base, bits } = parseCidr(cidr)
  const mixed = base.toByteArray().map((byte, at) => {
    const hostBits = Math.min(8, Math.max(0, (at + 1) * 8 - bits))
    return byte | ((bytes[at] ?? 0) & ((1 << hostBits) - 1))
  })
  return ipaddr.fromByteArray(mixed).toString()
}
const sixteenBytes = fc.array(fc.nat(255), { minLength: 16, maxLength: 16 })

describe('address guard', () => {
  it('has an edge test for every range', () => {
    expect(edges.map(([cidr]) => cidr)).toEqual(blockedRanges.map(([cidr]) => cidr))
  })

  it.each(edges)('%s: refuses its edges, allows its neighbours', (cidr, first, last, before, after) => {
    for (const address of [first, last]) {
      const verdict = guard.check(address)
      expect(verdict, address).toMatchObject({ allowed: false })
      expect('reason' in verdict && verdict.reason, address).toContain(`(${cidr})`)
    }
    for (const address of [before, after].filter((it) => it !== undefined))
      expect(isAllowed(address), address).toBe(true)
  })

  it.each([
    '169.254.169.254',
    'fd00:ec2::254',
    '::1',
    '::',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:0a00:0001',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    'fe80::1%eth0',
    '2606:4700::1111%eth0',
    '2606:4700::1111%a%b',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    ' 8.8.8.8',
    '8.8.8.8/32',
    // Digits of another script, and what stands for a dot.
    '１２７.0.0.1',
    '127。0。0。1',
    '127.0.0.1.',
    '127.0.0.1\r\nhost: x',
    '127.0.0.1%0d%0a',
    '[::1]',
    '127.0.0.1.nip.io',
    'localhost',
    '',
  ])('refuses %j', (address) => {
    expect(isAllowed(address)).toBe(false)
  })

  it.each(['1.1.1.1', '8.8.8.8', '2606:4700:4700::1111', '::ffff:8.8.8.8', '2a00:1450:4001::200e'])(
    'allows %s',
    (address) => {
      expect(isAllowed(address)).toBe(true)
    },
  )

  it('refuses every address of every listed range, mapped into IPv6 too', () => {
    fc.assert(
      fc.property(fc.constantFrom(...blockedRanges), sixteenBytes, ([cidr], bytes) => {
        const address = within(cidr, bytes)
        expect(isAllowed(address), address).toBe(false)
        if (!address.includes(':')) expect(isAllowed(`::ffff:${address}`), address).toBe(false)
      }),
    )
  })

  it('allows every address of an allowed range, whatever else is said of it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...blockedRanges), sixteenBytes, ([cidr], bytes) => {
        const address = within(cidr, bytes)
        expect(makeAddressGuard({ allow: [cidr] }).check(address)).toEqual({ allowed: true })
      }),
    )
  })

  it('refuses the addresses that this machine has at the time, in whatever form, unless they are allowed', () => {
    let own = ['127.0.0.1', '8.8.8.8', '2606:4700:0:0:0:0:0:1', 'fe80::1']
    const here = makeAddressGuard({ allow: ['9.9.9.0/24'], own: () => own })
    const verdicts = (...addresses: string[]): boolean[] => addresses.map((address) => here.check(address).allowed)
    expect(verdicts('8.8.8.8', '::ffff:8.8.8.8', '2606:4700::1')).toEqual([false, false, false])
    expect(here.check('8.8.8.8')).toEqual({ allowed: false, reason: 'this machine' })
    expect(verdicts('8.8.8.9', '2606:4700::2')).toEqual([true, true])
    own = ['9.9.9.9']
    expect(verdicts('8.8.8.8', '9.9.9.9')).toEqual([true, true])
    const guards = makeAddressGuards({ allow: [], forBots: ['8.8.0.0/16'], own: () => ['8.8.8.8', '9.9.9.9'] })
    expect([guards.of([]), guards.of(['8.8.8.8/32'])].map((guard) => guard.check('8.8.8.8').allowed)).toEqual([
      false,
      true,
    ])
    expect(guards.of(['8.8.8.8/32']).check('9.9.9.9').allowed).toBe(false)
  })

  it('allows no more than what was allowed', () => {
    const lan = makeAddressGuard({ allow: ['10.1.0.0/16', '::1/128', 'fe80::/10'] })
    const verdicts = (addresses: string[]): boolean[] => addresses.map((address) => lan.check(address).allowed)
    expect(verdicts(['10.1.2.3', '::ffff:10.1.2.3', '::1', 'fe80::1', 'fe80::1%eth0'])).not.toContain(false)
    expect(verdicts(['10.2.0.0', '127.0.0.1', '::2', '64:ff9b::a01:203', '2002:a01:203::'])).not.toContain(true)
  })
})

describe('CIDR', () => {
  it.each(['10.0.0.0/8', '0.0.0.0/0', '127.0.0.1/32', '::1/128', 'fd00::/8', '::/0'])('reads %s', (text) => {
    expect(isCidr(text)).toBe(true)
  })

  it.each([
    ['10.0.0.1', 'write 10.0.0.1/32'],
    ['::1', 'write ::1/128'],
    ['10.0.0/8', 'not an IP address'],
    ['10.0.0.0/33', 'must be 0 to 32'],
    ['::/129', 'must be 0 to 128'],
    ['10.0.0.0/', 'must be 0 to 32'],
    ['10.0.0.0/-1', 'must be 0 to 32'],
    ['10.0.0.0/8/8', 'more than one'],
    ['::ffff:10.0.0.0/104', 'write the IPv4 range'],
    ['fe80::1%eth0/64', 'not an IP address'],
    ['localhost/8', 'not an IP address'],
    ['', 'not an IP address'],
  ])('refuses %j and says why', (text, why) => {
    expect(isCidr(text)).toBe(false)
    expect(() => makeAddressGuard({ allow: [text] })).toThrow(why)
  })
})

describe('callback URL', () => {
  it.each([
    'https://bot.example/callback?x=1',
    'http://bot.example:8080',
    'http://127.0.0.1/',
    'http://[::1]:9/',
    'https://bücher.example/',
  ])('takes %s', (url) => {
    expect(callbackUrlProblem(url)).toBeUndefined()
  })

  it.each([
    ['bot.example/callback', 'is not a URL'],
    ['', 'is not a URL'],
    ['http://', 'is not a URL'],
    ['http://300.0.0.1/', 'is not a URL'],
    ['ftp://bot.example/', 'must begin with'],
    ['file:///etc/passwd', 'must begin with'],
    ['javascript:alert(1)', 'must begin with'],
    ['https://user:secret@bot.example/', 'user name or password'],
    ['https://user@bot.example/', 'user name or password'],
    ['https://:secret@bot.example/', 'user name or password'],
    ['https://bot.example/#top', 'fragment'],
    ['https://bot.example/#', 'fragment'],
  ])('refuses %j', (url, why) => {
    expect(callbackUrlProblem(url)).toContain(why)
    expect(callbackUrlProblem(url)).not.toContain('secret')
  })
})

describe('ranges of single bots', () => {
  const guards = makeAddressGuards({ allow: ['127.0.0.0/8'], forBots: ['10.0.0.0/8', '192.168.1.0/24', 'fd00::/8'] })
  const allows = (cidrs: readonly string[], address: string): boolean => guards.of(cidrs).check(address).allowed

  it.each([
    [[], '10.0.0.1', false],
    [[], '127.0.0.1', true],
    [['10.0.0.0/8'], '10.255.255.255', true],
    [['10.1.0.0/16'], '10.1.2.3', true],
    [['10.1.0.0/16'], '10.2.0.0', false],
    [['10.1.2.3/32'], '10.1.2.3', true],
    [['10.1.2.3/32'], '10.1.2.4', false],
    [['10.1.0.0/16', '192.168.1.128/25'], '192.168.1.200', true],
    [['10.1.0.0/16', '192.168.1.128/25'], '192.168.1.100', false],
    // An IPv4 address is one, however it is written.
    [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    [['192.168.1.0/24'], '::ffff:10.0.0.1', false],
    [['fd00::/8'], '::ffff:10.0.0.1', false],
    [['fd00:1::/32'], 'fd00:1::5', true],
    [['fd00:1::/32'], 'fd00:2::5', false],
    [['fd00:1::/32'], 'fe80::1', false],
  ] as const)('%j: %s %s', (cidrs, address, allowed) => {
    expect(allows(cidrs, address)).toBe(allowed)
    expect(guards.problemOf(cidrs)).toBeUndefined()
  })

  it('count for nothing where they are not to be given, beside others that are', () => {
    expect(allows(['172.16.0.0/12'], '172.16.0.1')).toBe(false)
    expect(allows(['0.0.0.0/0'], '10.0.0.1')).toBe(false)
    expect(allows(['8.0.0.0/6'], '10.0.0.1')).toBe(false)
    expect(allows(['172.16.0.0/12', '10.0.0.0/8'], '172.16.0.1')).toBe(false)
  })

  it('are those of one bot alone', () => {
    expect(allows(['10.0.0.0/8'], '10.0.0.1')).toBe(true)
    expect(allows(['192.168.1.0/24'], '10.0.0.1')).toBe(false)
    expect(allows([], '10.0.0.1')).toBe(false)
  })

  it.each([
    ['10.0.0.0/7', 'not among the ranges'],
    ['11.0.0.0/7', 'bits beyond the prefix'],
    ['0.0.0.0/0', 'not among the ranges'],
    ['192.168.0.0/16', 'not among the ranges'],
    ['fc00::/7', 'not among the ranges'],
    ['::1/128', 'not among the ranges'],
    ['10.0.0.1', 'a prefix length is missing'],
    ['::ffff:10.0.0.0/104', 'write the IPv4 range'],
  ])('refuses to give %s', (cidr, why) => {
    expect(guards.problemOf([cidr])).toContain(why)
    expect(guards.problemOf([cidr])).toContain(cidr)
    expect(guards.problemOf(['10.0.0.0/8', cidr])).toBe(guards.problemOf([cidr]))
  })

  it('may be what all are allowed, with nothing to give beside it', () => {
    const none = makeAddressGuards({ allow: ['127.0.0.0/8'], forBots: [] })
    expect(none.problemOf(['127.0.0.1/32'])).toBeUndefined()
    expect(none.problemOf(['10.0.0.0/8'])).toContain('not among the ranges')
    expect(() => makeAddressGuards({ allow: [], forBots: ['10.0.0.1/8'] })).toThrow('did you mean')
  })
})
