/**
 * A certificate that signs itself, for development: X.509 in DER, as RFC 5280 has it. There are libraries for certificates of
 * every kind; this one kind is a page, and theirs are twenty packages.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import ipaddr from 'ipaddr.js'

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_ID = 0x06
const UTF8 = 0x0c
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87
const VERSION = 0xa0
const EXTENSIONS = 0xa3

const lengthOf = (bytes: number): number[] => {
  if (bytes < 0x80) return [bytes]
  const digits: number[] = []
  for (let rest = bytes; rest > 0; rest >>= 8) digits.unshift(rest & 0xff)
  return [0x80 | digits.length, ...digits]
}

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(SEQUENCE, ...parts)

/** All of ours have first arcs that fit one byte. */
const oid = (text: string): Buffer => {
  const [first = 0, second = 0, ...arcs] = text.split('.').map(Number)
  const bytes = arcs.flatMap((arc) => {
    const digits = [arc & 0x7f]
    for (let rest = arc >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 0x7f) | 0x80)
    return digits
  })
  return der(OBJECT_ID, Buffer.from([first * 40 + second, ...bytes]))
}

const timeOf = (ms: number): Buffer => {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return digits < '2050' ? der(UTC_TIME, Buffer.from(digits.slice(2))) : der(GENERALIZED_TIME, Buffer.from(digits))
}

const nameOf = (text: string): Buffer => sequence(der(SET, sequence(oid('2.5.4.3'), der(UTF8, Buffer.from(text)))))

const alternative = (host: string): Buffer =>
  ipaddr.isValid(host)
    ? der(IP_ADDRESS, Buffer.from(ipaddr.parse(host).toByteArray()))
    : der(DNS_NAME, Buffer.from(host))

const extension = (id: string, value: Buffer): Buffer => sequence(oid(id), der(OCTET_STRING, value))

/**
 * Of no authority: whoever trusts it trusts these hosts, and nothing that its key might sign. For that reason, too, it
 * says nothing of what the key may be used for: then it is taken as its own issuer.
 */
const extensionsOf = (hosts: readonly string[]): Buffer =>
  der(
    EXTENSIONS,
    sequence(
      extension('2.5.29.19', sequence()),
      extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))),
      extension('2.5.29.17', sequence(...hosts.map(alternative))),
    ),
  )

/** Positive, and never twice. */
const serial = (): Buffer => {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return der(INTEGER, bytes)
}

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`

export interface SelfSigned {
  readonly cert: string
  readonly key: string
}

/** @param options `hosts`: names and addresses; times in unix milliseconds */
export const selfSigned = (options: {
  name: string
  hosts: readonly string[]
  notBeforeMs: number
  notAfterMs: number
}): SelfSigned => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  const name = nameOf(options.name)
  const content = sequence(
    der(VERSION, der(INTEGER, Buffer.from([2]))),
    serial(),
    algorithm,
    name,
    sequence(timeOf(options.notBeforeMs), timeOf(options.notAfterMs)),
    name,
    publicKey,
    extensionsOf(options.hosts),
  )
  const signature = sign('sha256', content, createPrivateKey(privateKey))
  const signed = sequence(content, algorithm, der(BIT_STRING, Buffer.from([0]), signature))
  return { cert: pem('CERTIFICATE', signed), key: privateKey }
}
