/**
 * Where whoever asks has found us: scheme, host and port. It stands in what others get (links to files, the settings of
 * clients), so it is believed of nobody but the operator and their proxies.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'
import { badRequest } from '../kernel/app-error.ts'
import { remembering } from '../kernel/remembering.ts'

export type IsTrusted = (address: string | undefined) => boolean

export const makeIsTrusted = (ranges: readonly string[]): IsTrusted => {
  const trusted = ranges.map((range) => ipaddr.parseCIDR(range))
  const isWithin = remembering((address) => {
    const bare = address.split('%')[0] ?? ''
    return ipaddr.isValid(bare) && ipaddr.subnetMatch(ipaddr.process(bare), { trusted }, 'other') === 'trusted'
  })
  return (address) => trusted.length > 0 && address !== undefined && isWithin(address)
}

/** Of several proxies in a row the last one has written last: it is the one that talks to us. */
const lastOf = (header: string | string[] | undefined): string | undefined =>
  [header].flat().at(-1)?.split(',').at(-1)?.trim() || undefined

const OF_FORWARDED = { for: 'x-forwarded-for', host: 'x-forwarded-host', proto: 'x-forwarded-proto' } as const
const PAIR = /(?:^|[;,])\s*(for|host|proto)=("(?:[^"\\]|\\.)*"|[^;,\s]+)\s*/gi

const unquoted = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text)

/** `[2001:db8::1]:4711` and `192.0.2.1:4711` without brackets and port. */
const addressOf = (text: string): string => /^\[(.*)\]/.exec(text)?.[1] ?? text.replace(/^([\d.]+):\d+$/, '$1')

/**
 * Writes what `Forwarded` says into the headers that everybody else reads; only where there is none of these, so that a
 * proxy that knows one form hands on nothing that its clients have said by the other.
 */
export const unifyForwarded = (headers: IncomingHttpHeaders): void => {
  const { forwarded } = headers
  if (forwarded === undefined || Object.values(OF_FORWARDED).some((name) => headers[name] !== undefined)) return
  const said: Record<string, string[]> = {}
  for (const [, name = '', value = ''] of forwarded.matchAll(PAIR)) {
    const key = name.toLowerCase()
    const text = unquoted(value)
    said[key] = [...(said[key] ?? []), key === 'for' ? addressOf(text) : text]
  }
  for (const [key, header] of Object.entries(OF_FORWARDED)) {
    const values = said[key]
    if (values !== undefined) headers[header] = values.join(', ')
  }
}

const schemes: Readonly<Record<string, 'http' | 'https'>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' }

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i

/** Of a request, or of what asks for a WebSocket. */
export type ReachedAt = (request: IncomingMessage) => string

/** @throws {AppError} if the request names no host that could be one */
export const makeReachedAt =
  ({ publicUrl, isTrusted }: { publicUrl: string | undefined; isTrusted: IsTrusted }): ReachedAt =>
  ({ headers, socket }) => {
    if (publicUrl !== undefined) return publicUrl
    const isProxied = isTrusted(socket.remoteAddress)
    if (isProxied) unifyForwarded(headers)
    const scheme = isProxied ? schemes[lastOf(headers['x-forwarded-proto'])?.toLowerCase() ?? ''] : undefined
    const host = (isProxied ? lastOf(headers['x-forwarded-host']) : undefined) ?? headers.host ?? ''
    const own = 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http'
    const url = `${scheme ?? own}://${host}`
    if (!HOST.test(host) || !URL.canParse(url)) throw badRequest({ host: 'must be a host name' })
    return new URL(url).origin
  }

/** Whose address a request comes from: the last one in the chain of proxies that is not a trusted one. */
export type AddressOf = (request: IncomingMessage) => string

export const makeAddressOf =
  ({ isTrusted }: { isTrusted: IsTrusted }): AddressOf =>
  ({ headers, socket }) => {
    const peer = socket.remoteAddress ?? ''
    if (!isTrusted(peer)) return peer
    unifyForwarded(headers)
    const chain = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
    const addresses = chain.map((address) => address.trim()).filter((address) => address !== '')
    return addresses.findLast((address) => !isTrusted(address)) ?? addresses[0] ?? peer
  }
