/**
 * Which addresses a callback may be sent to. Callback URLs are user input, so the default is the union of what the
 * IANA registers list as not globally reachable, every IPv6 form that smuggles an IPv4 address, and the addresses of
 * this machine, whatever they are: what listens there may be kept from the world by a firewall that does not stand
 * between us and it. Pure: whoever dials asks for each address dialled, because a name that was harmless when it was saved
 * may resolve to anything later.
 */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { remembering } from '../kernel/remembering.ts'

export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string }

export interface AddressGuard {
  check(address: string): Verdict
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

export interface Cidr {
  readonly base: Address
  readonly bits: number
}

/** `::ffff:0:0/96` is not here: such an address is judged as the IPv4 address that it stands for. */
export const blockedRanges = [
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private network'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local, cloud metadata'],
  ['172.16.0.0/12', 'private network'],
  ['192.0.0.0/24', 'protocol assignments'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', '6to4 relay'],
  ['192.168.0.0/16', 'private network'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved, broadcast'],
  ['::/96', 'unspecified, loopback, IPv4-compatible'],
  ['::ffff:0:0:0/96', 'IPv4-translated'],
  ['64:ff9b::/96', 'NAT64'],
  ['64:ff9b:1::/48', 'local NAT64'],
  ['100::/64', 'discard-only'],
  ['2001::/23', 'protocol assignments, Teredo'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'segment routing'],
  ['fc00::/7', 'unique local'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
] as const satisfies readonly (readonly [cidr: string, name: string])[]

const cidrProblem = (address: string, bits: string | undefined): string | undefined => {
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return 'the part before "/" is not an IP address'
  if (bits === undefined)
    return `a prefix length is missing: write ${address}/${family === 4 ? 32 : 128} for one address`
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return `the prefix length must be 0 to ${family === 4 ? 32 : 128}`
  return undefined
}

/** The network of a CIDR, or what is wrong with the text. */
const readCidr = (text: string): Cidr | string => {
  const [address = '', prefix, ...rest] = text.split('/')
  const problem = rest.length > 0 ? 'there is more than one "/"' : cidrProblem(address, prefix)
  if (problem !== undefined) return problem
  const base = ipaddr.parse(address)
  const bits = Number(prefix)
  if (base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress())
    return 'IPv4-mapped ranges are judged as IPv4: write the IPv4 range'
  const network = (base instanceof ipaddr.IPv4 ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(`${address}/${bits}`)
  // Either reading of 10.1.2.3/8 would surprise someone, and one of them opens a network.
  if (network.toNormalizedString() !== base.toNormalizedString())
    return `the address has bits beyond the prefix: did you mean ${network.toString()}/${bits}?`
  return { base, bits }
}

export const isCidr = (text: string): boolean => typeof readCidr(text) !== 'string'

/** @throws Error that says what is wrong with the text. */
export const parseCidr = (text: string): Cidr => {
  const read = readCidr(text)
  if (typeof read === 'string') throw new Error(`"${text}" is not a CIDR: ${read}`)
  return read
}

const contains = ({ base, bits }: Cidr, address: Address): boolean => {
  if (base instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && address.match(base, bits)
  return address instanceof ipaddr.IPv6 && address.match(base, bits)
}

/** Strict: ipaddr.js alone would also read `127.1` and `0x7f000001`. */
const parseAddress = (text: string): Address | undefined => {
  if (isIP(text) === 0) return undefined
  const address = ipaddr.parse(text)
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

const allowed: Verdict = { allowed: true }
const refused = (reason: string): Verdict => ({ allowed: false, reason })

/** Addresses of this machine, in any form. */
export type OwnAddresses = () => readonly string[]

const nothingOwn: OwnAddresses = () => []

/** `allow` wins over the block list. @throws Error if an entry is not a CIDR. */
export const makeAddressGuard = ({
  allow,
  own = nothingOwn,
}: {
  allow: readonly string[]
  own?: OwnAddresses
}): AddressGuard => {
  const isOwn = (address: Address): boolean => {
    const text = address.toNormalizedString()
    return own().some((each) => parseAddress(each)?.toNormalizedString() === text)
  }
  const allowList = allow.map(parseCidr)
  const blockList = blockedRanges.map(([text, name]) => ({ cidr: parseCidr(text), reason: `${name} (${text})` }))
  return {
    check: (text) => {
      const [bare = '', ...zone] = text.split('%')
      const address = zone.length > 1 ? undefined : parseAddress(bare)
      if (address === undefined) return refused('not an IP address')
      if (allowList.some((cidr) => contains(cidr, address))) return allowed
      if (zone.length > 0) return refused('address with a zone')
      const hit = blockList.find(({ cidr }) => contains(cidr, address))
      if (hit !== undefined) return refused(hit.reason)
      return isOwn(address) ? refused('this machine') : allowed
    },
  }
}

/** Who may be dialled: the same for all, but for the ranges that single bots are given. */
export interface AddressGuards {
  /** For a bot with these ranges of its own; those that are not to be given count for nothing. */
  of(cidrs: readonly string[]): AddressGuard
  /** What is wrong with the ranges that a bot is to be given, as an answer to whoever asks for them. */
  problemOf(cidrs: readonly string[]): string | undefined
}

/**
 * @param options `allow`: ranges for all; `forBots`: what single bots may be given beside them
 * @throws Error if an entry is not a CIDR
 */
export const makeAddressGuards = (options: {
  allow: readonly string[]
  forBots: readonly string[]
  own?: OwnAddresses
}): AddressGuards => {
  const { allow, own = nothingOwn } = options
  const givable = [...allow, ...options.forBots].map(parseCidr)
  const isGivable = ({ base, bits }: Cidr): boolean =>
    givable.some((range) => range.bits <= bits && contains(range, base))
  const shared = makeAddressGuard({ allow, own })
  const guardOf = remembering((cidrs) => {
    const given = cidrs.split(',').filter((cidr) => isGivable(parseCidr(cidr)))
    return makeAddressGuard({ allow: [...allow, ...given], own })
  })
  return {
    of: (cidrs) => (cidrs.length === 0 ? shared : guardOf(cidrs.join(','))),
    problemOf: (cidrs) => {
      for (const text of cidrs) {
        const cidr = readCidr(text)
        if (typeof cidr === 'string') return `"${text}" is not a CIDR: ${cidr}`
        if (!isGivable(cidr)) return `${text} is not among the ranges that this server lets bots have`
      }
      return undefined
    },
  }
}

/**
 * What is wrong with a callback URL, told when it is saved and checked again before each attempt. Says nothing on
 * addresses: those are judged when they are dialled.
 */
export const callbackUrlProblem = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (url === null) return 'is not a URL: write it in full, such as https://bot.example/callback'
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http:// or https://'
  if (url.hostname === '') return 'has no host'
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password: set them separately'
  if (url.hash !== '' || text.trim().endsWith('#')) return 'must not have a fragment ("#")'
  return undefined
}
